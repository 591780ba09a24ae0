"""The section *Bone Map*: which bone plays which joint."""
from ....core import contract
from ...scene import bone_map
from ...scene.stats import timed_draw
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
            layout.label(text="Not detected yet", icon="INFO")
            return
        required = contract.REQUIRED_JOINTS
        column = layout.column(align=True)
        for row in rig.baton.bones:
            line = column.row(align=True)
            known = bool(row.bone) and row.bone in rig.data.bones
            line.alert = bool(row.bone) and not known or not row.bone and row.name in required
            line.prop_search(row, "bone", rig.data, "bones", text=bone_map.label(row.name))
            tail = line.row(align=True)
            tail.ui_units_x = 2.2
            tail.label(text=f"{row.confidence:.0%}" if known and row.how != "user" else "")
            line.operator("baton.pick_bone", text="", icon="EYEDROPPER").joint = row.name
