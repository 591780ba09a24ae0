"""The sidebar tab *Baton* of the 3D Viewport and the Sequencer."""
import bpy

from ...core import contract
from ...core.contract import systems as registry
from ..scene import bone_map, compat, strips, takes
from ..scene import settings as scene_settings
from ..scene.stats import timed_draw
from ..worker import manager as jobs
from ..worker import options as prefs
from . import presets

ICONS = {"MUSIC": "SOUND", "MOTION": "ARMATURE_DATA", "BOTH": "OUTLINER_OB_ARMATURE"}


class View3D:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Baton"


class Sequencer:
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "Baton"


def draw_job(layout):
    """Progress of the running job, or the message of the last one, or what is missing."""
    job, last = jobs.manager.job, jobs.manager.last
    if job is not None:
        box = layout.box()
        box.label(text=job.title, icon="TIME")
        row = box.row(align=True)
        text = " ".join(filter(None, (bpy.app.translations.pgettext_iface(job.phase), job.detail)))
        if job.eta is not None and job.fraction is not None:
            text += f"  {clock(job.eta)}"
        row.progress(factor=min(max(job.fraction or 0.0, 0.0), 1.0), text=text, type="BAR")
        row.operator("baton.cancel", text="", icon="CANCEL")
    elif last is not None and last.message:
        box = layout.box()
        bad = last.state == "failed"
        row = box.row(align=True)
        column = row.column()
        column.alert = bad
        for number, line in enumerate(wrap(last.message)):
            icon = {"failed": "ERROR", "cancelled": "CANCEL"}.get(last.state, "CHECKMARK") if number == 0 else "BLANK1"
            column.label(text=line, icon=icon)
        row.operator("baton.dismiss", text="", icon="X", emboss=False)
        for text in last.warnings[:3]:
            for number, line in enumerate(wrap(text)):
                box.label(text=line, icon="INFO" if number == 0 else "BLANK1")
    elif not prefs.worker_python():
        box = layout.box()
        for number, line in enumerate(wrap("Baton has no runtime yet. Setting it up downloads PyTorch once.")):
            box.label(text=line, icon="INFO" if number == 0 else "BLANK1")
        box.operator("baton.open_preferences", icon="PREFERENCES")


def wrap(text, width=31):
    """Lines that fit the default width of a sidebar."""
    lines, line = [], ""
    for word in text.split():
        while len(word) > width:  # a path
            lines, line, word = lines + ([line] if line else []) + [word[:width]], "", word[width:]
        if line and len(line) + 1 + len(word) > width:
            lines, line = lines + [line], word
        else:
            line = f"{line} {word}".strip()
    return lines + ([line] if line else [])


def clock(seconds):
    """Seconds left as `12 s` or `3:05`."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def draw_rig(layout, context):
    """The rig meant and whether its bones are known."""
    settings, rig = context.scene.baton, bone_map.find_rig(context)
    layout.prop(settings, "rig", text="Rig", icon="ARMATURE_DATA")
    if rig is None:
        layout.label(text="Select an armature", icon="INFO")
        return
    if settings.rig is None:
        split = layout.split(factor=0.4)
        split.label(text="")
        split.label(text=rig.name, icon="OUTLINER_OB_ARMATURE")


class StatusPanel:
    bl_label = "Status"
    bl_options = {"HIDE_HEADER"}

    @classmethod
    def poll(cls, context):
        manager = jobs.manager
        return manager.job is not None or manager.last is not None and bool(manager.last.message) or (
            not prefs.worker_python())

    @timed_draw
    def draw(self, context):
        draw_job(self.layout)


class DirectionPanel:
    """A direction's section: what it goes from, *Model* where there are two, the settings of the chosen system, its
    button."""

    direction = None

    @classmethod
    def poll(cls, context):
        return scene_settings.chosen(context.scene, cls.direction) is not None

    @timed_draw
    def draw(self, context):
        layout, system = self.layout, scene_settings.chosen(context.scene, self.direction)
        layout.use_property_split, layout.use_property_decorate = True, False
        draw_rig(layout, context)
        if self.direction.source == "sound":
            draw_strip(layout, context)
        if hasattr(context.scene.baton, scene_settings.choice(self.direction)):
            layout.prop(context.scene.baton, scene_settings.choice(self.direction))
        draw_section(layout, context, system, "")
        button = layout.column()
        button.scale_y = 1.4
        button.operator(f"baton.generate_{system.name}", icon=system.icon)

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
        row = layout.row(align=True) if beside else layout
        row.prop(settings, name)
        if beside:
            row.operator(beside, text="", icon="FILE_REFRESH").system = system.name
        if setting.warn_above is not None and getattr(settings, name) > setting.warn_above:
            layout.label(text=f"Above {setting.warn_above:g} the result degrades", icon="ERROR")
        if setting.raw.get("below") == "edit_range" and getattr(settings, name):
            draw_edit_range(layout, context.scene.baton)


def draw_strip(layout, context):
    """The sound strip meant."""
    _scene, strip = strips.sound_strip(context)
    split = layout.split(factor=0.4)
    caption = split.row()
    caption.alignment = "RIGHT"
    caption.label(text="Sound")
    split.label(text=strip.name if strip is not None else "Select a strip",
                icon="SEQ_SEQUENCER" if strip is not None else "INFO")


def draw_frames(layout, settings, start, end):
    """First and last frame of a custom range."""
    column = layout.column(align=True)
    column.prop(settings, start)
    column.prop(settings, end)


def draw_edit_range(layout, settings):
    """The range that is made anew or kept."""
    layout.prop(settings, "edit_range")
    if settings.edit_range == "CUSTOM":
        draw_frames(layout, settings, "edit_start", "edit_end")


class BeatsPanel:
    bl_label = "Beats"
    bl_options = {"DEFAULT_CLOSED"}

    @timed_draw
    def draw(self, context):
        layout, settings = self.layout, context.scene.baton
        row = layout.row(align=True)
        row.operator("baton.detect_beats", text="Detect from Motion").source = "MOTION"
        row.operator("baton.detect_beats", text="from Strip").source = "STRIP"
        row = layout.row(align=True)
        row.operator("baton.scale_beats", text="Half").factor = "HALF"
        row.operator("baton.scale_beats", text="Double").factor = "DOUBLE"
        row.operator("baton.tap_beat", icon="ADD").downbeat = False
        row.operator("baton.tap_beat", text="Downbeat").downbeat = True
        row = layout.row(align=True)
        row.operator("baton.jump_beat", text="", icon="PREV_KEYFRAME").forward = False
        row.operator("baton.jump_beat", text="", icon="NEXT_KEYFRAME").forward = True
        row.operator("baton.clear_beats", icon="TRASH")
        layout.prop(settings, "overlay")


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


class BATON_UL_takes(bpy.types.UIList):
    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index):
        row = layout.row(align=True)
        row.prop(item, "name", text="", emboss=False, icon=ICONS[item.kind])
        if item.has_alignment:
            tail = row.row()
            tail.ui_units_x = 4.4
            tail.label(text=f"{item.score:.2f} / {item.chance:.2f}")
        if item.kept:
            row.label(text="", icon="CHECKMARK")
        row.operator("baton.mute_take", text="", emboss=False,
                     icon="HIDE_OFF" if item.audible else "HIDE_ON").name = item.name


class TakesPanel:
    bl_label = "Takes"

    @timed_draw
    def draw(self, context):
        layout, settings, scene = self.layout, context.scene.baton, context.scene
        if len(settings.takes) == 0:
            layout.label(text="Takes appear here", icon="INFO")
            return
        layout.template_list("BATON_UL_takes", "", settings, "takes", settings, "take_index", rows=3)
        take = takes.active(scene)
        if take is None:
            return
        row = layout.row(align=True)
        for operator, text, icon in (("baton.solo_take", "Solo", "SOLO_ON"), ("baton.keep_take", "Keep", "CHECKMARK"),
                                     ("baton.redo_take", "Redo", "FILE_REFRESH"),
                                     ("baton.remove_take", "Remove", "TRASH")):
            row.operator(operator, text=text, icon=icon).name = take.name
        column = layout.column(align=True)
        row = column.row(align=True)
        row.operator("baton.redo_range", icon="ARROW_LEFTRIGHT").name = take.name
        row.prop(settings, "edit_range", text="")
        if take.kind == "BOTH":
            column.prop(settings, "edit_side")
        if settings.edit_range == "CUSTOM":
            draw_frames(column, settings, "edit_start", "edit_end")
        if take.has_alignment:
            layout.label(text=f"Alignment {take.score:.2f}, by chance {take.chance:.2f}", icon="SNAP_ON")
        row = layout.row(align=True)
        row.operator("baton.take_beats").name = take.name
        row.operator("baton.copy_recipe", text="Copy Recipe").name = take.name
        wants_sync, wants_scrub = strips.playback_hints(compat.sequencer_scene(context))
        if wants_sync or wants_scrub:
            row = layout.row(align=True)
            if wants_sync:
                row.operator("baton.playback", text="Sync to Audio", icon="PLAY_SOUND").what = "SYNC"
            if wants_scrub:
                row.operator("baton.playback", text="Scrub", icon="ARROW_LEFTRIGHT").what = "SCRUB"


def _sections():
    """(base, name, parent, attributes) of every panel, in order; those of the directions and their systems from the
    registry."""
    yield StatusPanel, "status", None, {}
    for direction, systems in registry.by_direction().items():
        yield DirectionPanel, direction.name, None, {"bl_label": direction.label, "direction": direction}
        for system in systems:
            for number, title in enumerate(filter(None, system.sections)):
                yield SectionPanel, f"{system.name}_{number}", direction.name, {
                    "bl_label": title, "direction": direction, "system": system}
    for section, name in ((TakesPanel, "takes"), (BeatsPanel, "beats"), (BonesPanel, "bones")):
        yield section, name, None, {}


def _classes():
    """Each section once for either editor."""
    out = []
    for space, prefix in ((View3D, "view3d"), (Sequencer, "sequencer")):
        for order, (section, name, parent, attributes) in enumerate(_sections()):
            identifier = f"BATON_PT_{prefix}_{name}"
            attributes = {**attributes, "bl_idname": identifier, "bl_order": order}
            if parent:
                attributes["bl_parent_id"] = f"BATON_PT_{prefix}_{parent}"
            out.append(type(identifier, (space, section, bpy.types.Panel), attributes))
    return tuple(out)


CLASSES = (BATON_UL_takes, *_classes())

register, unregister = bpy.utils.register_classes_factory(CLASSES)
