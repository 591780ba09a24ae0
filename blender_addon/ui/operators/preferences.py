"""Set Up Runtime, Check and what belongs to them."""
import json
import shutil

import bpy

from ....core import contract
from ...flows import beats
from ...scene import compat
from ...scene.stats import timed
from ...worker import manager as jobs
from ...worker import options as prefs
from ...worker import runtime
from ..translations import said
from .base import JobOperator, idle

SMPLX = ("smplx==0.1.28 --hash=sha256:c3a1e2c3069cdf7a4b34fd250c2484c8bb1a4fd9c14490da9359af5fbc64fbe6 "
         "--hash=sha256:e8ff3d278a015c097dc86d44a38475da4ac170042943c84c08eee433629406a7")
setup = None  # the RuntimeSetup that runs or ran last


def lock_path():
    return contract.ROOT / "core" / "contract" / "runtime-lock.txt"


def backend_of(options):
    """"cuda" or "cpu": the build of PyTorch that the preferences mean on this machine."""
    if options.torch == "AUTO":
        return "cuda" if shutil.which("nvidia-smi") else "cpu"
    return options.torch.lower()


@timed
def _watch():
    """Timer: redraws the preferences while the set-up runs."""
    compat.tag_redraw_all()
    if setup is not None and setup.running:
        return 0.3
    jobs.manager.renew_worker()  # the next job starts with the new environment
    return None


class BATON_OT_setup_runtime(bpy.types.Operator):
    """Make the worker's own Python environment in the extension's user folder; Blender's Python stays untouched"""

    bl_idname = "baton.setup_runtime"
    bl_label = "Set Up Runtime"

    @classmethod
    def poll(cls, context):
        if setup is not None and setup.running:
            cls.poll_message_set(said("The set-up is running"))
            return False
        if prefs.user_folder() is None:
            cls.poll_message_set(said("Install Baton as an extension first"))
            return False
        if not prefs.get().wheels and not bpy.app.online_access:
            cls.poll_message_set(said("Allow Online Access in Preferences > System, or name a folder of wheels"))
            return False
        return True

    def execute(self, context):
        global setup
        options = prefs.get()
        backend = backend_of(options)
        constraints = lock_path().with_name("runtime-constraints.txt").read_text(encoding="utf-8")
        setup = runtime.RuntimeSetup(
            prefs.user_folder(create=True) / "runtime", lock_path(), backend=backend, constraints=constraints,
            wheels=bpy.path.abspath(options.wheels) if options.wheels else None, extras=(SMPLX,) if options.smplx
            else ())
        setup.start()
        if bpy.app.background:
            setup.join()
            if setup.error:
                self.report({"ERROR"}, said(setup.error))
                return {"CANCELLED"}
        else:
            bpy.app.timers.register(_watch, first_interval=0.3, persistent=True)
        return {"FINISHED"}


class BATON_OT_cancel_setup(bpy.types.Operator):
    """Stop the set-up; the next one goes on where this one stopped"""

    bl_idname = "baton.cancel_setup"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context):
        return setup is not None and setup.running

    def execute(self, context):
        setup.cancel()
        return {"FINISHED"}


class BATON_OT_copy_report(bpy.types.Operator):
    """Copy the report of the set-up, of the last check and of faults of Baton's own to the clipboard"""

    bl_idname = "baton.copy_report"
    bl_label = "Copy Report"

    @classmethod
    def poll(cls, context):
        if setup is None and not getattr(prefs.get(), "report", "") and not jobs.faults:
            cls.poll_message_set(said("Nothing was set up or checked yet, and nothing went wrong"))
            return False
        return True

    def execute(self, context):
        parts = [setup.report()] if setup is not None else []
        parts += [getattr(prefs.get(), "report", ""), *jobs.faults]
        context.window_manager.clipboard = "\n\n".join(filter(None, parts))
        return {"FINISHED"}


class BATON_OT_check(JobOperator, bpy.types.Operator):
    """Start the worker and let it examine versions, device and checkpoints"""

    bl_idname = "baton.check"
    bl_label = "Check"

    @classmethod
    def poll(cls, context):
        return idle(cls)

    def make_job(self, context):
        def report(findings):
            options = prefs.get()
            if hasattr(options, "report"):
                options.report = json.dumps(findings, indent=1)
        return beats.doctor_job(report)


class BATON_OT_stop_worker(bpy.types.Operator):
    """End the worker process and free its memory; the next job starts it again"""

    bl_idname = "baton.stop_worker"
    bl_label = "Stop Worker"

    @classmethod
    def poll(cls, context):
        if not jobs.manager.worker_alive:
            cls.poll_message_set(said("The worker is not running"))
            return False
        return True

    def execute(self, context):
        jobs.manager.abort("The worker was stopped")
        jobs.manager.stop_worker()
        return {"FINISHED"}


class BATON_OT_open_preferences(bpy.types.Operator):
    """Open the preferences of Baton"""

    bl_idname = "baton.open_preferences"
    bl_label = "Open Preferences"

    @classmethod
    def poll(cls, context):
        if bpy.app.background:
            cls.poll_message_set(said("There is no window"))
            return False
        return True

    def execute(self, context):
        bpy.ops.preferences.addon_show(module=prefs.PACKAGE)
        return {"FINISHED"}


CLASSES = (BATON_OT_setup_runtime, BATON_OT_cancel_setup, BATON_OT_copy_report, BATON_OT_check, BATON_OT_stop_worker,
           BATON_OT_open_preferences)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister():
    if setup is not None:
        setup.cancel()
    if bpy.app.timers.is_registered(_watch):
        bpy.app.timers.unregister(_watch)
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
