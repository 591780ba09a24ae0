"""The flow of a system: which class its direction has."""
import bpy

from ...core.contract.systems import System
from ..errors import UserError
from ..scene import bone_map
from .base import Flow
from .to_both import ToBoth
from .to_motion import ToMotion
from .to_sound import ToSound

FLOWS = {"to_sound": ToSound, "to_motion": ToMotion, "to_both": ToBoth}


def flow_class(system: System) -> type[Flow]:
    """The flow of the system's direction."""
    return FLOWS[system.direction.name]


def flow(context: bpy.types.Context, system: System, rig: bpy.types.Object | None = None,
         request: dict | None = None) -> Flow:
    """The flow of a system on the rig that the user means, or of an earlier request. Raises UserError."""
    if request and request.get("others"):                       # whichever of the performers is asked again, all are
        rig = context.scene.objects.get(request["rig"])
        if rig is None:
            raise UserError(f"The rig {request['rig']} is gone.")
    rig = rig or bone_map.find_rig(context)
    if rig is None:
        raise UserError("Select an armature or a character that is bound to one")
    return flow_class(system)(context, system, rig, request)
