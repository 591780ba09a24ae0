"""A take begins by steps from any pose of a control rig too: whatever keys its legs, no foot is faster than a metre a
second, none goes through the floor, and before the passage nothing moves."""
import numpy as np
import pytest
from mathutils import Matrix

from baton.blender_addon.scene import bone_map, compat
from tests.blender import on_rigs, scenes
from tests.blender.test_rigs import rigify

FIRST = on_rigs.FIRST
FEET = ("ankle", "foot")


def rigify_on(fk):
    """Legs animated on IK, with a rolled heel, or on FK."""
    def make(blender, tmp_path):
        rig = rigify(blender, tmp_path)
        for side in "LR":
            rig.pose.bones[f"thigh_parent.{side}"]["IK_FK"] = float(fk)
        if not fk:
            heel = rig.pose.bones["foot_heel_ik.R"]
            heel.rotation_mode = "XYZ"
            heel.rotation_euler.x = 0.4
        return rig
    make.__name__ = f"rigify_{'fk' if fk else 'ik'}"
    return make


def plain_ik(blender, tmp_path):
    return on_rigs.plain_ik()


def rolled_heel(blender, tmp_path):
    rig = on_rigs.plain_ik()
    rig.pose.bones["heel_right"].rotation_mode = "XYZ"
    rig.pose.bones["heel_right"].rotation_euler.x = -0.4
    return rig


def raise_leg(rig):
    """One leg raised and spread, by whatever leads it; keys before and after, so that the take has something below."""
    names = {bone.name for bone in rig.pose.bones}
    rows = [("foot_ik.L", "location", (0.15, -0.35, 0.4)), ("thigh_fk.L", "rotation_quaternion", (0.86, 0.5, 0, 0.1)),
            ("shin_fk.L", "rotation_quaternion", (0.92, 0.4, 0, 0)), ("torso", "location", (0, -0.03, -0.05)),
            ("pelvis", "location", (0.02, -0.03, -0.03))]
    for bone, channel, value in rows:
        if bone in names:
            pose = rig.pose.bones[bone]
            pose.rotation_mode = "QUATERNION"
            setattr(pose, channel, value)
            pose.keyframe_insert(channel, frame=1)
            pose.keyframe_insert(channel, frame=FIRST + 2)
    if "foot_ctrl_left" in names:
        pose = rig.pose.bones["foot_ctrl_left"]
        world = Matrix.Translation((0.1, -0.35, 0.4)) @ pose.bone.matrix_local
        pose.location = (pose.bone.matrix_local.inverted() @ world).to_translation()
        pose.keyframe_insert("location", frame=1)


def feet(rig, frames):
    """(T, 2, 2, 3) ankle and ball of both feet in the world."""
    seen = bone_map.reading_map(rig, bone_map.current(rig))
    names = [seen[f"{side}_{joint}"] for side in ("left", "right") for joint in FEET]
    return on_rigs.worlds(rig, frames, names)[..., :3, 3].reshape(len(frames), 2, 2, 3)


@pytest.mark.parametrize("make", [rigify_on(False), rigify_on(True), plain_ik, rolled_heel],
                         ids=lambda make: make.__name__)
def test_feet_step_into_the_take(blender, tmp_path, make):
    scene, seconds = blender.context.scene, 7.0
    rig = make(blender, tmp_path)
    raise_leg(rig)
    blender.context.view_layer.objects.active = rig
    bone_map.detect(rig)
    around = list(range(1, FIRST + int(seconds * on_rigs.FPS) - 15))
    before = scenes.evaluated(rig, range(1, FIRST + 1))
    seen = bone_map.reading_map(rig, bone_map.current(rig))
    at_rest = {joint: rig.data.bones[seen[f"left_{joint}"]].head_local.z for joint in FEET}
    started = feet(rig, [FIRST])[0]
    assert started[0, 0, 2] > at_rest["ankle"] + 0.25, "the leg is raised"
    plain = on_rigs.put(rig, f"stand {seconds}", tmp_path / "plain")
    goal = feet(rig, around)
    blender.ops.baton.remove_take(name=plain.name)

    on_rigs.put(rig, f"stand {seconds}", tmp_path / "stepped", blend=0.4)
    assert np.abs(scenes.evaluated(rig, range(1, FIRST)) - before[:-1]).max() < 1e-6, "before it, nothing moves"
    places = feet(rig, around)
    speed = np.linalg.norm(np.diff(places, axis=0), axis=-1) * on_rigs.FPS
    assert speed.max() <= 1.0
    assert np.abs(places[FIRST - 1] - started).max() < 0.01, "it begins where the rig is"
    # A foot that was nearly there is held where it stands instead of being dragged there.
    assert np.abs(places[-1] - goal[-1]).max() < 0.03, "and ends as the take does"
    low = [places[FIRST - 1:, :, number, 2].min() - min(at_rest[joint], started[:, number, 2].min())
           for number, joint in enumerate(FEET)]
    assert min(low) > -0.01, "no foot goes through the floor"
    moving = speed[..., 0] > 0.15
    assert moving.any() and moving.all(1).mean() < 0.03, "one foot after the other"
    keyed = {curve.data_path for curve in compat.read_curves(rig.animation_data)}
    leads = "foot_ik.L" if "foot_ik.L" in rig.pose.bones else "foot_ctrl_left"
    assert f'pose.bones["{leads}"].location' in keyed, "written onto what leads the leg"
    scene.frame_set(1)
