"""The whole: operators, a real worker, trained weights. Skipped where the weights are not in the repository."""
import json
import os
import wave

import numpy as np
import pytest

from baton.blender_addon.scene import beat_markers as beats
from baton.blender_addon.scene import bone_map, compat, strips
from baton.blender_addon.worker import manager as jobs
from tests.blender import scenes
from tests.blender.test_keeping import apart

MUSIC = {("music_ldm", "vae"), ("music_ldm", "denoiser"), ("music_ldm", "vocoder"), ("rhythm", "body")}
CONDUCT = {("conductor", "encoder"), ("conductor", "denoiser"), ("conductor", "players"), ("rhythm", "music")}
DATA = scenes.ROOT.parent / "shared" / "data"


def need(have, wanted):
    if not wanted <= have:
        pytest.skip(f"checkpoints are missing: {', '.join(sorted('/'.join(part) for part in wanted - have))}")


def test_generate_music(blender, sound, checkpoints, tmp_path):
    need(checkpoints, MUSIC)
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    rig, scene = scenes.smpl_rig(), blender.context.scene
    scenes.sway(rig, 151)
    scene.baton.music_ldm.steps, scene.baton.music_ldm.genre = "draft", "house"
    assert blender.ops.baton.generate_music() == {"FINISHED"}
    take = scene.baton.takes[0]
    strip = compat.sequences(scene.sequence_editor)[take.strip]
    assert strip.frame_final_start == 1 and take.name == "House 1"
    with wave.open(take.path) as file:
        assert file.getframerate() == 48000 and file.getnchannels() == 2 and file.getsampwidth() == 3
        assert file.getnframes() / 48000 == pytest.approx(151 / 30, abs=0.05)
    recipe = json.loads(take.recipe)
    assert recipe["settings"]["seed"] == scene.baton.music_ldm.seed and len(json.loads(take.beats)["times"]) > 4
    # Redo with nothing changed draws another seed; the old seed gives the same sound again.
    first = open(take.path, "rb").read()
    assert blender.ops.baton.redo_take() == {"FINISHED"} and "nothing had changed" in jobs.manager.last.message
    assert open(scene.baton.takes[1].path, "rb").read() != first
    assert blender.ops.baton.generate_music() == {"FINISHED"}
    assert open(scene.baton.takes[2].path, "rb").read() == first


@pytest.mark.parametrize("name", ["music_ldm", "conductor"])
def test_redo_follows_a_dragged_marker(blender, sound, checkpoints, tmp_path, name):
    need(checkpoints, MUSIC | CONDUCT)
    rig, scene = scenes.smpl_rig(), blender.context.scene
    scenes.sway(rig, 151)
    scene.frame_end, getattr(scene.baton, name).steps = 151, "draft"
    strip = strips.place(scene, scenes.write_wav(tmp_path / "p.wav", 5.0), "Piece", 1, 150)
    scene.sequence_editor.active_strip, strip.select = strip, True
    assert getattr(blender.ops.baton, f"generate_{name}")() == {"FINISHED"}
    take = scene.baton.takes[0]
    assert blender.ops.baton.take_beats(name=take.name) == {"FINISHED"}
    marker = sorted((m for m in scene.timeline_markers if beats.is_beat(m)), key=lambda m: m.frame)[3]
    marker.frame += 5
    assert blender.ops.baton.redo_take(name=take.name) == {"FINISHED"}
    one, two = (json.loads(take.beats)["times"] for take in scene.baton.takes)
    assert len(one) == len(two) and two[3] == pytest.approx(one[3] + 5 / 30, abs=0.02)
    assert np.abs(np.delete(one, 3) - np.delete(two, 3)).max() < 0.02


def test_generate_conducting(blender, sound, checkpoints, tmp_path):
    need(checkpoints, CONDUCT)
    rig, scene = scenes.smpl_rig(), blender.context.scene
    rig.location, rig.rotation_euler = (2, 1, 0), (0, 0, 1.0)
    scene.baton.conductor.steps = "draft"
    strip = strips.place(scene, scenes.write_wav(tmp_path / "p.wav", 6.0), "Piece", 31, 180)
    scene.sequence_editor.active_strip, strip.select = strip, True
    assert blender.ops.baton.generate_conducting() == {"FINISHED"}
    take = scene.baton.takes[0]
    low, high = take.action.frame_range
    assert low == 31 and high == pytest.approx(31 + 180, abs=3)
    scene.frame_set(31)
    hips = rig.matrix_world @ rig.pose.bones["pelvis"].head
    assert abs(hips.x - 2) < 0.15 and abs(hips.y - 1) < 0.15, "it starts where the rig stands"
    heights = []
    for frame in range(31, 211, 2):
        scene.frame_set(frame)
        heights.append((rig.matrix_world @ rig.pose.bones["right_wrist"].head).z)
    assert max(heights) - min(heights) > 0.08, "the right hand beats"


def test_detect_beats_of_sound_and_motion(blender, sound, checkpoints, tmp_path):
    need(checkpoints, {("rhythm", "music"), ("rhythm", "body")})
    rig, scene = scenes.smpl_rig(), blender.context.scene
    scenes.sway(rig, 241)
    assert blender.ops.baton.detect_beats(source="MOTION") == {"FINISHED"}
    assert beats.read(scene)["times"]
    strip = strips.place(scene, scenes.write_wav(tmp_path / "p.wav", 8.0, bpm=120), "Piece", 1, 240)
    scene.sequence_editor.active_strip, strip.select = strip, True
    assert blender.ops.baton.detect_beats(source="STRIP") == {"FINISHED"}
    times = beats.read(scene)["times"]
    steps = [b - a for a, b in zip(times, times[1:])]
    period = sorted(steps)[len(steps) // 2]
    # Bare clicks have no bar: half and double time are as good a reading.
    assert min(abs(period - wanted) / wanted for wanted in (0.25, 0.5, 1.0)) < 0.06


def test_cancel_of_a_real_job(blender, sound, checkpoints, tmp_path):
    need(checkpoints, MUSIC)
    import time

    from tests.blender.stand_ins import to_sound
    rig = scenes.smpl_rig()
    scenes.sway(rig, 301)
    blender.context.scene.baton.music_ldm.steps = "fine"
    job = to_sound(blender.context, rig).job()
    jobs.manager.start(job)
    end = time.monotonic() + 120
    while job.phase != "Sampling" and not job.over and time.monotonic() < end:
        jobs.manager.poll(timeout=0.05)
    assert job.phase == "Sampling", job.message
    jobs.manager.cancel()
    while not job.over and time.monotonic() < end:
        jobs.manager.poll(timeout=0.05)
    assert job.state == "cancelled" and not job.folder.exists()
    assert len(blender.context.scene.baton.takes) == 0


@pytest.mark.slow
def test_real_capture_and_real_recording(blender, sound, checkpoints, tmp_path):
    """A CMU capture imported as an armature, and a recorded orchestra as a strip."""
    need(checkpoints, MUSIC | CONDUCT)
    capture = DATA / "motion" / "cmu_salsa" / "05.bvh.gz"
    piece = DATA / "music" / "brahms_hungarian_dance_5.ogg"
    if not capture.is_file() or not piece.is_file():
        pytest.skip("the shared data is not here")
    rig = scenes.import_bvh(capture, tmp_path)
    scene = blender.context.scene
    assert blender.ops.baton.detect_bones() == {"FINISHED"}
    assert bone_map.missing(rig) == []
    settings, scene.baton.conductor.steps = scene.baton.music_ldm, "draft"
    settings.steps, settings.range, settings.frame_start, settings.frame_end = "draft", "CUSTOM", 31, 210
    assert blender.ops.baton.generate_music() == {"FINISHED"}
    strip = strips.place(scene, piece, "Brahms", 1, 200)
    strip.frame_final_end = 1 + 240
    scene.sequence_editor.active_strip = strip
    for other in compat.sequences(scene.sequence_editor):
        other.select = other == strip
    assert blender.ops.baton.generate_conducting() == {"FINISHED"}
    assert {take.kind for take in scene.baton.takes} == {"MUSIC", "MOTION"}
    assert os.path.isfile(scene.baton.takes[0].path)


def samples_of(path):
    """(N,) left channel of a 24-bit wave file, full scale 1."""
    with wave.open(str(path)) as file:
        raw = np.frombuffer(file.readframes(file.getnframes()),
                            np.uint8).reshape(-1, 3 * file.getnchannels())[:, :3].astype(int)
    value = raw[:, 0] | raw[:, 1] << 8 | raw[:, 2] << 16
    return (value - (value >= 1 << 23) * (1 << 24)) / (1 << 23)


def test_redo_range_of_music(blender, sound, checkpoints, tmp_path):
    need(checkpoints, MUSIC)
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    rig, scene = scenes.smpl_rig(), blender.context.scene
    scenes.sway(rig, 121)
    settings, music = scene.baton, scene.baton.music_ldm
    music.steps, music.genre, music.loop = "draft", "pop", True
    assert blender.ops.baton.generate_music() == {"FINISHED"}
    settings.edit_range, settings.edit_start, settings.edit_end = "CUSTOM", 46, 75
    assert blender.ops.baton.redo_range() == {"FINISHED"}
    before, after = (samples_of(take.path) for take in scene.baton.takes)
    gap = np.abs(before - after)
    assert gap[:71_000].max() < 1e-5 and gap[121_000:].max() < 1e-5 and gap[80_000:110_000].max() > 1e-3
    assert [take.audible for take in scene.baton.takes] == [False, True]
    assert json.loads(scene.baton.takes[1].recipe)["settings"]["loop"] is True


PARTS = {"conductor": CONDUCT,
         "dance_cascade": {("dance_cascade", part)
                           for part in ("encoder", "base", "guided", "styles", "super_resolution")},
         "momu_motion": {("momu", "motion_vae"), ("momu", "motion_dit"), ("momu", "timing"), ("music_ldm", "vae")}}


@pytest.mark.parametrize("name", list(PARTS))
@pytest.mark.parametrize("t_pose", [False, True])
def test_redo_range_and_keep_range_of_motion(blender, sound, checkpoints, tmp_path, name, t_pose):
    """Outside a range made anew, and within one that is kept, nothing moves; what is new joins it where it lies."""
    need(checkpoints, PARTS[name])
    rig, scene = scenes.smpl_rig(), blender.context.scene
    rig.location, rig.rotation_euler = (2, 1, 0), (0, 0, 1.0)
    settings, system = scene.baton, getattr(scene.baton, name)
    settings.model_to_motion, system.steps, system.blend_seconds = name, "draft", 0.0
    strip = strips.place(scene, scenes.write_wav(tmp_path / "p.wav", 5.0), "Piece", 31, 150)
    scene.sequence_editor.active_strip, strip.select = strip, True
    generate, frames = getattr(blender.ops.baton, f"generate_{name}"), np.arange(31, 181)
    assert generate() == {"FINISHED"}
    if t_pose:                                                  # as captures begin: another pose, another place
        action = settings.takes[0].action
        for curve in compat.curves_of(action, action.slots[0] if compat.SLOTTED else None):
            place = curve.data_path.endswith("location")
            plain = "quaternion" in curve.data_path and curve.array_index == 0
            far = 1.5 if place else float(plain)
            curve.keyframe_points[0].co.y = far
            curve.update()
    first = scenes.evaluated(rig, frames)
    settings.edit_range, settings.edit_start, settings.edit_end = "CUSTOM", 91, 120
    assert blender.ops.baton.redo_range() == {"FINISHED"}
    now = scenes.evaluated(rig, frames)
    outside = (frames < 91) | (frames > 120)
    metres, degrees = apart(first[outside], now[outside])
    assert metres < 1e-4 and degrees < 0.01, (metres, degrees)
    assert apart(first[~outside], now[~outside])[0] > 0.02, "inside it is another"
    # The other way round: what the rig does now in the range stays, the rest is new.
    system.keep_range, system.seed = True, 77
    assert generate() == {"FINISHED"}
    new = scenes.evaluated(rig, frames)
    metres, degrees = apart(now[~outside], new[~outside])
    assert metres < 1e-4 and degrees < 0.01, (metres, degrees)
    hips = new[:, 0, :3, 3]
    assert np.linalg.norm(np.diff(hips, axis=0), axis=1).max() < 0.12, "metres a frame: no jump, no rush back"
    assert np.linalg.norm(hips[outside] - hips[~outside].mean(axis=0), axis=1).max() < 3.0
    assert apart(now[outside], new[outside])[0] > 0.02
