"""The preferences of Baton and their page."""
import shutil

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, StringProperty

from ..scene.stats import timed
from ..worker import manager as jobs
from ..worker import options as prefs
from ..worker import runtime
from .operators import preferences as operators_prefs
from .panels.text import wrap
from .translations import CONTEXT, said

DEVICES = [("AUTO", "Automatic", "CUDA or Metal where there is one, else the processor"),
           ("CUDA", "CUDA", "NVIDIA graphics card"), ("MPS", "Metal", "Apple graphics"),
           ("CPU", "CPU", "Processor")]


class BatonPreferences(bpy.types.AddonPreferences):
    bl_idname = prefs.PACKAGE

    python: StringProperty(
        name="Python", subtype="FILE_PATH",
        description="Interpreter of an existing environment for the worker; empty uses the one that Set Up Runtime "
        "made")
    device: EnumProperty(name="Device", items=DEVICES, default="AUTO", description="Where the worker computes")
    checkpoints: StringProperty(
        name="Checkpoints", subtype="DIR_PATH",
        description="Folder with further or newer checkpoints; empty uses those of the extension")
    idle_minutes: FloatProperty(
        name="Idle Time (min)", min=0.5, max=600.0, default=15.0,
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
        draw(self, context)


@timed
def draw(preferences, context):
    layout = preferences.layout
    layout.use_property_split = True
    _runtime(layout.box(), preferences)
    box = layout.box()
    box.label(text="Worker", text_ctxt=CONTEXT)
    for name in ("python", "device", "checkpoints", "idle_minutes"):
        box.prop(preferences, name)
    row = box.row(align=True)
    row.operator("baton.check", icon="CHECKMARK")
    row.operator("baton.stop_worker", icon="CANCEL")
    _job(box)
    box = layout.box()
    box.label(text="SMPL Body Models", text_ctxt=CONTEXT)
    box.label(text="Models and the smplx package have terms of their own: non-commercial use only", icon="INFO",
              text_ctxt=CONTEXT)
    box.prop(preferences, "smpl_folder")
    box.prop(preferences, "smplx")


def _runtime(box, preferences):
    setup = operators_prefs.setup
    folder = prefs.user_folder()
    box.label(text="Runtime", text_ctxt=CONTEXT)
    if folder is not None:
        text, icon = state(preferences, folder / "runtime")
        box.label(text=said(text), icon=icon, translate=False)
    box.prop(preferences, "torch")
    box.prop(preferences, "wheels")
    if not preferences.wheels and not bpy.app.online_access:
        box.label(text="Online access is off", text_ctxt=CONTEXT, icon="INTERNET_OFFLINE")
        box.prop(bpy.context.preferences.system, "use_online_access")
    if setup is not None and setup.running:
        row = box.row(align=True)
        row.progress(factor=setup.fraction, text=said(setup.step), type="BAR", translate=False)
        row.operator("baton.cancel_setup", text="", icon="CANCEL")
    else:
        row = box.row(align=True)
        row.operator("baton.setup_runtime", icon="IMPORT")
        row.operator("baton.copy_report", icon="COPYDOWN")
        if setup is not None and setup.error:
            line = box.row()
            line.alert = True
            line.label(text=said(setup.error), icon="ERROR", translate=False)


def state(preferences, folder):
    """(sentence, icon) about the worker's Python: one that works is never called missing."""
    own, python = runtime.ready_python(folder), prefs.worker_python()
    if python and str(own) != python:
        found = shutil.which(python) is not None
        return (f"In use: {python}", "CHECKMARK") if found else (f"There is no Python at {python}", "ERROR")
    if own is None:
        cuda = operators_prefs.backend_of(preferences) == "cuda"
        loaded, stored = runtime.SIZES["cuda" if cuda else "cpu"]
        return f"Not set up yet: {loaded:g} GB are downloaded once, {stored:g} GB stored", "INFO"
    if not runtime.is_current(folder, operators_prefs.lock_path()):
        return "Made for another version of Baton; set it up again", "ERROR"
    return f"Ready: {own}", "CHECKMARK"


def _job(box):
    job, last = jobs.manager.job, jobs.manager.last
    if job is not None:
        box.progress(factor=job.fraction or 0.0, text=f"{said(job.title)}: {said(job.phase)}", type="BAR",
                     translate=False)
    elif last is not None and last.kind == "doctor":
        for number, line in enumerate(wrap(said(last.message), 90)):
            icon = ("CHECKMARK" if last.state == "done" else "ERROR") if number == 0 else "BLANK1"
            box.label(text=line, icon=icon, translate=False)


def register():
    if prefs.PACKAGE.startswith("bl_ext."):
        bpy.utils.register_class(BatonPreferences)


def unregister():
    if prefs.PACKAGE.startswith("bl_ext."):
        bpy.utils.unregister_class(BatonPreferences)
