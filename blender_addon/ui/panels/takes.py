"""The takes of a direction: the list below its button, and what can be done with the active one."""
import bpy

from ...flows.generate import FLOWS
from ...scene import compat, player, strips, takes
from ...scene.stats import timed_draw
from ..translations import CONTEXT, said, shown
from .text import sentence

ICONS = {"MUSIC": "SOUND", "MOTION": "ARMATURE_DATA", "BOTH": "OUTLINER_OB_ARMATURE"}

SOLO, AUDITION = ("baton.solo_take", "Solo", "SOLO_ON"), ("baton.audition_take", "Audition", "PLAY_SOUND")
KEEP, REDO = ("baton.keep_take", "Keep", "CHECKMARK"), ("baton.redo_take", "Redo", "FILE_REFRESH")
REMOVE, BAKE = ("baton.remove_take", "", "TRASH"), ("baton.bake_take", "Bake", "ACTION")
BUTTONS = {"MUSIC": ((SOLO, AUDITION), (KEEP, REDO, REMOVE)),
           "MOTION": ((SOLO, REDO), (KEEP, BAKE, REMOVE)),
           "BOTH": ((SOLO, AUDITION), (KEEP, BAKE), (REDO, REMOVE))}


class BATON_UL_takes(bpy.types.UIList):
    """Takes of one direction; `list_id` is its name."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index):
        row = layout.row(align=True)
        harmed = takes.damaged(item)
        own = compat.colour_icon(item.colour) if item.colour != "NONE" else ICONS[item.kind]
        row.prop(item, "name", text="", emboss=False, icon="ERROR" if harmed else own)
        if item.note:
            row.label(text="", icon="TEXT")
        if harmed:
            row.label(text="damaged", text_ctxt=CONTEXT)
        if item.has_alignment:
            tail = row.row()
            short = bool(item.note) or item.kept                # their icons need the room
            tail.ui_units_x = 2.2 if short else 4.4
            score = f"{item.score:.2f}" if short else f"{item.score:.2f} / {item.chance:.2f}"
            tail.label(text=score, translate=False)
        if item.kept:
            row.label(text="", icon="CHECKMARK")
        row.operator("baton.mute_take", text="", emboss=False,
                     icon="HIDE_OFF" if item.audible else "HIDE_ON").name = item.name

    def filter_items(self, context, data, propname):
        return shown_flags(getattr(data, propname), self.list_id, self.bitflag_filter_item), []


def shown_flags(collection, direction, flag):
    """`flag` for each take of a direction, else 0."""
    kind = FLOWS[direction].kind
    return [flag if take.kind == kind else 0 for take in collection]


def active(scene, direction):
    """The take that a direction's buttons act on: the active one if it is of the direction, else its last; or None."""
    kind, take = FLOWS[direction.name].kind, takes.active(scene)
    if take is not None and take.kind == kind:
        return take
    return next((take for take in reversed(scene.baton.takes) if take.kind == kind), None)


def draw_takes(layout, context, direction):
    """The list, three rows high however many there are, and the buttons of the active take."""
    settings, take = context.scene.baton, active(context.scene, direction)
    layout.template_list("BATON_UL_takes", direction.name, settings, "takes", settings, "take_index", rows=3, maxrows=3)
    column = layout.column(align=True)
    column.enabled = take is not None
    name = take.name if take is not None else ""
    rows = BUTTONS[FLOWS[direction.name].kind]
    if take is not None and takes.damaged(take):
        row = column.row(align=True)                            # in the place of a row, so that nothing below moves
        row.alert = True
        row.label(text="Damaged: Remove it", icon="ERROR", text_ctxt=CONTEXT)
        row.popover("BATON_PT_damage", text="", icon="THREE_DOTS")
        rows = rows[1:]
    for buttons in rows:
        row = column.row(align=True)
        for operator, text, icon in buttons:
            icon = audition_icon(take) if operator == "baton.audition_take" else icon
            soloed = operator == "baton.solo_take" and take is not None and take.heard != ""
            row.operator(operator, text=text, icon=icon, depress=soloed).name = name


def audition_icon(take):
    """Pause while the take's sound plays by itself."""
    playing = player.playing()
    same = take is not None and playing and playing == bpy.path.abspath(take.path)
    return "PAUSE" if same else "PLAY_SOUND"


class BATON_PT_damage(bpy.types.Panel):
    """What of the takes in this scene is damaged"""

    bl_label = "Damaged Takes"
    bl_space_type, bl_region_type, bl_options = "TOPBAR", "HEADER", {"INSTANCED"}
    bl_ui_units_x = 18

    @timed_draw
    def draw(self, context):
        for take in context.scene.baton.takes:
            harmed = takes.damaged(take)
            if harmed:
                sentence(self.layout, context, said(f"{take.name} is damaged: {harmed}. Remove it"), "ERROR", 52)


class TakePanel:
    """More of the active take, below the list of its direction."""

    bl_label = "Active Take"
    bl_options = {"DEFAULT_CLOSED"}
    direction = None

    @classmethod
    def poll(cls, context):
        return active(context.scene, cls.direction) is not None

    @timed_draw
    def draw(self, context):
        layout, settings = self.layout, context.scene.baton
        take = active(context.scene, self.direction)
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.context_pointer_set("baton_take", take)          # for the reasons of grey buttons
        column = layout.column()
        column.prop(take, "note")
        column.prop(take, "colour")
        if takes.has_motion(take):
            column.prop(take, "part")
        column = layout.column()
        column.prop(settings, "edit_range")
        if settings.edit_range == "CUSTOM":
            draw_frames(column, settings, "edit_start", "edit_end")
        if take.kind == "BOTH":
            column.prop(settings, "edit_side")
        column.operator("baton.redo_range", icon="ARROW_LEFTRIGHT").name = take.name
        if take.has_alignment:
            layout.label(text=said(f"Alignment {take.score:.2f}, by chance {take.chance:.2f}"), icon="SNAP_ON",
                         translate=False)
        if take.bpm > 0:
            draw_tempo(layout, take)
        column = layout.column(align=True)
        column.operator("baton.take_beats", icon="MARKER_HLT").name = take.name
        column.operator("baton.copy_recipe", icon="COPYDOWN").name = take.name
        if settings.removed_files:
            column.operator("baton.delete_unused", icon="TRASH")
        draw_playback(layout, context)


def draw_tempo(layout, take):
    """The tempo of the take's beats, how they are beaten, and a click to another level."""
    tempo = f"{take.bpm:.0f} BPM"
    layout.label(text=f"{tempo}, {shown(take.pattern)}" if take.pattern else tempo, icon="TIME", translate=False)
    if take.kind != "BOTH":                                     # its beats are made, not found
        row = layout.row(align=True)
        for text, factor in (("Half", "HALF"), ("Double", "DOUBLE")):
            button = row.operator("baton.redo_level", text=text, text_ctxt=CONTEXT)
            button.name, button.factor = take.name, factor


def draw_playback(layout, context):
    """What keeps sound and picture together, where it is off."""
    wants_sync, wants_scrub = strips.playback_hints(compat.sequencer_scene(context))
    if wants_sync or wants_scrub:
        row = layout.row(align=True)
        if wants_sync:
            row.operator("baton.playback", text="Sync to Audio", icon="PLAY_SOUND").what = "SYNC"
        if wants_scrub:
            row.operator("baton.playback", text="Scrub", icon="ARROW_LEFTRIGHT").what = "SCRUB"


def draw_frames(layout, settings, start, end):
    """First and last frame of a custom range."""
    column = layout.column(align=True)
    column.prop(settings, start)
    column.prop(settings, end)


CLASSES = (BATON_UL_takes, BATON_PT_damage)
