"""Blender's own events that end a job or make its result wait. Each answers in microseconds."""
import traceback

import bpy

from ..scene import bone_map, draft, settling, versioning
from ..scene.stats import timed
from . import manager as jobs

persistent = bpy.app.handlers.persistent
_settled = []       # what became of sounds in the save that is under way


@persistent
@timed
def on_load_pre(*args):
    jobs.manager.abort("Another file was loaded: the job was ended")
    jobs.manager.drop_unplaced()


@persistent
@timed
def on_load_post(*args):
    for scene in bpy.data.scenes:
        if scene.library is None:
            versioning.update(scene)


@persistent
@timed
def on_undo(*args):
    jobs.manager.after_undo()
    draft.sweep()                           # a step of undo brings back those that it was made with
    if jobs.manager.last is not None and jobs.manager.last.state == "done":
        jobs.manager.last = None            # its take may be gone or back: the list of takes tells


@persistent
@timed
def on_render_start(*args):
    jobs.manager.busy.add("render")


@persistent
@timed
def on_render_end(*args):
    jobs.manager.busy.discard("render")


@persistent
@timed
def on_save_start(*args):
    jobs.manager.busy.add("save")
    blend = args[0] if args and isinstance(args[0], str) else ""
    try:
        bone_map.note_overrides()
        sentence = settling.settle(blend) if blend else ""
    except Exception:  # noqa: BLE001 - a fault of Baton's own must not pass unseen: it is told after saving
        sentence = jobs.fault("Moving sounds beside the file", traceback.format_exc())
    _settled.append(sentence)


@persistent
@timed
def on_save_end(*args):
    """args of save_post_fail and save_post are the same: the file."""
    jobs.manager.busy.discard("save")
    sentence = _settled.pop() if _settled else ""
    settling.finish()
    if sentence:
        jobs.manager.tell(sentence)


HANDLERS = {"load_pre": on_load_pre, "load_post": on_load_post, "undo_post": on_undo, "redo_post": on_undo,
            "render_init": on_render_start, "render_complete": on_render_end, "render_cancel": on_render_end,
            "save_pre": on_save_start, "save_post": on_save_end, "save_post_fail": on_save_end}


def register():
    for name, function in HANDLERS.items():
        getattr(bpy.app.handlers, name).append(function)


def unregister():
    for name, function in HANDLERS.items():
        handlers = getattr(bpy.app.handlers, name)
        if function in handlers:
            handlers.remove(function)
