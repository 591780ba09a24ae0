"""A plain rigged character: SMPL-24 bones, one mesh a limb. For the demo, and for a scene that has no rig yet."""
from pathlib import Path

import bmesh
import bpy
import numpy as np
from mathutils import Vector

from ...core import contract
from . import baton_prop, bone_meshes, compat
from .keys import fill_curve

G = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # SMPL's y-up rest into Blender's z-up, facing -y
# Half width and half depth in metres at a limb's head, then at its tail, of a body 1.7 m tall.
LIMBS = {
    "pelvis": (0.115, 0.085, 0.105, 0.08), "spine1": (0.105, 0.08, 0.11, 0.085), "spine2": (0.11, 0.085, 0.125, 0.09),
    "spine3": (0.125, 0.09, 0.08, 0.062), "neck": (0.045, 0.045, 0.042, 0.042), "collar": (0.055, 0.05, 0.055, 0.05),
    "shoulder": (0.052, 0.052, 0.042, 0.042), "elbow": (0.041, 0.041, 0.03, 0.03), "wrist": (0.03, 0.02, 0.042, 0.018),
    "hand": (0.04, 0.018, 0.02, 0.012), "hip": (0.082, 0.082, 0.058, 0.058), "knee": (0.056, 0.056, 0.038, 0.038),
    "ankle": (0.042, 0.04, 0.046, 0.032), "foot": (0.045, 0.03, 0.035, 0.02)}
SKIN, SHOE = (0.76, 0.55, 0.42, 1.0), (0.06, 0.06, 0.07, 1.0)
WEAR = {"dancer": ((0.85, 0.25, 0.2, 1.0), (0.12, 0.2, 0.42, 1.0)),
        "conductor": ((0.09, 0.09, 0.11, 1.0), (0.11, 0.11, 0.13, 1.0))}


def rest_points():
    """(24, 3) joints of the canonical T-pose in metres, z up, facing -y."""
    skeleton = contract.load("skeleton")
    offsets, parents = np.array(skeleton["offsets_m"], dtype=float), skeleton["parents"]
    points = np.zeros((24, 3))
    for joint in range(1, 24):
        points[joint] = points[parents[joint]] + offsets[joint]
    points = points @ G.T
    points[:, 2] += skeleton["hip_height_m"]
    return points


def make_armature(name, scene):
    """An armature object with the 24 bones in T-pose, linked to `scene`."""
    data = bpy.data.armatures.new(name)
    rig = bpy.data.objects.new(name, data)
    scene.collection.objects.link(rig)
    points, joints, parents = rest_points(), contract.JOINTS, contract.PARENTS
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for index, joint in enumerate(joints):
        bone = data.edit_bones.new(joint)
        bone.head, bone.tail = Vector(points[index]), Vector(_tail(index, points, joints, parents))
        if parents[index] >= 0:
            bone.parent = data.edit_bones[joints[parents[index]]]
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig


def _tail(index, points, joints, parents):
    towards = {"pelvis": "spine1", "spine3": "neck"}.get(joints[index])
    children = [i for i, parent in enumerate(parents) if parent == index]
    if towards or len(children) == 1:
        return points[joints.index(towards) if towards else children[0]]
    length = {"head": 0.19, "left_hand": 0.09, "right_hand": 0.09}.get(joints[index], 0.08)
    if joints[index] == "head":
        return points[index] + (0.0, -0.02, length)
    away = points[index] - points[parents[index]]
    if joints[index].endswith("foot"):
        away = away * (1.0, 1.0, 0.0)
    return points[index] + away / np.linalg.norm(away) * length


def dress(rig, kind="dancer"):
    """One mesh a bone, parented to it; a baton in the right hand of a conductor. Returns the objects."""
    top, legs = WEAR[kind]
    made = []
    for bone in rig.data.bones:
        part = bone.name.removeprefix("left_").removeprefix("right_")
        colour = SKIN if part in {"head", "neck", "wrist", "hand"} else SHOE if part in {"ankle", "foot"} else (
            legs if part in {"hip", "knee", "pelvis"} else top)
        if part == "head":
            mesh = _ellipsoid(f"{rig.name} head", (0.078, 0.098, 0.125), (0.0, 0.095, 0.0))
        else:
            mesh = _limb(f"{rig.name} {bone.name}", LIMBS[part], bone.length)
        made.append(bone_meshes.attach(rig, bone.name, mesh, colour))
    if kind == "conductor":
        made.append(baton_prop.add(rig, {bone.name: bone.name for bone in rig.data.bones}))
    return made


def _limb(name, size, length):
    """A rounded, tapered limb along +y from the bone's head to its tail."""
    wide, deep, wide_end, deep_end = size
    rows, around = 9, 14
    shape, rings = bmesh.new(), []
    for row in range(rows):
        share = row / (rows - 1)
        # Round caps that reach past both joints, so that a bent limb shows no gap.
        along = -wide * 0.5 + (length + (wide + wide_end) * 0.5) * share
        bulge = np.sqrt(max(1 - (2 * share - 1) ** 6, 0.0)) * (1 + 0.08 * np.sin(np.pi * share))
        rings.append([shape.verts.new((np.cos(a) * bulge * (wide + (wide_end - wide) * share), along,
                                       np.sin(a) * bulge * (deep + (deep_end - deep) * share)))
                      for a in np.linspace(0, 2 * np.pi, around, endpoint=False)])
    for first, second in zip(rings, rings[1:]):
        for i in range(around):
            shape.faces.new((first[i], first[(i + 1) % around], second[(i + 1) % around], second[i]))
    bmesh.ops.remove_doubles(shape, verts=shape.verts, dist=1e-5)
    return bone_meshes.finish(shape, name)


def _ellipsoid(name, radii, centre):
    shape = bmesh.new()
    bmesh.ops.create_uvsphere(shape, u_segments=20, v_segments=14, radius=1.0)
    for vert in shape.verts:
        vert.co = Vector((vert.co.x * radii[0], vert.co.z * radii[2] + centre[1], vert.co.y * radii[1]))
    return bone_meshes.finish(shape, name)


# --- motion ----------------------------------------------------------------------------------------------------------

def read_poses(path):
    """(poses (T,24,3) axis-angle, root (T,3) metres, fps) of an npz as core/motion_files writes it."""
    with np.load(Path(path), allow_pickle=False) as data:
        poses = np.asarray(data["poses"], dtype=np.float64)[:, :72].reshape(-1, 24, 3)
        return poses, np.asarray(data["trans"], dtype=np.float64), float(data["mocap_framerate"])


def key_motion(rig, name, poses, root, fps, first_frame, scene_fps):
    """Key SMPL-24 poses on a rig of `make_armature` as the new action `name`; returns it.

    A local SMPL rotation L about the axis a becomes the bone's own rotation by the same angle about B^T G a, where B
    is the bone's rest rotation; the root carries G itself, so its turn is R G^T.
    """
    action = bpy.data.actions.new(name)
    data = rig.animation_data_create()
    bag, fcurves, slot = compat.action_curves(action, rig)
    frames = first_frame + np.arange(len(poses)) * scene_fps / fps
    for index, joint in enumerate(contract.JOINTS):
        rest = np.array(rig.data.bones[joint].matrix_local)[:3, :3]
        turn = _quaternions(poses[:, index])
        if index == 0:
            turn = _multiply(turn, np.array([np.cos(-np.pi / 4), np.sin(-np.pi / 4), 0.0, 0.0]))  # times G^T
            turn[:, 1:] = turn[:, 1:] @ rest
        else:
            turn[:, 1:] = turn[:, 1:] @ G.T @ rest
        sign = np.where((turn[1:] * turn[:-1]).sum(1) < 0, -1.0, 1.0)
        turn[1:] *= np.cumprod(sign)[:, None]
        rig.pose.bones[joint].rotation_mode = "QUATERNION"
        path = rig.pose.bones[joint].path_from_id()
        for column in range(4):
            fill_curve(compat.new_curve(bag, fcurves, f"{path}.rotation_quaternion", column, joint), frames,
                       turn[:, column])
        if index == 0:
            place = (root - np.array(rig.data.bones[joint].head_local)) @ rest
            for column in range(3):
                fill_curve(compat.new_curve(bag, fcurves, f"{path}.location", column, joint), frames, place[:, column])
    compat.assign_action(data, action, slot.identifier if slot else None)
    return action


def _quaternions(axis_angle):
    """(T, 3) rotation vectors -> (T, 4) wxyz."""
    angle = np.linalg.norm(axis_angle, axis=1, keepdims=True)
    half = angle / 2
    return np.concatenate([np.cos(half), axis_angle * np.sinc(half / np.pi) / 2], axis=1)


def _multiply(a, b):
    """Quaternion products (T, 4) x (4,)."""
    w, x, y, z = a.T
    W, X, Y, Z = b
    return np.stack([w * W - x * X - y * Y - z * Z, w * X + x * W + y * Z - z * Y,
                     w * Y - x * Z + y * W + z * X, w * Z + x * Y - y * X + z * W], axis=1)
