"""Rigs and strips that cannot be used as they stand: the button is grey and says why; those that can, are used."""
import numpy as np
import pytest

from baton.blender_addon.scene import compat, stamp, strips, usable
from baton.blender_addon.scene.refs import Ref
from tests.blender import scenes
from tests.blender.stand_ins import channels, prepare, row, to_motion, to_sound

BUTTONS = ("generate_music_ldm", "generate_conductor", "generate_momu_both", "import_motion")


def ready(blender, tmp_path):
    scene, rig = blender.context.scene, scenes.smpl_rig()
    scenes.sway(rig, 60)
    scene.frame_end = 60
    return scene, rig


def reasons(blender):
    """{button: why it is grey}."""
    found = {}
    for name in BUTTONS:
        try:
            getattr(blender.ops.baton, name).poll()
            getattr(blender.ops.baton, name)()
        except RuntimeError as error:
            found[name] = str(error)
    return found


def test_rest_position_greys_every_button(blender, tmp_path):
    _, rig = ready(blender, tmp_path)
    rig.data.pose_position = "REST"
    found = reasons(blender)
    assert set(found) == set(BUTTONS) and all("Rest Position" in text for text in found.values()), found
    with pytest.raises(Exception, match="Rest Position"):
        to_sound(blender.context, rig)


def test_edit_mode_greys_the_buttons(blender, tmp_path):
    _, rig = ready(blender, tmp_path)
    blender.ops.object.mode_set(mode="EDIT")
    found = reasons(blender)
    blender.ops.object.mode_set(mode="OBJECT")
    assert set(found) == set(BUTTONS) and all("Edit Mode" in text for text in found.values()), found


def test_a_linked_rig_can_be_read_but_not_written(blender, tmp_path):
    scene, rig = ready(blender, tmp_path)
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "lib.blend"))
    blender.ops.wm.read_factory_settings(use_empty=True)
    with blender.data.libraries.load(str(tmp_path / "lib.blend"), link=True) as (there, here):
        here.objects = there.objects
    rig = here.objects[0]
    scene = blender.context.scene
    scene.collection.objects.link(rig)
    blender.context.view_layer.objects.active = rig
    usable.check(rig, scene)
    with pytest.raises(Exception, match="linked from another file"):
        usable.check(rig, scene, writes=True)
    found = reasons(blender)
    assert "linked from another file" in found["generate_momu_both"]
    assert "linked" not in found.get("generate_music_ldm", "")


def test_a_rig_of_another_scene_says_where_it_is(blender, tmp_path):
    scene, rig = ready(blender, tmp_path)
    other = blender.data.scenes.new("Other")
    other.baton.rig = rig
    with pytest.raises(Exception, match="in the scene Scene, not in Other"):
        usable.check(rig, other)


def test_the_strip_of_another_scene_is_used(blender, sound, tmp_path):
    scene, rig = ready(blender, tmp_path)
    other = blender.data.scenes.new("Music")
    other.render.fps, other.frame_start, scene.frame_start = 60, 11, 1
    strip = strips.place(other, scenes.write_wav(tmp_path / "p.wav", 2.0), "Piece", 11, 120)
    strips.make_active(other, strip)
    assert strips.sound_strip(blender.context) == (other, strip)
    job = prepare(to_motion(blender.context, rig, other, strip).job(), tmp_path / "job")
    channels(tmp_path / "job")
    job.apply({"takes": [row("channels.npz")]}, tmp_path / "job")
    low, high = scene.baton.takes[0].action.frame_range
    assert low == 1 and high == pytest.approx(60, abs=1.01), "in the frames of the rig's scene"


def in_meta(scene, strip):
    """The strip inside a metastrip of its own."""
    sequences = compat.sequences(scene.sequence_editor)
    meta = sequences.new_meta("Meta", 5, int(strip.frame_final_start)) if hasattr(sequences, "new_meta") else None
    assert meta is not None
    strip.move_to_meta(meta)
    meta.frame_final_end = int(strip.frame_final_end)           # as Make Metastrip has it
    return meta


def test_a_strip_inside_a_metastrip_is_read_as_it_is_heard(blender, sound, tmp_path):
    scene, rig = ready(blender, tmp_path)
    strip = strips.place(scene, scenes.write_wav(tmp_path / "p.wav", 4.0), "Piece", 21, 120)
    meta = in_meta(scene, strip)
    assert strips.find(scene, "Piece") == strip and meta.frame_final_start == 21
    clip = scenes.exhaust(strips.describe(Ref.of(scene), "Piece", tmp_path))
    assert clip.first == 21 and clip.duration == pytest.approx(4.0, abs=0.05) and clip.start == 0
    meta.frame_final_start += 30
    meta.frame_final_end -= 30
    clip = scenes.exhaust(strips.describe(Ref.of(scene), "Piece", tmp_path))
    assert clip.first == 51 and clip.duration == pytest.approx(2.0, abs=0.05)
    assert clip.start == pytest.approx(1.0, abs=0.02)
    job = prepare(to_motion(blender.context, rig, scene, strip).job(), tmp_path / "job")
    assert job.params["start"] == pytest.approx(1.0, abs=0.02)


def test_a_still_rig_is_named(blender, tmp_path):
    scene = blender.context.scene
    scene.frame_end, rig, scene.baton.music_ldm.range = 60, scenes.smpl_rig(), "SCENE"
    job = prepare(to_sound(blender.context, rig).job(), tmp_path / "one")
    assert any("does not move" in text for text in job.warnings)
    scenes.sway(rig, 60)
    job = prepare(to_sound(blender.context, rig).job(), tmp_path / "two")
    assert not job.warnings


def test_a_take_ends_with_its_strip_at_any_rate(blender, sound, tmp_path):
    scene, rig = ready(blender, tmp_path)
    for fps, base in ((60, 1.001), (30, 1.001), (24, 1.001), (25, 1.0), (120, 1.0)):
        scene.render.fps, scene.render.fps_base = fps, base
        rate = fps / base
        strip = strips.place(scene, scenes.write_wav(tmp_path / f"{fps}.wav", 3.0), f"Piece {fps}", 21, int(3 * rate))
        name = f"job{fps}"
        job = prepare(to_motion(blender.context, rig, scene, strip).job(), tmp_path / name)
        seconds = job.params["duration"]
        channels(tmp_path / name, fps=rate, seconds=seconds - 1 / 30 + 0.5 / rate)      # as 30 Hz inside leaves it
        job.apply({"takes": [row("channels.npz")]}, tmp_path / name)
        low, high = scene.baton.takes[-1].action.frame_range
        assert low == 21 and high == strip.frame_final_end - 1, (fps, high, strip.frame_final_end)


@pytest.mark.parametrize(("fps", "base"), [(60, 1.001), (30, 1.001), (24, 1.001)])
def test_a_sound_ends_with_the_range_it_was_made_for(blender, sound, tmp_path, fps, base):
    """At 59.94, 29.97 and 23.976 frames a second the strip of a sound take covers the frames that were asked for."""
    scene, rig = ready(blender, tmp_path)
    scene.render.fps, scene.render.fps_base = fps, base
    scenes.sway(rig, 100)
    scene.frame_start, scene.frame_end, scene.baton.music_ldm.range = 5, 94, "SCENE"
    job = prepare(to_sound(blender.context, rig).job(), tmp_path / "job")
    assert job.params["duration"] == pytest.approx(90 * base / fps, abs=1e-6)
    scenes.write_wav(tmp_path / "job" / "take_1.wav", job.params["duration"])
    job.apply({"takes": [row("take_1.wav")]}, tmp_path / "job")
    strip = strips.find(scene, scene.baton.takes[-1].strip)
    assert (strip.frame_final_start, strip.frame_final_end) == (5, 95)


def test_stamps_tell_changes_apart(blender, sound, tmp_path):
    scene, rig = ready(blender, tmp_path)
    strip = strips.place(scene, scenes.write_wav(tmp_path / "p.wav", 4.0), "Piece", 21, 120)
    marks = [(stamp.of_rig(rig), stamp.of_strip(strip))]
    rig.pose.bones["neck"].rotation_quaternion = (0.9, 0.1, 0.0, 0.0)
    marks.append((stamp.of_rig(rig), stamp.of_strip(strip)))
    strip.frame_final_end -= 5
    rig.animation_data.action.name = "Renamed"
    marks.append((stamp.of_rig(rig), stamp.of_strip(strip)))
    assert len({mark for mark, _ in marks}) == 3 and marks[0][1] == marks[1][1] != marks[2][1]
    scene.frame_set(33)
    scene.timeline_markers.new("x")
    assert np.all(stamp.of_strip(strip) == marks[2][1])


def test_the_baton_goes_to_the_hand_that_leads(blender, sound, tmp_path):
    from baton.blender_addon.scene import baton_prop
    scene, rig = ready(blender, tmp_path)
    strip = strips.place(scene, scenes.write_wav(tmp_path / "p.wav", 2.0), "Piece", 1, 60)
    strips.make_active(scene, strip)
    blender.ops.baton.add_baton()
    assert baton_prop.of(rig).parent_bone == "right_wrist"
    for name, mirror, hand in (("one", True, "left_wrist"), ("two", False, "right_wrist")):
        scene.baton.conductor.mirror = mirror
        job = prepare(to_motion(blender.context, rig, scene, strip).job(), tmp_path / name)
        channels(tmp_path / name)
        said = job.apply({"takes": [row("channels.npz")]}, tmp_path / name)
        assert baton_prop.of(rig).parent_bone == hand and len(rig.children) == 1
    assert "finger" not in said, "a rig without fingers"
    rig.data.bones["left_hand"].name = "odd index joint"
    job = prepare(to_motion(blender.context, rig, scene, strip).job(), tmp_path / "three")
    channels(tmp_path / "three")
    assert "no finger was keyed" in job.apply({"takes": [row("channels.npz")]}, tmp_path / "three")


def test_fingers_of_a_control_rig_are_keyed(blender, tmp_path):
    """By the real worker: the grip of the baton closes the right hand of a generated Rigify rig."""
    from baton.blender_addon.flows.results import on_frames
    from baton.blender_addon.scene import actions, bone_map, rig_sampling
    from baton.blender_addon.scene.timebase import Passage
    from baton.blender_addon.worker import manager as jobs
    from tests.blender.test_rigs import DANCE, rigify
    rig, scene, found = rigify(blender, tmp_path, fingers=True), blender.context.scene, {}
    mapped = bone_map.require(rig)

    def reading(folder):
        yield from rig_sampling.sample(Ref.of(rig), Ref.of(scene), mapped, Passage.from_frames(1, 1, 30.0), folder)

    def apply(result, folder):
        found["channels"] = actions.channel_arrays(folder / result["channels"])
        return "done"
    jobs.manager.run_blocking(jobs.Job("retarget", "Retarget", {
        "motion": str(DANCE), "duration": 1.0, "place": "motion", "fingers": "baton"}, reading, apply))
    passage = Passage.from_frames(1, 30, 30.0)
    frames, rotations, locations = on_frames(*found["channels"], passage)
    keyed = [name for name in rotations if bone_map.is_finger(name)]
    assert len(keyed) == 30, f"three bones of five fingers of two hands, not {sorted(keyed)}"

    def reach(side):
        """From the tip of the middle finger to the wrist, in lengths of the finger."""
        bones = rig.pose.bones
        length = sum(bones[f"ORG-f_middle.0{n}.{side}"].bone.length for n in (1, 2, 3))
        return (bones[f"ORG-f_middle.03.{side}"].tail - bones[f"ORG-hand.{side}"].head).length / length
    scene.frame_set(1)
    open_hand = reach("R"), reach("L")
    actions.write_take(rig, "T", frames, rotations, locations, switches=bone_map.switches(rig, mapped))
    scene.frame_set(15)
    assert reach("R") < 0.85 * open_hand[0], "the right hand grips"
    assert reach("R") < reach("L") < open_hand[1] + 1e-3, "the left is relaxed"
