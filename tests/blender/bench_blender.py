"""Speeds of the Blender side, measured for `build.py bench`; `measure()` returns {name: seconds}."""
import os
import sys
import tempfile
import time
from pathlib import Path


def measure():
    """Key writing, pose sampling, Baton's own callbacks, worker start and cancel, all in this process's bpy."""
    os.environ.setdefault("BATON_WORKER_PYTHON", sys.executable)
    import bpy
    import numpy as np

    from models.lab.mount import mount
    mount()

    from baton import blender_addon
    from baton.blender_addon.scene import actions, rig_sampling, stats
    from baton.blender_addon.scene.refs import Ref
    from baton.blender_addon.scene.timebase import Passage
    from baton.blender_addon.worker import manager as jobs
    from tests.blender import scenes
    blender_addon.register()
    figures = {}
    try:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        scene = bpy.context.scene
        scene.render.fps = 30
        rig = scenes.smpl_rig()
        angle = np.sin(np.arange(1800) / 10)
        turn = np.stack([np.cos(angle / 2), np.sin(angle / 2), 0 * angle, 0 * angle], axis=1)
        began = time.perf_counter()
        actions.write_take(rig, "Bench", np.arange(1, 1801), {joint: turn for joint in scenes.JOINTS},
                           {"pelvis": np.stack([angle] * 3, axis=1)})
        figures["write_24_bones_1800_frames_s"] = time.perf_counter() - began
        bone_map = {joint: joint for joint in scenes.JOINTS}
        for name in ("curves", "played"):
            if name == "played":
                rig.pose.bones["head"].constraints.new("LIMIT_ROTATION")
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                scenes.exhaust(rig_sampling.sample(Ref.of(rig), Ref.of(scene), bone_map,
                                                   Passage.from_frames(1, 1800, 30.0),
                                             Path(folder)))
                figures[f"sample_24_bones_1800_frames_{name}_s"] = time.perf_counter() - began
        figures.update(_callbacks(scenes, jobs, stats))
    finally:
        blender_addon.unregister()
    return figures


def _callbacks(scenes, jobs, stats):
    """Forty jobs through the timer's own function; the time of each call, without the permitted stalls."""
    import json

    def prepare(folder):
        yield 0.5
        (folder / "rig.json").write_text(json.dumps({"bones": [{"name": "head", "parent": None}]}))
    stats.callbacks.clear()
    stats.callbacks_cpu.clear()
    stats.stalls.clear()
    first = None
    for _ in range(40):
        job = jobs.Job("bonemap", "Bench", {}, prepare, lambda result, folder: "done")
        began = time.perf_counter()
        jobs.manager.start(job)
        while not job.over:
            jobs.tick()
            time.sleep(0.002)
        first = first or time.perf_counter() - began
    return {"first_job_with_worker_start_s": first, "callbacks": float(len(stats.callbacks)),
            "callback_p99_ms": stats.percentile(0.99) * 1e3, "callback_max_ms": stats.percentile(1.0) * 1e3,
            "callback_cpu_p99_ms": stats.percentile(0.99, stats.callbacks_cpu) * 1e3,
            "callback_cpu_max_ms": stats.percentile(1.0, stats.callbacks_cpu) * 1e3}


if __name__ == "__main__":
    for key, value in measure().items():
        print(f"{key:40} {value:.4f}")
