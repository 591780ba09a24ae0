"""Beats of a rig's motion or of a sound strip, as timeline markers; and the small jobs: doctor, bone names."""
from collections.abc import Callable

import bpy
import numpy as np

from ..errors import UserError
from ..scene import beat_markers as beats
from ..scene import bone_map, compat, rig_sampling, strips
from ..scene import settings as scene_settings
from ..scene.refs import Ref
from ..scene.timebase import Passage, frame_in, scene_fps
from ..worker.manager import Job
from .base import doubts_of
from .to_sound import passage_of


def motion_job(context: bpy.types.Context, rig: bpy.types.Object) -> Job:
    """Detect the beats of `rig` in the chosen range and show them as markers."""
    scene = context.scene
    system = scene_settings.chosen(scene, scene_settings.direction("to_sound"))
    mapped, passage = bone_map.require(rig), passage_of(scene, rig, system)
    rig_ref, scene_ref = Ref.of(rig), Ref.of(scene)

    def prepare(folder):
        yield 0.0
        yield from rig_sampling.sample(rig_ref, scene_ref, bone_map.reading_map(rig_ref.get(), mapped), passage, folder)

    return Job("beats", "Detect Beats", _tempo_of(scene, "to_sound"), prepare,
               lambda result, folder: _show(scene_ref, result, passage, music=False), (rig_ref, scene_ref),
               warnings=doubts_of(rig))


def strip_job(context: bpy.types.Context, strip_scene: bpy.types.Scene, strip: bpy.types.bpy_struct) -> Job:
    """Detect the beats of a sound strip and show them as markers."""
    scene_ref, strip_scene_ref, name = Ref.of(context.scene), Ref.of(strip_scene), strip.name
    box = []

    def prepare(folder):
        yield 0.0
        clip = yield from strips.describe(strip_scene_ref, name, folder)
        scene = scene_ref.get()
        box.append(Passage(frame_in(scene, strip_scene_ref.get(), clip.first), clip.duration, scene_fps(scene.render)))
        return {"audio": clip.path, "start": clip.start, "duration": clip.duration, "speed": clip.speed}

    return Job("beats", "Detect Beats", _tempo_of(context.scene, "to_motion"), prepare,
               lambda result, folder: _show(scene_ref, result, box[-1], music=True), (scene_ref, strip_scene_ref))


def _tempo_of(scene, name):
    """How beats are looked for: as the direction's section says, where its system has the setting, and on the level
    that the system would take them on."""
    system = scene_settings.chosen(scene, scene_settings.direction(name))
    params = scene_settings.params_of(scene, system)
    asked = {key: value for key, value in params.items() if key in ("tempo", "bpm", "level", "metre", "genre")}
    return {**asked, "system": system.name}


def _show(scene_ref, result, passage, music):
    scene, found = scene_ref.get(), result["beats"]
    if not found["times"]:
        raise UserError("No beats were found here.")
    beats.show(scene, found, passage.first, passage.fps)
    if music:
        scene.baton.music_beats = scene.baton.beats
    times = found["times"]
    tempo = found.get("tempo_bpm") or (60.0 / float(np.median(np.diff(times))) if len(times) > 1 else 0.0)
    return f"{len(times)} beats, {tempo:.1f} BPM, confidence {found.get('confidence', 0):.2f}"


def doctor_sentence(findings: dict) -> str:
    """The doctor's findings in one line."""
    problems = findings.get("problems") or []
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        return f"{problems[0]['what']} {problems[0]['do']}{more}"
    return f"The runtime works: Python {findings.get('python')}, {findings.get('device')}"


def bone_job(context: bpy.types.Context, rig: bpy.types.Object) -> Job:
    """Ask the worker for bones that no name table knows."""
    rig_ref = Ref.of(rig)

    def prepare(folder):
        thing = rig_ref.get()
        bones = rig_sampling.all_bones(thing)
        description = rig_sampling.rig_description(thing, bones, {}, scene_fps(context.scene.render))
        rig_sampling.write_rig(folder, description, rig_sampling.current_pose(thing, bones), np.zeros(1))
        yield 1.0

    def apply(result, folder):
        thing = rig_ref.get()
        found = {joint: (row["bone"], float(row["confidence"]), row["how"])
                 for joint, row in result["bone_map"].items()}
        bone_map.set_rows(thing, found, "fuzzy")
        compat.tag_redraw_all()
        return bone_map.matched(thing)

    return Job("bonemap", "Detect Bones", {}, prepare, apply, (rig_ref,))


def doctor_job(report: Callable[[dict], None]) -> Job:
    """Check: `report(findings)` gets the dict of core/worker/doctor.py."""
    def prepare(folder):
        yield 1.0

    def apply(result, folder):
        report(result)
        return doctor_sentence(result)

    return Job("doctor", "Check", {}, prepare, apply, undo=False)
