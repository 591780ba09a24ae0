"""The strip of a take that has given it up, as it was noted: it reads like the strip, and can be made anew from it
(blender_addon/scene/stacking.py)."""
import json
from dataclasses import dataclass, field

import bpy

from ...core.contract import recipes
from . import snapshot

# Follows from the others, is the place on screen of a moment, or is noted as a pointer.
DERIVED = ("frame_final_start", "frame_final_end", "frame_final_duration", "mute", "sound", "select_left_handle",
           "select_right_handle")


@dataclass(frozen=True)
class Noted:
    """Attributes named as those of a sound strip; values: {property: value} of the plain ones that can be set."""

    name: str
    id_data: bpy.types.Scene
    sound: bpy.types.Sound
    frame_final_start: int
    frame_final_end: int
    frame_duration: int
    values: dict = field(default_factory=dict)
    retiming_keys: tuple = ()                                   # a retimed strip is not given up
    animation_offset_start: int = 0
    library = None

    @property
    def frame_offset_start(self):
        return self.values.get("frame_offset_start", 0.0)

    @property
    def sound_offset(self):
        return self.values.get("sound_offset", 0.0)


def note(take, strip):
    """Write down what the strip of a take is; the take holds its sound from now on."""
    plain = {name: list(value) if isinstance(value, tuple) else value
             for name, value in snapshot.values(strip, (*DERIVED, "name")).items()}
    take.place, take.sound = strip.id_data, strip.sound
    take.away = json.dumps({"name": strip.name, "first": strip.frame_final_start, "stop": strip.frame_final_end,
                            "length": strip.frame_duration, "values": plain})


def recolour(take):
    """The colour of a take has changed."""
    found = of_take(take)
    if found is not None:
        take.away = json.dumps({**recipes.read_away(take.away), "values": {**found.values, "color_tag": take.colour}})


def clear(take):
    """The take has its strip again, or nothing to say of it."""
    take.away, take.place, take.sound = "", None, None


def of_take(take):
    """The `Noted` of a take that has given its strip up; None where it has not, or where what is noted is damaged."""
    if not take.away or recipes.damage("", "", "", "", take.away):
        return None
    found = recipes.read_away(take.away)
    return Noted(found["name"], take.place or take.id_data, take.sound, found["first"], found["stop"], found["length"],
                 found["values"])


def find(scene, name):
    """The `Noted` called `name` of a take whose strip lay in `scene`, or None."""
    for holder in bpy.data.scenes:
        for take in holder.baton.takes:
            found = of_take(take) if take.away else None
            if found is not None and found.id_data == scene and found.name == name:
                return found
    return None


def settable(strip, name, value):
    """Whether the plain property `name` of a strip exists in this Blender, can be set and takes such a value."""
    prop = strip.bl_rna.properties.get(name)
    if prop is None or prop.is_readonly or name in DERIVED:
        return False
    if prop.type == "ENUM":
        return isinstance(value, str) and value in prop.enum_items
    kinds = {"BOOLEAN": (bool,), "INT": (int,), "FLOAT": (int, float), "STRING": (str,)}
    return type(value) in kinds.get(prop.type, ())
