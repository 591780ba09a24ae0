"""Damaged answers of the worker, and damaged files with them: each is refused in one sentence, or written whole."""
import json
import os
import random
import shutil
import time
from pathlib import Path

import numpy as np

from tests.faults import Outcome, is_sentence, mutate

WHAT = "damaged answers and files of the worker: refused in a sentence, or written whole, with no number that is none"
SLOWEST_S = 15.0


def run(seed, trials, folder):
    """`trials` damaged answers of jobs of every kind."""
    import bpy

    from baton import blender_addon
    blender_addon.register()
    try:
        return [_trial(bpy, random.Random(f"replies {seed} {number}"), Path(folder) / str(number), number)
                for number in range(trials)]
    finally:
        blender_addon.unregister()


def _trial(bpy, rng, folder, number):
    folder.mkdir(parents=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 30
    name = rng.choice(list(JOBS))
    job, result = JOBS[name](bpy, folder)
    place = folder / "job"
    said, result = _damage(rng, result, place)
    began = time.monotonic()
    kind, detail = _ended(job, result, place)
    if time.monotonic() - began > SLOWEST_S:
        kind, detail = "stall", f"{time.monotonic() - began:.0f} s, {detail}"
    if kind == "written" and _poisoned(bpy):
        kind, detail = "poison", "a key that is no number stands in the scene"
    shutil.rmtree(folder, ignore_errors=True)
    return Outcome(f"{number} {name}: {said}", kind in ("written", "refused"), kind, detail)


def _ended(job, result, place):
    from baton.blender_addon.errors import UserError
    from baton.blender_addon.worker.client import WorkerError
    try:
        try:
            from baton.blender_addon.worker import replies
            result = replies.checked(job.kind, result, place)
        except ImportError:
            pass                            # as it was before there was a reader of answers
        job.apply(result, place)
        return "written", ""
    except (UserError, WorkerError) as error:
        return ("refused" if is_sentence(str(error)) else "python message"), str(error)[:200]
    except Exception as error:  # noqa: BLE001  what the user would be shown as a Python message
        return "python message", f"{type(error).__name__}: {str(error)[:160]}"


def _poisoned(bpy):
    from baton.blender_addon.scene import compat
    for thing in bpy.data.objects:
        for curve in compat.read_curves(thing.animation_data):
            values = np.empty(2 * len(curve.keyframe_points), dtype=np.float32)
            curve.keyframe_points.foreach_get("co", values)
            if not np.isfinite(values).all():
                return True
    return any(not np.isfinite(marker.frame) for marker in bpy.context.scene.timeline_markers)


# ---------------------------------------------------------------------------------------------- damage

def _damage(rng, result, place):
    """(what was done, the damaged result): of the message or of a file that it names."""
    files = [path for path in sorted(place.glob("*")) if path.suffix in (".npz", ".wav") and path.name != "own.wav"]
    others = ("bytes", "arrays", "arrays", "name", "link", "bomb", "gone") if files else ()
    kind = rng.choice(("message",) * 5 + others)
    if kind == "message":
        return mutate.damage_value(rng, result)
    path = rng.choice(files)
    if kind == "bytes":
        said, data = mutate.damage_bytes(rng, path.read_bytes())
        path.write_bytes(data)
        return f"{path.name} {said}", result
    if kind == "arrays" and path.suffix == ".npz":
        with np.load(path) as data:
            said, arrays = mutate.damage_arrays(rng, dict(data))
        with open(path, "wb") as handle:
            np.savez(handle, **arrays)
        return f"{path.name}: {said}", result
    if kind == "bomb" and path.suffix == ".npz":
        _bomb(path)
        return f"{path.name} announces 551 GiB", result
    if kind == "link":
        other = place.parent / f"victim{path.suffix}"
        shutil.move(path, other)
        path.symlink_to(other)
        return f"{path.name} is a link", result
    if kind == "name":
        other = place.parent / f"outside{path.suffix}"
        shutil.copy(path, other)
        name = rng.choice((str(other), f"../{other.name}"))
        text = json.dumps(result).replace(json.dumps(path.name), json.dumps(name))
        return f"{path.name} named outside", json.loads(text)
    os.truncate(path, 0) if rng.random() < 0.5 else path.unlink()
    return f"{path.name} gone or empty", result


def _bomb(path):
    import zipfile
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (74000000000,), }"
    head += b" " * (64 - (len(head) + 11) % 64) + b"\n"
    with np.load(path) as data:
        names = list(data.files)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(80))


# ---------------------------------------------------------------------------------------------- jobs

def _music(bpy, folder):
    from tests.blender import stand_ins
    return stand_ins.music(bpy, folder, 2)


def _conducting(bpy, folder):
    from tests.blender import stand_ins
    _, job = stand_ins.conducting(bpy, folder)
    return job, {"takes": [stand_ins.row("channels.npz")], "seconds": 2.0, "wall": 1.0, "device": "cpu"}


def _import(bpy, folder):
    from baton.blender_addon.flows import import_motion
    from tests.blender import scenes, stand_ins
    rig = scenes.smpl_rig()
    (folder / "m.bvh").write_text("x")
    request = import_motion.request_of(bpy.context.scene, rig, str(folder / "m.bvh"))
    job = stand_ins.prepare(import_motion.job(bpy.context, rig, request), folder / "job")
    stand_ins.channels(folder / "job")
    return job, {"channels": "channels.npz", "seconds": 2.0}


def _beats(bpy, folder):
    from baton.blender_addon.flows import beats
    from tests.blender import scenes, stand_ins
    rig = scenes.smpl_rig()
    scenes.sway(rig, 60)
    job = stand_ins.prepare(beats.motion_job(bpy.context, rig), folder / "job")
    return job, {"beats": {**stand_ins.BEATS, "tempo_bpm": 120.0, "tempo": {"chosen": "steady"}}, "seconds": 2.0}


def _bones(bpy, folder):
    from baton.blender_addon.flows import beats
    from baton.core.contract import JOINTS
    from tests.blender import scenes, stand_ins
    rig = scenes.smpl_rig()
    job = stand_ins.prepare(beats.bone_job(bpy.context, rig), folder / "job")
    rows = {joint: {"bone": joint, "confidence": 0.9, "how": "fuzzy", "doubt": ""} for joint in JOINTS}
    return job, {"bone_map": rows, "missing": []}


def _doctor(bpy, folder):
    from baton.blender_addon.flows import beats
    (folder / "job").mkdir()
    return beats.doctor_job(lambda found: json.dumps(found)), {
        "text": "fine", "python": "3.11", "device": "cpu", "problems": [{"what": "a", "do": "b"}],
        "versions": {"torch": "2"}}


def _body(bpy, folder):
    from baton.blender_addon.flows import smpl_character
    from baton.blender_addon.scene.refs import Ref
    from baton.blender_addon.worker.manager import Job
    from baton.core.contract import JOINTS, PARENTS
    from tests.blender import scenes
    (folder / "job").mkdir()
    joints = np.asarray(scenes.rest_positions(), dtype=np.float32).reshape(24, 3)
    points = np.concatenate([joints, joints + 0.05]).astype(np.float32)
    weights = np.tile(np.eye(24, dtype=np.float32), (2, 1))
    with open(folder / "job" / "body.npz", "wb") as handle:
        np.savez(handle, vertices=points, faces=np.array([[0, 1, 2], [3, 4, 5]], np.int32), weights=weights,
                 joints=joints, parents=np.asarray(PARENTS, np.int32), names=np.array(JOINTS))
    scene = Ref.of(bpy.context.scene)

    def apply(result, place):
        rig = smpl_character.build(scene.get(), Path(place) / result["body"], "SMPL")
        return f"{rig.name} added"
    return Job("body", "Add SMPL Character", {}, lambda there: iter(()), apply, (scene,)), {"body": "body.npz"}


JOBS = {"music": _music, "conducting": _conducting, "import": _import, "beats": _beats, "bones": _bones,
        "doctor": _doctor, "body": _body}
