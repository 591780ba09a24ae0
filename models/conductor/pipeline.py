"""Music in, conducting out: `Conductor.load(folders).generate(audio, ...)` -> list of `core.body.motion.Motion`.

Timing: the rhythm condition is the *ictus clock*, the music's beats moved earlier by `lead`. The denoiser is trained
that way (each studio conductor has a known lead), so the lead is exact control, not something the network guesses.
"""
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import torch

from core import checkpoints
from core.audio import Audio
from core.body.ictus import ictus_times
from core.body.motion import Motion
from core.checkpoints import Folders
from core.contract import METRES
from core.errors import BadInput
from core.rhythm.beats import Beats
from models.conductor.beat_pattern import NAMES, patterned
from models.conductor.config import FPS, STROKES, ConductorConfig, spread_of
from models.conductor.controls import (
    FASTEST_HAND,
    FEET,
    below_shoulders,
    blend_left_arm,
    centred,
    keep_weight,
    rest_weight,
    restore,
    restore_points,
    savgol,
    scaled,
    smoothed,
    within_speed,
)
from models.conductor.cut_off import cut_off
from models.conductor.encoder import Frozen, encode_music, load_stage1
from models.conductor.ending import bowed, bows
from models.conductor.features import (
    attack_frames,
    body_from_vector,
    condition_frames,
    level_frames,
    mel_frames,
    mel_frames_30,
    mono,
    motion_vector,
    side_frames,
    stand,
)
from models.conductor.focus import on_clock
from models.conductor.legs import BALL_HEIGHT, Feet, carried, feet_of, hang, planted
from models.conductor.lift import lifted
from models.conductor.network import Denoiser
from models.conductor.pauses import coming, new_frames, prepared, stops
from models.conductor.players import load_players, who_plays
from models.conductor.settings import Settings
from models.conductor.stance import upright
from models.diffusion import Schedule, canvas
from models.layers import replay

LEGS = ("natural", "stand", "off")  # off: as natural, and the rig's own legs stay (core.retarget.Options.legs)
WINDOWS_AT_ONCE = 8
# Features of sound unlike the corpus come out up to twice as strong and drive the articulation too far (a second dip
# after each ictus); a track's are brought down to what training pieces have. Guidance above 1 acts on the noisy half
# only, for the same reason: there it shapes strokes and bars, later it would only sharpen (and costs a second call).
MUSIC_RMS = 1.2
GUIDANCE_INTERVAL = (0.5, 1.0)


def default_lead(beats):
    """Seconds of motion before sound at this tempo: 20 ms fast, about 100 ms moderate, 180 ms slow (corpus
    conductors)."""
    bpm = beats.tempo_bpm if beats is not None and len(beats) > 1 else 90.0
    return float(np.interp(bpm, [50, 76, 120, 168], [0.18, 0.12, 0.05, 0.02]))


def with_metre(beats, metre):
    """Beats recounted in `metre` (2 to 7, 9, 12) from their first downbeat; None and "auto" keep them."""
    if beats is None or metre in (None, "auto") or (beats.metre == metre and np.all(beats.positions > 0)):
        return beats
    if metre not in set(METRES) | set(STROKES):
        raise BadInput(f"The metre is one of {', '.join(map(str, METRES))} or automatic, not {metre}.")
    ones = np.flatnonzero(beats.positions == 1)
    first = int(ones[0]) if len(ones) else 0
    return Beats(beats.times, (np.arange(len(beats)) - first) % metre + 1, metre, beats.confidence)


def conducted(beats, metre=None, beat_pattern="auto"):
    """The `Beats` that get a stroke: recounted in `metre` (None: as they are), in the beat pattern asked for or
    chosen."""
    return patterned(with_metre(beats, metre), beat_pattern)


class Conductor:
    """Both stages, loaded; `generate` may be called many times and from one thread."""

    def __init__(self, config, denoiser, music_encoder, device="cpu", players=None):
        self.config, self.device = config, torch.device(device)
        self.players = players.to(self.device).eval().requires_grad_(False) if players is not None else None
        self.denoiser = denoiser.to(self.device).eval().requires_grad_(False)
        # Its poolings take a third of the time so.
        self.music_encoder = Frozen(music_encoder).to(self.device, memory_format=torch.channels_last)
        self.schedule = Schedule("linear", config.prediction, config.timesteps)
        self.mean, self.std = denoiser.mean.cpu().numpy(), denoiser.std.cpu().numpy() * spread_of(config)
        self.pose = denoiser.pose.cpu().numpy()
        self.sha256 = None

    @classmethod
    def load(cls, folders: Folders = None, device: str = "cpu") -> "Conductor":
        """The released (or `folders`') checkpoints. Raises NoCheckpoint."""
        found = checkpoints.find("conductor", "denoiser", folders)
        config = ConductorConfig.from_json(found.config)
        denoiser = Denoiser(config)
        denoiser.load_state_dict(checkpoints.load_state(found))
        encoder = denoiser.encoder if denoiser.encoder is not None else load_stage1("", folders)[1].music
        conductor = cls(config, denoiser, encoder, device, load_players(folders) if config.focus else None)
        conductor.sha256 = found.sha256
        return conductor

    @classmethod
    def from_run(cls, run, encoder_run="", device="cpu", folders=None, players_run=""):
        """A conductor of a training run's averaged weights (stage 1 and who plays of other runs, else of the
        checkpoints)."""
        from models.training.run_folder import RunFolder
        run = RunFolder(run)
        config = ConductorConfig.from_json(run.read_config()["config"])
        denoiser = Denoiser(config)
        denoiser.load_state_dict(run.average())
        encoder = denoiser.encoder
        if encoder is None:
            encoder = load_stage1(encoder_run or config.stage1, folders)[1].music
        return cls(config, denoiser, encoder, device, load_players(folders, players_run) if config.focus else None)

    def analyse(self, audio):
        """music (T, 64), level (T, 4), whose last columns are attacks and what is new, and who plays (T, 3), None for a
        model that is not told, of a whole track; audio is a `core.audio.Audio` or (samples, rate)."""
        audio = audio if isinstance(audio, Audio) else Audio(*audio)
        sound = mono(audio.mono(), audio.rate)
        if not np.isfinite(sound).all():
            raise BadInput("The sound holds samples that are not numbers; export it again.")
        level = level_frames(sound)
        rate, bands = self.config.encoder.mel_rate, self.config.encoder.bands
        mel = mel_frames_30(sound, bands=bands) if rate == FPS else mel_frames(sound, bands=bands)
        # Every third frame of the published recipe is one of the motion's.
        at_30 = mel[::rate // FPS][:len(level)]
        attacks = np.zeros((len(level), 2), dtype=np.float32)
        attacks[:len(at_30)] = np.stack([attack_frames(at_30), new_frames(at_30)], axis=1)
        level = np.concatenate([level, attacks], axis=1)
        focus = None
        if self.players is not None:
            left, right = (mono(channel, audio.rate) for channel in audio.stereo().samples)
            focus = who_plays(self.players, at_30[:len(level)], side_frames(left, right)[:len(level)])
        mel = torch.from_numpy(mel).to(self.device)
        if len(mel) < 2 * rate // FPS:  # shorter than one reflected edge
            return np.zeros((0, self.config.encoder.features), dtype=np.float32), level, focus
        music = encode_music(self.music_encoder, mel).cpu().numpy()
        return music * min(1.0, MUSIC_RMS / max(1e-6, float(music.std()))), level, focus

    def generate(self, audio: Audio | None, settings: Settings | None = None, *, progress: Callable | None = None,
                 should_cancel: Callable[[], bool] | None = None, **changes) -> list:
        """Conducting motions for the music, `variations` of them (seeds seed, seed + 1, ...): `Motion`, or with
        keypoints13 arrays.

        audio: the whole track; the motion covers seconds start .. start + duration of it (default: to the end). Frame i
        is the instant start + i / 30 s. settings, changes: of `models.conductor.settings.Settings`.
        Raises BadInput; Cancelled once `should_cancel()` is true, asked at every sampling step.
        """
        asked = Settings.of(settings, **changes)
        points = self.config.representation == "keypoints13" and not asked.lift
        if points and (asked.amplitude != 1 or asked.left_hand != 1 or asked.mirror):
            raise BadInput("Amplitude, left hand and mirror need the smpl24 representation; this model draws 13 key "
                           "points.")
        if asked.legs not in LEGS:
            raise BadInput(f"The legs are {', '.join(LEGS)}, not {asked.legs!r}.")
        music, level, *known = asked.features or self.analyse(audio)
        focus = known[0] if known and self.config.focus else None
        frames = self._frames(level, asked.start, asked.duration)
        first = int(round(asked.start * FPS))
        beats = conducted(asked.beats, asked.metre, asked.beat_pattern)
        lead = default_lead(beats) if asked.lead is None else float(asked.lead)
        ictus = beats.shifted(asked.start - lead) if beats is not None else None    # track seconds, on the ictus clock
        waits = []
        if not asked.ready and asked.amplitude != 0:
            waits, ictus = prepared(stops(level, ictus), level, ictus, lead)
        focus = None if focus is None else on_clock(focus, lead, asked.mirror)
        condition = condition_frames(self.config, music, level, ictus, frames, first, focus=focus)
        keep, heading, middle = centred(*asked.keep) if asked.keep and asked.centre else (asked.keep, 0.0, (0.0, 0.0))
        vectors = self._sample(condition, frames, asked, self._known(keep, frames, asked.mirror), progress,
                               should_cancel)
        if points:
            return [restore_points(vector.reshape(frames, 13, 2), *keep) if keep else vector.reshape(frames, 13, 2)
                    for vector in vectors]
        rest, bow = rest_weight(level[first:first + frames], frames), bows(level, first, frames)
        rest = rest * (1 - coming(waits, first, frames))
        struck, motions = ictus.shifted(-first / FPS) if ictus is not None else None, []
        for vector in vectors:
            vector = smoothed(vector) if self.config.smooth and self.config.representation != "keypoints13" else vector
            motion = self._standing(vector, (0.0 if asked.ready else asked.amplitude) * (1 - rest), asked.legs,
                                    held=keep_weight(keep[1], frames) if keep else None)
            motion = cut_off(motion, self.pose, waits, struck, first, lead, min(1.0, asked.amplitude))
            motion = below_shoulders(motion, self.pose) if asked.amplitude <= 1 else motion
            motion = within_speed(motion, self.pose, FASTEST_HAND * max(1.0, asked.amplitude))
            motion = bowed(motion, bow * (1 - rest) * min(1.0, asked.amplitude))
            motion = blend_left_arm(motion, asked.left_hand)
            motion = motion.mirrored() if asked.mirror else motion
            motions.append(restore(motion.moved(heading, after=middle) if asked.centre else motion, *asked.keep) if keep
                           else motion)
        return motions

    @staticmethod
    def settle(settings):
        """The settings of a pipeline with the lead that the tempo of the beats decides where none is asked for; a kept
        motion may be anywhere. Sound without a beat is not conducted: the conductor stands ready."""
        shown, pattern = Conductor.shown_beats(settings), getattr(settings, "beat_pattern", Settings.beat_pattern)
        lead = default_lead(shown) if settings.lead is None else float(settings.lead)
        # The choice is shown, where it is one for the whole piece.
        if pattern == "auto" and shown is not None and shown.bars is None and np.all(shown.positions > 0):
            pattern = next((name for name, count in NAMES.items() if count == shown.metre), "auto")
        return SimpleNamespace(**{**vars(settings), "lead": lead, "beat_pattern": pattern, "centre": True,
                                  "lift": True,
                                  "ready": settings.beats is None})

    @staticmethod
    def shown_beats(settings):
        """The beats that the motion shows: those that get a stroke."""
        return conducted(settings.beats, settings.metre, getattr(settings, "beat_pattern", Settings.beat_pattern))

    @staticmethod
    def body_beats(motion, settings):
        """(`Beats` of the ictus of the baton hand, positions unknown; seconds that they are ahead of the sound)."""
        times = ictus_times(motion, left=settings.mirror)
        return Beats(times, np.zeros(len(times), dtype=int)), settings.lead

    def _standing(self, vector, amplitude, legs, held=None):
        """The motion of a vector (T, C), its size scaled by amplitude (T,), on legs of the kind asked for; held (T,):
        where its height is that of a kept range."""
        if self.config.representation == "keypoints13":
            return scaled(lifted(vector.reshape(-1, 13, 2)), self.pose, amplitude)
        motion = body_from_vector(vector, self.pose)
        if legs == "stand" or self.config.representation != "smpl24_feet":
            motion = scaled(stand(motion, self.pose), self.pose, amplitude)
            return upright(motion, lambda raised: stand(raised, self.pose), held)
        ready = feet_of(Motion.from_vector(self.pose[None]))[0]
        home = ready[:, :3].astype(float), np.arctan2(ready[:, 3], ready[:, 4]).astype(float)
        home[0][:, 2] = BALL_HEIGHT
        # larger strokes, not strides
        feet = planted(Feet.from_vector(vector[:, FEET:]), np.minimum(amplitude, 1.0), home)
        # The trunk's sway is scaled about wherever the feet have gone.
        motion.root[:, :2] -= savgol(carried(Feet.from_vector(vector[:, FEET:]), home), 9)
        motion = scaled(motion, self.pose, amplitude, legs=False)
        motion.root[:, :2] += savgol(carried(feet, home), 9)
        return upright(hang(motion, feet), lambda raised: hang(raised, feet), held)

    def _frames(self, level, start, duration):
        total = len(level) / FPS
        duration = total - start if duration is None else duration
        frames = int(round(duration * FPS))
        if frames < 2:
            raise BadInput(f"The passage lasts {max(duration, 0):.2f} s from {start:.2f} s of {total:.2f} s of music; "
                           "choose at least 0.07 s.")
        return frames

    def _known(self, keep, frames, mirror):
        """Standardised (1, C, T) values and mask (1, 1, T) of the kept ranges, or None."""
        if not keep:
            return None
        motion, ranges = keep
        points = isinstance(motion, np.ndarray)
        kept = np.asarray(motion, dtype=np.float32) if points else motion.resampled(FPS)
        if len(kept) < frames:
            raise BadInput(f"The action to keep covers {len(kept) / FPS:.1f} s of the {frames / FPS:.1f} s passage; "
                           "keep ranges inside it.")
        if points:
            vector = kept[:frames].reshape(frames, -1)
        else:
            kept = kept.slice(0, frames)
            vector = motion_vector(kept.mirrored() if mirror else kept, self.config.representation)
        known = torch.from_numpy((vector - self.mean) / self.std).T[None].float()
        return known, torch.from_numpy(keep_weight(ranges, frames))[None, None]

    def _sample(self, condition, frames, asked, known, progress, should_cancel):
        """(V, T, C) un-standardised vectors; asked: `Settings`."""
        config, device = self.config, self.device
        scale = config.guidance_scale if asked.guidance_scale is None else asked.guidance_scale
        layout = canvas.Layout.of(frames, config.window, config.overlap, batch=asked.batch or WINDOWS_AT_ONCE)
        condition, places = torch.from_numpy(condition).to(device), layout.places(device)

        # On a CPU nothing is gained by one call for both halves of the guidance, and the half without music costs less.
        heard, apart = {}, device.type == "cpu"

        def network(x, t, _, numbers, null):
            # The index tensors of a part are the same ones at every step, and so is what is heard of its music.
            if id(numbers) not in heard:
                heard[id(numbers)] = numbers, (self.denoiser.hear_nothing(x.shape[-1]) if apart and bool(null.all())
                                               else self.denoiser.hear(condition[places[numbers]], null))
            # In float32: bfloat16 rounding shows as jerk of the hands.
            return replay.call(self.denoiser, x.transpose(1, 2), t, heard[id(numbers)][1], method="denoise",
                               half=False).transpose(1, 2)

        denoise = canvas.guided_windows(network, layout, self.schedule, scale,
                                        interval=GUIDANCE_INTERVAL if scale > 1 else (0.0, 1.0), together=not apart)
        generators = canvas.seeded(asked.seed, asked.variations)
        x = canvas.sample(denoise, canvas.noise(generators, (config.channels, frames), device), self.schedule,
                          asked.steps or config.steps, sampler=asked.sampler, generators=generators, kept=known,
                          kept_noise=torch.Generator().manual_seed(asked.seed),
                          on_step=canvas.reporting(progress, should_cancel))
        return x.transpose(1, 2).cpu().numpy() * self.std + self.mean
