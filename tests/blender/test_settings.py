"""Every setting of the panel reaches the worker's request, and every grey button says why."""
import pytest

from baton.blender_addon.errors import UserError
from baton.blender_addon.flows import beats
from baton.blender_addon.flows.to_sound import ToSound
from baton.blender_addon.scene import bone_map, strips
from baton.blender_addon.scene import settings as scene_settings
from baton.blender_addon.worker import manager as jobs
from baton.core.contract import systems
from tests.blender import scenes, stand_ins
from tests.blender.stand_ins import to_motion, to_sound

# Setting of the panel: (its value, what is sent).
MUSIC = {"genre": ("waack", "waack"), "guidance_scale": (3.0, 3.0), "steps": ("fine", "fine"), "seed": (9, 9),
         "variations": (3, 3), "level": ("half", "half"), "loop": (True, True), "loudness": ("broadcast", "broadcast")}
CONDUCT = {"guidance_scale": (3.0, 3.0), "steps": ("fine", "fine"), "seed": (9, 9), "variations": (3, 3),
           "level": ("double", "double"), "metre": ("3", "3"), "amplitude": (0.5, 0.5), "left_hand": (0.25, 0.25),
           "mirror": (True, True), "in_place": (True, True),
           "plant_feet": (False, False), "fingers": ("relaxed", "relaxed")}


def test_music_settings_reach_the_worker(blender, tmp_path):
    scene, rig = blender.context.scene, scenes.smpl_rig()
    scenes.sway(rig, 61)
    settings = scene.baton.music_ldm

    def sent():
        return to_sound(blender.context, rig).job().params["settings"]
    assert sent()["loop"] is False and sent()["level"] == "normal" and sent()["bpm"] is None and sent()["like"] is None
    for name, (value, expected) in MUSIC.items():
        setattr(settings, name, value)
        assert sent()[name] == expected, name
    sound = tmp_path / "like.wav"
    settings.like = str(sound)
    with pytest.raises(UserError, match="like.wav, is not there"):
        ToSound.check(blender.context, stand_ins.MUSIC)
    sound.touch()
    ToSound.check(blender.context, stand_ins.MUSIC)
    assert sent()["like"] == str(sound)
    settings.tempo, settings.bpm = "fixed", 99
    assert sent()["bpm"] == 99 and sent()["level"] is None, "a fixed tempo has its level"
    whose = {"system": "music_ldm", "genre": settings.genre}         # of whose level the markers are to be
    assert beats.motion_job(blender.context, rig).params == {"tempo": "fixed", "level": None, "bpm": 99} | whose
    settings.tempo = "auto"
    assert beats.motion_job(blender.context, rig).params == {"tempo": "auto", "level": "half", "bpm": None} | whose


class Strip:
    """As much of a sound strip as a request needs; this Blender may have no sound."""

    name = "Piece"


def test_conducting_settings_reach_the_worker(blender):
    scene, rig = blender.context.scene, scenes.smpl_rig()
    settings = scene.baton.conductor

    def request():
        return to_motion(blender.context, rig, scene, Strip).request

    plain = request()["params"]
    assert plain["lead"] is None and plain["bpm"] is None and plain["level"] == "normal" and "keep" not in request()
    for name, (value, expected) in CONDUCT.items():
        setattr(settings, name, value)
        assert request()["params"][name] == expected, name
    settings.lead_auto, settings.lead = False, 120.0
    settings.tempo, settings.bpm = "fixed", 99
    params = request()["params"]
    assert params["lead"] == pytest.approx(0.12) and params["bpm"] == 99
    settings.reduce_keys, settings.reduce_degrees = True, 2.0
    assert request()["own"]["reduce_degrees"] == 2.0 and "blend_seconds" not in request()["params"]
    settings.tempo = "markers"
    assert request()["params"]["tempo"] == "markers" and request()["params"]["bpm"] is None


def test_what_is_sent_is_what_the_worker_knows(blender, tmp_path):
    """A name or a value that the worker does not know would fail every job of its kind: every item of every enum is
    tried."""
    from core.worker import generate, inputs
    from core.worker import jobs as worker_jobs
    scene, rig = blender.context.scene, scenes.smpl_rig()
    scenes.sway(rig, 61)
    for system in systems.systems().values():
        settings = scene_settings.group(scene, system)
        for name, setting in system.shown.items():
            for item in setting.items:
                setattr(settings, name, item.id)
                systems.check(system, scene_settings.params_of(scene, system))
            if setting.items:
                setattr(settings, name, setting.default)
    job = stand_ins.prepare(to_sound(blender.context, rig).job(), tmp_path / "job")
    systems.check(stand_ins.MUSIC, job.params["settings"])
    assert job.kind == "generate" and set(job.params) <= generate.COMMON | generate.INPUTS["to_sound"] | inputs.EVERY
    assert set(beats.motion_job(blender.context, rig).params) <= inputs.EVERY | worker_jobs.BEATS


def why(operator, **options):
    """The sentence that the tooltip of a grey button shows."""
    assert not operator.poll(), "the button is not grey"
    with pytest.raises(RuntimeError) as caught:
        operator(**options)
    return str(caught.value)


def test_grey_generate_music_says_why(blender, monkeypatch):
    scene, button = blender.context.scene, blender.ops.baton.generate_music
    assert "Select an armature" in why(button)
    rig = scenes.smpl_rig()
    assert "no animation" in why(button)
    scenes.sway(rig, 61)
    assert button.poll()
    settings = scene.baton.music_ldm
    settings.range = "PREVIEW"
    assert "no preview range" in why(button)
    settings.range, settings.frame_start, settings.frame_end = "CUSTOM", 1, 10
    assert "0.3 s long; music needs 1 to 1800 s" in why(button)
    settings.frame_end = 30 * 3600 * 4
    assert "14400.0 s long" in why(button), "a 4-hour range"
    settings.range, settings.tempo = "ACTION", "markers"
    assert "no beat markers" in why(button)
    settings.tempo = "auto"
    bone_map.detect(rig)
    rig.baton.bones["left_knee"].bone = ""
    assert "Left Knee" in why(button)
    monkeypatch.setattr(jobs.manager, "job", object())
    assert "Baton is working" in why(button)
    monkeypatch.undo()
    monkeypatch.delenv("BATON_WORKER_PYTHON")
    assert "Set Up Runtime" in why(button)


def test_grey_generate_conducting_says_why(blender, sound, tmp_path):
    scene, button = blender.context.scene, blender.ops.baton.generate_conducting
    assert "Select an armature" in why(button)
    scenes.smpl_rig()
    assert "Select a sound strip" in why(button)
    strip = strips.place(scene, scenes.write_wav(tmp_path / "p.wav", 2.0), "Piece", 1, 60)
    scene.sequence_editor.active_strip, strip.select = strip, True
    assert button.poll()
    scene.baton.conductor.tempo = "markers"
    assert "no beat markers" in why(button)
    scene.baton.conductor.tempo = "auto"
    strip.frame_final_end = 2
    assert "conducting needs" in why(button)


def test_other_grey_buttons_say_why(blender):
    ops = blender.ops.baton
    assert "armature or a sound strip" in why(ops.detect_beats)
    assert "Nothing is running" in why(ops.cancel)
    for button in (ops.scale_beats, ops.jump_beat, ops.clear_beats):
        assert "no beat markers" in why(button)
    for button in (ops.solo_take, ops.mute_take, ops.keep_take, ops.remove_take, ops.redo_take, ops.redo_range,
                   ops.copy_recipe):
        assert "There is no take yet" in why(button)
    assert "no beats" in why(ops.take_beats)
    for button in (ops.detect_bones, ops.save_bones, ops.load_bones, ops.clear_bones, ops.add_baton, ops.pick_bone):
        assert "Select an armature" in why(button)
    jobs.manager.stop_worker()
    assert "not running" in why(ops.stop_worker)
    assert "Nothing was set up or checked" in why(ops.copy_report)
    assert "as an extension" in why(ops.setup_runtime)
