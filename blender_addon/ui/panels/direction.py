"""The section of a direction: what it goes from, what one needs first, its button, below it status and takes."""
import bpy

from ....core.contract import systems as registry
from ...scene import bone_map, compat, player, strips
from ...scene import settings as scene_settings
from ...scene.stats import timed_draw
from ...worker import early
from .. import presets
from ..operators import generate
from ..translations import CONTEXT, said, shown
from .status import draw_status, place_of
from .takes import draw_frames, draw_takes

DIRECTION_OF = {name: system.direction.name for name, system in registry.systems().items()}


class DirectionPanel:
    """What it goes from, *Model* where there are two, the first settings of the chosen system,
    its button, status and takes."""

    direction = None

    @classmethod
    def poll(cls, context):
        return scene_settings.chosen(context.scene, cls.direction) is not None

    @timed_draw
    def draw(self, context):
        layout, system = self.layout, scene_settings.chosen(context.scene, self.direction)
        layout.use_property_split, layout.use_property_decorate = True, False
        column = layout.column()
        draw_rig(column, context)
        if self.direction.source != "sound" and not any(thing.type == "ARMATURE" for thing in context.scene.objects):
            column.operator("baton.add_sample_scene", icon="SCENE_DATA")
        if self.direction.source == "sound":
            draw_strip(column, context)
        if hasattr(context.scene.baton, scene_settings.choice(self.direction)):
            column.prop(context.scene.baton, scene_settings.choice(self.direction))
        draw_section(column, context, system, "")
        button = layout.column()
        button.scale_y = 1.4
        button.operator(f"baton.generate_{system.name}", icon=system.icon)
        why = generate.reason(context, system)
        if not why:
            early.soon()
        draw_status(layout, context, lambda job: place_of(job, DIRECTION_OF) == self.direction.name, why)
        draw_takes(layout, context, self.direction)

    def draw_header_preset(self, context):
        system = scene_settings.chosen(context.scene, self.direction)
        if system is not None:
            presets.PAIRS[system.name][1].draw_panel_header(self.layout)


class SectionPanel:
    """A further section of a system, below its direction's, drawn while the system is chosen."""

    bl_options = {"DEFAULT_CLOSED"}
    direction = system = None

    @classmethod
    def poll(cls, context):
        return scene_settings.chosen(context.scene, cls.direction) == cls.system

    @timed_draw
    def draw(self, context):
        self.layout.use_property_split, self.layout.use_property_decorate = True, False
        draw_section(self.layout, context, self.system, self.bl_label)


def draw_rig(layout, context):
    """The rig meant, also where it is only the active one."""
    settings, rig = context.scene.baton, bone_map.find_rig(context)
    named = rig.name if rig is not None else shown("Select an armature")   # a name is never translated
    layout.prop(settings, "rig", text=shown("Rig"), icon="ARMATURE_DATA", placeholder=named, translate=False)


def draw_strip(layout, context):
    """The sound strip meant."""
    scene, strip = strips.sound_strip(context)
    split = layout.split(factor=0.4)
    caption = split.row()
    caption.alignment = "RIGHT"
    caption.label(text="Sound", text_ctxt=CONTEXT)
    if strip is not None:
        named = strip.name if scene == compat.sequencer_scene(context) else f"{strip.name} ({scene.name})"
        split.label(text=named, icon="SEQ_SEQUENCER", translate=False)
    else:
        split.label(text="Select a strip", text_ctxt=CONTEXT, icon="INFO")


def draw_section(layout, context, system, title):
    """The settings and operators of one section of a system's row; a setting that does not count is left out."""
    settings = scene_settings.group(context.scene, system)
    for name in system.sections[title]:
        if "." in name:
            layout.operator(name, icon="ADD" if ".add_" in name else "NONE")
            continue
        setting = system.settings[name]
        if not scene_settings.counts(settings, setting):
            continue
        beside = setting.raw.get("beside")
        if setting.type == "actions":
            layout.template_list("BATON_UL_actions", "", bpy.data, "actions", settings, name, rows=3)
            continue
        if beside == "baton.hear_genre" and not player.has_examples(system):
            beside = None
        row = layout.row(align=True) if beside else layout
        row.prop(settings, name)
        if beside:
            row.operator(beside, text="", icon=beside_icon(context, system, beside)).system = system.name
        if setting.warn_above is not None and getattr(settings, name) > setting.warn_above:
            layout.label(text=said(f"Degrades above {setting.warn_above:g}"), icon="ERROR", translate=False)
        if setting.raw.get("below") == "edit_range" and getattr(settings, name):
            draw_edit_range(layout, context.scene.baton)


def beside_icon(context, system, operator):
    """Icon of the button beside a setting."""
    if operator != "baton.hear_genre":
        return "FILE_REFRESH"
    genre = scene_settings.group(context.scene, system).genre
    playing = player.playing()
    return "PAUSE" if playing and playing == str(player.example(system, genre)) else "PLAY_SOUND"


def draw_edit_range(layout, settings):
    """The range that is made anew or kept."""
    layout.prop(settings, "edit_range")
    if settings.edit_range == "CUSTOM":
        draw_frames(layout, settings, "edit_start", "edit_end")
