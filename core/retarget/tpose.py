"""A calibration T-pose that a clip begins with and leaves at once (common in published BVH)."""
import numpy as np

from core.retarget.rest import ID, align_rest, joint_rotations

NEAR = np.radians(25.0)
CHECKED = ("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_hip", "right_hip", "left_knee",
           "right_knee")
LIMBS = np.array([[1, 0, 0], [-1, 0, 0]] * 2 + [[0, -1, 0]] * 4, dtype=np.float64)     # where these point in a T-pose


def leading_tpose(rig, poses, frames=12):
    """Number of leading frames (0 if none) that belong to a T-pose flash: frame 0 is the rest or a T-pose and the body
    leaves it within `frames` frames much faster than it ever moves in the rest of the clip.

    poses (T,N,4,4) in armature space.
    """
    if len(poses) < 4 * frames:
        return 0
    directions = _limb_directions(rig, poses)                                  # (T,8,3)
    angle = np.arccos(np.clip((directions[0] * LIMBS).sum(-1), -1, 1))
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
    turns = joint_rotations(rig, align_rest(rig, strict=False), poses)
    world_directions = np.einsum("tjab,jb->tja", turns[:, [ID[joint] for joint in CHECKED]], LIMBS)
    return np.einsum("tba,tjb->tja", turns[:, 0], world_directions)
