"""Preferences: where the worker's Python is, on what device it computes, where the checkpoints lie."""
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, StringProperty

PACKAGE = __name__.rpartition(".blender_addon.")[0] or "blender_addon"  # of the extension: bl_ext.user_default.baton
NO_PYTHON = "Baton has no runtime yet: press Set Up Runtime in the preferences of Baton (Edit > Preferences > Add-ons)"

DEVICES = [("AUTO", "Automatic", "CUDA or Metal where there is one, else the processor"),
           ("CUDA", "CUDA", "NVIDIA graphics card"), ("MPS", "Metal", "Apple graphics"),
           ("CPU", "CPU", "Processor")]


def get():
    """The add-on's preferences; defaults where Baton runs as a plain module (tests, development)."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    if addon is not None and addon.preferences is not None:
        return addon.preferences
    return SimpleNamespace(python="", device="AUTO", checkpoints="", idle_minutes=15.0, wheels="", smpl_folder="", smplx=False,
                           torch="AUTO")


def user_folder(create=False):
    """The extension's own folder for user files; None where Baton is no extension."""
    if not PACKAGE.startswith("bl_ext."):
        return None
    return Path(bpy.utils.extension_path_user(PACKAGE, create=create))


def log_folder():
    """Where workers stand and log. Not Blender's session folder: loading another file or the factory settings may remove it
    under a running worker."""
    folder = user_folder(create=True)
    return folder / "logs" if folder is not None else Path(tempfile.gettempdir()) / f"baton-logs-{os.getpid()}"


def runtime_python():
    """Python of the runtime made by Set Up Runtime, or None where it is missing or unfinished."""
    from . import runtime
    folder = user_folder()
    return runtime.ready_python(folder / "runtime") if folder is not None else None


def worker_python():
    """The worker's interpreter: the one named in the preferences, else the runtime, else $BATON_WORKER_PYTHON, or ""."""
    named = get().python
    if named:
        return bpy.path.abspath(named)
    return str(runtime_python() or os.environ.get("BATON_WORKER_PYTHON", ""))


class BatonPreferences(bpy.types.AddonPreferences):
    bl_idname = PACKAGE

    python: StringProperty(
        name="Python", subtype="FILE_PATH",
        description="Interpreter of an existing environment for the worker; empty uses the one that Set Up Runtime made")
    device: EnumProperty(name="Device", items=DEVICES, default="AUTO", description="Where the worker computes")
    checkpoints: StringProperty(
        name="Checkpoints", subtype="DIR_PATH",
        description="Folder with further or newer checkpoints; empty uses those of the extension")
    idle_minutes: FloatProperty(
        name="Idle Time", min=0.5, max=600.0, default=15.0,
        description="Minutes without a job after which the worker ends and frees its memory")
    wheels: StringProperty(
        name="Wheels", subtype="DIR_PATH",
        description="Folder with downloaded wheels; when given, Set Up Runtime needs no network")
    torch: EnumProperty(
        name="PyTorch", default="AUTO", description="Which build of PyTorch Set Up Runtime installs",
        items=[("AUTO", "Automatic", "CUDA where an NVIDIA driver is found, else the processor's"),
               ("CPU", "CPU", "The smaller build for the processor"), ("CUDA", "CUDA", "For NVIDIA graphics cards")])
    smpl_folder: StringProperty(
        name="SMPL Models", subtype="DIR_PATH",
        description="Folder with SMPL body models that you obtained under their own terms; not needed otherwise")
    smplx: BoolProperty(
        name="Install smplx", default=False,
        description="Set Up Runtime also installs the smplx package; its licence allows non-commercial use only")
    report: StringProperty(options={"SKIP_SAVE", "HIDDEN"})

    def draw(self, context):
        from ..ui import preferences
        preferences.draw(self, context)


def register():
    if PACKAGE.startswith("bl_ext."):
        bpy.utils.register_class(BatonPreferences)


def unregister():
    if PACKAGE.startswith("bl_ext."):
        bpy.utils.unregister_class(BatonPreferences)
