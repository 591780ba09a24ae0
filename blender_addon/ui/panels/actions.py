"""The list of actions with a tick each: which of them are moves to dance with."""
import bpy

from ...scene import moves


class BATON_UL_actions(bpy.types.UIList):
    """Actions that move bones; takes of Baton's own are left out unless they are ticked."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index):
        row = layout.row(align=True)
        row.use_property_split = False              # ticks stand at the left, whatever the section does
        row.prop(item.baton, "move", text="")
        row.prop(item, "name", text="", emboss=False, icon="ACTION")
        count = len(item.pose_markers)
        if count:
            tail = row.row()
            tail.ui_units_x = 2.2
            tail.label(text=f"{count}", icon="MARKER_HLT", translate=False)

    def filter_items(self, context, data, propname):
        made = {take.action for take in context.scene.baton.takes if take.action is not None}
        return [self.bitflag_filter_item if action.baton.move or action not in made and moves.is_move(action) else 0
                for action in getattr(data, propname)], []


CLASSES = (BATON_UL_actions,)
