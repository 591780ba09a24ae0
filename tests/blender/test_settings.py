"""Every setting of the panel reaches the worker's request, and every grey button says why."""
import pytest

from baton.blender_addon.errors import UserError
from baton.blender_addon.flows import beats, to_motion, to_sound
from baton.blender_addon.scene import bone_map, strips
from baton.blender_addon.worker import manager as jobs
from tests.blender import scenes

MUSIC = {"genre": ("waack", "genre", "waack"), "guidance_music": (3.0, "guidance_scale", 3.0), "steps": ("fine", "steps", "fine"),
         "seed": (9, "seed", 9), "variations": (3, "variations", 3), "level_music": ("half", "level", "half"),
         "loop": (True, "loop", True), "loudness": ("broadcast", "loudness_lufs", -23.0)}
CONDUCT = {"guidance_motion": (3.0, "guidance_scale", 3.0), "steps": ("fine", "steps", "fine"), "seed": (9, "seed", 9),
           "variations": (3, "variations", 3), "level_motion": ("double", "level", "double"), "metre": ("3", "metre", "3"),
           "amplitude": (0.5, "amplitude", 0.5), "left_hand": (0.25, "left_hand", 0.25), "mirror": (True, "mirror", True),
           "in_place": (True, "in_place", True), "plant_feet": (False, "plant_feet", False),
           "fingers": ("relaxed", "fingers", "relaxed")}


def test_music_settings_reach_the_worker(blender, tmp_path):
    scene, rig = blender.context.scene, scenes.smpl_rig()
    scenes.sway(rig, 61)
    plain = to_sound.request_of(scene, rig)["params"]
    assert plain["loop"] is False and plain["level"] == "normal" and plain["bpm"] is None and plain["beats"] is None
    for name, (value, key, sent) in MUSIC.items():
        setattr(scene.baton, name, value)
        assert to_sound.request_of(scene, rig)["params"][key] == sent, name
    assert plain["like"] is None
    sound = tmp_path / "like.wav"
    scene.baton.sounds_like = str(sound)
    with pytest.raises(UserError, match="like.wav, is not there"):
        to_sound.check(scene, rig)
    sound.touch()
    to_sound.check(scene, rig)
    assert to_sound.request_of(scene, rig)["params"]["like"] == str(sound)
    scene.baton.tempo, scene.baton.tempo_bpm = "FIXED", 99
    assert to_sound.request_of(scene, rig)["params"]["bpm"] == 99
    assert beats.motion_job(blender.context, rig).params == {"level": "normal", "bpm": 99}, "a fixed tempo has its level"
    scene.baton.tempo = "AUTO"
    assert beats.motion_job(blender.context, rig).params == {"level": "half", "bpm": None}


class Strip:
    """As much of a sound strip as a request needs; this Blender may have no sound."""

    name = "Piece"


def test_conducting_settings_reach_the_worker(blender):
    scene, rig = blender.context.scene, scenes.smpl_rig()

    def request():
        return to_motion.request_of(scene, scene, Strip, rig)
    plain = request()["params"]
    assert plain["lead"] is None and plain["bpm"] is None and plain["level"] == "normal" and request()["keep"] is None
    for name, (value, key, sent) in CONDUCT.items():
        setattr(scene.baton, name, value)
        assert request()["params"][key] == sent, name
    scene.baton.lead_auto, scene.baton.lead = False, 120.0
    scene.baton.motion_tempo, scene.baton.motion_bpm = "FIXED", 99
    params = request()["params"]
    assert params["lead"] == pytest.approx(0.12) and params["bpm"] == 99
    scene.baton.motion_tempo = "MARKERS"
    assert request()["follow_markers"] and request()["params"]["bpm"] is None


def test_what_is_sent_is_what_the_worker_knows(blender):
    """A name that the worker does not know would fail every job of its kind."""
    from core.contract import systems
    from core.worker import generate, inputs
    from core.worker import jobs as worker_jobs
    scene, rig = blender.context.scene, scenes.smpl_rig()
    scenes.sway(rig, 61)
    for kind, request, direction in (("music", to_sound.request_of(scene, rig), "to_sound"),
                                     ("conduct", to_motion.request_of(scene, scene, Strip, rig), "to_motion")):
        name, params = jobs._generate(kind, request["params"])
        systems.check(systems.find(params["system"]), params["settings"])
        assert name == "generate" and set(params) <= generate.COMMON | generate.INPUTS[direction] | inputs.EVERY
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
    scene.baton.range = "PREVIEW"
    assert "no preview range" in why(button)
    scene.baton.range, scene.baton.frame_start, scene.baton.frame_end = "CUSTOM", 1, 10
    assert "0.3 s long; music needs 1 to 1800 s" in why(button)
    scene.baton.frame_end = 30 * 3600 * 4
    assert "14400.0 s long" in why(button), "a 4-hour range"
    scene.baton.range, scene.baton.tempo = "ACTION", "MARKERS"
    assert "no beat markers" in why(button)
    scene.baton.tempo = "AUTO"
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
    scene.baton.motion_tempo = "MARKERS"
    assert "no beat markers" in why(button)
    scene.baton.motion_tempo = "AUTO"
    strip.frame_final_end = 2
    assert "conducting needs" in why(button)


def test_other_grey_buttons_say_why(blender):
    ops = blender.ops.baton
    assert "armature or a sound strip" in why(ops.detect_beats)
    assert "Nothing is running" in why(ops.cancel)
    for button in (ops.scale_beats, ops.jump_beat, ops.clear_beats):
        assert "no beat markers" in why(button)
    for button in (ops.solo_take, ops.mute_take, ops.keep_take, ops.remove_take, ops.redo_take, ops.redo_range, ops.copy_recipe):
        assert "There is no take yet" in why(button)
    assert "no beats" in why(ops.take_beats)
    for button in (ops.detect_bones, ops.save_bones, ops.load_bones, ops.clear_bones, ops.add_baton, ops.pick_bone):
        assert "Select an armature" in why(button)
    jobs.manager.stop_worker()
    assert "not running" in why(ops.stop_worker)
    assert "Nothing was set up or checked" in why(ops.copy_report)
    assert "as an extension" in why(ops.setup_runtime)
