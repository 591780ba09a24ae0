"""Delivery: loudness preset, true peak, fades, no DC. Loudness is ITU-R BS.1770-4 (`core/audio/meter.py`)."""
import numpy as np

from core.audio.meter import loudness_of_energy, weighted_energy
from core.audio.resample import oversample
from core.contract import load
from core.errors import BadInput

CEILING_DBTP = -1.0
MARGIN_DB = 0.1             # left below the ceiling: another meter's interpolation filter may read a little more
OVERSAMPLING = 4
LIMITER_SECONDS = 0.010
FADE_SECONDS = 0.005
CHUNK_SECONDS = 20.0
LOUDNESS_ROUNDS = 6         # the limiter takes loudness away; the gain is corrected at most this often


def presets():
    """{slug: target in LUFS, or None for peak normalisation}."""
    return {preset["slug"]: preset["lufs"] for preset in load("loudness")}


def default_preset():
    """Slug of the preset marked default."""
    return next(preset["slug"] for preset in load("loudness") if preset.get("default"))


def peak_envelope(samples, rate):
    """(N,) largest magnitude over channels of the four-times oversampled signal around each sample of (C,N)."""
    total, chunk, edge = samples.shape[1], int(CHUNK_SECONDS * rate), 64
    out = np.empty(total, dtype=np.float32)
    for start in range(0, total, chunk):                      # in chunks, so that memory stays flat for long takes
        first, last = max(0, start - edge), min(total, start + chunk + edge)
        fine = oversample(samples[:, first:last], OVERSAMPLING)
        fine = np.maximum(fine.max(axis=0), -fine.min(axis=0))
        coarse = fine.reshape(-1, OVERSAMPLING).max(axis=1)   # sample n and the three points before n + 1 ...
        coarse[1:] = np.maximum(coarse[1:], fine[OVERSAMPLING - 1 :: OVERSAMPLING][:-1])   # ... and the one before n
        stop = min(total, start + chunk)
        out[start:stop] = coarse[start - first : stop - first]
    return out


def true_peak_db(samples, rate):
    """dBTP by four-times oversampling (ITU-R BS.1770-4 annex 2); -inf for silence."""
    samples = np.atleast_2d(samples)
    peak = float(peak_envelope(samples, rate).max()) if samples.shape[1] else 0.0
    return 20.0 * np.log10(peak) if peak > 0 else -np.inf


def limit(samples, rate, ceiling_db=CEILING_DBTP, loop=False):
    """(C,N) with true peak at or under the ceiling: look-ahead gain, smooth over 10 ms on both sides of a peak."""
    ceiling = 10 ** (ceiling_db / 20)
    gain = _limiter_gain(peak_envelope(samples, rate), rate, ceiling, loop)
    return samples if gain is None else _under(samples * gain, rate, ceiling)


def _limiter_gain(envelope, rate, ceiling, loop):
    """(N,) gain that brings a peak envelope under the ceiling, or None where it is there already."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d
    if envelope.max() <= ceiling:
        return None
    mode = "wrap" if loop else "nearest"
    half = max(1, int(LIMITER_SECONDS * rate) // 2)
    gain = minimum_filter1d(np.minimum(1.0, ceiling / np.maximum(envelope, 1e-9)), 4 * half + 1, mode=mode)
    for _ in range(2):                                        # two boxes = a triangle no wider than the minimum filter
        gain = uniform_filter1d(gain, 2 * half + 1, mode=mode)
    return gain


def _under(samples, rate, ceiling):
    """A varying gain moves inter-sample peaks a little:
    what is left of them over the ceiling is taken from the whole."""
    samples = samples.astype(np.float32)
    peak = float(peak_envelope(samples, rate).max())
    return samples if peak <= ceiling else samples * np.float32(ceiling / peak)


def deliver(samples, rate, preset=None, *, fade=FADE_SECONDS, loop=False):
    """Samples (C,N) made ready: DC removed, at the preset's loudness, true peak <= -1 dBTP, 5 ms fades.

    preset: slug of `core/contract/loudness.json`. loop: no fades, and the limiter wraps round. Silence stays silence.
    Raises BadInput for an unknown preset, ValueError for samples that are not finite.
    """
    preset = preset or default_preset()
    if preset not in presets():
        raise BadInput(f"The loudness preset {preset!r} is unknown; choose one of {', '.join(presets())}.")
    samples = np.atleast_2d(np.asarray(samples, dtype=np.float32))
    if not np.isfinite(samples).all():
        raise ValueError("samples are not finite")
    source = samples - samples.mean(axis=1, keepdims=True)
    if not loop:
        source = _faded(source, int(fade * rate))
    ceiling, target = CEILING_DBTP - MARGIN_DB, presets()[preset]
    if np.abs(source).max(initial=0.0) < 1e-7:
        return np.zeros_like(samples)
    if target is None:
        return (source * 10 ** ((ceiling - true_peak_db(source, rate)) / 20)).astype(np.float32)
    energy = weighted_energy(source, rate)
    level = loudness_of_energy(energy, rate)
    if not np.isfinite(level):
        return limit(source, rate, ceiling, loop)
    gain = _loud_gain(peak_envelope(source, rate), energy, rate, (target, level), 10 ** (ceiling / 20), loop)
    out = (source * gain).astype(np.float32)
    return out if np.ndim(gain) == 0 else _under(out, rate, 10 ** (ceiling / 20))       # one factor: its peak is known


def _loud_gain(envelope, energy, rate, levels, ceiling, loop):
    """Gain, a number or (N,), at which a sound has the loudness aimed at under the limiter.
    levels: LUFS aimed at and had.

    The limiter's gain is slow beside the sound, so envelope and weighted energy are measured once and only multiplied.
    """
    target, level = levels
    gain_db, step, slope, missing = target - level, 0.0, 1.0, 0.0
    for _ in range(LOUDNESS_ROUNDS):                          # secant steps: limited sound gains less than 1 LU per dB
        factor = np.float32(10 ** (gain_db / 20))
        curve = _limiter_gain(envelope * factor, rate, ceiling, loop)
        gain = factor if curve is None else factor * curve
        previous, missing = missing, target - loudness_of_energy(energy * np.square(gain, dtype=np.float64), rate)
        if abs(missing) < 0.1:
            break
        if previous:
            slope = np.clip((previous - missing) / step, 0.2, 1.0)
        step = missing / slope
        gain_db += step
    return gain


def _faded(samples, count):
    count = min(count, samples.shape[1] // 2)
    if count == 0:
        return samples
    ramp = (0.5 - 0.5 * np.cos(np.pi * np.arange(count) / count)).astype(np.float32)
    out = samples.copy()
    out[:, :count] *= ramp
    out[:, -count:] *= ramp[::-1]
    return out
