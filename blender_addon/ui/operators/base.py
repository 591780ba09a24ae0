"""What the operators share: a job that is started or waited for, an act whose errors are reported,
reasons for grey buttons."""
import traceback

import bpy

from ...errors import Cancelled, UserError
from ...scene import beat_markers as beats
from ...scene import bone_map, usable
from ...scene.whole import whole
from ...worker import manager as jobs
from ...worker import options as prefs
from ...worker.queue import queue
from ..translations import said


class ActOperator:
    """Base: `act(context)` does it at once, whole or not at all, and may return a sentence; a UserError is reported."""

    def execute(self, context):
        try:
            with whole([bone_map.find_rig(context)]):
                sentence = self.act(context)
                sentence = said(sentence) if sentence else ""
        except Exception as error:  # noqa: BLE001 - the boundary of a button: whatever it is, the user gets a sentence
            return refused(self, error)
        if sentence:
            self.report({"INFO"}, sentence)
        return {"FINISHED"}


def refused(operator, error):
    """Reports why an act failed, and is what its operator returns. What Baton did not foresee leaves its traceback to
    *Copy Report*. A sentence that cannot be translated is said in English."""
    if isinstance(error, (UserError, Cancelled)):
        sentence = str(error)
        try:
            sentence = said(sentence)
        except Exception as lost:  # noqa: BLE001 - a fault in the catalogue must not cost the user the reason
            jobs.fault(operator.bl_label, "".join(traceback.format_exception(lost)))
    else:
        sentence = jobs.fault(operator.bl_label, "".join(traceback.format_exception(error)))
    operator.report({"ERROR"}, sentence)
    return {"CANCELLED"}


class JobOperator:
    """Base: `make_job(context)`, or `makers(context)` for several, one after the other. Clicked, it starts them and
    returns; called from a script, it waits for the end."""

    dialog = False                                              # whether invoke opens a dialog that execute follows

    def makers(self, context):
        """Functions that give the jobs. Raises UserError where one of them cannot be."""
        job = self.make_job(context)
        return [lambda: job]

    def at_once(self, context):
        """What the operator returns where no job is needed, or None."""

    def invoke(self, context, event):
        try:
            return self.at_once(context) or (self._waited if bpy.app.background else self._started)(context)
        except Exception as error:  # noqa: BLE001 - as in ActOperator
            return refused(self, error)

    def execute(self, context):
        try:
            confirmed = self.dialog and self.options.is_invoke and not bpy.app.background
            return self.at_once(context) or (self._started if confirmed else self._waited)(context)
        except Exception as error:  # noqa: BLE001 - as in ActOperator
            return refused(self, error)

    def _started(self, context):
        job = queue.start(self.makers(context))
        for text in job.warnings:                               # what is known before it has begun: unsure bones
            self.report({"WARNING"}, said(text))
        bpy.ops.baton.escape("INVOKE_DEFAULT")
        return {"FINISHED"}

    def _waited(self, context):
        message, warnings = queue.run_blocking(self.makers(context))
        for text in warnings:
            self.report({"WARNING"}, said(text))
        self.report({"INFO"}, said(message))
        return {"FINISHED"}


# --- polls: a grey button says why -----------------------------------------------------------------------------------

def possible(cls, check, *arguments):
    """`check(*arguments)` raises no UserError; says its sentence otherwise."""
    try:
        check(*arguments)
    except UserError as error:
        cls.poll_message_set(said(str(error)))
        return False
    return True


def not_working(cls):
    """No job is running."""
    if jobs.manager.job is not None:
        cls.poll_message_set(said("Baton is working; wait or press Cancel"))
        return False
    return True


def idle(cls):
    """No job is running, nothing plays (jobs read and write what a playback moves), and there is a runtime."""
    if not not_working(cls):
        return False
    if usable.playing():
        cls.poll_message_set(said("Stop the playback first"))
        return False
    if not prefs.worker_python():
        cls.poll_message_set(said(prefs.NO_PYTHON))
        return False
    return True


def has_rig(cls, context, writes=True):
    """There is an armature to read, or with `writes` to give a take, with a usable bone map."""
    chosen = context.scene.baton.rig
    if chosen is not None and chosen.name not in context.scene.objects:
        return possible(cls, usable.check, chosen, context.scene)
    if not NeedsRig.poll.__func__(cls, context):
        return False
    rig = bone_map.find_rig(context)
    if not possible(cls, usable.check, rig, context.scene, writes):
        return False
    if any(row.bone for row in rig.baton.bones):
        lacking = bone_map.missing(rig)
        if lacking:
            cls.poll_message_set(said(f"The bone map lacks {', '.join(bone_map.label(j) for j in lacking[:4])}"
                                      f"{' and others' if len(lacking) > 4 else ''}"))
            return False
    return True


class NeedsRig:
    @classmethod
    def poll(cls, context):
        if bone_map.find_rig(context) is None:
            cls.poll_message_set(said("Select an armature or a character that is bound to one"))
            return False
        return True


class NeedsMarkers:
    @classmethod
    def poll(cls, context):
        return possible(cls, beats.require_markers, context.scene)
