"""The flow of a system: which class its direction has."""
import bpy

from ...core.contract.systems import System
from ..errors import UserError
from ..scene import bone_map, strips
from .base import Flow
from .to_both import ToBoth
from .to_motion import ToMotion
from .to_sound import ToSound

FLOWS = {"to_sound": ToSound, "to_motion": ToMotion, "to_both": ToBoth}


def flow_class(system: System) -> type[Flow]:
    """The flow of the system's direction."""
    return FLOWS[system.direction.name]


def flows_of(context: bpy.types.Context, system: System) -> list[Flow]:
    """The flows of everything that is selected: one for each rig, and for each sound strip where the system takes
    one; rigs that perform together are one. All are asked now: settings changed later do not count. Raises UserError.
    """
    rigs = [bone_map.find_rig(context)]
    if rigs[0] is not None and context.scene.baton.rig is None and system.performers == 1:
        rigs += [context.scene.objects[name] for name in bone_map.others(context, rigs[0], None)]
    if system.source != "sound":
        return [flow(context, system, rig) for rig in rigs]
    scene, chosen = strips.sound_strips(context)
    # Without a strip the flow says so itself.
    return [flow(context, system, rig, None, strip and (scene, strip)) for strip in chosen or [None] for rig in rigs]


def flow(context: bpy.types.Context, system: System, rig: bpy.types.Object | None = None,
         request: dict | None = None, strip: tuple | None = None) -> Flow:
    """The flow of a system on the rig that the user means, or of an earlier request. strip: (its scene, the strip),
    where another than the active one is meant. Raises UserError."""
    if request and request.get("others"):                       # whichever of the performers is asked again, all are
        rig = context.scene.objects.get(request["rig"])
        if rig is None:
            raise UserError(f"The rig {request['rig']} is gone.")
    rig = rig or bone_map.find_rig(context)
    if rig is None:
        raise UserError("Select an armature or a character that is bound to one")
    more = {"strip": strip} if strip is not None else {}
    return flow_class(system)(context, system, rig, request, **more)
