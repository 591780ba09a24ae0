"""Mel spectrograms of music (Tan et al. 2023, section 3.1): 22,050 Hz, Hann 2048, hop 512, 256 bands.

librosa's figures without librosa, whose first use in a fresh environment compiles for ten seconds; only `griffin_lim`
is still its own.

Frame i is centred on the instant i * 512 / 22050 s; N samples give 1 + N // 512 frames (43.07 a second).
"""
from functools import lru_cache

import numpy as np

from core.audio.spectra import mel_spectrum, slaney_filters

RATE, N_FFT, HOP, BANDS = 22_050, 2048, 512, 256
FRAME_RATE = RATE / HOP
FLOOR = 1e-4                # of the mel magnitude; ln(FLOOR) = -9.2, about 80 dB under a loud partial
LEVEL_RMS = 0.1             # what `levelled` brings a passage to (-20 dBFS)


@lru_cache(maxsize=4)
def filters(rate=RATE, n_fft=N_FFT, bands=BANDS):
    """Slaney mel filterbank (bands, 1 + n_fft/2) float32, 0 Hz to half the rate."""
    return slaney_filters(bands, rate, n_fft)[1].astype(np.float32)


def log_mel(mono):
    """Natural log of the mel *magnitude*, floored:
    mono (N,) at 22,050 Hz -> (1 + N//512, 256) float32 in [-9.21, about 2]."""
    return np.log(np.maximum(mel_spectrum(mono, filters(), HOP), FLOOR))


def image_mel(mono, top_db=80.0):
    """As the paper's image VAE wants it: mel *power* in dB under the passage's maximum,
    -80..0 dB mapped to 0..1; (T, 256)."""
    power = np.maximum(mel_spectrum(mono, filters(), HOP, power=2.0), 1e-10)
    decibel = np.maximum(10 * np.log10(power / power.max()), -top_db)
    return ((decibel + top_db) / top_db).astype(np.float32)


def levelled(mono, rms=LEVEL_RMS):
    """mono (N,) scaled so that its sounding part (10 ms blocks within 40 dB of the loudest) has this RMS; silence
    stays. Also returns the gain."""
    mono = np.asarray(mono, dtype=np.float32)
    block = 220
    count = len(mono) // block
    power = (mono[: count * block].reshape(count, block) ** 2).mean(axis=1) if count else (mono**2)
    loud = power[power > max(power.max(initial=0.0) * 1e-4, 1e-10)]
    gain = float(rms / np.sqrt(loud.mean())) if len(loud) else 1.0
    return mono * np.float32(gain), gain


def model_mono(audio):
    """`core.audio.Audio` -> (N,) float32 at 22,050 Hz: mean of the channels, resampled, levelled.
    What log_mel is taken of."""
    return levelled(audio.resampled(RATE).mono())[0]


def griffin_lim(log_mel_frames, iterations=32, seed=0):
    """Phase by Griffin-Lim as published (Perraudin et al. 2013): (T, 256) log-mel -> mono ((T-1)*512,) at 22,050 Hz."""
    import librosa
    mel = np.exp(np.asarray(log_mel_frames, dtype=np.float32)).T
    magnitude = np.maximum(_inverse_filters() @ mel, 0.0)
    return librosa.griffinlim(magnitude, n_iter=iterations, hop_length=HOP, n_fft=N_FFT, window="hann",
                              random_state=seed).astype(np.float32)


@lru_cache(maxsize=1)
def _inverse_filters():
    """(1 + N_FFT/2, BANDS): transposed filters scaled so that a flat spectrum comes back flat; non-negative, unlike a
    pseudo-inverse, so no spectral holes."""
    weights = filters()
    back = weights.T / np.maximum(weights.sum(axis=0)[:, None], 1e-8)
    return (back / weights.sum(axis=1)[None, :]).astype(np.float32)
