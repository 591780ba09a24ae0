"""Files of earlier versions: their settings in today's form. Requests of takes: `core/contract/recipes.py`.

Version 0 (Baton 0.1) had one flat group of settings for both directions.
"""
import sys

from ...core.contract import systems as registry
from . import settings as scene_settings

VERSION = 1
BOTH = ("to_sound", "to_motion")
# Setting of version 0: (directions, setting of today). Enums were stored as numbers, in the order below.
MOVED = {
    "genre": (("to_sound",), "genre"), "guidance_music": (("to_sound",), "guidance_scale"),
    "guidance_motion": (("to_motion",), "guidance_scale"), "steps": (BOTH, "steps"), "seed": (BOTH, "seed"),
    "variations": (BOTH, "variations"), "tempo": (("to_sound",), "tempo"), "tempo_bpm": (("to_sound",), "bpm"),
    "level_music": (("to_sound",), "level"), "loop": (("to_sound",), "loop"), "sounds_like": (("to_sound",), "like"),
    "range": (("to_sound",), "range"), "frame_start": (("to_sound",), "frame_start"),
    "frame_end": (("to_sound",), "frame_end"), "loudness": (("to_sound",), "loudness"),
    "metre": (("to_motion",), "metre"), "motion_tempo": (("to_motion",), "tempo"),
    "motion_bpm": (("to_motion",), "bpm"), "level_motion": (("to_motion",), "level"),
    **{name: (("to_motion",), name) for name in (
        "lead_auto", "lead", "amplitude", "left_hand", "mirror", "plant_feet", "fingers", "in_place", "blend_seconds",
        "reduce_keys", "reduce_degrees", "keep_range")}}
LEVELS = ("half", "normal", "double")
TEMPI = ("auto", "fixed", "markers")
ORDERS = {"genre": ("any", "break", "pop", "lock", "middle-hip-hop", "la-hip-hop", "house", "waack", "krump",
                    "street-jazz", "ballet-jazz"),
          "steps": ("draft", "normal", "fine"), "tempo": TEMPI, "motion_tempo": TEMPI, "level_music": LEVELS,
          "level_motion": LEVELS, "range": ("ACTION", "SCENE", "PREVIEW", "CUSTOM"),
          "loudness": ("streaming", "podcast", "broadcast", "peak"),
          "metre": ("auto", "2", "3", "4", "6"), "fingers": ("none", "relaxed", "baton")}
FIRST = {"to_sound": "music_ldm", "to_motion": "conductor"}      # the only systems of version 0


def stored(scene) -> dict:
    """The settings as the file has them, those included that no property has any more."""
    if hasattr(scene, "bl_system_properties_get"):              # from 5.0 on apart from the user's own properties
        properties = scene.bl_system_properties_get()
        found = properties.get("baton") if properties is not None else None
    else:
        found = scene.get("baton")
    return {name: found[name] for name in found.keys()} if found is not None else {}


def moved(values: dict, direction: str) -> dict:
    """{setting of today: value} of settings of version 0 for a direction; enums as numbers (files) or words
    (presets, where tempi were written large). A number that no choice has is left out."""
    out = {}
    for name, (directions, new) in MOVED.items():
        if name in values and direction in directions:
            value = values[name]
            if name in ORDERS and not isinstance(value, str):
                if value not in range(len(ORDERS[name])):
                    continue
                value = ORDERS[name][value]
            out[new] = value.lower() if ORDERS.get(name) is TEMPI else value
    return out


def update(scene):
    """Bring a scene's settings to today's layout; a scene that has it is left alone."""
    if scene.baton.version >= VERSION:
        return
    old = stored(scene)
    for direction, system in FIRST.items():
        group = scene_settings.group(scene, registry.systems()[system])
        for name, value in moved(old, direction).items():
            try:
                setattr(group, name, value)
            except (TypeError, ValueError) as error:            # damaged: the others are taken all the same
                print(f"Baton: {scene.name} keeps its default of {name}: {error}", file=sys.stderr)
    scene.baton.version = VERSION
