"""The bone that carries a body: spine and both thighs must go where it goes, in the hierarchy and in the motion.

Some skeletons have hips that move the legs alone (MikuMikuDance, Final Fantasy XIV), others a root on the floor below
the real hips. The first turn the pelvis but must not move it; the second must not stand for it.
"""
from dataclasses import replace

import numpy as np

from core.contract.bone_tables import control_table
from core.retarget.rig import orthonormal

SLACK = 0.08                # of a thigh's length: so far the thighs' heads may stray in the pelvis' own axes
FRAMES = 500                # looked at, spread over the clip


def mover(rig):
    """Index of the bone whose location moves the whole body: the pelvis, or where that leaves the spine or a thigh
    behind, the nearest bone above that carries all of them."""
    pelvis = rig.bone("pelvis")
    if control_table(rig.bone_map):
        return pelvis
    spine = next(joint for joint in ("spine1", "spine2", "spine3", "neck", "head") if joint in rig.bone_map)
    carried = [_chain(rig, rig.bone(joint)) for joint in ("left_hip", "right_hip", spine)]
    for bone in _chain(rig, pelvis):
        if all(bone in chain for chain in carried):
            return bone
    return pelvis


def carried_rig(rig, poses, notify=None):
    """The rig whose pelvis is a bone with which both thighs move; notify(sentence) where that is not the mapped one.

    poses (T,N,4,4) in armature space.
    """
    if control_table(rig.bone_map):
        return rig
    poses = poses[::max(1, len(poses) // FRAMES)]
    thighs = [poses[:, rig.bone(f"{side}_hip"), :3, 3] for side in ("left", "right")]
    # The longer of all, since a skeleton may lack one of them.
    thigh = max(1e-9, *(np.median(np.linalg.norm(poses[:, rig.bone(f"{side}_{start}"), :3, 3]
                                                 - poses[:, rig.bone(f"{side}_{end}"), :3, 3], axis=1))
                        for side in ("left", "right") for start, end in (("hip", "knee"), ("knee", "ankle"))))
    pelvis = rig.bone("pelvis")
    if _strays(poses[:, pelvis], thighs) < SLACK * thigh:
        return rig
    right = set(_chain(rig, rig.bone("right_hip"))[1:])
    taken = {rig.index[bone] for joint, bone in rig.bone_map.items() if joint != "pelvis"}
    for bone in _chain(rig, rig.bone("left_hip"))[1:]:
        if bone in right and bone not in taken and _strays(poses[:, bone], thighs) < SLACK * thigh:
            if notify is not None:
                notify(f"The thighs do not move with {rig.names[pelvis]}; {rig.names[bone]}, with which they do, is "
                       "taken for the pelvis.")
            return replace(rig, bone_map={**rig.bone_map, "pelvis": rig.names[bone]})
    if notify is not None:
        notify(f"The thighs do not move with {rig.names[pelvis]}; check the pelvis in the bone map.")
    return rig


def _strays(bone, thighs):
    """How far (95th percentile) the thighs' heads go from their median place in the axes of a bone (T,4,4);
    the farther of both sides."""
    turn = orthonormal(bone[:, :3, :3])
    away = []
    for place in thighs:
        own = np.einsum("tba,tb->ta", turn, place - bone[:, :3, 3])
        away.append(np.percentile(np.linalg.norm(own - np.median(own, axis=0), axis=1), 95))
    return max(away)


def _chain(rig, bone):
    """The bone and its ancestors, nearest first."""
    chain = []
    while bone is not None and bone >= 0 and bone not in chain:
        chain.append(bone)
        bone = rig.effective_parents[bone]
    return chain
