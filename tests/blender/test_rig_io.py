"""Sampling: f-curves and played frames give the same matrices; the user's scene is left as it was."""
import json

import numpy as np
import pytest
from mathutils import Matrix

from baton.blender_addon.errors import UserError
from baton.blender_addon.scene import rig_sampling
from baton.blender_addon.scene.refs import Ref
from baton.blender_addon.scene.timebase import Passage
from tests.blender import scenes

BONE_MAP = {joint: joint for joint in scenes.JOINTS}


def sample(blender, rig, folder, passage):
    scenes.exhaust(rig_sampling.sample(Ref.of(rig), Ref.of(blender.context.scene), BONE_MAP, passage, folder))
    return json.loads((folder / "rig.json").read_text()), np.load(folder / "pose.npy"), np.load(folder / "times.npy")


def into(array):
    """put(first, poses) that fills an array."""
    def put(first, poses):
        array[first:first + len(poses)] = poses
    return put


def test_curves_give_what_playing_gives(blender, tmp_path):
    """Every rotation mode, scale, and location on a connected bone (which Blender ignores)."""
    rig = scenes.smpl_rig()
    rng = np.random.default_rng(0)
    modes = ["QUATERNION", "XYZ", "ZXY", "YZX", "AXIS_ANGLE"]
    blender.context.view_layer.objects.active = rig
    blender.ops.object.mode_set(mode="EDIT")
    rig.data.edit_bones["left_knee"].use_connect = True
    blender.ops.object.mode_set(mode="OBJECT")
    for number, pose in enumerate(rig.pose.bones):
        pose.rotation_mode = modes[number % len(modes)]
        path = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}.get(pose.rotation_mode,
                                                                                             "rotation_euler")
        for frame in (1, 20, 40):
            setattr(pose, path, rng.normal(size=len(getattr(pose, path))))
            pose.location, pose.scale = rng.normal(size=3), rng.uniform(0.8, 1.2, 3)
            for channel in (path, "location", "scale"):
                pose.keyframe_insert(channel, frame=frame)
    bones = rig_sampling.all_bones(rig)
    assert rig_sampling.curves_suffice(rig, bones) == (True, "")
    frames = np.arange(1, 41)
    fast, slow = np.zeros((2, len(frames), len(bones), 4, 4))
    scenes.exhaust(rig_sampling._from_curves(Ref.of(rig), bones, frames, into(fast)))
    scenes.exhaust(rig_sampling._from_frames(Ref.of(rig), Ref.of(blender.context.scene), bones, frames, into(slow)))
    assert np.abs(fast - slow).max() < 2e-4 and np.abs(fast).max() > 0.5


@pytest.mark.parametrize("change", ["constraint", "nla", "driver", "object", "parent"])
def test_where_curves_do_not_suffice(blender, change):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 30)
    if change == "constraint":
        rig.pose.bones["head"].constraints.new("LIMIT_ROTATION")
    elif change == "nla":
        rig.animation_data.nla_tracks.new()
    elif change == "driver":
        rig.pose.bones["head"].driver_add("location", 0)
    elif change == "object":
        rig.keyframe_insert("location", frame=1)
    else:
        rig.parent = scenes.smpl_rig("Other")
    assert not rig_sampling.curves_suffice(rig, rig_sampling.all_bones(rig))[0]


def test_constraints_and_a_moving_object_are_in_the_samples(blender, tmp_path):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 60)
    rig.pose.bones["head"].constraints.new("LIMIT_ROTATION").use_limit_x = True
    rig.location = (0, 0, 0)
    rig.keyframe_insert("location", frame=1)
    rig.location = (3, 0, 0)
    rig.keyframe_insert("location", frame=61)
    scene = blender.context.scene
    scene.frame_set(17)
    description, pose, times = sample(blender, rig, tmp_path, Passage.from_frames(1, 61, 30.0))
    assert scene.frame_current == 17
    head = np.array(description["matrix_world"]) @ pose[:, [b["name"] for b in description["bones"]].index("pelvis")]
    scene.frame_set(61)
    there = rig.matrix_world @ rig.pose.bones["pelvis"].matrix
    assert np.allclose(head[-1], np.array(there), atol=1e-4)
    assert np.allclose(times, np.arange(61) / 30)


def test_files_are_as_promised(blender, tmp_path):
    rig = scenes.smpl_rig()
    rig.matrix_world = Matrix.Translation((1, 2, 0)) @ Matrix.Scale(0.3, 4) @ Matrix.Rotation(1.0, 4, "Z")
    scenes.sway(rig, 30)
    blender.context.view_layer.update()
    description, pose, times = sample(blender, rig, tmp_path, Passage.from_frames(5, 24, 30.0))
    names = [bone["name"] for bone in description["bones"]]
    assert names[0] == "pelvis" and set(names) == set(scenes.JOINTS) and description["fps"] == 30.0
    assert all(bone["parent"] is None or names.index(bone["parent"]) < i for i, bone in enumerate(description["bones"]))
    assert np.allclose(description["matrix_world"], np.array(rig.matrix_world))
    assert pose.dtype == np.float32 and pose.shape == (20, 24, 4, 4) and times.dtype == np.float64
    scene = blender.context.scene
    scene.frame_set(24)
    assert np.allclose(pose[-1, names.index("left_elbow")], np.array(rig.pose.bones["left_elbow"].matrix), atol=1e-4)
    rest = description["bones"][names.index("left_elbow")]
    assert np.allclose(rest["head"], rig.data.bones["left_elbow"].head_local) and len(rest["matrix_local"]) == 4


def test_meshes_come_back_when_sampling_is_broken_off(blender, tmp_path):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 200)
    rig.pose.bones["head"].constraints.new("LIMIT_ROTATION")
    mesh = blender.data.objects.new("Body", blender.data.meshes.new("Body"))
    blender.context.scene.collection.objects.link(mesh)
    mesh.modifiers.new("Armature", "ARMATURE").object = rig
    rig_sampling.SLICE_SECONDS, before = 0.0001, rig_sampling.SLICE_SECONDS
    try:
        steps = rig_sampling.sample(Ref.of(rig), Ref.of(blender.context.scene), BONE_MAP,
                                    Passage.from_frames(1, 200, 30.0), tmp_path)
        next(steps)
        assert not mesh.hide_viewport, "between two slices the user may save, undo and rename"
        steps.close()
    finally:
        rig_sampling.SLICE_SECONDS = before
    assert not mesh.hide_viewport and not list(tmp_path.iterdir())


def test_a_changed_rig_is_read_again(blender, tmp_path):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 60)
    rig.pose.bones["head"].constraints.new("LIMIT_ROTATION")
    rig_sampling.SLICE_SECONDS, before = 0.0001, rig_sampling.SLICE_SECONDS
    try:
        steps = rig_sampling.sample(Ref.of(rig), Ref.of(blender.context.scene), BONE_MAP,
                                    Passage.from_frames(1, 60, 30.0), tmp_path)
        fractions = [next(steps) for _ in range(10)]
        rig.location.x = 1.0
        blender.context.view_layer.update()
        fractions += [next(steps) for _ in range(3)]
        assert fractions[-1] < fractions[9], "after the change it begins again"
        with pytest.raises(UserError, match="kept changing"):
            for _ in range(200):
                rig.location.x += 0.01
                blender.context.view_layer.update()
                next(steps)
    finally:
        rig_sampling.SLICE_SECONDS = before


def test_rest_position_is_refused(blender, tmp_path):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 30)
    rig.data.pose_position = "REST"
    with pytest.raises(UserError, match="rest position"):
        sample(blender, rig, tmp_path, Passage.from_frames(1, 30, 30.0))
