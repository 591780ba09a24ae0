"""Damaged takes in a file: each button tells in a sentence what is damaged, the list draws, and Remove works."""
import json
import random
import shutil
from pathlib import Path

from tests.faults import Outcome, is_sentence, mutate

WHAT = "damaged requests, states, beats and recipes of takes: the list draws, buttons answer, Remove works"
FIELDS = ("request", "state", "beats", "recipe", "markers", "music beats")
BUTTONS = ("redo_take", "redo_range", "solo_take", "mute_take", "take_beats", "copy_recipe", "keep_take")


def run(seed, trials, folder):
    """`trials` takes, each damaged in one of the texts that the file stores of it."""
    import bpy

    from baton import blender_addon
    from baton.blender_addon.worker import manager as jobs
    blender_addon.register()
    kept = jobs.Manager.run_blocking
    jobs.Manager.run_blocking = _read_only
    try:
        return [_trial(bpy, random.Random(f"takes {seed} {number}"), Path(folder) / str(number), number)
                for number in range(trials)]
    finally:
        jobs.Manager.run_blocking = kept
        blender_addon.unregister()


def _read_only(manager, job):
    """A job up to where the worker would be asked."""
    import tempfile

    from baton.blender_addon.errors import UserError
    with tempfile.TemporaryDirectory() as folder:
        for steps, _ in enumerate(job.prepare(Path(folder))):
            if steps > 500:
                raise TimeoutError("it reads and reads")
    raise UserError("As far as the worker")


def _trial(bpy, rng, folder, number):
    from baton.blender_addon.ui import overlay
    from tests.blender import stand_ins
    folder.mkdir(parents=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = 30
    if rng.random() < 0.5:
        job, result = stand_ins.music(bpy, folder, 2)
    else:
        _, job = stand_ins.conducting(bpy, folder)
        result = {"takes": [stand_ins.row("channels.npz")]}
    job.apply(result, folder / "job")
    take, field = scene.baton.takes[0], rng.choice(FIELDS)
    said, text = _damaged(rng, scene, take, field)
    name, faults = take.name, []
    for what in (*rng.sample(BUTTONS, 4), "draw", "remove_take"):
        try:
            if what == "draw":
                overlay.lines(scene, -1e6, 1e6)
                from baton.blender_addon.scene import takes
                getattr(takes, "damaged", lambda each: "")(take)
            else:
                getattr(bpy.ops.baton, what)(name=name)
        except RuntimeError as error:
            words = str(error).removeprefix("Error: ").strip()
            if "Traceback" in words or not is_sentence(words):
                faults.append((f"{what}: python message", words.splitlines()[-1][:160]))
        except Exception as error:  # noqa: BLE001  drawing must not raise anything
            faults.append((f"{what}: python message", f"{type(error).__name__}: {error}"[:160]))
    if name in scene.baton.takes:
        faults.append(("left behind", "Remove did not take it away"))
    shutil.rmtree(folder, ignore_errors=True)
    kind, detail = faults[0] if faults else ("told", "")
    return Outcome(f"{number} {field}: {said}", not faults, kind, detail)


def _damaged(rng, scene, take, field):
    """(what was done, the text)."""
    of_scene = {"markers": (scene.baton, "beats"), "music beats": (scene.baton, "music_beats")}
    holder, key = of_scene.get(field, (take, field))
    if field == "markers":
        from baton.blender_addon.scene import beat_markers
        from tests.blender.stand_ins import BEATS
        beat_markers.show(scene, BEATS, 1.0, 30.0)
    value = json.loads(getattr(holder, key) or "{}")
    said, value = mutate.damage_value(rng, value)
    text = mutate.dumps(value)
    if rng.random() < 0.2:
        more, data = mutate.damage_bytes(rng, text.encode())
        said, text = f"{said}, {more}", data.decode("utf-8", "replace").replace("\0", "")
    setattr(holder, key, text)
    return said, text
