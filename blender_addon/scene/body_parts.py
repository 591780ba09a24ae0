"""A take on a part of the body: the curves of the rest are muted, so that what lies below plays there. Nothing is lost,
and the part can be changed at any time."""
import re

import bpy

from . import actions, bone_map, compat, ik_limbs

WHOLE, UPPER, ARMS = "whole", "upper", "arms"
LEGS = "legs"               # the limb to which the hips belong
ITEMS = [(WHOLE, "Whole Body", "The take moves the whole body"),
         (UPPER, "Upper Body", "Spine, head and arms; hips and legs stay yours"),
         (ARMS, "Arms", "Arms and hands alone; all else stays yours")]
ARM = {"collar", "shoulder", "elbow", "wrist", "hand"}
TORSO = {"spine1", "spine2", "spine3", "neck", "head"}
PATH = re.compile(r'^pose\.bones\["((?:[^"\\]|\\.)*)"\](.*)$')


def limb_of_joint(joint):
    """"arm", "torso" or "legs", to which the hips belong."""
    name = joint.partition("_")[2] or joint
    return "arm" if name in ARM else "torso" if name in TORSO else LEGS


def limbs(rig):
    """{bone: limb}: by the bone map, by the nearest mapped bone above, else by the mapped bone nearest at rest."""
    mapped = bone_map.current(rig)
    known = {bone: limb_of_joint(joint) for joint, bone in mapped.items()}
    for leg in bone_map.ik_legs(rig, mapped):
        known |= {leg[part]: LEGS for part in ("foot", "toe", "pole")}
    for limb in ik_limbs.limbs(rig, mapped):
        bones = (limb["goal"], limb["control"], *limb["still"], limb["pole"])
        known |= {bone: limb_of_joint(limb["joints"][0]) for bone in bones if bone}
    heads = {bone: rig.data.bones[bone].head_local for bone in known if bone in rig.data.bones}
    out = {}
    for bone in rig.data.bones:
        above = bone
        while above is not None and above.name not in known:
            above = above.parent
        if above is not None and (above == bone or known[above.name] != LEGS):
            out[bone.name] = known[above.name]
        elif heads:
            out[bone.name] = known[min(heads, key=lambda name: (heads[name] - bone.head_local).length)]
    return out


def includes(part, limb):
    """Whether a part of the body has a limb in it."""
    return part == WHOLE or limb == "arm" or part == UPPER and limb == "torso"


def limb_of_curve(path, found):
    """The limb that an f-curve moves, or None where it is no bone's."""
    match = PATH.match(path)
    if match is None:
        return None
    if "neck" in match[2] or "head" in match[2]:        # a switch on the hips' control that the head follows
        return "torso"
    return found.get(bpy.utils.unescape_identifier(match[1]), LEGS)


def apply(take):
    """Mute the curves of the take's action that its part leaves out; their bones stand as they did before the take."""
    rig, action = take.rig, take.action
    if rig is None or action is None:
        return
    found, left_out, mutes = limbs(rig), set(), []
    for curve in compat.all_curves(action):
        limb = limb_of_curve(curve.data_path, found)
        mutes.append((curve, limb is not None and not includes(take.part, limb)))
        if mutes[-1][1]:
            left_out.add(PATH.match(curve.data_path)[1])
    for curve, mute in mutes:
        curve.mute = mute
    actions.stand_as_before(rig, take.state, left_out)
