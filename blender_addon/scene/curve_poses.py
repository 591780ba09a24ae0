"""Pose matrices of a rig without constraints, computed from its f-curves with numpy."""
import bpy
import numpy as np

from . import compat


def curves(rig, action=None) -> dict:
    """{(path, index): f-curve} of the rig's active action, or of the one named; muted ones are left out."""
    found = compat.all_curves(bpy.data.actions[action]) if action else compat.read_curves(rig.animation_data)
    return {(curve.data_path, curve.array_index): curve for curve in found if not curve.mute}


def mark(rig, action=None):
    """Changes when keys or curves come or go."""
    return [(*key, len(curve.keyframe_points)) for key, curve in curves(rig, action).items()]


def poses(rig, bones, frames, action=None):
    """(pose, basis), each (T, bones, 4, 4): armature space and local, of the bones, parents first."""
    present = curves(rig, action)
    pose, basis = np.empty((len(frames), len(bones), 4, 4)), []
    places = {name: i for i, name in enumerate(bones)}
    for index, name in enumerate(bones):
        bone = rig.data.bones[name]
        rest, own = np.array(bone.matrix_local), _basis(rig.pose.bones[name], present, frames)
        basis.append(own)
        if bone.parent is None:
            pose[:, index] = rest @ own
        else:
            above = np.array(bone.parent.matrix_local)
            pose[:, index] = pose[:, places[bone.parent.name]] @ (np.linalg.inv(above) @ rest) @ own
    return pose, np.stack(basis, axis=1)


def _basis(pose_bone, present, frames):
    """(T, 4, 4) local matrices of one bone: location, rotation in its mode, scale."""
    head = pose_bone.path_from_id()

    def channel(path, size):
        now = getattr(pose_bone, path)
        out = np.empty((len(frames), size))
        for i in range(size):
            curve = present.get((f"{head}.{path}", i))
            out[:, i] = now[i] if curve is None else [curve.evaluate(frame) for frame in frames]
        return out

    matrix = np.zeros((len(frames), 4, 4))
    matrix[:, 3, 3] = 1.0
    mode = pose_bone.rotation_mode
    if mode == "QUATERNION":
        rotation = _quaternion_matrices(channel("rotation_quaternion", 4))
    elif mode == "AXIS_ANGLE":
        values = channel("rotation_axis_angle", 4)
        axis = values[:, 1:] / np.maximum(np.linalg.norm(values[:, 1:], axis=1, keepdims=True), 1e-9)
        half = values[:, :1] / 2
        rotation = _quaternion_matrices(np.concatenate([np.cos(half), axis * np.sin(half)], axis=1))
    else:
        rotation = _euler_matrices(channel("rotation_euler", 3), mode)
    matrix[:, :3, :3] = rotation * channel("scale", 3)[:, None, :]
    if not (pose_bone.bone.use_connect and pose_bone.parent is not None):  # Blender ignores it on connected bones
        matrix[:, :3, 3] = channel("location", 3)
    return matrix


def _quaternion_matrices(quaternion):
    """(T, 4) wxyz, normalised here -> (T, 3, 3)."""
    q = quaternion / np.maximum(np.linalg.norm(quaternion, axis=1, keepdims=True), 1e-9)
    w, x, y, z = q.T
    return np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
                     2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
                     2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=1).reshape(-1, 3, 3)


def _euler_matrices(angles, order):
    """(T, 3) radians in Blender's order: "XYZ" turns about x first, so R = Rz Ry Rx."""
    out = np.tile(np.eye(3), (len(angles), 1, 1))
    for letter in order:
        axis = "XYZ".index(letter)
        cos, sin = np.cos(angles[:, axis]), np.sin(angles[:, axis])
        turn = np.tile(np.eye(3), (len(angles), 1, 1))
        a, b = [(1, 2), (2, 0), (0, 1)][axis]
        turn[:, a, a], turn[:, b, b], turn[:, a, b], turn[:, b, a] = cos, cos, -sin, sin
        out = turn @ out
    return out
