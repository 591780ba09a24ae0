"""Who plays, as the conductor's network is told it: where those sit who have the melody, come in or are held.

Three channels a frame: the yaw of whom the music is about (rad to the conductor's left, over `YAW`) times a weight, the
weight (`LEAD` for the melody, `CUE` for an entry, an accent, a held chord or a cut-off), and 1 where this is known.
"""
import numpy as np

from core.body.kinematics import FPS

CHANNELS = 3
YAW = 0.6                       # rad of a player at the side
LEAD, CUE = 0.5, 1.0
LARGEST = 1.8                   # yaw times weight of who sits wholly to one side, over `YAW`


def focus_channels(yaw, weight):
    """(T, 3) float32 of yaw (T,) rad and weight (T,)."""
    return np.stack([yaw / YAW * weight, weight, np.ones_like(weight)], 1).astype(np.float32)


def packed(focus):
    """(T, 2) uint8 of focus (T, 3): yaw times weight from -`LARGEST` to `LARGEST`, weight from 0 to 1."""
    return np.round(255 * np.clip(np.stack([0.5 + 0.5 * focus[:, 0] / LARGEST, focus[:, 1]], 1), 0, 1)).astype(np.uint8)


def unpacked(values):
    """(T, 2) float32 of what `packed` gave."""
    share = np.asarray(values, dtype=np.float32) / 255
    return np.stack([(2 * share[:, 0] - 1) * LARGEST, share[:, 1]], 1)


def unknown(frames):
    """(frames, 3) float32: nobody knows who plays."""
    return np.zeros((frames, CHANNELS), dtype=np.float32)


def on_clock(focus, lead, mirrored=False):
    """Who plays (T, 3), of the sound, on a clock `lead` seconds early; mirrored: for a motion whose left will be
    its right."""
    ahead = np.minimum(np.arange(len(focus)) + int(round(lead * FPS)), len(focus) - 1)
    return focus[ahead] * np.array([-1.0 if mirrored else 1.0, 1.0, 1.0], dtype=np.float32)
