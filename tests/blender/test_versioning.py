"""Files saved by Baton 0.1.0: their settings, takes and requests survive."""
import json
from pathlib import Path

import pytest

from baton.blender_addon.scene import takes, versioning
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
