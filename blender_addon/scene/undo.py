"""One undo step per result: writes made in a timer would otherwise melt into the user's last step."""
from contextlib import nullcontext

import bpy


def in_window():
    """`with in_window()`: a window for what is inside, also in a timer, where Blender names none."""
    windows = bpy.context.window_manager.windows
    if bpy.context.window is None and len(windows):
        return bpy.context.temp_override(window=windows[0])
    return nullcontext()


def push(message):
    """What was written since the last step becomes a step of its own."""
    if bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(message=message)
