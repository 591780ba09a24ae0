"""Blender presets for the settings of both directions."""
import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel

SETTINGS = {
    "music": ("genre", "guidance_music", "steps", "variations", "tempo", "tempo_bpm", "range", "loudness"),
    "motion": ("guidance_motion", "steps", "variations", "metre", "motion_tempo", "amplitude", "left_hand", "mirror",
               "plant_feet", "fingers", "in_place", "blend_seconds", "reduce_keys", "reduce_degrees"),
}


class BATON_OT_add_music_preset(AddPresetBase, bpy.types.Operator):
    """Add or remove a preset of Music from Motion"""

    bl_idname = "baton.add_music_preset"
    bl_label = "Add Music Preset"
    preset_menu = "BATON_PT_music_presets"
    preset_subdir = "baton/music"
    preset_defines = ["settings = bpy.context.scene.baton"]
    preset_values = [f"settings.{name}" for name in SETTINGS["music"]]


class BATON_OT_add_motion_preset(AddPresetBase, bpy.types.Operator):
    """Add or remove a preset of Motion from Music"""

    bl_idname = "baton.add_motion_preset"
    bl_label = "Add Motion Preset"
    preset_menu = "BATON_PT_motion_presets"
    preset_subdir = "baton/motion"
    preset_defines = ["settings = bpy.context.scene.baton"]
    preset_values = [f"settings.{name}" for name in SETTINGS["motion"]]


class BATON_PT_music_presets(PresetPanel, bpy.types.Panel):
    bl_label = "Music Presets"
    preset_subdir = "baton/music"
    preset_operator = "script.execute_preset"
    preset_add_operator = "baton.add_music_preset"


class BATON_PT_motion_presets(PresetPanel, bpy.types.Panel):
    bl_label = "Motion Presets"
    preset_subdir = "baton/motion"
    preset_operator = "script.execute_preset"
    preset_add_operator = "baton.add_motion_preset"


CLASSES = (BATON_OT_add_music_preset, BATON_OT_add_motion_preset, BATON_PT_music_presets, BATON_PT_motion_presets)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister():
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
