"""The skeleton of sampling, the same for every system: noise on a canvas, windows, guidance, kept ranges, steps,
cancel.

    layout = Layout(length, window, overlap, loop)
    generators = seeded(seed, variations)
    x = noise(generators, (channels, layout.length), device)
    denoise = guided_windows(network, layout, schedule, scale)
    x0 = sample(denoise, x, schedule, steps, on_step=reporting(progress, should_cancel))

A cascade does it twice. What a system adds to the estimate (a course, a partner) wraps `denoise` before `sample`.
"""
from collections.abc import Callable
from dataclasses import dataclass

import torch

from core.errors import BadInput, Cancelled
from models.diffusion.guidance import guided
from models.diffusion.samplers import SAMPLERS
from models.diffusion.schedule import Schedule
from models.diffusion.windows import Inpaint, window_places, window_starts, windowed


@dataclass(frozen=True)
class Layout:
    """How windows lie on a canvas, all in its own frames. batch: rows of one network call, which bounds the memory."""

    length: int
    window: int
    overlap: int
    loop: bool = False                  # the canvas is a ring: the last window reaches into the first
    batch: int = 8

    @classmethod
    def of(cls, length: int, window: int, overlap: int, loop: bool = False, batch: int = 8) -> "Layout":
        """A layout for a canvas that may be shorter than the model's window."""
        window = min(window, length)
        return cls(length, window, min(overlap, window // 2), loop, batch)

    @property
    def starts(self) -> list[int]:
        """First frame of each window."""
        return window_starts(self.length, self.window, self.overlap, self.loop)

    def places(self, device="cpu") -> torch.Tensor:
        """Frames (windows, window) of each window on the canvas."""
        return window_places(self.starts, self.window, self.length).to(device)

    def denoiser(self, denoise_windows: Callable) -> Callable:
        """(x (V, ..., length), t) -> x0 from a denoiser of single windows (x, t, variations, numbers) -> x0."""
        return windowed(denoise_windows, self.length, self.window, self.overlap, self.loop, self.batch)


def seeded(seed: int, variations: int) -> list[torch.Generator]:
    """One CPU generator a variation, of seeds seed, seed + 1, ...: a variation does not depend on its neighbours."""
    return [torch.Generator().manual_seed(int(seed) + number) for number in range(variations)]


def noise(generators: list[torch.Generator], shape: tuple, device="cpu") -> torch.Tensor:
    """Standard normal canvases (V, *shape), one of each generator."""
    return torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(device)


def guided_windows(network: Callable, layout: Layout, schedule: Schedule, scale: float, *, interval=(0.0, 1.0),
                   rescale: float = 0.0, together: bool = True) -> Callable:
    """A denoiser of the canvas, (x (V, ..., length), t) -> x0, guided by `scale`.

    network(x (N, ..., window), t (N,) long, variations, numbers, null) -> output of the schedule's prediction; for each
    row the variation and the window that it is of (N,) long, and whether it is to be without condition (N,) bool.
    interval, rescale: `guided`. together: both halves of the guidance in one pass, as a GPU likes it; else no call has
    rows of both.
    """
    def windows(count, null):
        def denoise(x, t, variations, numbers):
            times = torch.full((len(x),), t, dtype=torch.long, device=x.device)
            output = network(x, times, variations % count, numbers, null(variations))
            return schedule.to_x0(output.float(), x, t)
        return layout.denoiser(denoise)

    kept = {}

    def made(count, name, null):
        if (count, name) not in kept:               # a denoiser keeps its index tensors from step to step
            kept[count, name] = windows(count, null)
        return kept[count, name]

    def one(null):
        return lambda x, t: made(len(x), null, lambda v: torch.full_like(v, null, dtype=torch.bool))(x, t)

    def both(x, t):
        count = len(x)                              # the second half of the rows without condition
        return made(count, None, lambda v: v >= count)(torch.cat([x, x]), t).chunk(2)

    return guided(one(False), one(True), scale, both=both if together else None, steps=schedule.steps,
                  interval=interval, rescale=rescale)


def guided_apart(network: Callable, layout: Layout, schedule: Schedule, scale: float, part: float) -> Callable:
    """As `guided_windows`, and one part of the condition weighs more than the rest: x_null + scale (x_all - x_null)
    + part (x_all - x_lacking), all in one pass.

    network: also takes which rows are to lack that part, (N,) bool, as its last argument. After the guidance by two
    conditions of Brooks et al. 2023 (InstructPix2Pix, eq. 3), where each condition has a scale of its own. The pass
    without condition is left out where it has no weight.
    """
    weights = (scale + part, -part, 1.0 - scale)[:2 if scale == 1 else 3]
    kept = {}

    def denoise(x, t):
        count = len(x)

        def windows(pieces, t, variations, numbers):
            which, times = variations // count, torch.full((len(pieces),), t, dtype=torch.long, device=x.device)
            output = network(pieces, times, variations % count, numbers, which == 2, which == 1)
            return schedule.to_x0(output.float(), pieces, t)
        if count not in kept:
            kept[count] = layout.denoiser(windows)
        answers = kept[count](torch.cat([x] * len(weights)), t).chunk(len(weights))
        return sum(weight * answer for weight, answer in zip(weights, answers))
    return denoise


def sample(denoise: Callable, x: torch.Tensor, schedule: Schedule, steps: int, *, sampler: str = "ddim",
           generators: list[torch.Generator] | None = None, kept: tuple | None = None, kept_noise=None,
           on_step: Callable | None = None) -> torch.Tensor:
    """x0 (V, ..., length) from noise x by `steps` steps of a sampler of `SAMPLERS`.

    kept: (values, mask), broadcastable to x, that stay where the mask is 1. kept_noise: generator or list of them of
    the noise that kept values are shown with; `generators` when None. Raises BadInput for an unknown sampler, and what
    on_step raises.
    """
    if sampler not in SAMPLERS:
        raise BadInput(f"There is no sampler {sampler!r}; choose one of {', '.join(SAMPLERS)}.")
    project = None
    if kept is not None:
        values, mask = (part.to(x.device) for part in kept)
        inpaint = Inpaint(values.expand(x.shape), mask, schedule, generators if kept_noise is None else kept_noise)
        denoise, project = inpaint.wrap(denoise), inpaint.project
    return SAMPLERS[sampler](denoise, x, schedule, schedule.timesteps(min(steps, schedule.steps)), generator=generators,
                             project=project, on_step=on_step)


def stopping(should_cancel: Callable | None) -> Callable:
    """A function that raises Cancelled once it is asked for."""
    def stop_if_asked():
        if should_cancel is not None and should_cancel():
            raise Cancelled()
    return stop_if_asked


def reporting(progress: Callable | None, should_cancel: Callable | None, share: float = 1.0) -> Callable:
    """`on_step` of a sampler: asks for cancel, then tells "Sampling n/N"; share: of the whole job's progress."""
    stop_if_asked = stopping(should_cancel)

    def on_step(number, total):
        stop_if_asked()
        if progress is not None:
            progress("Sampling", share * number / total, f"{number}/{total}")
    return on_step
