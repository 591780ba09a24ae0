"""The section *Beats*: markers found, tapped, halved, doubled."""
from ...scene.stats import timed_draw
from ..translations import CONTEXT
from .status import PLACES, draw_status


class BeatsPanel:
    bl_label = "Beats"
    bl_options = {"DEFAULT_CLOSED"}

    @timed_draw
    def draw(self, context):
        layout, settings = self.layout, context.scene.baton
        column = layout.column(align=True)
        column.label(text="Detect from", text_ctxt=CONTEXT)
        row = column.row(align=True)
        row.operator("baton.detect_beats", text="Motion", icon="ARMATURE_DATA").source = "MOTION"
        row.operator("baton.detect_beats", text="Strip", icon="SOUND").source = "STRIP"
        draw_status(layout, context, lambda job: PLACES.get(job.kind) == "beats")
        column = layout.column(align=True)
        row = column.row(align=True)
        row.operator("baton.scale_beats", text="Half").factor = "HALF"
        row.operator("baton.scale_beats", text="Double").factor = "DOUBLE"
        row = column.row(align=True)
        row.operator("baton.tap_beat", text="Tap", icon="ADD").downbeat = False
        row.operator("baton.tap_beat", text="Downbeat").downbeat = True
        row = column.row(align=True)
        row.operator("baton.jump_beat", text="", icon="PREV_KEYFRAME").forward = False
        row.operator("baton.jump_beat", text="", icon="NEXT_KEYFRAME").forward = True
        row.operator("baton.clear_beats", text="Clear", icon="TRASH")
        layout.prop(settings, "overlay")
