"""Skeletons with joints of no length or without some joints: what is known is read rightly, what is not is named."""
import re

import numpy as np
import pytest

from core.body.kinematics import OFFSETS, forward_kinematics
from core.body.rotations import axis_angle_to_matrix
from core.contract import JOINTS
from core.errors import BadInput
from core.motion_files import read_motion
from core.motion_files.bvh import format_bvh
from core.retarget.rest import SHARE, fill_unmapped
from tests.core.test_standing import angles_between

SIDES = ("left", "right")


def both(*parts):
    return [f"{side}_{part}" for side in SIDES for part in parts]


def with_offsets(text, offsets):
    """The file with other OFFSETs, {joint: (3,) centimetres}."""
    for joint, offset in offsets.items():
        text = re.sub(rf"((?:ROOT|JOINT) {joint}\n\s*{{\n\s*OFFSET) [^\n]*",
                      rf"\1 {' '.join(f'{v:.5f}' for v in offset)}", text)
    return text


def read(tmp_path, text):
    notes = []
    (tmp_path / "clip.bvh").write_text(text)
    return read_motion(tmp_path / "clip.bvh", notify=notes.append), notes


EMPTY = {"neck": ["neck"], "head": ["head"], "collars": both("collar"), "one collar": ["left_collar"],
         "shoulders": both("shoulder"), "spine": ["spine1", "spine2", "spine3"], "a link of the spine": ["spine2"],
         "the chest": ["spine3"], "neck and collars": ["neck", *both("collar")], "toes": both("foot"),
         "one toe": ["left_foot"], "one hip": ["right_hip"], "one hand": ["left_hand"], "hips": both("hip"),
         "forearms": both("wrist"), "one forearm": ["left_wrist"], "one upper arm": ["right_elbow"],
         "thighs": both("knee"), "one thigh": ["left_knee"], "shins": both("ankle"), "one shin": ["right_ankle"]}
SAID = ("toes", "one toe", "one hand", "hips", "forearms", "one forearm", "one upper arm", "thighs", "one thigh",
        "shins", "one shin")


@pytest.mark.parametrize("case", EMPTY)
def test_no_length_changes_no_other_joint(tmp_path, motion, text, case):
    got, notes = read(tmp_path, with_offsets(text, dict.fromkeys(EMPTY[case], (0, 0, 0))))
    assert angles_between(got, motion).max() < 3.0
    assert any(EMPTY[case][0] in note for note in notes) == (case in SAID)
    assert not any("pelvis" in note for note in notes)          # the thighs go on moving with it


def test_end_sites_of_no_length(tmp_path, motion, text):
    got, _ = read(tmp_path, re.sub(r"(End Site\n\s*{\n\s*OFFSET) [^\n]*", r"\1 0 0 0", text))
    assert angles_between(got, motion).max() < 0.1


def test_fingers_of_no_length(tmp_path, motion, text):
    """Several fingers that all start at the wrist tell no direction of the hand."""
    finger = ("JOINT {side}{name}\n{{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
              "End Site\n{{\nOFFSET 0 0 0\n}}\n}}\n")
    for side in SIDES:
        whole = "".join(finger.format(side=side, name=name) for name in ("Index1", "Ring1", "Pinky1"))
        text = re.sub(rf"\t*JOINT {side}_hand\n.*?End Site\n.*?}}\n\t*}}\n", whole, text, flags=re.DOTALL)
    head, rows = text.split("MOTION\n")
    names = re.findall(r"(?:JOINT|ROOT) (\S+)", head)
    first, second, *values = rows.strip().split("\n")
    place = 3 + 3 * names.index("leftIndex1")
    wide = []
    for row in values:
        cells = row.split()
        cells = cells[:place] + ["0"] * 6 + cells[place:]        # two more joints, and again on the right
        wide.append(" ".join(cells[:3 + 3 * names.index("rightRing1")] + ["0"] * 6
                             + cells[3 + 3 * names.index("rightRing1"):]))
    got, _ = read(tmp_path, head + "MOTION\n" + "\n".join([first, second, *wide]) + "\n")
    hands = [JOINTS.index(joint) for joint in both("hand")]
    assert np.delete(angles_between(got, motion), hands).max() < 3.0


def without(motion, left_out):
    """BVH text of the motion without some joints; what hangs on them moves to the joint above."""
    _, turns = forward_kinematics(motion.rotations, motion.root)
    text = format_bvh(motion)
    head, rows = text.split("MOTION\n")
    order = re.findall(r"(?:JOINT|ROOT) (\S+)", head)
    parent = {}
    stack, name = [], None
    for line in head.split("\n"):
        words = line.split()
        if words[:1] in (["JOINT"], ["ROOT"]):
            name = words[1]
        elif words[:1] == ["{"]:
            stack.append(name)
            if len(stack) > 1 and name not in parent and name != stack[-2]:
                parent[name] = stack[-2]
        elif words[:1] == ["}"]:
            stack.pop()
    above = {joint: parent.get(joint) for joint in order}
    offset = {joint: OFFSETS[JOINTS.index(joint)] * 100 for joint in order}
    for joint in left_out:
        for child in [c for c, p in above.items() if p == joint]:
            above[child], offset[child] = above[joint], offset[child] + offset[joint]
    from core.body.rotations import ROOT_TO_BLENDER, matrix_to_euler
    kept = [joint for joint in order if joint not in left_out]
    lines, columns = ["HIERARCHY"], [motion.root @ ROOT_TO_BLENDER * 100]

    def write(joint):
        lines.append(f"{'JOINT' if above[joint] else 'ROOT'} {joint}\n{{\nOFFSET "
                     + " ".join(f"{v:.5f}" for v in (offset[joint] if above[joint] else np.zeros(3))))
        lines.append(f"CHANNELS {3 if above[joint] else 6} {'' if above[joint] else 'Xposition Yposition Zposition '}"
                     "Zrotation Xrotation Yrotation")
        base = np.swapaxes(turns[:, JOINTS.index(above[joint])], -1, -2) if above[joint] else ROOT_TO_BLENDER.T
        local = base @ turns[:, JOINTS.index(joint)]
        columns.append(np.degrees(matrix_to_euler(local, "ZXY")))
        children = [c for c in kept if above[c] == joint]
        for child in children:
            write(child)
        end = OFFSETS[JOINTS.index(joint.replace("ankle", "foot"))] * 100
        lines.append("}" if children else f"End Site\n{{\nOFFSET {' '.join(f'{v:.5f}' for v in end)}\n}}\n}}")
    write("pelvis")
    values = np.concatenate(columns, axis=1)
    lines += ["MOTION", f"Frames: {len(motion)}", "Frame Time: 0.03333333"]
    return "\n".join(lines + [" ".join(f"{v:.5f}" for v in row) for row in values]) + "\n"


@pytest.mark.parametrize("left_out,unknown", [
    (["spine3"], ["spine3"]), (["spine2"], ["spine2"]), (["neck"], ["neck"]), (both("collar"), both("collar")),
    (both("foot"), both("foot")), (["spine3", "neck", *both("collar")], ["spine3", "neck", *both("collar")])])
def test_joints_that_are_not_there_are_named_and_change_no_other(tmp_path, motion, left_out, unknown):
    """A chest at the place of spine2 is spine2; one at the place of spine3 leaves spine2 between."""
    got, notes = read(tmp_path, without(motion, left_out))
    known = [number for number, joint in enumerate(JOINTS) if joint not in (*unknown, "left_hand", "right_hand")]
    assert angles_between(got, motion)[known].max() < 3.0
    assert notes and all(joint in notes[0] for joint in left_out)


def test_a_chest_that_is_not_there_turns_on_as_both_collars_do():
    """What they turn alike is the chest's; a shrug, left and right opposite, is not."""
    turns = np.tile(np.eye(3), (4, 24, 1, 1))
    bend, shrug = np.array([0.0, 0.2, 0.0]), np.array([0.0, 0.0, 0.3])
    for joint, sign in (("left_collar", 1), ("right_collar", -1)):
        turns[2, JOINTS.index(joint)] = axis_angle_to_matrix(bend)
        turns[3, JOINTS.index(joint)] = axis_angle_to_matrix(sign * shrug)
    bones = {joint: number for number, joint in enumerate(JOINTS)} | {"spine3": JOINTS.index("spine2")}
    fill_unmapped(turns, bones)
    assert np.allclose(turns[2, JOINTS.index("spine3")], axis_angle_to_matrix(SHARE * bend), atol=1e-6)
    assert np.allclose(turns[[0, 1, 3], JOINTS.index("spine3")], np.eye(3), atol=1e-6)


def test_legs_of_no_length_are_a_sentence(tmp_path, text):
    with pytest.raises(BadInput):
        read(tmp_path, with_offsets(text, dict.fromkeys(both("knee", "ankle", "hip"), (0, 0, 0))))


def test_a_rest_beyond_measure_is_a_sentence():
    from dataclasses import replace

    from tests.core import rigs
    rig = rigs.smpl_rig()
    huge = rig.rest.copy()
    huge[3, 2, 3] = 1e308
    with pytest.raises(BadInput, match="beyond measure"):
        replace(rig, rest=huge)
