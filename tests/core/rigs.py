"""Synthetic rigs and a synthetic performance for retargeting tests; also usable to build armatures in bpy.

Every rest matrix has its y axis from head to tail, as Blender demands, so that an edit bone can be made from
`rest` and the length |tail - head|.
"""
import numpy as np

from core.body.kinematics import OFFSETS
from core.body.rotations import ROOT_TO_BLENDER, axis_angle_to_matrix
from core.contract import JOINTS, PARENTS
from core.retarget.rig import Rig

ID = {name: number for number, name in enumerate(JOINTS)}
MIXAMO = {"pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck", "head": "Head",
          "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase", "collar": "Shoulder", "shoulder": "Arm",
          "elbow": "ForeArm", "wrist": "Hand", "hand": "HandMiddle1"}
RIGIFY = {"pelvis": "DEF-spine", "spine1": "DEF-spine.001", "spine2": "DEF-spine.002", "spine3": "DEF-spine.003",
          "neck": "DEF-spine.004", "head": "DEF-spine.006", "hip": "DEF-thigh", "knee": "DEF-shin", "ankle": "DEF-foot",
          "foot": "DEF-toe", "collar": "DEF-shoulder", "shoulder": "DEF-upper_arm", "elbow": "DEF-forearm",
          "wrist": "DEF-hand", "hand": "DEF-f_middle.01"}
DAZ = {"pelvis": "hip", "spine1": "abdomen", "spine3": "chest", "neck": "neck", "head": "head", "hip": "Thigh",
       "knee": "Shin", "ankle": "Foot", "collar": "Collar", "shoulder": "Shldr", "elbow": "ForeArm", "wrist": "Hand",
       "hand": "Mid1"}


def body(arm_drop=0.0, leg_spread=0.0, stretch=None, arm_forward=0.0):
    """{joint: rest position} in a z-up world, facing -y, feet on z = 0.

    arm_drop, arm_forward, leg_spread in degrees; stretch {joint: factor on its offset from the parent}.
    """
    rotation = {name: np.eye(3) for name in JOINTS}
    for side, sign in (("left", 1), ("right", -1)):
        drop = axis_angle_to_matrix(np.radians([0, 0, -sign * arm_drop]))
        forward = axis_angle_to_matrix(np.radians([0, -sign * arm_forward, 0]))
        rotation[f"{side}_shoulder"] = (forward @ drop).astype(float)
        spread = axis_angle_to_matrix(np.radians([0, 0, sign * leg_spread])).astype(float)
        rotation[f"{side}_hip"], rotation[f"{side}_ankle"] = spread, spread.T
    positions, turns = {}, {}
    for number, name in enumerate(JOINTS):
        parent = PARENTS[number]
        if parent < 0:
            positions[name], turns[name] = np.zeros(3), rotation[name]
            continue
        above = JOINTS[parent]
        side_free = name.replace("left_", "").replace("right_", "")
        offset = OFFSETS[number].astype(float) * (stretch or {}).get(side_free, 1.0)
        positions[name] = positions[above] + turns[above] @ offset
        turns[name] = turns[above] @ rotation[name]
    low = min(positions["left_foot"][1], positions["right_foot"][1]) - 0.02
    return {name: ROOT_TO_BLENDER.astype(float) @ (place - [0, low, 0]) for name, place in positions.items()}


def _axes(direction, roll, rng=None):
    """Rotation with y along direction and a roll; with rng the roll is drawn."""
    y = direction / np.linalg.norm(direction)
    other = np.array([0.0, 0, 1]) if abs(y[2]) < 0.9 else np.array([0.0, 1, 0])
    x = np.cross(y, other)
    x /= np.linalg.norm(x)
    z = np.cross(x, y)
    angle = rng.uniform(-np.pi, np.pi) if rng is not None else roll
    x, z = np.cos(angle) * x + np.sin(angle) * z, -np.sin(angle) * x + np.cos(angle) * z
    return np.stack([x, y, z], axis=1)


def build(positions, names, *, skip=(), split=(), root=None, odd=None, world=None, fps=None):
    """A `Rig` from joint positions.

    names {joint}: bone name; skip: joints without a bone; split: joints with a second, unmapped bone half-way that
    carries the children; root: name of an extra root bone; odd: seed for random rolls and made-up tails.
    """
    rng = np.random.default_rng(odd) if odd is not None else None
    bones, bone_map, carrier = [], {}, {}
    if root:
        bones.append((root, None, np.zeros(3), np.array([0, 0.2, 0])))
    for number, joint in enumerate(JOINTS):
        above = PARENTS[number]
        while above >= 0 and JOINTS[above] in skip:
            above = PARENTS[above]
        carrier_above = carrier.get(JOINTS[above]) if above >= 0 else root
        if joint in skip:
            continue
        head = positions[joint]
        children = [JOINTS[c] for c, parent in enumerate(PARENTS) if parent == number]
        forward = [c for c in children if c in ("spine1", "spine2", "spine3", "neck", "head")] or children
        tail = positions[forward[0]] if forward else head + (head - positions[JOINTS[PARENTS[number]]]) * 0.5
        if joint.endswith("foot"):
            tail = head + np.array([0, -0.06, 0])
        if rng is not None and rng.random() < 0.4:
            tail = head + rng.normal(size=3) * 0.1
        name = names[joint]
        bones.append((name, carrier_above, head, tail))
        bone_map[joint], carrier[joint] = name, name
        if joint in split:
            middle = (head + positions[forward[0]]) / 2
            bones.append((f"{name}.001", name, middle, positions[forward[0]]))
            carrier[joint] = f"{name}.001"
    index = {name: number for number, (name, *_) in enumerate(bones)}
    rest = np.tile(np.eye(4), (len(bones), 1, 1))
    for number, (_, _, head, tail) in enumerate(bones):
        rest[number, :3, :3], rest[number, :3, 3] = _axes(tail - head, 0.0, rng), head
    return Rig(tuple(index), tuple(index[parent] if parent else -1 for _, parent, _, _ in bones), rest,
               np.array([tail for *_, tail in bones]), np.eye(4) if world is None else world, bone_map, fps)


def sided(names, left, right):
    """{SMPL joint: name} from {part: name}; left/right make the bone name, e.g. "Left{}" or "{}.L"."""
    result = {}
    for joint in JOINTS:
        side, _, part = joint.partition("_")
        if part and part in names:
            result[joint] = (left if side == "left" else right).format(names[part])
        elif joint in names:
            result[joint] = names[joint]
    return result


def smpl_rig():
    """SMPL-24 names and proportions, T-pose."""
    return build(body(), {name: name for name in JOINTS})


def mixamo_rig():
    """Mixamo names, A-pose, odd rolls and tails, long shins, broad hips and shoulders."""
    stretch = {"hip": 1.3, "knee": 0.95, "ankle": 1.1, "collar": 1.2, "elbow": 1.1, "wrist": 0.9}
    return build(body(48, 5, stretch, arm_forward=8), sided(MIXAMO, "mixamorig:Left{}", "mixamorig:Right{}")
                 | {j: f"mixamorig:{MIXAMO[j]}" for j in MIXAMO if j in ID}, odd=5)


def rigify_rig():
    """Rigify deform names, slight A-pose, limbs of two bones each, under a root bone."""
    stretch = {"knee": 1.08, "ankle": 0.98, "spine2": 1.15, "foot": 1.2, "elbow": 0.95}
    split = [f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "shoulder", "elbow")]
    return build(body(30, 3, stretch), sided(RIGIFY, "{}.L", "{}.R") | {j: RIGIFY[j] for j in RIGIFY if j in ID},
                 split=split, root="root")


def daz_rig():
    """Daz / CMU names without spine2 and toes, short thighs and long shins, in centimetres under a scaled object."""
    stretch = {"knee": 0.92, "ankle": 1.1, "hip": 0.9, "neck": 1.05}
    positions = {name: place * 100 for name, place in body(0, 0, stretch).items()}
    world = np.diag([0.01, 0.01, 0.01, 1.0])
    names = sided(DAZ, "l{}", "r{}") | {j: DAZ[j] for j in DAZ if j in ID}
    return build(positions, names, skip=("spine2", "left_foot", "right_foot"), world=world)


def small_rig():
    """SMPL names, A-pose, object at 30 % scale, turned by 70 degrees and moved."""
    world = np.eye(4)
    world[:3, :3] = 0.3 * axis_angle_to_matrix(np.radians([0, 0, 70.0]))
    world[:3, 3] = [2.0, -1.0, 0.5]
    return build(body(20, 0, {"ankle": 1.05}), {name: name for name in JOINTS}, world=world, odd=9)


def heap_rig():
    """SMPL names and proportions with a rest pose that does not stand: legs folded up beside the spine, arms too.

    Some BVH files are like this: every limb lies along one axis of the file.
    """
    turn = {f"{side}_hip": axis_angle_to_matrix(np.radians([180.0, 0, 0])) for side in ("left", "right")}
    turn |= {f"{side}_shoulder": axis_angle_to_matrix(np.radians([0, 0, sign * 90.0]))
             for side, sign in (("left", 1), ("right", -1))}
    positions, turns = {}, {}
    for number, name in enumerate(JOINTS):
        parent = JOINTS[PARENTS[number]] if number else None
        above = turns[parent] if parent else np.eye(3)
        positions[name] = positions[parent] + above @ OFFSETS[number] if parent else np.zeros(3)
        turns[name] = above @ turn.get(name, np.eye(3))
    return build({name: ROOT_TO_BLENDER @ place for name, place in positions.items()}, {name: name for name in JOINTS})


def with_fingers(rig):
    """The rig with three bones for each of five fingers; in a T-pose the palms look down, thumbs forward."""
    names, parents, rest, tails = list(rig.names), list(rig.parents), [*rig.rest], [*rig.tails]
    wrists = {side: rig.index[rig.bone_map[f"{side}_wrist"]] for side in ("left", "right")}
    elbows = {side: rig.index[rig.bone_map[f"{side}_elbow"]] for side in ("left", "right")}
    for side, wrist in wrists.items():
        along = rig.rest[wrist, :3, 3] - rig.rest[elbows[side], :3, 3]
        along /= np.linalg.norm(along)
        front = np.array([0, -1.0, 0])
        for finger, across in (("Thumb", 0.04), ("Index", 0.03), ("Middle", 0.01), ("Ring", -0.01), ("Pinky", -0.03)):
            direction = (along + front) / np.sqrt(2) if finger == "Thumb" else along
            start = rig.rest[wrist, :3, 3] + along * (0.03 if finger == "Thumb" else 0.09) + front * across
            parent = wrist
            for bone in range(3):
                matrix = np.eye(4)
                matrix[:3, :3], matrix[:3, 3] = _axes(direction, 0.7 * bone), start + direction * 0.03 * bone
                names.append(f"{side.capitalize()}Hand{finger}{bone + 1}")
                parents.append(parent)
                rest.append(matrix)
                tails.append(matrix[:3, 3] + direction * 0.03)
                parent = len(names) - 1
    return Rig(tuple(names), tuple(parents), np.stack(rest), np.stack(tails), rig.matrix_world, rig.bone_map, rig.fps)


ALL = {"smpl": smpl_rig, "mixamo": mixamo_rig, "rigify": rigify_rig, "daz": daz_rig, "small": small_rig}


def local_basis(rig, channels):
    """(T,N,4,4) matrix_basis from `Channels`; identity for bones without channels."""
    count = len(channels.times)
    basis = np.tile(np.eye(4), (count, len(rig.names), 1, 1))
    from core.body.rotations import quaternion_to_matrix
    for bone, values in channels.rotations.items():
        basis[:, rig.index[bone], :3, :3] = quaternion_to_matrix(values)
    for bone, values in channels.locations.items():
        basis[:, rig.index[bone], :3, 3] = values
    return basis


def evaluate(rig, channels):
    """Pose matrices (T,N,4,4) in armature space by Blender's own rule: parent pose x rest offset x basis."""
    basis = local_basis(rig, channels)
    poses = np.empty_like(basis)
    for bone, parent in enumerate(rig.parents):
        above = np.eye(4) if parent < 0 else poses[:, parent] @ np.linalg.inv(rig.rest[parent])
        poses[:, bone] = above @ rig.rest[bone] @ basis[:, bone]
    return poses


def two_bone(hip, ankle, upper, lower, forward):
    """Knee position for a hip and an ankle (3,), bent towards `forward`."""
    line = ankle - hip
    distance = min(np.linalg.norm(line), upper + lower - 1e-4)
    line = line / np.linalg.norm(line)
    along = (upper ** 2 - lower ** 2 + distance ** 2) / (2 * distance)
    side = forward - (forward @ line) * line
    return hip + along * line + np.sqrt(max(upper ** 2 - along ** 2, 0)) * side / np.linalg.norm(side)


def stepping(seconds=6.0, fps=30, turn=0.6):
    """(Motion, planted (T,2)): steps from foot to foot with exactly planted feet, knee bends, a turn, moving arms."""
    from core.body.kinematics import local_from_global
    from core.body.motion import Motion
    from core.retarget.rest import swing
    count = int(seconds * fps)
    time = np.arange(count) / fps
    period = 1.2
    phase = time / period % 1.0
    heading = turn * np.sin(2 * np.pi * time / seconds)
    globals_ = np.tile(ROOT_TO_BLENDER.astype(float), (count, 24, 1, 1))
    root = np.zeros((count, 3))
    root[:, 0] = 0.06 * np.sin(2 * np.pi * time / period) + 0.3 * np.sin(2 * np.pi * time / seconds)
    root[:, 1] = 0.05 * np.sin(2 * np.pi * time / period + 1)
    root[:, 2] = 0.95 - 0.07 - 0.06 * np.sin(2 * np.pi * time / period * 2)
    planted = np.stack([(phase > 0.45) | (phase < 0.05), (phase < 0.55) & (phase > -1)], axis=1)
    planted[:, 1] |= phase > 0.95
    feet = _feet(time, period, planted)
    for t in range(count):
        yaw = axis_angle_to_matrix(np.array([0, 0, heading[t]])).astype(float)
        globals_[t] = yaw @ globals_[t]
        for s, side in enumerate(("left", "right")):
            hip = root[t] + globals_[t, 0] @ OFFSETS[ID[f"{side}_hip"]]
            upper, lower = (np.linalg.norm(OFFSETS[ID[f"{side}_{j}"]]) for j in ("knee", "ankle"))
            knee = two_bone(hip, feet[t, s], upper, lower, yaw @ np.array([0, -1.0, 0]))
            base = globals_[t, 0]
            thigh = swing(base @ OFFSETS[ID[f"{side}_knee"]], knee - hip) @ base
            globals_[t, ID[f"{side}_hip"]] = thigh
            globals_[t, ID[f"{side}_knee"]] = swing(thigh @ OFFSETS[ID[f"{side}_ankle"]], feet[t, s] - knee) @ thigh
            globals_[t, ID[f"{side}_ankle"]] = globals_[t, ID[f"{side}_foot"]] = ROOT_TO_BLENDER
    local = local_from_global(globals_)
    rng = np.random.default_rng(3)
    for joint in ("spine1", "spine2", "spine3", "neck", "head", "left_collar", "right_collar", "left_shoulder",
                  "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"):
        size = 0.12 if "spine" in joint or "collar" in joint else 0.6
        curve = size * np.sin(2 * np.pi * np.outer(time, rng.uniform(0.2, 0.7, 3)) + rng.uniform(0, 6, 3))
        local[:, ID[joint]] = axis_angle_to_matrix(curve)
    return Motion(local.astype(np.float32), root.astype(np.float32), float(fps)), planted


def _feet(time, period, planted):
    """Ankle targets (T,2,3): fixed while planted, lifted and moved by a step between."""
    feet = np.zeros((len(time), 2, 3))
    for s, x in enumerate((0.11, -0.11)):
        place = np.array([x, 0.02, 0.08])
        feet[:, s] = place
        step, t = 0, 0
        while t < len(time):
            if planted[t, s]:
                feet[t, s] = place
                t += 1
                continue
            stop = t
            while stop < len(time) and not planted[stop, s]:
                stop += 1
            goal = np.array([x + 0.3 * np.sin(2 * np.pi * time[min(stop, len(time) - 1)] / time[-1]),
                             0.02 + 0.05 * np.sin(step), 0.08])
            for k in range(t, stop):
                u = (k - t + 1) / (stop - t + 1)
                ease = u * u * (3 - 2 * u)
                feet[k, s] = place * (1 - ease) + goal * ease + np.array([0, 0, 0.12 * np.sin(np.pi * u)])
            place, step, t = goal, step + 1, stop
    return feet
