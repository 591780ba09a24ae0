"""Settings that are files or scene objects, read: what the model is given for a path, and what a recipe says of it."""
from collections.abc import Callable
from pathlib import Path

import numpy as np

from core.audio import Audio
from core.body.motion import Motion
from core.contract import json_text
from core.contract.arrays import check_npy
from core.contract.systems import Setting, System
from core.errors import BadInput, reading

MOST_BYTES = 64 << 20        # of a path: far more points than a curve has


def read_media(system: System, values: dict, notify: Callable[[str], None] = lambda sentence: None) -> dict:
    """Values with the files that settings name read: a sound as `Audio`, a motion as `Motion`, a path as points (N,3)
    in metres, a folder of motions as a list of `Move`.

    What is no path is taken as read already. notify(sentence): what was left out. Raises BadInput.
    """
    return {name: _read(value, kind_of(system.settings[name]), notify) if isinstance(value, str) else value
            for name, value in values.items()}


def kind_of(setting: Setting) -> str | None:
    """"sound", "motion", "motions", "points", or None where a setting is no medium."""
    if setting.type == "actions":
        return "motions"
    if setting.type == "motion":
        return "motion"
    if setting.type == "object":
        return "points" if setting.raw.get("object") == "CURVE" else "motion"
    return setting.reads if setting.type in ("file", "folder") else None


def _read(path, kind, notify):
    if kind == "sound":
        from core.audio.io import read_like
        return read_like(path)
    if kind == "motion":
        from core.motion_files import read_motion
        return read_motion(path)
    if kind == "motions":
        from core.motion_files.moves import read_moves
        return read_moves(path, notify)
    return read_points(path) if kind == "points" else path


def read_points(path: Path | str) -> np.ndarray:
    """Points (N,3) float32 of a path, metres, z up, of an .npy file or a JSON list. Raises BadInput."""
    path = Path(path).expanduser()
    with reading(f"The path {path.name} cannot be read; give an .npy file or a JSON list of points."):
        if path.suffix == ".npy":
            check_npy(path, MOST_BYTES)
        data = np.load(path, allow_pickle=False) if path.suffix == ".npy" else json_text.read(path, MOST_BYTES)
        points = np.asarray(data, dtype=np.float32)
    if points.ndim != 2 or points.shape[1] not in (2, 3) or len(points) < 2 or not np.isfinite(points).all():
        raise BadInput(f"The path {path.name} must be at least two points of 2 or 3 finite numbers.")
    return np.pad(points, ((0, 0), (0, 3 - points.shape[1])))


def described(value: object) -> object:
    """A value as a recipe names it: of a medium its length, a number without the dust of floating point."""
    if isinstance(value, (Audio, Motion)):
        return {"seconds": round(value.duration, 2)}
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, list) and value and all(hasattr(move, "motion") for move in value):
        return {"moves": len(value), "seconds": round(sum(move.motion.duration for move in value), 2)}
    return {"points": len(value)} if isinstance(value, np.ndarray) else value
