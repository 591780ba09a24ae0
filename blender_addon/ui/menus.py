"""The menu *Baton* under *Object* in the 3D Viewport and under *Strip* in the Sequencer: what the panel has, with the
active take, found by the menu search (F3) and free to be given shortcuts."""
import bpy

GENERATE = ("generate_music", "generate_conducting", "generate_both")
TAKES = ("solo_take", "mute_take", "audition_take", "keep_take", "bake_take", "redo_take", "redo_range", "remove_take",
         "delete_unused")
BEATS = ("detect_beats", "tap_beat", "take_beats", "clear_beats")
OTHERS = ("detect_bones", "add_baton", "add_sample_scene", "open_preferences", "cancel")


class BATON_MT_baton(bpy.types.Menu):
    """What Baton can do here"""

    bl_label = "Baton"

    def draw(self, context):
        layout = self.layout
        layout.operator_context = "INVOKE_DEFAULT"
        for number, names in enumerate((GENERATE, TAKES, BEATS, OTHERS)):
            if number:
                layout.separator()
            for name in names:
                layout.operator(f"baton.{name}")


def draw_menu(self, context):
    """Appended to Blender's own menus."""
    self.layout.separator()
    self.layout.menu("BATON_MT_baton")


def _places():
    """Blender's menus that have it."""
    return bpy.types.VIEW3D_MT_object, bpy.types.VIEW3D_MT_pose, bpy.types.SEQUENCER_MT_strip


def register():
    bpy.utils.register_class(BATON_MT_baton)
    for menu in _places():
        menu.append(draw_menu)


def unregister():
    for menu in _places():
        menu.remove(draw_menu)
    bpy.utils.unregister_class(BATON_MT_baton)
