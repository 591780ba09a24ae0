"""Effects of the mix: equaliser, reverb, compressor, saturation, ducking, noise; all on (2, N) float32."""

from functools import lru_cache

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import lfilter, oaconvolve

FLOOR = 1e-9


@lru_cache(maxsize=8)
def _frequencies(size, rate):
    return np.fft.rfftfreq(size, 1.0 / rate)


def equalise(
    audio, rate, *, tilt_db=0.0, low_db=0.0, mid_db=0.0, mid_hz=1000.0, high_db=0.0, lowpass=0.0, highpass=0.0
):
    """Zero-phase equaliser over the whole piece: tilt around 1 kHz, low shelf (150 Hz), bell, high shelf (6 kHz),
    edges."""
    size = next_fast_len(audio.shape[-1] + 2048, real=True)
    freq = np.maximum(_frequencies(size, rate), 1.0)
    octave = np.log2(freq / 1000.0)
    gain_db = tilt_db * np.clip(octave, -5, 4) / 4
    gain_db = gain_db + low_db / (1 + (freq / 150.0) ** 2) + high_db / (1 + (6000.0 / freq) ** 2)
    gain_db = gain_db + mid_db * np.exp(-0.5 * (np.log2(freq / mid_hz) / 0.6) ** 2)
    gain = 10 ** (gain_db / 20)
    if lowpass:
        gain = gain / np.sqrt(1 + (freq / lowpass) ** 8)
    if highpass:
        gain = gain / np.sqrt(1 + (highpass / freq) ** 6)
    spectrum = rfft(audio, size, axis=-1) * gain.astype(np.float32)
    return irfft(spectrum, size, axis=-1)[..., : audio.shape[-1]].astype(np.float32)


def impulse_response(rng, rate, seconds, bright=0.5, predelay=0.01):
    """A stereo reverb tail (2, M): decaying noise whose highs die first."""
    count = int(rate * min(seconds * 1.1, 3.0))
    t = np.arange(count) / rate
    noise = rng.normal(size=(2, count)).astype(np.float32)
    spectrum = rfft(noise, axis=-1)
    freq = np.fft.rfftfreq(count, 1.0 / rate)
    dark = irfft(spectrum / (1 + (freq / (800 + 2500 * bright)) ** 2), count, axis=-1)
    tail = (noise * bright * np.exp(-t * 6.9 / (0.4 * seconds)) + dark * np.exp(-t * 6.9 / seconds)) * (t > predelay)
    return (tail / np.sqrt((tail**2).sum(axis=-1, keepdims=True) + FLOOR)).astype(np.float32)


def reverb(audio, response):
    """Wet signal only, same length."""
    return oaconvolve(audio, response, axes=-1)[:, : audio.shape[1]].astype(np.float32)


def envelope_blocks(audio, block=256):
    """Peak of |audio| per block: (ceil(N / block),)."""
    mono = np.abs(audio).max(axis=0) if audio.ndim == 2 else np.abs(audio)
    pad = -len(mono) % block
    return np.pad(mono, (0, pad)).reshape(-1, block).max(axis=1)


def _follow(level, attack, release):
    out, value = np.empty_like(level), 0.0
    for index, target in enumerate(level.tolist()):
        value += (target - value) * (attack if target > value else release)
        out[index] = value
    return out


def _gain_curve(gain, samples, block):
    centres = (np.arange(len(gain)) + 0.5) * block
    return np.interp(np.arange(samples), centres, gain).astype(np.float32)


def compress(audio, rate, *, threshold_db, ratio, attack=0.008, release=0.12, block=256):
    """Feed-forward peak compressor on a level measured every `block` samples; make-up gain is left to the mix."""
    step = block / rate
    level = _follow(envelope_blocks(audio, block), 1 - np.exp(-step / attack), 1 - np.exp(-step / release))
    over = np.maximum(20 * np.log10(level + FLOOR) - threshold_db, 0)
    return audio * _gain_curve(10 ** (-over * (1 - 1 / ratio) / 20), audio.shape[-1], block)


def limit(audio, rate, ceiling=0.95, block=64):
    """Look-ahead peak limiter: no sample above `ceiling`."""
    peaks = envelope_blocks(audio, block)
    need = np.minimum(1.0, ceiling / (peaks + FLOOR))
    if need.min() >= 1.0:
        return audio
    reach = 24
    padded = np.pad(need, reach, mode="edge")
    lowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).min(axis=1)
    kernel = np.hanning(reach + 2)[1:-1]
    smooth = np.convolve(np.pad(lowest, reach // 2, mode="edge"), kernel / kernel.sum(), mode="same")
    smooth = smooth[reach // 2 : reach // 2 + len(lowest)]
    out = audio * _gain_curve(smooth, audio.shape[-1], block)
    return np.clip(out, -ceiling, ceiling)


def saturate(audio, drive_db):
    """Soft clipping of a signal near full scale."""
    drive = np.float32(10 ** (drive_db / 20))
    return np.tanh(drive * audio) / np.float32(np.tanh(drive))


def tilt(audio, rate, tilt_db, corner=900.0):
    """A cheap tone control: the lows fall and the highs rise by half of `tilt_db` around `corner` Hz."""
    a = 1 - np.exp(-2 * np.pi * corner / rate)
    low = lfilter([np.float32(a)], np.array([1, a - 1], np.float32), audio, axis=-1).astype(np.float32)
    gain = np.float32(10 ** (tilt_db / 40))
    return low / gain + (audio - low) * gain


def tremolo(audio, rate, speed_hz, depth):
    """Amplitude swung by a slow sine, opposite in the two channels as on an electric piano."""
    t = np.arange(0, audio.shape[1], 128) / rate
    swing = depth / 2 * np.sin(2 * np.pi * speed_hz * t)
    samples = np.arange(audio.shape[1])
    left = np.interp(samples, t * rate, 1 - depth / 2 + swing).astype(np.float32)
    return audio * np.stack([left, 2 - depth - left])


def echo(audio, rate, seconds, feedback, level):
    """A few fading repeats, the second channel's swapped sides."""
    out, step = audio.copy(), int(seconds * rate)
    for k in range(1, 4):
        if k * step >= audio.shape[1] or level * feedback ** (k - 1) < 0.03:
            break
        source = audio[::-1] if k % 2 else audio
        out[:, k * step :] += np.float32(level * feedback ** (k - 1)) * source[:, : -k * step]
    return out


def wow(audio, rate, speed_hz, depth):
    """Slow pitch drift of a record or tape; `depth` is the relative speed change, time moves by under a millisecond."""
    t = np.arange(audio.shape[1], dtype=np.float64)
    place = t + depth * rate / (2 * np.pi * speed_hz) * np.sin(2 * np.pi * speed_hz * t / rate)
    return np.stack([np.interp(place, t, channel) for channel in audio]).astype(np.float32)


def duck(audio, onsets, rate, depth, recover=0.18, block=128):
    """Side-chain: the level falls by `depth` (0..1) at each onset and recovers over `recover` seconds."""
    t = (np.arange(-(-audio.shape[-1] // block)) + 0.5) * block / rate
    onsets = np.sort(np.asarray(onsets, dtype=np.float64))
    if not len(onsets):
        return audio
    since = t - onsets[np.clip(np.searchsorted(onsets, t, side="right") - 1, 0, len(onsets) - 1)]
    gain = np.where(since >= 0, 1 - depth * np.exp(-np.maximum(since, 0) / (recover / 2)), 1.0)
    return audio * _gain_curve(gain, audio.shape[-1], block)


def follow_dynamics(audio, rate, times, levels, range_db, block=256):
    """Continuous loudness of an orchestra: `range_db` below full at level 0, full at level 1, between beats
    interpolated.

    Soft playing is also darker: the part above 2 kHz falls twice as much.
    """
    centres = (np.arange(-(-audio.shape[1] // block)) + 0.5) * block / rate
    level = np.interp(centres, times, levels)
    full = _gain_curve(10 ** (-range_db * (1 - level) / 20), audio.shape[1], block)
    bright = _gain_curve(10 ** (-0.5 * range_db * (1 - level) / 20), audio.shape[1], block)
    size = next_fast_len(audio.shape[1] + 2048, real=True)
    freq = np.maximum(_frequencies(size, rate), 1.0)
    low = irfft(rfft(audio, size, axis=-1) / np.sqrt(1 + (freq / 2000.0) ** 4).astype(np.float32), size, axis=-1)[
        :, : audio.shape[1]
    ]
    low = low.astype(np.float32)
    return full * (low + bright * (audio - low))


def noise(rng, kind, samples, rate):
    """(2, samples) of unit RMS: pink, hum, or vinyl (crackle over a rumble)."""
    if kind == "hum":
        t = np.arange(samples) / rate
        base = rng.choice([50.0, 60.0])
        wave = sum(np.sin(2 * np.pi * base * k * t + k) / k for k in (1, 2, 3, 4, 6))
        out = np.stack([wave, wave])
    else:
        size = min(samples, 1 << 18)
        freq = np.maximum(np.fft.rfftfreq(size, 1.0 / rate), 20.0)
        out = irfft(rfft(rng.normal(size=(2, size)).astype(np.float32), axis=-1) / np.sqrt(freq), size, axis=-1)
        out = np.tile(out, (1, -(-samples // size)))[:, :samples]
        if kind == "vinyl":
            out /= out.std()
            count = int(samples / rate * rng.uniform(8, 30))
            places = rng.integers(0, samples - 16, count)
            for place, height in zip(places, rng.exponential(6.0, count) * rng.choice([-1, 1], count)):
                out[:, place : place + 12] += height * np.exp(-np.arange(12) / 3.0)
    return (out / (out.std() + FLOOR)).astype(np.float32)


def loudness_db(audio, rate):
    """Gated RMS level in dB of a (2, N) signal with a rough head filter: close to LUFS for music, fast."""
    block = int(0.4 * rate)
    emphasised = np.diff(audio, axis=1) * 0.9 * rate / 12000 + 0.35 * audio[:, 1:]
    power = (emphasised**2).sum(axis=0)
    count = max(1, len(power) // block)
    blocks = power[: count * block].reshape(count, -1).mean(axis=1)
    kept = blocks[blocks > 10 ** (-70 / 10)]
    if not len(kept):
        return -100.0
    kept = kept[kept >= 0.1 * kept.mean()]
    return float(10 * np.log10(kept.mean() + FLOOR))
