"""Blender presets for the settings of both directions."""
import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel

SETTINGS = {
    "music": ("genre", "guidance_music", "steps", "variations", "tempo", "tempo_bpm", "level_music", "range",
              "loudness", "loop"),
    "motion": ("guidance_motion", "steps", "variations", "metre", "motion_tempo", "motion_bpm", "level_motion", "lead_auto",
               "lead", "amplitude", "left_hand", "mirror", "plant_feet", "fingers", "in_place", "blend_seconds",
               "reduce_keys", "reduce_degrees"),
}


def _pair(kind, title):
    """(operator that adds or removes a preset, header panel that lists them) of one direction."""
    menu, folder = f"BATON_PT_{kind}_presets", f"baton/{kind}"
    operator = type(f"BATON_OT_add_{kind}_preset", (AddPresetBase, bpy.types.Operator), {
        "__doc__": f"Add or remove a preset of {title}", "bl_idname": f"baton.add_{kind}_preset",
        "bl_label": f"Add {kind.title()} Preset", "preset_menu": menu, "preset_subdir": folder,
        "preset_defines": ["settings = bpy.context.scene.baton"],
        "preset_values": [f"settings.{name}" for name in SETTINGS[kind]]})
    panel = type(menu, (PresetPanel, bpy.types.Panel), {
        "bl_label": f"{kind.title()} Presets", "preset_subdir": folder, "preset_operator": "script.execute_preset",
        "preset_add_operator": operator.bl_idname})
    return operator, panel


(BATON_OT_add_music_preset, BATON_PT_music_presets), (BATON_OT_add_motion_preset, BATON_PT_motion_presets) = PAIRS = (
    _pair("music", "Music from Motion"), _pair("motion", "Motion from Music"))
CLASSES = tuple(cls for pair in PAIRS for cls in pair)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
