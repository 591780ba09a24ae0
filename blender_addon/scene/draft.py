"""A take's action, keyed in slices: nothing of the rig changes until it is put on it (scene/actions.py, `put_on`).

Blender goes on meanwhile, so between two slices nothing is held but names. A draft that nobody puts on a rig has no
user: no file saves it.
"""
import time
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import bpy
import numpy as np
from mathutils import Euler, Quaternion

from ..errors import UserError
from . import compat
from . import switches as switch
from .blending import blended
from .keys import fill_curve, filled, held, reduced
from .stats import stall

SLICE_SECONDS = 0.006                                           # what comes between two looks is added to it
EULERS = 500                                                    # made at a time, by Blender one after the other
WRITTEN = " (being written)"                                    # ends the name of a draft


@dataclass
class Draft:
    """An action that is keyed and waits: found by name and session uid, since an undo kills every reference."""

    name: str
    uid: int
    bones: set
    switches: tuple
    first: int = 0
    last: int = 0

    def find(self):
        action = bpy.data.actions.get(self.name)
        if action is None or compat.uid(action) != self.uid:
            action = next((action for action in bpy.data.actions if compat.uid(action) == self.uid), None)
        return action

    def get(self):
        """The action. Raises UserError where somebody deleted it."""
        action = self.find()
        if action is None:
            raise UserError("The take's action was deleted while it was written; start again.")
        return action

    def drop(self):
        """Delete it, unless something uses it by now."""
        action = self.find()
        if action is not None and action.users == 0:
            bpy.data.actions.remove(action)


def sweep():
    """Delete the drafts that lie in the file, once nothing is keyed any more: undo may have brought some back."""
    left = [action for action in bpy.data.actions if WRITTEN in action.name and action.users == 0]
    if left:
        bpy.data.batch_remove(left)


def finished(steps):
    """What a generator returns, run at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def keyed(rig_of, name, frames, rotations, locations, *, blend_frames=0, blend_start=True, reduce_error=0.0,
          switches=(), stays=None, switch_values=None, room=nullcontext, steps=((), 0)):
    """Generator: yields the fraction done, returns the `Draft` of a take for the rig that `rig_of()` gives.

    frames (T,) whole, ascending; rotations {bone: (T,4) wxyz matrix_basis}; locations {bone: (T,3)}.
    blend_frames: length of the blend from and to what the rig does without the take, blend_start: from it too;
    reduce_error: radians (and half as many metres) within which keys are left out, 0 keys every frame; switches:
    (bone, custom property, value) that the take keys so that its bones lead, such as IK/FK
    (blender_addon/scene/switches.py); stays (T,) bool: frames that are neither blended nor reduced; switch_values
    {(bone, property): (T,)}: what is keyed of a switch instead of its one value; room(): inside it the rig does what it
    would without the take, and which gives its scene or None; steps: as in `blending.blended`.
    """
    stays = np.zeros(len(frames), dtype=bool) if stays is None else stays
    blend_frames = min(blend_frames, (len(frames) - 1) // 2)
    if blend_frames > 0 and rig_of().animation_data is not None:
        # No farther than to the next frame that stays.
        first, last = (min(blend_frames, int(part.argmax()) if part.any() else blend_frames)
                       for part in (stays, stays[::-1]))
        rotations, locations = yield from blended(rig_of, frames, rotations, locations, first if blend_start else 0,
                                                  last, steps, room)
    made = Draft("", 0, {*rotations, *locations}, tuple(switches), int(frames[0]), int(frames[-1]))
    action = bpy.data.actions.new(f"{name}{WRITTEN}")
    try:
        made.name, made.uid = action.name, compat.uid(action)
    except BaseException:
        bpy.data.actions.remove(action)
        raise
    try:
        rows = [(bone, values, True) for bone, values in rotations.items()]
        rows += [(bone, values, False) for bone, values in locations.items()]
        for number, (bone, values, turns) in enumerate(rows):
            curves = _key_bone(made, rig_of, bone, values, turns, frames, reduce_error, stays)
            for _ in in_slices(curves):
                yield number / len(rows)
        for _ in in_slices(_key_switches(made, rig_of, frames, switches, switch_values, blend_frames)):
            yield 1.0
    except BaseException:
        made.drop()
        raise
    return made


def in_slices(steps):
    """Generator: runs another, yields as often as a slice is over, and returns what that returns."""
    while True:
        started = time.perf_counter()
        with stall("write"):
            try:
                next(steps)
                while time.perf_counter() - started <= SLICE_SECONDS:
                    next(steps)
            except StopIteration as end:
                return end.value
        yield 0.0


def _key_bone(made, rig_of, bone, values, turns, frames, error, stays):
    """Generator: the curves of a bone's rotation, in its own mode, or of its location."""
    pose = rig_of().pose.bones.get(bone)
    if pose is None:
        raise UserError(f"{rig_of().name} has no bone {bone}; it was renamed or removed during the job.")
    start, mode = pose.path_from_id(), pose.rotation_mode
    path, columns = (yield from turned(mode, values)) if turns else ("location", np.asarray(values))
    path = f"{start}.{path}"
    # A small turn by a radians moves a unit quaternion by a / 2.
    error = error if path.endswith("rotation_euler") else error / 2

    def curve(index):
        bag, fcurves, _ = compat.action_curves(made.get(), rig_of())
        return fcurves.find(path, index=index) or compat.new_curve(bag, fcurves, path, index, bone)
    if error > 0:
        yield from reduced(curve, frames, columns, error, stays)
        return
    needed = held(columns)
    for index in range(columns.shape[1]):
        yield
        yield from filled(partial(curve, index), frames[needed], columns[needed, index])


def _key_switches(made, rig_of, frames, switches, switch_values, blend_frames):
    """Generator: a curve for each switch."""
    for bone, name_of, value in switches:
        rig = rig_of()
        bag, fcurves, _ = compat.action_curves(made.get(), rig)
        curve = compat.new_curve(bag, fcurves, switch.path(rig.pose.bones[bone], name_of), 0, bone)
        spots, values = [0, -1], [value, value]
        if switch_values is not None:
            spots = held(np.asarray(switch_values[bone, name_of])[:, None])
            values = np.asarray(switch_values[bone, name_of])[spots]
        elif name_of.startswith(".") and 0 < 2 * blend_frames < len(frames):  # a measure, not a switch: it can ease
            now = switch.read(rig.pose.bones[bone], name_of)
            spots, values = [0, blend_frames, -1 - blend_frames, -1], [now, value, value, now]
        fill_curve(curve, frames[spots], values)
        yield


def turned(mode, quaternions):
    """Generator: yields between frames, returns (channel, (T, 4 or 3) values) of a rotation mode for quaternions
    (T, 4) wxyz, without jumps between neighbours."""
    values = np.array(quaternions, dtype=np.float64)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)
    yield
    sign = np.where((values[1:] * values[:-1]).sum(-1) < 0, -1.0, 1.0)
    values[1:] *= np.cumprod(sign)[:, None]
    if mode == "QUATERNION":
        return "rotation_quaternion", values
    if mode == "AXIS_ANGLE":
        yield
        return "rotation_axis_angle", (yield from _axis_angles(values))
    out, before = np.empty((len(values), 3)), Euler((0.0, 0.0, 0.0), mode)
    for i, value in enumerate(values):
        before = Quaternion(value).to_euler(mode, before)
        out[i] = before
        if i % EULERS == 0:
            yield
    return "rotation_euler", out


def _axis_angles(quaternions):
    """Generator: yields between its parts; (T, 4) continuous wxyz -> (T, 4) angle, x, y, z without jumps; next to no
    turn there is no axis, so a neighbour's."""
    sine = np.linalg.norm(quaternions[:, 1:], axis=1)
    angle = 2 * np.arctan2(sine, quaternions[:, 0])
    turned = np.flatnonzero(sine > 1e-4)
    if len(turned) == 0:
        return np.tile([0.0, 0.0, 1.0, 0.0], (len(quaternions), 1))
    later = np.minimum(np.searchsorted(turned, np.arange(len(sine))), len(turned) - 1)
    earlier = np.maximum(later - 1, 0)
    closer = np.abs(turned[earlier] - np.arange(len(sine))) < np.abs(turned[later] - np.arange(len(sine)))
    nearest = turned[np.where(closer, earlier, later)]
    yield
    axis = quaternions[nearest, 1:] / sine[nearest, None]
    yield
    flips = np.where((axis[1:] * axis[:-1]).sum(-1) < 0, -1.0, 1.0)
    sign = np.concatenate([[1.0], np.cumprod(flips)])
    return np.concatenate([np.unwrap(angle * sign)[:, None], axis * sign[:, None]], axis=1)
