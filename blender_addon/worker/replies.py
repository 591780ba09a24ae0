"""What the worker answers is data, not truth: the one reader of results. No bpy here, so that it can run on a thread.

A result's files are looked at as well: names inside the job's folder alone, no links, sizes and shapes before anything
is allocated, finite numbers, times that ascend. What passes can be written into the scene without a second look.
"""
import math
import os
import re
import stat
from pathlib import Path

import numpy as np

from ...core.contract import JOINTS, arrays, json_text, recipes
from ...core.contract.systems import Refused
from .client import WorkerError

MOST_TAKES, MOST_OTHERS, MOST_BONES = 64, 64, 20_000
MOST_FRAMES = 4_000_000
MOST_CHANNEL_BYTES, MOST_SOUND_BYTES, MOST_BODY_BYTES = 2 << 30, 4 << 30, 512 << 20
MOST_RECIPE = 4 << 20
FURTHEST_M, LEAST_QUATERNION = 1e6, 1e-6
NAME = re.compile(r"[\w][\w .()-]{0,120}\Z")
RATES = (8000, 384_000)


class _Bad(Exception):
    """The end of a sentence: "The worker's answer is damaged: ..."."""


def checked(kind: str, result, folder) -> dict:
    """The result of a job of `kind` with its files in `folder`. Raises WorkerError, one sentence."""
    try:
        _need(isinstance(result, dict), "it is no result")
        made = READERS.get(kind, _anything)(result, Path(folder))
    except (_Bad, Refused, arrays.Unsound) as error:
        raise WorkerError(f"The worker's answer is damaged: {error}; nothing was changed, try again.") from error
    except OSError as error:
        raise WorkerError("The worker's answer names a file that cannot be read; nothing was changed, try "
                          "again.") from error
    except MemoryError as error:
        raise WorkerError("There is not enough memory to read the worker's answer; choose a shorter range.") from error
    except Exception as error:  # noqa: BLE001  the boundary of a reader: parsers raise what they like on damaged files
        raise WorkerError("The worker's answer is damaged; nothing was changed, try again.") from error
    warnings = result.get("warnings")
    texts = warnings if isinstance(warnings, list) else []
    return {**made, "warnings": [text[:500] for text in texts[:20] if isinstance(text, str)]}


# ---------------------------------------------------------------------------------------------- values

def _need(good, what):
    if not good:
        raise _Bad(what)


def number(value, low=-math.inf, high=math.inf):
    """The value as a float where it is a finite number within the bounds, else None."""
    good = type(value) in (int, float) and abs(value) < 1e300 and low <= value <= high
    return float(value) if good else None


def text(value, most=200):
    """The value where it is a text, cut to `most` characters; else ""."""
    return value[:most] if isinstance(value, str) else ""


def _seconds(result):
    seconds = number(result.get("seconds"), 0.0, 1e6)
    _need(seconds is not None, "it does not say how long it lasts")
    return seconds


def _file(folder, name, most):
    """A file of the job's folder by its name alone. Raises _Bad."""
    plain = isinstance(name, str) and NAME.match(name) and name == os.path.basename(name)
    _need(plain, "a file's name leads elsewhere")
    path = folder / name
    try:
        found = os.lstat(path)
    except OSError as error:
        raise _Bad(f"the file {name} that it announces is not there") from error
    _need(stat.S_ISREG(found.st_mode), f"{name} is no plain file")
    _need(0 < found.st_size <= most, f"{name} is empty or too large")
    return path


def _finite(array, what):
    _need(bool(np.isfinite(array).all()), f"{what} holds values that are not numbers")


# ---------------------------------------------------------------------------------------------- files

def check_channels(path):
    """`channels.npz` (docs/contracts.md, section 5)."""
    found = arrays.check_npz(path, MOST_CHANNEL_BYTES, stored=True)
    _need("times" in found and found["times"][0][-2:] == "f8", f"{path.name} has no times")
    count = found["times"][1]
    _need(len(count) == 1 and 1 <= count[0] <= MOST_FRAMES, f"the times of {path.name} are no list")
    _need(1 < len(found) <= 2 * MOST_BONES, f"{path.name} has no channels")
    with np.load(path, allow_pickle=False) as data:
        times = data["times"]
        _finite(times, "the times")
        _need(bool((np.diff(times) > 0).all()) and abs(float(times[0])) < 1e6 and float(times[-1]) < 1e6,
              f"the times of {path.name} do not ascend")
        for name, (kind, shape) in found.items():
            if name == "times":
                continue
            if name == "settle":
                _need(kind[-2:] == "f8" and shape == () and 0 <= float(data[name]) < 1e6,
                      f"the settling of {path.name} is no time")
                continue
            what, _, bone = name.partition("/")
            _need(what in ("rotation", "location") and bone, f"{path.name} holds {name[:60]!r}")
            _need(kind[-2:] in ("f4", "f8") and shape == (count[0], 4 if what == "rotation" else 3),
                  f"the channel {name[:60]!r} is of another shape")
            values = data[name]
            _finite(values, f"the channel {name[:60]!r}")
            if what == "location":
                _need(float(np.abs(values).max()) < FURTHEST_M, f"the channel {name[:60]!r} leads too far away")
            else:
                length = np.linalg.norm(values.astype(np.float64), axis=1)
                _need(float(length.min()) > LEAST_QUATERNION and float(length.max()) < 1e3,
                      f"the channel {name[:60]!r} holds no rotations")


def check_sound(path):
    """A WAV file: its header and its length."""
    size = path.stat().st_size
    with open(path, "rb") as handle:
        head = handle.read(12)
        _need(head[:4] == b"RIFF" and head[8:12] == b"WAVE", f"{path.name} is no WAV file")
        form = None
        for _ in range(64):
            chunk = handle.read(8)
            _need(len(chunk) == 8, f"{path.name} is cut")
            name, length = chunk[:4], int.from_bytes(chunk[4:], "little")
            if name == b"data":
                break
            if name == b"fmt ":
                _need(16 <= length <= 64, f"{path.name} has a damaged header")
                form = handle.read(length + length % 2)
            else:
                handle.seek(length + length % 2, os.SEEK_CUR)
        start = handle.tell()
    _need(form is not None and name == b"data" and length > 0 and start + length <= size, f"{path.name} is cut")
    channels, rate = int.from_bytes(form[2:4], "little"), int.from_bytes(form[4:8], "little")
    frame = int.from_bytes(form[12:14], "little")
    _need(channels in (1, 2) and RATES[0] <= rate <= RATES[1] and frame in range(channels, 8 * channels + 1),
          f"{path.name} has a damaged header")


def is_sound(path) -> bool:
    """Whether a WAV file of the job's folder can be played."""
    try:
        check_sound(_file(path.parent, path.name, MOST_SOUND_BYTES))
    except (_Bad, OSError):
        return False
    return True


def check_body(path):
    """`body.npz`: mesh, skin and skeleton."""
    found = arrays.check_npz(path, MOST_BODY_BYTES)
    wanted = {"vertices": "f", "faces": "i", "weights": "f", "joints": "f", "parents": "i", "names": "U"}
    _need(set(found) == set(wanted), f"{path.name} is no body")
    for name, kind in wanted.items():
        _need(found[name][0].lstrip("<>|=")[0] == kind, f"the {name} of the body are of another kind")
    (points, three), (joints, also) = (found[name][1] if len(found[name][1]) == 2 else (0, 0)
                                       for name in ("vertices", "joints"))
    _need(three == also == 3 and 0 < points <= 1_000_000 and 0 < joints <= 1000, "the body has no vertices or joints")
    _need(found["weights"][1] == (points, joints) and found["parents"][1] == found["names"][1] == (joints,)
          and len(found["faces"][1]) == 2 and found["faces"][1][1] == 3 and found["faces"][1][0] <= 4_000_000,
          "the parts of the body do not fit each other")
    with np.load(path, allow_pickle=False) as data:
        for name in ("vertices", "weights", "joints"):
            _finite(data[name], f"the body's {name}")
            _need(float(np.abs(data[name]).max()) < FURTHEST_M, f"the body's {name} lead too far away")
        faces, parents = data["faces"], data["parents"]
        inside = faces.size == 0 or (0 <= int(faces.min()) and int(faces.max()) < points)
        _need(inside, "the body's faces name no vertices")
        ordered = bool((parents[1:] >= 0).all() and (parents < np.arange(joints)).all())
        _need(ordered, "the body's joints go in a circle")


# ---------------------------------------------------------------------------------------------- kinds

def _anything(result, folder):
    return result


def _alignment(value):
    if value is None:
        return None
    _need(isinstance(value, dict) and len(value) < 50, "its alignment is none")
    return {str(name)[:60]: number(each) for name, each in value.items() if not isinstance(each, (list, dict))}


def _row(row, folder):
    """One take: its files looked at, its beats, recipe and alignment."""
    _need(isinstance(row, dict), "a take is no object")
    out = {}
    for name in ("file", "channels"):
        if row.get(name) is not None:
            sound = str(row[name]).endswith(".wav")
            path = _file(folder, row[name], MOST_SOUND_BYTES if sound else MOST_CHANNEL_BYTES)
            if out.get("file") != row[name]:
                (check_sound if sound else check_channels)(path)
            out[name] = row[name]
    _need("file" in out, "a take has no file")
    others = row.get("others") or []
    _need(isinstance(others, list) and len(others) <= MOST_OTHERS, "its further performers are no list")
    for name in others:
        check_channels(_file(folder, name, MOST_CHANNEL_BYTES))
    recipe = row.get("recipe") or {}
    _need(isinstance(recipe, dict), "a recipe is no object")
    return {**out, **({"others": others} if others else {}), "recipe": _small(recipe, "recipe"),
            "alignment": _alignment(row.get("alignment")),
            "beats": recipes.check_beats(row["beats"]) if row.get("beats") is not None else None}


def _small(value, what):
    """A value that a take can store: its JSON is finite, not deep and not long."""
    import json
    try:
        return json_text.loads(json.dumps(value), MOST_RECIPE)
    except (ValueError, TypeError, RecursionError) as error:
        raise _Bad(f"its {what} cannot be stored") from error


def _generate(result, folder):
    takes = result.get("takes")
    _need(isinstance(takes, list) and 0 < len(takes) <= MOST_TAKES, "it holds no takes")
    rows = [_row(row, folder) for row in takes]
    kinds = {(row["file"].endswith(".wav"), "channels" in row) for row in rows}
    _need(len(kinds) == 1, "its takes are of several kinds")
    wall, seconds = number(result.get("wall"), 0.0), number(result.get("seconds"), 0.0, 1e6)
    return {**rows[0], "takes": rows, "seconds": seconds or 0.0, "wall": wall or 0.0,
            "device": text(result.get("device"))}


def _beats(result, folder):
    return {"beats": _small(recipes.check_beats(result.get("beats")), "beats"), "seconds": _seconds(result)}


def _bonemap(result, folder):
    found, out = result.get("bone_map"), {}
    _need(isinstance(found, dict), "it holds no bones")
    for joint, row in found.items():
        _need(joint in JOINTS and isinstance(row, dict) and isinstance(row.get("bone"), str), "a bone has no name")
        sure = number(row.get("confidence"), 0.0, 1.0)
        _need(sure is not None, "a bone has no confidence")
        out[joint] = {**{name: text(row.get(name), 500) for name in ("how", "doubt")}, "bone": row["bone"],
                      "confidence": sure}
    missing = result.get("missing") or []
    _need(isinstance(missing, list) and all(joint in JOINTS for joint in missing), "it misses joints that are none")
    return {"bone_map": out, "missing": missing}


def _retarget(result, folder):
    name = result.get("channels")
    check_channels(_file(folder, name, MOST_CHANNEL_BYTES))
    seconds = _seconds(result)
    _need(seconds > 0, "it does not say how long it lasts")
    return {"channels": name, "seconds": seconds}


def _body(result, folder):
    name = result.get("body")
    check_body(_file(folder, name, MOST_BODY_BYTES))
    return {"body": name}


def _doctor(result, folder):
    problems = result.get("problems") or []
    _need(isinstance(problems, list) and all(isinstance(row, dict) for row in problems), "its problems are no list")
    rows = [{name: text(row.get(name), 2000) for name in ("what", "do")} for row in problems[:100]]
    return {**_small(result, "report"), "problems": rows}


READERS = {"generate": _generate, "beats": _beats, "bonemap": _bonemap, "retarget": _retarget, "body": _body,
           "doctor": _doctor}
