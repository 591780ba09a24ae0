"""The sidebar tab *Baton* of the 3D Viewport and the Sequencer: each section once for either editor."""
import bpy

from ....core.contract import systems as registry
from . import actions, status, takes
from .beats import BeatsPanel
from .bones import BonesPanel
from .direction import DirectionPanel, SectionPanel
from .status import SetUpPanel
from .takes import TakePanel


class View3D:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Baton"


class Sequencer:
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "Baton"


def _sections():
    """(base, name, parent, attributes) of every panel, in order; those of directions and systems from the registry."""
    yield SetUpPanel, "set_up", None, {}
    for direction, systems in registry.by_direction().items():
        closed = {"DEFAULT_CLOSED"} if direction.source is None else set()
        yield DirectionPanel, direction.name, None, {
            "bl_label": direction.label, "direction": direction, "bl_options": closed}
        yield TakePanel, f"{direction.name}_take", direction.name, {"direction": direction}
        for system in systems:
            for number, title in enumerate(filter(None, system.sections)):
                yield SectionPanel, f"{system.name}_{number}", direction.name, {
                    "bl_label": title, "direction": direction, "system": system}
    for section, name in ((BeatsPanel, "beats"), (BonesPanel, "bones")):
        yield section, name, None, {}


def _classes():
    """Each section once for either editor."""
    out = []
    for space, prefix in ((View3D, "view3d"), (Sequencer, "sequencer")):
        for order, (section, name, parent, attributes) in enumerate(_sections()):
            identifier = f"BATON_PT_{prefix}_{name}"
            attributes = {**attributes, "bl_idname": identifier, "bl_order": order}
            if parent:
                attributes["bl_parent_id"] = f"BATON_PT_{prefix}_{parent}"
            out.append(type(identifier, (space, section, bpy.types.Panel), attributes))
    return tuple(out)


CLASSES = (*actions.CLASSES, *status.CLASSES, *takes.CLASSES, *_classes())

register, unregister = bpy.utils.register_classes_factory(CLASSES)
