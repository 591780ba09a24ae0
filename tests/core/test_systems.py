"""The registry: what rows and settings may say, what is filled in, and what is refused with one sentence."""
import ast
import json
import sys

import pytest

from core.contract import FOLDER, load
from core.contract import systems as registry
from core.contract.systems import Refused, System

MUSIC, CONDUCTOR = registry.find("music_ldm"), registry.find("conductor")


def test_rows_and_directions():
    assert list(registry.systems())[:2] == ["music_ldm", "conductor"]
    rows = {direction.name: [system.name for system in systems]
            for direction, systems in registry.by_direction().items()}
    assert rows["to_sound"][0] == "music_ldm" and rows["to_motion"][0] == "conductor" and set(rows) == {
        "to_sound", "to_motion", "to_both"}
    assert registry.find("music") is MUSIC and registry.find("conduct") is CONDUCTOR and MUSIC.folder == "music_ldm"
    with pytest.raises(Refused, match="no system 'dance' here"):
        registry.find("dance")


def test_every_setting_is_used_and_explained():
    used = {name for system in registry.systems().values() for name in system.settings}
    assert set(load("settings")) - used <= {"duration",
                                            "formation"}, "they wait for systems that make both or move several rigs"
    for system in registry.systems().values():
        for setting in system.settings.values():
            assert setting.tip[0].isupper() and not setting.tip.endswith("."), setting.name
            assert all(item.label and not item.tip.endswith(".") for item in setting.items), setting.name
            absent = setting.absent
            assert absent is None or setting.check(absent) is not None or setting.type == "enum", setting.name
            assert set(setting.when) <= set(system.settings), setting.name


def test_contract_imports_the_standard_library_alone():
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] in sys.stdlib_module_names for alias in node.names), path
            if isinstance(node, ast.ImportFrom):
                assert node.level == 1 or node.module.split(".")[0] in sys.stdlib_module_names, path


def test_defaults_are_filled_in_and_enums_become_values():
    values = registry.check(CONDUCTOR, {})
    assert (values["guidance_scale"] == 2.0 and values["steps"] == 10 and values["seed"] == 0
            and values["metre"] == "auto")
    assert values["tempo"] == "auto" and registry.check(CONDUCTOR, {"tempo": "99.5"})["tempo"] == 99.5
    assert (values["bpm"] is None and values["lead"] is None and values["level"] == "normal"
            and "blend_seconds" not in values)
    assert registry.check(MUSIC,
                          {"genre": "any"})["steps"] == 10, "Normal of the music model: as good as 20 (docs/results.md)"
    values = registry.check(MUSIC, {"steps": "draft", "genre": "any", "loudness": None, "like": ""})
    assert (values["steps"] == 8 and values["genre"] is None and values["loudness"] == "streaming"
            and values["like"] is None)
    assert registry.check(CONDUCTOR, {"steps": "draft", "metre": 3, "lead": 0.2}) | {"steps": 5, "metre": 3,
                                                                                     "lead": 0.2} == (
        registry.check(CONDUCTOR, {"steps": 5, "metre": "3", "lead": 0.2}))


@pytest.mark.parametrize("name, slug", [("waack", "waack"), ("LA Hip-Hop", "la-hip-hop"), ("gHO", "house"),
                                        ("Middle Hip Hop", "middle-hip-hop"), (None, None), ("any", None)])
def test_genres_by_slug_label_and_aist_code(name, slug):
    assert registry.check(MUSIC, {"genre": name})["genre"] == slug


@pytest.mark.parametrize("system, params, words", [
    (MUSIC, {"volume": 3}, "no setting volume"),
    (MUSIC, {"genre": "polka"}, "The genre 'polka' is unknown; choose one of any, break"),
    (MUSIC, {"guidance_scale": -1}, "The guidance scale of -1 is out of range; choose 0 to 20."),
    (MUSIC, {"guidance_scale": "much"}, "must be a number, not 'much'"),
    (MUSIC, {"guidance_scale": float("nan")}, "must be a number"),
    (MUSIC, {"steps": 0}, "nor a number from 1 to 1000"), (MUSIC, {"steps": "many"}, "number of sampling steps 'many'"),
    (MUSIC, {"seed": 1.5}, "seed must be a whole number"),
    (MUSIC, {"seed": 2**31}, "seed of 2147483648 is out of range; choose 0 to 2147483647."),
    (MUSIC, {"variations": 9}, "9"), (MUSIC, {"loop": "yes"}, "true or false"), (MUSIC, {"like": 3}, "must be a file"),
    (CONDUCTOR, {"lead": 2.0}, "The lead of 2 s is out of range; choose -0.5 to 0.5 s."),
    (MUSIC, {"tempo": "slow"}, "The tempo 'slow' is none of auto, steady"),
    (MUSIC, {"tempo": 20}, "nor a number from 30 to 300"),
    (CONDUCTOR, {"bpm": 1000}, "The tempo of 1000 BPM"), (CONDUCTOR, {"metre": 8}, "metre 8"),
    (CONDUCTOR, {"like": "x"}, "no setting like")])
def test_what_cannot_be_is_one_sentence(system, params, words):
    with pytest.raises(Refused) as caught:
        registry.check(system, params)
    assert words in str(caught.value) and "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_recipe_keeps_what_decides_the_result():
    kept = registry.effective(CONDUCTOR, registry.check(CONDUCTOR, {"lead": 0.1, "fingers": "relaxed"}))
    assert kept["lead"] == 0.1 and "fingers" not in kept and "plant_feet" not in kept
    assert json.loads(json.dumps(kept)) == kept


ROW = {"name": "toy", "label": "Toy", "button": "Generate Toy", "icon": "SOUND", "tip": "Make a toy", "from": "motion",
       "to": "sound", "module": "models.toy.pipeline", "model": "Toy", "parts": [], "take": "Toy",
       "limits": {"seconds": [1.0, 10.0]}, "sections": {"": ["colour"]}}
COLOUR = {"type": "enum", "label": "Colour", "tip": "Colour of the toy", "default": "red",
          "items": [{"id": "red", "label": "Red"}]}


@pytest.mark.parametrize("row, setting, words", [
    ({}, {"type": "number"}, "setting colour of toy has the type 'number'"),
    ({}, {"by": "worker"}, "has the by 'worker'"),
    ({}, {"default": "blue"}, "begins with 'blue'"), ({"from": "sound", "to": "sound"}, {}, "no direction from sound "
                                                      "to sound"),
    ({"from": None, "to": "both"}, {}, "need the setting duration"), ({}, {"type": "motion"}, "how many seconds of "
                                                                      "motion"),
    ({"sections": {"": ["shape"]}}, {}, "no entry in settings.json for shape"), ({"overrides": {"size": {}}}, {},
                                                                                 "for size")])
def test_a_row_that_cannot_be_says_why(row, setting, words):
    with pytest.raises(Refused, match=words):
        System({**ROW, **row}, {"colour": {**COLOUR, **setting}})


def test_checkpoints_that_a_row_needs():
    row = System({**ROW, "parts": ["denoiser", "music_ldm/vae"], "rhythm": "body"}, {"colour": COLOUR})
    assert row.needs == {"denoiser": ("toy", "denoiser"), "music_ldm_vae": ("music_ldm", "vae"),
                         "rhythm_body": ("rhythm", "body")}
    assert set(MUSIC.needs) == {"vae", "denoiser", "vocoder", "rhythm_body"}


def test_a_row_may_offer_some_of_the_items():
    items = [{"id": name, "label": name.title()} for name in ("red", "green", "blue")]
    row = System({**ROW, "overrides": {"colour": {"only": ["red", "blue"]}}}, {"colour": {**COLOUR, "items": items}})
    assert [item.id for item in row.settings["colour"].items] == ["red", "blue"]
    with pytest.raises(Refused, match="'green' is unknown; choose one of red, blue"):
        registry.check(row, {"colour": "green"})


def test_further_folders_add_rows(tmp_path, monkeypatch):
    (tmp_path / "systems.json").write_text(json.dumps([ROW]))
    (tmp_path / "settings.json").write_text(json.dumps({"colour": COLOUR}))
    monkeypatch.setenv(registry.ENVIRONMENT, str(tmp_path))
    assert list(registry.systems())[-1] == "toy" and registry.find("toy").settings["colour"].check("Red") == "red"
    (tmp_path / "systems.json").write_text(json.dumps([{**ROW, "name": "conductor"}]))
    registry._systems.cache_clear()
    with pytest.raises(Refused, match="Two rows of the registry have the name conductor"):
        registry.systems()
    (tmp_path / "systems.json").write_text(json.dumps([{key: value for key, value in ROW.items() if key != "label"}]))
    with pytest.raises(Refused, match="lacks 'label'"):
        registry.systems()
    (tmp_path / "systems.json").write_text("{")
    with pytest.raises(Refused, match="cannot be read"):
        registry.systems()


def test_the_page_of_settings_is_that_of_the_registry():
    from models.lab import settings_page
    assert settings_page.PAGE.read_text(encoding="utf-8") == settings_page.page(), (
        "a row or a setting has changed: run `python -m models.lab.settings_page`")


def test_titles_of_takes():
    assert (MUSIC.title({"genre": "la-hip-hop"}) == "LA Hip-Hop" and MUSIC.title({"genre": "any"}) == "Music"
            == MUSIC.title({}))
    assert CONDUCTOR.title({}) == "Conducting"
