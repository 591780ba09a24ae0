"""Actions as moves: ticked, read with their pose markers, the rig left as it was; a dance of them by a real worker."""
import json

import bpy
import numpy as np
import pytest

from baton.blender_addon.errors import UserError
from baton.blender_addon.scene import compat, moves, strips
from baton.blender_addon.scene import settings as scene_settings
from baton.blender_addon.scene.keys import fill_curve
from baton.blender_addon.scene.refs import Ref
from baton.blender_addon.scene.worn import worn
from baton.core.contract import systems as registry
from tests.blender import scenes

NEEDS = {("repertoire", "moves"), ("rhythm", "body"), ("rhythm", "music")}


def system():
    return registry.systems()["my_moves"]


def two_moves(rig):
    """Two actions of 12 s at 120 BPM that swing different bones; the second one is the rig's."""
    first = scenes.sway(rig, 361)
    first.name, first.use_fake_user = "Arms", True
    rig.animation_data.action = None
    second = scenes.sway(rig, 361, bones=("spine1", "right_hip", "left_shoulder"))
    second.name = "Hips"
    return first, second


def mark(action, bpm=120.0, fps=30.0, metre=4):
    """Pose markers on every beat, a foreign one among them."""
    for number in range(int(action.frame_range[1] / fps * bpm / 60)):
        marker = action.pose_markers.new("B" if number % metre == 0 else "b")
        marker.frame = 1 + round(number * fps * 60 / bpm)
    action.pose_markers.new("Take this").frame = 40


def test_pose_markers_set_the_beats_of_a_move(blender):
    action, _ = two_moves(scenes.smpl_rig())
    assert moves.beats_of(action, 30.0) is None
    mark(action)
    beats = moves.beats_of(action, 30.0)
    assert beats["times"][:4] == [0.0, 0.5, 1.0, 1.5] and beats["positions"][:6] == [1, 2, 3, 4, 1, 2]


@pytest.mark.parametrize("constrained", [False, True])
def test_an_action_is_read_alone_and_the_rig_is_as_before(blender, tmp_path, constrained):
    """Both by curves and by playing the frames: what the other action does is not in it, and nothing of it is left."""
    rig, scene = scenes.smpl_rig(), blender.context.scene
    first, second = two_moves(rig)
    if constrained:
        rig.pose.bones["left_hand"].constraints.new("LIMIT_ROTATION")
    scene.frame_set(77)
    rig.pose.bones["head"].rotation_quaternion = (0.9, 0.1, 0.0, 0.0)
    before = scenes.evaluated(rig, (30, 77))
    mapped = {name: name for name in ("pelvis", "left_shoulder", "right_shoulder", "spine1")}
    scenes.exhaust(moves.sample(["Arms", "Hips"], Ref.of(rig), Ref.of(scene), mapped, tmp_path))
    assert rig.animation_data.action == second and scene.frame_current == 77
    assert np.abs(scenes.evaluated(rig, (30, 77)) - before).max() < 1e-5
    names = [bone["name"] for bone in json.loads((tmp_path / "1" / "rig.json").read_text())["bones"]]
    shoulder, spine = names.index("right_shoulder"), names.index("spine1")
    arms, hips = (np.load(tmp_path / number / "pose.npy") for number in ("1", "2"))
    assert len(arms) == 361 == len(hips)
    local = lambda poses, bone: np.linalg.inv(poses[:, spine, :3, :3]) @ poses[:, bone, :3, :3]      # noqa: E731
    assert np.ptp(local(arms, shoulder), axis=0).max() > 0.3 > 0.01 > np.ptp(local(hips, shoulder), axis=0).max()
    assert json.loads((tmp_path / "2" / "move.json").read_text()) == {"name": "Hips", "beats": None}


def test_names_with_quotes_and_brackets_are_read_and_put_back(blender):
    rig = scenes.smpl_rig()
    bone, prop = 'say "left" [hand]', 'a "grip" [of two]'
    rig.data.bones["left_hand"].name = bone
    rig.pose.bones[bone][prop] = 0.25
    path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"]'
    action = bpy.data.actions.new("Grip")
    bag, fcurves, slot = compat.action_curves(action, rig)
    for channel in (f'{path}["{bpy.utils.escape_identifier(prop)}"]', f"{path}.location"):
        fill_curve(compat.new_curve(bag, fcurves, channel, 0, bone), np.array([1.0, 9.0]), np.array([0.0, 1.0]))
    moves._check(action, rig, {"left_hand": bone})
    with worn(rig, "Grip"):
        blender.context.scene.frame_set(9)
        assert rig.pose.bones[bone][prop] == 1.0
    assert rig.pose.bones[bone][prop] == 0.25 and rig.pose.bones[bone].location.x == 0.0


def test_what_is_ticked_is_asked_for_and_what_is_missing_is_said(blender, tmp_path):
    rig, scene = scenes.smpl_rig(), blender.context.scene
    first, second = two_moves(rig)
    settings = scene.baton.my_moves
    assert scene_settings.params_of(scene, system())["actions"] is None
    scene_settings.check_files(scene, system())
    settings.moves_from = "actions"
    with pytest.raises(UserError, match="Tick actions"):
        scene_settings.check_files(scene, system())
    first.baton.move = second.baton.move = True
    assert scene_settings.params_of(scene, system())["actions"] == ["Arms", "Hips"]
    assert moves.is_move(first) and not moves.is_move(blender.data.actions.new("Empty"))
    settings.moves_from, settings.folder = "folder", ""
    with pytest.raises(UserError, match="Choose a folder"):
        scene_settings.check_files(scene, system())
    settings.folder = str(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is not there"):
        scene_settings.check_files(scene, system())
    params = scene_settings.params_of(scene, system())
    assert params["actions"] is None and params["genre"] is None
    foreign = blender.data.actions.new("Door")
    with pytest.raises(UserError, match="moves no bone"):
        scenes.exhaust(moves.sample([foreign.name], Ref.of(rig), Ref.of(scene), {"pelvis": "pelvis"}, tmp_path))


def test_a_dance_of_ones_own_actions(blender, sound, checkpoints, tmp_path):
    if not NEEDS <= checkpoints:
        pytest.skip("checkpoints are missing")
    rig, scene = scenes.smpl_rig(), blender.context.scene
    first, second = two_moves(rig)
    mark(first)
    first.baton.move = second.baton.move = True
    strip = strips.place(scene, scenes.write_wav(tmp_path / "p.wav", 8.0, bpm=120), "Piece", 31, 240)
    scene.sequence_editor.active_strip, strip.select = strip, True
    scene.baton.my_moves.moves_from = "actions"
    assert blender.ops.baton.generate_my_moves() == {"FINISHED"}
    take = scene.baton.takes[0]
    recipe = json.loads(take.recipe)
    assert recipe["settings"]["actions"] == {"moves": 2, "seconds": pytest.approx(24.0, abs=0.2)}
    assert take.action.frame_range[0] == 31 and rig.animation_data.action == take.action
    assert second.name in blender.data.actions and first.name in blender.data.actions
    assert blender.ops.baton.redo_take() == {"FINISHED"}
    assert len(scene.baton.takes) == 2
    scene.baton.my_moves.moves_from = "shipped"
    scene.baton.my_moves.genre = "indian"
    assert blender.ops.baton.generate_my_moves() == {"FINISHED"}
    assert scene.baton.takes[2].name.startswith("Indian")
