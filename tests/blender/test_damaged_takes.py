"""What a file stores of its takes is input: it is checked on reading, and a damaged take can be removed. Recipes name
files from the project on."""
import json

import pytest

from baton.blender_addon.errors import UserError
from baton.blender_addon.flows.generate import flow
from baton.blender_addon.scene import takes
from baton.core.contract import recipes
from tests.blender.stand_ins import MUSIC, conducting, music, row


@pytest.fixture
def made(blender, sound, tmp_path):
    """A scene with a conducting take."""
    _, job = conducting(blender, tmp_path)
    job.apply({"takes": [row("channels.npz")]}, tmp_path / "job")
    return blender.context.scene


def test_a_sound_take_is_not_damaged(made):
    assert takes.damaged(made.baton.takes[0]) == ""


@pytest.mark.parametrize(("field", "text", "words"), [
    ("request", "{", "no JSON"), ("request", "[1]", "no list of names"),
    ("request", '{"a": ' * 200 + "1" + "}" * 200, "deep"),
    ("request", '{"kind": "opera"}', "no version"), ("request", '{"system": "conductor", "own": {}}', "rig"),
    ("state", '{"base": 5}', "lacks base"), ("beats", '{"times": [2, 1]}', "ascend"),
    ("beats", '{"times": [0, NaN]}', "no number"), ("recipe", "7", "no list of names")])
def test_what_is_damaged_is_said_and_removed(made, blender, field, text, words):
    take = made.baton.takes[0]
    setattr(take, field, text)
    name = take.name
    assert words in takes.damaged(take)
    with pytest.raises((UserError, RuntimeError)) as caught:
        {"request": lambda: takes.request_of(take), "state": lambda: takes.state_of(take),
         "beats": lambda: takes.beats_of(take), "recipe": lambda: takes.recipe_of(take)}[field]()
    assert str(caught.value).startswith(f"{name} is damaged: ")
    assert blender.ops.baton.remove_take(name=name) == {"FINISHED"} and name not in made.baton.takes


def test_a_state_that_lacks_anything_is_damaged(made):
    state = json.loads(made.baton.takes[0].state)
    for name in state:
        with pytest.raises(recipes.Refused, match=name if name != "slot" else "no slot"):
            recipes.read_state(json.dumps({other: value for other, value in state.items() if other != name}))


@pytest.mark.parametrize(("system", "keep"), [
    ("music_ldm", {"file": "a.wav", "start": 0.0, "stop": 1.0}), ("conductor", {"frames": [1, 9], "stays": "inside"}),
    ("momu_both", {"frames": [1, 9], "file": "a.wav", "side": "both"})])
def test_a_range_that_lacks_anything_is_damaged(system, keep):
    request = {"system": system, "rig": "Ann", "params": {"duration": 4.0} if system == "momu_both" else {}, "own": {},
               "first": 1.0, "duration": 4.0, "fps": 30.0, "strip": "Piece", "strip_scene": "Scene", "keep": keep}
    recipes.check_request(request)
    for name in keep:
        with pytest.raises(recipes.Refused, match=f"its range lacks {name}"):
            recipes.check_request({**request, "keep": {other: keep[other] for other in keep if other != name}})


def test_a_redo_of_hours_is_refused_before_anything_is_read(blender, sound, tmp_path):
    job, result = music(blender, tmp_path)
    job.apply(result, tmp_path / "job")
    take = blender.context.scene.baton.takes[0]
    request = {**json.loads(take.request), "duration": 3 * 3600.0}
    take.request = json.dumps(request)
    with pytest.raises(UserError, match="length in seconds is not a number from"):
        takes.request_of(take)
    take.request = json.dumps({**request, "duration": 2.0, "params": {**request["params"], "seed": 1e300}})
    with pytest.raises(UserError, match="seed"):
        takes.request_of(take)
    good = {**request, "duration": 2.0}
    take.request = json.dumps(good)
    assert flow(blender.context, MUSIC, take.rig, takes.request_of(take)).passage.duration == 2.0


def test_recipes_name_files_from_the_project_on(blender, sound, tmp_path):
    (tmp_path / "film").mkdir()
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "film" / "a.blend"))
    _, job = conducting(blender, tmp_path)
    made = row("channels.npz")
    made["recipe"]["source"] = {"audio": str(tmp_path / "film" / "music" / "piece.wav"), "start": 0.0,
                                "packed": "/tmp/blender_x/baton-job3-y/Piece.wav"}
    job.apply({"takes": [made]}, tmp_path / "job")
    take = blender.context.scene.baton.takes[0]
    source = json.loads(take.recipe)["source"]
    assert source == {"audio": "//music/piece.wav", "start": 0.0, "packed": "Piece.wav"}
    assert take.action["baton_recipe"] == take.recipe


def test_paths_of_any_system_are_seen():
    told = recipes.with_paths({"a": ["/x/y", r"C:\z\w", "plain", "rel/x"], "n": 5}, lambda path: "told")
    assert told == {"a": ["told", "told", "plain", "rel/x"], "n": 5}
