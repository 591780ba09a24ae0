"""Retargeting: any mapped rig -> the canonical SMPL-24 skeleton (`to_smpl`) and back (`from_smpl`).

Global rotations are carried over, corrected by constants of the two rest poses (core/retarget_rest.py). Positions are
anchored at the middle of the hip joints and scaled by leg length about the ankle's rest height, so that standing feet
stand on both skeletons.
"""
import numpy as np

from core.errors import BadInput
from core.kinematics import FPS, OFFSETS, local_from_global
from core.motion import Motion
from core.retarget_rest import ANKLE_HEIGHT, ID, TOE_HEIGHT, align_rest, fill_unmapped
from core.rig import orthonormal
from core.rotations import axis_angle_to_matrix, matrix_to_axis_angle

MID_HIP = (OFFSETS[1] + OFFSETS[2]) / 2


def to_smpl(rig, poses, times, *, fps=FPS, floor="auto"):
    """Sampled poses of a rig -> `Motion` at `fps`, frame 0 at times[0].

    poses (T,N,4,4): bone matrices in armature space; times (T,) ascending seconds. floor: "auto" finds the height
    the feet stand on, "rest" takes the rest pose's, a number is a world height. Facing and place are kept (scaled).
    Raises BadInput for empty or non-finite input.
    """
    poses, times = np.asarray(poses, dtype=np.float64), np.asarray(times, dtype=np.float64)
    _check(rig, poses, times)
    rest = align_rest(rig)
    world = rig.world_rotation
    global_rotations = np.tile(np.eye(3), (len(poses), 24, 1, 1))
    for joint, bone in rest.bones.items():
        turn = world @ orthonormal(poses[:, bone, :3, :3]) @ rig.rest_rotations[bone].T @ world.T
        global_rotations[:, ID[joint]] = turn @ rest.reference[joint]
    fill_unmapped(global_rotations, rest.bones)
    hips = (rig.to_world(poses[:, rest.bones["left_hip"], :3, 3])
            + rig.to_world(poses[:, rest.bones["right_hip"], :3, 3])) / 2
    if floor == "auto":
        floor = _standing_height(rig, rest, poses, global_rotations)
    elif floor == "rest":
        floor = rest.floor
    mid_hip = (hips - np.array([0, 0, floor + rest.ankle])) * rest.scale + np.array([0, 0, ANKLE_HEIGHT])
    root = mid_hip - global_rotations[:, 0] @ MID_HIP
    local = local_from_global(global_rotations)
    return resample(local, root, times - times[0], fps)


def _check(rig, poses, times):
    if poses.ndim != 4 or poses.shape[1:] != (len(rig.names), 4, 4) or len(poses) != len(times):
        raise BadInput(f"Poses must be (T,{len(rig.names)},4,4) with T times, not {poses.shape} with {len(times)}.")
    if len(poses) < 2:
        raise BadInput(f"The motion has {len(poses)} frame(s); at least 2 are needed.")
    if not np.isfinite(poses).all() or not np.isfinite(times).all():
        bad = np.nonzero(~np.isfinite(poses).all(axis=(1, 2, 3)))[0]
        where = f" at sample {bad[0]}" if len(bad) else " in its times"
        raise BadInput(f"The motion holds values that are not numbers (NaN or infinite){where}; repair the source.")
    if np.any(np.diff(times) <= 0):
        raise BadInput("Sample times must ascend.")


def _standing_height(rig, rest, poses, global_rotations):
    """World height the feet stand on: a low percentile over time of the lower sole.

    The lowest few frames are left out, so that noise does not lift everything else.
    """
    soles = []
    for side in ("left", "right"):
        ankle = rig.to_world(poses[:, rest.bones[f"{side}_ankle"], :3, 3])
        toe = ankle + global_rotations[:, ID[f"{side}_ankle"]] @ OFFSETS[ID[f"{side}_foot"]] / rest.scale
        drop = (ANKLE_HEIGHT - TOE_HEIGHT) / rest.scale
        soles += [ankle[:, 2] - rest.ankle, toe[:, 2] + drop - rest.ankle]
    return float(np.percentile(np.min(soles, axis=0), 10))


def resample(local, root, times, fps):
    """Samples at `times` (T,) -> `Motion` at `fps` by slerp and linear interpolation, frame 0 at time 0."""
    count = int(np.floor(times[-1] * fps + 1e-6)) + 1
    at = np.minimum(np.arange(count) / fps, times[-1])
    low = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    part = ((at - times[low]) / (times[low + 1] - times[low]))[:, None]
    a, b = local[low], local[low + 1]
    delta = matrix_to_axis_angle(np.swapaxes(a, -1, -2) @ b)
    rotations = a @ axis_angle_to_matrix(delta * part[..., None])
    place = root[low] * (1 - part) + root[low + 1] * part
    return Motion(rotations.astype(np.float32), place.astype(np.float32), float(fps))
