"""Takes on rigs: nothing else changes, Remove restores, rotation modes are respected."""
from contextlib import nullcontext

import numpy as np
import pytest
from mathutils import Quaternion

from baton.blender_addon.errors import UserError
from baton.blender_addon.scene import actions, blending, compat, draft, keys
from tests.blender import scenes

EVERYWHERE = range(-15, 90)


def take_channels(count=40, bones=("left_shoulder", "spine1")):
    angle = np.linspace(0, 6.0, count)
    quaternions = np.stack([np.cos(angle / 2), np.sin(angle / 2), 0 * angle, 0 * angle], axis=1)
    locations = np.stack([np.linspace(0, 1, count), 0 * angle, 0 * angle], axis=1)
    return {bone: quaternions for bone in bones}, {"pelvis": locations}


def face_and_prop(rig):
    """Keys that no take touches: a 'face' bone, a custom property, a cyclic modifier."""
    face = rig.pose.bones["head"]
    for frame, value in ((1, 0.2), (9, -0.4), (33, 0.8)):
        face.location = (value, 0, 0)
        face.keyframe_insert("location", frame=frame)
    curve = next(c for c in compat.read_curves(rig.animation_data) if c.data_path == face.path_from_id() + ".location")
    curve.modifiers.new("CYCLES")
    rig["prop"] = 0.5
    rig.keyframe_insert('["prop"]', frame=1)
    rig["prop"] = 3.5
    rig.keyframe_insert('["prop"]', frame=50)


def everything(rig):
    import bpy
    props = []
    for frame in EVERYWHERE:
        bpy.context.scene.frame_set(frame)
        props.append(rig.get("prop", 0.0))
    return scenes.evaluated(rig, EVERYWHERE), np.array(props)


def test_take_leaves_the_rest_alone_and_remove_restores(blender):
    rig = scenes.smpl_rig()
    previous = scenes.sway(rig, 60)
    face_and_prop(rig)
    blender.context.scene.frame_set(1)
    before, props = everything(rig)
    rotations, locations = take_channels()
    state = actions.write_take(rig, "Take", np.arange(10, 50), rotations, locations, blend_frames=5)
    during, props_during = everything(rig)
    names = [bone.name for bone in rig.pose.bones]
    local = [names.index(name) for name in ("right_hip", "left_hip")]  # children of the keyed root: compare locally
    assert np.abs(props_during - props).max() < 1e-5
    outside = [i for i, frame in enumerate(EVERYWHERE) if frame < 10 or frame > 49]
    assert np.abs(during[outside] - before[outside]).max() < 1e-5
    assert np.abs(during - before).max() > 0.1 and local
    track = rig.animation_data.nla_tracks[state["track"]]
    assert not track.mute and track.strips[0].action == previous
    actions.remove_take(rig, state)
    after, props_after = everything(rig)
    assert np.abs(after - before).max() < 1e-6 and np.abs(props_after - props).max() < 1e-6
    assert rig.animation_data.action == previous and len(rig.animation_data.nla_tracks) == 0
    assert "Take" not in blender.data.actions


def test_channels_that_nothing_animates_rest_outside_the_take(blender):
    """Scrubbing out of the take must not leave its last pose or its switches on unkeyed channels."""
    rig = scenes.smpl_rig()
    scenes.sway(rig, 60, bones=("spine1",))
    rig.pose.bones["left_elbow"].rotation_quaternion = Quaternion((0.8, 0.6, 0, 0))
    rig.pose.bones["head"]["IK_FK"] = 0.25
    rotations, locations = take_channels(bones=("left_elbow", "spine1"))
    state = actions.write_take(rig, "Take", np.arange(10, 50), rotations, locations, switches=[("head", "IK_FK", 1.0)])
    scene = blender.context.scene
    for frame, switch in ((30, 1.0), (60, 0.25), (20, 1.0), (5, 0.25)):
        scene.frame_set(frame)
        assert rig.pose.bones["head"]["IK_FK"] == pytest.approx(switch)
        own = abs(rig.pose.bones["left_elbow"].rotation_quaternion.normalized().dot(Quaternion((0.8, 0.6, 0,
                                                                                                0)))) > 0.9999
        assert own == (switch == 0.25)
    scene.frame_set(30)
    actions.remove_take(rig, state)
    scene.frame_set(31)
    assert rig.pose.bones["head"]["IK_FK"] == 0.25 and len(rig.animation_data.nla_tracks) == 0
    assert [action.name for action in blender.data.actions] == [rig.animation_data.action.name]


def test_unmapped_channels_evaluate_exactly_as_before(blender):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 60)
    face_and_prop(rig)
    rest = {}
    for when in ("before", "during"):
        if when == "during":
            rotations, locations = take_channels()
            actions.write_take(rig, "Take", np.arange(10, 50), rotations, locations)
        rows = []
        for frame in EVERYWHERE:
            blender.context.scene.frame_set(frame)
            rows.append([*rig.pose.bones["head"].location, *rig.pose.bones["right_shoulder"].rotation_quaternion,
                         rig["prop"]])
        rest[when] = np.array(rows)
    assert np.array_equal(rest["before"], rest["during"])


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "ZYX", "AXIS_ANGLE"])
def test_rotation_modes(blender, mode):
    rig = scenes.smpl_rig()
    for pose in rig.pose.bones:
        pose.rotation_mode = mode
    rotations, locations = take_channels()
    actions.write_take(rig, "Take", np.arange(1, 41), rotations, locations)
    for index in (0, 13, 39):
        blender.context.scene.frame_set(1 + index)
        got = rig.pose.bones["left_shoulder"].matrix_basis.to_quaternion()
        assert abs(got.dot(Quaternion(rotations["left_shoulder"][index]))) > 1 - 1e-5
    assert all(pose.rotation_mode == mode for pose in rig.pose.bones)
    path = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}.get(mode, "rotation_euler")
    curves = [c for c in compat.read_curves(rig.animation_data) if "spine1" in c.data_path]
    assert curves and all(c.data_path.endswith(path) for c in curves)
    for curve in curves:  # no jump of a whole turn between neighbours
        values = np.array([key.co[1] for key in curve.keyframe_points])
        assert np.abs(np.diff(values)).max() < 1.0


def test_rig_without_animation_comes_back_to_its_pose(blender):
    rig = scenes.smpl_rig()
    rig.pose.bones["left_shoulder"].rotation_mode = "XYZ"
    rig.pose.bones["left_shoulder"].rotation_euler = (0.3, 0.2, 0.1)
    rotations, locations = take_channels()
    state = actions.write_take(rig, "Take", np.arange(1, 41), rotations, locations, blend_frames=5)
    blender.context.scene.frame_set(30)
    actions.remove_take(rig, state)
    blender.context.scene.frame_set(31)
    assert np.allclose(rig.pose.bones["left_shoulder"].rotation_euler, (0.3, 0.2, 0.1))
    assert np.allclose(rig.pose.bones["pelvis"].location, 0) and rig.animation_data is None


def test_muted_nla_stays_muted_and_comes_back(blender):
    rig = scenes.smpl_rig()
    action = scenes.sway(rig, 30)
    data = rig.animation_data
    data.action = None
    data.nla_tracks.new().strips.new("old", 1, action)
    data.use_nla = False
    for pose in rig.pose.bones:  # what the switched-off track left behind
        pose.rotation_quaternion, pose.location = (1, 0, 0, 0), (0, 0, 0)
    rotations, locations = take_channels()
    state = actions.write_take(rig, "Take", np.arange(1, 41), rotations, locations)
    blender.context.scene.frame_set(20)
    assert np.allclose(rig.pose.bones["left_hip"].rotation_quaternion, (1, 0, 0, 0))
    actions.remove_take(rig, state)
    assert not data.use_nla and not data.nla_tracks[0].mute


def test_blending_meets_both_motions(blender):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 60)
    scene = blender.context.scene
    scene.frame_set(10)
    own = rig.pose.bones["left_shoulder"].matrix_basis.to_quaternion()
    rotations, locations = take_channels()
    actions.write_take(rig, "Take", np.arange(10, 50), rotations, locations, blend_frames=8)
    scene.frame_set(10)
    assert abs(rig.pose.bones["left_shoulder"].matrix_basis.to_quaternion().dot(own)) > 1 - 1e-5
    scene.frame_set(30)
    turned = rig.pose.bones["left_shoulder"].matrix_basis.to_quaternion()
    assert abs(turned.dot(Quaternion(rotations["spine1"][20]))) > 1 - 1e-5


def test_reduced_keys_stay_within_the_tolerance(blender):
    rig = scenes.smpl_rig()
    rotations, locations = take_channels(200)
    actions.write_take(rig, "Take", np.arange(1, 201), rotations, locations, reduce_error=np.radians(2.0))
    curves = compat.read_curves(rig.animation_data)
    assert max(len(curve.keyframe_points) for curve in curves) < 60
    worst = 0.0
    for index in range(200):
        blender.context.scene.frame_set(1 + index)
        got = rig.pose.bones["spine1"].matrix_basis.to_quaternion()
        worst = max(worst, 2 * np.arccos(min(1.0, abs(got.dot(Quaternion(rotations["spine1"][index]))))))
    assert np.degrees(worst) < 2.05


def test_what_cannot_be_written_is_refused_before_anything_changes(blender):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 30)
    rotations, locations = take_channels(bones=("no_such_bone",))
    with pytest.raises(UserError, match="no_such_bone"):
        actions.write_take(rig, "Take", np.arange(1, 41), rotations, locations)
    assert len(rig.animation_data.nla_tracks) == 0 and len(blender.data.actions) == 1


def test_what_stands_still_has_two_keys_and_shows_the_same(blender):
    """Half an hour of still fingers took more memory than the dance."""
    rig = scenes.smpl_rig()
    rotations, locations = take_channels()
    still = np.tile([0.9238795, 0.3826834, 0.0, 0.0], (40, 1))
    halting = rotations["spine1"].copy()
    halting[10:20] = halting[10]
    actions.write_take(rig, "Take", np.arange(1, 41), {**rotations, "left_hand": still, "neck": halting}, locations)
    count = {}
    for curve in compat.read_curves(rig.animation_data):
        count.setdefault(curve.data_path.split('"')[1], set()).add(len(curve.keyframe_points))
    assert count["left_hand"] == {2} and count["left_shoulder"] == {40} and count["neck"] == {32}
    for index in (0, 3, 12, 15, 19, 25, 39):
        blender.context.scene.frame_set(1 + index)
        for bone, wanted in (("left_hand", still), ("neck", halting)):
            assert abs(rig.pose.bones[bone].rotation_quaternion.dot(Quaternion(wanted[index]))) > 1 - 1e-6


def test_keys_are_chosen_in_small_steps():
    """Half an hour of reduced keys stood still for half a second a bone."""
    values = np.random.default_rng(0).normal(size=(400, 4))
    steps = keys.reduce_keys(np.arange(400), values, 0.01)
    assert len([1 for _ in steps]) > 300


def test_a_blend_is_played_in_slices_of_its_own_scene(blender, monkeypatch):
    """Between two slices nothing is hidden, and which scene the window shows says nothing."""
    rig = scenes.smpl_rig()
    scenes.sway(rig, 60)
    mesh = blender.data.objects.new("Body", blender.data.meshes.new("Body"))
    blender.context.scene.collection.objects.link(mesh)
    mesh.modifiers.new("Armature", "ARMATURE").object = rig
    scene, rotations = blender.context.scene, {"left_shoulder": np.tile([1.0, 0.0, 0.0, 0.0], (40, 1))}

    def blended(**more):
        return draft.keyed(lambda: rig, "T", np.arange(11, 51), rotations, {}, blend_frames=8, **more)
    wanted = draft.finished(blended()).get()
    monkeypatch.setattr(blending, "SLICE_SECONDS", 0.0)
    blender.context.window.scene = blender.data.scenes.new("Other")
    seen, steps = [], blended(room=lambda: nullcontext(scene))
    while (made := next_of(steps)) is None:
        seen.append(mesh.hide_viewport)
        scene.frame_set(3)
    assert len(seen) >= 16 and not any(seen)
    mixed = []
    for one, other in zip(compat.all_curves(wanted), compat.all_curves(made.get()), strict=True):
        both = np.array([[curve.evaluate(frame) for frame in range(11, 51)] for curve in (one, other)])
        assert np.abs(both[0] - both[1]).max() < 1e-6
        mixed.append(np.ptp(both[:, :9]))
    assert max(mixed) > 0.01


def next_of(steps):
    try:
        next(steps)
    except StopIteration as end:
        return end.value
