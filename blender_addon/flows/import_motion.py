"""A motion onto the rig, from a file (BVH, AMASS npz, AIST++ pkl ...) or from another armature of the scene: worker ->
channels -> a take."""
from pathlib import Path

import bpy

from ...core import contract
from ...core.contract import systems as registry
from ..errors import UserError
from ..scene import animated, bone_map, rig_sampling
from ..scene import settings as scene_settings
from ..scene.refs import Ref
from ..scene.timebase import Passage, scene_fps
from ..worker import options as prefs
from ..worker.manager import Job
from .base import doubts_of
from .results import blending, draft_motion, key, make_ready
from .to_motion import write_takes

SOURCE = "source"               # folder of the job with the other armature, as core/worker/jobs.py reads it


def request_of(scene: bpy.types.Scene, rig: bpy.types.Object, path: str, fps: float | None = None, *,
               up: str | None = None, root: str | None = None, start: float | None = None,
               duration: float | None = None, frame: float | None = None, in_place: bool | None = None,
               fit_range: bool = False) -> dict:
    """What the job asks, JSON-ready. With a folder of SMPL models the performer's own
    skeleton counts. Raises UserError.

    fps, up ("auto", "x", "-x" ... "-z"), root (a name of `core.contract.bvh_roots.roots(path)`), start and duration
    (seconds of the file): as its reader takes them; None: by itself. frame: where the take begins; None: the current.
    in_place: None: as the section *Motion from Music* says. fit_range: the scene's frame range becomes the take's.
    """
    path = bpy.path.abspath(path)
    if path.lower().endswith(contract.SCENE_FILES):
        raise UserError(f"{Path(path).name} is no motion file but a scene: bring it in with File > Import, then use "
                        "its armature as the source of the motion")
    if not path.lower().endswith(contract.MOTION_SUFFIXES) or not Path(path).is_file():
        raise UserError(f"{path or 'Nothing'} is no motion file; choose {', '.join(contract.MOTION_FILES)} (or .gz of "
                        "these)")
    models = prefs.get().smpl_folder
    params = {"motion": path, "fps": fps, "up": up, "root": root, "start": start, "duration": duration,
              "smpl_models": bpy.path.abspath(models) if models else None}
    request = _request(scene, rig, scene.frame_current if frame is None else frame, params)
    if in_place is not None:
        request["params"]["in_place"] = in_place
    request["own"]["fit_range"] = fit_range
    return request


def request_from(scene: bpy.types.Scene, rig: bpy.types.Object, source: bpy.types.Object, frame: float | None = None,
                 place: str = "rig") -> dict:
    """What the job asks where the motion is that of `source`, another armature of the scene, over all its animation.

    frame: where the take begins; None: where the source's animation does. place: "rig", from where the rig stands, or
    "motion", where the source moves. Raises UserError.
    """
    if source is None or source.type != "ARMATURE" or source == rig:
        raise UserError("Choose another armature as the source of the motion: select it, then the rig")
    first, last = animated.frames(source)
    request = _request(scene, rig, first if frame is None else frame, {}, place)
    return {**request, "source": source.name, "frames": [first, last]}


def _request(scene, rig, first, params, place="rig"):
    own = {name: setting(scene, name) for name in ("blend_seconds", "reduce_keys", "reduce_degrees")}
    return {"kind": "import", "rig": rig.name, "first": first, "own": own,
            "params": {**params, "place": place, "in_place": setting(scene, "in_place"),
                       "plant_feet": setting(scene, "plant_feet")}}


def setting(scene: bpy.types.Scene, name: str) -> object:
    """How motion is put on the rig: as the section *Motion from Music* says, where its system has the setting."""
    return scene_settings.value(scene, "to_motion", name, registry.setting(name).default)


def job(context: bpy.types.Context, rig: bpy.types.Object, request: dict) -> Job:
    """The `Job` that puts the motion of `request` on `rig`, from the request's frame on. Raises UserError."""
    scene, mapped = context.scene, bone_map.require(rig)
    rig_ref, scene_ref = Ref.of(rig), Ref.of(scene)
    fps = scene_fps(scene.render)
    source = _source(scene, request)
    source_map = bone_map.require(source) if source is not None else None
    source_ref = Ref.of(source) if source is not None else None

    ready = {}

    def prepare(folder):
        yield 0.0
        here = Passage(float(request["first"]), 0.5 / fps, fps)
        if source_ref is not None:
            driven = bone_map.reading_map(source_ref.get(), source_map)
            yield from rig_sampling.sample(source_ref, scene_ref, driven, Passage.from_frames(*request["frames"], fps),
                                           Path(folder) / SOURCE)
        yield from rig_sampling.sample(rig_ref, scene_ref, mapped, here, folder)
        yield from rig_sampling.sample_own(rig_ref, scene_ref, mapped, fps, folder)

    def build(result, folder):
        passage, file = Passage(float(request["first"]), result["seconds"], fps), Path(folder) / result["channels"]
        steps = draft_motion(scene_ref, rig_ref, mapped, file, passage, "Import", **blending(request))
        yield from make_ready(ready, [(key(rig_ref, file), steps)])

    def apply(result, folder):
        passage = Passage(float(request["first"]), result["seconds"], fps)
        asked = request["params"] if source_ref is None else {"armature": request["source"]}
        row = {"file": result["channels"], "recipe": {"system": "import", "source": asked}}
        title = request.get("source") or Path(request["params"]["motion"]).name.partition(".")[0]
        scene = scene_ref.get()
        said = write_takes(scene, rig_ref.get(), mapped, [row], [request], passage, Path(folder), title,
                           {**blending(request), "ready": ready})
        if request["own"].get("fit_range"):
            fit_range(scene, scene.baton.takes[-1].action)
        return said

    watched = (rig_ref, scene_ref) if source_ref is None else (rig_ref, scene_ref, source_ref)
    warnings = doubts_of(rig) if source is None else doubts_of(rig, source)
    return Job("retarget", "Import Motion", dict(request["params"]), prepare, apply, watched, build=build,
               warnings=warnings)


def fit_range(scene: bpy.types.Scene, action: bpy.types.Action) -> None:
    """Make the scene's frame range that of a take's keys."""
    first, last = action.frame_range
    scene.frame_end = max(int(round(last)), scene.frame_end)    # an end before the start would be moved
    scene.frame_start, scene.frame_end = int(round(first)), int(round(last))


def _source(scene, request):
    """The armature that the motion comes from, or None. Raises UserError where it is gone."""
    if not request.get("source"):
        return None
    found = scene.objects.get(request["source"])
    if found is None:
        raise UserError(f"The armature {request['source']} is gone; choose another source")
    return found


def other_armature(context: bpy.types.Context, rig: bpy.types.Object) -> bpy.types.Object | None:
    """The one further armature that is selected beside the rig, or None."""
    names = bone_map.others(context, rig, 2)
    return context.scene.objects.get(names[0]) if len(names) == 1 else None
