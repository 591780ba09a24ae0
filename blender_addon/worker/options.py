"""The preferences as values: where the worker's Python is, on what device it computes, where the checkpoints lie."""
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import bpy

PACKAGE = __name__.rpartition(".blender_addon.")[0] or "blender_addon"  # of the extension: bl_ext.user_default.baton
NO_PYTHON = "Baton has no runtime yet: press Set Up Runtime in the preferences of Baton (Edit > Preferences > Add-ons)"


def get():
    """The add-on's preferences; defaults where Baton runs as a plain module (tests, development)."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    if addon is not None and addon.preferences is not None:
        return addon.preferences
    return SimpleNamespace(python="", device="AUTO", checkpoints="", idle_minutes=15.0, wheels="", smpl_folder="",
                           smplx=False, torch="AUTO")


def user_folder(create=False):
    """The extension's own folder for user files; None where Baton is no extension."""
    if not PACKAGE.startswith("bl_ext."):
        return None
    return Path(bpy.utils.extension_path_user(PACKAGE, create=create))


def log_folder():
    """Where workers stand and log. Not Blender's session folder: loading another file or the factory settings may
    remove it under a running worker."""
    folder = user_folder(create=True)
    return folder / "logs" if folder is not None else Path(tempfile.gettempdir()) / f"baton-logs-{os.getpid()}"


def runtime_python():
    """Python of the runtime made by Set Up Runtime, or None where it is missing or unfinished."""
    from . import runtime
    folder = user_folder()
    return runtime.ready_python(folder / "runtime") if folder is not None else None


def worker_python():
    """The worker's interpreter: the one named in the preferences, else the runtime,
    else $BATON_WORKER_PYTHON, or ""."""
    named = get().python
    if named:
        return bpy.path.abspath(named)
    return str(runtime_python() or os.environ.get("BATON_WORKER_PYTHON", ""))
