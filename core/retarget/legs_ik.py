"""Legs of a control rig on inverse kinematics: the foot, its toes and the knee's pole follow what the FK chain does.

An animator expects planted feet to be keys of the foot's own control, which stand still whatever the hips do. The table
of a control rig (core/contract/bone_maps) names them under `ik`, one entry a leg: `joints` (hip, knee, ankle, foot),
`foot`, `toe`, `pole`, `parent` (what the controls ride on), `still` (further controls that a take keeps at rest) and
`switches`, which a take keys after the table's own.
"""
import numpy as np

from core.contract.bone_tables import control_table
from core.retarget.contacts import ramp
from core.retarget.rest import unit
from core.retarget.rig import orthonormal

POLE_DISTANCE = 1.0             # of the leg's length, before the knee
STRAIGHT = (0.015, 0.05)  # bend of the knee, share of the leg's length: below the first the thigh's own front decides


def ik_legs(rig):
    """Entries of the table whose bones the rig has and whose joints are mapped to the table's own bones."""
    table = control_table(rig.bone_map)
    return [] if table is None else usable(table, rig.bone_map, rig.index)


def usable(table, bone_map, names):
    """The `ik` entries of a table that hold for a {joint: bone} and the names of all bones."""
    return [leg for leg in table.get("ik", ())
            if all(bone_map.get(joint) == table["bones"].get(joint) for joint in leg["joints"])
            and all(leg[part] in names for part in ("foot", "toe", "pole", "parent"))]


def leg_channels(pose, rig, present):
    """({bone: (T,3,3)}, {bone: (T,3)}) of `matrix_basis` for the IK controls of a solved `RigPose`.

    present (N,4,4): a sampled pose in armature space, for where the controls' parent is.
    """
    rotations, locations = {}, {}
    for leg in ik_legs(rig):
        hip, knee, ankle, toe = (rig.index[rig.bone_map[joint]] for joint in leg["joints"])
        turn = {bone: pose.rotations[bone] @ rig.rest_rotations[bone].T for bone in (hip, ankle, toe)}
        heads = {bone: pose.heads[bone] for bone in (hip, knee, ankle)}
        start = rig.rest[:, :3, 3]
        foot, aim, tip = rig.index[leg["foot"]], rig.index[leg["pole"]], rig.index[leg["toe"]]
        carry, offset = _carrier(rig, present, leg["parent"])
        place = heads[ankle] + turn[ankle] @ (start[foot] - start[ankle])
        free = carry @ rig.rest_rotations[foot]
        rotations[foot] = free.T @ turn[ankle] @ rig.rest_rotations[foot]
        locations[foot] = (place - (carry @ start[foot] + offset)) @ free
        # The toe's control rides on the foot.
        own = np.swapaxes(turn[ankle], -1, -2) @ turn[toe]
        rotations[tip] = rig.rest_rotations[tip].T @ own @ rig.rest_rotations[tip]
        for name in set(leg.get("still", ())) & set(rig.index):
            rotations[rig.index[name]] = np.broadcast_to(np.eye(3), (pose.frames, 3, 3))
        free = carry @ rig.rest_rotations[aim]
        goal = pole_place(heads[hip], heads[knee], heads[ankle], turn[hip], start[[hip, knee, ankle, aim]])
        locations[aim] = (goal - (carry @ start[aim] + offset)) @ free
    return rotations, locations


def _carrier(rig, present, name):
    """Rotation (3,3) and shift (3,) in armature space by which a bone has moved from its rest."""
    bone = rig.index[name]
    turn = orthonormal(present[bone, :3, :3]) @ rig.rest_rotations[bone].T
    return turn, present[bone, :3, 3] - turn @ rig.rest[bone, :3, 3]


def pole_place(hip, knee, ankle, thigh, rest):
    """(T,3) before the knee, in the plane of the leg; of a straight leg, where the thigh's front points.

    thigh (T,3,3): its turn since rest; rest (4,3): hip, knee, ankle and pole at rest.
    """
    line = unit(ankle - hip)
    length = np.linalg.norm(rest[1] - rest[0]) + np.linalg.norm(rest[2] - rest[1])
    bend = knee - hip
    bend = bend - np.sum(bend * line, axis=-1, keepdims=True) * line
    along = unit(rest[2] - rest[0])
    front = rest[3] - rest[1]
    front = thigh @ unit(front - (front @ along) * along)
    front = unit(front - np.sum(front * line, axis=-1, keepdims=True) * line)
    straight = ramp(np.linalg.norm(bend, axis=-1, keepdims=True), STRAIGHT[0] * length, STRAIGHT[1] * length)
    return knee + POLE_DISTANCE * length * unit(straight * front + (1.0 - straight) * unit(bend))
