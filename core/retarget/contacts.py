"""Which part of the body carries the weight, and how positions map between a rig and the canonical skeleton.

Both ways of retargeting keep all rotations and choose the root so that a weighted anchor agrees: a planted foot while
there is one, the middle of the hips in the air. So planted feet stay planted although leg proportions differ, and
going there and back gives the same place.
"""
import numpy as np
from scipy.ndimage import gaussian_filter1d

from core.body.kinematics import OFFSETS
from core.retarget.rest import ANKLE_HEIGHT, ID, TOE_HEIGHT

POINTS = ("left_ankle", "left_foot", "right_ankle", "right_foot")     # after the middle of the hips, place 0
HEIGHTS = np.array([ANKLE_HEIGHT, ANKLE_HEIGHT, TOE_HEIGHT, ANKLE_HEIGHT, TOE_HEIGHT])
SPEED = (0.12, 0.35)            # m/s on the canonical skeleton: surely planted, surely moving
LIFT = (0.03, 0.08)             # metres above the standing height: surely planted, surely lifted
# For choosing the anchor: wide, because the anchor itself changes the feet's speed a little and must not feed on it.
ANCHOR_SPEED = (0.2, 1.6)


def ramp(value, low, high):
    """1 below low, 0 above high, a smooth cubic between."""
    part = np.clip((value - low) / (high - low), 0.0, 1.0)
    return 1.0 - part * part * (3.0 - 2.0 * part)


def contact(points, step, limits=SPEED):
    """Softly, 0..1, which of the foot points is planted: (T,4) from canonical-scale positions (T,4,3) in metres.

    step: seconds between samples. Planted = slow along the floor and low.
    """
    span = max(1, int(round(0.033 / step)))
    padded = np.concatenate([points[:1].repeat(span, 0), points, points[-1:].repeat(span, 0)])
    place = np.arange(len(points))
    frames = np.minimum(place + span, len(points) - 1) - np.maximum(place - span, 0)     # fewer at both ends
    way = np.linalg.norm(padded[2 * span:, :, :2] - padded[:-2 * span, :, :2], axis=-1)
    speed = way / (np.maximum(frames, 1)[:, None] * step)
    lift = points[..., 2] - HEIGHTS[1:]
    return gaussian_filter1d(ramp(speed, *limits) * ramp(lift, *LIFT), 0.04 / step, axis=0, mode="nearest")


def anchor_weights(points, step):
    """(T,5) weights that sum to one over hips and the four foot points (T,4,3), arguments as for `contact`."""
    planted = contact(points, step, ANCHOR_SPEED)
    most = planted.max(axis=1, keepdims=True)
    feet = planted ** 2
    feet = feet / np.maximum(feet.sum(axis=1, keepdims=True), 1e-9) * most
    return np.concatenate([1.0 - feet.sum(axis=1, keepdims=True), feet], axis=1)


def canonical_points(positions):
    """(T,5,3) anchor points from canonical joint positions (T,24,3)."""
    hips = (positions[:, ID["left_hip"]] + positions[:, ID["right_hip"]]) / 2
    return np.stack([hips, *(positions[:, ID[name]] for name in POINTS)], axis=1)


def rig_points(rig, rest, heads, global_rotations):
    """(T,5,3) anchor points of a rig in the world.

    heads {bone index: (T,3) armature space}; global_rotations (T,24,3,3) of the joints. A rig without a toe bone gets
    the canonical toe at its own scale.
    """
    def world(joint):
        return rig.to_world(heads[rest.bones[joint]])
    points = [(world("left_hip") + world("right_hip")) / 2]
    for side in ("left", "right"):
        ankle = world(f"{side}_ankle")
        points.append(ankle)
        if f"{side}_foot" in rest.bones and f"{side}_foot" not in rest.pointless:
            points.append(world(f"{side}_foot"))
        else:
            points.append(ankle + global_rotations[:, ID[f"{side}_ankle"]] @ OFFSETS[ID[f"{side}_foot"]] / rest.scale)
    return np.stack(points, axis=1)


def rest_heights(rest):
    """(5,) heights over the floor that the anchor points of a standing rig have, in world units."""
    return np.array([rest.ankle, rest.ankle, rest.toe, rest.ankle, rest.toe])


def to_canonical(points, heights, floor, scale):
    """World points (T,5,3) of a rig -> canonical metres; standing heights go to canonical standing heights."""
    lift = np.stack([np.zeros(5), np.zeros(5), HEIGHTS - scale * heights], axis=-1)
    return (points - np.array([0, 0, floor])) * scale + lift


def from_canonical(points, heights, floor, scale):
    """Inverse of `to_canonical`."""
    lift = np.stack([np.zeros(5), np.zeros(5), HEIGHTS - scale * heights], axis=-1)
    return (points - lift) / scale + np.array([0, 0, floor])
