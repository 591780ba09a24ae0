"""From the scene to the worker's files and from its result to the scene. The worker's part is stood in for by a
result written here; `test_generate.py` runs the whole with trained weights."""
import json
from pathlib import Path

import numpy as np
import pytest

from baton.blender_addon.errors import UserError
from baton.blender_addon.scene import beat_markers as beats
from baton.blender_addon.scene import compat, strips
from tests.blender import scenes
from tests.blender.stand_ins import BEATS, conducting, music, prepare, row, to_sound


def test_music_request(blender, tmp_path):
    scene = blender.context.scene
    rig = scenes.smpl_rig()
    scenes.sway(rig, 61)
    settings = scene.baton.music_ldm
    settings.genre, settings.tempo, settings.bpm, settings.seed = "house", "fixed", 124, 7
    job = prepare(to_sound(blender.context, rig).job(), tmp_path)
    params = job.params
    sent = params["settings"]
    assert sent["genre"] == "house" and sent["tempo"] == "fixed" and sent["bpm"] == 124 and sent["seed"] == 7
    assert params["system"] == "music_ldm" and params["beats"] is None
    first, last = rig.animation_data.action.frame_range
    assert params["duration"] == pytest.approx((last - first + 1) / 30)
    assert len(np.load(tmp_path / "times.npy")) == last - first + 1
    settings.genre, settings.tempo, settings.range = "any", "markers", "CUSTOM"
    settings.frame_start, settings.frame_end = 31, 60
    with pytest.raises(UserError, match="no beat markers"):
        to_sound(blender.context, rig).job()
    beats.show(scene, {**BEATS, "times": [1.1, 1.6, 2.1, 2.6]}, 1.0, 30.0)
    params = prepare(to_sound(blender.context, rig).job(), tmp_path / "again").params
    assert params["settings"]["genre"] == "any" and params["beats"]["times"] == [0.1, 0.6, 1.1, 1.6]
    settings.frame_end = 32
    with pytest.raises(UserError, match="long"):
        to_sound(blender.context, rig).job()


def test_music_lands_on_the_timeline(blender, sound, tmp_path):
    scene = blender.context.scene
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    scene = blender.context.scene
    job, result = music(blender, tmp_path)
    strips.place(scene, scenes.write_wav(tmp_path / "other.wav", 3.0), "Other", 1, 90)
    sentence = job.apply(result, tmp_path / "job")
    take = scene.baton.takes[0]
    strip = compat.sequences(scene.sequence_editor)[take.strip]
    assert take.name == strip.name == "Music 1" and strip.frame_final_start == 1 and strip.channel == 2
    assert Path(take.path) == tmp_path / "baton" / "Music 1.wav" and Path(take.path).is_file()
    assert strip.sound.filepath == "//baton/Music 1.wav" and "frame 1" in sentence
    assert json.loads(take.recipe)["system"] == "music_ldm" == json.loads(strip["baton_recipe"])["system"]
    assert json.loads(Path(take.path).with_suffix(".json").read_text()) == json.loads(take.recipe)
    assert take.has_alignment and take.score == pytest.approx(0.8) and take.chance == pytest.approx(0.3)


def test_new_music_is_what_is_conducted_next(blender, sound, tmp_path):
    scene = blender.context.scene
    old = strips.place(scene, scenes.write_wav(tmp_path / "old.wav", 2.0), "Old", 1, 60)
    scene.sequence_editor.active_strip, old.select = old, True
    job, result = music(blender, tmp_path, variations=2)
    job.apply(result, tmp_path / "job")
    place, strip = strips.sound_strip(blender.context)
    assert place == scene and strip.name == scene.baton.takes[-1].strip and not old.select


def test_unsaved_file_gives_a_notice_and_keep_moves_the_sound(blender, sound, tmp_path):
    job, result = music(blender, tmp_path)
    assert "not saved" in job.apply(result, tmp_path / "job")
    scene = blender.context.scene
    with pytest.raises(RuntimeError, match="Save the file first"):
        blender.ops.baton.keep_take()
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    assert blender.ops.baton.keep_take() == {"FINISHED"}
    take = blender.context.scene.baton.takes[0]
    assert take.kept and take.path == "//baton/Music 1.wav" and (tmp_path / "baton" / "Music 1.wav").is_file()
    assert compat.sequences(scene.sequence_editor)[take.strip].sound.filepath == "//baton/Music 1.wav"


def test_variations_are_rivals(blender, sound, tmp_path):
    job, result = music(blender, tmp_path, variations=3)
    job.apply(result, tmp_path / "job")
    scene = blender.context.scene
    sequences = compat.sequences(scene.sequence_editor)
    assert [take.name for take in scene.baton.takes] == ["Music 1", "Music 2", "Music 3"]
    assert [json.loads(take.request)["params"]["seed"] for take in scene.baton.takes] == [1, 2, 3]
    assert [strip.name for strip in sequences if not strip.mute] == ["Music 3"]
    assert blender.ops.baton.solo_take(name="Music 1") == {"FINISHED"}
    assert [strip.name for strip in sequences if not strip.mute] == ["Music 1"]
    assert blender.ops.baton.remove_take(name="Music 2") == {"FINISHED"}
    assert len(sequences) == 1 and len(scene.baton.takes) == 2


def test_conducting_lands_on_the_rig(blender, sound, tmp_path):
    rig, job = conducting(blender, tmp_path)
    assert job.params["audio"].endswith("p.wav") and job.params["start"] == 0 and job.params["speed"] == 1.0
    assert job.params["duration"] == pytest.approx(2.0, abs=0.05)
    assert np.load(tmp_path / "job" / "pose.npy").shape == (1, 24, 4, 4)
    job.apply({"takes": [row("channels.npz")]}, tmp_path / "job")
    scene = blender.context.scene
    take = scene.baton.takes[0]
    assert take.name == "Conducting 1" == take.action.name and rig.animation_data.action == take.action
    low, high = take.action.frame_range
    assert low == 21 and high == pytest.approx(80, abs=1.01)
    scene.frame_set(21 + 30)
    assert rig.pose.bones["pelvis"].location.x == pytest.approx(0.1, abs=1e-3)
    assert blender.ops.baton.remove_take() == {"FINISHED"}
    assert rig.animation_data is None and len(blender.data.actions) == 0


def test_takes_on_one_rig_stand_beside_each_other(blender, sound, tmp_path):
    rig = scenes.smpl_rig()
    own = scenes.sway(rig, 120)
    frames = range(1, 120, 5)
    before = scenes.evaluated(rig, frames)
    _, job = conducting(blender, tmp_path)
    job.apply({"takes": [row("channels.npz")]}, tmp_path / "job")
    _, job = conducting(blender, tmp_path, "job2")
    job.apply({"takes": [row("channels.npz")]}, tmp_path / "job2")
    scene = blender.context.scene
    data = rig.animation_data
    assert [take.audible for take in scene.baton.takes] == [False, True] and len(data.nla_tracks) == 2
    blender.ops.baton.solo_take(name="Conducting 1")
    assert data.action == scene.baton.takes["Conducting 1"].action
    blender.ops.baton.mute_take(name="Conducting 1")
    assert np.abs(scenes.evaluated(rig, frames) - before).max() < 1e-5, "muted: what the rig did without it"
    blender.ops.baton.solo_take(name="Conducting 2")
    blender.ops.baton.remove_take(name="Conducting 2")
    assert data.action == scene.baton.takes["Conducting 1"].action
    blender.ops.baton.remove_take(name="Conducting 1")
    assert data.action == own and len(data.nla_tracks) == 0
    assert np.abs(scenes.evaluated(rig, frames) - before).max() < 1e-6


def test_a_kept_take_goes_below_the_next(blender, sound, tmp_path):
    rig = scenes.smpl_rig()
    own = scenes.sway(rig, 120)
    _, job = conducting(blender, tmp_path)
    job.apply({"takes": [row("channels.npz")]}, tmp_path / "job")
    blender.ops.baton.keep_take()
    _, job = conducting(blender, tmp_path, "job2")
    job.apply({"takes": [row("channels.npz")]}, tmp_path / "job2")
    data, kept = rig.animation_data, blender.context.scene.baton.takes["Conducting 1"].action
    strip = next(strip for track in data.nla_tracks for strip in track.strips if strip.action == kept)
    assert (strip.frame_start, strip.frame_end) == tuple(kept.frame_range), "a take answers only within its keys"
    blender.ops.baton.remove_take(name="Conducting 2")
    assert data.action == kept and len(data.nla_tracks) == 2
    blender.ops.baton.remove_take(name="Conducting 1")
    assert data.action == own and len(data.nla_tracks) == 0


def test_other_frame_rates(blender, sound, tmp_path):
    """A 24 fps scene: channels at 30 Hz land on its whole frames at the right instants."""
    blender.context.scene.render.fps = 24
    rig, job = conducting(blender, tmp_path)
    job.apply({"takes": [row("channels.npz")]}, tmp_path / "job")
    blender.context.scene.frame_set(21 + 36)  # 1.5 s
    assert rig.pose.bones["pelvis"].location.x == pytest.approx(0.15, abs=1e-3)


def test_playback_hints_change_only_on_click(blender, sound, tmp_path):
    job, result = music(blender, tmp_path)
    scene = blender.context.scene
    scene.sync_mode, scene.use_audio_scrub = "NONE", False
    job.apply(result, tmp_path / "job")
    assert strips.playback_hints(scene) == (True, True) and scene.sync_mode == "NONE"
    blender.ops.baton.playback(what="SYNC")
    blender.ops.baton.playback(what="SCRUB")
    assert strips.playback_hints(scene) == (False, False)


def test_renamed_strips_and_takes_are_told_apart(blender, sound, tmp_path):
    job, result = music(blender, tmp_path, variations=2)
    sentence = job.apply({**result, "device": "cpu (2 threads)", "wall": 4.0, "seconds": 2.0}, tmp_path / "job")
    assert "2.0 s in 4.0 s on cpu (2 threads)" in sentence, "the device is shown"
    scene = blender.context.scene
    sequences = compat.sequences(scene.sequence_editor)
    first, second = scene.baton.takes
    blender.ops.baton.solo_take(name=first.name)
    sequences[first.strip].name = "My favourite"
    blender.ops.baton.solo_take(name=second.name)
    blender.ops.baton.solo_take(name=first.name)
    assert [strip.name for strip in sequences if not strip.mute] == ["My favourite"]
    second.name = first.name
    assert second.name == f"{first.name} (2)"
    assert blender.ops.baton.remove_take(name=second.name) == {"FINISHED"}
    assert [strip.name for strip in sequences] == ["My favourite"]


def test_fps_base_counts(blender, sound, tmp_path):
    """29.97 fps: sixty frames are 2.002 s of music, and a conductor's channels land on the frames of their instants."""
    render = blender.context.scene.render
    render.fps, render.fps_base = 30, 1.001
    rig = scenes.smpl_rig("Other")
    scenes.sway(rig, 61)
    settings = blender.context.scene.baton.music_ldm
    settings.range, settings.frame_end = "CUSTOM", 60
    job = prepare(to_sound(blender.context, rig).job(), tmp_path / "music")
    assert job.params["duration"] == pytest.approx(60 * 1.001 / 30)
    assert np.load(tmp_path / "music" / "times.npy")[30] == pytest.approx(1.001)
    dancer, job = conducting(blender, tmp_path)
    job.apply({"takes": [row("channels.npz")]}, tmp_path / "job")
    blender.context.scene.frame_set(21 + 30)
    assert dancer.pose.bones["pelvis"].location.x == pytest.approx(0.1 * 1.001, abs=1e-4)


def test_what_else_is_heard_is_named(blender, sound, tmp_path):
    """Music of a new take over a strip of the user's: both would be heard, and nobody says so."""
    scene = blender.context.scene
    for name, first, mute in (("Song", 1, False), ("Later", 200, False), ("Quiet", 1, True)):
        strips.place(scene, scenes.write_wav(tmp_path / f"{name}.wav", 2.0), name, first, 60).mute = mute
    job, result = music(blender, tmp_path)
    job.apply(result, tmp_path / "job")
    assert job.warnings == ["Song is heard in the same frames; mute it to hear Music 1 alone"]
    compat.sequences(scene.sequence_editor)["Song"].mute = True
    job, result = music(blender, tmp_path)
    job.apply(result, tmp_path / "job")
    assert job.warnings == [], "a silenced take is not heard"
