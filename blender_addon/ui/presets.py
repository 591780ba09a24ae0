"""Blender presets: for each system an operator and a header panel, over the settings that a preset may keep."""
import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel

from ...core.contract import systems as registry
from ...core.contract.systems import System


def kept(system: System) -> list[str]:
    """Names of the settings that a preset of the system keeps."""
    return [name for name, setting in system.shown.items() if setting.preset and setting.type != "object"]


def _pair(system):
    """(operator that adds or removes a preset, header panel that lists them)."""
    menu, folder = f"BATON_PT_{system.name}_presets", f"baton/{system.name}"
    operator = type(f"BATON_OT_add_{system.name}_preset", (AddPresetBase, bpy.types.Operator), {
        "__doc__": f"Add or remove a preset of {system.label}", "bl_idname": f"baton.add_{system.name}_preset",
        "bl_label": f"Add {system.short} Preset", "preset_menu": menu, "preset_subdir": folder,
        "preset_defines": [f"settings = bpy.context.scene.baton.{system.name}"],
        "preset_values": [f"settings.{name}" for name in kept(system)]})
    panel = type(menu, (PresetPanel, bpy.types.Panel), {
        "bl_label": f"{system.short} Presets", "preset_subdir": folder, "preset_operator": "script.execute_preset",
        "preset_add_operator": operator.bl_idname})
    return operator, panel


PAIRS = {name: _pair(system) for name, system in registry.systems().items()}
CLASSES = tuple(cls for pair in PAIRS.values() for cls in pair)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
