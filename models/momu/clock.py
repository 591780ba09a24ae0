"""One clock for body and sound: motion on the mel frames of the music.

Frame i of the clock is the instant i * 512 / 22050 s, where mel frame i is centred (`core/audio/mel.py`). Four
frames make one latent of either VAE, so the same index is the same moment in both. What a frame holds is
`models/motion/representation.py`.
"""
import math

import numpy as np
import torch

from core.audio.mel import FRAME_RATE
from core.body.kinematics import FPS
from core.body.motion import Motion
from core.body.rotations import matrix_to_6d, sixd_to_matrix
from models.momu.config import DOWNSAMPLE
from models.motion import representation


def taps(seconds, rate, last):
    """Catmull-Rom interpolation at instants `seconds` (...,) between samples 0..last at `rate` Hz: indices and
    weights (..., 4).

    last: an int, or a tensor that broadcasts with seconds. Instants outside hold the first or last sample.
    """
    last = torch.as_tensor(last, device=seconds.device)
    place = torch.minimum((seconds * rate).clamp(min=0), last.to(seconds.dtype))
    low = place.floor()
    u = place - low
    index = low.long()[..., None] + torch.arange(-1, 3, device=seconds.device)
    index = torch.minimum(index.clamp(min=0), last.long()[..., None])
    u2, u3 = u * u, u * u * u
    weights = torch.stack([-u3 + 2 * u2 - u, 3 * u3 - 5 * u2 + 2, -3 * u3 + 4 * u2 + u, u3 - u2], dim=-1) / 2
    return index, weights


def resample(values, rate, seconds):
    """(T, C) at `rate` Hz -> (len(seconds), C) at those instants."""
    index, weights = taps(seconds, rate, len(values) - 1)
    return (values[index] * weights[..., None].to(values)).sum(-2)


def frames_of(duration):
    """Clock frames that cover `duration` seconds, a multiple of four."""
    return DOWNSAMPLE * math.ceil((duration * FRAME_RATE + 1) / DOWNSAMPLE)


def resampled(motion, seconds, fps):
    """A `Motion` at instants `seconds` (N,), which lie 1 / fps apart; its ends are held."""
    values = np.concatenate([motion.root, matrix_to_6d(motion.rotations).reshape(len(motion), -1)], axis=1)
    found = resample(torch.from_numpy(values.astype(np.float32)), motion.fps,
                     torch.as_tensor(seconds, dtype=torch.float64))
    rotations = sixd_to_matrix(found[:, 3:].reshape(-1, 24, 6).numpy())
    return Motion(rotations.astype(np.float32), found[:, :3].numpy(), fps)


def assemble(sixd, root, heading, contact, first):
    """Samples on the clock, one more before the first frame -> vectors (B, T, 152).

    sixd (B, T + 1, 144) and root (B, T + 1, 3) in world axes, heading (B, T + 1) unwrapped, contact (B, T + 1, 4);
    first (B,) bool: True where nothing lies before the first frame, which then repeats the velocity of the next.
    """
    rotations = sixd_to_matrix(sixd[:, 1:].unflatten(-1, (24, 6)))
    step = (root[:, 1:] - root[:, :-1])[..., :2] * FRAME_RATE
    cos, sin = heading[:, :-1].cos(), heading[:, :-1].sin()
    step = torch.stack([cos * step[..., 0] + sin * step[..., 1], cos * step[..., 1] - sin * step[..., 0]], dim=-1)
    moves = torch.cat([step, (heading[:, 1:] - heading[:, :-1])[..., None] * FRAME_RATE], dim=-1)
    moves = torch.cat([torch.where(first[:, None, None], moves[:, 1:2], moves[:, :1]), moves[:, 1:]], dim=1)
    pelvis = representation.about_z(-heading[:, 1:]) @ rotations[:, :, 0]
    local = torch.cat([pelvis[:, :, None], rotations[:, :, 1:]], dim=2)
    return torch.cat([moves, root[:, 1:, 2:], matrix_to_6d(local).flatten(2), contact[:, 1:].clamp(0, 1)], dim=-1)


def motion_to_clock(motion, frames=None):
    """Vectors (frames, 152) of a `Motion` on the clock, torch; frames: as many as its length needs, a multiple of
    four. Its last frame is held to the end. Headings and contacts are those at 30 fps, as in training."""
    frames = frames_of(motion.duration) if frames is None else frames
    motion = motion.resampled(FPS)
    sixd, root, heading, contact = (torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)) for values in (
        matrix_to_6d(motion.rotations).reshape(len(motion), -1), motion.root,
        representation.headings(motion.rotations[:, 0]),
        representation.foot_contacts(torch.from_numpy(motion.positions()), FPS)))
    values = torch.cat([sixd, root, heading[:, None], contact], dim=1)
    values = resample(values, FPS, torch.arange(-1, frames, dtype=torch.float32) / FRAME_RATE)[None]
    parts = values[..., :144], values[..., 144:147], values[..., 147], values[..., 148:]
    return assemble(*parts, torch.ones(1, dtype=torch.bool))[0]


def clock_to_motion(vectors, duration, fps=FPS):
    """Vectors (T, 152) on the clock -> (`Motion` of `duration` seconds at `fps` from xy = 0 facing -y, contact
    (frames, 4))."""
    rotations, root = representation.decode(vectors.float().cpu(), FRAME_RATE)
    frames = max(2, round(duration * fps))
    seconds = np.arange(frames) / fps
    motion = resampled(Motion(rotations.numpy(), root.numpy(), FRAME_RATE), seconds, fps)
    contact = resample(vectors[:, representation.CONTACTS].float().cpu(), FRAME_RATE, torch.from_numpy(seconds))
    return motion, contact.numpy()
