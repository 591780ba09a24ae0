"""Redo: dragged markers count, for sound, motion and both; with nothing changed another seed is drawn, and it is
said."""
import json

import pytest

from baton.blender_addon.errors import UserError
from baton.blender_addon.flows import again
from baton.blender_addon.flows.to_both import ToBoth
from baton.blender_addon.scene import beat_markers as beats
from baton.blender_addon.scene import strips, takes
from baton.core.contract import systems
from tests.blender import scenes
from tests.blender.stand_ins import BEATS, channels, prepare, row, to_motion, to_sound


def music(blender, tmp_path, name, request=None):
    rig = blender.data.objects.get("Dancer")
    if rig is None:
        rig = scenes.smpl_rig()
        scenes.sway(rig, 75)
    job = prepare(to_sound(blender.context, rig, request).job(), tmp_path / name)
    scenes.write_wav(tmp_path / name / "take_1.wav", 2.5)
    return job, {"takes": [row("take_1.wav")]}


def conducting(blender, tmp_path, name, request=None):
    scene = blender.context.scene
    rig = blender.data.objects.get("Dancer") or scenes.smpl_rig()
    strip = strips.find(scene, "Piece")
    strip = strip or strips.place(scene, scenes.write_wav(tmp_path / "p.wav", 2.0), "Piece", 1, 60)
    job = prepare(to_motion(blender.context, rig, scene, strip, request).job(), tmp_path / name)
    channels(tmp_path / name)
    return job, {"takes": [row("channels.npz")]}


def both(blender, tmp_path, name, request=None):
    rig = blender.data.objects.get("Dancer") or scenes.smpl_rig()
    job = prepare(ToBoth(blender.context, systems.find("momu_both"), rig, request).job(), tmp_path / name)
    channels(tmp_path / name)
    scenes.write_wav(tmp_path / name / "take_1.wav", 2.0)
    return job, {"takes": [{**row("take_1.wav"), "channels": "channels.npz"}]}


KINDS = [music, conducting, both]


def first_take(blender, tmp_path, kind):
    scene = blender.context.scene
    scene.frame_end, scene.baton.momu_both.duration = 75, 2.0
    job, result = kind(blender, tmp_path, "one")
    job.apply(result, tmp_path / "one")
    return scene, scene.baton.takes[0]


def drag(scene, number, frames):
    marker = sorted((m for m in scene.timeline_markers if beats.is_beat(m)), key=lambda m: m.frame)[number]
    marker.frame += frames


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_changed_draws_another_seed_and_says_so(blender, sound, tmp_path, kind):
    scene, take = first_take(blender, tmp_path, kind)
    seed = json.loads(take.request)["params"]["seed"]
    job, result = kind(blender, tmp_path, "two", again.request(scene, take))
    assert job.params["settings"]["seed"] == seed + 1
    said = job.apply(result, tmp_path / "two")
    assert f"nothing had changed, so the seed is {seed + 1} instead of {seed}" in said
    assert json.loads(scene.baton.takes[1].request)["params"]["seed"] == seed + 1
    job, _ = kind(blender, tmp_path, "three", again.request(scene, scene.baton.takes[0]))
    assert job.params["settings"]["seed"] == seed + 2, "one that no take has"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tempo", ["markers", "auto"])
def test_dragged_markers_count(blender, sound, tmp_path, kind, tempo):
    scene = blender.context.scene
    beats.show(scene, BEATS, 1.0, 30.0)
    for system in ("music_ldm", "conductor", "momu_both"):
        getattr(scene.baton, system).tempo = tempo
    scene, take = first_take(blender, tmp_path, kind)
    seed = json.loads(take.request)["params"]["seed"]
    blender.ops.baton.take_beats(name=take.name)
    job, _ = kind(blender, tmp_path, "two", again.request(scene, take))
    assert job.params["settings"]["seed"] == seed + 1, "as they were found: nothing has changed"
    drag(scene, 1, 4)
    job, result = kind(blender, tmp_path, "three", again.request(scene, take))
    found = job.params["beats"]["times"]
    assert job.params["settings"]["tempo"] == "markers" and job.params["settings"]["seed"] == seed
    assert found[1] == pytest.approx(BEATS["times"][1] + 4 / 30, abs=1e-3) and found[0] == BEATS["times"][0]
    assert ("it follows the markers" in job.apply(result, tmp_path / "three")) is (tempo == "auto")
    made = scene.baton.takes[-1]
    assert json.loads(made.request)["beats"]["times"][1] == found[1]


def test_halved_markers_count_too(blender, sound, tmp_path):
    scene, take = first_take(blender, tmp_path, conducting)
    blender.ops.baton.take_beats(name=take.name)
    blender.ops.baton.scale_beats(factor="HALF")
    job, _ = conducting(blender, tmp_path, "two", again.request(scene, take))
    assert len(job.params["beats"]["times"]) == 2


def test_markers_of_something_else_are_not_followed(blender, sound, tmp_path):
    scene, take = first_take(blender, tmp_path, conducting)
    beats.show(scene, BEATS, 1.0, 30.0)
    drag(scene, 1, 4)
    job, _ = conducting(blender, tmp_path, "two", again.request(scene, take))
    assert job.params["beats"] is None


def test_a_changed_scene_keeps_the_seed(blender, sound, tmp_path):
    scene, take = first_take(blender, tmp_path, conducting)
    rig, strip = take.rig, strips.find(scene, "Piece")
    strip.frame_final_end -= 15
    job, _ = conducting(blender, tmp_path, "two", again.request(scene, take))
    assert job.params["settings"]["seed"] == 1
    strip.frame_final_end += 15
    rig.location.x += 0.5
    blender.context.view_layer.update()
    job, _ = conducting(blender, tmp_path, "three", again.request(scene, take))
    assert job.params["settings"]["seed"] == 1


def test_edited_motion_keeps_the_seed_of_music(blender, sound, tmp_path):
    scene, take = first_take(blender, tmp_path, music)
    pose = take.rig.pose.bones["left_elbow"]
    pose.rotation_quaternion = (0.9, 0.3, 0.1, 0.0)
    pose.keyframe_insert("rotation_quaternion", frame=20)
    job, _ = music(blender, tmp_path, "two", again.request(scene, take))
    assert job.params["settings"]["seed"] == 1


def test_a_variation_made_again_has_the_style_that_was_drawn(blender, sound, tmp_path):
    """Style Any: the first seed drew one for all variations, and another seed alone would draw another."""
    scene, rig = blender.context.scene, scenes.smpl_rig()
    scene.frame_end, group = 75, scene.baton.momu_both
    group.duration, group.genre, group.variations = 2.0, "any", 2
    job = prepare(ToBoth(blender.context, systems.find("momu_both"), rig).job(), tmp_path / "one")
    channels(tmp_path / "one")
    rows = []
    for seed in (1, 2):
        scenes.write_wav(tmp_path / "one" / f"take_{seed}.wav", 2.0)
        made = {**row(f"take_{seed}.wav", seed), "channels": "channels.npz"}
        rows.append({**made, "recipe": {**made["recipe"], "settings": {"genre": "krump", "seed": seed}}})
    job.apply({"takes": rows}, tmp_path / "one")
    assert [take.name for take in scene.baton.takes] == ["Krump 1", "Krump 2"]
    asked = [again.request(scene, take)["params"] for take in scene.baton.takes]
    assert [(params["genre"], params["seed"], params["variations"]) for params in asked] == [("any", 1, 1),
                                                                                          ("krump", 2, 1)]


def test_another_level_is_a_click_away(blender, sound, tmp_path):
    """The tempo and how it is beaten stand on the take; half and double of it ask for the take again."""
    scene = blender.context.scene
    scene.frame_end = 75
    job, result = conducting(blender, tmp_path, "one")
    told = result["takes"][0]
    told["beats"] = {**BEATS, "tempo_bpm": 160.0}
    told["recipe"] = {"system": "conductor", "settings": {"beat_pattern": "two"}, "beats_from": "predicted"}
    job.apply(result, tmp_path / "one")
    take = scene.baton.takes[0]
    assert take.bpm == 160.0 and take.pattern == "In Two"
    asked = again.at_level(again.request(scene, take), "HALF", "predicted")
    job, _ = conducting(blender, tmp_path, "two", asked)
    assert job.params["settings"]["level"] == "half" and job.params["settings"]["seed"] == told_seed(take)
    with pytest.raises(UserError, match="on that level"):
        again.at_level(asked, "HALF", "predicted")
    assert again.at_level(asked, "DOUBLE", "predicted")["params"]["level"] == "normal"
    with pytest.raises(UserError, match="Only beats that were found"):
        again.at_level(asked, "DOUBLE", "genre")
    kept = {**asked, "params": {**asked["params"], "tempo": "fixed", "bpm": 160.0}}
    assert again.at_level(kept, "HALF", "tempo")["params"]["bpm"] == 80.0


def told_seed(take):
    return json.loads(take.request)["params"]["seed"]


@pytest.mark.parametrize(("settings", "beats", "pattern"), [
    ({"beat_pattern": "auto"}, {"groups": [3, 2]}, "3 + 2"), ({"beat_pattern": "auto"}, {}, ""),
    ({"beat_pattern": "three_two_two"}, {}, "3 + 2 + 2"), ({}, {}, "")])
def test_the_chosen_pattern_is_named(settings, beats, pattern):
    assert takes.pattern_of({"recipe": {"system": "conductor", "settings": settings}, "beats": beats}) == pattern
    assert takes.pattern_of({"recipe": {"system": "music_ldm", "settings": settings}, "beats": beats}) == ""
