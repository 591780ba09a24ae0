"""Music in, dance out: `Dancer.load(folders).generate(audio, ...)` -> list of `core.body.motion.Motion` at 60 fps.

The base canvas (15 fps, any length, overlapping windows) is sampled first, with guidance; it is up-sampled, made a
little noisy and refined on a second canvas at 60 fps, without guidance. Then the course is summed up, kept ranges are
put back exactly, and the feet are cleaned.
"""
import dataclasses
from collections.abc import Callable

import numpy as np
import torch

from core import checkpoints
from core.audio import Audio
from core.audio.lively import LEAST, MOST, lively_curve
from core.body.motion import Motion
from core.checkpoints import Folders
from core.errors import BadInput
from models.dance_cascade import choice
from models.dance_cascade.beside import guided_beside, opened, styles_beside
from models.dance_cascade.config import BASE_FPS, FULL_FPS, RATIO, STYLES, EncoderConfig
from models.dance_cascade.encoder import Aligner, encode_music
from models.dance_cascade.features import (
    asked_energy,
    assemble,
    downsampled,
    mel_of,
    music_rows,
    rhythm_of,
    smooth_upsampled,
    style_index,
    upsampled,
    without_rhythm,
)
from models.dance_cascade.settings import Settings
from models.diffusion.canvas import Layout, guided_apart, guided_windows, noise, reporting, sample, seeded
from models.diffusion.schedule import Schedule
from models.genre.judge import GenreJudge
from models.layers.precision import native_autocast
from models.motion import kept
from models.motion.contacts import clean
from models.motion.course import Course
from models.motion.representation import CHANNELS, decode
from models.motion.smoothing import joined, looped

SEED_SECONDS = 2.0                          # of given motion that a dance grows out of, at most
SHORTEST_SECONDS = 1.0
# Of the energy that seeds ask for: bodies then differ by 0.25 in its logarithm, as the studio's of one genre do.
SEED_SPREAD = 0.25
REFINING_COST = 0.5                         # of a sampling step of the base, for the progress


class Stage:
    """One denoiser of the cascade on its canvas."""

    def __init__(self, config, network, device, guided=None):
        """guided: (config, network) that was taught this one's guided answers, or None."""
        self.config, self.device = config, device
        self.network = network.to(device).eval().requires_grad_(False)
        self.guided, self.taught = None, None
        if guided is not None:
            self.guided = guided[1].to(device).eval().requires_grad_(False)
            self.taught = guided[0].guidance_scale, guided[0].beat_guidance
        self.schedule = Schedule(config.schedule, "x0", config.timesteps)

    def sample(self, condition, x, generators, *, steps, scale, base=None, ratio=RATIO, loop=False, course=None,
               known=None, on_step=None, sampler=None, batch=None, beat_scale=0.0, pull=None):
        """Un-normalised vectors (V, T, 152).

        condition: (frames (V, T, K) or, for all alike, (1, T, K), style index or -1); x: noise (V, 152, T); base (V, T
        / ratio, 152) un-normalised, what the super-resolution refines; course: `Course` or None; known: (vectors (T,
        152), mask (T,) bool) that stay, or None; beat_scale: guidance by the rhythm alone, on top of `scale`, both in
        one pass where a network was taught them; pull: (un-normalised estimate (V, T, 152), share of the noise 0..1)
        -> estimate, or None.
        """
        c, device, net = self.config, self.device, self.network
        layout = Layout.of(x.shape[-1], c.window, c.overlap, loop, batch or Layout.batch)
        places, (frames, style) = layout.places(device), condition
        frames, low = frames.to(device).expand(len(x), -1, -1), None
        if base is not None:
            around = torch.cat([base, base[:, :1]], dim=1) if loop else base
            low = net.standard(upsampled(around, layout.length, ratio).to(device)).transpose(1, 2)
            low = (low + c.low_noise_sampling * noise(generators, low.shape[1:], device)).transpose(1, 2)

        def network(pieces, times, variations, numbers, null, beatless=None):
            heard = frames[variations[:, None], places[numbers]]
            if beatless is not None:
                heard = torch.where(beatless[:, None, None], deaf[variations[:, None], places[numbers]], heard)
            told = {"frames": heard,
                    "style": torch.full((len(pieces),), style, dtype=torch.long, device=device)}
            if low is not None:
                told["low"] = low[variations[:, None], places[numbers]]
                told["low_noise"] = torch.full((len(pieces),), float(c.low_noise_sampling), device=device)
            with native_autocast(device):
                return asked(pieces.transpose(1, 2), times, told, null).float().transpose(1, 2)

        deaf = without_rhythm(c, frames)
        at_once = self.taught == (scale, beat_scale)
        asked = self.guided if at_once else net
        denoise = guided_apart(network, layout, self.schedule, scale, beat_scale) \
            if beat_scale and c.rhythm and not at_once else \
            guided_windows(network, layout, self.schedule, 1.0 if at_once else scale)
        if base is not None:
            denoise = self._anchored(denoise, base.to(device), ratio, loop)
        if pull is not None:
            denoise = self._pulled(denoise, pull)
        if course is not None and not course.free:
            denoise = self._bent(denoise, course)
        kept = None
        if known is not None:
            kept = net.standard(known[0].to(device)).T[None], known[1].to(device).float()[None, None]
        x = sample(denoise, x.to(device), self.schedule, steps, sampler=sampler or c.sampler, generators=generators,
                   kept=kept, on_step=on_step)
        return net.standard.restore(x.transpose(1, 2)).cpu()

    def _anchored(self, denoise, base, ratio, loop):
        """The denoiser whose estimate, taken down to the base's rate, is the base: only detail is added, no accent
        smoothed away.

        Iterative latent variable refinement (Choi et al. 2021, eq. 8). Without it the released super-resolution costs a
        sixth of the speed and two thirds of the alignment with the beats.
        """
        standard = self.network.standard

        def anchored(x, t):
            vectors = standard.restore(denoise(x, t).transpose(1, 2))
            missing = base - downsampled(vectors, ratio)[:, :base.shape[1]]
            return standard(vectors + smooth_upsampled(missing, vectors.shape[1], ratio, loop)).transpose(1, 2)
        return anchored

    def _pulled(self, denoise, pull):
        """The denoiser whose estimate is drawn towards a style."""
        standard = self.network.standard

        def pulled(x, t):
            vectors = standard.restore(denoise(x, t).transpose(1, 2))
            return standard(pull(vectors, t / self.schedule.steps)).transpose(1, 2)
        return pulled

    def _bent(self, denoise, course):
        """The denoiser whose estimate obeys the course."""
        standard = self.network.standard

        def bent(x, t):
            vectors = standard.restore(denoise(x, t).transpose(1, 2))
            return standard(course.bend(vectors)).transpose(1, 2)
        return bent


class Dancer:
    """All parts, loaded; `generate` may be called many times and from one thread."""

    def __init__(self, base, refiner, music_encoder=None, device="cpu", styles=None, judge=None, guided=None):
        """base, refiner: (config, network) of base and super-resolution; refiner None: the base's own rate is
        up-sampled; styles: `Styles` measured on the base's corpus, None: the style token alone tells a style; judge:
        (samples, rate) -> (10,) probabilities of genres, None: music's genre is not heard; guided: (config,
        network) that was taught what guidance makes of the base, None: guidance takes passes of the base."""
        self.device = torch.device(device)
        self.base = Stage(*base, self.device, guided)
        self.refiner = Stage(*refiner, self.device) if refiner is not None else None
        own = self.base.network.encoder
        self.encoder = (own if own is not None else music_encoder)
        if self.encoder is not None:
            self.encoder = self.encoder.to(self.device).eval().requires_grad_(False)
        self.styles = styles.to(self.device).eval().requires_grad_(False) if styles is not None else None
        self.judge, self.sha256 = judge, None

    @classmethod
    def load(cls, folders: Folders = None, device: str = "cpu") -> "Dancer":
        """The released (or `folders`') checkpoints. Raises NoCheckpoint."""
        parts = []
        for part in ("base", "super_resolution"):
            parts.append(opened(checkpoints.find("dance_cascade", part, folders)))
        encoder = None
        if any(config.music == "aligned" for config, _ in parts):
            found = checkpoints.find("dance_cascade", "encoder", folders)
            aligner = Aligner(EncoderConfig(**found.config))
            aligner.load_state_dict(checkpoints.load_state(found))
            encoder = aligner.music
        base = checkpoints.find("dance_cascade", "base", folders)
        dancer = cls(*parts, encoder, device, styles_beside(base, folders), GenreJudge("audio", folders),
                     guided_beside(base, folders))
        dancer.sha256 = base.sha256
        return dancer

    @torch.no_grad()
    def analyse(self, audio):
        """Music embedding (M, E) at 30 Hz of a whole `core.audio.Audio`."""
        if not np.isfinite(audio.samples).all():
            raise BadInput("The sound holds samples that are not numbers; export it again.")
        if self.encoder is None:
            return torch.zeros(1, self.base.config.music_size)
        return encode_music(self.encoder, torch.from_numpy(mel_of(audio)).to(self.device)).cpu()

    def generate(self, audio: Audio | None, settings: Settings | None = None, *, progress: Callable | None = None,
                 should_cancel: Callable[[], bool] | None = None, **changes) -> list[Motion]:
        """`variations` dances (seeds seed, seed + 1, ...), `Motion` at 60 fps, to seconds start .. start + duration of
        the music.

        audio: `core.audio.Audio`. settings, changes: of `models.dance_cascade.settings.Settings`.
        Raises BadInput; Cancelled once `should_cancel()` is true, asked at every sampling step.
        """
        asked = Settings.of(settings, **changes)
        asked = dataclasses.replace(asked, **self.choose(audio, asked))
        left = audio.duration - asked.start
        frames = frames_of(left if asked.duration is None else asked.duration, left, asked.loop)
        known, before = known_of(asked, frames)
        frames += before
        base, ratio = self.base.config, FULL_FPS // self.base.config.fps
        low_frames = -(-frames // ratio)
        music = asked.features if asked.features is not None else self.analyse(audio)
        beats = asked.beats.shifted(before / FULL_FPS) if asked.beats is not None else None
        style = self._style(asked.genre)
        first = asked.start - before / FULL_FPS
        energies = energies_of(asked, audio, first + np.arange(low_frames) / base.fps)
        condition = torch.stack([self._condition(base, music, beats, each, low_frames, first) for each in energies]), \
            style
        steps = min(asked.steps or base.steps, base.timesteps)
        refining = 0 if self.refiner is None else max(1, round(steps * self.refiner.config.steps / base.steps))
        beat_scale = base.beat_guidance if asked.beat_guidance is None else asked.beat_guidance
        if beats is None or len(beats) < 2:
            beat_scale = 0.0                                # without beats there is nothing to hold to
        share = steps / (steps + REFINING_COST * refining)
        generators = seeded(asked.seed, asked.variations)
        course = Course(base.fps, asked.in_place, asked.path, asked.loop, known and known.course(ratio),
                        before // ratio)
        vectors = self.base.sample(
            condition, noise(generators, (CHANNELS, low_frames)), generators, steps=steps, loop=asked.loop,
            course=course,
            scale=base.guidance_scale if asked.guidance_scale is None else asked.guidance_scale, batch=asked.batch,
            known=known and known.vectors(base.fps), on_step=reporting(progress, should_cancel, share),
            sampler=asked.sampler, beat_scale=beat_scale, pull=self._pull(asked, style, energies))
        later = None if progress is None else lambda phase, part, text: progress(phase, share + part, text)
        on_step = reporting(later, should_cancel, 1 - share)
        vectors = self._refined(vectors, frames, asked, (music, beats, first), known, generators, refining, on_step)
        course = Course(FULL_FPS, asked.in_place, asked.path, asked.loop, known and known.course(1), before)
        return [finished(each, course, known, asked).slice(before, frames) for each in vectors]

    def _refined(self, base, frames, asked, heard, known, generators, steps, on_step):
        """Base vectors (V, t, 152) -> (V, frames, 152) at 60 fps. heard: music (M, E), beats, second of frame 0."""
        ratio = FULL_FPS // self.base.config.fps
        if self.refiner is None:
            return smooth_upsampled(base, frames, ratio, asked.loop)
        c, (music, beats, first) = self.refiner.config, heard
        condition = self._condition(c, music, beats, None, frames, first)[None], self._style(asked.genre)
        return self.refiner.sample(condition, noise(generators, (CHANNELS, frames)), generators, steps=steps, base=base,
                                   ratio=ratio, loop=asked.loop, scale=c.guidance_scale, batch=asked.batch,
                                   on_step=on_step, known=known and known.vectors(FULL_FPS))

    def _pull(self, asked, style, energies):
        """What draws the base's estimates towards a style, or None; energies: (V, T) 0..1."""
        strength = 1.0 if asked.style_guidance is None else asked.style_guidance
        if self.styles is None or not strength or not self.styles.knows(style):
            return None
        lively = torch.stack([asked_energy(each, len(each), middle=0.0)[:, 0] for each in energies]).to(self.device)
        lively = self.styles.energy[style] + lively * self.base.network.energy[1]
        fps = self.base.config.fps
        return lambda vectors, noise_share: self.styles.pull(vectors, style, fps, noise_share, strength, lively,
                                                             asked.loop)

    @staticmethod
    def _condition(config, music, beats, energy, frames, start):
        """(frames, K) of a stage. beats are seconds of the passage, the music's rows of the whole track."""
        rows = music_rows(music, frames, config.fps, start) if config.music != "none" else None
        if not config.condition_size:
            return torch.zeros(frames, 0)
        energy = asked_energy(0.5 if energy is None else energy, frames)
        return assemble(config, rows, rhythm_of(beats, frames, config.fps), energy)

    def choose(self, audio, settings):
        """{setting: what the dancer chooses where nothing is asked for}: the genre, by the music's own and the seed;
        nothing where the styles of a checkpoint were not measured."""
        asked = Settings.of(settings)
        if asked.genre is not None or self.styles is None or self.judge is None:
            return {}
        stop = audio.duration if asked.duration is None else min(audio.duration, asked.start + asked.duration)
        return {"genre": choice.chosen(choice.heard(self.judge, audio.slice(asked.start, stop)), asked.seed)}

    @staticmethod
    def _style(genre):
        if genre is None:
            return -1
        index = style_index(genre)
        if index < 0:
            raise BadInput(f"The genre {genre!r} is unknown; choose one of {', '.join(STYLES)}.")
        return index


def energies_of(asked, audio, seconds):
    """(V, T) 0..1 at instants (T,) of the music: what is asked for; else as the music swells and falls, around a middle
    of each seed's own, as far apart as the studio's dancers of one genre."""
    if asked.energy is not None:
        curve = np.atleast_1d(asked.energy)
        even = np.interp(np.linspace(0, len(curve) - 1, len(seconds)), np.arange(len(curve)), curve)
        return np.tile(even.astype(np.float32), (asked.variations, 1))
    own = [np.random.default_rng([asked.seed + number, 1]).standard_normal() for number in range(asked.variations)]
    curves = lively_curve(audio, seconds) + SEED_SPREAD * np.array(own)[:, None]
    return np.clip(curves, LEAST, MOST).astype(np.float32)


def frames_of(duration, left, loop):
    """Frames at 60 fps of a passage of `duration` seconds where `left` s of music are; on a loop whole frames of the
    base."""
    if duration > left + 0.05 or duration < SHORTEST_SECONDS:
        raise BadInput(f"The passage lasts {max(duration, 0):.2f} s and {max(left, 0):.2f} s of music are left; "
                       f"choose at least {SHORTEST_SECONDS:g} s within it.")
    return int(round(duration * BASE_FPS)) * RATIO if loop else int(round(duration * FULL_FPS))


def known_of(asked, frames):
    """(`Kept` or None, frames before the passage) of what a request gives: kept ranges, or the motion before the
    passage.
    """
    return kept.known_of(asked, frames, FULL_FPS, RATIO, SEED_SECONDS)


def finished(vector, course, known, asked):
    """The `Motion` of a canvas (T, 152): course, kept frames, feet."""
    turn, place = course.solve(vector[None])
    rotations, root = decode(vector, FULL_FPS, turn[0], place[0])
    motion = Motion(rotations.numpy().astype(np.float32), root.numpy().astype(np.float32), float(FULL_FPS))
    if known is not None:
        motion = joined(motion, known.motion, known.mask)
    if asked.loop:
        motion = looped(motion)
    if asked.feet:
        motion = clean(motion)                              # contacts as seen: the drawn ones come and go too late
        if known is not None:
            motion = joined(motion, known.motion, known.mask)
    return motion.mirrored() if asked.mirror else motion
