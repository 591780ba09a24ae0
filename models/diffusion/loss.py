"""The half of a diffusion loss that every system shares: draw t and noise, noise the clean data, weight the error.

    drawn = draw(schedule, x0, generator)
    output = network(drawn.x, drawn.t, ...).float()
    error = (output - drawn.target).square().flatten(1).mean(1)
    loss = weighted(schedule, drawn, error, min_snr=5.0)
"""
from dataclasses import dataclass

import torch

from models.diffusion.schedule import Schedule


@dataclass
class Draw:
    """One noising of a batch: t (B,) long; noise, x = x_t and target, what the network should answer, each (B, ...)."""

    t: torch.Tensor
    noise: torch.Tensor
    x: torch.Tensor
    target: torch.Tensor


def normal(shape, generator: torch.Generator | None, device) -> torch.Tensor:
    """Standard normal numbers, drawn where the generator lives (a CPU one draws alike for every device), brought to
    `device`."""
    where = device if generator is None else generator.device
    return torch.randn(shape, generator=generator, device=where).to(device)


def uniform(shape, generator: torch.Generator | None, device) -> torch.Tensor:
    """Numbers in 0..1, as `normal`."""
    where = device if generator is None else generator.device
    return torch.rand(shape, generator=generator, device=where).to(device)


def chance(p: float, count: int, generator: torch.Generator | None, device) -> torch.Tensor:
    """(count,) bool, each true with probability p: whose condition is dropped."""
    return uniform((count,), generator, device) < p


def draw(schedule: Schedule, x0: torch.Tensor, generator: torch.Generator | None, high_noise: float = 0.0) -> Draw:
    """Noise and t, uniform over the chain (Ho et al. 2020, algorithm 1), for clean x0 (B, ...).

    high_noise: share of the items whose t is drawn from the noisier half only, where what is coarse is learned.
    """
    noise = normal(x0.shape, generator, x0.device)
    where = x0.device if generator is None else generator.device
    t = torch.randint(0, schedule.steps, (len(x0),), generator=generator, device=where).to(x0.device)
    if high_noise:
        t = torch.where(chance(high_noise, len(x0), generator, x0.device), (schedule.steps + t) // 2, t)
    return Draw(t, noise, schedule.add_noise(x0, noise, t), schedule.target(x0, noise, t))


def weighted(schedule: Schedule, drawn: Draw, error: torch.Tensor, min_snr: float | None = None) -> torch.Tensor:
    """Mean of the items' errors (B,), weighted by min-SNR-gamma where one is given (Hang et al. 2023, section 3.4)."""
    return (schedule.loss_weight(drawn.t, min_snr or None) * error).mean()
