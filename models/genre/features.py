"""What the classifiers hear and see."""
from functools import lru_cache

import numpy as np

from core.audio.resample import resample
from core.audio.spectra import mel_spectrum, slaney_filters

RATE, HOP, N_FFT, BANDS = 48_000, 2048, 4096, 64


@lru_cache(maxsize=1)
def _filters():
    return slaney_filters(BANDS, RATE, N_FFT, 30.0, 11_000.0)[1].astype(np.float32)


def audio_features(samples, rate=RATE):
    """Mono or (C,N) audio -> (T,64) log-mel at 23.4 Hz, up to 11 kHz, mean level removed so that loudness tells
    nothing."""
    samples = np.asarray(samples, np.float32)
    samples = samples if samples.ndim == 1 else samples.mean(0)
    mel = mel_spectrum(resample(samples, rate, RATE), _filters(), HOP, power=2.0)
    log = np.log(mel + 1e-7 * max(mel.max(), 1e-9))
    return ((log - log.mean()) / 2.0).astype(np.float32)


def motion_features(motion):
    """Motion -> (T,216): of each joint place about the root on the floor (height kept, m), velocity (m/s / 2) and
    acceleration (m/s^2 / 20), in the axes of each frame's facing."""
    positions = motion.positions()
    forward = motion.rotations[:, 0] @ np.array([0, 0, 1.0], np.float32)
    angle = -np.arctan2(forward[:, 0], -forward[:, 1])
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.zeros((len(angle), 3, 3), np.float32)
    turn[:, 0, 0], turn[:, 0, 1], turn[:, 1, 0], turn[:, 1, 1], turn[:, 2, 2] = cos, -sin, sin, cos, 1
    local = np.einsum("tij,tkj->tki", turn, positions - positions[:, :1] * np.array([1, 1, 0], np.float32))
    velocity = np.einsum("tij,tkj->tki", turn, _difference(positions) * motion.fps) / 2
    change = _difference(velocity) * motion.fps / 10
    return np.concatenate([local, velocity, change], axis=-1).reshape(len(positions), -1).astype(np.float32)


def _difference(values):
    """Forward difference with the last row repeated: a zero there would be a jump that no body made."""
    step = np.diff(values, axis=0)
    return np.concatenate([step, step[-1:]]) if len(step) else np.zeros_like(values)
