"""What the user does while a rig is read or a result is made: nothing of Baton's is saved, and no file is left."""
import numpy as np
import pytest

from baton.blender_addon.errors import UserError
from baton.blender_addon.flows import to_sound
from baton.blender_addon.scene import animated, compat, draft, keys, rig_sampling, sound_files, strips
from baton.blender_addon.scene.refs import Ref
from baton.blender_addon.scene.timebase import Passage
from baton.blender_addon.scene.whole import whole
from baton.blender_addon.worker import manager as jobs
from tests.blender import scenes
from tests.blender.stand_ins import conducting, music

BONE_MAP = {joint: joint for joint in scenes.JOINTS}


@pytest.fixture
def reading(blender, monkeypatch, tmp_path):
    """A dressed dancer who is being played frame by frame, after the first slice; (rig, mesh, steps, folder)."""
    rig = scenes.smpl_rig()
    scenes.sway(rig, 100)
    rig.pose.bones["head"].constraints.new("LIMIT_ROTATION")
    mesh = blender.data.objects.new("Body", blender.data.meshes.new("Body"))
    blender.context.scene.collection.objects.link(mesh)
    mesh.modifiers.new("Armature", "ARMATURE").object = rig
    monkeypatch.setattr(rig_sampling, "SLICE_SECONDS", 0.0001)
    return rig, mesh, steps_of(blender, rig, tmp_path / "job"), tmp_path / "job"


def steps_of(blender, rig, folder):
    steps = rig_sampling.sample(Ref.of(rig), Ref.of(blender.context.scene), BONE_MAP, Passage.from_frames(1, 100, 30.0),
                                folder)
    next(steps)
    return steps


@pytest.mark.parametrize("played", [True, False])
def test_a_rig_without_size_or_bones_is_one_sentence(reading, blender, tmp_path, played):
    rig, mesh, steps, folder = reading
    steps.close()
    if not played:
        free(rig)
    rig.scale = (1.0, 0.0, 1.0)
    blender.context.view_layer.update()
    with pytest.raises(UserError, match="has no size"):
        scenes.exhaust(steps_of(blender, rig, tmp_path / "again"))
    with pytest.raises(UserError, match="any bone of its bone map"):
        scenes.exhaust(rig_sampling.sample(Ref.of(rig), Ref.of(blender.context.scene), {}, Passage(1.0, 1.0, 30.0),
                                           tmp_path / "none"))


def free(rig):
    """Without its constraint the rig is read from its curves."""
    constraints = rig.pose.bones["head"].constraints
    constraints.remove(constraints[0])


def test_meshes_are_hidden_within_a_slice_alone(reading, blender, monkeypatch):
    rig, mesh, steps, folder = reading
    seen = []
    real = rig_sampling._slice
    monkeypatch.setattr(rig_sampling, "_slice", lambda *args: (seen.append(mesh.hide_viewport), real(*args))[1])
    next(steps)
    assert seen == [True] and not mesh.hide_viewport
    monkeypatch.setattr(rig_sampling, "_slice", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        next(steps)
    assert not mesh.hide_viewport and blender.context.scene.frame_current == 1


def test_a_file_saved_meanwhile_shows_its_meshes(reading, blender, tmp_path):
    rig, mesh, steps, folder = reading
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "meanwhile.blend"), copy=True)
    mesh.name = "Renamed"
    next(steps)
    assert not mesh.hide_viewport
    steps.close()
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "meanwhile.blend"))
    assert not blender.data.objects["Body"].hide_viewport


def test_undo_to_that_moment_shows_the_meshes(reading, blender):
    rig, mesh, steps, folder = reading
    blender.ops.ed.undo_push(message="an edit meanwhile")
    mesh.location.x = 1.0
    blender.ops.ed.undo_push(message="another")
    steps.close()
    blender.ops.ed.undo()
    assert not blender.data.objects["Body"].hide_viewport and blender.data.objects["Body"].location.x == 0


@pytest.mark.parametrize("played", [True, False])
def test_a_bone_removed_while_reading_is_one_sentence(reading, blender, tmp_path, played, monkeypatch):
    rig, mesh, steps, folder = reading
    if not played:
        steps.close()
        free(rig)
        monkeypatch.setattr(rig_sampling, "BLOCK_BYTES", 10000)
        steps = steps_of(blender, rig, folder)
    blender.context.view_layer.objects.active = rig
    blender.ops.object.mode_set(mode="EDIT")
    rig.data.edit_bones.remove(rig.data.edit_bones["left_elbow"])
    blender.ops.object.mode_set(mode="OBJECT")
    with pytest.raises(UserError, match="has lost the bone left_elbow"):
        scenes.exhaust(steps)
    assert not folder.exists(), "it was made for the file alone"


def test_curves_that_are_deleted_while_reading_are_read_anew(reading, blender, monkeypatch):
    """Blender frees deleted curves: none may be held from one slice to the next."""
    rig, mesh, steps, folder = reading
    steps.close()
    free(rig)
    monkeypatch.setattr(rig_sampling, "BLOCK_BYTES", 10000)
    steps = steps_of(blender, rig, folder)
    for curve in compat.read_curves(rig.animation_data):
        if "left_shoulder" in curve.data_path:
            rig.keyframe_delete(curve.data_path, index=curve.array_index, frame=1)
    keyed = rig.animation_data.action
    rig.animation_data.action = None
    blender.data.actions.remove(keyed)
    scenes.exhaust(steps)
    pose = np.load(folder / "pose.npy")
    assert len(pose) == 100 and np.abs(pose - pose[0]).max() < 1e-6, "all of it as the rig now stands"


def test_all_channels_filled_meanwhile_is_one_sentence_and_no_file(blender, sound, tmp_path):
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    job, result = music(blender, tmp_path)
    scene = blender.context.scene
    path = scenes.write_wav(tmp_path / "p.wav", 3.0)
    for _ in range(128):
        strips.place(scene, path, "Full", 1, 90)
    jobs.manager.job, job.result, job.state, job.folder = job, result, "applying", tmp_path / "job"
    jobs.manager.poll()
    assert jobs.manager.last.message.startswith("All 128 channels of the sequencer are taken")
    assert not (tmp_path / "baton").exists() and len(scene.baton.takes) == 0


def test_the_range_of_an_action_counts_no_rest_below_a_take(blender, sound, tmp_path):
    """An animation of frames 500 to 572 with a take stays one of these frames."""
    scene = blender.context.scene
    rig = scenes.smpl_rig()
    scenes.sway(rig, 73, bones=("spine1",))
    for curve in compat.read_curves(rig.animation_data):
        for key in curve.keyframe_points:
            key.co.x += 499
    before = animated.frames(rig)
    assert before == (500, 572)
    strips.place(scene, scenes.write_wav(tmp_path / "p.wav", 2.4), "Piece", 500, 72)
    rig, job = conducting(blender, tmp_path)
    job.apply({"takes": [{"file": "channels.npz", "recipe": {}, "beats": None}]}, tmp_path / "job")
    assert any(strip.action.get("baton_rest") for track in rig.animation_data.nla_tracks for strip in track.strips)
    first, last = animated.frames(rig)
    assert first == 500 and last <= 572
    for action in blender.data.actions:                         # files of earlier versions have no such mark
        if action.get("baton_rest"):
            del action["baton_rest"]
    assert animated.frames(rig)[0] == 500
    scene.baton.music_ldm.range = "ACTION"
    assert to_sound.passage_of(scene, rig, job_system()).duration < 2.6


def job_system():
    from baton.core.contract import systems
    return systems.find("music_ldm")


# --- while a result is keyed in slices -------------------------------------------------------------------------------

@pytest.fixture
def building(blender, sound, monkeypatch, tmp_path):
    """A conducting result of which a part is keyed: (rig, the job), the worker's answer being there."""
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    rig, job = conducting(blender, tmp_path)
    monkeypatch.setattr(draft, "SLICE_SECONDS", 0.0)
    manager, job.folder = jobs.manager, tmp_path / "job"
    job.stamped = job.stamp() if callable(getattr(job, "stamp", None)) else None
    manager.job = job
    manager._done(job, {"takes": [{"file": "channels.npz", "recipe": {}, "beats": None}]})
    for _ in range(6):
        manager.poll()
    assert job.state == "building" and len(drafts(blender)) == 1 and 0 <= job.fraction < 1
    return rig, job


def drafts(blender):
    return [action for action in blender.data.actions if "being written" in action.name]


def to_the_end(job):
    while not job.over:
        jobs.manager.poll()
    return job


def test_what_somebodys_handler_deletes_is_one_sentence(building, blender):
    """While frames are played a handler may delete the rig; what was recorded of it must not be touched then."""
    rig, job = building
    name = rig.name
    rig.pose.bones["head"]["mood"] = 0.5
    rig.animation_data_create().nla_tracks.new().strips.new("walk", 1, blender.data.actions.new("walk"))

    def steps():
        with whole([rig]):
            blender.data.objects.remove(rig)
            blender.data.actions.remove(blender.data.actions["walk"])
            yield rig.name
    jobs.manager._steps = steps()
    assert to_the_end(job).state == "failed" and job.message == f"{name} was deleted during the job: it was ended."
    assert not drafts(blender) and not jobs.faults


def test_a_draft_that_somebody_changes_is_one_sentence(blender):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 20)
    curve = compat.read_curves(rig.animation_data)[0]
    curve.keyframe_points.clear()
    steps = keys.filled(lambda: curve, np.arange(20), np.zeros(20))
    next(steps)
    curve.keyframe_points.clear()
    with pytest.raises(UserError, match="was changed while it was written"):
        next(steps)


def test_an_armature_exchanged_while_a_blend_is_played_is_one_sentence(blender):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 60)
    rotations = {"neck": np.tile([1.0, 0.0, 0.0, 0.0], (20, 1))}
    rig.data = blender.data.armatures.new("Empty")
    with pytest.raises(UserError, match="has no bone neck"):
        draft.finished(draft.keyed(lambda: rig, "T", np.arange(20), rotations, {}, blend_frames=5))


def test_nothing_of_the_scene_changes_before_the_last_step(building, blender):
    rig, job = building
    scene = blender.context.scene
    assert rig.animation_data is None or rig.animation_data.action is None
    assert len(scene.baton.takes) == 0 and drafts(blender)[0].users == 0
    assert to_the_end(job).state == "done" and len(scene.baton.takes) == 1 and not drafts(blender)
    assert rig.animation_data.action == scene.baton.takes[0].action


def test_a_fault_while_the_end_is_gathered_misses_none_of_its_steps(building, monkeypatch):
    rig, job = building
    ended, real, calls = [], jobs.partial, []

    def once(*args):
        calls.append(args)
        if len(calls) == 1:
            raise RuntimeError("injected")
        return real(*args)
    job.on_end = ended.append
    monkeypatch.setattr(jobs, "partial", once)
    assert to_the_end(job).state == "done" and ended == [job] and not job.folder.exists()


def test_a_cancel_leaves_no_draft(building, blender):
    rig, job = building
    jobs.manager.cancel()
    assert job.state == "cancelled" and not drafts(blender)


def test_a_file_saved_meanwhile_holds_no_draft(building, blender, tmp_path):
    rig, job = building
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "meanwhile.blend"), copy=True)
    assert to_the_end(job).state == "done"
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "meanwhile.blend"))
    assert not drafts(blender)


def test_undo_and_redo_bring_no_draft_back(building, blender):
    """A step of undo is made with what lies in the file."""
    rig, job = building
    for frame in (3, 4):
        blender.context.scene.timeline_markers.new("mine", frame=frame)
        blender.ops.ed.undo_push(message="a marker")
    blender.ops.ed.undo()
    blender.ops.ed.redo()
    assert to_the_end(job).over and not drafts(blender)
    blender.ops.ed.undo()
    assert not drafts(blender)


def test_another_frame_rate_is_one_sentence(building, blender):
    """Its seconds would be keyed on frames that mean others now."""
    rig, job = building
    job.rates = [(blender.context.scene.render.fps, 1.0)] * 2
    blender.context.scene.render.fps = 12
    assert to_the_end(job).state == "failed" and "frame rate was changed" in job.message
    assert not drafts(blender) and len(blender.context.scene.baton.takes) == 0


def test_a_draft_that_somebody_deletes_is_one_sentence(building, blender):
    rig, job = building
    blender.data.actions.remove(drafts(blender)[0])
    assert to_the_end(job).state == "failed" and job.message.startswith("The take's action was deleted while")
    assert len(blender.context.scene.baton.takes) == 0


def test_a_bone_lost_meanwhile_is_one_sentence(building, blender):
    rig, job = building
    blender.context.view_layer.objects.active = rig
    blender.ops.object.mode_set(mode="EDIT")
    for name in ("pelvis", "right_elbow"):
        rig.data.edit_bones.remove(rig.data.edit_bones[name])
    blender.ops.object.mode_set(mode="OBJECT")
    assert to_the_end(job).state == "failed" and "has no bone" in job.message and not drafts(blender)


def test_long_sounds_are_copied_in_steps_and_leave_nothing(blender, sound, monkeypatch, tmp_path):
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    job, result = music(blender, tmp_path)
    monkeypatch.setattr(sound_files, "STEP_BYTES", 10000)
    manager, job.folder = jobs.manager, tmp_path / "job"
    manager.job = job
    manager._done(job, result)
    fractions = []
    while job.state == "building" and len(fractions) < 4:
        manager.poll()
        fractions.append(job.fraction)
    assert fractions == sorted(fractions) and 0 < fractions[-1] < 1
    parts = [path.name for path in (tmp_path / "baton").iterdir()]
    assert len(parts) == 1 and parts[0].endswith(".part")
    jobs.manager.cancel()
    assert not (tmp_path / "baton").exists()
