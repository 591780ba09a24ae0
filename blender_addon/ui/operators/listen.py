"""Hear something without placing it: the example of a genre, the sound of a take."""
from pathlib import Path

import bpy

from ....core.contract import systems as registry
from ...errors import UserError
from ...scene import player, takes
from ...scene import settings as scene_settings
from ...worker import manager as jobs
from .base import ActOperator
from .takes import TakeOperator


class BATON_OT_hear_genre(ActOperator, bpy.types.Operator):
    """Play a few seconds of the chosen genre, made by the model itself; press again to stop"""

    bl_idname = "baton.hear_genre"
    bl_label = "Hear Genre"
    bl_options = {"INTERNAL"}

    system: bpy.props.StringProperty(options={"HIDDEN"})

    def act(self, context):
        system = registry.systems()[self.system]
        genre = scene_settings.group(context.scene, system).genre
        path = player.example(system, genre)
        if path is None:
            raise UserError("Choose a genre first: this choice leaves it to the model")
        player.toggle(path)


class BATON_OT_audition_take(TakeOperator, bpy.types.Operator):
    """Play the sound of the take by itself, without placing it on the timeline; press again to stop"""

    bl_idname = "baton.audition_take"
    bl_label = "Audition"
    bl_options = {"INTERNAL"}

    def on_take(self, scene, take):
        if not takes.has_sound(take):
            raise UserError(f"{take.name} is motion alone: there is no sound to hear")
        player.toggle(Path(bpy.path.abspath(take.path)))


class BATON_OT_audition_first(ActOperator, bpy.types.Operator):
    """Play the first ten seconds of the take while the rest is made; press again to stop"""

    bl_idname = "baton.audition_first"
    bl_label = "Audition Beginning"
    bl_options = {"INTERNAL"}

    def act(self, context):
        job = jobs.manager.job
        path = job.first_sound if job is not None else None
        if path is None:
            raise UserError("There is no beginning to hear: it is made first where a take lasts more than 30 seconds")
        player.toggle(path)


CLASSES = (BATON_OT_hear_genre, BATON_OT_audition_take, BATON_OT_audition_first)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
