"""Reads a rig's rest and its motion into the files of a job folder (docs/contracts.md, Worker messages).

Two ways to the same matrices: rigs without constraints are computed from their f-curves with numpy; all others are
played with `frame_set`, in slices, so that Blender stays usable. Both are generators that yield the fraction done.
"""
import json
import time
from pathlib import Path

import bpy
import numpy as np

from ...core.contract.bone_doubts import stands
from ..errors import UserError
from . import animated, compat, keeping
from . import switches as switch
from .blending import Shown
from .bone_map import with_ik
from .stats import stall
from .timebase import Passage
from .worn import worn

SLICE_SECONDS = 0.15
OWN_FRAMES = 600                # of a rig's own motion: enough to see every joint move


# What hangs on these joints tells the rest pose of hands and feet, and fingers are keyed.
WITH_CHILDREN = ("left_wrist", "right_wrist", "left_ankle", "right_ankle")


def mapped_bones(rig, bone_map):
    """Mapped bones with all their ancestors, fingers and toes too, parents first."""
    wanted = set()
    for joint, name in bone_map.items():
        bone = rig.data.bones.get(name)
        if bone is not None and joint in WITH_CHILDREN:
            wanted.update(child.name for child in bone.children_recursive)
        while bone is not None and bone.name not in wanted:
            wanted.add(bone.name)
            bone = bone.parent
    ordered = []
    for bone in rig.data.bones:
        if bone.parent is None:
            stack = [bone]
            while stack:
                top = stack.pop()
                if top.name in wanted:
                    ordered.append(top.name)
                stack.extend(top.children)
    return ordered


def all_bones(rig):
    """Every bone, parents first."""
    return mapped_bones(rig, {str(i): bone.name for i, bone in enumerate(rig.data.bones)})


def rig_description(rig, bones, bone_map, fps):
    """The dict of `rig.json`; `matrix_world` is that of the current frame."""
    rows = []
    for name in bones:
        bone = rig.data.bones[name]
        rows.append({"name": name, "parent": bone.parent.name if bone.parent else None,
                     "head": list(bone.head_local), "tail": list(bone.tail_local),
                     "matrix_local": [list(row) for row in bone.matrix_local]})
    return {"bones": rows, "matrix_world": [list(row) for row in rig.matrix_world], "fps": fps, "bone_map": bone_map}


def curves_suffice(rig, bones, action=None):
    """(True, "") where f-curves alone give the pose, else (False, why not). action: one that is played alone."""
    data = rig.animation_data
    if data is not None and (data.drivers or (action is None and data.use_nla and len(data.nla_tracks) > 0)):
        return False, "drivers or NLA tracks"
    if action is None and data is not None and data.action_blend_type != "REPLACE":
        return False, "the action is blended"
    if rig.parent is not None or len(rig.constraints) > 0:
        return False, "the armature object has a parent or constraints"
    for name in bones:
        pose, bone = rig.pose.bones[name], rig.data.bones[name]
        if len(pose.constraints) > 0:
            return False, f"constraints on {name}"
        if not (bone.use_inherit_rotation and bone.inherit_scale == "FULL" and bone.use_local_location):
            return False, f"{name} does not inherit plainly"
        if pose.is_in_ik_chain:
            return False, f"{name} is moved by IK"
    if any(not curve.data_path.startswith("pose.bones[") for curve in _curves(rig, action)):
        return False, "the armature object itself is animated"
    if rig.data.animation_data is not None and rig.data.animation_data.action is not None:
        return False, "the armature's data is animated"
    return True, ""


def _curves(rig, action):
    """F-curves of the rig's active action, or of the one named."""
    return compat.all_curves(bpy.data.actions[action]) if action else compat.read_curves(rig.animation_data)


def sample(rig_ref, scene_ref, bone_map, passage, folder, also=(), local=None, action=None):
    """Write rig.json, pose.npy and times.npy for `passage` into `folder`; yields fractions. also: names of further
    bones. local: a `Local`, filled with the bones' local poses and written too. action: name of an action that the rig
    plays alone meanwhile, in the action's own frames.

    Raises UserError where the rig cannot be read. Frame, visibility and cursor are restored whatever happens.
    """
    rig = rig_ref.get()
    if rig.data.pose_position == "REST":
        raise UserError(f"{rig.name} stands in rest position; switch it to Pose Position in the armature's properties.")
    bones = mapped_bones(rig, {**with_ik(rig, bone_map), **{name: name for name in also}})
    frames = passage.frames()
    plain, _why = curves_suffice(rig, bones, action)
    if plain:
        description = rig_description(rig, bones, bone_map, passage.fps)
        pose = yield from _from_curves(rig_ref, bones, frames, local, action)
    else:
        pose, world = yield from _from_frames(rig_ref, scene_ref, bones, frames, local, action)
        description = rig_description(rig_ref.get(), bones, bone_map, passage.fps)
        description["matrix_world"] = world[0].tolist()
        # A moving armature object: its motion relative to the first frame belongs to the bones.
        pose = (np.linalg.inv(world[0]) @ world)[:, None] @ pose
    if not np.isfinite(pose).all():
        raise UserError(f"{rig_ref.name} has pose matrices that are not finite; look for a zero scale or a bad driver.")
    write_rig(folder, description, pose, (frames - passage.first) / passage.fps)
    if local is not None:
        keeping.save(folder, bones, frames, local)


class Local:
    """Local poses of the bones in each frame: `basis` (T, bones, 4, 4) as they are, with the switches at `values` (T,
    S); `shown` what they would be for the rig to show the same once the switches stand as a take sets them.

    switches: [(bone, property, value)] as the take sets them.
    """

    def __init__(self, switches):
        self.switches, self.basis, self.shown, self.values = switches, None, None, None

    def make_room(self, frames, bones):
        self.basis, self.shown = np.zeros((2, frames, bones, 4, 4))
        self.values = np.zeros((frames, len(self.switches)))

    def read_switches(self, rig, frame):
        self.values[frame] = [float(switch.read(rig.pose.bones[bone], name)) for bone, name, _ in self.switches]

    def read(self, rig, bones, frame):
        """From the evaluated rig at its present frame."""
        self.read_switches(rig, frame)
        shown = Shown(rig, bones)
        same = all(abs(now - value) < 1e-6 for now, (_, _, value) in zip(self.values[frame], self.switches))
        for i, name in enumerate(bones):
            self.basis[frame, i] = rig.pose.bones[name].matrix_basis
        found = {} if same or not shown.shows else shown.basis()
        for i, name in enumerate(bones):
            self.shown[frame, i] = found.get(name, self.basis[frame, i])
            if name in found and shown.follows_another(name):
                self.basis[frame, i] = self.shown[frame, i]


def sample_own(rig_ref, scene_ref, bone_map, fps, folder):
    """Generator: what a rig does by itself, into `own/` of `folder`, where its rest does not stand: from how it moves
    the worker learns which way its bones point. Nothing for any other rig, and for one without animation."""
    rig = rig_ref.get()
    at = {joint: tuple(rig.data.bones[name].head_local) for joint, name in bone_map.items() if name in rig.data.bones}
    if stands(at):
        return
    try:
        first, last = animated.frames(rig)
    except UserError:
        return
    passage = Passage.from_frames(first, min(last, first + OWN_FRAMES - 1), fps)
    yield from sample(rig_ref, scene_ref, bone_map, passage, Path(folder) / "own")


def write_rig(folder, description, pose, times):
    """The three files; pose (T, bones, 4, 4), times (T,) seconds."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rig.json").write_text(json.dumps(description), encoding="utf-8")
    np.save(folder / "pose.npy", np.ascontiguousarray(pose, dtype=np.float32))
    np.save(folder / "times.npy", np.ascontiguousarray(times, dtype=np.float64))


def current_pose(rig, bones):
    """(1, bones, 4, 4): pose-bone matrices as they stand now."""
    return np.array([[[list(row) for row in rig.pose.bones[name].matrix] for name in bones]], dtype=np.float64)


# --- from f-curves ---------------------------------------------------------------------------------------------------

def _from_curves(rig_ref, bones, frames, local=None, action=None):
    rig = rig_ref.get()
    if local is not None:
        local.make_room(len(frames), len(bones))
        for i in range(len(frames)):
            local.read_switches(rig, i)
    curves = {}
    for curve in _curves(rig, action):
        if not curve.mute:
            curves[curve.data_path, curve.array_index] = curve
    rest = {name: np.array(rig.data.bones[name].matrix_local) for name in bones}
    parents = {name: rig.data.bones[name].parent.name if rig.data.bones[name].parent else None for name in bones}
    pose, started = {}, time.perf_counter()
    for index, name in enumerate(bones):
        with stall("sample"):
            basis = _basis_from_curves(rig.pose.bones[name], curves, frames)
            if local is not None:
                local.basis[:, index] = local.shown[:, index] = basis
            if parents[name] is None:
                pose[name] = rest[name] @ basis
            else:
                pose[name] = pose[parents[name]] @ (np.linalg.inv(rest[parents[name]]) @ rest[name]) @ basis
        if time.perf_counter() - started > SLICE_SECONDS:
            yield (index + 1) / len(bones)
            rig = rig_ref.get()  # curves of a live action: the manager ends the job at undo, so they still hold
            started = time.perf_counter()
    return np.stack([pose[name] for name in bones], axis=1)


def _basis_from_curves(pose_bone, curves, frames):
    """(T, 4, 4) local matrices of one bone: location, rotation in its mode, scale."""
    head = pose_bone.path_from_id()

    def channel(path, size):
        now = getattr(pose_bone, path)
        out = np.empty((len(frames), size))
        for i in range(size):
            curve = curves.get((f"{head}.{path}", i))
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


# --- by playing the frames -------------------------------------------------------------------------------------------

def _from_frames(rig_ref, scene_ref, bones, frames, local=None, action=None):
    """Pose (T, bones, 4, 4) and world matrices (T, 4, 4), played; the user's frame comes back after each slice."""
    from . import sampling_watch
    pose = np.zeros((len(frames), len(bones), 4, 4))
    world = np.zeros((len(frames), 4, 4))
    if local is not None:
        local.make_room(len(frames), len(bones))
    hidden = _hide_meshes(scene_ref.get())
    restarts = 0
    sampling_watch.begin()
    try:
        done = 0
        while done < len(frames):
            with stall("sample"), sampling_watch.own_changes():
                done = _slice(rig_ref.get(), scene_ref.get(), bones, frames, done, pose, world, local, action)
            yield done / len(frames)
            if sampling_watch.changed(rig_ref):
                restarts += 1
                if restarts > 3:
                    raise UserError("The rig kept changing while it was read; stop the playback and try again.")
                done = 0
    finally:
        sampling_watch.end()
        _show_meshes(hidden)
    return pose, world


def _slice(rig, scene, bones, frames, done, pose, world, local, action):
    before, sub = scene.frame_current, scene.frame_subframe
    started = time.perf_counter()
    try:
        with worn(rig, action):
            while done < len(frames) and time.perf_counter() - started < SLICE_SECONDS:
                scene.frame_set(int(frames[done]))
                evaluated = _evaluated(rig, scene)
                for i, name in enumerate(bones):
                    pose[done, i] = evaluated.pose.bones[name].matrix
                world[done] = evaluated.matrix_world
                if local is not None:
                    local.read(evaluated, bones, done)
                done += 1
    finally:
        scene.frame_set(before, subframe=sub)
    return done


def _evaluated(rig, scene):
    layer = next((layer for layer in scene.view_layers if layer.objects.get(rig.name) is not None), None)
    if layer is None:
        raise UserError(f"{rig.name} is in no view layer of scene {scene.name}.")
    return rig.evaluated_get(layer.depsgraph)


def _hide_meshes(scene):
    """Skinned meshes cost most of a frame; returns the names of those hidden here."""
    names = []
    for thing in scene.objects:
        if thing.type == "MESH" and not thing.hide_viewport and any(m.type == "ARMATURE" for m in thing.modifiers):
            thing.hide_viewport = True
            names.append(thing.name)
    return names


def _show_meshes(names):
    for name in names:
        thing = bpy.data.objects.get(name)
        if thing is not None:
            thing.hide_viewport = False
