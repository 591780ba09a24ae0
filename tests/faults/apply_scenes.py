"""The acts that are broken off: each builds its scene and gives a function that acts once and tells how it ended."""
import copy
import shutil
from dataclasses import replace

import bpy
import numpy as np

from baton.blender_addon.flows import again, import_motion, smpl_character
from baton.blender_addon.flows import beats as beat_flows
from baton.blender_addon.flows.generate import flow
from baton.blender_addon.flows.to_both import ToBoth
from baton.blender_addon.flows.to_motion import ToMotion
from baton.blender_addon.scene import beat_markers, strips
from baton.blender_addon.worker import manager as jobs
from baton.core import contract
from baton.core.contract import systems
from tests.blender import scenes
from tests.blender.stand_ins import BEATS, channels, prepare, row, to_motion, to_sound

JOB, BUTTON = ("_build", "_apply"), ("execute",)                               # where calls begin to count


def base(folder):
    """A saved file with a dancer who moves, markers and a strip of the user's own, something selected, a pose
    unkeyed."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 30, 1.0
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "file.blend"))
    scene = bpy.context.scene
    rig = scenes.smpl_rig()
    scenes.sway(rig, 60)
    rig.pose.bones["head"].rotation_quaternion = (0.9, 0.1, 0.0, 0.0)
    rig.pose.bones["head"]["mood"] = 0.5
    scene.timeline_markers.new("verse", frame=12).select = False
    beat_markers.show(scene, BEATS, 3.0, 30.0)
    strips.place(scene, scenes.write_wav(folder / "Piece.wav", 2.0), "Piece", 1, 60)
    scene.frame_set(7)
    bpy.ops.ed.undo_push(message="mine")
    return scene, rig


def through_the_manager(job, result, folder):
    """Applies a result as a tick of the timer does; (state, sentence)."""
    there = folder.with_name(f"{folder.name} of the job")       # which the manager deletes

    def lay_out():
        there.mkdir(exist_ok=True)
        shutil.copytree(folder / "job", there, dirs_exist_ok=True)

    def act():
        if not there.is_dir():
            lay_out()
        manager = jobs.manager
        manager.job = replace(job, folder=there)
        manager._done(manager.job, copy.deepcopy(result))
        try:
            while manager.job is not None:
                manager.poll()
        except Exception as error:  # noqa: BLE001 - the manager raises what it did not foresee, for the console
            assert manager.last is not None, f"the job stays for ever after {error!r}"
        return manager.last.state, manager.last.message
    shutil.rmtree(there, ignore_errors=True)
    lay_out()
    return act


def button(operator, **arguments):
    """Presses a button; (state, sentence)."""
    def act():
        try:
            done = operator(**arguments)
        except RuntimeError as error:
            return "failed", str(error).removeprefix("Error: ").strip()
        return ("done" if done == {"FINISHED"} else "failed"), "as asked"
    return act


def music(folder):
    scene, rig = base(folder)
    scene.baton.music_ldm.variations, scene.baton.music_ldm.range = 2, "SCENE"
    scene.frame_end = 60
    job = prepare(to_sound(bpy.context, rig).job(), folder / "job")
    for number in (1, 2):
        scenes.write_wav(folder / "job" / f"take_{number}.wav", 2.0)
    return JOB, through_the_manager(job, {"takes": [row("take_1.wav", 1), row("take_2.wav", 2)]}, folder)


def _conducting(folder, blend=0.3):
    scene, rig = bpy.context.scene, bpy.data.objects["Dancer"]
    scene.baton.conductor.variations, scene.baton.conductor.blend_seconds = 2, blend
    job = prepare(to_motion(bpy.context, rig, scene, strips.find(scene, "Piece")).job(), folder / "job")
    for name in ("one.npz", "two.npz"):
        channels(folder / "job", name)
    return job, {"takes": [row("one.npz", 1), row("two.npz", 2)]}


def conducting(folder):
    base(folder)
    return JOB, through_the_manager(*_conducting(folder), folder)


def conducting_beside(folder):
    """A take plays already: the new ones stand beside it."""
    base(folder)
    through_the_manager(*_conducting(folder), folder)()
    return JOB, through_the_manager(*_conducting(folder), folder)


def conducting_bare(folder):
    """The rig has no animation at all."""
    _, rig = base(folder)
    rig.animation_data_clear()
    return JOB, through_the_manager(*_conducting(folder), folder)


def conducting_on_tracks(folder):
    """NLA tracks that do not play, of which one is muted, lie on the rig; the action is mixed in."""
    scene, rig = base(folder)
    data = rig.animation_data
    for name in ("walk", "wave"):
        track = data.nla_tracks.new()
        track.name = name
        track.strips.new(name, 1, bpy.data.actions.new(name))
    data.nla_tracks["walk"].mute, data.use_nla, data.action_influence = True, False, 0.5
    return JOB, through_the_manager(*_conducting(folder), folder)


def both(folder):
    scene, rig = base(folder)
    system = next(system for system in systems.systems().values() if system.direction.name == "to_both")
    getattr(scene.baton, system.name).duration = 4.0
    job = prepare(ToBoth(bpy.context, system, rig).job(), folder / "job")
    made = []
    for number in (1, 2):
        scenes.write_wav(folder / "job" / f"take_{number}.wav", 4.0)
        channels(folder / "job", f"channels_{number}.npz", seconds=4.0)
        made.append({**row(f"take_{number}.wav", number), "channels": f"channels_{number}.npz"})
    return JOB, through_the_manager(job, {"takes": made}, folder)


def imported(folder):
    scene, rig = base(folder)
    path = scenes.ROOT / "core" / "assets" / "demo_dance.npz"
    job = prepare(import_motion.job(bpy.context, rig, import_motion.request_of(scene, rig, str(path))), folder / "job")
    channels(folder / "job")
    return JOB, through_the_manager(job, {"channels": "channels.npz", "seconds": 2.0}, folder)


def beats(folder):
    scene, rig = base(folder)
    job = prepare(beat_flows.motion_job(bpy.context, rig), folder / "job")
    return JOB, through_the_manager(job, {"beats": {**BEATS, "times": [0.1, 0.7, 1.3]}}, folder)


def bones(folder):
    _, rig = base(folder)
    job = prepare(beat_flows.bone_job(bpy.context, rig), folder / "job")
    found = {joint: {"bone": joint, "confidence": 0.9, "how": "fuzzy"} for joint in contract.JOINTS}
    return JOB, through_the_manager(job, {"bone_map": found}, folder)


def character(folder):
    scene, _ = base(folder)
    job = smpl_character.job(bpy.context, "smpl", "neutral", [0.0] * 10)
    (folder / "job").mkdir()
    joints = np.array(scenes.rest_positions())[:, [0, 2, 1]] * (1, 1, -1)
    vertices = np.concatenate([joints, joints + 0.05])
    weights = np.tile(np.eye(24), (2, 1))
    np.savez(folder / "job" / "body.npz", vertices=vertices, faces=np.array([[0, 1, 2], [2, 3, 4]]), weights=weights,
             joints=joints, parents=np.array(scenes.PARENTS), names=np.array(scenes.JOINTS))
    return JOB, through_the_manager(job, {"body": "body.npz"}, folder)


def range_of_music(folder):
    scene, rig = base(folder)
    JOB, act = music(folder)
    act()
    scene = bpy.context.scene
    scene.baton.edit_range, scene.baton.edit_start, scene.baton.edit_end = "CUSTOM", 10, 30
    from baton.blender_addon.flows import ranges
    request = ranges.request(scene, scene.baton.takes[0])
    job = prepare(to_sound(bpy.context, bpy.data.objects["Dancer"], request).job(), folder / "job")
    return JOB, through_the_manager(job, {"takes": [row("take_1.wav", 3)]}, folder)


def range_of_conducting(folder):
    base(folder)
    through_the_manager(*_conducting(folder), folder)()
    scene = bpy.context.scene
    scene.baton.edit_range, scene.baton.edit_start, scene.baton.edit_end = "CUSTOM", 10, 30
    from baton.blender_addon.flows import ranges
    request = ranges.request(scene, scene.baton.takes[-1])
    job = prepare(to_motion(bpy.context, bpy.data.objects["Dancer"], scene, strips.find(scene, "Piece"), request).job(),
                  folder / "job")
    channels(folder / "job", "one.npz")
    return JOB, through_the_manager(job, {"takes": [row("one.npz", 3)]}, folder)


def ensemble(folder):
    """Three rigs dance together: a take on each."""
    scene, rig = base(folder)
    for number in (2, 3):
        other = scenes.smpl_rig(f"Dancer {number}")
        scenes.sway(other, 60)
        other.select_set(True)
    rig.select_set(True)
    bpy.context.view_layer.objects.active = rig
    scene.frame_set(7)
    job = prepare(ToMotion(bpy.context, systems.find("dance_cascade"), rig, None, (scene, strips.find(scene, "Piece"))
                           ).job(), folder / "job")
    for name in ("one.npz", "channels_rig_2.npz", "channels_rig_3.npz"):
        channels(folder / "job", name)
    made = {**row("one.npz", 1), "others": ["channels_rig_2.npz", "channels_rig_3.npz"]}
    return JOB, through_the_manager(job, {"takes": [made]}, folder)


def redo(make, made):
    """The take is made again from its own request, beside itself. made: rows of the answer."""
    def scenario(folder):
        _, act = make(folder)
        act()
        take = bpy.context.scene.baton.takes[-1]
        request = again.request(bpy.context.scene, take)
        system = systems.systems()[request["system"]]
        job = prepare(flow(bpy.context, system, bpy.data.objects["Dancer"], request).job(), folder / "job")
        return JOB, through_the_manager(job, {"takes": made}, folder)
    return scenario


def queue_of_two(folder):
    """Two strips, one after the other: what fails of one leaves the other alone."""
    scene, rig = base(folder)
    strips.place(scene, scenes.write_wav(folder / "Second.wav", 2.0), "Second", 101, 60)
    acts = []
    for number, name in enumerate(("Piece", "Second")):
        own = folder / f"part {number}"
        own.mkdir()
        job = prepare(to_motion(bpy.context, rig, scene, strips.find(scene, name)).job(), own / "job")
        channels(own / "job", "one.npz")
        acts.append(through_the_manager(job, {"takes": [row("one.npz", number)]}, own))

    def act():
        ended = [one() for one in acts]
        return next((each for each in ended if each[0] == "failed"), ended[-1])
    return JOB, act, acts


def music_again(folder):
    """Over a take whose strip the user has placed, and one that cannot give up its own."""
    music(folder)[1]()
    scene = bpy.context.scene
    strip = strips.find(scene, scene.baton.takes[-1].strip)
    strip.channel, strip.volume = 9, 0.5
    bpy.ops.baton.solo_take(name=scene.baton.takes[0].name)
    strips.find(scene, scene.baton.takes[0].strip).lock = True
    job = prepare(to_sound(bpy.context, bpy.data.objects["Dancer"]).job(), folder / "job")
    return JOB, through_the_manager(job, {"takes": [row("take_1.wav", 3), row("take_2.wav", 4)]}, folder)
