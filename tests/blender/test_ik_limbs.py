"""Plain rigs with IK constraints of their own: the goals are keyed along, so limbs go where the take has them."""
import bpy
import numpy as np
import pytest

from baton.blender_addon.scene import body_parts, bone_map, compat, ik_limbs
from tests.blender import on_rigs, scenes

LIMBS = ["left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle", "left_shoulder", "left_elbow",
         "left_wrist", "right_wrist", "head"]
FRAMES = range(on_rigs.FIRST, on_rigs.FIRST + 90, 3)


def dance(rig, folder):
    """World matrices of the limbs in a dance of three seconds on the rig."""
    on_rigs.put(rig, "dance 3.0", folder)
    return on_rigs.worlds(rig, FRAMES, LIMBS)


def test_the_limbs_of_a_rig(blender):
    rig = on_rigs.plain_ik()
    bone_map.detect(rig)
    found = {limb["joints"][0]: limb for limb in ik_limbs.limbs(rig, bone_map.current(rig))}
    assert set(found) == {"left_hip", "right_hip", "left_shoulder"}
    left = found["left_hip"]
    assert (left["goal"], left["control"], left["pole"]) == ("ik_left", "foot_ctrl_left", "pole_left")
    assert left["still"] == ["heel_left", "ik_left"] and left["copies"]
    assert found["left_shoulder"]["control"] == "ik_left_hand" and found["left_shoulder"]["pole"] is None
    limbs = body_parts.limbs(rig)
    assert limbs["foot_ctrl_left"] == limbs["pole_right"] == "legs" and limbs["ik_left_hand"] == "arm"


@pytest.mark.parametrize("posed", [False, True])
def test_a_dance_arrives_through_the_constraints(blender, tmp_path, posed):
    """As on the same rig without constraints; afterwards all is as it was, bit for bit."""
    rig = on_rigs.plain_ik()
    if posed:
        rig.pose.bones["root"].location, rig.pose.bones["root"].rotation_mode = (0.3, -0.2, 0.0), "XYZ"
        rig.pose.bones["root"].rotation_euler.y = 0.7
        rig.pose.bones["heel_left"].rotation_quaternion = (0.96, 0.28, 0.0, 0.0)
        rig.pose.bones["ik_left_hand"].location = (0.1, 0.2, -0.1)
    bpy.context.view_layer.update()
    before = scenes.evaluated(rig, FRAMES)
    reached = dance(rig, tmp_path / "one")
    assert blender.ops.baton.remove_take(name=blender.context.scene.baton.takes[-1].name) == {"FINISHED"}
    assert np.array_equal(scenes.evaluated(rig, FRAMES), before)
    for pose in rig.pose.bones:
        for row in pose.constraints:
            row.mute = True
    wanted = dance(rig, tmp_path / "two")
    ends = [LIMBS.index(bone) for bone in ("left_ankle", "right_ankle", "left_wrist", "right_wrist", "head")]
    metres, degrees = on_rigs.apart(reached[:, ends], wanted[:, ends])
    assert metres < 1e-4 and degrees < 0.01, (metres, degrees)
    # The pole holds the knee where the thigh's front points, also while the leg is nearly straight.
    metres, degrees = on_rigs.apart(reached, wanted)
    assert metres < 0.03 and degrees < 5.0, (metres, degrees)


def test_a_goal_that_is_another_object_steps_aside(blender, tmp_path):
    """Nothing of the rig can lead such a limb: its constraint is off in the take, and on again after it."""
    rig = scenes.smpl_rig()
    goal = bpy.data.objects.new("Goal", None)
    bpy.context.scene.collection.objects.link(goal)
    goal.location = (0.3, -0.4, 0.2)
    row = rig.pose.bones["left_knee"].constraints.new("IK")
    row.target, row.chain_count, row.influence = goal, 2, 0.75
    on = dance(rig, tmp_path / "one")
    path = 'pose.bones["left_knee"].constraints["IK"].influence'
    assert path in {curve.data_path for curve in compat.read_curves(rig.animation_data)} and row.influence == 0.0
    assert blender.ops.baton.remove_take(name=blender.context.scene.baton.takes[-1].name) == {"FINISHED"}
    assert row.influence == 0.75
    row.mute = True
    assert on_rigs.apart(on, dance(rig, tmp_path / "two"))[0] < 1e-4
