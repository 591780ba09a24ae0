"""From a pose that no step leads out of into a take: a headstand, a freeze on the hands, a fall from high in the air.

Feet that went straight down from there would ask of the legs what they cannot do while the pelvis turns over. So pelvis
and legs turn from their pose into the take's as one and both feet come down in arcs, in a time that follows from them.
"""
import numpy as np
from scipy.ndimage import gaussian_filter1d

from core.body.motion import Motion
from core.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle

LOWER = (0, 1, 2, 4, 5, 7, 8, 10, 11)       # pelvis, hips, knees, ankles, toes
FEET = (7, 8, 10, 11)
PARTS, SMOOTH = 120, 3                      # that the way is looked at in; of them, over which the lift is evened
RAMP = 0.25                                 # share of the time in which feet get faster, and in which slower again


def swing_in(motion, present, seconds, fastest):
    """(motion whose pelvis and legs come from the pose of `present` in arcs, seconds until they are the take's own).

    present: `Motion` whose first frame is the pose, same world; seconds: that it takes at least; fastest: m/s that a
    foot reaches, as far as it is not the take that moves it. Trunk and arms are left alone, but the body is lifted
    where legs would come lower than at either end.
    """
    ways = np.linspace(0.0, 1.0, PARTS + 1)
    first = motion.slice(0, 1)
    still = Motion(np.repeat(first.rotations, len(ways), 0), np.repeat(first.root, len(ways), 0), motion.fps)
    turned = _between(still, present, ways).positions()
    lowest = turned[:, LOWER, 2].min(1)
    lift = gaussian_filter1d(np.maximum(min(lowest[0], lowest[-1]) - lowest, 0.0), SMOOTH, mode="constant")
    feet = turned[:, FEET] + lift[:, None, None] * [0.0, 0.0, 1.0]
    length = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(feet, axis=0), axis=-1).max(1)))
    if length[-1] == 0:
        return motion, float(seconds)
    span = max(float(seconds), length[-1] / fastest / (1 - RAMP))
    t = np.arange(len(motion)) / motion.fps / span
    share = np.interp(_evenly(t), length / length[-1], ways)
    made = _between(motion, present, share)
    made.root[:, 2] += np.interp(share, ways, lift)
    own = t >= 1
    made.rotations[own], made.root[own] = motion.rotations[own], motion.root[own]
    return made, span


def _between(motion, present, share):
    """`motion` with pelvis and legs so far, share (T,), from those of `present` to its own."""
    rotations, joints = motion.rotations.copy(), list(LOWER)
    start = present.rotations[0, joints].astype(np.float64)
    away = _unbroken(matrix_to_axis_angle(start.swapaxes(-1, -2) @ motion.rotations[:, joints]))
    rotations[:, joints] = start @ axis_angle_to_matrix(away * share[:, None, None])
    root = present.root[0] + share[:, None] * (motion.root - present.root[0])
    return Motion(rotations, root.astype(np.float32), motion.fps)


def _unbroken(turns):
    """Rotation vectors (T,J,3), each the one of its rotation that is nearest to the vector before it."""
    turns = turns.astype(np.float64)
    for before, now in zip(turns, turns[1:]):
        angle = np.maximum(np.linalg.norm(now, axis=-1, keepdims=True), 1e-9)
        away = (before * now).sum(-1, keepdims=True) / angle - angle
        now += now / angle * 2 * np.pi * np.round(away / (2 * np.pi))
    return turns


def _evenly(t):
    """0 to 1 for t clipped to 0..1: even speed but for a ramp at either end."""
    u = np.clip(t, 0.0, 1.0)
    ramp = np.minimum(np.minimum(u, 1 - u), RAMP)
    inside = (ramp - RAMP / np.pi * np.sin(np.pi * ramp / RAMP)) / 2
    end = (RAMP / 2 + np.maximum(np.minimum(u, 1 - RAMP) - RAMP, 0.0)) / (1 - RAMP)
    return np.where(u < RAMP, inside / (1 - RAMP), np.where(u > 1 - RAMP, 1 - inside / (1 - RAMP), end))
