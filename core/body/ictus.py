"""The ictus: the lowest point of a stroke of the beating hand, and its time.

All times in seconds, lengths in metres, z up.
"""
import numpy as np
from scipy.signal import find_peaks

RIGHT_HAND, LEFT_HAND = 23, 22
PROMINENCE_M = 0.02             # the smallest written stroke is 0.06 m
SHORTEST_BEAT_S = 0.25


def hand_path(motion, left=False):
    """(T,3) position in metres of the beating hand."""
    return motion.positions()[:, LEFT_HAND if left else RIGHT_HAND]


def ictus_times(motion, left=False):
    """Seconds of the ictus: local minima of the hand's height, at least 0.25 s apart, refined by a parabola.

    A minimum counts when the hand falls 2 cm to it and rises 2 cm
    from it (or a tenth of its usual travel, if that is more).
    """
    return ictus_of_height(hand_path(motion, left)[:, 2], motion.fps)


def ictus_of_height(height, fps):
    """`ictus_times` of a height curve (T,) in metres."""
    height = np.asarray(height, float)
    if len(height) < 3:
        return np.zeros(0)
    travel = float(np.percentile(height, 95) - np.percentile(height, 5))
    found, _ = find_peaks(-height, prominence=max(PROMINENCE_M, 0.1 * travel),
                          distance=max(1, int(SHORTEST_BEAT_S * fps)))
    before, at, after = height[found - 1], height[found], height[found + 1]
    bend = before - 2 * at + after
    offset = np.where(bend > 1e-9, 0.5 * (before - after) / np.maximum(bend, 1e-9), 0.0)
    return (found + np.clip(offset, -0.5, 0.5)) / fps
