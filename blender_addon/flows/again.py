"""Redo: whether anything has changed since a take was made, and what then is asked.

The same request on the same scene would give the same take, so it gets another seed. Beat markers that show the take's
own beats and were dragged are what the user wants to be followed.
"""
import hashlib
import json
from pathlib import Path

import bpy
import numpy as np

from ..errors import UserError
from ..scene import beat_markers, playing, takes

STEP_BYTES = 1 << 19
SAME_METRES = 0.05      # a rig that was moved less stands where it stood: poses are blended, not placed to the hair


def request(scene: bpy.types.Scene, take: bpy.types.PropertyGroup) -> dict:
    """The request of Redo. Markers that were dragged count even where the take had found its own beats."""
    asked = takes.request_of(take)
    tempo = asked.get("params", {}).get("tempo")
    if tempo not in (None, "markers") and beat_markers.dragged(scene, playing.key_of(take)):
        asked["params"]["tempo"], asked["follows"] = "markers", True
    if "system" in asked:
        asked["again"] = True
    return asked


def at_level(asked: dict, factor: str, beats_from: str | None) -> dict:
    """The request of `request` on half or double the beats (factor "HALF" or "DOUBLE"): of beats that were found
    another level, of a tempo that is kept half or double of it. beats_from: of the take's recipe. Raises UserError
    where there is no such level.
    """
    params, levels = asked.get("params", {}), ("half", "normal", "double")
    if params.get("tempo") == "markers":
        raise UserError("The take follows markers: press Half or Double under Beats, then Redo")
    if params.get("tempo") == "fixed" and params.get("bpm"):
        bpm = params["bpm"] * (0.5 if factor == "HALF" else 2.0)
        if not 30 <= bpm <= 300:
            raise UserError(f"A tempo of {bpm:.0f} BPM is out of range")
        return {**asked, "params": {**params, "bpm": bpm}}
    if beats_from != "predicted" or "level" not in params:
        raise UserError("Only beats that were found can be halved or doubled")
    place = levels.index(params["level"] or "normal") + (-1 if factor == "HALF" else 1)
    if not 0 <= place < len(levels):
        raise UserError("The take is on that level already")
    return {**asked, "params": {**params, "level": levels[place]}}


def inputs_of(folder: Path, sent: dict, kind: str, root: object) -> dict:
    """Generator: returns what goes into a job, JSON-ready, to be compared with `same`: a hash of all but the seed, and
    where the rig stands. Some megabytes at a step.

    folder: of the job; sent: its params; kind: of its takes; root: bone of the pelvis. Of a rig that is only to be
    moved its pose tells nothing: the take that is to be made again moves it already.
    """
    folder, digest = Path(folder), hashlib.sha256()
    moved = kind != "MUSIC" and not sent.get("keep")
    for path in sorted(folder.rglob("*")):
        own = path.parent == folder
        if path.suffix == ".npy" and not (own and moved):
            rows = np.load(path, allow_pickle=False, mmap_mode="r")
            step = max(1, STEP_BYTES // max(1, rows[:1].nbytes))
            for first in range(0, len(rows), step):
                digest.update(np.round(rows[first:first + step].astype(np.float64), 3).tobytes())
                yield 1.0
        elif path.suffix in (".wav", ".json") and not (own and moved and path.name == "rig.json"):
            with open(path, "rb") as file:
                while block := file.read(4 * STEP_BYTES):
                    digest.update(block)
                    yield 1.0
    settings = {name: value for name, value in sent["settings"].items() if name not in ("seed", "variations")}
    rest = {name: value for name, value in sent.items() if name not in ("settings", "audio")}
    digest.update(json.dumps([settings, rest], sort_keys=True, default=str).encode())
    if sent.get("audio") and folder not in Path(sent["audio"]).parents:
        state = Path(sent["audio"]).stat()
        digest.update(f"{sent['audio']} {state.st_size} {state.st_mtime_ns}".encode())
    return {"hash": digest.hexdigest(), "place": _place(folder, root)}


def _place(folder, root):
    """World x, y of a bone's head in the first pose; [] without poses."""
    if not (folder / "pose.npy").is_file():
        return []
    rig = json.loads((folder / "rig.json").read_text(encoding="utf-8"))
    bones = [bone["name"] for bone in rig["bones"]]
    if root not in bones:
        return []
    head = np.load(folder / "pose.npy", mmap_mode="r")[0, bones.index(root)] @ np.array([0.0, 0.0, 0.0, 1.0])
    return (np.array(rig["matrix_world"]) @ head)[:2].tolist()


def same(before: dict | None, now: dict | None) -> bool:
    """True where `inputs_of` then and now are those of one take."""
    if not isinstance(before, dict) or before.get("hash") != now["hash"]:
        return False
    one, two = np.array(before.get("place") or [0.0, 0.0], dtype=float), np.array(now["place"] or [0.0, 0.0])
    return one.shape == two.shape and bool(np.linalg.norm(one - two) < SAME_METRES)


def another_seed(scene: bpy.types.Scene) -> int:
    """A seed that no take of the scene has."""
    seeds = [seed for seed in (_seed(take) for take in scene.baton.takes) if isinstance(seed, int)]
    return max(seeds, default=0) + 1


def _seed(take):
    return None if takes.damaged(take) else takes.request_of(take).get("params", {}).get("seed")
