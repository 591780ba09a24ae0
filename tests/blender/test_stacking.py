"""Takes of one passage share a channel of the sequencer: a silenced one gives up its strip and gets it back as it
was."""
import json
import wave
from pathlib import Path

import bpy
import numpy as np
import pytest

from baton.blender_addon.flows.to_motion import ToMotion
from baton.blender_addon.scene import compat, playing, settling, snapshot, strips, takes
from tests.blender import scenes
from tests.blender.stand_ins import CONDUCTOR, conducting, music, prepare
from tests.blender.test_undo import state

PITCHES = {n: 300.0 + 150.0 * n for n in range(1, 9)}


def tone(path, number, seconds=2.0, rate=48000):
    """A file whose take can be told by its pitch."""
    time = np.arange(int(seconds * rate)) / rate
    samples = 0.5 * np.sin(2 * np.pi * PITCHES[number] * time)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def take_of(folder, number, first=1, seconds=2.0):
    scene = bpy.context.scene
    rig = bpy.data.objects.get("Dancer") or scenes.smpl_rig()
    take = takes.new(scene, "Music", "MUSIC")
    path = tone(folder / f"{number}.wav", number, seconds)
    strip = strips.place(scene, path, take.name, first, int(seconds * 30) + 1)
    take.rig, take.strip, take.path = rig, strip.name, str(path)
    playing.play(scene, take)
    return take.name


def eight(folder):
    for number in range(1, 9):
        take_of(folder, number)


def lying():
    return list(compat.sequences(bpy.context.scene.sequence_editor))


def heard(folder):
    """Numbers of the takes that are heard when the scene is mixed down."""
    out = folder / "mix.wav"
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 1, 60
    bpy.ops.sound.mixdown(filepath=str(out), container="WAV", codec="PCM", format="S16", relative_path=False)
    with wave.open(str(out)) as file:
        rate, samples = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), "<i2")
        samples = samples.reshape(-1, file.getnchannels()).mean(axis=1)
    loud = np.abs(np.fft.rfft(samples)) / len(samples)
    at = np.fft.rfftfreq(len(samples), 1 / rate)
    return [n for n, pitch in PITCHES.items() if loud[np.abs(at - pitch) < 5].max() > 100]


def what(strip):
    return {**snapshot.values(strip), "sound": strip.sound.name}


def test_what_was_recorded_is_put_back_as_often_as_it_takes(blender, sound, tmp_path):
    """A restore that a fault breaks off begins again: nothing that it needs is used up by then."""
    scene = blender.context.scene
    with_recipe, without = (strips.place(scene, scenes.write_wav(tmp_path / f"{n}.wav", 1.0), n, 1, 30) for n in "ab")
    with_recipe["baton_recipe"] = "{}"
    restore = snapshot.take()
    for _ in range(2):
        with_recipe["baton_recipe"] = without["baton_recipe"] = "other"
        restore()
        assert with_recipe["baton_recipe"] == "{}" and "baton_recipe" not in without


def test_eight_takes_lie_on_one_channel_and_one_is_heard(blender, sound, tmp_path):
    scene = blender.context.scene
    strips.place(scene, scenes.write_wav(tmp_path / "own.wav", 9.0), "Own", 1, 270).volume = 0.0
    eight(tmp_path)
    for name in ("Music 8", "Music 3", "Music 1", "Music 5"):
        if name != "Music 8":
            blender.ops.baton.solo_take(name=name)
        assert [(strip.name, strip.channel, strip.mute) for strip in lying()] == [("Own", 1, False), (name, 2, False)]
        assert [take.name for take in scene.baton.takes if take.audible] == [name]
        assert heard(tmp_path) == [int(name[-1])]
    assert len(blender.data.sounds) == 9


def test_a_strip_comes_back_as_it_was(blender, sound, tmp_path):
    take_of(tmp_path, 1)
    strip = lying()[0]
    strip.name, strip.volume, strip.pan, strip.show_waveform = "My Name", 0.5, -0.25, False
    strip.frame_start, strip.frame_offset_start, strip.frame_offset_end = 11.5, 7, 9
    strip.color_tag, strip.channel, strip.select = "COLOR_04", 5, False
    before = what(strip)
    take_of(tmp_path, 2)
    assert [(strip.name, strip.channel) for strip in lying()] == [("Music 2", 5)], "where it was, there is the new one"
    blender.ops.baton.solo_take(name="Music 1")
    assert [what(strip) for strip in lying()] == [before]
    blender.ops.baton.solo_take(name="Music 2")
    blender.context.scene.baton.takes["Music 1"].colour = "COLOR_07"
    blender.ops.baton.remove_take(name="Music 2")
    assert [what(strip) for strip in lying()] == [{**before, "color_tag": "COLOR_07"}]


def fade(strip):
    strip.volume = 0.0
    strip.keyframe_insert("volume", frame=1)


def lock(strip):
    strip.lock = True


def wrap(strip):
    meta = compat.sequences(strip.id_data.sequence_editor).new_meta("Meta", 7, 1)
    strip.move_to_meta(meta)


def own_property(strip):
    strip["mine"] = 3


def hard_cut(strip):
    strip.animation_offset_end = 5


@pytest.mark.parametrize("change", [fade, lock, wrap, own_property, hard_cut])
def test_what_cannot_be_noted_stays_where_it_is(blender, sound, tmp_path, change):
    scene = blender.context.scene
    first = take_of(tmp_path, 1)
    change(lying()[0])
    strip = strips.of_take(scene.baton.takes[first])
    before = {**what(strip), "mute": None}
    take_of(tmp_path, 2)
    strip = strips.of_take(scene.baton.takes[first])
    assert strip.mute and {**what(strip), "mute": None} == before
    blender.ops.baton.solo_take(name=first)
    strip = strips.of_take(scene.baton.takes[first])
    assert not strip.mute and {**what(strip), "mute": None} == before


def test_the_sound_that_is_worked_on_follows(blender, sound, tmp_path):
    scene = blender.context.scene
    take_of(tmp_path, 1)
    take_of(tmp_path, 2)
    strips.make_active(scene, lying()[0])
    blender.ops.baton.solo_take(name="Music 1")
    assert strips.sound_strip(blender.context)[1].name == "Music 1"


def test_a_kept_take_keeps_its_strip(blender, sound, tmp_path):
    scene = blender.context.scene
    take_of(tmp_path, 1)
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    scene = blender.context.scene
    blender.ops.baton.keep_take(name="Music 1")
    take_of(tmp_path, 2)
    take_of(tmp_path, 3)
    there = [(strip.name, strip.channel, strip.mute) for strip in lying()]
    assert there == [("Music 1", 1, True), ("Music 3", 2, False)]
    blender.ops.baton.keep_take(name="Music 2")
    assert scene.baton.takes["Music 2"].kept and heard(tmp_path) == [2]


def test_saved_and_opened_again(blender, sound, tmp_path):
    folder = tmp_path / "temp" / "baton"
    eight(tmp_path)
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    blender.ops.outliner.orphans_purge(do_recursive=True)
    blender.ops.baton.solo_take(name="Music 4")
    assert heard(tmp_path) == [4] and len(lying()) == 1 and not folder.exists()


def test_sounds_of_silenced_takes_move_on_the_first_save(blender, sound, tmp_path):
    folder = Path(bpy.app.tempdir) / "baton"
    folder.mkdir(exist_ok=True)
    for number in (1, 2):
        take_of(folder, number)
    settling.settle(str(tmp_path / "a.blend"))
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    settling.finish()
    for path in folder.glob("*.wav"):
        path.unlink()
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    blender.ops.baton.solo_take(name="Music 1")
    assert heard(tmp_path) == [1]
    assert bpy.path.abspath(lying()[0].sound.filepath).startswith(str(tmp_path / "baton"))


def test_takes_of_an_older_file_on_a_channel_each(blender, sound, tmp_path):
    scene, rig = blender.context.scene, scenes.smpl_rig()
    for number in range(1, 9):
        take = takes.new(scene, "Music", "MUSIC")
        path = tone(tmp_path / f"{number}.wav", number)
        strip = strips.place(scene, path, take.name, 1, 61)
        take.rig, take.strip, take.path = rig, strip.name, str(path)
        take.audible = number == 8
        strip.mute = number < 8
    assert sorted(strip.channel for strip in lying()) == list(range(1, 9))
    blender.ops.baton.solo_take(name="Music 3")
    assert [(strip.name, strip.mute) for strip in lying()] == [("Music 3", False)] and heard(tmp_path) == [3]


def test_a_packed_sound_goes_and_comes(blender, sound, tmp_path):
    take_of(tmp_path, 1)
    lying()[0].sound.pack()
    take_of(tmp_path, 2)
    (tmp_path / "1.wav").unlink()
    blender.ops.baton.solo_take(name="Music 1")
    assert lying()[0].sound.packed_file is not None and lying()[0].frame_final_duration == 60 and len(lying()) == 1


def test_a_missing_file_is_said_and_nothing_changes(blender, sound, tmp_path):
    scene = blender.context.scene
    take_of(tmp_path, 1)
    take_of(tmp_path, 2)
    (tmp_path / "1.wav").rename(tmp_path / "elsewhere.wav")
    before = state(blender)
    with pytest.raises(RuntimeError, match=r"sound file of Music 1 is missing: .*1\.wav"):
        blender.ops.baton.solo_take(name="Music 1")
    assert state(blender) == before
    assert "Music 1 is missing" in takes.remove(scene, "Music 2")
    assert len(scene.baton.takes) == 1 and lying() == []


def test_what_is_noted_is_input(blender, sound, tmp_path):
    scene = blender.context.scene
    take_of(tmp_path, 1)
    take_of(tmp_path, 2)
    take = scene.baton.takes["Music 1"]
    good = json.loads(take.away)
    take.away = json.dumps({**good, "values": {**good["values"], "volume": "loud", "nonsense": 3, "channel": 1e9}})
    blender.ops.baton.solo_take(name="Music 1")
    assert lying()[0].name == "Music 1" and lying()[0].volume == 1.0 and lying()[0].channel == 1
    blender.ops.baton.solo_take(name="Music 2")
    for bad in ("no json", json.dumps({**good, "first": 1e400}), json.dumps({**good, "name": 3})):
        take = scene.baton.takes["Music 1"]
        take.away = bad
        assert takes.damaged(take)
        with pytest.raises(RuntimeError, match="Music 1 is damaged"):
            blender.ops.baton.solo_take(name="Music 1")
    blender.ops.baton.remove_take(name="Music 1")
    assert len(scene.baton.takes) == 1 and len(lying()) == 1


def test_files_of_silenced_takes_are_not_unused(blender, sound, tmp_path):
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    scene, folder = blender.context.scene, tmp_path / "baton"
    folder.mkdir()
    for number in (1, 2, 3):
        take_of(folder, number)
    assert settling.unused(scene) == []
    blender.ops.baton.remove_take(name="Music 2")
    assert [path.name for path in settling.unused(scene)] == ["2.wav"]
    assert sorted(sound.name for sound in blender.data.sounds) == ["1.wav", "3.wav"]


def test_conducting_of_a_piece_that_gave_up_its_strip(blender, sound, tmp_path):
    """Redo asks for the strip by name: what it would play is known without it."""
    scene = blender.context.scene
    rig, job = conducting(blender, tmp_path)
    take = takes.new(scene, "Music", "MUSIC")
    take.rig, take.strip, take.path = rig, "Piece", str(tmp_path / "p.wav")
    job = conducting(blender, tmp_path, "again")[1]
    with_strip = job.params
    take_of(tmp_path, 1, first=21)
    assert strips.find(scene, "Piece") is None
    request = {"system": "conductor", "rig": rig.name, "strip": "Piece", "strip_scene": scene.name, "others": [],
               "params": {}, "own": {}, "first": 1.0}
    job = prepare(ToMotion(blender.context, CONDUCTOR, rig, request).job(), tmp_path / "redo")
    names = ("audio", "start", "duration", "speed")
    assert {name: job.params[name] for name in names} == {name: with_strip[name] for name in names}


def test_variations_lie_on_one_channel(blender, sound, tmp_path):
    job, result = music(blender, tmp_path, variations=3)
    job.apply(result, tmp_path / "job")
    assert [(strip.name, strip.channel) for strip in lying()] == [("Music 3", 1)]
    assert [take.audible for take in blender.context.scene.baton.takes] == [False, False, True]


def test_a_second_solo_gives_back_what_was(blender, sound, tmp_path):
    scene = blender.context.scene
    take_of(tmp_path, 1, first=1, seconds=1.0)
    take_of(tmp_path, 2, first=100, seconds=1.0)
    take_of(tmp_path, 3, first=40, seconds=3.0)                 # over the second
    blender.ops.baton.solo_take(name="Music 2")
    take_of(tmp_path, 4, first=1, seconds=6.0)                  # over all
    blender.ops.baton.solo_take(name="Music 1")
    before = state(blender)
    assert {take.name for take in scene.baton.takes if take.audible} == {"Music 1"}
    blender.ops.baton.solo_take(name="Music 1")
    assert {take.name for take in scene.baton.takes if take.audible} == {"Music 4"}
    blender.ops.baton.solo_take(name="Music 4")
    assert {take.name for take in scene.baton.takes if take.audible} == {"Music 4"}, "it played alone: nothing to give"
    blender.ops.baton.solo_take(name="Music 1")
    assert state(blender) == before
    blender.ops.baton.solo_take(name="Music 1")
    for name in ("Music 1", "Music 2"):
        blender.ops.baton.mute_take(name=name)
    blender.ops.baton.solo_take(name="Music 4")
    assert {take.name for take in scene.baton.takes if take.audible} == {"Music 4"}
    blender.ops.baton.solo_take(name="Music 4")
    assert {take.name for take in scene.baton.takes if take.audible} == {"Music 1", "Music 2"}
    assert sorted(strip.name for strip in lying() if not strip.mute) == ["Music 1", "Music 2"]


def test_undo_and_redo_over_stacked_takes(blender, sound, tmp_path):
    ops = blender.ops.baton
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    scenes.smpl_rig()
    steps = [lambda: take_of(tmp_path, 1), lambda: take_of(tmp_path, 2), lambda: take_of(tmp_path, 3),
             lambda: ops.solo_take(name="Music 1"), lambda: ops.solo_take(name="Music 1"),
             lambda: ops.mute_take(name="Music 3"), lambda: ops.keep_take(name="Music 2"),
             lambda: ops.remove_take(name="Music 1"), lambda: ops.solo_take(name="Music 3"),
             lambda: ops.remove_take(name="Music 3")]
    seen = []
    blender.ops.ed.undo_push(message="rig")
    seen.append(state(blender))
    for step in steps:
        step()
        blender.ops.ed.undo_push(message="step")
        seen.append(state(blender))
    at = len(steps)
    for _ in range(2):
        while at > 0:
            blender.ops.ed.undo()
            at -= state(blender) != seen[at]
            assert state(blender) == seen[at]
        while at < len(steps):
            blender.ops.ed.redo()
            at += state(blender) != seen[at]
            assert state(blender) == seen[at]
    assert heard(tmp_path) == [2]
