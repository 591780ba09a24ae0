"""A motion file onto the rig: BVH, AMASS npz or AIST++ pkl -> worker -> channels -> a take."""
from pathlib import Path

import bpy

from ...core import contract
from ...core.contract import systems as registry
from ..errors import UserError
from ..scene import bone_map, rig_sampling
from ..scene import settings as scene_settings
from ..scene.refs import Ref
from ..scene.timebase import Passage, scene_fps
from ..worker import options as prefs
from ..worker.manager import Job
from .results import blending
from .to_motion import write_takes


def request_of(scene, rig, path, fps=None):
    """What the job asks, JSON-ready. With a folder of SMPL models the performer's own skeleton counts. Raises
    UserError."""
    path = bpy.path.abspath(path)
    if not path.lower().endswith(contract.MOTION_SUFFIXES) or not Path(path).is_file():
        raise UserError(f"{path or 'Nothing'} is no motion file; choose {', '.join(contract.MOTION_FILES)} (or .gz of "
                        f"these)")
    models = prefs.get().smpl_folder
    own = {name: _setting(scene, name) for name in ("blend_seconds", "reduce_keys", "reduce_degrees")}
    return {"kind": "import", "rig": rig.name, "first": scene.frame_current, "own": own,
            "params": {"motion": path, "fps": fps, "smpl_models": bpy.path.abspath(models) if models else None,
                       "place": "rig",
                       "in_place": _setting(scene, "in_place"), "plant_feet": _setting(scene, "plant_feet")}}


def _setting(scene, name):
    """How motion is put on the rig: as the section *Motion from Music* says, where its system has the setting."""
    return scene_settings.value(scene, "to_motion", name, registry.setting(name).default)


def job(context, rig, request):
    """The `Job` that puts the motion of `request` on `rig`, from the request's frame on. Raises UserError."""
    scene, mapped = context.scene, bone_map.require(rig)
    rig_ref, scene_ref = Ref.of(rig), Ref.of(scene)
    fps = scene_fps(scene.render)

    def prepare(folder):
        yield 0.0
        yield from rig_sampling.sample(rig_ref, scene_ref, mapped, Passage(float(request["first"]), 0.5 / fps, fps),
                                       folder)

    def apply(result, folder):
        passage = Passage(float(request["first"]), result["seconds"], fps)
        row = {"file": result["channels"], "recipe": {"system": "import", "source": request["params"]}}
        title = Path(request["params"]["motion"]).name.partition(".")[0]
        return write_takes(scene_ref.get(), rig_ref.get(), mapped, [row], [request], passage, Path(folder), title,
                           blending(request))

    return Job("retarget", "Import Motion", dict(request["params"]), prepare, apply, (rig_ref, scene_ref))
