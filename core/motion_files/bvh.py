"""BVH: any humanoid skeleton in, SMPL-24 names out."""
from dataclasses import dataclass

import numpy as np

from core.body.kinematics import OFFSETS
from core.body.rotations import ROOT_TO_BLENDER, euler_to_matrix, matrix_to_euler
from core.contract import JOINTS, PARENTS
from core.errors import BadInput
from core.retarget.rig import Rig

END = "_end"


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


def parse_bvh(text, name="the file"):
    """BVH text -> `Bvh`. Raises BadInput with the line that cannot be read."""
    lines = text.splitlines()
    names, parents, offsets, channels, ends = [], [], [], [], {}
    stack, in_end, number = [], False, 0
    try:
        for number, line in enumerate(lines):  # noqa: B007 (named in the error message)
            words = line.split()
            if not words:
                continue
            head = words[0].upper()
            if head in ("ROOT", "JOINT"):
                parents.append(stack[-1] if stack else -1)
                names.append(_unique(" ".join(words[1:]) or "joint", names))
                offsets.append([0.0, 0.0, 0.0])
                channels.append([])
            elif head == "END":
                in_end = True
            elif head == "{":
                stack.append(-2 if in_end else len(names) - 1)
            elif head == "}":
                in_end = False if stack.pop() == -2 else in_end
            elif head == "OFFSET":
                offset = [float(word) for word in words[1:4]]
                if in_end:
                    ends[names[stack[-2]]] = offset
                else:
                    offsets[stack[-1]] = offset
            elif head == "CHANNELS":
                channels[stack[-1]] = [word[0].upper() + word[1:].lower() for word in words[2:2 + int(words[1])]]
            elif head == "MOTION":
                break
            elif head != "HIERARCHY":
                raise ValueError(f"unknown word {words[0]!r}")
        else:
            raise ValueError("no MOTION section")
        number += 1
        frame_time = None
        while number < len(lines):
            words = lines[number].split()
            if words and words[0].lower().startswith("frame"):
                if ":" in lines[number] and "time" in lines[number].lower():
                    frame_time = float(words[-1])
            elif words:
                break
            number += 1
        if not names or frame_time is None or not frame_time > 0:
            raise ValueError("no joints or no valid Frame Time")
        width = sum(len(c) for c in channels)
        values = np.array(" ".join(lines[number:]).split(), dtype=np.float64)
    except (ValueError, IndexError) as error:
        raise BadInput(f"{name} is not a readable BVH (line {number + 1}: {error}); export it again.") from error
    if width == 0 or len(values) == 0 or len(values) % width:
        raise BadInput(f"{name} has {len(values)} motion values, not a multiple of its {width} channels; "
                       "the file is empty or cut short.")
    return Bvh(names, parents, np.array(offsets, dtype=np.float64), channels, values.reshape(-1, width), frame_time, ends)


def _unique(name, taken):
    number, result = 1, name
    while result in taken:
        number += 1
        result = f"{name}.{number:03d}"
    return result


def bvh_rig(bvh, bone_map=None, name="the file"):
    """(Rig, poses (T,J,4,4)) of a BVH; the file's up axis becomes z. bone_map None detects it from the names."""
    from core.retarget.bonemap import check_map, detect, require
    if bone_map is None:
        rows = detect([(n, bvh.names[p] if p >= 0 else None) for n, p in zip(bvh.names, bvh.parents)])
        bone_map = require(rows, name)
    check_map(bone_map, bvh.names, name)
    count = len(bvh.names)
    heads = np.zeros((count, 3))
    for joint in range(count):
        # The root's own offset is its place in the first frame in some exporters; it says nothing about the rest.
        parent = bvh.parents[joint]
        heads[joint] = heads[parent] + bvh.offsets[joint] if parent >= 0 else 0.0
    rest = np.tile(np.eye(4), (count, 1, 1))
    rest[:, :3, 3] = heads
    positions, rotations = bvh.global_pose()
    poses = np.tile(np.eye(4), (*positions.shape[:2], 1, 1))
    poses[..., :3, :3], poses[..., :3, 3] = rotations, positions
    world = np.eye(4)
    world[:3, :3] = _up_to_z(bvh, heads, bone_map)
    rig = Rig(tuple(bvh.names), tuple(bvh.parents), rest, _tails(bvh, heads), world, bone_map, 1 / bvh.frame_time)
    return rig, poses


def _tails(bvh, heads):
    tails = heads.copy()
    for joint, name in enumerate(bvh.names):
        children = [c for c, parent in enumerate(bvh.parents) if parent == joint]
        if children:
            tails[joint] = heads[children].mean(axis=0)
        elif name in bvh.ends:
            tails[joint] = heads[joint] + bvh.ends[name]
    return tails


def _up_to_z(bvh, heads, bone_map):
    """Rotation from the file's axes to a z-up world: y-up (the usual) or z-up, by the rest skeleton's own height."""
    place = {name: number for number, name in enumerate(bvh.names)}
    up = heads[place[bone_map["head"]]] - heads[place[bone_map["left_ankle"]]]
    return np.eye(3) if abs(up[2]) > 2 * abs(up[1]) else ROOT_TO_BLENDER.astype(np.float64)


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
