"""Redo Range and Keep a Range: which seconds are asked for, what is sampled, and every reason why not."""
import json

import numpy as np
import pytest

from baton.blender_addon.errors import UserError
from baton.blender_addon.flows import ranges
from baton.blender_addon.scene import strips, takes
from baton.blender_addon.scene.timebase import Passage
from tests.blender import scenes
from tests.blender.stand_ins import BEATS, channels, conducting, prepare, row, to_motion, to_sound


def custom(scene, first, last):
    scene.baton.edit_range, scene.baton.edit_start, scene.baton.edit_end = "CUSTOM", first, last


def music_take(blender, tmp_path, fps=30):
    """A music take of frames 1-60, without a strip so that Blenders without sound have it too."""
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    scene = blender.context.scene
    scene.render.fps = fps
    rig = scenes.smpl_rig()
    scenes.sway(rig, 61)
    settings = scene.baton.music_ldm
    settings.range, settings.frame_start, settings.frame_end = "CUSTOM", 1, 60
    request = to_sound(blender.context, rig).request
    take = takes.new(scene, "Music", "MUSIC")
    take.rig, take.path = rig, str(scenes.write_wav(tmp_path / "take.wav", 60 / fps))
    takes.remember(take, row("take.wav"), takes.one_of(request, 0), 1.0)
    return scene, rig, take


@pytest.mark.parametrize("fps", [30, 24])
def test_a_range_of_music_in_seconds(blender, tmp_path, fps):
    scene, rig, take = music_take(blender, tmp_path, fps)
    custom(scene, 16, 45)
    request = ranges.request(scene, take)
    keep = request["keep"]
    assert keep["file"] == take.path and keep["start"] == pytest.approx(15 / fps, abs=1e-3)
    assert keep["stop"] == pytest.approx(45 / fps, abs=1e-3)
    assert request["params"]["seed"] == 2 and request["params"]["variations"] == 1
    job = prepare(to_sound(blender.context, rig, request).job(), tmp_path / "job")
    assert job.params["keep"] == keep and len(np.load(tmp_path / "job" / "times.npy")) == 60
    scene.frame_start, scene.frame_end, scene.baton.edit_range = 31, 500, "SCENE"
    assert ranges.request(scene, take)["keep"]["stop"] == pytest.approx(60 / fps, abs=1e-3), "cut at the take's end"
    scene.use_preview_range, scene.baton.edit_range = True, "PREVIEW"
    scene.frame_preview_start, scene.frame_preview_end = 11, 20
    assert ranges.request(scene, take)["keep"]["start"] == pytest.approx(10 / fps, abs=1e-3)


def test_a_range_is_of_the_style_that_the_model_chose(blender, tmp_path):
    """A take that was left to the model is named after its choice, and a range of it stays in that style."""
    scene, rig, take = music_take(blender, tmp_path)
    custom(scene, 16, 45)
    asked, told = json.loads(take.request), json.loads(take.recipe)
    asked.update(system="dance_cascade", params={"genre": "any", "seed": 1, "variations": 1}, strip="", strip_scene="")
    take.request, take.recipe = json.dumps(asked), json.dumps({**told, "settings": {"genre": "house"}})
    assert ranges.request(scene, take)["params"]["genre"] == "house"
    take.request = json.dumps({**asked, "params": {**asked["params"], "genre": "salsa"}})
    assert ranges.request(scene, take)["params"]["genre"] == "salsa", "what was asked for stays"
    take.request, take.recipe = json.dumps(asked), json.dumps({**told, "settings": {"genre": None}})
    assert ranges.request(scene, take)["params"]["genre"] == "any"
    flow = to_sound(blender.context, rig)
    chosen = [{"recipe": {"settings": {"genre": "house"}}}]
    assert flow.title(chosen) == "House" and flow.title([{"recipe": None}]) == flow.system.title(flow.request["params"])


def test_each_range_gets_a_seed_that_was_not_used(blender, tmp_path):
    scene, _rig, take = music_take(blender, tmp_path)
    custom(scene, 16, 45)
    other = json.loads(take.request)
    other["params"]["seed"] = 9
    takes.remember(takes.new(scene, "Music", "MUSIC"), row("x.wav"), other, 1.0)
    assert ranges.request(scene, take)["params"]["seed"] == 10
    takes.new(scene, "Music", "MUSIC").request = "{"
    assert ranges.request(scene, take)["params"]["seed"] == 10, "a damaged take is no reason against another"


def test_ranges_that_cannot_be(blender, tmp_path):
    scene, _rig, take = music_take(blender, tmp_path)
    for first, last, words in ((1, 60, "whole take"), (200, 260, "do not lie in the take"),
                               (30, 30, "ends at frame 30"), (58, 70, None), (60, 70, "do not lie")):
        custom(scene, first, last)
        if words is None:
            ranges.seconds(ranges.chosen(scene), Passage(1.0, 2.3, 30.0))
            continue
        with pytest.raises(UserError, match=words):
            ranges.request(scene, take)
    scene.baton.edit_range = "PREVIEW"
    with pytest.raises(UserError, match="no preview range"):
        ranges.request(scene, take)
    with pytest.raises(RuntimeError, match="no preview range"):       # the grey button's tooltip
        blender.ops.baton.redo_range()
    custom(scene, 16, 45)
    (tmp_path / "take.wav").unlink()
    with pytest.raises(RuntimeError, match="missing"):
        blender.ops.baton.redo_range()


def test_a_range_follows_the_markers_when_asked(blender, tmp_path):
    from baton.blender_addon.scene import beat_markers as beats
    scene, rig, take = music_take(blender, tmp_path)
    custom(scene, 16, 45)
    job = prepare(to_sound(blender.context, rig, ranges.request(scene, take)).job(), tmp_path / "job")
    assert job.params["beats"] is None
    beats.show(scene, BEATS, 1.0, 30.0)
    request = ranges.request(scene, take)
    request["params"]["tempo"] = "markers"
    job = prepare(to_sound(blender.context, rig, request).job(), tmp_path / "job")
    assert job.params["beats"]["times"] == BEATS["times"]


def conducted(blender, tmp_path):
    rig, job = conducting(blender, tmp_path, blend_seconds=0.2)
    job.apply({"takes": [row("channels.npz")]}, tmp_path / "job")
    return rig, blender.context.scene, blender.context.scene.baton.takes[0]


def test_a_range_of_conducting_reads_what_stays_from_the_rig(blender, sound, tmp_path):
    rig, scene, take = conducted(blender, tmp_path)
    custom(scene, 21 + 20, 21 + 39)
    request = ranges.request(scene, take)
    strip = strips.find(scene, "Piece")
    job = prepare(to_motion(blender.context, rig, scene, strip, request).job(), tmp_path / "again")
    assert job.params["keep"] == {"start": pytest.approx(20 / 30, abs=1e-3), "stop": pytest.approx(40 / 30, abs=1e-3),
                                  "stays": "outside"} and job.params["settings"]["seed"] == 2
    poses = np.load(tmp_path / "again" / "pose.npy")
    assert len(poses) == 60 and np.abs(poses[10] - poses[30]).max() > 1e-3, "the take's own motion"
    channels(tmp_path / "again")
    job.apply({"takes": [row("channels.npz", 2)]}, tmp_path / "again")
    made = scene.baton.takes[1]
    assert made.audible and not scene.baton.takes[0].audible
    low, high = made.action.frame_range
    assert low == 21 and high == pytest.approx(80, abs=1.01)
    assert json.loads(made.request)["keep"]["frames"] == [41, 60]
    blender.ops.baton.solo_take(name=made.name)
    scene.baton.take_index = 0
    with pytest.raises(RuntimeError, match="Solo the take first"):
        blender.ops.baton.redo_range()
    with blender.context.temp_override(baton_take=made):                # as the panel tells it for its buttons
        assert blender.ops.baton.redo_range.poll()


@pytest.mark.parametrize(("keep", "kept"), [
    ({"stays": "outside"}, [True, False, True]), ({"stays": "inside"}, [False, True, False]),
    ({"side": "both"}, [True, False, True]), ({"side": "sound"}, [True, True, True])])
def test_frames_that_stay(keep, kept):
    assert ranges.stays({"frames": (41, 60), **keep}, np.array([40, 41, 61])).tolist() == kept


def test_a_range_of_the_rigs_own_action_is_kept(blender, sound, tmp_path):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 120)
    scene = blender.context.scene
    custom(scene, 41, 60)
    _, job = conducting(blender, tmp_path, keep_range=True)
    assert job.params["keep"] == {"start": pytest.approx(20 / 30, abs=1e-3), "stop": pytest.approx(40 / 30, abs=1e-3),
                                  "stays": "inside"}
    assert np.load(tmp_path / "job" / "pose.npy").shape == (60, 24, 4, 4)
    custom(scene, 300, 400)
    with pytest.raises(UserError, match="do not lie in the take"):
        conducting(blender, tmp_path, "other")
    scene.baton.edit_range = "PREVIEW"
    strip = strips.find(scene, "Piece")
    scene.sequence_editor.active_strip, strip.select = strip, True
    with pytest.raises(RuntimeError, match="no preview range"):
        blender.ops.baton.generate_conducting()
