"""What is made on a canvas: music, or a dance, anew or as ranges of a take. The entries of `pipeline.py` call it."""
import numpy as np
import torch

from core.audio import DELIVERY_RATE, Audio
from core.audio import mel as mels
from core.body.kinematics import FPS
from core.body.motion import Motion
from core.errors import BadInput
from models.momu import dance
from models.momu.config import LATENT_RATE
from models.momu.joint import Side, single
from models.momu.sound import as_audio
from models.music_ldm.pipeline import splice
from models.music_ldm.timbre import timbre_profile


def make_music(entry, canvas, other, generators, asked, run):
    """Music on a canvas under the motion's latents `other` (64, length) or None: (2, N) arrays, one a generator."""
    take = profile = None
    if asked.keep is not None:
        take = SoundTake(entry, canvas, asked.keep[0], [asked.keep[1:]])
        profile = take.profile
    elif asked.like is not None:
        profile = mix_of(asked.like)
    side = Side(entry.music_dit, entry.schedule, canvas, entry.codes(canvas.genre, generators, profile), other,
                entry.reader("motion"))
    denoise = single(side, asked.guidance_scale, run.stop_if_asked)
    x = entry.sample(denoise, entry.config.latent, canvas, generators, asked, None if take is None else take.known(),
                     run)
    rows = run.each(entry.music_dit.restore(x))
    sounds = (entry.music.write(row, canvas, run.should_cancel) for row in rows)
    return [sound if take is None else take.joined(sound) for sound in sounds]


def make_motion(entry, canvas, other, generators, asked, run):
    """Dances on a canvas under the music's latents `other` (64, length) or None: `Motion`s, one a generator."""
    take = None if asked.keep is None else MotionTake(entry, canvas, asked.keep[0],
                                                      free_ranges(asked.keep[1], canvas.duration))
    side = Side(entry.motion_dit, entry.schedule, canvas, None, other, entry.reader("music"))
    denoise = single(side, asked.guidance_scale, run.stop_if_asked)
    x = entry.sample(denoise, entry.config.latent, canvas, generators, asked, None if take is None else take.known(),
                     run)
    rows = run.each(entry.motion_dit.restore(x))
    motions = (dance.write(entry.motion_vae, row, canvas, asked.tidy) for row in rows)
    return [motion if take is None else take.joined(motion) for motion in motions]


class Take:
    """What is kept of a take: its latents and canvas, and the seconds `free` that are made anew."""

    def known(self):
        """Standardised latents (64, length) and mask (64, length), 1 where they stay."""
        return self.latents, self.canvas.kept(self.free).to(self.latents.device).expand_as(self.latents)


class SoundTake(Take):
    """Samples (2, M) at 48 kHz of a take on its canvas, of which the seconds `free` [(start, stop), ...] are made
    anew."""

    def __init__(self, entry, canvas, samples, free):
        self.canvas, self.free = canvas, free
        self.samples = np.atleast_2d(np.asarray(samples, dtype=np.float32))
        seconds = self.samples.shape[1] / DELIVERY_RATE
        if abs(seconds - canvas.duration) > 0.05:
            raise BadInput(f"The take lasts {seconds:.2f} s and the passage {canvas.duration:.2f} s; use the take's "
                           f"own passage.")
        if not np.isfinite(self.samples).all():
            raise BadInput("The take holds samples that are not numbers (NaN); make it anew.")
        canvas.cut(free)
        latents, self.profile, self.gain = entry.music.read(as_audio(self.samples), canvas)
        self.latents = entry.music_dit.standardise(latents[None])[0]

    def joined(self, sound):
        """The take with its free ranges of `sound`, which begins where the canvas's sampled part does."""
        out = self.samples
        for start, stop in self.free:
            out = splice(out, start, stop, sound / self.gain, self.canvas)
        return out


class MotionTake(Take):
    """A `Motion` on its canvas, of which the seconds `free` [(start, stop), ...] are made anew."""

    def __init__(self, entry, canvas, motion, free):
        self.canvas, self.free, self.motion = canvas, free, at_rate(motion, canvas.duration)
        canvas.cut(free)
        latents = dance.read(entry.motion_vae, self.motion, canvas)
        self.latents = entry.motion_dit.standardise(latents[None])[0]

    def joined(self, motion):
        """The take with its free ranges of `motion`, which begins where the canvas's sampled part does."""
        out = self.motion
        for start, stop in self.free:
            out = dance.spliced(out, motion, start, stop, self.canvas.first / LATENT_RATE)
        return out


def at_rate(motion, duration):
    """The take at 30 fps over the passage's whole length. Raises BadInput where it is shorter."""
    motion = dance.checked(motion).resampled(FPS)
    frames = max(2, round(duration * FPS))
    if len(motion) < frames - 1:
        raise BadInput(f"The action to keep covers {len(motion) / FPS:.1f} s of the {duration:.1f} s passage; "
                       "use the take's own.")
    index = np.minimum(np.arange(frames), len(motion) - 1)
    return Motion(motion.rotations[index], motion.root[index], FPS)


def free_ranges(kept, duration, required=True):
    """[(start, stop), ...] of a passage of `duration` seconds that no range of `kept` covers. Raises BadInput for a
    range that runs backwards, and where nothing is free and something must be."""
    at, free = 0.0, []
    for low, high in sorted(kept):
        if not 0 <= low < high:
            raise BadInput(f"A range to keep runs from an earlier to a later second, not {low} to {high}.")
        if low > at + 1e-3:
            free.append((at, min(low, duration)))
        at = max(at, high)
    if at < duration - 1e-3:
        free.append((at, float(duration)))
    if required and not free:
        raise BadInput("The kept ranges leave nothing to make anew; keep less.")
    return free


def mix_of(sound):
    """The timbre profile (96,) of an `Audio`. Raises BadInput for silence or less than a second."""
    if sound.duration < 1.0 or not np.isfinite(sound.samples).all():
        raise BadInput(f"The sound to go by lasts {sound.duration:.2f} s or holds NaN; give at least 1 s of it.")
    mono = mels.model_mono(sound)
    if not np.abs(mono).max() > 0:
        raise BadInput("The sound to go by is silent; give one with music in it.")
    return torch.from_numpy(timbre_profile(mels.log_mel(mono)))


def as_passage(audio, start, duration):
    """Seconds start .. start + duration of an `Audio` as one. Raises BadInput where it has ended before."""
    first = round(start * audio.rate)
    samples = np.atleast_2d(audio.samples)[:, first:first + round(duration * audio.rate)]
    if samples.shape[1] < 2:
        raise BadInput(f"The music has ended before second {start:.2f}; choose an earlier passage.")
    return Audio(samples, audio.rate)
