"""What a file stores of its takes, checked on reading: requests that Redo asks again, beats, what Remove restores.

A .blend file is input like any other: it comes from another version,
another program or a damaged disk. Standard library only.
"""
import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import PurePosixPath, PureWindowsPath

from . import json_text, load
from . import systems as registry
from .systems import Refused

MOST_CHARACTERS = 8 << 20
MOST_BEATS, LATEST_S, FURTHEST = 100_000, 1e6, 1e7
MOST_NAMES = 4096
LONGEST_S = 3600.0                      # of what a system that is not here made
LONGEST_TEXT = 4096


# ---------------------------------------------------------------------------------------------- parts

def _need(good, what):
    if not good:
        raise Refused(what)


def _number(value, low, high, what):
    _need(type(value) in (int, float) and math.isfinite(value) and low <= value <= high,
          f"its {what} is not a number from {low:g} to {high:g}")
    return value


def _text(value, what):
    _need(isinstance(value, str) and len(value) <= LONGEST_TEXT and "\0" not in value, f"its {what} is no text")
    return value


def _object(value, what):
    _need(isinstance(value, dict), f"its {what} is no list of names and values")
    return value


def _loaded(text, what):
    try:
        return _object(json_text.loads(text, MOST_CHARACTERS), what)
    except Refused:
        raise
    except ValueError as error:
        raise Refused(f"its {what} cannot be read: {error}") from error


def check_beats(value: object) -> dict:
    """Beats as `Beats.to_json` gives them. Raises Refused, the end of a sentence."""
    _object(value, "beats")
    times, metre = value.get("times"), value.get("metre", 4)
    _need(isinstance(times, list) and len(times) <= MOST_BEATS, f"its beats are no list of up to {MOST_BEATS} times")
    positions = value.get("positions", [0] * len(times))
    for time in times:
        _number(time, -LATEST_S, LATEST_S, "beat")
    _need(all(a < b for a, b in zip(times, times[1:])), "its beats do not ascend")
    _need(type(metre) is int and 1 <= metre <= 32, "its metre is none")
    _need(isinstance(positions, list) and len(positions) == len(times), "its beats lack their places in the bar")
    _need(all(type(place) is int and 0 <= place <= 32 for place in positions), "its beats have no places in a bar")
    for name in ("confidence", "tempo_bpm"):
        if value.get(name) is not None:
            _number(value[name], 0, 1 if name == "confidence" else 100_000, name)
    return {**value, "positions": positions}


def _settings(params, own, name):
    """Settings of the system, each as its entry has it; those of a system that is not here as plain values."""
    system = registry.systems().get(name)
    for key, value in {**params, **own}.items():
        _text(key, "settings' names")
        names = isinstance(value, list) and len(value) <= MOST_NAMES       # such as those of actions
        plain = value is None or isinstance(value, (str, bool, int, float))
        _need(plain or names, f"its setting {key[:60]} is no value")
        for each in value if names else ():
            _text(each, f"setting {key[:60]}")
        if isinstance(value, str):
            _text(value, f"setting {key[:60]}")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            _number(value, -1e12, 1e12, f"setting {key[:60]}")
        if system is None:
            continue
        setting = system.settings.get(key)
        _need(setting is not None or key in own, f"{system.label} has no setting {key[:60]}")
        if setting is not None and setting.type not in ("object", "motion") and setting.scale == 1:
            try:
                setting.check(value)
            except Refused as error:
                raise Refused(f"its settings: {str(error).rstrip('.')}") from error


def _passage(data, system):
    """Where it begins, how long it lasts, at what rate."""
    if "first" in data:
        _number(data["first"], -FURTHEST, FURTHEST, "first frame")
    if "fps" in data:
        _number(data["fps"], 1, 1000, "frame rate")
    if "duration" in data:
        low, high = system.seconds if system is not None else (0.0, LONGEST_S)
        _number(data["duration"], low, high, "length in seconds")


KEPT = {"to_sound": {"file", "start", "stop"}, "to_motion": {"frames", "stays"}, "to_both": {"frames", "file", "side"}}


def _keep(keep, direction=None):
    """What stays of a take. direction: name of that of its system, which asks for more."""
    _object(keep, "range")
    lacking = sorted(KEPT.get(direction, set()) - set(keep))
    _need(not lacking, f"its range lacks {', '.join(lacking)}")
    frames = keep.get("frames")
    if frames is not None:
        _need(isinstance(frames, (list, tuple)) and len(frames) == 2, "its range is not two frames")
        first, last = (_number(frame, -FURTHEST, FURTHEST, "range's frame") for frame in frames)
        _need(first < last, "its range ends before it begins")
    for name in ("start", "stop"):
        if name in keep:
            _number(keep[name], 0, LATEST_S, f"range's {name}")
    for name in ("file", "stays", "side"):
        if name in keep:
            _text(keep[name], f"range's {name}")
    _need(frames is not None or {"start", "stop"} <= set(keep), "its range says no frames")


# ---------------------------------------------------------------------------------------------- the whole

def read_request(text: str) -> dict:
    """The request of a take in today's form, whatever version wrote it. Raises Refused, the end of a sentence."""
    data = _loaded(text, "request")
    try:
        data = todays(data)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise Refused("its request is of no version that this Baton knows") from error
    return check_request(data)


def check_request(data: dict) -> dict:
    """A request of today's form. Raises Refused."""
    _text(data.get("rig"), "rig")
    params, own = _object(data.get("params"), "settings"), _object(data.get("own"), "own settings")
    if "system" in data:
        system = registry.systems().get(_text(data["system"], "system"))
        _need(data["system"] != "", "its system has no name")
    else:
        _need(data.get("kind") == "import", "it is neither of a system nor of an import")
        if "source" in data:
            _text(data["source"], "source")
            _keep({"frames": data.get("frames")})
        else:
            _text(params.get("motion"), "motion file")
        _need("first" in data, "its first frame is missing")
        system = None
    _settings(params, own, data.get("system"))
    _passage(data, system)
    if system is not None:
        needed = {"to_sound": ("first", "duration", "fps"), "to_both": ("first", "fps"),
                  "to_motion": ("strip", "strip_scene")}
        lacking = [name for name in needed[system.direction.name] if name not in data]
        _need(not lacking, f"its {', '.join(lacking)} is missing")
        _need(system.direction.name != "to_both" or "duration" in params, "its duration is missing")
    for name in ("strip", "strip_scene"):
        if name in data:
            _text(data[name], name)
    others = data.get("others") or []
    _need(isinstance(others, list) and len(others) <= 100, "its other performers are no list")
    for other in others:
        _text(other, "other performers")
    if data.get("keep"):
        _keep(data["keep"], system and system.direction.name)
    if data.get("beats"):
        check_beats(data["beats"])
    if data.get("inputs") is not None:
        _inputs(data["inputs"])
    return data


def _inputs(inputs):
    """What the take was made from, as `blender_addon/flows/again.py` compares it."""
    _text(_object(inputs, "inputs").get("hash"), "inputs")
    place = inputs.get("place") or []
    _need(isinstance(place, list) and len(place) in (0, 2), "its place is none")
    for value in place:
        _number(value, -FURTHEST, FURTHEST, "place")


def todays(data: dict) -> dict:
    """A request in today's form: {"system", "params", "own", ...}, or of an import. Version 0 had requests by kind."""
    if "system" in data or "own" in data:
        return data
    if data["kind"] == "import":
        return {**data, "own": {"blend_seconds": data["blend_seconds"], "reduce_degrees": data["reduce_degrees"],
                                "reduce_keys": data["reduce_degrees"] > 0}}
    old, params = dict(data), dict(data["params"])
    name = {"music": "music_ldm", "conduct": "conductor"}[old.pop("kind")]
    system = registry.systems()[name]
    beats, keep = params.pop("beats", None), params.get("keep")
    if "loudness_lufs" in params:
        wanted = params["loudness_lufs"]
        params["loudness"] = next((row["slug"] for row in load("loudness") if row["lufs"] == wanted), None)
    follows = old.pop("follow_markers", False) or beats is not None
    params["tempo"] = "markers" if follows else "fixed" if params.get("bpm") else "auto"
    own = {"blend_seconds": old.pop("blend_seconds", 0.0), "reduce_degrees": old.pop("reduce_degrees", 0.0)}
    own["reduce_keys"] = own["reduce_degrees"] > 0
    known = {key: value for key, value in params.items() if key in system.settings}
    return {**old, "system": name, "params": known,
            "own": {key: value for key, value in own.items() if key in system.settings},
            **({"beats": beats} if beats else {}), **({"keep": keep} if keep else {})}


def read_beats(text: str) -> dict:
    """The beats that a take or a scene stores. Raises Refused."""
    return check_beats(_loaded(text, "beats"))


def read_recipe(text: str) -> dict:
    """How a take came to be, for people to read. Raises Refused."""
    return _loaded(text, "recipe")


def read_markers(text: str) -> dict:
    """What a scene stores of its beat markers: beats, where they stood, under which names. Raises Refused."""
    data = read_beats(text)
    _number(data.get("frame_start"), -FURTHEST, FURTHEST, "first frame")
    if data.get("fps") is not None:
        _number(data["fps"], 1, 1000, "frame rate")
    frames, names = data.get("marker_frames", []), data.get("marker_names", [])
    _need(isinstance(frames, list) and isinstance(names, list) and len(frames) == len(names), "its markers are none")
    _need(all(type(frame) is int for frame in frames) and all(isinstance(name, str) for name in names),
          "its markers are none")
    return data


STATE = {"base": str, "had_data": bool, "had_action": bool, "previous": str, "use_nla": bool, "blend": str,
         "influence": float, "extrapolation": str, "track": str, "muted": list, "pose": dict, "switches": list,
         "tracks": bool, "rest_action": str, "rest_track": str, "action": str}


def read_state(text: str) -> dict:
    """What Remove restores. Raises Refused."""
    state = _loaded(text, "state")
    for name, kind in STATE.items():
        value = state.get(name)
        _need(isinstance(value, kind) or kind is float and type(value) is int, f"its state lacks {name}")
    _need("slot" in state and isinstance(state["slot"], (str, type(None))), "its state names no slot")
    _number(state["influence"], 0, 1, "state's influence")
    _need(state["blend"] in ("REPLACE", "COMBINE", "ADD", "SUBTRACT", "MULTIPLY"), "its state has no blending")
    _need(state["extrapolation"] in ("NOTHING", "HOLD", "HOLD_FORWARD"), "its state has no extrapolation")
    _need(all(isinstance(name, str) for name in state["muted"]), "its state names no tracks")
    sizes = (3, 4, 3, 4, 3)
    for channels in state["pose"].values():
        rows = channels if isinstance(channels, list) else []
        _need([len(row) if isinstance(row, list) else 0 for row in rows] == list(sizes), "its state holds no pose")
        for value in (value for row in channels for value in row):
            _number(value, -1e30, 1e30, "state's pose")
    for row in state["switches"]:
        _need(isinstance(row, list) and len(row) == 3 and isinstance(row[0], str) and isinstance(row[1], str)
              and isinstance(row[2], (bool, int, float, str)), "its state holds no switches")
    return state


def read_away(text: str) -> dict:
    """What a take notes of the strip that it has given up: name, first and stop frame, length of its sound in frames,
    and the plain properties under "values". Raises Refused."""
    data = _loaded(text, "strip")
    _text(data.get("name"), "strip's name")
    for name in ("first", "stop", "length"):
        _need(type(_number(data.get(name), -FURTHEST, FURTHEST, f"strip's {name} frame")) is int,
              f"its strip's {name} frame is no whole number")
    for name, value in _object(data.get("values"), "strip").items():
        if not isinstance(value, bool):
            (_text if isinstance(value, str) else _finite)(value, f"strip's {name[:40]}")
    return data


def read_heard(text: str) -> list:
    """[(key, sound, motion)] of the takes that a solo silenced, and which faces of them played. Raises Refused."""
    rows = _loaded(text, "solo").get("heard")
    _need(isinstance(rows, list) and all(
        isinstance(row, list) and [type(value) for value in row] == [str, bool, bool] for row in rows),
        "its solo names no takes")
    return [tuple(row) for row in rows]


def _finite(value, what):
    return _number(value, -1e30, 1e30, what)


def with_paths(recipe: object, tell: Callable[[str], str]) -> object:
    """A recipe whose absolute paths are told by tell(path): it goes with the project to other computers."""
    if isinstance(recipe, dict):
        return {name: with_paths(value, tell) for name, value in recipe.items()}
    if isinstance(recipe, (list, tuple)):
        return [with_paths(value, tell) for value in recipe]
    return tell(recipe) if isinstance(recipe, str) and _absolute(recipe) else recipe


def _absolute(text):
    return len(text) < LONGEST_TEXT and (PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute())


@lru_cache(maxsize=256)
def damage(request: str, beats: str, recipe: str, state: str, away: str = "", heard: str = "") -> str:
    """Why what a take stores cannot be used, as the end of a sentence; "" where it can. Empty texts are not there."""
    readers = ((read_request, request), (read_beats, beats), (read_recipe, recipe), (read_state, state),
               (read_away, away), (read_heard, heard))
    for read, text in readers:
        try:
            if text:
                read(text)
        except Refused as error:
            return str(error)
    return ""
