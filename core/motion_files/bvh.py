"""BVH: any humanoid skeleton in, SMPL-24 names out."""
from dataclasses import dataclass, replace

import numpy as np

from core.body.kinematics import OFFSETS
from core.body.rotations import ROOT_TO_BLENDER, euler_to_matrix, matrix_to_euler
from core.contract import JOINTS, PARENTS
from core.motion_files.up import find_up, nearest_axis, to_z
from core.retarget.rig import Rig
from core.retarget.standing import standing_rig, stands


@dataclass(frozen=True)
class Bvh:
    """names, parents, offsets (J,3) in file units; channels per joint; values (T,C); frame_time in seconds.

    `ends` {joint name: offset of its End Site}.
    """

    names: list
    parents: list
    offsets: np.ndarray
    channels: list
    values: np.ndarray
    frame_time: float
    ends: dict

    def global_pose(self):
        """Joint positions (T,J,3) and global rotations (T,J,3,3) in the file's axes."""
        count, place = len(self.values), 0
        positions, rotations = [], []
        for joint, (parent, channels) in enumerate(zip(self.parents, self.channels)):
            values = self.values[:, place:place + len(channels)]
            place += len(channels)
            turn = [c for c in range(len(channels)) if channels[c].endswith("rotation")]
            order = "".join(channels[c][0] for c in turn)
            local = (euler_to_matrix(np.radians(values[:, turn]), order).astype(np.float64) if turn
                     else np.tile(np.eye(3), (count, 1, 1)))
            offset = np.tile(self.offsets[joint], (count, 1))
            for c, name in enumerate(channels):
                if name.endswith("position"):
                    # Position channels replace the offset, as exporters write them.
                    offset[:, "XYZ".index(name[0])] = values[:, c]
            if parent < 0:
                positions.append(offset)
                rotations.append(local)
            else:
                positions.append(positions[parent] + (rotations[parent] @ offset[..., None])[..., 0])
                rotations.append(rotations[parent] @ local)
        return np.stack(positions, 1), np.stack(rotations, 1)


def bvh_rig(bvh, bone_map=None, name="the file", up=None, notify=None):
    """(Rig, poses (T,J,4,4)) of a BVH; the file's up axis becomes z. bone_map None detects it from the names; up None
    finds it in the motion. notify(sentence): what is left out, assumed or unsure."""
    from core.retarget.bonemap import absent_sentence, check_map, detect, require, unsure_sentence
    count = len(bvh.names)
    bvh = _with_offsets(bvh, name, notify)
    heads = np.zeros((count, 3))
    for joint in range(count):
        # The root's own offset is its place in the first frame in some exporters; it says nothing about the rest.
        parent = bvh.parents[joint]
        heads[joint] = heads[parent] + bvh.offsets[joint] if parent >= 0 else 0.0
    if bone_map is None:
        rows = detect([(n, bvh.names[p] if p >= 0 else None) for n, p in zip(bvh.names, bvh.parents)],
                      dict(zip(bvh.names, heads.tolist())))
        bone_map = require(rows, name)
        if notify is not None and unsure_sentence(rows):
            notify(unsure_sentence(rows, name))
    check_map(bone_map, bvh.names, name)
    if notify is not None and absent_sentence(bone_map):
        notify(absent_sentence(bone_map, name))
    if notify is not None:
        _tell_empty(bone_map, bvh, heads, name, notify)
    rest = np.tile(np.eye(4), (count, 1, 1))
    rest[:, :3, 3] = heads
    poses = bvh_poses(bvh)
    rig = Rig(tuple(bvh.names), tuple(bvh.parents), rest, _tails(bvh, heads), np.eye(4), bone_map, 1 / bvh.frame_time)
    world, upright = np.eye(4), stands(rig)
    world[:3, :3] = _up_to_z(bvh, heads if upright else None, poses[..., :3, 3], bone_map, up, name, notify)
    rig = replace(rig, matrix_world=world)
    return (rig if upright else standing_rig(rig, poses, notify)), poses


def bvh_poses(bvh):
    """(T,J,4,4) joint matrices in the file's axes."""
    positions, rotations = bvh.global_pose()
    poses = np.zeros((*positions.shape[:2], 4, 4))
    poses[..., :3, :3], poses[..., :3, 3], poses[..., 3, 3] = rotations, positions, 1.0
    return poses


def _with_offsets(bvh, name, notify):
    """The skeleton with the middle of its position channels where it has no offsets of its own."""
    offsets, place = bvh.offsets.copy(), 0
    for joint, channels in enumerate(bvh.channels):
        at = ["XYZ".index(c[0]) for c in channels if c.endswith("position")]
        values = bvh.values[:, [place + c for c in range(len(channels)) if channels[c].endswith("position")]]
        place += len(channels)
        if bvh.parents[joint] >= 0 and len(at) == 3 and not np.abs(offsets[joint]).any():
            offsets[joint, at] = np.median(values, axis=0)
    changed = [bvh.names[joint] for joint in np.flatnonzero(np.abs(offsets - bvh.offsets).any(axis=1))]
    if changed and notify is not None:
        notify(f"{name} has no skeleton of its own (OFFSET 0 for {changed[0]}"
               + (f" and {len(changed) - 1} more" if len(changed) > 1 else "")
               + "); it is taken from the positions in its channels.")
    return replace(bvh, offsets=offsets)


def _tell_empty(bone_map, bvh, heads, name, notify):
    """Name the bones of no length: one that starts where its parent does tells by its turn, not by its place."""
    place = {joint: heads[bvh.names.index(bone)] for joint, bone in bone_map.items()}
    size = float(np.ptp(heads, axis=0).max()) or 1.0

    def empty(start, end):
        return start in place and end in place and np.linalg.norm(place[start] - place[end]) < 1e-6 * size

    if empty("left_hip", "right_hip"):
        notify(f"{name}: {bone_map['left_hip']} and {bone_map['right_hip']} start at the same point; usual hips are "
               "assumed.")
    for start, end in ((f"{side}_{start}", f"{side}_{end}") for side in ("left", "right") for start, end in (
            ("hip", "knee"), ("knee", "ankle"), ("ankle", "foot"), ("shoulder", "elbow"), ("elbow", "wrist"),
            ("wrist", "hand"))):
        if empty(start, end):
            notify(f"{name}: {bone_map[end]} ({end}) starts where {bone_map[start]} does, which so has no direction; "
                   "only its turn is used.")


def _tails(bvh, heads):
    tails = heads.copy()
    for joint, name in enumerate(bvh.names):
        children = [c for c, parent in enumerate(bvh.parents) if parent == joint]
        if children:
            tails[joint] = heads[children].mean(axis=0)
        elif name in bvh.ends:
            tails[joint] = heads[joint] + bvh.ends[name]
    return tails


def _up_to_z(bvh, heads, positions, bone_map, up, name, notify):
    """Rotation from the file's axes to a z-up world: what the motion says, with a rest that stands as a hint
    (`up.py`)."""
    place = {bone: number for number, bone in enumerate(bvh.names)}
    head, feet = place[bone_map["head"]], [place[bone_map["left_ankle"]], place[bone_map["right_ankle"]]]
    hint = None if heads is None else nearest_axis(heads[head] - heads[feet].mean(axis=0))
    some = positions[::max(1, len(positions) // 2000)]
    axis = find_up(some, some[:, head], some[:, feet], hint=hint, asked=up, name=name, notify=notify)
    if notify is not None and hint not in (None, axis) and up in (None, "auto"):
        notify(f"{name}: its rest pose stands along {hint} and its motion along {axis}, which is taken for up; say "
               f"--up {hint} if the body lies.")
    return to_z(axis)


def format_bvh(motion, scale=100.0):
    """`Motion` -> BVH text with SMPL-24 names: y up, facing +z, centimetres (scale 100) on the canonical skeleton."""
    to_bvh = ROOT_TO_BLENDER.T
    lines, order = ["HIERARCHY"], []
    _write_joint(lines, order, 0, "", scale)
    rotations = motion.rotations.copy()
    rotations[:, 0] = to_bvh @ rotations[:, 0]
    angles = np.degrees(matrix_to_euler(rotations, "ZXY"))
    root = (motion.root @ to_bvh.T) * scale
    values = np.concatenate([root, angles[:, order].reshape(len(motion), -1)], axis=1)
    lines += ["MOTION", f"Frames: {len(motion)}", f"Frame Time: {1 / motion.fps:.8f}"]
    lines += [" ".join(f"{value:.5f}" for value in row) for row in values]
    return "\n".join(lines) + "\n"


def _write_joint(lines, order, joint, indent, scale):
    order.append(joint)
    offset = " ".join(f"{value:.5f}" for value in OFFSETS[joint] * scale)
    lines.append(f"{indent}{'JOINT' if joint else 'ROOT'} {JOINTS[joint]}")
    lines += [f"{indent}{{", f"{indent}\tOFFSET {offset}"]
    position = "Xposition Yposition Zposition " if joint == 0 else ""
    lines.append(f"{indent}\tCHANNELS {6 if joint == 0 else 3} {position}Zrotation Xrotation Yrotation")
    children = [child for child, parent in enumerate(PARENTS) if parent == joint]
    for child in children:
        _write_joint(lines, order, child, indent + "\t", scale)
    if not children:
        end = " ".join(f"{value:.5f}" for value in _end_offset(joint) * scale)
        lines += [f"{indent}\tEnd Site", f"{indent}\t{{", f"{indent}\t\tOFFSET {end}", f"{indent}\t}}"]
    lines.append(f"{indent}}}")


def _end_offset(joint):
    """A short tip (metres) for leaf joints, so that viewers draw them: the head upward, others onward."""
    if JOINTS[joint] == "head":
        return np.array([0.0, 0.18, 0.0])
    if JOINTS[joint].endswith("foot"):
        return np.array([0.0, 0.0, 0.06])
    return OFFSETS[joint]
