"""Markers as handles: exact times survive, moved markers count, others are left alone."""
import json

import pytest

from baton.blender_addon.flows import beats as find_beats
from baton.blender_addon.scene import beat_markers as beats
from baton.blender_addon.scene import strips
from baton.blender_addon.ui import overlay
from tests.blender import scenes
from tests.blender.stand_ins import prepare

BEATS = {"times": [0.013, 0.507, 1.009, 1.498, 2.006, 2.511], "positions": [4, 1, 2, 3, 4, 1], "metre": 4,
         "confidence": 0.9}


def frames(scene):
    return {marker.name: marker for marker in scene.timeline_markers if beats.is_beat(marker)}


def test_names_and_exact_times(blender):
    scene = blender.context.scene
    beats.show(scene, BEATS, 101.0, 30.0)
    assert sorted(frames(scene)) == sorted(["b 0.4", "B 1.1", "b 1.2", "b 1.3", "b 1.4", "B 2.1"])
    assert frames(scene)["B 1.1"].frame == round(101 + 0.507 * 30)
    again = beats.read(scene)
    assert again["times"] == BEATS["times"] and again["positions"] == BEATS["positions"]
    # from another passage's start
    assert beats.read(scene, 116.0, 30.0)["times"] == pytest.approx([t - 0.5 for t in BEATS["times"]], abs=1e-4)


def test_only_a_moved_marker_changes_its_time(blender):
    scene = blender.context.scene
    beats.show(scene, BEATS, 1.0, 30.0)
    frames(scene)["b 1.3"].frame += 3
    times = beats.read(scene)["times"]
    assert times[3] == pytest.approx((round(1 + 1.498 * 30) + 3 - 1) / 30, abs=1e-4)
    assert times[:3] + times[4:] == BEATS["times"][:3] + BEATS["times"][4:]


def test_deleted_added_and_foreign_markers(blender):
    scene = blender.context.scene
    scene.timeline_markers.new("Kick", frame=5)
    camera = blender.data.objects.new("Camera", blender.data.cameras.new("Camera"))
    bound = scene.timeline_markers.new("b 9.9", frame=6)
    bound.camera = camera
    beats.show(scene, BEATS, 1.0, 30.0)
    scene.timeline_markers.remove(frames(scene)["b 1.2"])
    scene.timeline_markers.new("b", frame=91)
    read = beats.read(scene, 1.0, 30.0)
    assert len(read["times"]) == 6 and read["times"][-1] == 3.0 and 1.009 not in read["times"]
    assert read["positions"] == [4, 1, 2, 3, 1, 2]  # the bar is one beat shorter now
    beats.clear(scene)
    assert sorted(marker.name for marker in scene.timeline_markers) == ["Kick", "b 9.9"]


def test_half_and_double(blender):
    scene = blender.context.scene
    beats.show(scene, BEATS, 1.0, 30.0)
    assert blender.ops.baton.scale_beats(factor="DOUBLE") == {"FINISHED"}
    twice = beats.read(scene)
    assert len(twice["times"]) == 11 and twice["times"][1] == pytest.approx((0.013 + 0.507) / 2, abs=1e-3)
    assert blender.ops.baton.scale_beats(factor="HALF") == {"FINISHED"}
    assert beats.read(scene)["times"] == BEATS["times"]
    downbeats = beats.half(BEATS)
    assert downbeats["times"][0] == 0.507  # the downbeat stays a beat
    nine = {"times": [i / 2 for i in range(18)], "positions": [(i + 7) % 9 + 1 for i in range(18)], "metre": 9}
    assert beats.half(nine) == {"times": [1.0, 2.5, 4.0, 5.5, 7.0, 8.5], "positions": [1, 2, 3, 1, 2, 3], "metre": 3}


def test_tap_and_jump(blender):
    scene = blender.context.scene
    with pytest.raises(RuntimeError, match="no beat markers"):
        blender.ops.baton.jump_beat()
    for frame in (10, 25, 40, 56):
        scene.frame_set(frame)
        blender.ops.baton.tap_beat()
    assert [marker.frame for marker in sorted(scene.timeline_markers, key=lambda m: m.frame)] == [10, 25, 40, 56]
    assert "B 1.1" in frames(scene) and "b 1.4" in frames(scene)
    blender.ops.baton.clear_beats()
    blender.ops.baton.tap_beat()
    assert list(frames(scene)) == ["B 1.1"], "the very first is a downbeat, however soon after others"
    blender.ops.baton.clear_beats()
    for frame in (10, 25, 40, 56):
        scene.frame_set(frame)
        blender.ops.baton.tap_beat()
    scene.frame_set(12)
    blender.ops.baton.jump_beat()
    assert scene.frame_current == 25
    blender.ops.baton.jump_beat(forward=False)
    assert scene.frame_current == 10
    assert blender.ops.baton.jump_beat(forward=False) == {"CANCELLED"}


def test_overlay_lines(blender):
    scene = blender.context.scene
    beats.show(scene, BEATS, 1.0, 30.0)
    scene.baton.music_beats = json.dumps({**BEATS, "frame_start": 1.0})
    drawn = overlay.lines(scene, 0, 30)
    assert len([line for line in drawn if line[2]]) == 2 and len([line for line in drawn if not line[2]]) == 2
    assert [round(frame, 2) for frame, down, music in drawn if down and music] == [round(1 + 0.507 * 30, 2)]


def test_beats_of_a_strip_in_another_scene_fall_on_the_frames_of_this_one(blender, sound, tmp_path):
    """Both scenes begin at the same instant, whatever their first frames and their rates."""
    scene, edit = blender.context.scene, blender.data.scenes.new("Edit")
    scene.frame_start, edit.frame_start, edit.render.fps = 11, 1, 24
    strip = strips.place(edit, scenes.write_wav(tmp_path / "a.wav", 2.0), "Piece", 25, 48)
    job = prepare(find_beats.strip_job(blender.context, edit, strip), tmp_path / "job")
    job.apply({"beats": {"times": [0.0, 0.5, 1.0], "positions": [1, 2, 3], "metre": 4}}, tmp_path / "job")
    assert sorted(marker.frame for marker in scene.timeline_markers) == [41, 56, 71]
    assert not edit.timeline_markers
