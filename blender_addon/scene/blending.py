"""A take's first and last frames mixed with what the rig shows without it.

On a control rig the take sets switches: limbs that hung on IK are led by FK controls, and the other way round. What the
controls say then is not what the rig showed, so the mix starts from the local pose that makes the controls show it.
"""
import time
from contextlib import nullcontext

import bpy
import numpy as np
from mathutils import Matrix, Quaternion

from ...core.contract import bone_tables
from ..errors import UserError
from .played import evaluated, frame_kept, hidden_meshes, layer_of
from .stats import stall

# Joints whose controls a switch of the rig may have put out of use.
SWITCHED = {"hip", "knee", "ankle", "foot", "shoulder", "elbow", "wrist", "neck", "head"}
LIMBS = {"hip", "knee", "ankle", "shoulder", "elbow", "wrist"}
SLICE_SECONDS = 0.15
LEADS = 0.02        # radians between a limb's control and the bone that shows it, below which the control leads


def blended(rig_of, frames, rotations, locations, first, last, steps=((), 0), room=nullcontext):
    """Generator: yields between slices, returns ({bone: (T,4)}, {bone: (T,3)}) with the `first` frames and the `last`
    ones mixed by smooth weights 0..1 with what the rig of `rig_of()` does inside `room()`, which gives its scene or
    None.

    steps: (bones, frames): these bones come by steps from the pose of the first frame (core/retarget/step_in.py), so
    they are mixed with that pose alone, and over so many frames only. Plays the frames, and skinned meshes hide
    meanwhile; in each slice all comes back.
    """
    rotations, locations = ({bone: np.array(values) for bone, values in of.items()} for of in (rotations, locations))
    stepped, settled, begin = steps[0], min(steps[1], len(frames) - 1), {}
    rows = [(i, _eased(i / first) if i < first else 1.0, _eased(i / settled) if i < settled else 1.0)
            for i in range(max(first, settled))]
    rows += [(len(frames) - 1 - i, _eased(i / last), _eased(i / last)) for i in range(last)]
    done = 0
    while done < len(rows):
        rig, before, started = rig_of(), done, time.perf_counter()
        with stall("write"), room() as scene:
            scene = scene or bpy.context.scene
            gone = [bone for bone in (*rotations, *locations) if bone not in rig.pose.bones]
            if gone:
                raise UserError(f"{rig.name} has no bone {gone[0]}; it was renamed or removed during the job.")
            shown, layer = Shown(rig, {*rotations, *locations}), layer_of(rig, scene)
            with hidden_meshes(scene), frame_kept(scene):
                while done == before or done < len(rows) and time.perf_counter() - started < SLICE_SECONDS:
                    index, share, landed = rows[done]
                    scene.frame_set(int(frames[index]))
                    shown.rig = rig if layer is None else evaluated(rig, scene)
                    own = shown.basis()
                    if index == 0:
                        begin = {bone: own[bone] for bone in stepped if bone in own}
                    _mix(rotations, locations, index, own | (begin if index < settled else {}),
                         {bone: landed if bone in stepped else share for bone in own})
                    done += 1
        yield 0.0
    return rotations, locations


def _mix(rotations, locations, index, own, share):
    """Frame number `index` of the channels becomes `own` {bone: Matrix} to the part that `share` {bone: 0..1}
    leaves."""
    for bone, values in rotations.items():
        values[index] = own[bone].to_quaternion().slerp(Quaternion(values[index]), share[bone])
    for bone, values in locations.items():
        values[index] = np.array(own[bone].to_translation()) * (1 - share[bone]) + values[index] * share[bone]


def _eased(part):
    return part * part * (3 - 2 * part)


class Shown:
    """The local poses (`matrix_basis`) of bones that reproduce what the rig shows now, whatever its switches say.

    names: bones that a take keys. Bones that no switch concerns simply have the basis they have.
    """

    def __init__(self, rig, names):
        self.rig, self.names = rig, names
        data = bone_tables.control_table_among(names) or {}
        self.neutral, self.follows = set(data.get("neutral", ())), data.get("follows", {})
        # Controls that a take keeps at rest: the others are to show the foot without a roll of theirs.
        self.still = {bone for leg in data.get("ik", ()) for bone in leg.get("still", ())}
        bones = data.get("bones", {})
        self.limbs = {bones.get(f"{side}_{joint}") for joint in LIMBS for side in ("left", "right")}
        self.shows, self.poles = {}, {}  # control: the bone that shows where it should be; pole: hip, knee, ankle
        if not data:
            return
        reads = bone_tables.tables()[data["read_from"]]["bones"]
        for joint, control in data["bones"].items():
            if joint.partition("_")[2] in SWITCHED or joint in SWITCHED:
                self.shows[control] = reads.get(joint)
        for leg in data.get("ik", ()):
            hip, knee, ankle, toe = (reads[joint] for joint in leg["joints"])
            self.shows |= {leg["foot"]: ankle, leg["toe"]: toe}
            self.poles[leg["pole"]] = hip, knee, ankle
        there = rig.pose.bones
        self.shows = {name: bone for name, bone in self.shows.items() if name in names and bone in there}
        self.poles = {name: limb for name, limb in self.poles.items() if name in names
                      and all(bone in there for bone in limb)}

    def basis(self):
        """{bone: Matrix} at the current frame."""
        return {name: self._basis(self.rig.pose.bones[name]) for name in self.names}

    def follows_another(self, name):
        """True for a limb's control that does not move the limb now: its own pose counts for nothing."""
        if name not in self.limbs or name not in self.shows:
            return False
        pose = self.rig.pose.bones[name]
        turn = self._wanted(pose).to_quaternion().rotation_difference(pose.matrix.to_quaternion()).angle
        return min(turn, 2 * np.pi - turn) > LEADS

    def _basis(self, pose):
        if pose.name in self.still:
            return Matrix()
        if pose.name in self.poles:
            return self._free(pose).inverted_safe() @ Matrix.Translation(self._pole(pose))
        if pose.name in self.shows:
            return self._free(pose).inverted_safe() @ self._wanted(pose)
        return pose.matrix_basis.copy()

    def _wanted(self, pose):
        """Where a control stands that moves rigidly with the bone that shows it: armature space, no scale."""
        return _moved(self.rig.pose.bones[self.shows[pose.name]]) @ pose.bone.matrix_local

    def _free(self, pose):
        """Armature-space matrix of a control with a neutral basis, the controls above it standing as wanted."""
        above = self._above(pose)
        while above is not None and above.name not in self.shows:
            above = self._above(above)
        if above is not None:
            return self._wanted(above) @ above.bone.matrix_local.inverted() @ pose.bone.matrix_local
        above = self._above(pose)
        while above is not None and above.name in self.neutral:
            above = self._above(above)
        return pose.bone.matrix_local.copy() if above is None else _moved(above) @ pose.bone.matrix_local

    def _above(self, pose):
        """What a bone moves with once the take has set the switches."""
        return self.rig.pose.bones.get(self.follows[pose.name]) if pose.name in self.follows else pose.parent

    def _pole(self, pose):
        """Before the knee, in the plane of the leg as it stands; straight legs: where the thigh's front points."""
        hip, knee, ankle = (self.rig.pose.bones[bone] for bone in self.poles[pose.name])
        line = (ankle.head - hip.head).normalized()
        bend = knee.head - hip.head
        bend = bend - bend.dot(line) * line
        length = (knee.head - hip.head).length + (ankle.head - knee.head).length
        if bend.length < 0.02 * length:
            bend = _moved(hip).to_3x3() @ (pose.bone.head_local - knee.bone.head_local)
            bend = bend - bend.dot(line) * line
        return knee.head + bend.normalized() * length


def _moved(pose):
    """How a pose bone has moved from its rest: armature space, no scale."""
    place, turn, _ = pose.matrix.decompose()
    return Matrix.Translation(place) @ turn.to_matrix().to_4x4() @ pose.bone.matrix_local.inverted()
