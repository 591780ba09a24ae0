"""Files saved by Baton 0.1.0: their settings, takes and requests survive."""
import json
from pathlib import Path

import pytest

from baton.blender_addon.scene import takes, versioning
from baton.blender_addon.ui import user_presets
from baton.core.contract import recipes, systems

DATA = Path(__file__).parent / "data"
FILES = sorted(DATA.glob("settings_0_1_*.blend"))
MUSIC = {"genre": "waack", "guidance_scale": 3.25, "steps": "fine", "seed": 77, "variations": 2, "tempo": "fixed",
         "bpm": 123.0,
         "level": "half", "loop": True, "like": "//like.wav", "range": "CUSTOM", "frame_start": 1, "frame_end": 60,
         "loudness": "broadcast"}
CONDUCTOR = {"guidance_scale": 4.5, "steps": "fine", "seed": 77, "variations": 2, "metre": "3", "tempo": "fixed",
             "bpm": 98.0,
             "level": "double", "lead_auto": False, "lead": 120.0, "amplitude": 0.5, "left_hand": 0.25, "mirror": True,
             "plant_feet": False, "fingers": "relaxed", "in_place": True, "blend_seconds": 0.7, "reduce_keys": True,
             "reduce_degrees": 2.0, "keep_range": True}


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def old(blender, request):
    if "5_0" in request.param.stem and blender.app.version < (5, 0):
        pytest.skip("a file of a newer Blender")
    blender.ops.wm.open_mainfile(filepath=str(request.param))
    return blender


def of(settings, names):
    return {name: getattr(settings, name) for name in names}


def test_settings_survive(old):
    baton = old.context.scene.baton
    assert of(baton.music_ldm, MUSIC) == pytest.approx(MUSIC)
    assert of(baton.conductor, CONDUCTOR) == pytest.approx(CONDUCTOR)
    assert baton.rig.name == "Dancer" and not baton.overlay and baton.version == versioning.VERSION
    assert (baton.edit_range, baton.edit_start, baton.edit_end) == ("CUSTOM", 5, 25)


def test_takes_survive_and_ask_the_same_again(old):
    scene = old.context.scene
    first, second, music = scene.baton.takes
    assert [take.kind for take in scene.baton.takes] == ["MOTION", "MOTION",
                                                         "MUSIC"] and first.action.name == "Conducting 1"
    for number, take in enumerate((first, second)):
        request = takes.request_of(take)
        values = systems.check(systems.find(request["system"]), request["params"])
        assert request["system"] == "conductor" and values["seed"] == 77 + number and values["variations"] == 1
        assert values["lead"] == pytest.approx(0.12) and values["bpm"] == 98.0 and values["tempo"] == "fixed"
        assert request["own"]["blend_seconds"] == pytest.approx(0.7) and request["own"]["reduce_degrees"] == 2.0
        assert request["strip"] == "Piece"
    request = takes.request_of(music)
    values = systems.check(systems.find(request["system"]), request["params"])
    assert request["system"] == "music_ldm" and request["duration"] == 2.0 and values["loudness"] == "broadcast"
    assert values["genre"] == "waack" and values["steps"] == 50 and json.loads(music.recipe)["system"] == "music_ldm"
    assert old.ops.baton.solo_take(name=first.name) == {"FINISHED"}
    assert old.ops.baton.remove_take(name=second.name) == {"FINISHED"} and len(scene.baton.takes) == 2


def test_a_file_of_today_is_left_alone(old, tmp_path):
    scene = old.context.scene
    scene.baton.music_ldm.guidance_scale, scene.baton.music_ldm.genre = 1.25, "pop"
    old.ops.wm.save_as_mainfile(filepath=str(tmp_path / "new.blend"))
    old.ops.wm.open_mainfile(filepath=str(tmp_path / "new.blend"))
    settings = old.context.scene.baton.music_ldm
    assert (settings.guidance_scale, settings.genre, settings.bpm) == (1.25, "pop", 123.0)


def test_damaged_settings_keep_their_defaults_and_the_others_survive(blender, monkeypatch):
    scene = blender.context.scene
    before = scene.baton.music_ldm.genre, scene.baton.music_ldm.guidance_scale
    monkeypatch.setattr(versioning, "stored", lambda scene: {"genre": 99, "guidance_music": "loud", "seed": 77,
                                                             "loop": True})
    scene.baton.version = 0
    versioning.update(scene)
    settings = scene.baton.music_ldm
    assert (settings.genre, settings.guidance_scale) == before and settings.seed == 77 and settings.loop
    assert scene.baton.version == versioning.VERSION


def test_requests_of_before():
    """Markers that were followed are followed; a range made anew keeps its file; an import keeps how it was written."""
    old = {"kind": "music", "rig": "A", "first": 1.0, "duration": 2.0, "fps": 30.0, "params": {
        "seed": 3, "variations": 1, "bpm": None, "beats": {"times": [0.0, 1.0]}, "loudness_lufs": None,
        "level": "normal", "source": {}, "keep": {"file": "x.wav", "start": 0.5, "stop": 1.0}}}
    new = recipes.todays(old)
    assert new["params"]["tempo"] == "markers" and new["beats"]["times"] == [0.0, 1.0]
    assert new["params"]["loudness"] == "peak"
    assert new["keep"]["file"] == "x.wav" and "keep" not in new["params"] and recipes.todays(new) == new
    new = recipes.todays({"kind": "import", "rig": "A", "first": 1, "blend_seconds": 0.4, "reduce_degrees": 0.0,
                           "params": {"motion": "a.bvh"}})
    assert new["own"] == {"blend_seconds": 0.4, "reduce_degrees": 0.0,
                          "reduce_keys": False} and recipes.todays(new) == new


# As Blender wrote them for Baton 0.1: `settings` is the scene's one flat group.
OLD_MUSIC = """import bpy
settings = bpy.context.scene.baton

settings.genre = 'waack'
settings.guidance_music = 3.25
settings.steps = 'fine'
settings.variations = 2
settings.tempo = 'FIXED'
settings.tempo_bpm = 123.0
settings.level_music = 'half'
settings.range = 'CUSTOM'
settings.loudness = 'broadcast'
settings.loop = True
"""
OLD_MOTION = """import bpy
settings = bpy.context.scene.baton

settings.guidance_motion = 4.5
settings.steps = 'draft'
settings.metre = '3'
settings.motion_tempo = 'MARKERS'
settings.level_motion = 'double'
settings.lead_auto = False
settings.lead = 120.0
settings.fingers = 'relaxed'
"""


@pytest.fixture
def presets_of_0_1(tmp_path):
    for kind, text in (("music", OLD_MUSIC), ("motion", OLD_MOTION)):
        (tmp_path / "baton" / kind).mkdir(parents=True)
        (tmp_path / "baton" / kind / "My_Own.py").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_users_presets_survive(blender, presets_of_0_1):
    user_presets.carry_over(presets_of_0_1)
    baton = blender.context.scene.baton
    baton.music_ldm.seed, baton.conductor.seed = 5, 6
    for system in ("music_ldm", "conductor"):
        path = presets_of_0_1 / "baton" / system / "My_Own.py"
        assert blender.ops.script.execute_preset(filepath=str(path), menu_idname=f"BATON_PT_{system}_presets") == {
            "FINISHED"}
    wanted = {name: MUSIC[name] for name in ("genre", "guidance_scale", "steps", "variations", "tempo", "bpm", "level",
                                             "range", "loudness", "loop")}
    assert of(baton.music_ldm, wanted) == pytest.approx(wanted) and baton.music_ldm.seed == 5
    wanted = {"guidance_scale": 4.5, "steps": "draft", "metre": "3", "tempo": "markers", "level": "double",
              "lead_auto": False, "lead": 120.0, "fingers": "relaxed"}
    assert of(baton.conductor, wanted) == pytest.approx(wanted) and baton.conductor.seed == 6


def test_presets_are_carried_once_and_nothing_is_lost(blender, presets_of_0_1, capsys):
    new = presets_of_0_1 / "baton" / "music_ldm"
    new.mkdir()
    (new / "My_Own.py").write_text("import bpy\n", encoding="utf-8")
    user_presets.carry_over(presets_of_0_1)
    assert (new / "My_Own.py").read_text() == "import bpy\n" and "waack" in (new / "My_Own_0_1.py").read_text()
    assert (presets_of_0_1 / "baton" / "music" / "My_Own.py").read_text() == OLD_MUSIC
    (new / "My_Own_0_1.py").unlink()                                 # the user does not want it any more
    user_presets.carry_over(presets_of_0_1)
    assert not (new / "My_Own_0_1.py").exists() and not capsys.readouterr().err
    (presets_of_0_1 / "baton" / "motion" / "broken.py").write_text("settings.lead = open('x')", encoding="utf-8")
    user_presets.carry_over(presets_of_0_1)
    said = capsys.readouterr().err
    assert "not carried over" in said and said.count("\n") == 1 and not list(presets_of_0_1.rglob("*.part"))
    assert not (presets_of_0_1 / "baton" / "conductor" / "broken.py").exists()


def test_a_preset_is_read_and_never_run(tmp_path):
    with pytest.raises(ValueError):
        user_presets.convert("import os\nsettings.lead = os.remove('x')", "to_motion")
    with pytest.raises(ValueError, match="no setting"):
        user_presets.convert("import bpy\nother.genre = 3", "to_sound")
    with pytest.raises(ValueError):
        user_presets.convert("settings.genre =", "to_sound")
