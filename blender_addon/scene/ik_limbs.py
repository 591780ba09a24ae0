"""Limbs that an IK constraint of a plain rig's own solves.

The constraint wins over the keys of the bones, so a take keys its goal and pole too (core/retarget/limbs_ik.py); where
it reaches for another object, it is off during the take.
"""
from ...core.contract import bone_tables

LIMBS = tuple(tuple(f"{side}_{joint}" for joint in joints) for side in ("left", "right")
              for joints in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")))
TURNS = ("COPY_ROTATION", "COPY_TRANSFORMS")


def limbs(rig, mapped):
    """Entries of `Rig.ik` for a rig and its {joint: bone}; none for a known control rig, whose table has its own."""
    if bone_tables.control_table(mapped) is not None:
        return []
    found = []
    for joints in LIMBS:
        goal = _constraint(rig, mapped, joints)
        if goal is not None and _own(rig, goal, mapped):
            pole = goal.pole_subtarget if goal.pole_target == rig and goal.pole_subtarget in rig.data.bones else None
            found.append({"joints": list(joints), "goal": goal.subtarget, "pole": pole})
    taken = {*mapped.values(), *(limb["goal"] for limb in found)}
    for limb in found:
        chain = [limb["goal"]]
        while _only(rig.data.bones[chain[-1]].parent, taken - {limb["goal"]}):
            chain.append(rig.data.bones[chain[-1]].parent.name)
        limb["control"], limb["still"] = chain[-1], chain[-2::-1]
        end = rig.pose.bones[mapped[limb["joints"][2]]]
        limb["copies"] = any(row.type in TURNS and not row.mute and row.target == rig and row.subtarget == limb["goal"]
                             and row.owner_space in ("WORLD", "POSE") for row in end.constraints)
    return found


def bones(rig, mapped):
    """The bones that a take keys for these limbs: `control`, `still` and `pole` of each."""
    return [name for limb in limbs(rig, mapped) for name in (limb["control"], *limb["still"], limb["pole"]) if name]


def free(rig, mapped):
    """[(bone, property, value)], as of switches, that turn off what a take cannot lead:
    IK whose goal is no bone of the rig."""
    if bone_tables.control_table(mapped) is not None:
        return []
    found = [(mapped[joints[1]], _constraint(rig, mapped, joints)) for joints in LIMBS]
    return [(bone, f'.constraints["{goal.name}"].influence', 0.0) for bone, goal in found
            if goal is not None and not _own(rig, goal, mapped)]


def _constraint(rig, mapped, joints):
    """The IK constraint that solves a limb, or None."""
    lower = rig.pose.bones.get(mapped.get(joints[1], "")) if all(joint in mapped for joint in joints) else None
    rows = [] if lower is None else [row for row in lower.constraints if row.type == "IK" and not row.mute
                                     and row.target is not None]
    return rows[-1] if rows else None


def _own(rig, goal, mapped):
    """Whether the goal is a bone of the rig that no part of a limb is or carries."""
    there = rig.data.bones.get(goal.subtarget) if goal.target == rig else None
    limb = {bone for joint, bone in mapped.items() if joint.endswith(("knee", "elbow", "ankle", "wrist"))}
    return there is not None and not limb & {there.name, *(bone.name for bone in there.parent_recursive)}


def _only(bone, others):
    """Whether a bone above a limb's goal moves none of `others`: mapped bones and goals of other limbs."""
    return bone is not None and not others & {bone.name, *(child.name for child in bone.children_recursive)}
