"""Rests that do not stand: the same motion on skeletons with every bone along an axis, whichever that is."""
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from core.body.kinematics import OFFSETS, forward_kinematics
from core.body.rotations import ROOT_TO_BLENDER, matrix_to_euler
from core.contract import JOINTS, PARENTS
from core.motion_files import read_motion
from core.motion_files.bvh import format_bvh
from core.retarget.rest import swing
from models.lab.studio.dancer import dance
from models.lab.studio.plan import make_plan
from tests.core.test_motion_dialects import turned

CHILD = {parent: child for child, parent in enumerate(PARENTS) if parent > 0}
FEET = [JOINTS.index("left_ankle"), JOINTS.index("right_ankle")]
LEAVES = [joint for joint in range(24) if joint not in CHILD and joint]


def towards(joint):
    """The canonical direction a bone lies along, SMPL axes; trunk bones upwards, feet as they are."""
    name = JOINTS[joint]
    if name in ("pelvis", "spine1", "spine2", "spine3", "neck", "head"):
        return np.array([0.0, 1, 0])
    if name.endswith("ankle"):
        way = OFFSETS[CHILD[joint]] * [0, 1, 1]
        return way / np.linalg.norm(way)
    if name.endswith("foot"):
        return np.array([0.0, 0, 1])
    if name.endswith(("hip", "knee")):
        return np.array([0.0, -1, 0])
    return np.array([1.0, 0, 0]) * (1 if name.startswith("left") else -1)


def axes_of(along, mirrored):
    """{joint: (3,3)} bone axes -> SMPL axes, with `along` (signed axis number 1..3) the direction of every bone."""
    first = abs(along) - 1
    result = {}
    for joint in range(24):
        way = towards(joint)
        sign = np.sign(along) * (-1 if mirrored and JOINTS[joint].startswith("right") else 1)
        side = np.array([0.0, 0, 1]) if abs(way[0]) > 0.9 else np.array([1.0, 0, 0])
        columns = [None] * 3
        columns[first], columns[(first + 1) % 3] = sign * way, side
        columns[(first + 2) % 3] = np.cross(columns[first], columns[(first + 1) % 3])
        result[joint] = np.stack(columns, axis=1)
    return result


def turned_until_exact(along, seed):
    """{joint: (3,3)} bone axes -> SMPL axes, each bone exactly along one axis of its own, at a roll of any quarter."""
    rng, axis, result = np.random.default_rng(seed), np.eye(3)[along - 1], {}
    for joint, base in axes_of(along, False).items():
        name = JOINTS[joint]
        child = JOINTS.index({"pelvis": "spine1", "spine3": "neck"}.get(name, JOINTS[CHILD.get(joint, 0)]))
        way = OFFSETS[child] / np.linalg.norm(OFFSETS[child]) if child else towards(joint)
        roll = Rotation.from_rotvec(way * rng.integers(4) * np.pi / 2).as_matrix()
        result[joint] = roll @ swing(base @ axis, way) @ base
    return result


def straight():
    """(24,3) offsets of a body whose trunk and neck are one vertical line and whose collars are level."""
    offsets = OFFSETS.copy()
    for joint, parent in enumerate(PARENTS):
        if parent >= 0 and JOINTS[joint] in ("spine1", "spine2", "spine3", "neck", "head"):
            offsets[joint] = np.array([0, 1.0, 0]) * np.linalg.norm(offsets[joint])
        if JOINTS[joint].endswith("shoulder"):
            offsets[joint] = towards(parent) * np.linalg.norm(offsets[joint])
    return offsets


def bvh_of(motion, axes, world, offsets=OFFSETS):
    """BVH text of a motion on a skeleton with these bone axes, in a world turned by `world` from z up."""
    rotations = forward_kinematics(motion.rotations, motion.root)[1]
    bones = np.stack([world @ rotations[:, j] @ axes[j] for j in range(24)], 1)
    local = np.stack([bones[:, j] if p < 0 else np.swapaxes(bones[:, p], -1, -2) @ bones[:, j]
                      for j, p in enumerate(PARENTS)], 1)
    lines, order = ["HIERARCHY"], []

    def write(joint):
        order.append(joint)
        parent = PARENTS[joint]
        offset = np.zeros(3) if parent < 0 else axes[parent].T @ offsets[joint] * 100
        lines.append(f"{'JOINT' if joint else 'ROOT'} {JOINTS[joint]}\n{{\nOFFSET "
                     f"{' '.join(f'{v:.6f}' for v in offset)}")
        lines.append("CHANNELS 3 Zrotation Yrotation Xrotation" if joint else
                     "CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation")
        for child, above in enumerate(PARENTS):
            if above == joint:
                write(child)
        lines.append("End Site\n{\nOFFSET 5 0 0\n}\n}" if joint in LEAVES else "}")
    write(0)
    angles = np.degrees(matrix_to_euler(local, "ZYX"))[:, order].reshape(len(motion), -1)
    values = np.concatenate([motion.root @ world.T * 100, angles], 1)
    lines += ["MOTION", f"Frames: {len(motion)}", "Frame Time: 0.03333333"]
    return "\n".join(lines + [" ".join(f"{v:.5f}" for v in row) for row in values]) + "\n"


def angles_between(a, b):
    """(24,) largest difference of each joint's global rotation, degrees, facing aside."""
    one, two = (forward_kinematics(m.rotations, m.root)[1] for m in (a.canonical(), b.canonical()))
    return np.degrees(np.arccos(np.clip((np.einsum("tjab,tjab->tj", one, two) - 1) / 2, -1, 1))).max(axis=0)


@pytest.fixture(scope="module", params=[("krump", 4), ("ballet-jazz", 8)], ids=lambda p: p[0])
def motion(request):
    return dance(make_plan("dance", request.param[1], genre=request.param[0], duration=6.0))


@pytest.mark.parametrize("along", [1, 2, 3, -1, -2, -3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_every_bone_along_one_axis(tmp_path, motion, along, mirrored):
    world = (np.eye(3), ROOT_TO_BLENDER.T)[along % 2]
    (tmp_path / "clip.bvh").write_text(bvh_of(motion, axes_of(along, mirrored), world))
    angles = angles_between(read_motion(tmp_path / "clip.bvh"), motion)
    assert np.delete(angles, FEET).max() < 3.0
    assert angles[FEET].max() < 4.0  # whose toes never lie still, and who seldom stands flat, leaves the sole less sure


@pytest.mark.parametrize("along", [1, 2, -3])
def test_feet_whose_axes_lie_flat_as_the_body_does(tmp_path, motion, along):
    """Their offsets point down and outwards in their own axes."""
    axes = axes_of(along, False)
    for side in ("left", "right"):
        axes[JOINTS.index(f"{side}_ankle")] = axes[JOINTS.index(f"{side}_foot")]
    (tmp_path / "clip.bvh").write_text(bvh_of(motion, axes, ROOT_TO_BLENDER.T))
    assert angles_between(read_motion(tmp_path / "clip.bvh"), motion).max() < 1.0


def test_toes_tell_how_a_sole_lies_where_a_dancer_never_stands_on_it(tmp_path, motion):
    """All on tiptoe: the ankles pitched by 20 degrees, the toes against them as before."""
    turns = motion.rotations.copy()
    for side in ("left", "right"):
        turns[:, JOINTS.index(f"{side}_ankle")] @= Rotation.from_rotvec([np.radians(20.0), 0, 0]).as_matrix()
        turns[:, JOINTS.index(f"{side}_foot")] = np.eye(3)
    tiptoe = replace(motion, rotations=turns.astype(np.float32))
    (tmp_path / "clip.bvh").write_text(bvh_of(tiptoe, axes_of(1, False), ROOT_TO_BLENDER.T))
    assert angles_between(read_motion(tmp_path / "clip.bvh"), tiptoe).max() < 1.0


@pytest.mark.parametrize("along", [1, 2, 3])
def test_axes_turned_until_each_meets_the_next_joint(tmp_path, motion, along):
    """As joint orients of animation programs do; necks, collars and toes are quarter turns no more."""
    (tmp_path / "clip.bvh").write_text(bvh_of(motion, turned_until_exact(along, along), ROOT_TO_BLENDER.T))
    angles = angles_between(read_motion(tmp_path / "clip.bvh"), motion)
    assert np.delete(angles, FEET).max() < 3.0 and angles[FEET].max() < 4.5


@pytest.mark.parametrize("seed", [5, 6])
def test_bones_that_are_rolled_freely_are_read_by_their_hinges(tmp_path, motion, seed):
    """No quarter turn fits; how a limb is turned about itself is then known roughly, and said."""
    rng, notes = np.random.default_rng(seed), []
    axes = {joint: Rotation.from_rotvec(towards(joint) * rng.uniform(0, 2 * np.pi)).as_matrix() @ base
            for joint, base in axes_of(1, False).items()}
    (tmp_path / "clip.bvh").write_text(bvh_of(motion, axes, ROOT_TO_BLENDER.T))
    angles = angles_between(read_motion(tmp_path / "clip.bvh", notify=notes.append), motion)
    hands = [JOINTS.index("left_hand"), JOINTS.index("right_hand")]
    assert np.delete(angles, hands).max() < 35.0 and np.median(angles) < 12.0 and "rolled freely" in notes[0]


def test_a_straight_trunk_is_not_taken_for_a_turned_one(tmp_path, motion):
    (tmp_path / "clip.bvh").write_text(bvh_of(motion, axes_of(1, False), ROOT_TO_BLENDER.T, straight()))
    angles = angles_between(read_motion(tmp_path / "clip.bvh"), motion)
    assert angles[[JOINTS.index(name) for name in ("pelvis", "spine3", "neck", "left_collar", "head")]].max() < 3.0


def test_joints_of_no_length_are_named(tmp_path, motion):
    """Hands at the wrists, thighs at the pelvis, a skeleton only in the channels: read, and said."""
    text = format_bvh(motion)
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line.strip() in ("JOINT left_hand", "JOINT right_hand", "JOINT left_hip", "JOINT right_hip"):
            lines[number + 2] = "OFFSET 0 0 0"
        if line.strip() in ("JOINT left_knee", "JOINT right_knee"):          # as stick figures have them
            joint = JOINTS.index(line.split()[1])
            lines[number + 2] = "OFFSET " + " ".join(f"{v:.5f}" for v in (OFFSETS[joint] + OFFSETS[PARENTS[joint]])
                                                     * 100)
    notes, path = [], tmp_path / "clip.bvh"
    path.write_text("\n".join(lines))
    read = read_motion(path, notify=notes.append)
    assert len(notes) == 3 and "clip.bvh" in notes[0] and "left_hip" in notes[0] and "left_hand" in notes[1]
    assert angles_between(read, motion).max() < 3.0


def test_a_skeleton_in_the_channels_alone(tmp_path, motion):
    """OFFSET 0 everywhere, six channels a joint."""
    head, rows = format_bvh(motion).split("MOTION\n")
    order = [line.split()[1] for line in head.split("\n") if line.split()[:1] in (["JOINT"], ["ROOT"])]
    six = "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
    head = "\n".join("OFFSET 0 0 0" if "OFFSET" in line else six if "CHANNELS" in line else line
                     for line in head.split("\n"))
    first, second, *values = rows.strip().split("\n")
    changed = []
    for row in values:
        numbers = row.split()
        cells = [" ".join(numbers[:6])]
        for place, name in enumerate(order[1:]):
            offset = OFFSETS[JOINTS.index(name)] * 100
            cells.append(" ".join([*(f"{v:.5f}" for v in offset), *numbers[6 + 3 * place:9 + 3 * place]]))
        changed.append(" ".join(cells))
    path, notes = tmp_path / "clip.bvh", []
    path.write_text(head + "MOTION\n" + "\n".join([first, second, *changed]) + "\n")
    assert turned(read_motion(path, notify=notes.append), motion) < 0.5 and "taken from the positions" in notes[0]
