"""What Baton is doing, below the button that began it, always two rows high: nothing moves under the pointer."""
import bpy

from ...scene import player
from ...scene.stats import timed_draw
from ...worker import manager as jobs
from ...worker import options as prefs
from ...worker.queue import queue
from ..translations import said, shown
from .text import clock, columns, sentence, wrap

ICONS = {"failed": "ERROR", "cancelled": "CANCEL"}
# Where jobs of no system are shown: the section that has their button.
PLACES = {"retarget": "to_motion", "body": "to_motion", "beats": "beats", "bonemap": "bones", "note": "to_sound"}


def place_of(job, directions):
    """Name of the section below whose button a job is shown; "" for one of the preferences.

    directions: {name of a system: name of its direction}.
    """
    return directions.get(job.params.get("system"), PLACES.get(job.kind, ""))


def draw_status(layout, context, mine, why=""):
    """Two rows: progress and title of the job, or the message of the last one, or `why` nothing can begin.

    mine(job): whether a job belongs here.
    """
    job, last = jobs.manager.job, jobs.manager.last
    column = layout.column(align=True)
    column.use_property_split = False
    if job is not None and mine(job):
        _working(column, job)
    elif last is not None and last.message and mine(last):
        _ended(column, context, last)
    else:
        lines = wrap(said(why), columns(context)) if job is None else []
        _two_rows(column, lines, "INFO")


def _working(column, job):
    row = column.row(align=True)
    text = " ".join(filter(None, (shown(job.phase), job.detail)))
    if job.eta is not None and job.fraction is not None:
        text += f"  {clock(job.eta)}"
    fraction, (number, total) = min(max(job.fraction or 0.0, 0.0), 1.0), queue.number
    if total:
        fraction = (number - 1 + fraction) / total
    row.progress(factor=fraction, text=text, type="BAR")
    first = job.first_sound
    if first is not None:
        row.operator("baton.audition_first", text="", icon="PAUSE" if player.playing() == str(first) else "PLAY")
    row.operator("baton.cancel", text="", icon="CANCEL")
    title = shown(job.title)
    column.label(text=f"{title}  {number} / {total}" if total else title, icon="TIME", translate=False)


def _ended(column, context, last):
    lines = wrap(said(last.message), columns(context) - 6)
    row = column.row(align=True)
    column = row.column(align=True)
    column.alert = last.state == "failed"
    _two_rows(column, lines, ICONS.get(last.state, "CHECKMARK"))
    ends = row.row(align=True)
    if last is jobs.manager.unplaced:
        ends.operator("baton.save_take_as", text="", icon="FILE_TICK")
    if last.state == "failed" and last.trace:
        ends.operator("baton.copy_report", text="", icon="COPYDOWN")
    if len(lines) > 2 or last.warnings:
        ends.popover("BATON_PT_message", text="", icon="QUESTION" if last.warnings else "THREE_DOTS")
    ends.operator("baton.dismiss", text="", icon="X", emboss=False)


def _two_rows(column, lines, icon):
    column.label(text=lines[0] if lines else "", icon=icon if lines else "NONE", translate=False)
    rest = lines[1] if len(lines) > 1 else ""
    column.label(text=f"{rest} …" if len(lines) > 2 else rest, icon="BLANK1", translate=False)


class BATON_PT_message(bpy.types.Panel):
    """The whole message of the last job, with what it warned of"""

    bl_label = "Message"
    bl_space_type, bl_region_type, bl_options = "TOPBAR", "HEADER", {"INSTANCED"}
    bl_ui_units_x = 18

    @timed_draw
    def draw(self, context):
        last = jobs.manager.last
        if last is None:
            return
        sentence(self.layout, context, said(last.message), ICONS.get(last.state, "CHECKMARK"), 52)
        for text in last.warnings:
            sentence(self.layout, context, said(text), "INFO", 52)


class SetUpPanel:
    """Above all others as long as there is no runtime."""

    bl_label = "Set Up"
    bl_options = {"HIDE_HEADER"}

    @classmethod
    def poll(cls, context):
        return not prefs.worker_python()

    @timed_draw
    def draw(self, context):
        box = self.layout.box()
        sentence(box, context, shown(
            "Baton has no runtime yet. Setting it up downloads PyTorch once."), "INFO")
        box.operator("baton.open_preferences", icon="PREFERENCES")


CLASSES = (BATON_PT_message,)
