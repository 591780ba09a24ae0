"""Music to motion: sound strip -> job -> channels -> a new action on the rig."""
import json
from pathlib import Path

import numpy as np

from ...core.contract import systems
from ..errors import UserError
from ..scene import actions, bone_map, rig_sampling, strips, takes
from ..scene import beat_markers as beats
from ..scene.refs import Ref
from ..scene.timebase import Passage, resample_quaternions, resample_vectors, scene_fps
from ..worker.manager import Job
from . import ranges

LIMITS = dict(zip(("min", "max"), systems.find("conduct").seconds))


def check_length(seconds):
    """Raises UserError for a strip that is too short or too long."""
    if not LIMITS["min"] <= seconds <= LIMITS["max"]:
        raise UserError(f"The strip is {seconds:.1f} s long; conducting needs {LIMITS['min']:g} to {LIMITS['max']:g} s")


def check(scene, strip_scene, strip):
    """Raises UserError where the settings as they stand cannot give conducting; cheap, for the button's tooltip."""
    check_length((strip.frame_final_end - strip.frame_final_start) / scene_fps(strip_scene.render))
    if scene.baton.motion_tempo == "MARKERS":
        beats.require_markers(scene)
    if scene.baton.keep_range:
        ranges.chosen(scene)


def request_of(scene, strip_scene, strip, rig):
    """What the job asks, JSON-ready. The strip is named, not its file: trims of today count at Redo. Raises UserError."""
    settings = scene.baton
    return {"kind": "conduct", "rig": rig.name, "strip": strip.name, "strip_scene": strip_scene.name,
            "blend_seconds": settings.blend_seconds,
            "reduce_degrees": settings.reduce_degrees if settings.reduce_keys else 0.0,
            "follow_markers": settings.motion_tempo == "MARKERS",
            "keep": {"frames": ranges.chosen(scene), "stays": "inside"} if settings.keep_range else None,
            "params": {"guidance_scale": settings.guidance_motion, "steps": settings.steps, "seed": settings.seed,
                       "variations": settings.variations, "metre": settings.metre,
                       "level": settings.level_motion if settings.motion_tempo == "AUTO" else "normal",
                       "bpm": settings.motion_bpm if settings.motion_tempo == "FIXED" else None,
                       "lead": None if settings.lead_auto else settings.lead / 1000.0, "amplitude": settings.amplitude,
                       "left_hand": settings.left_hand, "mirror": settings.mirror, "place": "rig",
                       "in_place": settings.in_place, "plant_feet": settings.plant_feet,
                       "fingers": settings.fingers}}


def job(context, rig, strip_scene, strip, request=None):
    """The `Job` that makes `rig` conduct the sound of `strip`. Raises UserError."""
    scene = context.scene
    request = request or request_of(scene, strip_scene, strip, rig)
    mapped = bone_map.require(rig)
    rig_ref, scene_ref, strip_scene_ref = Ref.of(rig), Ref.of(scene), Ref.of(strip_scene)
    passage_box = []

    def prepare(folder):
        yield 0.0
        clip = yield from strips.describe(strip_scene_ref, request["strip"], folder)
        check_length(clip.duration)
        owner = scene_ref.get()
        passage = Passage(_frame_in(owner, strip_scene_ref.get(), clip.first), clip.duration, scene_fps(owner.render))
        passage_box.append(passage)
        chosen = None
        if request["follow_markers"]:
            beats.require_markers(owner)
            chosen = beats.read(owner, passage.first, passage.fps)
        asked = {"audio": clip.path, "start": clip.start, "duration": clip.duration, "speed": clip.speed, "beats": chosen}
        if request.get("keep"):
            start, stop = ranges.seconds(request["keep"]["frames"], passage)
            asked["keep"] = {"start": start, "stop": stop, "stays": request["keep"]["stays"]}
            driven = bone_map.reading_map(rig_ref.get(), mapped).values()
            yield from rig_sampling.sample(rig_ref, scene_ref, mapped, passage, folder, also=driven)
        else:
            here = Passage(float(int(passage.first)), 0.5 / passage.fps, passage.fps)
            yield from rig_sampling.sample(rig_ref, scene_ref, mapped, here, folder)
        return asked

    def apply(result, folder):
        owner, target, passage = scene_ref.get(), rig_ref.get(), passage_box[-1]
        made = takes.rows(result)
        own = [takes.one_of(request, number) for number in range(len(made))]
        blend = 0.0 if _ends_stay(request, passage) else request["blend_seconds"]
        sentence = write(owner, target, mapped, made, own, passage, folder, takes.title("MOTION", request), blend)
        if made[-1].get("beats"):
            owner.baton.music_beats = json.dumps({**made[-1]["beats"], "frame_start": passage.first, "fps": passage.fps})
        return sentence + takes.account(result)

    return Job("conduct", "Generate Conducting", dict(request["params"]), prepare, apply,
               (rig_ref, scene_ref, strip_scene_ref))


def write(scene, rig, mapped, made, requests, passage, folder, title, blend_seconds):
    """Each row of a result (`file` of channels in `folder`) as a take on the rig; the last one plays. Returns a sentence."""
    names = []
    with takes.all_or_none(scene):
        for row, own in zip(made, requests):
            times, rotations, locations = actions.channel_arrays(Path(folder) / row["file"])
            frames, rotations, locations = on_frames(times, rotations, locations, passage)
            base = takes.base_state(scene, rig)
            take = takes.new(scene, title, "MOTION")
            state = actions.write_take(
                rig, take.name, frames, rotations, locations, blend_frames=round(blend_seconds * passage.fps),
                reduce_error=float(np.radians(own["reduce_degrees"])), switches=bone_map.switches(rig, mapped), base=base)
            takes.remember_motion(take, rig, state)
            takes.remember(take, row, own, passage.first)
            names.append(take.name)
    for other in takes.rivals(scene, take):
        other.audible = other.name == take.name
    return f"{', '.join(names)} on {rig.name}, frames {int(frames[0])} to {int(frames[-1])}"


def _ends_stay(request, passage):
    """True where both ends of the take are those of the take it was made from, which have been blended once already."""
    if not request.get("keep") or request["keep"]["stays"] == "inside":
        return False
    start, stop = ranges.seconds(request["keep"]["frames"], passage)
    return start > 0 and stop < passage.duration


def on_frames(times, rotations, locations, passage):
    """Channels at `times` (T,) seconds -> whole frames (N,) of the scene that they cover, and the channels there."""
    times = np.asarray(times, dtype=np.float64)
    first = int(np.ceil(passage.frame(times[0]) - 1e-4))
    last = int(np.floor(passage.frame(times[-1]) + 1e-4))
    frames = np.arange(first, max(last, first) + 1)
    at = passage.seconds(frames)
    return (frames, {bone: resample_quaternions(times, values, at) for bone, values in rotations.items()},
            {bone: resample_vectors(times, values, at) for bone, values in locations.items()})


def _frame_in(scene, strip_scene, frame):
    """Frame of the rig's scene at which a frame of the strip's scene is heard."""
    if scene == strip_scene:
        return frame
    seconds = (frame - strip_scene.frame_start) / scene_fps(strip_scene.render)
    return scene.frame_start + seconds * scene_fps(scene.render)
