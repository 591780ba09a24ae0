"""What is made on a canvas: music, or a dance, anew or as a range of a take. The entries of `pipeline.py` call it."""
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


def checked_take(samples, duration):
    """Samples (2, M) at 48 kHz of a take that lasts `duration`. Raises BadInput."""
    samples = np.atleast_2d(np.asarray(samples, dtype=np.float32))
    if abs(samples.shape[1] / DELIVERY_RATE - duration) > 0.05:
        raise BadInput(f"The take lasts {samples.shape[1] / DELIVERY_RATE:.2f} s and the passage {duration:.2f} s; "
                       "use the take's own passage.")
    if not np.isfinite(samples).all():
        raise BadInput("The take holds samples that are not numbers (NaN); make it anew.")
    return samples


def music_takes(entry, canvas, other, generators, scale, steps, keep, like, sampler, progress, should_cancel):
    """Music on a canvas under the motion's latents `other` (64, length): what `MoMuMusic.generate` says."""
    take, profile, gain = None, None, 1.0
    if keep is not None:
        samples, start, stop = keep
        samples = checked_take(samples, canvas.duration)
        canvas.cut(start, stop)
        latents, profile, gain = entry.music.read(as_audio(samples), canvas)
        mask = torch.ones(canvas.length)
        mask[canvas.first:canvas.last] = canvas.kept(start, stop)
        take = entry.music_dit.standardise(latents[None])[0].cpu(), mask[None]
    elif like is not None:
        profile = mix_of(like)
    side = Side(entry.music_dit, entry.schedule, canvas, entry.codes(canvas.genre, generators, profile), other)
    denoise = single(side, entry.guidance_scale if scale is None else scale, entry.stop(should_cancel))
    x = entry.sample(denoise, entry.config.latent, canvas, generators, sampler, steps, take, progress, should_cancel)
    made = []
    for row in entry.each(entry.music_dit.restore(x), canvas, progress, should_cancel):
        sound = entry.music.write(row, canvas, should_cancel)
        made.append(sound if keep is None else splice(samples, start, stop, sound / gain, canvas))
    return made


def mix_of(sound):
    """The timbre profile (96,) of an `Audio`. Raises BadInput for silence or less than a second."""
    if sound.duration < 1.0 or not np.isfinite(sound.samples).all():
        raise BadInput(f"The sound to go by lasts {sound.duration:.2f} s or holds NaN; give at least 1 s of it.")
    mono = mels.model_mono(sound)
    if not np.abs(mono).max() > 0:
        raise BadInput("The sound to go by is silent; give one with music in it.")
    return torch.from_numpy(timbre_profile(mels.log_mel(mono)))


def as_passage(audio, start, duration):
    """Seconds start .. start + duration of an `Audio` as one."""
    first = round(start * audio.rate)
    samples = np.atleast_2d(audio.samples)[:, first:first + round(duration * audio.rate)]
    if samples.shape[1] < 2:
        raise BadInput(f"The music has ended before second {start:.2f}; choose an earlier passage.")
    return Audio(samples, audio.rate)


def motion_takes(entry, canvas, other, generators, scale, steps, keep, tidy, sampler, progress, should_cancel):
    """Dances on a canvas under the music's latents `other` (64, length): what `MoMuMotion.generate` says."""
    take = None
    if keep is not None:
        kept = at_rate(keep[0], canvas.duration)
        start, stop = free_range(keep[1], canvas.duration)
        canvas.cut(start, stop)
        latents = dance.read(entry.motion_vae, kept, canvas)
        mask = torch.ones(canvas.length)
        mask[canvas.first:canvas.last] = canvas.kept(start, stop)
        take = entry.motion_dit.standardise(latents[None])[0].cpu(), mask[None]
    side = Side(entry.motion_dit, entry.schedule, canvas, None, other)
    denoise = single(side, entry.guidance_scale if scale is None else scale, entry.stop(should_cancel))
    x = entry.sample(denoise, entry.config.latent, canvas, generators, sampler, steps, take, progress, should_cancel)
    made = []
    for row in entry.each(entry.motion_dit.restore(x), canvas, progress, should_cancel):
        motion = dance.write(entry.motion_vae, row, canvas, tidy)
        made.append(motion if keep is None else dance.spliced(kept, motion, start, stop, canvas.first / LATENT_RATE))
    return made


def at_rate(motion, duration):
    """The take at 30 fps over the passage's whole length. Raises BadInput where it is shorter."""
    motion = dance.checked(motion).resampled(FPS)
    frames = max(2, round(duration * FPS))
    if len(motion) < frames - 1:
        raise BadInput(f"The action to keep covers {len(motion) / FPS:.1f} s of the {duration:.1f} s passage; "
                       "use the take's own.")
    if len(motion) < frames:
        index = np.append(np.arange(len(motion)), len(motion) - 1)
        motion = Motion(motion.rotations[index], motion.root[index], FPS)
    return motion.slice(0, frames)


def free_range(ranges, duration):
    """(start, stop) of what lies between the kept ranges (list of (from, to) in seconds): from the end of the first
    that begins at 0, to the start of the last that ends the passage. Raises BadInput where nothing is free."""
    start, stop = 0.0, float(duration)
    for low, high in sorted(ranges):
        if not 0 <= low < high:
            raise BadInput(f"A range to keep runs from an earlier to a later second, not {low} to {high}.")
        if low <= start + 1e-6:
            start = max(start, high)
        elif high >= duration - 1e-3:
            stop = min(stop, low)
    if start >= stop:
        raise BadInput("The kept ranges leave nothing to make anew; keep less.")
    return start, stop
