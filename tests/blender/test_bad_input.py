"""What an animator may select that cannot work: each ends with one clear sentence, and the scene stays as it was."""
import numpy as np
import pytest

from baton.blender_addon.errors import UserError
from baton.blender_addon.flows import beats
from baton.blender_addon.scene import strips
from baton.blender_addon.worker import manager as jobs
from tests.blender import scenes
from tests.blender.stand_ins import conducting, prepare, row, to_motion, to_sound


def sentence(blender, rig, tmp_path):
    """The error of Generate Music on `rig`, from the click to the end of the reading."""
    with pytest.raises(UserError) as caught:
        prepare(to_sound(blender.context, rig).job(), tmp_path / "job")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_action_empty_action_and_one_frame(blender, tmp_path):
    rig = scenes.smpl_rig()
    assert "has no animation" in sentence(blender, rig, tmp_path)
    rig.animation_data_create().action = blender.data.actions.new("Empty")
    assert "has no animation" in sentence(blender, rig, tmp_path)
    rig.pose.bones["left_knee"].keyframe_insert("rotation_quaternion", frame=7)
    assert "has no animation" in sentence(blender, rig, tmp_path)
    blender.context.scene.baton.music_ldm.range = "SCENE"
    prepare(to_sound(blender.context, rig).job(), tmp_path / "job")         # a held pose in a chosen range is no error


@pytest.mark.parametrize("constrained", [False, True])
def test_keys_that_are_not_numbers(blender, tmp_path, constrained):
    from baton.blender_addon.scene import compat
    rig = scenes.smpl_rig()
    scenes.sway(rig, 61)
    if constrained:
        rig.pose.bones["head"].constraints.new("LIMIT_ROTATION")
    curve = next(c for c in compat.read_curves(rig.animation_data) if c.data_path.endswith("location"))
    curve.keyframe_points[5].co.y = float("nan")
    curve.keyframe_points[6].co.y = float("nan")
    assert "not finite" in sentence(blender, rig, tmp_path)


def test_no_matching_bones(blender, tmp_path):
    rig = scenes.smpl_rig(rename={joint: f"thing {number}" for number, joint in enumerate(scenes.JOINTS)})
    blender.context.scene.baton.music_ldm.range = "SCENE"
    assert "no bone for Pelvis" in sentence(blender, rig, tmp_path)
    with pytest.raises(RuntimeError, match="no bone for"):
        blender.ops.baton.add_baton()


def test_zero_scale(blender, tmp_path):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 61)
    rig.pose.bones["left_hip"].scale = (0.0, 0.0, 0.0)
    job = prepare(to_sound(blender.context, rig).job(), tmp_path / "job")
    assert np.isfinite(np.load(tmp_path / "job" / "pose.npy")).all() and job.kind == "generate"


def test_a_strip_that_went_away(blender, sound, tmp_path):
    scene, rig = blender.context.scene, scenes.smpl_rig()
    strip = strips.place(scene, scenes.write_wav(tmp_path / "p.wav", 2.0), "Piece", 1, 60)
    job = to_motion(blender.context, rig, scene, strip).job()
    strip.sound.filepath = str(tmp_path / "elsewhere.wav")
    with pytest.raises(UserError, match="elsewhere.wav is missing"):
        prepare(job, tmp_path / "job")
    job = to_motion(blender.context, rig, scene, strip).job()
    strip.name = "Other"
    with pytest.raises(UserError, match="The strip Piece is gone"):
        prepare(job, tmp_path / "job")


def test_what_the_worker_cannot_read_reaches_the_user(blender, sound, tmp_path):
    """A corrupt file makes a strip all the same; the worker's sentence is the job's."""
    scene, rig = blender.context.scene, scenes.smpl_rig()
    strip = strips.place(scene, scenes.write_wav(tmp_path / "p.wav", 2.0), "Piece", 1, 60)
    (tmp_path / "p.wav").write_bytes(b"RIFF" + b"\0" * 3000)
    scene.sequence_editor.active_strip, strip.select = strip, True
    with pytest.raises(RuntimeError, match="cannot be read as sound"):
        blender.ops.baton.detect_beats(source="STRIP")
    with pytest.raises(RuntimeError, match="cannot be read as sound"):
        blender.ops.baton.generate_conducting()
    assert len(scene.baton.takes) == 0 and rig.animation_data is None and jobs.manager.last.state == "failed"


def test_no_beats_are_no_markers(blender):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 61)
    job = beats.motion_job(blender.context, rig)
    with pytest.raises(UserError, match="No beats were found"):
        job.apply({"beats": {"times": [], "positions": [], "metre": 4}}, None)
    assert len(blender.context.scene.timeline_markers) == 0


def test_a_rig_that_cannot_be_written(blender, sound, tmp_path):
    rig, job = conducting(blender, tmp_path)
    blender.ops.object.mode_set(mode="EDIT")
    rig.data.edit_bones.remove(rig.data.edit_bones["right_elbow"])
    blender.ops.object.mode_set(mode="OBJECT")
    with pytest.raises(UserError, match="no bone right_elbow"):
        job.apply({"takes": [row("channels.npz")]}, tmp_path / "job")


def test_a_result_without_its_files(blender, sound, tmp_path):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 61)
    job = prepare(to_sound(blender.context, rig).job(), tmp_path / "job")
    with pytest.raises(UserError, match="did not leave the file"):
        job.apply({"takes": [row("take_1.wav")]}, tmp_path / "job")
    with pytest.raises(UserError, match="returned nothing"):
        job.apply({"takes": []}, tmp_path / "job")
    assert len(blender.context.scene.baton.takes) == 0, "a failed result leaves no take"
