"""Motion from another armature of the scene: what Blender's importers brought in (FBX, glTF, BVH), onto the rig."""
import bpy

from ...flows import import_motion
from ...scene import bone_map
from .base import JobOperator, has_rig, idle


class BATON_OT_motion_from_armature(JobOperator, bpy.types.Operator):
    """Put the motion of another armature on the rig, as a take: select the armature that moves, then the rig"""

    bl_idname = "baton.motion_from_armature"
    bl_label = "Motion from Armature"
    bl_options = {"REGISTER"}
    dialog = True

    source: bpy.props.StringProperty(name="Source", options={"SKIP_SAVE"},
                                     description="Armature whose motion is taken; empty: the other selected one")
    place: bpy.props.EnumProperty(
        name="Place", default="rig", items=[("rig", "At the Rig", "It begins where the rig stands, facing its way"),
                                            ("motion", "At the Source", "The rig moves where the source does")])
    at: bpy.props.EnumProperty(
        name="Begin", default="SOURCE", items=[("SOURCE", "With the Source", "On the frames on which the source moves"),
                                               ("FRAME", "Current Frame", "From the current frame on")])

    @classmethod
    def poll(cls, context):
        return idle(cls) and has_rig(cls, context)

    def invoke(self, context, event):
        rig = bone_map.find_rig(context)
        other = import_motion.other_armature(context, rig)
        self.source = self.source or (other.name if other is not None else "")
        return context.window_manager.invoke_props_dialog(self)

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.prop_search(self, "source", context.scene, "objects", icon="ARMATURE_DATA")
        layout.prop(self, "place")
        layout.prop(self, "at")

    def make_job(self, context):
        rig, scene = bone_map.find_rig(context), context.scene
        source = scene.objects.get(self.source) if self.source else import_motion.other_armature(context, rig)
        frame = scene.frame_current if self.at == "FRAME" else None
        request = import_motion.request_from(scene, rig, source, frame, self.place)
        return import_motion.job(context, rig, request)


def draw_import_menu(self, context):
    self.layout.operator("baton.motion_from_armature", text="Motion of an Armature onto Rig")


def register():
    bpy.utils.register_class(BATON_OT_motion_from_armature)
    bpy.types.TOPBAR_MT_file_import.append(draw_import_menu)


def unregister():
    bpy.types.TOPBAR_MT_file_import.remove(draw_import_menu)
    bpy.utils.unregister_class(BATON_OT_motion_from_armature)
