"""A motion file onto the rig: BVH, AMASS npz or AIST++ pkl -> worker -> channels -> a take."""
from pathlib import Path

import bpy

from ...core import contract
from ..errors import UserError
from ..scene import bone_map, rig_sampling, takes
from ..scene.refs import Ref
from ..scene.timebase import Passage, scene_fps
from ..worker import options as prefs
from ..worker.manager import Job
from . import to_motion


def request_of(scene, rig, path, fps=None):
    """What the job asks, JSON-ready. With a folder of SMPL models the performer's own skeleton counts. Raises UserError."""
    path = bpy.path.abspath(path)
    if not path.lower().endswith(contract.MOTION_SUFFIXES) or not Path(path).is_file():
        raise UserError(f"{path or 'Nothing'} is no motion file; choose {', '.join(contract.MOTION_FILES)} (or .gz of these)")
    settings, models = scene.baton, prefs.get().smpl_folder
    return {"kind": "import", "rig": rig.name, "first": scene.frame_current, "blend_seconds": settings.blend_seconds,
            "reduce_degrees": settings.reduce_degrees if settings.reduce_keys else 0.0,
            "params": {"motion": path, "fps": fps, "smpl_models": bpy.path.abspath(models) if models else None, "place": "rig",
                       "in_place": settings.in_place, "plant_feet": settings.plant_feet}}


def job(context, rig, request):
    """The `Job` that puts the motion of `request` on `rig`, from the request's frame on. Raises UserError."""
    scene, mapped = context.scene, bone_map.require(rig)
    rig_ref, scene_ref = Ref.of(rig), Ref.of(scene)
    fps = scene_fps(scene.render)

    def prepare(folder):
        yield 0.0
        yield from rig_sampling.sample(rig_ref, scene_ref, mapped, Passage(float(request["first"]), 0.5 / fps, fps), folder)

    def apply(result, folder):
        passage = Passage(float(request["first"]), result["seconds"], fps)
        row = {"file": result["channels"], "recipe": {"entry": "import", "source": request["params"]}}
        return to_motion.write(scene_ref.get(), rig_ref.get(), mapped, [row], [request], passage, folder,
                                  takes.title("MOTION", request), request["blend_seconds"])

    return Job("retarget", "Import Motion", dict(request["params"]), prepare, apply, (rig_ref, scene_ref))
