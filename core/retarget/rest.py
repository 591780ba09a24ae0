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
from core.retarget.rig import orthonormal

ID = {name: number for number, name in enumerate(JOINTS)}
TORSO = ("spine1", "spine2", "spine3")
ANKLE_HEIGHT = 0.08             # of the canonical ankle joint above the floor, metres
TOE_HEIGHT = 0.02
CANONICAL_LEG = float(sum(np.linalg.norm(OFFSETS[ID[j]]) for j in ("left_knee", "left_ankle")))
TRUNK = np.cumsum([np.linalg.norm(OFFSETS[ID[joint]]) for joint in (*TORSO, "neck")])
LOW = float((TRUNK[1] + TRUNK[2]) / 2 / TRUNK[3])               # nearer to spine2 than to spine3
# How much of what both collars turn against spine2 spine3 does: least squares over 19 captures that have all of them.
SHARE = 0.73
SNAP_COS = np.cos(np.radians(25.0))
UP = np.array([0.0, 0.0, 1.0])
TIPS = {"hand": "wrist", "foot": "ankle"}
# limb joint -> (parent whose alignment it starts from, joint whose position gives its direction)
LIMBS = {f"{side}_{joint}": (f"{side}_{start}" if start else None, f"{side}_{end}") for side in ("left", "right")
         for joint, start, end in (("hip", None, "knee"), ("knee", "hip", "ankle"), ("shoulder", None, "elbow"),
                                   ("elbow", "shoulder", "wrist"), ("wrist", "elbow", "hand"))}


@dataclass(frozen=True)
class Rest:
    """reference {joint: (3,3)}; bones {joint: bone index}; body (3,3): SMPL axes -> world at rest;
    floor: world height under the rest feet; ankle, toe: their heights above it; leg: thigh + shin, all in world
    units; pointless: hands and toes that start where the bone above does, so that their places tell nothing."""

    bones: dict
    reference: dict
    body: np.ndarray
    floor: float
    ankle: float
    toe: float
    leg: float
    pointless: frozenset = frozenset()

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


def joint_bones(rig):
    """{joint: bone name} with the topmost mapped spine joint read as spine3, so that the chest has the last word.

    Where the topmost of several lies as low as spine2, it is spine2 and spine3 (`fill_unmapped`).
    """
    bones = dict(rig.bone_map)
    mapped = [joint for joint in TORSO if joint in bones]
    if mapped and mapped[-1] != "spine3":
        bones["spine3"] = bones[mapped[-1]]
        if len(mapped) < 2 or _height(rig, bones["spine3"]) > LOW:
            del bones[mapped[-1]]
    return bones


def _height(rig, bone):
    """How far up the trunk a bone starts, of the way along the bones from pelvis (0) to neck or head (1)."""
    bone, pelvis = rig.index[bone], rig.bone("pelvis")
    along, start = 0.0, None
    above = rig.bone("neck") if "neck" in rig.bone_map else rig.bone("head")
    while above >= 0 and above != pelvis:
        start = along if above == bone else start
        parent = rig.parents[above]
        along += np.linalg.norm(rig.rest[above, :3, 3] - rig.rest[max(parent, 0), :3, 3])
        above = parent
    return 1.0 if start is None or above < 0 or along == 0 else 1.0 - start / along


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


def align_rest(rig, strict=True):
    """The `Rest` of a rig. Raises BadInput when mapped bones coincide; not strict: a limb bone of no length is taken to
    point as its neighbour says, which is enough to read a motion."""
    bones = {joint: rig.index[name] for joint, name in joint_bones(rig).items()}
    heads = {joint: rig.rest_heads[bone] for joint, bone in bones.items()}
    pointless = frozenset(f"{side}_{end}" for side in ("left", "right") for end, start in TIPS.items()
                          if f"{side}_{end}" in bones
                          and np.linalg.norm(heads[f"{side}_{end}"] - heads[f"{side}_{start}"]) < 1e-9)
    for side in ("left", "right"):
        if f"{side}_foot" not in heads:
            heads[f"{side}_foot"] = rig.to_world(rig.tails[bones[f"{side}_ankle"]])
        if f"{side}_hand" not in heads or f"{side}_hand" in pointless:
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
            if strict:
                raise BadInput(f"The bones of {joint} and {end} start at the same point; check the bone map.")
            reference[joint] = base
            continue
        reference[joint] = _onto(base, OFFSETS[ID[end]], direction)
    leg = _leg(heads)
    standing = all(unit(heads[f"{s}_ankle"] - heads[f"{s}_hip"]) @ body[:, 1] < -np.cos(np.radians(50))
                   for s in ("left", "right"))
    for side in ("left", "right"):
        reference[f"{side}_hand"] = reference[f"{side}_wrist"]
        foot = _foot(body, heads, side) if standing else _free_foot(reference[f"{side}_knee"], heads, side)
        reference[f"{side}_ankle"] = reference[f"{side}_foot"] = foot
    toes = all(f"{side}_foot" in bones and f"{side}_foot" not in pointless for side in ("left", "right"))
    return Rest(bones, reference, body, *_heights(rig, heads, body, leg, standing, toes), float(leg), pointless)


def _leg(heads):
    """Length of a leg, thigh and shin; where one of them has no length, as long as the other one asks for. Raises
    BadInput where neither has."""
    long = np.array([[np.linalg.norm(heads[f"{s}_knee"] - heads[f"{s}_hip"]),
                      np.linalg.norm(heads[f"{s}_ankle"] - heads[f"{s}_knee"])] for s in ("left", "right")])
    usual = np.array([np.linalg.norm(OFFSETS[ID[joint]]) for joint in ("left_knee", "left_ankle")])
    whole = [side.sum() if side.min() > 1e-9 else (side / usual).max() * usual.sum() for side in long]
    if max(whole) < 1e-9:
        raise BadInput("The bones of hips, knees and ankles start at the same points; check the bone map.")
    return np.mean([length for length in whole if length > 1e-9])


def _give_hips(heads, body):
    """Put hips of no width where a body with such legs has them, in place:
    usual ones, no further out than the knees allow."""
    leg = np.mean([np.linalg.norm(heads[f"{s}_ankle"] - heads[f"{s}_hip"]) for s in ("left", "right")])
    whole = sum(OFFSETS[ID[f"left_{joint}"]] for joint in ("hip", "knee", "ankle"))
    apart = (heads["left_knee"] - heads["right_knee"]) @ body[:, 0] / 2
    hip, knee = OFFSETS[ID["left_hip"]] * leg / np.linalg.norm(whole), OFFSETS[ID["left_knee"]]
    hip[0] = np.clip(apart * OFFSETS[ID["left_hip"]][0] / (OFFSETS[ID["left_hip"]] + knee)[0], 0.0, hip[0])
    for side, sign in (("left", 1), ("right", -1)):
        heads[f"{side}_hip"] = heads[f"{side}_hip"] + body @ (hip * [sign, 1, 1])


def _onto(base, offset, direction):
    """Frame `base` swung so that the canonical offset points along direction."""
    if unit(base @ offset) @ unit(direction) < -0.9:
        # Nearly opposite: turn over sideways, which keeps knees bending about the body's left-right axis.
        base = (2 * np.outer(base[:, 0], base[:, 0]) - np.eye(3)) @ base
    return swing(base @ offset, direction) @ base


def _heights(rig, heads, body, leg, standing, toes):
    """(floor, ankle height, toe height) of the rest pose;
    canonical proportions where it does not stand or has no toes."""
    if not standing:
        return float(rig.matrix_world[2, 3]), ANKLE_HEIGHT * leg / CANONICAL_LEG, TOE_HEIGHT * leg / CANONICAL_LEG
    floor = _floor(rig, heads, leg)
    ankle = np.mean([heads["left_ankle"][2], heads["right_ankle"][2]]) - floor
    # Tilted objects: the drop to the toe counts along the body's own up axis. Without a toe bone it is the canonical
    # one.
    drop = np.mean([(heads[f"{s}_ankle"] - heads[f"{s}_foot"]) @ body[:, 1] for s in ("left", "right")])
    if not toes:
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
    middle = np.mean([rig.rest_heads[number] for number in children], axis=0)
    return None if np.linalg.norm(middle - rig.rest_heads[wrist]) < 1e-9 else middle


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

    A gap in the trunk shares the turn between its neighbours evenly; a chest that shares its bone with spine2 turns
    on as its collars do; other joints move with their parent.
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
    collars = [ID[f"{side}_collar"] for side in ("left", "right") if f"{side}_collar" in bones]
    if "spine2" in bones and bones.get("spine3") == bones["spine2"] and len(collars) == 2:
        base = global_rotations[:, ID["spine2"]]
        # One collar's shrug is the other's opposite: in the mean what the chest does remains.
        turns = matrix_to_axis_angle(np.swapaxes(base, -1, -2)[:, None] @ global_rotations[:, collars])
        global_rotations[:, ID["spine3"]] = base @ axis_angle_to_matrix(SHARE * turns.mean(axis=1))
    for number, joint in enumerate(JOINTS):
        if joint not in bones and joint not in chain:
            global_rotations[:, number] = global_rotations[:, PARENTS[number]]


def joint_rotations(rig, rest, poses):
    """Global rotations (T,24,3,3) of the SMPL joints from pose matrices (T,N,4,4) in armature space."""
    world = rig.world_rotation
    result = np.tile(np.eye(3), (len(poses), len(JOINTS), 1, 1))
    for joint, bone in rest.bones.items():
        turn = world @ orthonormal(poses[:, bone, :3, :3]) @ rig.rest_rotations[bone].T @ world.T
        result[:, ID[joint]] = turn @ rest.reference[joint]
    fill_unmapped(result, rest.bones)
    return result


def stance(rig, rest, pose):
    """Where a pose (1,N,4,4) stands in the world: (radians about z by which it faces away from -y, middle of the hips
    (3,))."""
    forward = joint_rotations(rig, rest, pose)[0, 0] @ np.array([0.0, 0.0, 1.0])
    hips = np.mean([rig.to_world(pose[0, rest.bones[f"{side}_hip"], :3, 3]) for side in ("left", "right")], axis=0)
    return np.arctan2(forward[0], -forward[1]), hips
