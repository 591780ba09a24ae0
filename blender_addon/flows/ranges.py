"""A range of a take: the frames that the user means, and the request that makes only these anew."""
import tempfile
from pathlib import Path

import bpy
import numpy as np

from ...core.contract import systems as registry
from ..errors import UserError
from ..scene import sound_files, strips, takes
from ..scene.timebase import Passage
from . import again

SHORTEST_SECONDS = 0.2


def preview(scene: bpy.types.Scene) -> tuple[int, int]:
    """(first, last) frame of the preview range. Raises UserError where there is none."""
    if not scene.use_preview_range:
        raise UserError("There is no preview range; set one in the timeline (P), or choose another range")
    return scene.frame_preview_start, scene.frame_preview_end


def chosen(scene: bpy.types.Scene) -> tuple[int, int]:
    """(first, last) frame of the range to edit. Raises UserError where it has no length."""
    settings = scene.baton
    if settings.edit_range == "PREVIEW":
        first, last = preview(scene)
    elif settings.edit_range == "SCENE":
        first, last = scene.frame_start, scene.frame_end
    else:
        first, last = settings.edit_start, settings.edit_end
    if last <= first:
        raise UserError(f"The range ends at frame {last}, before it begins at {first}")
    return first, last


def seconds(frames: tuple[float, float], passage: Passage) -> tuple[float, float]:
    """(start, stop) in seconds of `passage` of the part of frames (first, last) that lies in it. Raises UserError."""
    first, last = frames
    start, stop = max(0.0, passage.seconds(first)), min(passage.duration, passage.seconds(last + 1))
    begin, end = passage.first, passage.frame(passage.duration) - 1
    if stop - start < SHORTEST_SECONDS:
        raise UserError(f"Frames {first} to {last} do not lie in the take, which goes from {begin:.0f} to {end:.0f}")
    if start <= 0 and stop >= passage.duration:
        raise UserError(f"Frames {first} to {last} are the whole take; choose a part of it")
    return round(start, 4), round(stop, 4)


def stays(keep: dict | None, frames: np.ndarray) -> np.ndarray:
    """(N,) bool: which of the frames (N,) of a take stay as they are, of what a request keeps."""
    first, last = keep["frames"]
    inside = (frames >= first) & (frames <= last)
    if keep.get("side") == "sound":
        return np.ones(len(frames), dtype=bool)
    return inside if keep.get("stays") == "inside" else ~inside


def request(scene: bpy.types.Scene, take: bpy.types.PropertyGroup) -> dict:
    """The take's own request, for the chosen range alone: all else stays, the seed is one that was not used yet."""
    own = takes.request_of(take)
    if "system" not in own:
        raise UserError(f"{take.name} was imported; only a range of a generated take can be made anew")
    wanted = {"seed": again.another_seed(scene), "variations": 1}
    own["params"].update({name: value for name, value in wanted.items() if name in own["params"]})
    system = registry.systems().get(own["system"])
    if system is not None:                                       # a range is of the style that the take has
        own["params"].update(system.chosen(own["params"], takes.recipe_of(take).get("settings")))
    frames = chosen(scene)
    own.pop("inputs", None)
    own.update(rig=take.rig.name if take.rig is not None else own["rig"], others=[])
    if take.kind == "MOTION":
        own["keep"] = {"frames": frames, "stays": "outside"}
    elif take.kind == "BOTH":
        own["keep"] = {"frames": frames, "file": str(_sound_file(take)), "side": scene.baton.edit_side}
    else:
        start, stop = seconds(frames, Passage(own["first"], own["duration"], own["fps"]))
        own["keep"] = {"file": str(_sound_file(take)), "start": start, "stop": stop}
        if "like" in own["params"]:
            own["params"]["like"] = None                         # a range sounds like its take
    return own


def _sound_file(take):
    sound = strips.sound_of(take)
    if sound is not None:
        if sound.packed_file is not None:
            return strips.file_of(sound, Path(tempfile.mkdtemp(prefix="baton-", dir=bpy.app.tempdir or None)))
        path = Path(bpy.path.abspath(sound.filepath))
    else:
        path = sound_files.real(take.path)
        if not (sound_files.in_project(path) or sound_files.temporary(path)):
            raise UserError(f"The strip of {take.name} is gone, and its sound is said to lie outside the project, at "
                            f"{path}: put the file on the timeline again")
    if not path.is_file():
        raise UserError(f"The sound file of {take.name} is missing: {path}")
    return path
