"""Sound strips: what is described, where new ones go."""
import pytest

from blender_addon import compat, strips, timebase
from blender_addon.errors import UserError
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


@pytest.mark.parametrize("given", [dict(retiming_keys=3, offset_start=0), dict(retiming_keys=None, offset_start=10)])
def test_clips_that_cannot_be_told(given):
    with pytest.raises(ValueError, match="mix it down"):
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
    clip = strips.describe(strip, scene, tmp_path)
    fps = 30 / 1.001
    assert clip.path == str(path) and clip.speed == 1.0 and clip.first == 41
    assert clip.start == pytest.approx(30 / fps)
    assert clip.duration == pytest.approx((strip.frame_final_end - 41) / fps)
    assert "Baton Probe" not in blender.data.scenes and len(blender.data.sounds) == 1


@pytest.mark.skipif(compat.bpy.app.version < (5, 0), reason="the retiming operator needs the 5.0 sequencer scene here")
def test_describe_speed(blender, sound, tmp_path):
    scene = blender.context.scene
    scene.render.fps = 24
    strip = strips.place(scene, scenes.write_wav(tmp_path / "a.wav", 10.0), "A", 1, 240)
    blender.context.workspace.sequencer_scene = scene
    area = blender.context.window_manager.windows[0].screen.areas[0]
    before, area.type = area.type, "SEQUENCE_EDITOR"
    region = next(region for region in area.regions if region.type == "WINDOW")
    with blender.context.temp_override(window=blender.context.window_manager.windows[0], area=area, region=region):
        scene.sequence_editor.active_strip, strip.select = strip, True
        blender.ops.sequencer.retiming_segment_speed_set(speed=200.0)
    area.type = before
    strip.frame_final_start += 20
    clip = strips.describe(strip, scene, tmp_path)
    assert clip.speed == pytest.approx(2.0, rel=0.01) and clip.start == pytest.approx(40 / 24, rel=0.01)


def test_packed_sound_is_written_out(blender, sound, tmp_path):
    scene = blender.context.scene
    path = scenes.write_wav(tmp_path / "a.wav", 2.0)
    strip = strips.place(scene, path, "A", 1, 60)
    strip.sound.pack()
    content = path.read_bytes()
    path.unlink()
    clip = strips.describe(strip, scene, tmp_path / "job")
    assert open(clip.path, "rb").read() == content


def test_missing_files_are_told(blender, sound, tmp_path):
    scene = blender.context.scene
    with pytest.raises(UserError, match="missing or empty"):
        strips.place(scene, tmp_path / "no.wav", "A", 1, 10)
    strip = strips.place(scene, scenes.write_wav(tmp_path / "a.wav", 2.0), "A", 1, 60)
    (tmp_path / "a.wav").unlink()
    with pytest.raises(UserError, match="missing"):
        strips.describe(strip, scene, tmp_path)


def test_first_free_channel(blender, sound, tmp_path):
    scene = blender.context.scene
    path = scenes.write_wav(tmp_path / "a.wav", 2.0)
    assert strips.place(scene, path, "A", 1, 60).channel == 1
    assert strips.place(scene, path, "B", 30, 60).channel == 2
    assert strips.place(scene, path, "C", 200, 60).channel == 1
    assert strips.place(scene, path, "D", 40.5, 60).channel == 3


def test_saved_files_get_relative_paths(blender, sound, tmp_path):
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    assert strips.output_folder() == (tmp_path / "baton", "")
    (tmp_path / "baton").mkdir()
    strip = strips.place(blender.context.scene, scenes.write_wav(tmp_path / "baton" / "a.wav", 1.0), "A", 1, 30)
    assert strip.sound.filepath == "//baton/a.wav"
