"""The page of Baton in Blender's preferences."""
import bpy

from ..scene.stats import timed
from ..worker import manager as jobs
from ..worker import options as prefs
from ..worker import runtime
from .operators import preferences as operators_prefs


@timed
def draw(preferences, context):
    layout = preferences.layout
    layout.use_property_split = True
    _runtime(layout.box(), preferences)
    box = layout.box()
    box.label(text="Worker")
    for name in ("python", "device", "checkpoints", "idle_minutes"):
        box.prop(preferences, name)
    row = box.row(align=True)
    row.operator("baton.check", icon="CHECKMARK")
    row.operator("baton.stop_worker", icon="CANCEL")
    _job(box)
    box = layout.box()
    box.label(text="SMPL Body Models")
    box.label(text="Models and the smplx package have terms of their own: non-commercial use only", icon="INFO")
    box.prop(preferences, "smpl_folder")
    box.prop(preferences, "smplx")


def _runtime(box, preferences):
    setup = operators_prefs.setup
    folder = prefs.user_folder()
    box.label(text="Runtime")
    if folder is not None:
        python = runtime.ready_python(folder / "runtime")
        if python is None:
            box.label(text="Not set up yet: about 1 GB is downloaded once (CUDA 4 GB)", icon="INFO")
        elif not runtime.is_current(folder / "runtime", operators_prefs.lock_path()):
            box.label(text="Made for another version of Baton; set it up again", icon="ERROR")
        else:
            box.label(text=f"Ready: {python}", icon="CHECKMARK")
    box.prop(preferences, "torch")
    box.prop(preferences, "wheels")
    if not preferences.wheels and not bpy.app.online_access:
        box.label(text="Online access is off", icon="INTERNET_OFFLINE")
        box.prop(bpy.context.preferences.system, "use_online_access")
    if setup is not None and setup.running:
        row = box.row(align=True)
        row.progress(factor=setup.fraction, text=setup.step, type="BAR")
        row.operator("baton.cancel_setup", text="", icon="CANCEL")
    else:
        row = box.row(align=True)
        row.operator("baton.setup_runtime", icon="IMPORT")
        row.operator("baton.copy_report", icon="COPYDOWN")
        if setup is not None and setup.error:
            line = box.row()
            line.alert = True
            line.label(text=setup.error, icon="ERROR")


def _job(box):
    job, last = jobs.manager.job, jobs.manager.last
    if job is not None:
        box.progress(factor=job.fraction or 0.0, text=f"{job.title}: {job.phase}", type="BAR")
    elif last is not None and last.kind == "doctor":
        from .panels import wrap
        for number, line in enumerate(wrap(last.message, 90)):
            icon = ("CHECKMARK" if last.state == "done" else "ERROR") if number == 0 else "BLANK1"
            box.label(text=line, icon=icon)
