"""Music in, dance out: `Dancer.load(folders).generate(audio, ...)` -> list of `core.body.motion.Motion` at 60 fps.

The base canvas (15 fps, any length, overlapping windows) is sampled first, with guidance; it is up-sampled, made a little
noisy and refined on a second canvas at 60 fps, without guidance. Then the course is summed up, kept ranges are put back
exactly, and the feet are cleaned.
"""
import numpy as np
import torch

from core import checkpoints
from core.body.motion import Motion
from core.errors import BadInput, Cancelled
from models.dance_cascade.config import BASE_FPS, FULL_FPS, RATIO, STYLES, CascadeConfig, EncoderConfig
from models.dance_cascade.course import Course
from models.dance_cascade.encoder import Aligner, encode_music
from models.dance_cascade.features import asked_energy, assemble, mel_of, music_rows, rhythm_of, style_index, upsampled
from models.dance_cascade.network import Denoiser
from models.diffusion import SAMPLERS, Inpaint, Schedule, guided, window_starts, windowed
from models.layers.precision import native_autocast
from models.motion.contacts import clean
from models.motion.representation import CONTACTS, decode, encode, headings
from models.motion.smoothing import joined, looped

WINDOWS_AT_ONCE = 8
SEED_SECONDS = 2.0                          # of given motion that a dance grows out of, at most
SHORTEST_SECONDS = 1.0


class Stage:
    """One denoiser of the cascade on its canvas."""

    def __init__(self, config, network, device):
        self.config, self.device = config, device
        self.network = network.to(device).eval().requires_grad_(False)
        self.schedule = Schedule(config.schedule, "x0", config.timesteps)

    def sample(self, frames, style, noise, *, steps, scale, low=None, low_sigma=0.0, loop=False, course=None, known=None,
               generator=None, on_step=None, sampler=None, batch=WINDOWS_AT_ONCE):
        """Un-normalised vectors (V, T, 152).

        frames (T, K) condition; style: index or -1; noise (V, 152, T); low (V, T, 152) un-normalised, with `low_sigma` of noise;
        course: `Course` or None; known: (vectors (T, 152), mask (T,) bool) that stay, or None.
        """
        c, device, net = self.config, self.device, self.network
        length = noise.shape[-1]
        window = min(c.window, length)
        overlap = min(c.overlap, window // 2)
        starts = window_starts(length, window, overlap, loop)
        places = [(torch.arange(start, start + window, device=device) % length) for start in starts]
        frames = frames.to(device)
        if low is not None:
            low = net.standard(low)
            low = low + low_sigma * torch.randn(low.shape, generator=generator).to(low)

        def windows(null):
            def denoise(x, t, variation, number):
                condition = {"frames": torch.stack([frames[places[k]] for k in number]),
                             "style": torch.full((len(x),), style, dtype=torch.long, device=device)}
                if low is not None:
                    condition["low"] = torch.stack([low[v][places[k]] for v, k in zip(variation, number)])
                    condition["low_noise"] = torch.full((len(x),), float(low_sigma), device=device)
                flags = torch.full((len(x),), null, dtype=torch.bool, device=device)
                times = torch.full((len(x),), t, dtype=torch.long, device=device)
                with native_autocast(device):
                    return net(x.transpose(1, 2), times, condition, flags).float().transpose(1, 2)
            return windowed(denoise, length, window, overlap, loop, batch)

        denoise = guided(windows(False), windows(True), scale, steps=c.timesteps)
        if course is not None and not course.free:
            denoise = self._bent(denoise, course)
        project = None
        if known is not None:
            values, mask = known
            values = net.standard(values.to(device)).T[None].expand(len(noise), -1, -1)
            inpaint = Inpaint(values, mask.to(device).float()[None, None], self.schedule, generator)
            denoise, project = inpaint.wrap(denoise), inpaint.project
        times = self.schedule.timesteps(min(steps, c.timesteps))
        x = SAMPLERS[sampler or c.sampler](denoise, noise.to(device), self.schedule, times, project=project, on_step=on_step)
        return net.standard.restore(x.transpose(1, 2)).cpu()

    def _bent(self, denoise, course):
        """The denoiser whose estimate obeys the course."""
        standard = self.network.standard

        def bent(x, t):
            vectors = standard.restore(denoise(x, t).transpose(1, 2))
            return standard(course.bend(vectors)).transpose(1, 2)
        return bent


class Dancer:
    """All parts, loaded; `generate` may be called many times and from one thread."""

    def __init__(self, base, refiner, music_encoder=None, device="cpu"):
        """base, refiner: (config, network) of base and super-resolution; refiner None: the base's own rate is up-sampled."""
        self.device = torch.device(device)
        self.base = Stage(*base, self.device)
        self.refiner = Stage(*refiner, self.device) if refiner is not None else None
        own = self.base.network.encoder
        self.encoder = (own if own is not None else music_encoder)
        if self.encoder is not None:
            self.encoder = self.encoder.to(self.device).eval().requires_grad_(False)
        self.sha256 = None

    @classmethod
    def load(cls, folders=None, device="cpu"):
        """The released (or `folders`') checkpoints. Raises NoCheckpoint."""
        parts = []
        for part in ("base", "super_resolution"):
            found = checkpoints.find("dance_cascade", part, folders)
            config = CascadeConfig(**found.config)
            network = Denoiser(config)
            network.load_state_dict(checkpoints.load_state(found))
            parts.append((config, network))
        encoder = None
        if parts[0][0].music == "aligned":
            found = checkpoints.find("dance_cascade", "encoder", folders)
            aligner = Aligner(EncoderConfig(**found.config))
            aligner.load_state_dict(checkpoints.load_state(found))
            encoder = aligner.music
        dancer = cls(*parts, encoder, device)
        dancer.sha256 = checkpoints.find("dance_cascade", "base", folders).sha256
        return dancer

    @torch.no_grad()
    def analyse(self, audio):
        """Music embedding (M, E) at 30 Hz of a whole `core.audio.Audio`."""
        if not np.isfinite(audio.samples).all():
            raise BadInput("The sound holds samples that are not numbers; export it again.")
        if self.encoder is None:
            return torch.zeros(1, self.base.config.music_size)
        return encode_music(self.encoder, torch.from_numpy(mel_of(audio)).to(self.device)).cpu()

    def generate(self, audio, *, guidance_scale=None, steps=None, seed=0, duration=None, start=0.0, beats=None, style=None,
                 energy=None, in_place=False, path=None, loop=False, keep=None, seed_motion=None, mirror=False, variations=1,
                 feet=True, sampler=None, features=None, progress=None, should_cancel=None):
        """`variations` dances (seeds seed, seed + 1, ...) to seconds start .. start + duration of the music, at 60 fps.

        audio: `core.audio.Audio`. beats: `Beats` in seconds of the passage, or None (rhythm unknown). style: one of
        `config.STYLES` or None. energy: 0 calm .. 0.5 .. 1 wild, a number or one per frame of 15 Hz, None by the music.
        in_place, path (polyline (K, 2) in metres from the start): where the dance goes. loop: its end leads to its beginning.
        seed_motion: `Motion` (a pose: one frame) that the dance begins with, up to 2 s of it. keep: (Motion of the passage,
        [(from, to), ...] in seconds): these ranges stay, the rest is made anew. mirror: left and right exchanged.
        feet: clean contacts after sampling. features: an earlier `analyse(audio)`.
        Raises BadInput; Cancelled once `should_cancel()` is true, asked at every sampling step.
        """
        frames = self._frames(audio, start, duration, loop)
        known = self._known(keep, seed_motion, frames, mirror)
        style = self._style(style)
        base = self.base.config
        low_frames = -(-frames // (FULL_FPS // base.fps))
        music = features if features is not None else self.analyse(audio)
        condition = self._condition(base, music, beats, energy, low_frames, start)
        steps = steps or base.steps
        refining = 0 if self.refiner is None else max(1, round(steps * self.refiner.config.steps / base.steps))
        on_step = _Progress(progress, should_cancel, steps, refining)
        scale = base.guidance_scale if guidance_scale is None else guidance_scale
        generators = [torch.Generator().manual_seed(seed + number) for number in range(variations)]
        noise = torch.stack([torch.randn(152, low_frames, generator=generator) for generator in generators])
        ratio = FULL_FPS // base.fps
        course = Course(base.fps, in_place, path, loop, known and known.course(ratio))
        vectors = self.base.sample(condition, style, noise, steps=steps, scale=scale, loop=loop, course=course,
                                   known=known and known.vectors(base.fps), generator=generators[0], on_step=on_step.base,
                                   sampler=sampler)
        vectors = self._refined(vectors, frames, beats, style, loop, known, refining, generators, on_step)
        course = Course(FULL_FPS, in_place, path, loop, known and known.course(1))
        return [self._finished(each, course, known, loop, mirror, feet) for each in vectors]

    def _refined(self, vectors, frames, beats, style, loop, known, steps, generators, on_step):
        """Base vectors (V, t, 152) -> (V, T, 152) at 60 fps."""
        ratio = FULL_FPS // self.base.config.fps
        around = torch.cat([vectors, vectors[:, :1]], dim=1) if loop else vectors
        low = upsampled(around, frames, ratio)
        if self.refiner is None:
            return low
        c = self.refiner.config
        noise = torch.stack([torch.randn(152, frames, generator=generator) for generator in generators])
        condition = self._condition(c, None, beats, None, frames, 0.0)
        return self.refiner.sample(condition, style, noise, steps=steps, scale=c.guidance_scale, low=low.to(self.device),
                                   low_sigma=c.low_noise_sampling, loop=loop, known=known and known.vectors(FULL_FPS),
                                   generator=generators[0], on_step=on_step.refine)

    @staticmethod
    def _condition(config, music, beats, energy, frames, start):
        """(frames, K) of a stage. beats are seconds of the passage, the music's rows of the whole track."""
        rows = music_rows(music, frames, config.fps, start) if config.music != "none" else None
        if not config.condition_size:
            return torch.zeros(frames, 0)
        if energy is not None and np.ndim(energy):
            place = np.linspace(0, len(energy) - 1, frames)
            energy = np.interp(place, np.arange(len(energy)), energy).astype(np.float32)
        return assemble(config, rows, rhythm_of(beats, frames, config.fps), asked_energy(energy, frames))

    @staticmethod
    def _frames(audio, start, duration, loop):
        left = audio.duration - start
        duration = left if duration is None else duration
        if duration > left + 0.05 or duration < SHORTEST_SECONDS:
            raise BadInput(f"The passage lasts {max(duration, 0):.2f} s from {start:.2f} s of {audio.duration:.2f} s of music; "
                           f"choose at least {SHORTEST_SECONDS:g} s within it.")
        return int(round(duration * BASE_FPS)) * RATIO if loop else int(round(duration * FULL_FPS))

    @staticmethod
    def _style(style):
        if style is None:
            return -1
        index = style_index(style)
        if index < 0:
            raise BadInput(f"The style {style!r} is unknown; choose one of {', '.join(STYLES)}.")
        return index

    @staticmethod
    def _known(keep, seed_motion, frames, mirror):
        """A `Known` of what stays, or None."""
        if keep is not None:
            motion, ranges = keep
            return Known(motion, ranges, frames, mirror)
        if seed_motion is None:
            return None
        motion = seed_motion.resampled(float(FULL_FPS))
        if len(motion) < 2 * RATIO:                        # a pose is held for two frames of the base
            last = [len(motion) - 1] * (2 * RATIO - len(motion))
            motion = Motion(np.concatenate([motion.rotations, motion.rotations[last]]),
                            np.concatenate([motion.root, motion.root[last]]), float(FULL_FPS))
        seconds = min(SEED_SECONDS, len(motion) / FULL_FPS, frames / FULL_FPS / 2)
        return Known(motion, [(0.0, seconds)], frames, mirror)

    @staticmethod
    def _finished(vector, course, known, loop, mirror, feet):
        """The `Motion` of a canvas (T, 152): course, kept frames, feet."""
        turn, place = course.solve(vector[None])
        rotations, root = decode(vector, FULL_FPS, turn[0], place[0])
        motion = Motion(rotations.numpy().astype(np.float32), root.numpy().astype(np.float32), float(FULL_FPS))
        if known is not None:
            motion = joined(motion, known.motion, known.mask)
        if loop:
            motion = looped(motion)
        if feet:
            motion = clean(motion, vector[:, CONTACTS].clamp(0, 1).numpy())
            if known is not None:
                motion = joined(motion, known.motion, known.mask)
        return motion.mirrored() if mirror else motion


class Known:
    """Frames of a given motion that stay, at 60 fps: mask (T,) bool; `motion` of T frames, held beyond its end."""

    def __init__(self, motion, ranges, frames, mirror):
        motion = motion.resampled(float(FULL_FPS))
        index = np.arange(frames)
        self.mask = np.zeros(frames, dtype=bool)
        for low, high in ranges:
            if not 0 <= low < high:
                raise BadInput(f"A range to keep runs from an earlier to a later second, not {low} to {high}.")
            self.mask |= (index >= round(low * FULL_FPS)) & (index < round(high * FULL_FPS))
        if self.mask[len(motion) + FULL_FPS // 2:].any():
            raise BadInput(f"The motion to keep lasts {motion.duration:.1f} s and ends before the range that stays.")
        if not self.mask.any():
            raise BadInput("The range to keep is shorter than a frame or lies outside the passage.")
        held = np.minimum(index, len(motion) - 1)
        motion = Motion(motion.rotations[held], motion.root[held], float(FULL_FPS))
        self.motion = motion.mirrored() if mirror else motion
        self.turn = headings(self.motion.rotations[:, 0])

    def vectors(self, fps):
        """(vectors (t, 152), mask (t,)) at the rate of a stage, for masked replacement."""
        stride = FULL_FPS // fps
        rotations, root = torch.from_numpy(self.motion.rotations), torch.from_numpy(self.motion.root)
        # A frame whose velocity reaches back into what is made anew stays too: the course decides where it stands.
        return encode(rotations, root, FULL_FPS, stride)[::stride], torch.from_numpy(self.mask[::stride].copy())

    def course(self, stride):
        """The kept course for `Course`, every `stride`-th frame."""
        return (torch.from_numpy(self.mask[::stride].copy()), torch.from_numpy(self.turn[::stride].astype(np.float32)),
                torch.from_numpy(self.motion.root[::stride, :2].astype(np.float32)))


class _Progress:
    """Reports and cancels at each sampling step of both stages; a step of the refinement counts half."""

    def __init__(self, progress, should_cancel, steps, refining):
        self.progress, self.should_cancel = progress, should_cancel
        self.steps, self.total = steps, steps + 0.5 * refining

    def _tell(self, done, number, total):
        if self.should_cancel is not None and self.should_cancel():
            raise Cancelled()
        if self.progress is not None:
            self.progress("Sampling", done / self.total, f"{number}/{total}")

    def base(self, number, total):
        """Before step `number` of the base."""
        self._tell(number, number, total)

    def refine(self, number, total):
        """Before step `number` of the super-resolution."""
        self._tell(self.steps + 0.5 * number, number, total)


__all__ = ["Dancer", "Known", "Stage"]
