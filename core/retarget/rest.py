"""How a rig's rest pose relates to the canonical T-pose: the constant part of retargeting.

Every mapped bone b of joint j gets a constant rotation R_j (SMPL axes -> world) such that, whenever the bone has
turned by D = W W_rest^T since rest, the joint's global rotation is G_j = D R_j. For the trunk R_j is the body frame
(rest equals rest); for limbs the canonical limb is first swung onto the rig's rest limb, so that an A-pose rest
reads as lowered arms; feet keep their sole flat and are only turned about the vertical. Rests that do not stand (some
BVH files have all limbs along one axis) are aligned limb by limb, feet too.
"""
from dataclasses import dataclass

import numpy as np

from core.body.kinematics import OFFSETS
from core.contract import JOINTS, PARENTS
from core.errors import BadInput

ID = {name: number for number, name in enumerate(JOINTS)}
TORSO = ("spine1", "spine2", "spine3")
ANKLE_HEIGHT = 0.08             # of the canonical ankle joint above the floor, metres
TOE_HEIGHT = 0.02
CANONICAL_LEG = float(sum(np.linalg.norm(OFFSETS[ID[j]]) for j in ("left_knee", "left_ankle")))
SNAP_COS = np.cos(np.radians(25.0))
UP = np.array([0.0, 0.0, 1.0])
# limb joint -> (parent whose alignment it starts from, joint whose position gives its direction)
LIMBS = {f"{side}_{joint}": (f"{side}_{start}" if start else None, f"{side}_{end}") for side in ("left", "right")
         for joint, start, end in (("hip", None, "knee"), ("knee", "hip", "ankle"), ("shoulder", None, "elbow"),
                                   ("elbow", "shoulder", "wrist"), ("wrist", "elbow", "hand"))}


@dataclass(frozen=True)
class Rest:
    """reference {joint: (3,3)}; bones {joint: bone index}; body (3,3): SMPL axes -> world at rest;
    floor: world height under the rest feet; ankle, toe: their heights above it; leg: thigh + shin, all in world
    units."""

    bones: dict
    reference: dict
    body: np.ndarray
    floor: float
    ankle: float
    toe: float
    leg: float

    @property
    def scale(self):
        """Canonical metres per world unit of the rig, by leg length."""
        return CANONICAL_LEG / self.leg


def unit(vector):
    """Vectors (..., 3) at length one."""
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-12)


def swing(source, target):
    """Smallest rotations (..., 3, 3) taking unit vectors source to target (..., 3)."""
    source, target = np.broadcast_arrays(unit(np.asarray(source, float)), unit(np.asarray(target, float)))
    axis, cosine = np.cross(source, target), np.sum(source * target, -1)[..., None, None]
    zero = np.zeros(axis.shape[:-1])
    k = np.stack([zero, -axis[..., 2], axis[..., 1], axis[..., 2], zero, -axis[..., 0], -axis[..., 1], axis[..., 0],
                  zero], -1).reshape(axis.shape[:-1] + (3, 3))
    turn = np.eye(3) + k + k @ k / np.maximum(1.0 + cosine, 1e-9)
    # Opposite vectors: half a turn about any axis at right angles.
    other = np.where(np.abs(source[..., :1]) < 0.9, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))
    normal = unit(np.cross(source, other))
    half = 2 * normal[..., :, None] * normal[..., None, :] - np.eye(3)
    return np.where(cosine > -1 + 1e-9, turn, half)


def joint_bones(bone_map):
    """{joint: bone name} with the topmost mapped spine joint read as spine3, so that the chest has the last word."""
    bones = dict(bone_map)
    mapped = [joint for joint in TORSO if joint in bones]
    if mapped and mapped[-1] != "spine3":
        bones["spine3"] = bones.pop(mapped[-1])
    return bones


def _snap(vector, axes):
    best = axes[np.argmax(axes @ vector)]
    return best if best @ vector > SNAP_COS else vector


def body_frame(heads, axes=None):
    """(3,3) with columns left, up, forward of a rest pose given {joint: position}; snapped to near `axes` (rows)."""
    up = heads["head"] - (heads["left_hip"] + heads["right_hip"]) / 2
    # Stick figures have both thighs at the pelvis; their knees, else their shoulders, tell left from right.
    across = next((way for way in (heads[f"left_{j}"] - heads[f"right_{j}"] for j in ("hip", "knee", "shoulder"))
                   if np.linalg.norm(way) > 1e-9), np.zeros(3))
    left = unit(across)
    if np.linalg.norm(across) < 1e-9 or np.linalg.norm(up) < 1e-9:
        raise BadInput("The rig's hips or head coincide at rest; check the bone map.")
    up = unit(up)
    if axes is not None:
        axes = np.concatenate([axes, -axes])
        up, left = _snap(up, axes), _snap(left, axes)
    left = unit(left - (left @ up) * up)
    return np.stack([left, up, np.cross(left, up)], axis=1)


def align_rest(rig):
    """The `Rest` of a rig. Raises BadInput when mapped bones coincide."""
    bones = {joint: rig.index[name] for joint, name in joint_bones(rig.bone_map).items()}
    heads = {joint: rig.rest_heads[bone] for joint, bone in bones.items()}
    for side in ("left", "right"):
        if f"{side}_foot" not in heads:
            heads[f"{side}_foot"] = rig.to_world(rig.tails[bones[f"{side}_ankle"]])
        if f"{side}_hand" not in heads:
            heads[f"{side}_hand"] = _hand_direction(rig, bones[f"{side}_wrist"])
    body = body_frame(heads, rig.world_rotation.T)
    if np.linalg.norm(heads["left_hip"] - heads["right_hip"]) < 1e-9:
        _give_hips(heads, body)
    reference = {joint: body for joint in JOINTS}
    for joint, (start, end) in LIMBS.items():
        base = reference[start] if start else body
        if heads[end] is None:
            reference[joint] = base
            continue
        direction = heads[end] - heads[joint]
        if np.linalg.norm(direction) < 1e-9:
            raise BadInput(f"The bones of {joint} and {end} start at the same point; check the bone map.")
        reference[joint] = _onto(base, OFFSETS[ID[end]], direction)
    leg = np.mean([np.linalg.norm(heads[f"{s}_knee"] - heads[f"{s}_hip"])
                   + np.linalg.norm(heads[f"{s}_ankle"] - heads[f"{s}_knee"]) for s in ("left", "right")])
    standing = all(unit(heads[f"{s}_ankle"] - heads[f"{s}_hip"]) @ body[:, 1] < -np.cos(np.radians(50))
                   for s in ("left", "right"))
    for side in ("left", "right"):
        reference[f"{side}_hand"] = reference[f"{side}_wrist"]
        foot = _foot(body, heads, side) if standing else _free_foot(reference[f"{side}_knee"], heads, side)
        reference[f"{side}_ankle"] = reference[f"{side}_foot"] = foot
    return Rest(bones, reference, body, *_heights(rig, heads, body, leg, standing), float(leg))


def _give_hips(heads, body):
    """Put hips of no width where a body with such legs has them, in place."""
    leg = np.mean([np.linalg.norm(heads[f"{s}_ankle"] - heads[f"{s}_hip"]) for s in ("left", "right")])
    whole = sum(OFFSETS[ID[f"left_{joint}"]] for joint in ("hip", "knee", "ankle"))
    for side in ("left", "right"):
        heads[f"{side}_hip"] = heads[f"{side}_hip"] + body @ OFFSETS[ID[f"{side}_hip"]] * leg / np.linalg.norm(whole)


def _onto(base, offset, direction):
    """Frame `base` swung so that the canonical offset points along direction."""
    if unit(base @ offset) @ unit(direction) < -0.9:
        # Nearly opposite: turn over sideways, which keeps knees bending about the body's left-right axis.
        base = (2 * np.outer(base[:, 0], base[:, 0]) - np.eye(3)) @ base
    return swing(base @ offset, direction) @ base


def _heights(rig, heads, body, leg, standing):
    """(floor, ankle height, toe height) of the rest pose; canonical proportions where it does not stand."""
    if not standing:
        return float(rig.matrix_world[2, 3]), ANKLE_HEIGHT * leg / CANONICAL_LEG, TOE_HEIGHT * leg / CANONICAL_LEG
    floor = _floor(rig, heads, leg)
    ankle = np.mean([heads["left_ankle"][2], heads["right_ankle"][2]]) - floor
    # Tilted objects: the drop to the toe counts along the body's own up axis. Without a toe bone it is the canonical
    # one.
    drop = np.mean([(heads[f"{s}_ankle"] - heads[f"{s}_foot"]) @ body[:, 1] for s in ("left", "right")])
    if "left_foot" not in rig.bone_map or "right_foot" not in rig.bone_map:
        drop = (ANKLE_HEIGHT - TOE_HEIGHT) * leg / CANONICAL_LEG
    return float(floor), float(ankle), float(ankle - drop)


def _free_foot(knee, heads, side):
    """Foot frame of a rest that does not stand: the shin's, swung onto the rig's toe."""
    direction = heads[f"{side}_foot"] - heads[f"{side}_ankle"]
    return knee if np.linalg.norm(direction) < 1e-9 else swing(knee @ OFFSETS[ID[f"{side}_foot"]], direction) @ knee


def _foot(body, heads, side):
    """Body frame turned about its own up axis so that the canonical toe points where the rig's does."""
    up = body[:, 1]
    wanted = heads[f"{side}_foot"] - heads[f"{side}_ankle"]
    wanted = wanted - (wanted @ up) * up
    canonical = body @ (OFFSETS[ID[f"{side}_foot"]] * np.array([1.0, 0.0, 1.0]))
    # A foot bone that points down or backwards (a heel, a leaf bone's made-up tail) tells nothing.
    if np.linalg.norm(wanted) < 1e-6 or unit(wanted) @ unit(canonical) < np.cos(np.radians(60)):
        return body
    return swing(canonical, wanted) @ body


def _hand_direction(rig, wrist):
    """Mean rest position of the fingers that hang on a wrist bone, without the thumb; None when it has none."""
    children = [number for number, parent in enumerate(rig.parents)
                if parent == wrist and "thumb" not in rig.names[number].lower()]
    if len(children) < 2:
        return None
    return np.mean([rig.rest_heads[number] for number in children], axis=0)


def _floor(rig, heads, leg):
    """Height of the floor along the world's z: the object's origin if the feet stand on it, else just below them."""
    lowest = min(heads[f"{side}_{joint}"][2] for side in ("left", "right") for joint in ("ankle", "foot"))
    ankle = min(heads["left_ankle"][2], heads["right_ankle"][2])
    if ankle - lowest > 0.2 * leg:                       # a made-up tail pointing down, not a toe
        lowest = ankle - (ANKLE_HEIGHT - TOE_HEIGHT) / CANONICAL_LEG * leg
    origin = rig.matrix_world[2, 3]
    if -0.02 * leg <= lowest - origin <= 0.13 * leg:
        return origin
    return lowest - TOE_HEIGHT / CANONICAL_LEG * leg


def fill_unmapped(global_rotations, bones):
    """Give joints without a bone a rotation, in place: (T,24,3,3).

    A gap in the trunk shares the turn between its neighbours evenly; other joints move with their parent.
    """
    from core.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
    chain = ("pelvis", *TORSO, "neck", "head")
    low = 0
    for high in range(1, len(chain)):
        if chain[high] not in bones:
            continue
        a, b = global_rotations[:, ID[chain[low]]], global_rotations[:, ID[chain[high]]]
        delta = matrix_to_axis_angle(np.swapaxes(a, -1, -2) @ b)
        for middle in range(low + 1, high):
            part = (middle - low) / (high - low)
            global_rotations[:, ID[chain[middle]]] = a @ axis_angle_to_matrix(delta * part)
        low = high
    for number, joint in enumerate(JOINTS):
        if joint not in bones and joint not in chain:
            global_rotations[:, number] = global_rotations[:, PARENTS[number]]
