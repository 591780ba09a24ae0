"""A calibration T-pose that a clip begins with and leaves at once (common in published BVH)."""
import numpy as np

from core.retarget.rest import ID, align_rest, fill_unmapped
from core.retarget.rig import orthonormal

NEAR = np.radians(25.0)
CHECKED = ("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_hip", "right_hip", "left_knee",
           "right_knee")


def leading_tpose(rig, poses, frames=12):
    """Number of leading frames (0 if none) that belong to a T-pose flash: frame 0 is the rest or a T-pose and the body
    leaves it within `frames` frames much faster than it ever moves in the rest of the clip.

    poses (T,N,4,4) in armature space.
    """
    if len(poses) < 4 * frames:
        return 0
    directions = _limb_directions(rig, poses)                                  # (T,8,3)
    ideal = np.array([[1, 0, 0], [-1, 0, 0]] * 2 + [[0, -1, 0]] * 4, dtype=np.float64)
    angle = np.arccos(np.clip((directions[0] * ideal).sum(-1), -1, 1))
    if np.max(angle) > NEAR:
        return 0
    step = np.arccos(np.clip((directions[1:] * directions[:-1]).sum(-1), -1, 1)).max(axis=1)   # radians a frame
    usual = np.percentile(step[frames:], 95)
    fast = np.nonzero(step[:frames] > 2.0 * usual)[0]
    if len(fast) == 0 or step[:frames].max() < np.radians(3.0):
        return 0
    return max(int(fast[-1]) + 2, 6)


def _limb_directions(rig, poses):
    """Limb directions (T,8,3) in each frame's own body axes, so that turning about the vertical counts nothing."""
    rest = align_rest(rig, strict=False)
    turns = np.tile(np.eye(3), (len(poses), 24, 1, 1))
    world = rig.world_rotation
    for joint, bone in rest.bones.items():
        delta = world @ orthonormal(poses[:, bone, :3, :3]) @ rig.rest_rotations[bone].T @ world.T
        turns[:, ID[joint]] = delta @ rest.reference[joint]
    fill_unmapped(turns, rest.bones)
    ids = [ID[joint] for joint in CHECKED]
    limb = np.array([[1, 0, 0], [-1, 0, 0]] * 2 + [[0, -1, 0]] * 4, dtype=np.float64)
    world_directions = np.einsum("tjab,jb->tja", turns[:, ids], limb)
    return np.einsum("tba,tjb->tja", turns[:, 0], world_directions)
