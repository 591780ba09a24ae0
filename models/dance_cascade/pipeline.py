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
from core.audio.frames import frame_log_mel
from core.audio.lively import LEAST, MOST, lively_curve
from core.body.motion import Motion
from core.checkpoints import Folders
from core.errors import BadInput
from models.dance_cascade import choice
from models.dance_cascade.beside import guided_beside, opened, styles_beside
from models.dance_cascade.config import BASE_FPS, FULL_FPS, RATIO, STYLES, CascadeConfig, EncoderConfig
from models.dance_cascade.encoder import Aligner, encode_music
from models.dance_cascade.features import (
    asked_energy,
    assemble,
    mel_of,
    music_rows,
    rhythm_of,
    smooth_upsampled,
    style_index,
)
from models.dance_cascade.settings import Settings
from models.dance_cascade.stage import Stage
from models.diffusion.canvas import noise, reporting, seeded
from models.genre.judge import GenreJudge
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
        self.encoder = self.base.network.encoder if self.base.config.music == "scratch" else music_encoder
        if self.encoder is not None:
            self.encoder = self.encoder.to(self.device).eval().requires_grad_(False)
        self.styles = styles.to(self.device).eval().requires_grad_(False) if styles is not None else None
        self.judge, self.sha256 = judge, None

    @classmethod
    def load(cls, folders: Folders = None, device: str = "cpu") -> "Dancer":
        """The released (or `folders`') checkpoints. Raises NoCheckpoint."""
        base = checkpoints.find("dance_cascade", "base", folders)
        guided = guided_beside(base, folders)
        parts = [opened(base) if guided is None else (CascadeConfig(**base.config), lambda: opened(base)[1]),
                 opened(checkpoints.find("dance_cascade", "super_resolution", folders))]
        encoder = None
        if any(config.music == "aligned" for config, _ in parts):
            found = checkpoints.find("dance_cascade", "encoder", folders)
            aligner = Aligner(EncoderConfig(**found.config))
            aligner.load_state_dict(checkpoints.load_state(found))
            encoder = aligner.music
        dancer = cls(*parts, encoder, device, styles_beside(base, folders), GenreJudge("audio", folders), guided)
        dancer.sha256 = base.sha256
        return dancer

    @torch.no_grad()
    def analyse(self, audio, rows=None):
        """Music embedding (M, E) at 30 Hz of a whole `core.audio.Audio`; rows: its `frame_log_mel`, where known."""
        if not np.isfinite(audio.samples).all():
            raise BadInput("The sound holds samples that are not numbers; export it again.")
        if self.encoder is None:
            return torch.zeros(1, self.base.config.music_size)
        return encode_music(self.encoder, torch.from_numpy(mel_of(audio, rows)).to(self.device)).cpu()

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
        rows = frame_log_mel(audio) if asked.features is None or asked.energy is None else None
        music = asked.features if asked.features is not None else self.analyse(audio, rows)
        beats = asked.beats.shifted(before / FULL_FPS) if asked.beats is not None else None
        style = self._style(asked.genre)
        first = asked.start - before / FULL_FPS
        energies = energies_of(asked, audio, first + np.arange(low_frames) / base.fps, rows)
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
        lively = self.styles.energy[style] + lively * self.base.energy[1]
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


def energies_of(asked, audio, seconds, rows=None):
    """(V, T) 0..1 at instants (T,) of the music: what is asked for; else as the music swells and falls, around a middle
    of each seed's own, as far apart as the studio's dancers of one genre. rows: the music's `frame_log_mel`, where
    known."""
    if asked.energy is not None:
        curve = np.atleast_1d(asked.energy)
        even = np.interp(np.linspace(0, len(curve) - 1, len(seconds)), np.arange(len(curve)), curve)
        return np.tile(even.astype(np.float32), (asked.variations, 1))
    own = [np.random.default_rng([asked.seed + number, 1]).standard_normal() for number in range(asked.variations)]
    curves = lively_curve(audio, seconds, rows) + SEED_SPREAD * np.array(own)[:, None]
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
