"""What speaks against a bone map: hierarchy, rest pose and motion; and the bone that carries the body."""
from dataclasses import replace

import numpy as np
import pytest

from core.contract import JOINTS, PARENTS, bone_doubts, bone_tables
from core.retarget import bonemap, carrier, from_smpl, to_smpl
from core.retarget.rest import ID
from tests.core import rigs


def tree(**moved):
    """(mapping, parents, heads) of a body that agrees; moved {joint: other parent}."""
    place = rigs.body()
    parents = {name: JOINTS[PARENTS[number]] if PARENTS[number] >= 0 else None for number, name in enumerate(JOINTS)}
    return {name: name for name in JOINTS}, {**parents, **moved}, {name: tuple(at) for name, at in place.items()}


@pytest.mark.parametrize("options", [{}, {"arm_drop": 45}, {"arm_drop": 75}, {"leg_spread": 15},
                                     {"stretch": {"knee": 0.75, "elbow": 1.3}}, {"stretch": {"head": 2.0}}])
def test_bodies_of_all_kinds_agree(options):
    mapping, parents, _ = tree()
    assert bone_doubts.doubts(mapping, parents, {name: tuple(at) for name, at in rigs.body(**options).items()}) == {}


def exchanged(heads, one, two):
    return {**heads, one: heads[two], two: heads[one]}


WRONG = {
    "arms exchanged": (lambda h: exchanged(exchanged(h, "left_elbow", "right_elbow"), "left_wrist", "right_wrist"),
                       {"left_elbow", "right_wrist"}, {"left_knee"}),
    "a twist bone for the elbow": (lambda h: {**h,
                                              "left_elbow": tuple(0.9 * np.array(h["left_shoulder"]) + 0.1 * np.array(
        h["left_elbow"]))}, {"left_elbow"}, {"right_knee"}),
    "a heel for the toes": (lambda h: {**h, "left_foot": tuple(np.array(h["left_ankle"]) + [0, 0.1, -0.05])},
                            {"left_foot"}, {"right_foot"}),
    "the chest above the head": (lambda h: {**h, "spine3": tuple(np.array(h["head"]) + [0, 0, 0.2])}, {"neck"}, set()),
    "a root on the floor": (lambda h: {**h, "pelvis": (0.0, 0.0, 0.0)}, {"pelvis"}, {"left_hip"}),
    "a finger's end for the hand": (lambda h: {**h, "left_hand": tuple(np.array(h["left_wrist"]) + [0.6, 0, 0])},
                                    {"left_hand"}, {"right_hand"}),
}


@pytest.mark.parametrize("name", WRONG)
def test_where_bones_lie_is_asked(name):
    change, doubted, agreed = WRONG[name]
    mapping, parents, heads = tree()
    found = bone_doubts.doubts(mapping, parents, change(heads))
    assert doubted <= set(found) and not agreed & set(found)
    assert not bone_doubts.doubts(mapping, parents), "the hierarchy alone does not tell"


def test_the_hierarchy_is_asked():
    mapping, parents, heads = tree(left_knee="pelvis", spine1=None, left_collar="pelvis")
    found = bone_doubts.doubts(mapping, parents, heads)
    assert found["left_knee"] == "is not below left_hip" and found["pelvis"] == "does not carry spine1"
    assert found["left_collar"] == "is not below spine3"
    control = bone_tables.tables()["rigify_control"]["bones"]
    assert bone_doubts.doubts(control, dict.fromkeys(control.values())) == {}, "controls hang on constraints"


def test_doubts_lower_the_confidence_and_have_a_sentence():
    mapping, parents, heads = tree(left_knee="pelvis")
    rows = bonemap.detect(list(parents.items()), heads)
    row = next(row for row in rows if row.joint == "left_knee")
    assert row.bone == "left_knee" and row.how == "exact" and row.confidence <= 0.5 and row.unsure
    assert bonemap.unsure_sentence(rows, "Bob").startswith("Unsure bones of Bob: left_knee (is not below left_hip)")
    kept = bonemap.judged([replace(row, how="user", confidence=1.0, doubt="") for row in rows], parents, heads)
    assert bonemap.unsure_sentence(kept) == ""


def test_a_root_that_stays_behind_is_passed_over_in_the_motion():
    """The pelvis is the bone with which the thighs move, whatever its name."""
    rig = rigs.build(rigs.body(), {name: name for name in JOINTS}, root="root")
    poses = rigs.evaluate(rig, from_smpl(rigs.stepping(3.0)[0], rig))
    times = np.arange(len(poses)) / 30
    wrong = replace(rig, bone_map={**rig.bone_map, "pelvis": "root"})
    notes = []
    read, right = to_smpl(wrong, poses, times, notify=notes.append), to_smpl(rig, poses, times)
    assert len(notes) == 1 and f"{rig.bone_map['pelvis']}, with which they do" in notes[0]
    assert np.abs(read.rotations[:, ID["pelvis"]] - right.rotations[:, ID["pelvis"]]).max() < 1e-6
    notes.clear()
    to_smpl(rig, poses, times, notify=notes.append)
    assert notes == [] and carrier.mover(rig) == rig.bone("pelvis")
