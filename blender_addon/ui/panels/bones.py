"""The section *Bone Map*: which bone plays which joint."""
from ...scene import bone_map
from ...scene.stats import timed_draw
from ..translations import CONTEXT
from .status import PLACES, draw_status


class BonesPanel:
    bl_label = "Bone Map"
    bl_options = {"DEFAULT_CLOSED"}

    @timed_draw
    def draw(self, context):
        layout, rig = self.layout, bone_map.find_rig(context)
        row = layout.row(align=True)
        row.operator("baton.detect_bones", icon="VIEWZOOM")
        row.operator("baton.load_bones", text="", icon="FILE_FOLDER")
        row.operator("baton.save_bones", text="", icon="FILE_TICK")
        row.operator("baton.clear_bones", text="", icon="TRASH")
        draw_status(layout, context, lambda job: PLACES.get(job.kind) == "bones")
        if rig is None:
            return
        if len(rig.baton.bones) == 0:
            layout.label(text="Not detected yet", text_ctxt=CONTEXT, icon="INFO")
            return
        if context.area is None or context.area.type == "VIEW_3D":
            layout.operator("baton.body_picture", icon="ARMATURE_DATA")
        for limb, joints in bone_map.LIMBS.items():
            draw_limb(layout, rig, limb, joints)


def draw_limb(layout, rig, limb, joints):
    """One limb: its joints by their full names, a picker each, a mark at those that are to be looked at."""
    rows = [rig.baton.bones[joint] for joint in joints]
    states = {row.name: bone_map.state(rig, row) for row in rows}
    header, body = layout.panel(f"baton_{limb}".lower().replace(" ", "_"))
    header.label(text=limb, text_ctxt=CONTEXT)
    if "lacking" in states.values():
        header.label(text="", icon="ERROR")
    elif "unsure" in states.values():
        header.label(text="", icon="QUESTION")
    if body is None:
        return
    column = body.column(align=True)
    column.use_property_split, column.use_property_decorate = True, False
    for row in rows:
        line = column.row(align=True)
        line.alert = states[row.name] == "lacking"
        line.prop_search(row, "bone", rig.data, "bones", text=bone_map.label(row.name))
        if states[row.name] == "unsure":
            line.operator("baton.confirm_bone", text="", icon="QUESTION").joint = row.name
