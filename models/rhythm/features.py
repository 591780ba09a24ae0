"""What the beat networks see: a body without place and heading, and a log-mel of music at 50 frames a second."""
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

from core.audio.resample import resample
from core.audio.spectra import htk_filters, mel_spectrum
from core.body.kinematics import OFFSETS, forward_kinematics
from models.rhythm.config import BODY_FPS, MUSIC_BANDS, MUSIC_FFT, MUSIC_HOP, MUSIC_RATE

POSITION_SCALE = 2.5            # metres -> about unit variance
VELOCITY_SCALE = 1.5            # metres per second, before asinh
HEADING_FRAMES = 31             # the heading is smoothed over about a second: turns stay visible, jitter goes
LEVEL = 0.1                     # RMS to which sound is brought before the mel
FLOOR = 1e-3                    # of the mel magnitude, 40 dB below that level


def body_features(rotations, root, offsets=None, fps=BODY_FPS):
    """Features (..., T, 166) float32 of local rotations (..., T, 24, 3, 3) and root (..., T, 3) in metres; torch.

    Joint positions from the pelvis (69) and pelvis height (1), in the smoothed heading frame; joint velocities (72),
    compressed by asinh; speeds (24). Place on the floor and heading leave no trace. offsets: (24, 3), or anything that
    broadcasts to (..., T) in front of it per joint, rest offsets in metres; None is the canonical skeleton.
    """
    if offsets is None:
        offsets = rotations.new_tensor(OFFSETS)
        positions, _ = forward_kinematics(rotations, root, offsets)
    else:
        positions = _kinematics_with(rotations, root, offsets)
    # Heading: the hip line's normal in the floor plane, smoothed in time.
    across = positions[..., 1, :2] - positions[..., 2, :2]                      # (..., T, 2) right hip -> left hip
    lead = across.shape[:-2]
    flat = across.reshape((-1,) + across.shape[-2:]).transpose(1, 2)            # (N, 2, T)
    flat = F.avg_pool1d(F.pad(flat, (HEADING_FRAMES // 2,) * 2, mode="replicate"), HEADING_FRAMES, stride=1)
    across = F.normalize(flat.transpose(1, 2).reshape(lead + across.shape[-2:]), dim=-1, eps=1e-6)
    cos, sin = across[..., 0, None], across[..., 1, None]

    def turned(vector):                                                        # (..., T, J, 3) into the heading frame
        x, y, z = vector.unbind(-1)
        return torch.stack([cos * x + sin * y, cos * y - sin * x, z], dim=-1)

    local = turned(positions[..., 1:, :] - positions[..., :1, :])
    velocity = torch.zeros_like(positions)
    velocity[..., 1:-1, :, :] = (positions[..., 2:, :, :] - positions[..., :-2, :, :]) * (fps / 2)
    velocity = turned(velocity) * VELOCITY_SCALE
    speed = velocity.square().sum(-1).add(1e-8).sqrt()
    parts = [local.flatten(-2) * POSITION_SCALE, (positions[..., 0, 2:] - 0.9) * POSITION_SCALE,
             torch.asinh(velocity).flatten(-2), torch.asinh(speed)]
    return torch.cat(parts, dim=-1)


def _kinematics_with(rotations, root, offsets):
    """Forward kinematics with per-sample offsets (N, 24, 3) for rotations (N, T, 24, 3, 3); positions (N, T, 24, 3)."""
    from core.contract import PARENTS
    above, positions = [rotations[..., 0, :, :]], [root]
    for joint in range(1, len(PARENTS)):
        parent = PARENTS[joint]
        offset = offsets[:, None, joint, :, None]                               # (N, 1, 3, 1)
        positions.append(positions[parent] + (above[parent] @ offset)[..., 0])
        above.append(above[parent] @ rotations[..., joint, :, :])
    return torch.stack(positions, dim=-2)


@lru_cache(maxsize=1)
def filters():
    """Filterbank (80, 1 + n_fft / 2) of the music network, over the sum of its window."""
    made = htk_filters(MUSIC_BANDS, MUSIC_RATE, MUSIC_FFT, 30.0, 10_800.0)
    return made / torch.hann_window(MUSIC_FFT).sum().numpy()


def to_mono(samples, rate):
    """Mono float32 (N,) at 22,050 Hz of samples (N,), (N, C) or (C, N), float or int16, at `rate` Hz."""
    samples = np.asarray(samples)
    if samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / np.iinfo(samples.dtype).max
    if samples.ndim == 2:
        from core.audio import Audio
        samples = Audio(samples if np.argmin(samples.shape) == 0 else samples.T, int(rate)).mono()
    return resample(samples, int(rate), MUSIC_RATE)


def log_mel(samples, rate):
    """Log-mel (T, 80) float32 at 50 Hz of sound of any rate and layout (see `to_mono`).

    The sound is brought to a common level first. Frame i is centred on i / 50 s; T = floor(seconds * 50) + 1.
    """
    mono = to_mono(samples, rate)
    loudness = float(np.sqrt(np.mean(np.square(mono, dtype=np.float64)))) if len(mono) else 0.0
    if loudness > 1e-7:
        mono = mono * (LEVEL / loudness)
    # x8: about unit peaks at this level
    return np.log(mel_spectrum(mono, filters(), MUSIC_HOP) * 8 + np.float32(FLOOR))
