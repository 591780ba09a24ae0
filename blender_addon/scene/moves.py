"""Actions as moves: which are ticked, what they do on a rig, the beats that their pose markers set."""
import json
from pathlib import Path

import bpy

from ..errors import UserError
from . import beat_markers, body_parts, bone_map, compat, rig_sampling
from .timebase import Passage, scene_fps

FEWEST = 2                      # markers that are beats


def ticked():
    """Names of the actions that are ticked as moves, in order."""
    return [action.name for action in bpy.data.actions if action.baton.move]


def is_move(action):
    """Whether an action moves bones, told by its first channel: what the list shows, so cheap."""
    first = next(compat.all_curves(action), None)
    return first is not None and first.data_path.startswith("pose.bones[")


def beats_of(action, fps):
    """Beats (JSON dict) that the action's pose markers set, in seconds from its first frame; None without any.

    Markers count whose names are those of beat markers: `b`, `B` for a downbeat, or `b 3.2`.
    """
    first = action.frame_range[0]
    found = sorted((marker for marker in action.pose_markers if beat_markers.is_beat(marker)), key=lambda m: m.frame)
    times, positions = [], []
    for marker in found:
        time = (marker.frame - first) / fps
        if not times or time > times[-1] + 1e-3:
            times.append(round(time, 4))
            positions.append(beat_markers.place_in_bar(marker.name, positions, 4))
    if len(times) < FEWEST:
        return None
    positions = positions if 1 in positions else [0] * len(times)
    return {"times": times, "positions": positions, "metre": 4, "confidence": 1.0}


def sample(names, rig_ref, scene_ref, mapped, folder):
    """Generator of fractions: what each action does on the rig, into `folder`/1, /2 ... with its name and beats.

    Raises UserError for an action that is gone or moves no bone of the rig.
    """
    fps = scene_fps(scene_ref.get().render)
    for number, name in enumerate(names, 1):
        action = bpy.data.actions.get(name)
        if action is None:
            raise UserError(f"The action {name} is no longer in the file; tick others")
        _check(action, rig_ref.get(), mapped)
        low, high = action.frame_range
        there = Path(folder) / str(number)
        told = json.dumps({"name": name, "beats": beats_of(action, fps)})
        passage = Passage.from_frames(round(low), round(high), fps)
        steps = rig_sampling.sample(rig_ref, scene_ref, mapped, passage, there, action=name)
        for part in steps:
            yield (number - 1 + part) / len(names)
        (there / "move.json").write_text(told, encoding="utf-8")


def _check(action, rig, mapped):
    found = (body_parts.PATH.match(curve.data_path) for curve in compat.all_curves(action))
    keyed = {bpy.utils.unescape_identifier(match[1]) for match in found if match is not None}
    if not keyed & {*bone_map.with_ik(rig, mapped).values(), *mapped.values()}:
        raise UserError(f"The action {action.name} moves no bone of {rig.name}; untick it")
