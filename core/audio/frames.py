"""Log-mel at the rate of motion: one row of 64 bands per frame of 30 Hz, what the dance systems hear of a piece.

22,050 / 30 = 735 samples is a whole number, so row i is centred on the instant i / 30 s exactly, like motion frame i.
"""
import numpy as np

from core.audio.mel import FLOOR, RATE, filters, model_mono
from core.audio.spectra import mel_spectrum

FRAME_BANDS, FRAME_HZ, FRAME_FFT = 64, 30, 1024
FRAME_HOP = RATE // FRAME_HZ
LOW, HIGH = float(np.log(FLOOR)), 2.0       # what the 8-bit form spans
LEVELS = 127.0


def frame_log_mel(audio):
    """`core.audio.Audio` -> (T, 64) float32, natural log of the mel magnitude of the levelled mono sound at 30 Hz;
    T = 1 + floor(30 seconds)."""
    return log_mel_rows(model_mono(audio))


def log_mel_rows(mono):
    """The same of levelled mono samples (N,) at 22,050 Hz."""
    return np.log(np.maximum(mel_spectrum(mono, filters(RATE, FRAME_FFT, FRAME_BANDS), FRAME_HOP), FLOOR))


def to_bytes(rows):
    """Log-mel rows as uint8 for a corpus: LOW..HIGH on 0..LEVELS, steps of 0.09 nats."""
    return np.round((np.clip(rows, LOW, HIGH) - LOW) * (LEVELS / (HIGH - LOW))).astype(np.uint8)


def from_bytes(rows):
    """Inverse of `to_bytes`: float32 log-mel (numpy arrays; for tensors use LOW + x (HIGH - LOW) / LEVELS)."""
    return (LOW + rows.astype(np.float32) * ((HIGH - LOW) / LEVELS)).astype(np.float32)
