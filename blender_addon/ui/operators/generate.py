"""Generate (one operator a system), Detect Beats, Cancel: operators only translate and report."""
import random
from types import SimpleNamespace

import bpy

from ....core.contract import systems as registry
from ...errors import UserError
from ...flows import beats
from ...flows.generate import flow_class, flows_of
from ...scene import bone_map, compat, strips, usable
from ...scene import settings as scene_settings
from ...worker import manager as jobs
from ..translations import said
from .base import JobOperator, has_rig, idle, possible


class GenerateOperator(JobOperator):
    """Base: makes what a system makes of the scene; `system(context)` says which."""

    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context):
        system = cls.system(context)
        if system is None:
            cls.poll_message_set(said("There is no system for this yet"))
            return False
        return ready(cls, context, system)

    def makers(self, context):
        return [one.job for one in flows_of(context, self.system(context))]


def ready(cls, context, system):
    """A job of the system can begin; else `cls.poll_message_set` gets the reason."""
    writes = system.direction.name != "to_sound"
    return idle(cls) and has_rig(cls, context, writes) and possible(cls, flow_class(system).check, context, system)


def reason(context, system) -> str:
    """Why the system's button is grey, in one sentence; "" where it is not."""
    told = []
    return "" if ready(SimpleNamespace(poll_message_set=told.append), context, system) else told[-1]


def _of_system(system):
    return type(f"BATON_OT_generate_{system.name}", (GenerateOperator, bpy.types.Operator), {
        "__doc__": system.tip, "bl_idname": f"baton.generate_{system.name}", "bl_label": system.button,
        "system": classmethod(lambda cls, context: system)})


def _of_direction(direction, name, label):
    def system(cls, context):
        return scene_settings.chosen(context.scene, scene_settings.direction(direction))
    return type(f"BATON_OT_generate_{name}", (GenerateOperator, bpy.types.Operator), {
        "__doc__": f"{label} with the model that is chosen in the panel", "bl_label": label,
        "bl_idname": f"baton.generate_{name}", "system": classmethod(system)})


# A button for each system, and one for each direction that takes the system chosen there.
GENERATE = (*(_of_system(system) for system in registry.systems().values()),
            _of_direction("to_sound", "music", "Generate Music"),
            _of_direction("to_motion", "conducting", "Generate Conducting"),
            _of_direction("to_both", "both", "Generate Dance and Music"))


class BATON_OT_detect_beats(JobOperator, bpy.types.Operator):
    """Find the beats and show them as timeline markers that you can drag, delete and add to"""

    bl_idname = "baton.detect_beats"
    bl_label = "Detect Beats"
    bl_options = {"REGISTER"}

    source: bpy.props.EnumProperty(
        name="Source", default="MOTION",
        items=[("MOTION", "Motion", "Beats of the rig's motion"),
               ("STRIP", "Strip", "Beats of the selected sound strip")])

    @classmethod
    def poll(cls, context):
        if not idle(cls):
            return False
        if bone_map.find_rig(context) is None and strips.sound_strip(context)[1] is None:
            cls.poll_message_set(said("Select an armature or a sound strip"))
            return False
        return True

    def make_job(self, context):
        if self.source == "MOTION":
            rig = bone_map.find_rig(context)
            if rig is None:
                raise UserError("Select an armature first")
            return beats.motion_job(context, rig)
        scene, strip = strips.sound_strip(context)
        if strip is None:
            raise UserError("Select a sound strip in the sequencer first")
        return beats.strip_job(context, scene, strip)


class BATON_OT_cancel(bpy.types.Operator):
    """Stop the running job; nothing is left behind"""

    bl_idname = "baton.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context):
        if jobs.manager.job is None:
            cls.poll_message_set(said("Nothing is running"))
            return False
        return True

    def execute(self, context):
        jobs.manager.cancel()
        return {"FINISHED"}


class BATON_OT_escape(bpy.types.Operator):
    """Lets Esc stop the running job in each of its phases; ends with it"""

    bl_idname = "baton.escape"
    bl_label = "Baton: Esc Stops the Job"
    bl_options = {"INTERNAL"}

    def invoke(self, context, event):
        if context.window is None:
            return {"CANCELLED"}
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        if jobs.manager.job is None:
            return {"FINISHED", "PASS_THROUGH"}
        if event.type == "ESC" and event.value == "PRESS" and not usable.playing():     # there Esc ends the playback
            jobs.manager.cancel()
            return {"FINISHED"}
        return {"PASS_THROUGH"}


class BATON_OT_random_seed(bpy.types.Operator):
    """Choose another seed"""

    bl_idname = "baton.random_seed"
    bl_label = "Randomise Seed"
    bl_options = {"REGISTER", "UNDO"}

    system: bpy.props.StringProperty(name="System", description="Name of the system whose seed it is; empty: of all",
                                     options={"SKIP_SAVE"})

    def execute(self, context):
        seed = random.randrange(1, 1_000_000)
        for name, system in registry.systems().items():
            if "seed" in system.settings and self.system in ("", name):
                scene_settings.group(context.scene, system).seed = seed
        return {"FINISHED"}


class BATON_OT_dismiss(bpy.types.Operator):
    """Hide the message of the last job"""

    bl_idname = "baton.dismiss"
    bl_label = "Dismiss"
    bl_options = {"INTERNAL"}

    def execute(self, context):
        jobs.manager.last = None
        return {"FINISHED"}


class BATON_OT_playback(bpy.types.Operator):
    """Let playback drop frames to stay with the sound, or let the sound be heard while scrubbing"""

    bl_idname = "baton.playback"
    bl_label = "Sync to Audio"
    bl_options = {"REGISTER", "UNDO"}

    what: bpy.props.EnumProperty(items=[("SYNC", "Sync to Audio", "Playback follows the sound"),
                                        ("SCRUB", "Scrub", "Hear the sound while scrubbing")])

    def execute(self, context):
        for scene in {context.scene, compat.sequencer_scene(context)}:
            if self.what == "SYNC":
                scene.sync_mode = "AUDIO_SYNC"
            else:
                scene.use_audio_scrub = True
        return {"FINISHED"}


CLASSES = (*GENERATE, BATON_OT_detect_beats, BATON_OT_cancel, BATON_OT_escape, BATON_OT_random_seed, BATON_OT_dismiss,
           BATON_OT_playback)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
