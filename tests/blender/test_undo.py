"""Ten undos and ten redos over takes, Keep, Bake, Solo, Remove end where they began, bit for bit in keys and strips."""
import json

import bpy
import pytest

from baton.blender_addon.flows.to_both import ToBoth
from baton.blender_addon.flows.to_motion import write_takes
from baton.blender_addon.scene import bone_map, compat, playing, strips, takes
from baton.blender_addon.scene.timebase import Passage
from baton.blender_addon.scene.whole import whole
from baton.core.contract import systems
from tests.blender import scenes
from tests.blender.stand_ins import channels, prepare, row
from tests.blender.test_keeping import made
from tests.blender.test_rigs import rigify


def keys(rig):
    """Everything that moves a rig: active action, NLA, every key of every curve, and the pose that stands."""
    data, out = rig.animation_data, {}
    for action in sorted(bpy.data.actions, key=lambda action: action.name):
        slot = action.slots[0] if compat.SLOTTED and action.slots else None
        out[action.name] = [(curve.data_path, curve.array_index, [
            (tuple(key.co), tuple(key.handle_left), tuple(key.handle_right), key.interpolation)
            for key in curve.keyframe_points]) for curve in compat.curves_of(action, slot)]
    if data is not None:
        out["active"] = (data.action.name if data.action else None, data.action_extrapolation, data.action_blend_type,
                         data.action_influence, data.use_nla)
        out["tracks"] = [(track.name, track.mute, [(strip.name, strip.action.name, strip.frame_start, strip.frame_end,
                                                    strip.extrapolation, strip.mute) for strip in track.strips])
                         for track in data.nla_tracks]
    out["pose"] = [(bone.name, tuple(bone.location), tuple(bone.rotation_quaternion), tuple(bone.rotation_euler),
                    sorted((key, value) for key, value in bone.items() if isinstance(value, (int, float))))
                   for bone in rig.pose.bones]
    return out


def state(blender):
    """Keys of the rig, strips of the sequencer and the list of takes, as text: equal texts are equal bits."""
    scene = blender.context.scene
    rig = next(thing for thing in scene.objects if thing.type == "ARMATURE")
    editor = scene.sequence_editor
    lines = [] if editor is None else [
        (strip.name, strip.channel, strip.frame_final_start, strip.frame_final_end, strip.mute, strip.sound.filepath)
        for strip in sorted(compat.sequences(editor), key=lambda strip: strip.name)]
    rows = [(take.name, take.kept, take.audible, take.moves, take.silenced_by, take.state, take.strip, take.path,
             take.away, take.heard, take.sound.name if take.sound else "")
            for take in scene.baton.takes]
    return json.dumps([keys(rig), lines, rows])


def motion(blender, folder, first, seconds, seed):
    scene = blender.context.scene
    rig = next(thing for thing in scene.objects if thing.type == "ARMATURE")
    mapped = bone_map.require(rig)
    folder.mkdir(exist_ok=True)
    made(folder, rig, "channels.npz", seed, seconds=seconds)
    write_takes(scene, rig, mapped, [{"file": "channels.npz", "recipe": {}}], [{"system": "conductor", "params": {}}],
                Passage(float(first), seconds, 30.0), folder, "Conducting",
                {"blend_seconds": 0.2, "reduce_degrees": 0.0, "legs": True})
    blender.ops.ed.undo_push(message="Baton: Generate")


def music(blender, folder, first, number):
    scene = blender.context.scene
    rig = next(thing for thing in scene.objects if thing.type == "ARMATURE")
    take = takes.new(scene, "Music", "MUSIC")
    path = scenes.write_wav(folder / f"{number}.wav", 2.0)
    strip = strips.place(scene, path, take.name, first, 61)
    take.rig, take.strip, take.path = rig, strip.name, str(path)
    playing.play(scene, take)
    blender.ops.ed.undo_push(message="Baton: Generate Music")


def plain(blender, tmp_path):
    return scenes.smpl_rig()


def animated(blender, tmp_path):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 300)
    return rig


@pytest.mark.parametrize("make", [plain, animated, rigify])
def test_ten_undos_and_ten_redos(blender, has_sound, tmp_path, make):
    make(blender, tmp_path)
    blender.context.scene.frame_set(1)
    blender.ops.ed.undo_push(message="rig")
    ops, heard = blender.ops.baton, has_sound
    steps = [lambda: motion(blender, tmp_path, 1, 3.0, 1), lambda: motion(blender, tmp_path, 31, 2.0, 2),
             lambda: ops.keep_take(name="Conducting 2"), lambda: motion(blender, tmp_path, 200, 2.0, 3),
             lambda: ops.solo_take(name="Conducting 1"), lambda: ops.remove_take(name="Conducting 2"),
             (lambda: music(blender, tmp_path, 10, 1)) if heard else lambda: motion(blender, tmp_path, 10, 1.0, 4),
             (lambda: music(blender, tmp_path, 30, 2)) if heard else lambda: ops.mute_take(name="Conducting 3"),
             lambda: ops.bake_take(name="Conducting 3"), lambda: ops.remove_take(name="Conducting 1")]
    seen = [state(blender)]
    for step in steps:
        step()
        if blender.app.background:
            blender.ops.ed.undo_push(message="step")            # operators called by scripts push none of their own
        seen.append(state(blender))
    assert len(set(seen)) == len(steps) + 1, "each step changes something"
    at = len(steps)
    for _ in range(2):
        while at > 0:
            blender.ops.ed.undo()
            now = state(blender)
            while now == seen[at]:                              # a push of the same state twice
                blender.ops.ed.undo()
                now = state(blender)
            at -= 1
            assert now == seen[at], f"undo to step {at}"
        while at < len(steps):
            blender.ops.ed.redo()
            now = state(blender)
            while now == seen[at]:
                blender.ops.ed.redo()
                now = state(blender)
            at += 1
            assert now == seen[at], f"redo to step {at}"


def test_a_dance_and_its_song_are_one_step(blender, sound, tmp_path):
    """One undo takes action, strip and take away, one redo brings all three back."""
    rig, scene = animated(blender, tmp_path), blender.context.scene
    scene.baton.momu_both.duration, folder, frames = 2.0, tmp_path / "one", range(1, 90, 7)
    poses = scenes.evaluated(rig, frames).tolist()
    scene.frame_set(1)
    blender.ops.ed.undo_push(message="rig")
    before = state(blender)
    job = prepare(ToBoth(blender.context, systems.find("momu_both"), rig).job(), folder)
    channels(folder)
    scenes.write_wav(folder / "take_1.wav", 2.0)
    with whole([rig], f"Baton: {job.title}"):                   # as the manager writes it
        job.apply({"takes": [{**row("take_1.wav"), "channels": "channels.npz"}]}, folder)
    after = state(blender)
    assert len(scene.baton.takes) == 1 and len(compat.sequences(scene.sequence_editor)) == 1
    blender.ops.ed.undo()
    rig = next(thing for thing in blender.context.scene.objects if thing.type == "ARMATURE")
    assert state(blender) == before and scenes.evaluated(rig, frames).tolist() == poses
    blender.ops.ed.redo()
    assert state(blender) == after and len(blender.context.scene.baton.takes) == 1


@pytest.mark.parametrize("make", [plain, animated, rigify])
def test_removing_all_in_any_order_ends_where_it_began(blender, tmp_path, make):
    make(blender, tmp_path)
    scene = blender.context.scene
    rig = next(thing for thing in scene.objects if thing.type == "ARMATURE")
    before = scenes.evaluated(rig, range(1, 300, 23)).tolist(), keys(rig)
    for order in ((0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2), (2, 0, 3, 1)):
        for number, (first, seconds) in enumerate(((1, 3.0), (31, 2.0), (200, 2.0), (20, 1.0))):
            motion(blender, tmp_path, first, seconds, number)
            if number == 1:
                blender.ops.baton.keep_take()
        names = [take.name for take in scene.baton.takes]
        for number in order:
            blender.ops.baton.remove_take(name=names[number])
        after = scenes.evaluated(rig, range(1, 300, 23)).tolist(), keys(rig)
        assert after == before, f"removed in the order {order}"
