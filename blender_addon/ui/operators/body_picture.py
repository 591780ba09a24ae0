"""The bone map as a picture of a body over the 3D Viewport: its joints are clicked to pick their bones."""
import bpy

from ...scene import bone_map
from ...scene.stats import timed
from ...worker import manager as jobs
from .. import body_figure as figure
from ..translations import said
from .base import NeedsRig


class BATON_OT_body_picture(NeedsRig, bpy.types.Operator):
    """Show the bone map as a body: click a joint to give it the active bone, or to choose a bone from a list"""

    bl_idname = "baton.body_picture"
    bl_label = "Pick on a Body"
    bl_options = {"REGISTER"}

    shown = None                # the operator whose picture is on the screen; a second press takes it away

    @classmethod
    def poll(cls, context):
        if not NeedsRig.poll.__func__(cls, context):
            return False
        if context.area is None or context.area.type != "VIEW_3D":
            cls.poll_message_set(said("The body is shown in the 3D Viewport"))
            return False
        return True

    def invoke(self, context, event):
        cls = BATON_OT_body_picture
        if cls.shown is not None:
            cls.shown = None
            return {"FINISHED"}
        bone_map.ensure_rows(bone_map.find_rig(context))
        self.region = next(region for region in context.area.regions if region.type == "WINDOW")
        self.area, self.over = context.area, None
        self.handle = bpy.types.SpaceView3D.draw_handler_add(self.paint, (), "WINDOW", "POST_PIXEL")
        cls.shown = self
        context.window_manager.modal_handler_add(self)
        self.area.tag_redraw()
        return {"RUNNING_MODAL"}

    def execute(self, context):
        self.report({"ERROR"}, said("The body is a picture: press the button in the bone map"))
        return {"CANCELLED"}

    def modal(self, context, event):
        rig = bone_map.find_rig(context)
        if BATON_OT_body_picture.shown is not self or rig is None or event.type == "ESC":
            return self.end(context)
        place = self.place(context)
        x, y = event.mouse_x - self.region.x, event.mouse_y - self.region.y
        if not place.holds(x, y):
            return self.hover(None) or {"PASS_THROUGH"}
        joint = place.joint_at(x, y)
        self.hover(joint)
        if event.type == "RIGHTMOUSE" and event.value == "PRESS" and joint is None:
            return self.end(context)
        if event.type not in ("LEFTMOUSE", "RIGHTMOUSE") or joint is None:
            return {"RUNNING_MODAL"} if event.type in ("LEFTMOUSE", "RIGHTMOUSE") else {"PASS_THROUGH"}
        if event.value == "PRESS":
            self.pick(context, rig, joint, clear=event.type == "RIGHTMOUSE")
        return {"RUNNING_MODAL"}

    def place(self, context):
        """Where the figure stands now, beside the tool bar."""
        bar = next((region.width for region in self.area.regions if region.type == "TOOLS" and region.width > 1), 0)
        return figure.Place.of(self.region, context.preferences.system.ui_scale, bar)

    def hover(self, joint):
        if joint != self.over:
            self.over = joint
            self.area.tag_redraw()

    def pick(self, context, rig, joint, clear=False):
        """Give the joint the active bone where that is free, else let the user choose; clear: take its bone away."""
        bone = "" if clear else figure.free_bone(rig, context.active_pose_bone, joint)
        if bone is None:
            bpy.ops.baton.choose_bone("INVOKE_DEFAULT", joint=joint)
        else:
            bone_map.give(rig, joint, bone)
            bpy.ops.ed.undo_push(message=f"Baton: {bone_map.label(joint)}")
        self.area.tag_redraw()

    def end(self, context):
        if BATON_OT_body_picture.shown is self:
            BATON_OT_body_picture.shown = None
        bpy.types.SpaceView3D.draw_handler_remove(self.handle, "WINDOW")
        self.area.tag_redraw()
        return {"FINISHED"}

    @timed
    def paint(self):
        context = bpy.context
        rig = bone_map.find_rig(context)
        if context.area != self.area or rig is None or jobs.manager.busy:
            return
        figure.draw(self.place(context), {row.name: bone_map.state(rig, row) for row in rig.baton.bones},
                    {row.name: row.bone for row in rig.baton.bones}, self.over)


def _bones(self, context):
    """Items of the search: Blender needs the texts to live on."""
    rig = bone_map.find_rig(context)
    _bones.items = [(bone.name, bone.name, "") for bone in rig.data.bones] if rig is not None else []
    return _bones.items


class BATON_OT_choose_bone(NeedsRig, bpy.types.Operator):
    """Choose the bone of a joint from a list that is searched by typing"""

    bl_idname = "baton.choose_bone"
    bl_label = "Choose Bone"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}
    bl_property = "bone"

    joint: bpy.props.StringProperty(options={"HIDDEN"})
    bone: bpy.props.EnumProperty(name="Bone", description="Bone that plays this joint", items=_bones)

    def invoke(self, context, event):
        context.window_manager.invoke_search_popup(self)
        return {"FINISHED"}

    def execute(self, context):
        bone_map.give(bone_map.find_rig(context), self.joint, self.bone)
        for area in context.screen.areas if context.screen is not None else ():
            area.tag_redraw()
        return {"FINISHED"}


CLASSES = (BATON_OT_body_picture, BATON_OT_choose_bone)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister():
    if BATON_OT_body_picture.shown is not None:
        bpy.types.SpaceView3D.draw_handler_remove(BATON_OT_body_picture.shown.handle, "WINDOW")
        BATON_OT_body_picture.shown = None
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
