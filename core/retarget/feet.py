"""Feet after retargeting: planted ones do not slide, none goes below the floor."""
import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from core.retarget.contacts import ramp, rig_points
from core.retarget.rest import ID, swing

PLANTED = 0.5                   # share of `contact` above which a foot is locked
FIRM = 0.9                      # and above which every move counts as slide
EASE_SECONDS = 0.12             # the lock fades in and out
SWING_LIMIT = np.tan(np.radians(2.9))   # of the way from hip to ankle: limbs stay within three degrees
MIN_SECONDS = 0.08              # shorter contacts are noise
LEEWAY = 0.005                  # canonical metres of slide left alone: each costs 0.3 degrees of the leg


def keep_feet(pose, rig, rest, turns, planted, heights, fps):
    """Lock planted feet, then lift the body where a sole would sink. `planted` (T,4) or None for no lock.

    A foot is locked by swinging the whole leg about the hip: the knee keeps its angle. Bending it instead would cost
    several degrees for a millimetre when the leg is nearly straight.
    """
    if planted is not None:
        for side in ("left", "right"):
            _lock(pose, rig, rest, turns, planted, side, fps)
    lift = _lift(pose, rig, rest, turns, heights, fps)
    if np.any(lift > 0):
        pose.move_root(np.stack([np.zeros_like(lift), np.zeros_like(lift), lift], axis=-1))


def _lock(pose, rig, rest, turns, planted, side, fps):
    """Correct the horizontal slide of one foot in each contact; feet keep their own rotation."""
    first = 0 if side == "left" else 2
    strength = planted[:, first:first + 2].max(axis=1)
    moved = np.zeros((pose.frames, 3))
    for _ in range(2):                                   # the second pass removes what the first left by curvature
        points = rig_points(rig, rest, pose.heads, turns)[:, 1 + first:3 + first]
        error = np.zeros((pose.frames, 3))
        share = planted[:, first:first + 2] + 1e-6
        share = share / share.sum(axis=1, keepdims=True)
        for start, stop in intervals(strength > PLANTED, max(2, int(MIN_SECONDS * fps))):
            # Velocity of the contact point, so that rolling from heel to toe is no slide.
            step = np.diff(points[start:stop, :, :2], axis=0)
            slide = (step * (share[start:stop - 1, :, None] + share[start + 1:stop, :, None]) / 2).sum(axis=1)
            # A shuffle inside a long contact is a move of its own: only the creeping while firmly planted is slide.
            firm = (strength[start:stop - 1] + strength[start + 1:stop]) / 2
            slide *= 1.0 - ramp(firm, PLANTED, FIRM)[:, None]
            drift = np.concatenate([np.zeros((1, 2)), np.cumsum(slide, axis=0)])
            back = np.median(drift, axis=0) - drift
            size = np.linalg.norm(back, axis=1, keepdims=True)
            error[start:stop, :2] = back * np.maximum(0.0, 1.0 - LEEWAY / rest.scale / np.maximum(size, 1e-9))
        error = _fade(error, strength > PLANTED, max(1, int(EASE_SECONDS * fps)))
        hip, ankle = rest.bones[f"{side}_hip"], rest.bones[f"{side}_ankle"]
        at_hip, at_ankle = rig.to_world(pose.heads[hip]), rig.to_world(pose.heads[ankle])
        size = np.linalg.norm(moved + error, axis=1, keepdims=True)
        limit = SWING_LIMIT * np.linalg.norm(at_ankle - at_hip, axis=1, keepdims=True)
        error = (moved + error) * np.minimum(1.0, limit / np.maximum(size, 1e-12)) - moved
        moved = moved + error
        leg = swing(at_ankle - at_hip, at_ankle + error - at_hip)
        pose.turn(hip, leg)
        pose.turn(rest.bones[f"{side}_knee"], leg)
        pose.solve()


def _fade(error, locked, ease):
    """Carry the correction over the neighbouring free frames and let it die away there."""
    result = error.copy()
    ends = np.diff(np.concatenate([[0], locked.astype(int), [0]]))
    total = np.zeros(len(error))
    extra = np.zeros_like(error)
    for start, stop in zip(np.nonzero(ends == 1)[0], np.nonzero(ends == -1)[0]):
        for k in range(1, ease + 1):
            share = (1 - k / (ease + 1)) ** 2 * (1 + 2 * k / (ease + 1))
            for frame, source in ((start - k, start), (stop - 1 + k, stop - 1)):
                if 0 <= frame < len(error) and not locked[frame]:
                    extra[frame] += share * error[source]
                    total[frame] += share
    # Between two close contacts the two corrections are mixed, never added.
    result += extra / np.maximum(total, 1.0)[:, None]
    return result


def intervals(mask, shortest=1):
    """[(start, stop)] of the runs of True in (T,) that are at least `shortest` long."""
    edges = np.diff(np.concatenate([[0], mask.astype(int), [0]]))
    runs = zip(np.nonzero(edges == 1)[0], np.nonzero(edges == -1)[0])
    return [(int(start), int(stop)) for start, stop in runs if stop - start >= shortest]


def sole_heights(rig, rest, heads, turns, heights):
    """(T,4) heights of heel and ball of both feet above the floor, in world units.

    The sole lies `heights` under ankle and ball of the standing foot and turns with it.
    """
    points = rig_points(rig, rest, heads, turns)[:, 1:]
    result = []
    for number, side in enumerate(("left", "left", "right", "right")):
        down = -(turns[:, ID[f"{side}_ankle"]] @ rest.reference[f"{side}_ankle"].T @ rest.body[:, 1])
        result.append(points[:, number, 2] + down[:, 2] * heights[1 + number] - rest.floor)
    return np.stack(result, axis=1)


def _lift(pose, rig, rest, turns, heights, fps):
    """(T,) smooth raise of the body that keeps every sole on or above the floor."""
    sink = np.maximum(0.0, -sole_heights(rig, rest, pose.heads, turns, heights).min(axis=1))
    if not np.any(sink > 0):
        return sink
    width = max(1, int(0.1 * fps))
    raised = maximum_filter1d(sink, 2 * width + 1, mode="nearest")
    smooth = gaussian_filter1d(raised, width / 2.5, mode="nearest")
    return np.maximum(smooth, sink)
