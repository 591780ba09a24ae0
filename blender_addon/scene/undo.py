"""One undo step per result: writes made in a timer would otherwise melt into the user's last step."""
from contextlib import contextmanager

import bpy


@contextmanager
def one_step(message):
    """What is written inside becomes one step of its own; nothing is pushed when it raises."""
    windows = bpy.context.window_manager.windows
    if bpy.context.window is None and len(windows):
        with bpy.context.temp_override(window=windows[0]):
            yield
            _push(message)
    else:
        yield
        _push(message)


def _push(message):
    if bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(message=message)
