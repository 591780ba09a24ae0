"""What results become in the scene: a sound file beside the .blend and its strip, channels as an action on the rig."""
from pathlib import Path

import bpy
import numpy as np

from ..errors import UserError
from ..scene import actions, bone_map, keeping, playing, sound_files, strips, takes
from ..scene.timebase import Passage, resample_quaternions, resample_vectors, scene_fps
from . import ranges

LAST_SAMPLE_SECONDS = 0.06      # of motion at 30 Hz whose length was rounded to whole samples


def place_sound(place: bpy.types.Scene, scene: bpy.types.Scene, take: bpy.types.PropertyGroup, file: Path,
                passage: Passage):
    """A row's WAV where new sounds go under the take's name, and its strip in the sequencer's scene `place`."""
    if not file.is_file():
        raise UserError(f"The worker did not leave the file {file.name} that it announced.")
    path, fps = sound_files.place_new(file, take.name), scene_fps(place.render)
    strip = strips.place(place, path, take.name, _frame_in(place, scene, passage), int(passage.duration * fps + 1))
    take.strip, take.path = strip.name, str(path)
    strips.make_active(place, strip)


def _frame_in(place, scene, passage):
    """The passage's first frame in the sequencer's scene; two scenes are taken to begin at the same instant."""
    if place == scene:
        return passage.first
    return place.frame_start + (passage.first - scene.frame_start) / passage.fps * scene_fps(place.render)


def write_motion(scene: bpy.types.Scene, rig: bpy.types.Object, mapped: dict[str, str], take: bpy.types.PropertyGroup,
                 file: Path, passage: Passage, blend_seconds: float = 0.0, reduce_degrees: float = 0.0,
                 stepped: bool = False, legs: bool = True, keep: dict | None = None) -> tuple[float, float]:
    """A row's channels as a new action of the take, beside the takes that the rig has; (first, last) frame.

    stepped: the channels already begin where the rig is (core.retarget.Options.blend_in). legs: they key the legs.
    keep: of the request, where parts of what the rig did stay as they were read into the file's folder.
    """
    times, rotations, locations = actions.channel_arrays(file)
    frames, rotations, locations = on_frames(times, rotations, locations, passage)
    switches, stays, values = bone_map.switches(rig, mapped, legs), None, None
    if keep is not None:
        kept, stays = keeping.Kept.load(Path(file).parent), ranges.stays(keep, frames)
        rotations, locations = kept.onto(frames, rotations, locations, stays, round(keeping.FADE_SECONDS * passage.fps))
        values = kept.switch_values(frames, stays, switches)
    base = playing.make_room(scene, take, rig, frames[0], frames[-1])
    state = actions.write_take(
        rig, take.name, frames, rotations, locations, blend_frames=round(blend_seconds * passage.fps),
        reduce_error=float(np.radians(reduce_degrees)), switches=switches, blend_start=not stepped,
        base=base, stays=stays, switch_values=values)
    takes.remember_motion(take, rig, state)
    playing.share(scene, rig, state)
    playing.arrange(scene, rig, take)
    return int(frames[0]), int(frames[-1])


def on_frames(times: np.ndarray, rotations: dict[str, np.ndarray], locations: dict[str, np.ndarray],
              passage: Passage) -> tuple[np.ndarray, dict, dict]:
    """Channels at `times` (T,) seconds -> whole frames (N,) of the passage, and the channels there.

    The last sample of a motion lies a sample before the passage's end: at higher frame rates it is held until there.
    Where the motion ends earlier, so do the frames.
    """
    times = np.asarray(times, dtype=np.float64)
    frames = passage.frames()
    step = times[1] - times[0] if len(times) > 1 else 0.0
    if passage.duration - times[-1] > LAST_SAMPLE_SECONDS + step:
        frames = frames[frames <= max(passage.frame(times[-1]) + 1e-4, frames[0])]
    at = passage.seconds(frames)
    return (frames, {bone: resample_quaternions(times, values, at) for bone, values in rotations.items()},
            {bone: resample_vectors(times, values, at) for bone, values in locations.items()})


def blending(request: dict) -> dict:
    """How a request's takes are written: seconds of blend and degrees by which curves may be reduced."""
    own = request.get("own") or {}
    return {"blend_seconds": own.get("blend_seconds", 0.0),
            "reduce_degrees": own.get("reduce_degrees", 0.0) if own.get("reduce_keys") else 0.0,
            "legs": (request.get("params") or {}).get("legs") != "off"}
