"""Presets: for each system those that ship and the user's own, over the settings that a preset may keep."""
import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel

from ...core import contract
from ...core.contract import systems as registry
from ...core.contract.systems import System
from ..scene import settings as scene_settings
from .translations import said


def kept(system: System) -> list[str]:
    """Names of the settings that a preset of the system keeps."""
    return [name for name, setting in system.shown.items() if setting.preset and setting.type != "object"]


def shipped(system: System) -> list[dict]:
    """The presets that come with Baton: label, tip, settings."""
    return contract.load("presets").get(system.name, [])


class BATON_OT_apply_preset(bpy.types.Operator):
    """Take the settings of this preset; what it does not name goes back to its default"""

    bl_idname = "baton.apply_preset"
    bl_label = "Apply Preset"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    system: bpy.props.StringProperty(options={"HIDDEN"})
    label: bpy.props.StringProperty(options={"HIDDEN"})

    @classmethod
    def description(cls, context, properties):
        found = find(properties.system, properties.label)
        return bpy.app.translations.pgettext_tip(found["tip"]) if found else cls.__doc__

    def execute(self, context):
        found = find(self.system, self.label)
        if found is None:
            self.report({"ERROR"}, said(f"There is no preset {self.label!r}"))
            return {"CANCELLED"}
        system = registry.systems()[self.system]
        group = scene_settings.group(context.scene, system)
        for name in kept(system):
            setattr(group, name, found["settings"].get(name, system.settings[name].default))
        return {"FINISHED"}


def find(system: str, label: str) -> dict | None:
    """The shipped preset of a system by its label, or None."""
    rows = shipped(registry.systems()[system]) if system in registry.systems() else []
    return next((row for row in rows if row["label"] == label), None)


def draw_shipped(layout, system: System):
    """A button for each preset that ships."""
    for row in shipped(system):
        button = layout.operator("baton.apply_preset", text=row["label"])
        button.system, button.label = system.name, row["label"]


class SystemPresets(PresetPanel):
    """The list: shipped ones first, then the user's."""

    system = None

    def draw(self, context):
        layout = self.layout
        layout.emboss = "PULLDOWN_MENU"
        draw_shipped(layout, self.system)
        layout.separator()
        if bpy.utils.preset_paths(self.preset_subdir):
            PresetPanel.draw(self, context)
        else:                           # Blender would say "Missing Paths" to who has kept none yet
            draw_name(layout, context.window_manager, self.preset_add_operator)


def draw_name(layout, manager, operator: str):
    """The field for a new preset's name and the button that keeps it, as Blender draws them below a list."""
    layout.operator_context = "EXEC_DEFAULT"
    row = layout.row()
    field = row.row()
    field.emboss = "NORMAL"
    field.prop(manager, "preset_name", text="")
    row.operator(operator, text="", icon="ADD").name = manager.preset_name


def _pair(system):
    """(operator that adds or removes a preset, header panel that lists them)."""
    menu, folder = f"BATON_PT_{system.name}_presets", f"baton/{system.name}"
    operator = type(f"BATON_OT_add_{system.name}_preset", (AddPresetBase, bpy.types.Operator), {
        "__doc__": f"Add or remove a preset of {system.label}", "bl_idname": f"baton.add_{system.name}_preset",
        "bl_label": f"Add {system.short} Preset", "preset_menu": menu, "preset_subdir": folder,
        "preset_defines": [f"settings = bpy.context.scene.baton.{system.name}"],
        "preset_values": [f"settings.{name}" for name in kept(system)]})
    panel = type(menu, (SystemPresets, bpy.types.Panel), {
        "bl_label": f"{system.short} Presets", "preset_subdir": folder, "preset_operator": "script.execute_preset",
        "preset_add_operator": operator.bl_idname, "system": system})
    return operator, panel


PAIRS = {name: _pair(system) for name, system in registry.systems().items()}
CLASSES = (BATON_OT_apply_preset, *(cls for pair in PAIRS.values() for cls in pair))

register, unregister = bpy.utils.register_classes_factory(CLASSES)
