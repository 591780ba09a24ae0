"""A bow of the head where the music ends softly, as the studio's conductors do.

A rule, not the network: whether a fading passage is an ending stands only in what comes after it, and that is silence.
"""
import numpy as np

from core.body.motion import Motion
from core.body.rotations import axis_angle_to_matrix
from models.conductor.config import FPS
from models.conductor.controls import SILENT_LEVEL, SILENT_SECONDS

DEEPEST = 0.32                      # rad of neck and head together
LAST_S = 3.0                        # s before the end whose loudest moment says how soft it is: a last chord rings on
SOFT, SOFTEST = 0.12, 0.35          # of level (60 dB) below the music's usual: where a bow begins, and is deepest
BEFORE_S, TAKES_S, RISES_S = 0.8, 1.2, 0.8  # s before the end at which the head is down, that it takes, and to rise
JOINTS = {9: 0.15, 12: 0.5, 15: 0.5}    # joint: its share; the upper spine gives a little


def ends(level):
    """[(end, next), ...] frames: the last sound before more than a second of silence, or before a track of level (T, 2)
    is over, and the first sound after it (T: none)."""
    loud = np.flatnonzero(np.asarray(level)[:, 0] > SILENT_LEVEL)
    if not len(loud):
        return []
    last = np.append(np.diff(loud) > SILENT_SECONDS * FPS, True)
    return list(zip(loud[last], np.append(loud[1:][last[:-1]], len(level))))


def bows(level, first, frames):
    """(frames,) radians that the head bows from frame `first` of a track on whose level is (T, 2)."""
    level, out, index = np.asarray(level), np.zeros(frames), first + np.arange(frames)
    found = ends(level)
    usual = np.median(level[level[:, 0] > SILENT_LEVEL, 0]) if found else 0.0
    for end, following in found:
        last = level[max(0, end - int(LAST_S * FPS)):end + 1, 0].max()
        depth = DEEPEST * np.clip((usual - last - SOFT) / (SOFTEST - SOFT), 0, 1) ** 0.6
        down = np.clip(((index - end) / FPS + BEFORE_S) / TAKES_S + 1, 0, 1)
        up = np.clip((following - index) / FPS / RISES_S, 0, 1) if following < len(level) else 1.0
        out = np.maximum(out, depth * down ** 2 * (3 - 2 * down) * up)
    return out


def bowed(motion, angles):
    """`motion` with neck and head bent forward by angles (T,) radians."""
    if not np.any(angles):
        return motion
    rotations = motion.rotations.copy()
    for joint, share in JOINTS.items():
        turn = np.zeros((len(motion), 3))
        turn[:, 0] = share * angles
        rotations[:, joint] = rotations[:, joint] @ axis_angle_to_matrix(turn)
    return Motion(rotations.astype(np.float32), motion.root, motion.fps)
