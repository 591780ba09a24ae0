"""Motion to music: rig -> job -> WAV beside the file -> sound strip on the right frame."""
import json
from pathlib import Path

import bpy

from ...core.contract import systems
from ...core.contract.files import copy
from ..errors import UserError
from ..scene import beat_markers as beats
from ..scene import bone_map, compat, rig_sampling, strips, takes
from ..scene.actions import REACH
from ..scene.refs import Ref
from ..scene.timebase import Passage, scene_fps
from ..ui import properties
from ..worker.manager import Job
from . import ranges

LIMITS = dict(zip(("min", "max"), systems.find("music").seconds))


def passage_of(scene, rig):
    """The `Passage` chosen in the settings. Raises UserError where there is none."""
    settings, fps = scene.baton, scene_fps(scene.render)
    if settings.range == "ACTION":
        first, last = action_range(rig)
    elif settings.range == "PREVIEW":
        first, last = ranges.preview(scene)
    elif settings.range == "CUSTOM":
        first, last = settings.frame_start, settings.frame_end
    else:
        first, last = scene.frame_start, scene.frame_end
    passage = Passage.from_frames(first, last, fps)
    if not LIMITS["min"] <= passage.duration <= LIMITS["max"]:
        raise UserError(f"The range is {passage.duration:.1f} s long; music needs {LIMITS['min']:g} to {LIMITS['max']:g} s")
    return passage


def action_range(rig):
    """First and last keyed frame of the rig's action and playing NLA strips. Raises UserError without keys."""
    data = rig.animation_data
    spans = []
    if data is not None:
        if data.action is not None and data.action.frame_range[1] > data.action.frame_range[0]:
            spans.append(tuple(data.action.frame_range))
        if data.use_nla:
            for track in data.nla_tracks:
                for strip in track.strips:
                    if not track.mute and not strip.mute and strip.action is not None:
                        low, high = strip.action.frame_range
                        spans.append((max(strip.frame_start, low), min(strip.frame_end, high))
                                     if strip.frame_end - strip.frame_start > REACH
                                     else (strip.frame_start, strip.frame_end))
    if not spans:
        raise UserError(f"{rig.name} has no animation; choose another range or animate it")
    return int(min(low for low, _ in spans)), int(max(high for _, high in spans))


def check(scene, rig):
    """Raises UserError where the settings as they stand cannot give music; cheap, for the button's tooltip."""
    passage_of(scene, rig)
    if scene.baton.tempo == "MARKERS":
        beats.require_markers(scene)
    named = scene.baton.sounds_like
    if named and not Path(bpy.path.abspath(named)).is_file():
        raise UserError(f"The sound file of Sounds Like, {named}, is not there; choose another or empty the field")


def request_of(scene, rig):
    """What the job asks, JSON-ready: Redo asks the same again."""
    settings, passage = scene.baton, passage_of(scene, rig)
    chosen = None
    if settings.tempo == "MARKERS":
        beats.require_markers(scene)
        chosen = beats.read(scene, passage.first, passage.fps)
    return {"kind": "music", "rig": rig.name, "first": passage.first, "duration": passage.duration, "fps": passage.fps,
            "params": {"genre": None if settings.genre == "any" else settings.genre,
                       "guidance_scale": settings.guidance_music, "steps": settings.steps,
                       "seed": settings.seed, "variations": settings.variations, "duration": passage.duration,
                       "bpm": settings.tempo_bpm if settings.tempo == "FIXED" else None, "beats": chosen,
                       "level": settings.level_music if settings.tempo == "AUTO" else "normal", "loop": settings.loop,
                       "loudness_lufs": properties.loudness_lufs(settings),
                       "like": bpy.path.abspath(settings.sounds_like) if settings.sounds_like else None,
                       "source": {"rig": rig.name, "first_frame": passage.first, "fps": passage.fps}}}


def job(context, rig, request=None):
    """The `Job` that makes music for `rig`; `request` repeats an earlier one. Raises UserError."""
    scene = context.scene
    request = request or request_of(scene, rig)
    mapped = bone_map.require(rig)
    passage = Passage(request["first"], request["duration"], request["fps"])
    rig_ref, scene_ref, place_ref = Ref.of(rig), Ref.of(scene), Ref.of(compat.sequencer_scene(context))

    def prepare(folder):
        yield 0.0
        yield from rig_sampling.sample(rig_ref, scene_ref, bone_map.reading_map(rig_ref.get(), mapped), passage, folder)

    def apply(result, folder):
        made = takes.rows(result)
        place, owner = place_ref.get(), scene_ref.get()
        target, notice = strips.output_folder()
        names, frame, fps = [], _frame_in(place, owner, passage), scene_fps(place.render)
        with takes.all_or_none(owner):
            for number, row in enumerate(made):
                take = takes.new(owner, takes.title("MUSIC", request), "MUSIC")
                path = _keep_file(Path(folder) / row["file"], target, take.name)
                strip = strips.place(place, path, take.name, frame, int(passage.duration * fps + 1))
                take.strip, take.path, take.rig = strip.name, str(path), rig_ref.get()
                takes.remember(take, row, takes.one_of(request, number), passage.first)
                names.append(take.name)
        if made[-1].get("beats"):
            owner.baton.music_beats = json.dumps({**made[-1]["beats"], "frame_start": passage.first, "fps": passage.fps})
        takes.solo(owner, names[-1])
        placed = f"{', '.join(names)} placed at frame {int(passage.first)}{takes.account(result)}"
        return f"{placed}. {notice}" if notice else placed

    return Job("music", "Generate Music", dict(request["params"]), prepare, apply, (rig_ref, scene_ref, place_ref))


def _frame_in(place, scene, passage):
    """The passage's first frame in the sequencer's scene; two scenes are taken to begin at the same instant."""
    if place == scene:
        return passage.first
    return place.frame_start + (passage.first - scene.frame_start) / passage.fps * scene_fps(place.render)


def _keep_file(source, folder, name):
    """Copy the worker's file to `folder` under a free name; first under a temporary one."""
    if not source.is_file():
        raise UserError(f"The worker did not leave the file {source.name} that it announced.")
    path, number = folder / f"{name}.wav", 1
    while path.exists():
        number += 1
        path = folder / f"{name} ({number}).wav"
    copy(source, path)
    return path
