"""Where on a rig's floor a motion goes: where the rig stands now, or,
if parts of its own motion stay, so that these agree."""
from dataclasses import dataclass

import numpy as np

from core.body.kinematics import forward_kinematics
from core.body.motion import Motion
from core.retarget.contacts import canonical_points, rest_heights, rig_points
from core.retarget.rest import align_rest, joint_rotations


@dataclass(frozen=True)
class Stays:
    """What a rig does now, `motion` as `to_smpl` gives it,
    and the seconds `ranges` [(from, to), ...] of it that a take keeps."""

    motion: Motion
    ranges: tuple

    def frames(self, count, fps):
        """(count,) bool: the frames at `fps` that stay. All, where the ranges are shorter than a frame."""
        times, inside = np.arange(count) / fps, np.zeros(count, dtype=bool)
        for low, high in self.ranges:
            inside |= (times >= low - 1e-6) & (times < high - 1e-6)
        return inside if inside.any() else ~inside


def heights_over_floor(rig, rest, poses, turns):
    """(T,) world height at which the soles of poses (T,N,4,4) are lowest; turns (T,24,3,3) of the joints."""
    points = rig_points(rig, rest, {bone: poses[:, bone, :3, 3] for bone in rest.bones.values()}, turns)
    return (points[:, 1:, 2] - rest_heights(rest)[1:]).min(axis=1)


def beside(motion, stays, rig, rest, poses):
    """(motion turned and moved so that what stays lies where the rig has it, world height of the floor).

    One frame tells little (a capture's first may be a T-pose at another place), so turn and place are those that fit
    all frames that stay best. motion: at its final rate, frame 0 at poses[0]; poses (T,N,4,4) one a frame.
    """
    own = stays.motion.resampled(motion.fps)
    count = min(len(motion), len(poses), len(own))
    inside = stays.frames(count, motion.fps)
    facing, made = (one.rotations[:count, 0][inside].astype(float) for one in (own, motion))
    between = np.einsum("tij,tkj->ik", facing, made)
    turned = motion.moved(float(np.arctan2(between[1, 0] - between[0, 1], between[0, 0] + between[1, 1])))
    # The floor of a rig is found over all its frames on the bones that really move, as `to_smpl` does.
    reading = rig.reading()
    read_rest = rest if reading is rig else align_rest(reading)
    soles = heights_over_floor(reading, read_rest, poses, joint_rotations(reading, read_rest, poses))
    hips = [read_rest.bones[f"{side}_hip"] for side in ("left", "right")]
    there = reading.to_world(poses[:count][inside][:, hips, :3, 3]).mean(axis=(0, 1)) * rest.scale
    positions = forward_kinematics(turned.rotations[:count][inside], turned.root[:count][inside])[0]
    hips = canonical_points(positions)[:, 0].mean(axis=0)
    return turned.moved(after=(there - hips)[:2]), float(np.percentile(soles, 10))
