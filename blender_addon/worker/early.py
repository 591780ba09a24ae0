"""The worker begins before the first click: its Python takes seconds to load PyTorch, and those would be waited for.

It begins where a button that needs it is drawn and can be pressed, once a session: one that has ended when idle, or was
stopped, is not started again by mere drawing.
"""
import sys

import bpy

from . import manager as jobs

SECONDS = 0.5                   # after the drawing: the window comes first


def soon():
    """Have the worker started shortly; called by panels while they draw, so it must cost nothing."""
    if not (_background() or jobs.manager.begun or bpy.app.timers.is_registered(_begin)):
        bpy.app.timers.register(_begin, first_interval=SECONDS)


def _begin():
    try:
        jobs.manager.begin_early()
    except OSError as error:    # nobody has asked for anything yet: the first job tries again, and says it in the panel
        print(f"Baton's worker was not started early: {error}", file=sys.stderr)


def _background():
    return bpy.app.background


def register():
    """For the add-on's list of modules: there is nothing until something is drawn."""


def unregister():
    if bpy.app.timers.is_registered(_begin):
        bpy.app.timers.unregister(_begin)
