"""Hear something without placing it: the example of a genre, the sound of a take."""
from pathlib import Path

import bpy

from ....core.contract import systems as registry
from ...errors import UserError
from ...scene import player, takes
from ...scene import settings as scene_settings
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


CLASSES = (BATON_OT_hear_genre, BATON_OT_audition_take)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
