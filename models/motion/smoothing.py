"""Joining motions without a jump, and letting a summed course end where it should; numpy, pure functions."""
import numpy as np

from core.body.motion import Motion
from core.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle

JOIN_SECONDS = 0.4                          # over which a difference at a join dies away


def minimum_jerk(u):
    """0 at u <= 0, 1 at u >= 1, no speed and no acceleration at both ends (Flash & Hogan 1985)."""
    u = np.clip(u, 0.0, 1.0)
    return u**3 * (10.0 + u * (6.0 * u - 15.0))


def _decay(offset, speed, frames, fps):
    """(frames, ...) an offset and its speed (per second) that die away within the frames."""
    u = (np.arange(frames) / max(frames, 1)).reshape(-1, *(1,) * offset.ndim)
    return (offset + speed * (np.arange(frames) / fps).reshape(u.shape)) * (1 - minimum_jerk(u))


def continued(motion, before, seconds=JOIN_SECONDS):
    """`motion` begun where `before` (a `Motion` of at least one frame) ends: the difference at the join dies away over
    `seconds`.

    Inertialisation (Bollo 2018): pose and speed of the joints and the root go on from `before`; its last frame is the
    instant one frame before the first of `motion`. Place and facing are taken as they are: bring the motion there
    first.
    """
    fps, count = motion.fps, min(len(motion), max(2, int(round(seconds * motion.fps))))
    if len(motion) < 2:
        return motion
    ahead = _extrapolated(before, fps)
    gap = matrix_to_axis_angle(np.swapaxes(motion.rotations[0], -1, -2) @ ahead.rotations[0])
    rate = _rates(before) - _rates(motion.slice(0, 2))
    place = ahead.root[0] - motion.root[0]
    speed = (before.root[-1] - before.root[-2]) * before.fps if len(before) > 1 else 0.0
    speed = speed - (motion.root[1] - motion.root[0]) * fps if len(before) > 1 else np.zeros(3)
    rotations, root = motion.rotations.copy(), motion.root.copy()
    rotations[:count] = rotations[:count] @ axis_angle_to_matrix(_decay(gap, rate * (len(before) > 1), count, fps))
    root[:count] += _decay(place, speed, count, fps)
    return Motion(rotations.astype(np.float32), root.astype(np.float32), fps)


def _extrapolated(before, fps):
    """One frame after the end of `before`, going on at its last speed."""
    if len(before) < 2:
        return before.slice(len(before) - 1, len(before))
    step = before.fps / fps
    turn = matrix_to_axis_angle(np.swapaxes(before.rotations[-2], -1, -2) @ before.rotations[-1]) * step
    root = before.root[-1] + (before.root[-1] - before.root[-2]) * step
    return Motion((before.rotations[-1] @ axis_angle_to_matrix(turn))[None], root[None], fps)


def _rates(motion):
    """(24, 3) rotation vectors per second of the last step."""
    if len(motion) < 2:
        return np.zeros((motion.rotations.shape[1], 3))
    return matrix_to_axis_angle(np.swapaxes(motion.rotations[-2], -1, -2) @ motion.rotations[-1]) * motion.fps


def reversed_in_time(motion):
    """The motion backwards."""
    return Motion(motion.rotations[::-1].copy(), motion.root[::-1].copy(), motion.fps)


def joined(motion, kept, mask, seconds=JOIN_SECONDS):
    """Frames of `kept` where `mask` (T,) is True, exactly; `motion` elsewhere, eased into them on both sides.

    Both motions have T frames at one rate and stand in one world. Between two kept ranges each side's ease takes at
    most half.
    """
    rotations, root = motion.rotations.copy(), motion.root.copy()
    for start, stop in runs(~mask):
        piece = motion.slice(start, stop)
        most = seconds if start == 0 or stop == len(mask) else min(seconds, (stop - start) / motion.fps / 2)
        if start > 0:
            piece = continued(piece, kept.slice(max(0, start - 2), start), most)
        if stop < len(mask):
            after = reversed_in_time(kept.slice(stop, min(len(mask), stop + 2)))
            piece = reversed_in_time(continued(reversed_in_time(piece), after, most))
        rotations[start:stop], root[start:stop] = piece.rotations, piece.root
    rotations[mask], root[mask] = kept.rotations[mask], kept.root[mask]
    return Motion(rotations, root, motion.fps)


def looped(motion, seconds=JOIN_SECONDS):
    """The motion with its end eased so that playing it again does not jump; place and facing must already come
    round."""
    doubled = Motion(np.concatenate([motion.rotations] * 2), np.concatenate([motion.root] * 2), motion.fps)
    half, count = len(motion) // 2, len(motion)
    first = continued(doubled.slice(count, count + half), doubled.slice(count - 2, count),
                      min(seconds, half / motion.fps))
    return Motion(np.concatenate([first.rotations, motion.rotations[half:]]),
                  np.concatenate([first.root, motion.root[half:]]), motion.fps)


def runs(mask):
    """[(start, stop)] of the runs of True in (T,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(mask).astype(int), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist()))
