"""Sound strips: what is described, where new ones go."""
import contextlib
import wave
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from baton.blender_addon.errors import UserError
from baton.blender_addon.scene import compat, mixdown, sound_files, strips, timebase
from baton.blender_addon.scene.refs import Ref
from baton.core.contract import sound_files as sound_kinds
from tests.blender import scenes


@pytest.mark.parametrize(("given", "wanted"), [
    # trimmed by 24 frames at 24 fps
    (dict(final_start=25, final_end=241, offset_start=24, frame_duration=240, media_frames=240, retiming_keys=0),
     (1.0, 9.0, 1.0, 25.0)),
    # double speed, 20 frames trimmed: 40 frames into the file
    (dict(final_start=21, final_end=121, offset_start=20, frame_duration=120, media_frames=240, retiming_keys=2),
     (40 / 24, 100 / 24, 2.0, 21.0)),
    # compressed file one frame longer than it should be: no retiming
    (dict(final_start=1, final_end=242, offset_start=0, frame_duration=240, media_frames=241, retiming_keys=0),
     (0.0, 241 / 24, 1.0, 1.0)),
    # the sound begins 0.25 s after the strip
    (dict(final_start=1, final_end=241, offset_start=0, frame_duration=240, media_frames=240, retiming_keys=0,
          sound_offset=0.25), (0.0, 9.75, 1.0, 7.0)),
])
def test_clip_arithmetic(given, wanted):
    clip = timebase.clip_from_strip("x.wav", **{"hard_offset": 0, "sound_offset": 0.0, "fps": 24.0, **given})
    assert (clip.start, clip.duration, clip.speed, clip.first) == pytest.approx(wanted)


@pytest.mark.parametrize("given", [dict(retiming_keys=3, offset_start=0), dict(retiming_keys=None, offset_start=10),
                                   dict(retiming_keys=None, offset_start=0)])
def test_clips_that_cannot_be_told(given):
    with pytest.raises(timebase.SpeedChanges):
        timebase.clip_from_strip("x", final_start=1, final_end=100, frame_duration=120, media_frames=240, hard_offset=0,
                                 sound_offset=0, fps=24.0, **given)


def test_passage_and_fps_base():
    class Render:
        fps, fps_base = 30, 1.001
    passage = timebase.Passage.from_frames(101, 400, timebase.scene_fps(Render))
    assert passage.duration == pytest.approx(300 * 1.001 / 30)
    assert passage.frame(passage.seconds(250)) == pytest.approx(250)
    assert len(passage.frames()) == 300 and passage.frames()[0] == 101 and passage.frames()[-1] == 400


def test_describe_trim_and_fps(blender, sound, tmp_path):
    scene = blender.context.scene
    scene.render.fps, scene.render.fps_base = 30, 1.001
    path = scenes.write_wav(tmp_path / "a.wav", 6.0)
    strip = strips.place(scene, path, "A", 11, 180)
    strip.frame_offset_start, strip.frame_offset_end = 30, 60
    clip = describe(strip, scene, tmp_path)
    fps = 30 / 1.001
    assert clip.path == str(path) and clip.speed == 1.0 and clip.first == 41
    assert clip.start == pytest.approx(30 / fps)
    assert clip.duration == pytest.approx((strip.frame_final_end - 41) / fps)
    assert "Baton Probe" not in blender.data.scenes and len(blender.data.sounds) == 1


def describe(strip, scene, folder):
    """What `strips.describe` returns in the end."""
    steps = strips.describe(Ref.of(scene), strip.name, folder)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@contextlib.contextmanager
def sequencer(scene, strip):
    """A sequencer to call its operators in, with the strip active."""
    if not hasattr(bpy.context.workspace, "sequencer_scene"):
        pytest.skip("the retiming operators need the 5.0 sequencer scene here; tried by hand in a 4.3 window")
    bpy.context.workspace.sequencer_scene = scene
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    before, area.type = area.type, "SEQUENCE_EDITOR"
    region = next(region for region in area.regions if region.type == "WINDOW")
    scene.sequence_editor.active_strip, strip.select = strip, True
    with bpy.context.temp_override(window=window, area=area, region=region):
        yield
    area.type = before


def test_describe_speed(blender, sound, tmp_path):
    scene = blender.context.scene
    scene.render.fps = 24
    strip = strips.place(scene, scenes.write_wav(tmp_path / "a.wav", 10.0), "A", 1, 240)
    with sequencer(scene, strip):
        blender.ops.sequencer.retiming_segment_speed_set(speed=200.0)
    strip.frame_final_start += 20
    clip = describe(strip, scene, tmp_path)
    assert clip.speed == pytest.approx(2.0, rel=0.01) and clip.start == pytest.approx(40 / 24, rel=0.01)


def onsets(path):
    """Seconds at which the clicks of a wave file begin, to a hundredth."""
    with wave.open(str(path)) as file:
        rate, channels = file.getframerate(), file.getnchannels()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, channels)[:, 0] / 32768
    cell = rate // 100
    level = np.abs(samples[:len(samples) // cell * cell]).reshape(-1, cell).max(axis=1)
    return [i / 100 for i in range(len(level)) if level[i] > 0.1 and level[max(0, i - 8):i].max(initial=0) < 0.1]


def test_a_strip_of_two_speeds_is_mixed_down(blender, sound, tmp_path):
    """Five seconds at double speed, five at 0.8, trimmed by a second of timeline; nothing of the user's scene
    changes."""
    scene = blender.context.scene
    scene.render.fps = 24
    strip = strips.place(scene, scenes.write_wav(tmp_path / "a.wav", 10.0, bpm=60.0), "A", 11, 240)
    strips.place(scene, scenes.write_wav(tmp_path / "b.wav", 10.0, bpm=97.0), "B", 11, 240)
    with sequencer(scene, strip):
        for other in compat.sequences(scene.sequence_editor):
            other.select = other == strip
        blender.ops.sequencer.retiming_segment_speed_set(speed=200.0)
        blender.ops.sequencer.retiming_show()
        blender.ops.sequencer.retiming_key_add(timeline_frame=71)
    strip.retiming_keys[-1].timeline_frame = 221
    strip.frame_final_start += 24
    strip.mute, strip.volume = True, 0.2

    def state():
        return (strip.frame_final_start, strip.frame_final_end, strip.mute, strip.volume, len(blender.data.scenes),
                len(blender.data.sounds), scene.frame_start, scene.frame_end, blender.context.scene)
    before = state()
    clip = describe(strip, scene, tmp_path / "job")
    assert state() == before and (clip.start, clip.speed, clip.first) == (0.0, 1.0, 35.0)
    assert clip.duration == pytest.approx((221 - 35) / 24)
    steps = np.diff(onsets(clip.path))  # of a second of the file; Blender itself eases from one speed to the other
    assert steps[:3] == pytest.approx([0.5] * 3, abs=0.03) and steps[4:] == pytest.approx([1.25] * 3, abs=0.03), steps


def test_a_blender_that_cannot_mix_down_says_so(blender, sound, tmp_path, monkeypatch):
    scene = blender.context.scene
    strip = strips.place(scene, scenes.write_wav(tmp_path / "a.wav", 3.0), "A", 1, 90)

    def changes(*arguments, **options):
        raise timebase.SpeedChanges
    monkeypatch.setattr(timebase, "clip_from_strip", changes)
    (tmp_path / "job" / "strip.wav").mkdir(parents=True)                 # nothing can be written there
    count = len(blender.data.scenes)
    with pytest.raises(UserError, match="changes its speed"):
        describe(strip, scene, tmp_path / "job")
    assert len(blender.data.scenes) == count


def test_packed_sound_is_written_out(blender, sound, tmp_path):
    scene = blender.context.scene
    path = scenes.write_wav(tmp_path / "a.wav", 2.0)
    strip = strips.place(scene, path, "A", 1, 60)
    strip.sound.pack()
    content = path.read_bytes()
    path.unlink()
    clip = describe(strip, scene, tmp_path / "job")
    assert open(clip.path, "rb").read() == content


def test_missing_files_are_told(blender, sound, tmp_path):
    scene = blender.context.scene
    with pytest.raises(UserError, match="missing or empty"):
        strips.place(scene, tmp_path / "no.wav", "A", 1, 10)
    strip = strips.place(scene, scenes.write_wav(tmp_path / "a.wav", 2.0), "A", 1, 60)
    (tmp_path / "a.wav").unlink()
    with pytest.raises(UserError, match="missing"):
        describe(strip, scene, tmp_path)


def test_first_free_channel(blender, sound, tmp_path):
    scene = blender.context.scene
    path = scenes.write_wav(tmp_path / "a.wav", 2.0)
    assert strips.place(scene, path, "A", 1, 60).channel == 1
    assert strips.place(scene, path, "B", 30, 60).channel == 2
    assert strips.place(scene, path, "C", 200, 60).channel == 1
    assert strips.place(scene, path, "D", 40.5, 60).channel == 3


def test_saved_files_get_relative_paths(blender, sound, tmp_path):
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    assert sound_files.output() == (tmp_path / "baton", "")
    (tmp_path / "baton").mkdir()
    strip = strips.place(blender.context.scene, scenes.write_wav(tmp_path / "baton" / "a.wav", 1.0), "A", 1, 30)
    assert strip.sound.filepath == "//baton/a.wav"


def heard_by_blender(blender, path, tmp_path, container, codec):
    """A file that only Blender decodes, written by Blender itself: two seconds of silence, then clicks."""
    scene = blender.data.scenes.new("Writer")
    scene.render.fps = 30
    strips.place(scene, scenes.write_wav(tmp_path / "clicks.wav", 4.0, bpm=60.0), "Clicks", 61, 120)
    scene.frame_start, scene.frame_end = 1, 180
    with blender.context.temp_override(scene=scene):
        blender.ops.sound.mixdown(filepath=str(path), check_existing=False, container=container, codec=codec)
    blender.data.scenes.remove(scene)
    return path


@pytest.mark.parametrize("container, codec, suffix", [("MATROSKA", "AAC", "mkv"), ("AC3", "AC3", "ac3")])
def test_what_the_worker_cannot_read_blender_decodes(blender, sound, tmp_path, container, codec, suffix):
    """AAC, AC-3, movies: the strip's own sound, as it is trimmed, on its frames."""
    path = heard_by_blender(blender, tmp_path / f"heard.{suffix}", tmp_path, container, codec)
    assert not sound_kinds.worker_reads(path)
    scene = blender.context.scene
    strip = strips.place(scene, path, "Movie's sound", 11, 180)
    strip.frame_final_start += 30
    clip = describe(strip, scene, tmp_path / "job")
    assert (clip.start, clip.speed, clip.first) == (0.0, 1.0, 41.0) and clip.path.endswith(".wav")
    assert onsets(clip.path)[:3] == pytest.approx([1.0, 2.0, 3.0], abs=0.06)
    steps = mixdown.file(path, tmp_path / "like")
    next(steps)
    assert list(blender.data.scenes) == [scene], "a file that is saved between two steps has no scene of Baton's"
    found = scenes.exhaust(steps)
    assert onsets(found)[:2] == pytest.approx([2.0, 3.0], abs=0.06)
    wav = tmp_path / "clicks.wav"
    assert scenes.exhaust(mixdown.file(wav, tmp_path / "like")) == str(wav), "what the worker reads stays as it is"


def test_a_movie_without_a_sound_track_is_said(blender, sound, tmp_path):
    from tests.core.test_sound_dialects import movie
    path = tmp_path / "silent.mp4"
    path.write_bytes(movie(b"vide"))
    scene = blender.context.scene
    strip = strips.place(scene, path, "Silent", 1, 60)
    for made in (lambda: describe(strip, scene, tmp_path / "job"), lambda: scenes.exhaust(mixdown.file(path,
                                                                                                       tmp_path))):
        with pytest.raises(UserError, match="silent.mp4 has no sound track"):
            made()


CASES = scenes.ROOT.parent / "shared" / "data" / "cases"


@pytest.mark.skipif(not CASES.is_dir(), reason="no cases beside the repository")
@pytest.mark.parametrize("case", ["m4a_aac/case.m4a", "mp4_movie/case.mp4", "webm/case.webm"])
def test_files_of_the_field(blender, sound, tmp_path, case):
    scene = blender.context.scene
    clip = describe(strips.place(scene, CASES / case, "Piece", 1, 360), scene, tmp_path / "job")
    with wave.open(clip.path) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert file.getnframes() / file.getframerate() == pytest.approx(12.0, abs=0.1)
    assert np.abs(samples.astype(float)).mean() > 100


def test_the_sound_of_a_movie_strip(blender, sound, tmp_path):
    """An active movie strip stands for the sound strip of its own file."""
    scene = blender.context.scene
    path = heard_by_blender(blender, tmp_path / "heard.mkv", tmp_path, "MATROSKA", "AAC")
    heard = strips.place(scene, path, "Sound", 1, 180)
    other = strips.place(scene, tmp_path / "clicks.wav", "Other", 1, 120)
    movie = SimpleNamespace(type="MOVIE", select=True, filepath=str(path), frame_final_start=1)
    editor = SimpleNamespace(active_strip=movie, strips=compat.sequences(scene.sequence_editor))
    assert compat.active_strip(SimpleNamespace(sequence_editor=editor)) == heard != other
