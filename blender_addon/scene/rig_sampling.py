"""Reads a rig's rest and its motion into the files of a job folder (docs/contracts.md, Worker messages).

Two ways to the same matrices: rigs without constraints are computed from their f-curves with numpy; all others are
played with `frame_set`, in slices, so that Blender stays usable. Both are generators that yield the fraction done.
"""
import json
import time
from contextlib import ExitStack, nullcontext
from pathlib import Path

import numpy as np

from ...core.contract import files
from ...core.contract.bone_doubts import stands
from ..errors import UserError
from . import animated, curve_poses, ik_limbs, keeping, sampling_watch
from . import switches as switch
from .blending import Shown
from .bone_map import with_ik
from .played import evaluated, frame_kept, hidden_meshes
from .stats import stall
from .timebase import Passage
from .worn import worn

SLICE_SECONDS = 0.15
BLOCK_BYTES = 1 << 19           # of matrices computed and written at a time
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
    return {"bones": rows, "matrix_world": [list(row) for row in rig.matrix_world], "fps": fps, "bone_map": bone_map,
            "ik": ik_limbs.limbs(rig, bone_map)}


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
    if any(not curve.data_path.startswith("pose.bones[") for curve in curve_poses.curves(rig, action).values()):
        return False, "the armature object itself is animated"
    if rig.data.animation_data is not None and rig.data.animation_data.action is not None:
        return False, "the armature's data is animated"
    return True, ""


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
    _require_bones(rig, bones)
    frames, folder = passage.frames(), Path(folder)
    plain, _why = curves_suffice(rig, bones, action)
    with PoseFile(folder, len(frames), len(bones), rig.name) as out, (local or nullcontext()):
        if local is not None:
            local.begin(folder, len(frames), len(bones))
        if plain:
            yield from _from_curves(rig_ref, bones, frames, out.put, local, action)
            origin = _with_size(rig_ref.get(), rig_ref.get().matrix_world)
        else:
            origin = yield from _from_frames(rig_ref, scene_ref, bones, frames, out.put, local, action)
    description = rig_description(rig_ref.get(), bones, bone_map, passage.fps)
    description["matrix_world"] = [list(row) for row in np.array(origin).tolist()]
    write_description(folder, description, (frames - passage.first) / passage.fps)
    if local is not None:
        keeping.save(folder, bones, frames, local.values)


class Local:
    """Local poses of the bones in each frame, into the job's folder (`keeping.PoseRows`): as they are, and what they
    would be for the rig to show the same once the switches stand as a take sets them; `values` (T, S) of the switches.

    switches: [(bone, property, value)] as the take sets them.
    """

    def __init__(self, switches):
        self.switches, self.values, self._rows = switches, None, None

    def begin(self, folder, frames, bones):
        self._rows = keeping.PoseRows(folder, bones)
        self.values = np.zeros((frames, len(self.switches)))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self._rows is not None:
            self._rows.close()
        return False

    def read_plain(self, rig, first, basis):
        """Local poses (n, bones, 4, 4) from frame number `first` on of a rig that shows what they say."""
        self._rows.put(first, basis, basis)
        for frame in range(first, first + len(basis)):
            self._read_switches(rig, frame)

    def _read_switches(self, rig, frame):
        self.values[frame] = [float(switch.read(rig.pose.bones[bone], name)) for bone, name, _ in self.switches]

    def read(self, rig, bones, frame):
        """From the evaluated rig at its present frame."""
        self._read_switches(rig, frame)
        shown = Shown(rig, bones)
        same = all(abs(now - value) < 1e-6 for now, (_, _, value) in zip(self.values[frame], self.switches))
        basis = np.array([rig.pose.bones[name].matrix_basis for name in bones])
        found = {} if same or not shown.shows else shown.basis()
        wanted = basis.copy()
        for i, name in enumerate(bones):
            if name in found:
                wanted[i] = found[name]
                if shown.follows_another(name):
                    basis[i] = wanted[i]
        self._rows.put(frame, basis[None], wanted[None])


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


class PoseFile:
    """`pose.npy` (frames, bones, 4, 4) of a job's folder, written a part at a time; none where it was not finished."""

    def __init__(self, folder, frames, bones, name):
        self.path, self.shape, self.name = Path(folder) / "pose.npy", (frames, bones, 4, 4), name

    def __enter__(self):
        self._stack = ExitStack()
        self._file = self._stack.enter_context(
            open(self._stack.enter_context(files.replacing(self.path, 0o600)), "wb"))
        np.lib.format.write_array_header_1_0(self._file, {"descr": "<f4", "fortran_order": False, "shape": self.shape})
        self._start = self._file.tell()
        return self

    def put(self, first, poses):
        """Poses (n, bones, 4, 4) from frame number `first` on. Raises UserError where they are not finite."""
        if not np.isfinite(poses).all():
            raise UserError(f"{self.name} has pose matrices that are not finite; look for a zero scale or a bad "
                            "driver.")
        self._file.seek(self._start + first * self.shape[1] * 64)
        self._file.write(np.ascontiguousarray(poses, dtype="<f4").tobytes())

    def __exit__(self, *exc):
        return self._stack.__exit__(*exc)


def write_description(folder, description, times):
    """`rig.json` and `times.npy`, seconds (T,)."""
    files.write_text(Path(folder) / "rig.json", json.dumps(description), 0o600)
    with files.replacing(Path(folder) / "times.npy", 0o600) as temporary, open(temporary, "wb") as file:
        np.save(file, np.ascontiguousarray(times, dtype=np.float64))


def write_rig(folder, description, pose, times):
    """The three files at once; pose (T, bones, 4, 4), times (T,) seconds."""
    with PoseFile(folder, *np.shape(pose)[:2], "The rig") as out:
        out.put(0, np.asarray(pose))
    write_description(folder, description, times)


def still(folder):
    """Generator: returns True where the poses of a job's folder stand still:
    no joint moves a thousandth of the body."""
    poses = np.load(Path(folder) / "pose.npy", mmap_mode="r")
    rows = max(1, BLOCK_BYTES // max(1, poses[:1].nbytes))
    low, high = np.full((2, poses.shape[1], 3), np.inf) * np.array([1.0, -1.0])[:, None, None]
    for first in range(0, len(poses), rows):
        places = poses[first:first + rows, :, :3, 3]
        low, high = np.minimum(low, places.min(axis=0)), np.maximum(high, places.max(axis=0))
        yield 1.0
    size = float((high.max(axis=0) - low.min(axis=0)).max())
    return bool((high - low).max(initial=0.0) < 1e-3 * max(size, 1e-9))


def current_pose(rig, bones):
    """(1, bones, 4, 4): pose-bone matrices as they stand now."""
    return np.array([[[list(row) for row in rig.pose.bones[name].matrix] for name in bones]], dtype=np.float64)


# --- in slices -------------------------------------------------------------------------------------------------------

def _from_curves(rig_ref, bones, frames, put, local=None, action=None):
    """Generator: poses of all frames to put(first, poses), from the rig's f-curves, whichever frame is shown."""
    rows = max(1, BLOCK_BYTES // (len(bones) * 16 * 8))
    done, restarts, began = 0, 0, curve_poses.mark(rig_ref.get(), action)
    while done < len(frames):
        rig = rig_ref.get()
        if curve_poses.mark(rig, action) != began:
            restarts, done, began = _again(restarts), 0, curve_poses.mark(rig, action)
        _require_bones(rig, bones)
        started = time.perf_counter()                           # of a slice that cannot be too short for one block
        with stall("sample"):
            while done < len(frames) and time.perf_counter() - started < SLICE_SECONDS:
                part = slice(done, min(done + rows, len(frames)))
                pose, basis = curve_poses.poses(rig, bones, frames[part], action)
                put(done, pose)
                if local is not None:
                    local.read_plain(rig, part.start, basis)
                done = part.stop
        yield done / len(frames)


def _from_frames(rig_ref, scene_ref, bones, frames, put, local=None, action=None):
    """Generator: poses of all frames to put(first, poses), played; frame and visibility are the user's after each
    slice. Returns the world matrix (4, 4) of the first frame, to which all are relative: what the armature object
    itself does belongs to the bones."""
    done, restarts, origin = 0, 0, None
    sampling_watch.begin()
    try:
        while done < len(frames):
            rig, scene = rig_ref.get(), scene_ref.get()
            _require_bones(rig, bones)
            with stall("sample"), sampling_watch.own_changes(), hidden_meshes(scene), worn(rig, action):
                pose, world = _slice(rig, scene, bones, frames, done, local)
            origin = _with_size(rig, world[0]) if done == 0 else origin
            put(done, (np.linalg.inv(origin) @ world)[:, None] @ pose)
            done += len(pose)
            yield done / len(frames)
            if sampling_watch.changed(rig_ref):
                restarts, done = _again(restarts), 0
    finally:
        sampling_watch.end()
    return origin


def _again(restarts):
    if restarts >= 3:
        raise UserError("The rig kept changing while it was read; stop the playback and try again.")
    return restarts + 1


def _with_size(rig, world):
    """A world matrix (4, 4) of the rig. Raises UserError where nothing could be told in its space."""
    if not abs(np.linalg.det(np.array(world, dtype=np.float64)[:3, :3])) > 1e-18:      # which no number is, either
        raise UserError(f"{rig.name} has no size: one of its scales is 0 or no number; set it and try again.")
    return world


def _require_bones(rig, bones):
    if not bones:
        raise UserError(f"{rig.name} no longer has any bone of its bone map; press Detect Bones.")
    gone = [name for name in bones if name not in rig.pose.bones or name not in rig.data.bones]
    if gone:
        raise UserError(f"{rig.name} has lost the bone {gone[0]} while it was read; start again.")


def _slice(rig, scene, bones, frames, done, local):
    """(pose (n, bones, 4, 4), world (n, 4, 4)) of as many frames from `done` on as the time allows."""
    started, pose, world = time.perf_counter(), [], []
    with frame_kept(scene):
        while not pose or done < len(frames) and time.perf_counter() - started < SLICE_SECONDS:
            scene.frame_set(int(frames[done]))
            now = evaluated(rig, scene)
            pose.append([now.pose.bones[name].matrix.copy() for name in bones])
            world.append(now.matrix_world.copy())
            if local is not None:
                local.read(now, bones, done)
            done += 1
    return np.array(pose, dtype=np.float64), np.array(world, dtype=np.float64)
