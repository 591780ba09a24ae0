"""Beats as the animator's markers. Exact times are JSON in seconds; markers are handles recognised by their names.

A marker has only a name and a whole frame. So each beat's exact time counts until its marker's frame was changed.
`b 3.2` is beat 2 of bar 3, `B 3.1` a downbeat. Other markers, and those bound to cameras, are never touched.
"""
import json
import re

from ...core.contract import COMPOUND, recipes
from ..errors import UserError
from .timebase import scene_fps

NAME = re.compile(r"^([bB])(?: (\d+)\.(\d+))?$")


def is_beat(marker):
    """True for Baton's own markers and those that a user added by the same names (`b`, `B`)."""
    return marker.camera is None and NAME.match(marker.name) is not None


def names(positions):
    """Marker names for bar positions (1 = downbeat, 0 = unknown); bars count from 1, an upbeat is bar 0."""
    out, bar, count = [], 0 if positions and positions[0] > 1 else 1, 0
    started = False
    for position in positions:
        if position == 1:
            bar = bar + 1 if started or bar == 0 else bar
            count = 1
        else:
            count = position if position > 1 else count + 1
        started = True
        out.append(f"{'B' if position == 1 else 'b'} {bar}.{count}")
    return out


def show(scene, beats, frame_start, fps, origin=None):
    """Replace Baton's markers by those of `beats` (dict of `Beats.to_json`); the JSON goes to the scene's settings.
    origin: {"take": key of the take whose beats they are, "edited": whether they were changed since}."""
    clear(scene)
    labels = names(beats["positions"])
    record = {**beats, **(origin or {}), "frame_start": frame_start, "fps": fps, "marker_frames": [],
              "marker_names": labels}
    for time, text in zip(beats["times"], labels):
        frame = int(round(frame_start + time * fps))
        scene.timeline_markers.new(text, frame=frame)
        record["marker_frames"].append(frame)
    scene.baton.beats = json.dumps(record)


def edited(scene) -> dict:
    """The `origin` of markers that are changed now."""
    return {"take": remembered(scene).get("take", ""), "edited": True}


def dragged(scene, key) -> bool:
    """True where the markers show the beats of the take of this key and have been moved, added to or deleted since."""
    record = remembered(scene)
    if not record or record.get("take") != key:
        return False
    shown = sorted((marker.frame, marker.name) for marker in scene.timeline_markers if is_beat(marker))
    return bool(shown) and (bool(record.get("edited")) or shown != sorted(
        zip(record.get("marker_frames", ()), record.get("marker_names", ()))))


def clear(scene):
    """Remove Baton's markers; the user's own stay."""
    for marker in [marker for marker in scene.timeline_markers if is_beat(marker)]:
        scene.timeline_markers.remove(marker)


def remembered(scene) -> dict:
    """What the scene stores of its beats; {} where that is damaged: the markers themselves still tell their frames."""
    try:
        return recipes.read_markers(scene.baton.beats) if scene.baton.beats else {}
    except recipes.Refused:
        return {}


def require_markers(scene):
    """Raises UserError where the scene has no beat markers to follow."""
    if not any(is_beat(marker) for marker in scene.timeline_markers):
        raise UserError("There are no beat markers to follow; press Detect Beats or Tap first")


def read(scene, frame_start=None, fps=None):
    """Beats (JSON dict) as the markers now tell, in seconds from `frame_start`; None without markers.

    A marker still on its frame gives the exact stored time; a moved or added one gives its frame's. fps: of the scene,
    for markers of which nothing is stored; None: as the scene has it.
    """
    markers = sorted((marker for marker in scene.timeline_markers if is_beat(marker)), key=lambda m: m.frame)
    if not markers:
        return None
    record = remembered(scene)
    origin = record.get("frame_start", markers[0].frame)
    rate = record.get("fps") or fps or scene_fps(scene.render)
    stored = {(name, frame): time for name, frame, time in
              zip(record.get("marker_names", ()), record.get("marker_frames", ()), record.get("times", ()))}
    metre = int(record.get("metre", 4))
    if frame_start is None:
        frame_start = origin
    times, positions = [], []
    for marker in markers:
        time = stored.get((marker.name, marker.frame))
        if time is None:
            time = (marker.frame - origin) / rate
        time += (origin - frame_start) / rate
        if times and time <= times[-1] + 1e-3:
            continue  # two handles on one instant are one beat
        times.append(time)
        positions.append(place_in_bar(marker.name, positions, metre))
    return {"times": [round(time, 4) for time in times], "positions": positions, "metre": metre,
            "confidence": record.get("confidence", 1.0)}


def place_in_bar(name, before, metre):
    """Place in the bar: 1 for `B`, else one after the beat before; the first of an upbeat as its name says."""
    kind, _bar, count = NAME.match(name).groups()
    if kind == "B":
        return 1
    if before and before[-1] > 0:
        return before[-1] + 1 if before[-1] < metre else 1
    return int(count) if count else 0


def half(beats):
    """Every second beat, downbeats kept where the metre is even; the first of each three where bars are made of such.
    """
    if beats["metre"] in COMPOUND and beats["positions"] and min(beats["positions"]) > 0:
        kept = [(time, (place - 1) // 3 + 1) for time, place in zip(beats["times"], beats["positions"])
                if (place - 1) % 3 == 0]
        return {**beats, "times": [round(time, 4) for time, _ in kept], "positions": [place for _, place in kept],
                "metre": beats["metre"] // 3}
    first = (beats["positions"][0] - 1) % 2 if beats["positions"] and beats["positions"][0] > 0 else 0
    return _recount(beats, beats["times"][first::2], (max(beats["positions"][0] - 1, 0) + first) // 2
                    if beats["positions"] else 0)


def double(beats):
    """A beat half-way between neighbours."""
    times = []
    for a, b in zip(beats["times"], beats["times"][1:]):
        times += [a, (a + b) / 2]
    times += beats["times"][-1:]
    return _recount(beats, times, 2 * max(beats["positions"][0] - 1, 0) if beats["positions"] else 0)


def _recount(beats, times, first):
    metre = beats["metre"]
    return {**beats, "times": [round(t, 4) for t in times],
            "positions": [(first + i) % metre + 1 for i in range(len(times))]}


def neighbour(beats, seconds, forward):
    """Time of the next or previous beat from `seconds`, or None; a beat under the playhead is passed over."""
    if forward:
        return next((time for time in beats["times"] if time > seconds + 0.02), None)
    return next((time for time in reversed(beats["times"]) if time < seconds - 0.02), None)
