"""What results become in the scene: a sound file beside the .blend and its strip, channels as an action on the rig."""
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import bpy
import numpy as np

from ...core.contract.bone_tables import control_table
from ..errors import UserError
from ..scene import actions, body_parts, bone_map, compat, draft, keeping, playing, sound_files, strips, takes
from ..scene.refs import Ref
from ..scene.timebase import Passage, frame_in, resample_quaternions, resample_vectors, scene_fps
from ..scene.whole import whole
from . import ranges

BLOCK = 8192                    # frames that are resampled at a time
LAST_SAMPLE_SECONDS = 0.06      # of motion at 30 Hz whose length was rounded to whole samples


def place_sound(place: bpy.types.Scene, scene: bpy.types.Scene, take: bpy.types.PropertyGroup, file: Path,
                passage: Passage, ready: dict | None = None):
    """A row's WAV where new sounds go under the take's name, and its strip in the sequencer's scene `place`. ready:
    files that have been copied there already, by their path."""
    if not file.is_file():
        raise UserError(f"The worker did not leave the file {file.name} that it announced.")
    path, fps = sound_files.place_new(file, take.name, (ready or {}).get(str(file))), scene_fps(place.render)
    strip = strips.place(place, path, take.name, frame_in(place, scene, passage.first), int(passage.duration * fps + 1))
    take.strip, take.path = strip.name, str(path)
    strips.make_active(place, strip)


def heard_with(take: bpy.types.PropertyGroup) -> list[str]:
    """What else is heard while a take's sound plays and is no take, as a sentence; [] where there is nothing."""
    strip = takes.strip_of(take)
    own = {other.strip for scene in bpy.data.scenes for other in scene.baton.takes if not other.away}
    names = [other.name for other in compat.sequences(strip.id_data.sequence_editor) if other.type == "SOUND"
             and not other.mute and other.volume > 0 and other.name not in own
             and min(other.frame_final_end, strip.frame_final_end) - max(
                 other.frame_final_start, strip.frame_final_start) > playing.SLACK]
    if len(names) > 1:
        return [f"{', '.join(names)} are heard in the same frames; mute them to hear {take.name} alone"]
    return [f"{names[0]} is heard in the same frames; mute it to hear {take.name} alone"] if names else []


def write_motion(scene: bpy.types.Scene, rig: bpy.types.Object, mapped: dict[str, str], take: bpy.types.PropertyGroup,
                 file: Path, passage: Passage, blend_seconds: float = 0.0, reduce_degrees: float = 0.0,
                 stepped: bool = False, legs: bool = True, keep: dict | None = None,
                 ready: dict | None = None) -> tuple[float, float]:
    """A row's channels as a new action of the take, beside the takes that the rig has; (first, last) frame.

    stepped: the channels were made to begin where the rig is (core.retarget.Options.blend_in); of a control rig only
    its legs do. legs: they key the legs.
    keep: of the request, where parts of what the rig did stay as they were read into the file's folder. ready: drafts
    that have been keyed already, by `key`.
    """
    def room(first, last):                       # the take is there: what it overlaps steps aside for good
        playing.make_room(scene, take, rig, first, last)
        return nullcontext(scene)

    made = (ready or {}).get(key(rig, file))
    if made is None:
        made = draft.finished(draft_motion(Ref.of(scene), Ref.of(rig), mapped, file, passage, take.name, blend_seconds,
                                           reduce_degrees, stepped, legs, keep, room))
    state = actions.put_on(rig, take.name, made, playing.make_room(scene, take, rig, made.first, made.last))
    takes.remember_motion(take, rig, state)
    playing.share(scene, rig, state)
    playing.arrange(scene, rig, take)
    return made.first, made.last


class _PutBack(Exception):
    """Not an error: what was done for a look goes again."""


@contextmanager
def room_for_a_while(scene: bpy.types.Scene, rig: bpy.types.Object, first: float,
                     last: float) -> Iterator[bpy.types.Scene]:
    """Inside, the rig does what it would without a new take of these frames; afterwards all is as before. Gives the
    scene."""
    try:
        with whole([rig], alone=True):
            playing.make_room(scene, takes.new(scene, "Room", "MOTION"), rig, first, last)
            yield scene
            raise _PutBack
    except _PutBack:
        return


def make_ready(ready: dict, works: Iterable) -> Generator:
    """Generator: runs the (key, generator) of `works`, what they return goes into `ready`; yields fractions, and None
    when all is ready. Closed, it deletes what nobody uses by then."""
    try:
        for number, (name, work) in enumerate(works):
            steps = iter(work)
            while name not in ready:
                try:
                    share = next(steps)
                except StopIteration as end:
                    ready[name] = end.value
                else:
                    yield (number + share) / len(works)
        yield None
    finally:
        drop(ready)


def drop(ready: dict):
    """Delete what waits in `ready` and is not used by now; a second time where that is broken off."""
    for last in (False, True):
        try:
            for name in list(ready):
                ready[name].drop()
                del ready[name]
            return
        except Exception:
            if last:
                raise


def key(rig: bpy.types.Object, file: Path) -> tuple:
    """Under which name a draft waits for its rig."""
    return rig.name, str(file)


def draft_motion(scene_ref: Ref, rig_ref: Ref, mapped: dict[str, str], file: Path, passage: Passage, name: str,
                 blend_seconds: float = 0.0, reduce_degrees: float = 0.0, stepped: bool = False,
                 legs: bool = True, keep: dict | None = None, room: Callable | None = None) -> Generator:
    """Generator: yields fractions, returns the `Draft` of a row's channels; parameters as in `write_motion`.
    room(first, last): gives a context in which the rig does what it would without the take; else it is made."""
    def room_here(first, last):
        return room_for_a_while(scene_ref.get(), rig_ref.get(), first, last)

    frames, rotations, locations = yield from _channels(file, passage)
    rig = rig_ref.get()
    actions.check_writable(rig, {*rotations, *locations})
    switches, stays, values = bone_map.switches(rig, mapped, legs), None, None
    mixed, steps = stepped and control_table(mapped) is None, ((), 0)
    seconds = actions.settle_of(file) if stepped and not mixed else 0.0
    if seconds > 0:
        lower = {bone for bone, limb in body_parts.limbs(rig).items() if limb == body_parts.LEGS}
        steps = (lower & {*rotations, *locations}, round(seconds * passage.fps))
    if keep is not None:
        stays, fade = ranges.stays(keep, frames), round(keeping.FADE_SECONDS * passage.fps)
        kept = yield from keeping.Kept.load(Path(file).parent)
        rotations, locations = yield from kept.onto(frames, rotations, locations, stays, fade)
        values = kept.switch_values(frames, stays, switches)
    return (yield from draft.keyed(
        rig_ref.get, name, frames, rotations, locations, blend_frames=round(blend_seconds * passage.fps),
        reduce_error=float(np.radians(reduce_degrees)), switches=switches, blend_start=not mixed, stays=stays,
        switch_values=values, steps=steps, room=partial(room or room_here, int(frames[0]), int(frames[-1]))))


def _channels(file, passage):
    """Generator: frames and channels there as `on_frames` gives them, float32, in slices."""
    frames, found = None, {"rotation": {}, "location": {}}
    for name, times, rows in actions.channels_of(file):
        kind, _, bone = name.partition("/")
        frames = _frames(times, passage) if frames is None else frames
        found[kind][bone] = yield from draft.in_slices(_resampled(times, rows, passage.seconds(frames),
                                                                  kind == "rotation"))
    return frames, found["rotation"], found["location"]


def _resampled(times, rows, at, turns):
    """Generator: yields between blocks, returns what `resample_quaternions` or `resample_vectors` gives, float32."""
    out = np.empty((len(at), rows.shape[1]), dtype=np.float32)
    for first in range(0, len(at), BLOCK):
        there = at[first:first + BLOCK]
        part = slice(max(0, int(np.searchsorted(times, there[0], "right")) - 1),
                     int(np.searchsorted(times, there[-1], "left")) + 1)
        # A block may begin on the other side of the hypersphere: `draft.turned` makes neighbours of them.
        out[first:first + BLOCK] = (resample_quaternions if turns else resample_vectors)(times[part], rows[part], there)
        yield
    return out


def on_frames(times: np.ndarray, rotations: dict[str, np.ndarray], locations: dict[str, np.ndarray],
              passage: Passage) -> tuple[np.ndarray, dict, dict]:
    """Channels at `times` (T,) seconds -> whole frames (N,) of the passage, and the channels there.

    The last sample of a motion lies a sample before the passage's end: at higher frame rates it is held until there.
    Where the motion ends earlier, so do the frames.
    """
    times = np.asarray(times, dtype=np.float64)
    frames = _frames(times, passage)
    at = passage.seconds(frames)
    return (frames, {bone: resample_quaternions(times, values, at) for bone, values in rotations.items()},
            {bone: resample_vectors(times, values, at) for bone, values in locations.items()})


def _frames(times, passage):
    """Whole frames (N,) of the passage for which a motion with samples at `times` (T,) seconds lasts."""
    frames = passage.frames()
    step = times[1] - times[0] if len(times) > 1 else 0.0
    if passage.duration - times[-1] > LAST_SAMPLE_SECONDS + step:
        frames = frames[frames <= max(passage.frame(times[-1]) + 1e-4, frames[0])]
    return frames


def blending(request: dict) -> dict:
    """How a request's takes are written: seconds of blend and degrees by which curves may be reduced."""
    own = request.get("own") or {}
    return {"blend_seconds": own.get("blend_seconds", 0.0),
            "reduce_degrees": own.get("reduce_degrees", 0.0) if own.get("reduce_keys") else 0.0,
            "legs": (request.get("params") or {}).get("legs") != "off"}
