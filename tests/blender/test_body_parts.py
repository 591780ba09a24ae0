"""A take on arms or upper body alone, a take baked into the rig's own action, its colour and note."""
import numpy as np
import pytest

from baton.blender_addon.scene import bake, body_parts, bone_map, compat, takes
from tests.blender import scenes, stand_ins

BONES = ("left_hip", "spine1", "right_elbow", "head")


def channels(folder, seconds=2.0, fps=30.0):
    """Hips that travel and four bones that swing."""
    times = np.arange(int(seconds * fps)) / fps
    angle = 0.7 * np.sin(times * 5) + 0.3
    turn = np.stack([np.cos(angle / 2), np.sin(angle / 2), 0 * angle, 0 * angle], 1).astype("f4")
    np.savez(folder / "channels.npz", times=times, **{f"rotation/{bone}": turn for bone in BONES}, **{
        "location/pelvis": np.stack([0.2 * times, 0.1 * times, 0 * times], 1).astype("f4")})


@pytest.fixture
def make(blender, tmp_path, sound):
    """make(moving, **settings): a take on the rig (frames 21 to 80), which moves by itself or not."""
    made = []

    def one(moving=True, **settings):
        if moving and not made:
            scenes.sway(scenes.smpl_rig(), 120)
        rig, job = stand_ins.conducting(blender, tmp_path, f"job{len(made)}", blend_seconds=0.0, **settings)
        channels(tmp_path / f"job{len(made)}")
        made.append(job.apply({"takes": [stand_ins.row("channels.npz")]}, str(tmp_path / f"job{len(made)}")))
        return rig, blender.context.scene.baton.takes[-1]
    return one


def turns(rig, frames, bone):
    """Local poses of a bone, (T, 4, 4)."""
    scene, out = rig.users_scene[0], []
    for frame in frames:
        scene.frame_set(frame)
        out.append(np.array(rig.pose.bones[bone].matrix_basis))
    return np.array(out)


@pytest.mark.parametrize("moving", [True, False])
def test_legs_stay_the_animators(blender, make, moving):
    """Each part moves its own bones as the whole take does and leaves the others as they were without it."""
    rig = scenes.smpl_rig()
    if moving:
        scenes.sway(rig, 120)
    frames = range(21, 81, 7)
    names = (*BONES, "pelvis")
    before = {bone: turns(rig, frames, bone) for bone in names}
    rig, take = make(moving=False)
    whole = {bone: turns(rig, frames, bone) for bone in names}
    assert all(np.abs(whole[bone] - before[bone]).max() > 0.05 for bone in names)
    for part, moved in (("arms", {"right_elbow"}), ("upper", {"right_elbow", "spine1", "head"}), ("whole", set(names))):
        take.part = part
        for bone in names:
            wanted = whole if bone in moved else before
            assert np.abs(turns(rig, frames, bone) - wanted[bone]).max() < 1e-5, (part, bone)
    blender.ops.baton.remove_take(name=take.name)
    assert all(np.abs(turns(rig, frames, bone) - before[bone]).max() < 1e-5 for bone in names)


def test_the_part_is_a_setting_of_the_next_take(blender, make):
    _rig, take = make(body_part="arms")
    assert take.part == "arms" and any(curve.mute for curve in compat.all_curves(take.action))


def test_limbs_of_a_rig(blender):
    rig = scenes.smpl_rig()
    bone_map.require(rig)
    found = body_parts.limbs(rig)
    assert found["left_hand"] == "arm" and found["spine3"] == "torso"
    assert found["pelvis"] == found["right_foot"] == "legs"
    assert body_parts.limb_of_curve('pose.bones["torso"]["neck_follow"]', found) == "torso"
    assert body_parts.limb_of_curve("location", found) is None


def test_bake_changes_nothing_but_the_place_of_the_keys(blender, make):
    """Every frame evaluates as before, in the take and outside; the rig's own action holds it all, no track is left."""
    rig = scenes.smpl_rig()
    own = scenes.sway(rig, 120)
    rig, take = make(moving=False)
    frames = range(1, 140)
    before = scenes.evaluated(rig, frames)
    tracks = [track.name for track in rig.animation_data.nla_tracks]
    assert tracks and rig.animation_data.action != own
    assert blender.ops.baton.bake_take(name=take.name) == {"FINISHED"}
    assert rig.animation_data.action == own and len(rig.animation_data.nla_tracks) == 0
    assert np.abs(scenes.evaluated(rig, frames) - before).max() < 1e-4
    assert take.baked and take.kept and take.action is None
    with pytest.raises(RuntimeError, match="baked already"):
        blender.ops.baton.bake_take(name=take.name)
    assert blender.ops.baton.remove_take(name=take.name) == {"FINISHED"}
    assert np.abs(scenes.evaluated(rig, frames) - before).max() < 1e-4, "what is baked stays"


def test_bake_beside_other_takes_and_onto_a_still_rig(blender, make):
    """The other takes can still be played; a rig without an action gets one."""
    rig, first = make(moving=False)
    rig, second = make(moving=False)
    frames = range(15, 90, 5)
    before = scenes.evaluated(rig, frames)
    name = first.name
    assert blender.ops.baton.bake_take(name=second.name) == {"FINISHED"}
    assert np.abs(scenes.evaluated(rig, frames) - before).max() < 1e-4
    assert blender.ops.baton.solo_take(name=name) == {"FINISHED"}
    assert rig.animation_data.action == blender.context.scene.baton.takes[name].action
    assert blender.ops.baton.remove_take(name=name) == {"FINISHED"}
    assert rig.animation_data.action is not None and rig.animation_data.action.name == "Dancer Action"
    assert np.abs(scenes.evaluated(rig, frames) - before).max() < 1e-4


def test_arms_alone_are_baked(blender, make):
    rig = scenes.smpl_rig()
    own = scenes.sway(rig, 120)
    legs = [list(point.co) for curve in compat.all_curves(own) if "left_hip" in curve.data_path
            for point in curve.keyframe_points]
    rig, take = make(moving=False, body_part="arms")
    assert bake.bake(blender.context.scene, take.name)
    after = [list(point.co) for curve in compat.all_curves(own) if "left_hip" in curve.data_path
             for point in curve.keyframe_points]
    assert after == legs and any("right_elbow" in curve.data_path for curve in compat.all_curves(own))


def test_colour_and_note(blender, tmp_path, sound):
    job, result = stand_ins.music(blender, tmp_path)
    job.apply(result, str(tmp_path / "job"))
    take = blender.context.scene.baton.takes[-1]
    take.colour, take.note = "COLOR_03", "the one for the chorus"
    assert takes.strip_of(take).color_tag == "COLOR_03" and take.note
