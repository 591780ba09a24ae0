"""Limbs that an IK constraint of a plain rig's own solves: the goal of the constraint follows what the bones do.

The constraint wins over the keys of the bones, so a take moves its goal, and the pole, with them: the solver then finds
the limb where it has to be. The add-on names them (blender_addon/scene/ik_limbs.py), one entry a limb in `Rig.ik`:
`joints` (upper, lower, end), `goal` (the bone that the constraint reaches for), `control` (the bone to be keyed: the
goal or one above it that only the goal hangs on), `still` (bones between the two, kept at rest), `pole` or None, and
`copies`: whether the end takes the goal's rotation.
"""
import numpy as np

from core.retarget.legs_ik import pole_place
from core.retarget.pose import basis_of


def limb_channels(pose, rig, present, first):
    """({bone: (T,3,3)}, {bone: (T,3)}) of `matrix_basis` for the limbs of a solved `RigPose` that begin at a joint
    named `first` ("hip", "shoulder").

    present (N,4,4): a sampled pose in armature space, for what moves the controls without being moved by the take.
    """
    limbs = [limb for limb in rig.ik if limb["joints"][0].endswith(first)]
    if not limbs:
        return {}, {}
    made = _Controls(pose, rig, basis_of(rig, present))
    for limb in limbs:
        upper, lower, end = (rig.index[rig.bone_map[joint]] for joint in limb["joints"])
        goal, control = rig.index[limb["goal"]], rig.index[limb["control"]]
        turns = {bone: pose.rotations[bone] @ rig.rest_rotations[bone].T for bone in (upper, lower, end)}
        start = rig.rest[:, :3, 3]
        tip = pose.heads[lower] + turns[lower] @ (rig.tails[lower] - start[lower])
        moved = pose.rotations[end] @ rig.rest_rotations[goal].T if limb["copies"] else turns[end]
        made.put(control, moved, tip + moved @ (start[control] - start[goal]))
        for name in limb["still"]:
            made.rest(rig.index[name])
        if limb["pole"]:
            aim = rig.index[limb["pole"]]
            made.put(aim, None, pole_place(pose.heads[upper], pose.heads[lower], tip, turns[upper],
                                           start[[upper, lower, end, aim]]))
    return made.rotations, made.locations


class _Controls:
    """Local poses of controls, each on what the ones before it do."""

    def __init__(self, pose, rig, basis):
        self.pose, self.rig, self.basis = pose, rig, basis
        self.rotations, self.locations, self.moved = {}, {}, {}

    def put(self, bone, turn, place):
        """A control turned by (T,3,3) since rest (None: as what carries it) with its head at (T,3), armature space."""
        rig = self.rig
        carry, shift = self._carried(rig.effective_parents[bone])
        free, home = carry @ rig.rest_rotations[bone], carry @ rig.rest[bone, :3, 3] + shift
        if turn is not None:
            self.rotations[bone] = np.swapaxes(free, -1, -2) @ turn @ rig.rest_rotations[bone]
        turn = carry if turn is None else turn
        self.locations[bone] = (np.swapaxes(free, -1, -2) @ (place - home)[..., None])[..., 0]
        self.moved[bone] = turn, place - turn @ rig.rest[bone, :3, 3]

    def rest(self, bone):
        """A control without a pose of its own."""
        self.rotations[bone] = np.broadcast_to(np.eye(3), (self.pose.frames, 3, 3))
        self.locations[bone] = np.zeros((self.pose.frames, 3))
        self.moved[bone] = self._carried(self.rig.effective_parents[bone])

    def _carried(self, bone):
        """Turns (T,3,3) and shifts (T,3) in armature space by which a bone has moved from its rest."""
        rig, pose = self.rig, self.pose
        if bone < 0:
            return np.broadcast_to(np.eye(3), (pose.frames, 3, 3)), np.zeros((pose.frames, 3))
        if bone in self.moved:
            return self.moved[bone]
        start, head = rig.rest_rotations[bone], rig.rest[bone, :3, 3]
        if bone in pose.rotations:
            turn = pose.rotations[bone] @ start.T
            return turn, pose.heads[bone] - turn @ head
        carry, shift = self._carried(rig.effective_parents[bone])
        free, own = carry @ start, self.basis[bone]
        turn = free @ own[:3, :3] @ start.T
        return turn, carry @ head + shift + free @ own[:3, 3] - turn @ head
