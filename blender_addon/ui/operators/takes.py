"""Solo, mute, keep, remove and redo a take, or a range of it."""
import json

import bpy
from bpy_extras.io_utils import ExportHelper

from ....core.contract import systems as registry
from ...errors import UserError
from ...flows import again, import_motion, ranges
from ...flows.generate import flow
from ...scene import bake, playing, settling, sound_files, takes
from ...scene import beat_markers as beats
from ...scene.timebase import scene_fps
from ...worker import manager as jobs
from ..translations import said
from .base import ActOperator, JobOperator, idle, possible


LEVELS = [("HALF", "Half Time", "Every second beat"), ("DOUBLE", "Double Time", "A beat between each two")]


def meant(context):
    """The take that a button is for, as the panel tells while it draws (`baton_take`); else the active one, or None."""
    return getattr(context, "baton_take", None) or takes.active(context.scene)


class TakeOperator(ActOperator):
    """Base: `on_take(scene, take)` acts on the take called `name`, else on the active one."""

    name: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context):
        if len(context.scene.baton.takes) == 0:
            cls.poll_message_set(said("There is no take yet"))
            return False
        return True

    def take(self, context):
        found = context.scene.baton.takes.get(self.name) if self.name else takes.active(context.scene)
        if found is None:
            raise UserError(f"There is no take {self.name!r}.")
        return found

    def act(self, context):
        return self.on_take(context.scene, self.take(context))


class BATON_OT_solo_take(TakeOperator, bpy.types.Operator):
    """Play this take alone of those it overlaps, kept or not; pressed again, give back what played before"""

    bl_idname = "baton.solo_take"
    bl_label = "Solo Take"
    bl_options = {"REGISTER", "UNDO"}

    def on_take(self, scene, take):
        takes.solo(scene, take.name)


class BATON_OT_mute_take(TakeOperator, bpy.types.Operator):
    """Silence the take, or play it alone of those it overlaps"""

    bl_idname = "baton.mute_take"
    bl_label = "Mute Take"
    bl_options = {"REGISTER", "UNDO"}

    def on_take(self, scene, take):
        if take.audible:
            playing.mute(scene, take)
        else:
            playing.play(scene, take)


class BATON_OT_keep_take(TakeOperator, bpy.types.Operator):
    """Make the take your own; its sound file moves beside the saved file"""

    bl_idname = "baton.keep_take"
    bl_label = "Keep Take"
    bl_options = {"REGISTER", "UNDO"}

    def on_take(self, scene, take):
        return takes.keep(scene, take.name)


class BATON_OT_bake_take(TakeOperator, bpy.types.Operator):
    """Write the take's keys into the rig's own action, for export; outside the take nothing moves"""

    bl_idname = "baton.bake_take"
    bl_label = "Bake Take"
    bl_options = {"REGISTER", "UNDO"}

    def on_take(self, scene, take):
        return bake.bake(scene, take.name)


class BATON_OT_remove_take(TakeOperator, bpy.types.Operator):
    """Remove the take; rig and timeline are as they were before it"""

    bl_idname = "baton.remove_take"
    bl_label = "Remove Take"
    bl_options = {"REGISTER", "UNDO"}

    def on_take(self, scene, take):
        return takes.remove(scene, take.name)


class BATON_OT_take_beats(TakeOperator, bpy.types.Operator):
    """Show the beats of the take as markers, to drag them for the next one"""

    bl_idname = "baton.take_beats"
    bl_label = "Beats to Markers"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        take = meant(context)
        if take is None or not take.beats:
            cls.poll_message_set(said("The active take has no beats"))
            return False
        return True

    def on_take(self, scene, take):
        if not take.beats:
            raise UserError(f"{take.name} has no beats")
        beats.show(scene, takes.beats_of(take), take.frame_start, scene_fps(scene.render),
                   {"take": playing.key_of(take)})


class BATON_OT_copy_recipe(TakeOperator, bpy.types.Operator):
    """Copy the take's recipe (system, checkpoint, seed, settings, beats) to the clipboard"""

    bl_idname = "baton.copy_recipe"
    bl_label = "Copy Recipe"

    def on_take(self, scene, take):
        bpy.context.window_manager.clipboard = json.dumps(takes.recipe_of(take), indent=1)
        return f"Recipe of {take.name} copied"


class BATON_OT_delete_unused(ActOperator, bpy.types.Operator):
    """Delete the sound files of removed takes that nothing in this file plays; asks first"""

    bl_idname = "baton.delete_unused"
    bl_label = "Delete Unused"

    @classmethod
    def poll(cls, context):
        if not settling.unused(context.scene):
            cls.poll_message_set(said("No sound file of a removed take is left on disk"))
            return False
        return True

    def invoke(self, context, event):
        files = settling.unused(context.scene)
        size = sum(path.stat().st_size for path in files) / 1e6
        names = ", ".join(path.name for path in files[:4]) + (" ..." if len(files) > 4 else "")
        return context.window_manager.invoke_confirm(
            self, event, title="Delete Sound Files for Good", confirm_text="Delete", icon="WARNING",
            message=f"{len(files)} ({size:.1f} MB): {names}. Undo does not bring them back")

    def act(self, context):
        gone, size = settling.delete_unused(context.scene)
        if gone == 1:
            return f"1 file deleted ({size / 1e6:.1f} MB)"
        return f"{gone} files deleted ({size / 1e6:.1f} MB)"


class RedoOperator(JobOperator):
    """Base: asks the request of a take again, as `request(scene, take)` gives it."""

    name: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context):
        return TakeOperator.poll.__func__(cls, context) and idle(cls)

    def make_job(self, context):
        take = TakeOperator.take(self, context)
        request, rig = self.request(context.scene, take), take.rig
        if rig is None or not rig.users_scene:
            raise UserError(f"The rig of {take.name} is gone.")
        if "system" not in request:
            return import_motion.job(context, rig, request)
        system = registry.systems().get(request["system"])
        if system is None:
            raise UserError(f"{take.name} was made with {request['system']}, which this Baton does not have")
        return flow(context, system, rig, request).job()


class BATON_OT_redo_take(RedoOperator, bpy.types.Operator):
    """Make the take again from the scene as it is, dragged beat markers too; if nothing changed, with another seed"""

    bl_idname = "baton.redo_take"
    bl_label = "Redo Take"
    bl_options = {"REGISTER"}

    def request(self, scene, take):
        return again.request(scene, take)


class BATON_OT_redo_level(RedoOperator, bpy.types.Operator):
    """Make the take again on half or double the beats, where they were read at the wrong level"""

    bl_idname = "baton.redo_level"
    bl_label = "Redo at Half / Double Time"
    bl_options = {"REGISTER"}

    factor: bpy.props.EnumProperty(items=LEVELS)

    def request(self, scene, take):
        return again.at_level(again.request(scene, take), self.factor, takes.recipe_of(take).get("beats_from"))


class BATON_OT_redo_range(RedoOperator, bpy.types.Operator):
    """Make a range of the take anew with another seed, as a further take; the rest stays, the ends are blended"""

    bl_idname = "baton.redo_range"
    bl_label = "Redo Range"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context):
        if not super().poll(context):
            return False
        take = meant(context)
        if take is not None and takes.has_motion(take) and not take.audible:
            cls.poll_message_set(said("Solo the take first: what stays of it is read from the rig"))
            return False
        return possible(cls, ranges.chosen, context.scene)

    def request(self, scene, take):
        return ranges.request(scene, take)


class BATON_OT_save_take_as(ActOperator, bpy.types.Operator, ExportHelper):
    """The sound was made but could not be put where it belongs: choose another place for it"""

    bl_idname = "baton.save_take_as"
    bl_label = "Save Take As"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".wav"
    filter_glob: bpy.props.StringProperty(default="*.wav", options={"HIDDEN"})

    @classmethod
    def poll(cls, context):
        if jobs.manager.unplaced is None:
            cls.poll_message_set(said("There is no take that waits to be saved"))
            return False
        return True

    def act(self, context):
        with sound_files.elsewhere(self.filepath):
            return jobs.manager.place_again()


CLASSES = (BATON_OT_bake_take, BATON_OT_solo_take, BATON_OT_mute_take, BATON_OT_keep_take, BATON_OT_remove_take,
           BATON_OT_take_beats, BATON_OT_copy_recipe, BATON_OT_delete_unused, BATON_OT_redo_take, BATON_OT_redo_level,
           BATON_OT_redo_range, BATON_OT_save_take_as)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
