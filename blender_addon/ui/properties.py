"""Settings on the scene, a group per system made from the registry; the bone map on an armature, the list of takes."""
import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ...core.contract import systems as registry
from ...core.contract.systems import Setting, System
from ..scene import body_parts, bone_map, compat, noted, strips
from ..scene import settings as scene_settings

RANGES = [("SCENE", "Scene", "The frame range of the scene"),
          ("PREVIEW", "Preview", "The preview range of the timeline"),
          ("CUSTOM", "Custom", "The frames given below")]
SIDES = [("both", "Both", "Sound and motion are made anew"), ("sound", "Sound", "The motion stays as it is"),
         ("motion", "Motion", "The sound stays as it is")]
# A path may begin with // for the folder of the file: newer Blenders want to be told.
RELATIVE = {"options": {"PATH_SUPPORTS_BLEND_RELATIVE"}} if bpy.app.version >= (4, 5) else {}


# ---------------------------------------------------------------------------------------------- from the registry

def property_of(setting: Setting):
    """The Blender property of a setting."""
    common = {"name": setting.label, "description": setting.tip}
    if setting.type == "bool" or setting.type == "motion":
        return BoolProperty(default=bool(setting.default), **common)
    if setting.type == "enum":
        return EnumProperty(items=[(item.id, item.label, item.tip) for item in setting.items], default=setting.default,
                            **common)
    if setting.type == "actions":
        return IntProperty(**common)                # the active row of the list; the actions themselves are ticked
    if setting.type in registry.TEXTS:
        subtype = {"file": "FILE_PATH", "folder": "DIR_PATH"}.get(setting.type)
        more = {"subtype": subtype, **RELATIVE} if subtype else {}
        return StringProperty(default=setting.default, **more, **common)
    if setting.type == "object":
        wanted = setting.raw.get("object", "ARMATURE")
        return PointerProperty(type=bpy.types.Object, poll=lambda self, thing: thing.type == wanted, **common)
    limits = {name: setting.raw[name] for name in ("min", "max", "soft_min", "soft_max", "subtype", "precision", "step")
              if name in setting.raw}
    return (IntProperty if setting.type == "int" else FloatProperty)(default=setting.default, **limits, **common)


def group_of(system: System) -> type:
    """The property group of a system: a property for each of its settings."""
    return type(f"Baton_{system.name}", (bpy.types.PropertyGroup,), {
        "__doc__": system.tip, "__annotations__": {name: property_of(setting)
                                                   for name, setting in system.shown.items()}})


def groups_and_choices() -> dict:
    """{property of the scene's settings: definition}: a group for each system,
    a *Model* for each direction with two."""
    out = {name: PointerProperty(type=GROUPS[name], name=system.label, description=f"Settings of {system.label}")
           for name, system in registry.systems().items()}
    for direction, systems in registry.by_direction().items():
        if len(systems) > 1:
            out[scene_settings.choice(direction)] = EnumProperty(
                name="Model", default=systems[0].name, description="What makes it",
                items=[(system.name, system.short, system.tip) for system in systems])
    return out


GROUPS = {name: group_of(system) for name, system in registry.systems().items()}


# ---------------------------------------------------------------------------------------------- rigs and takes

OVERRIDE = {"LIBRARY_OVERRIDABLE"}      # a linked rig has a bone map of its own in the file that overrides it


class BatonBone(bpy.types.PropertyGroup):
    """One row of the bone map; `name` is the SMPL joint."""

    bone: StringProperty(name="Bone", description="Bone that plays this joint", override=OVERRIDE,
                         update=lambda self, context: bone_map.picked(self))
    confidence: FloatProperty(name="Confidence", min=0.0, max=1.0, description="How sure the match is",
                              override=OVERRIDE)
    how: StringProperty(name="How", description="How the bone was found: exact, prefix, fuzzy, file or user",
                        override=OVERRIDE)
    doubt: StringProperty(name="Doubt", description="What speaks against the bone, in words; empty: nothing",
                          override=OVERRIDE)


class BatonRig(bpy.types.PropertyGroup):
    """On an armature object."""

    bones: CollectionProperty(type=BatonBone, override=OVERRIDE | {"USE_INSERTION"})
    table: StringProperty(name="Rig Type", description="Name table that fits the rig", override=OVERRIDE)


def _unique_name(self, context):
    """Operators find a take by its name: two of one name would be mixed up."""
    others = [take.name for take in self.id_data.baton.takes if take != self]
    if self.name in others or not self.name:
        start, number = self.name or "Take", 2
        while f"{start} ({number})" in others:
            number += 1
        self.name = f"{start} ({number})"


class BatonAction(bpy.types.PropertyGroup):
    """On an action."""

    move: BoolProperty(name="Move", description="Systems that are made of your own moves use this action")


def _colour(self, context):
    """The strip wears the colour of its take."""
    strip = strips.of_take(self)
    if strip is not None:
        strip.color_tag = self.colour
    noted.recolour(self)


class BatonTake(bpy.types.PropertyGroup):
    """A result; its strip or action had its name when it was made."""

    name: StringProperty(name="Name", update=_unique_name)
    kind: EnumProperty(items=[("MUSIC", "Music", "Music made from motion", "SOUND", 0),
                              ("MOTION", "Motion", "Motion made from music", "ARMATURE_DATA", 1),
                              ("BOTH", "Motion and Music", "Motion and music made together", "OUTLINER_OB_ARMATURE",
                               2)])
    rig: PointerProperty(type=bpy.types.Object)
    action: PointerProperty(type=bpy.types.Action)
    previous: PointerProperty(type=bpy.types.Action)
    strip: StringProperty()
    path: StringProperty(subtype="FILE_PATH", **RELATIVE)
    state: StringProperty(description="What Remove restores, as JSON")
    recipe: StringProperty(description="Recipe as JSON: system, checkpoint, seed, settings, source, beats")
    request: StringProperty(description="What Redo asks again, as JSON")
    beats: StringProperty(description="Beats used, as JSON, in seconds from the first frame")
    frame_start: FloatProperty(description="Frame of second 0")
    score: FloatProperty(name="Alignment", description="Share of motion beats met by music beats")
    chance: FloatProperty(name="Chance", description="The same figure for unrelated motion and music")
    has_alignment: BoolProperty()
    bpm: FloatProperty(description="Tempo of the beats used, 0 where there are none")
    pattern: StringProperty(description="How a conductor beats them")
    kept: BoolProperty(name="Kept", description="Made permanent with Keep")
    audible: BoolProperty(default=True)
    part: EnumProperty(name="Body Part", items=body_parts.ITEMS, default=body_parts.WHOLE,
                       description="What of the body the take moves; the rest stays as it is without the take",
                       update=lambda self, context: body_parts.apply(self))
    baked: BoolProperty(name="Baked", description="Its motion is in the rig's own action")
    colour: EnumProperty(name="Colour", items=compat.colour_items(), default="NONE", update=_colour,
                         description="Colour of the take in this list, and of its strip")
    note: StringProperty(name="Note", description="What you want to remember of the take")
    moves: BoolProperty(default=True, description="The motion of a take with two faces is to be seen")
    key: StringProperty(description="Tells the take from any other")
    silenced_by: StringProperty(description="Key of the take that silenced this one and gives it back")
    heard: StringProperty(description="What played before the take was soloed, as JSON")
    away: StringProperty(description="The strip that the take has given up while another plays, as JSON")
    place: PointerProperty(type=bpy.types.Scene)
    sound: PointerProperty(type=bpy.types.Sound)


class BatonSettings(bpy.types.PropertyGroup):
    """On a scene; the settings of the systems join it from the registry."""

    version: IntProperty(description="Layout of these settings", options={"HIDDEN"})
    edit_range: EnumProperty(name="Range", items=RANGES, default="PREVIEW", description="Frames to make anew, or to "
                             "keep")
    edit_start: IntProperty(name="Start", default=1, description="First frame")
    edit_end: IntProperty(name="End", default=60, description="Last frame")
    edit_side: EnumProperty(name="Anew", items=SIDES, default="both",
                            description="What of a take with sound and motion is made anew within the range")
    overlay: BoolProperty(name="Beat Overlay", default=True, description="Draw beats and downbeats in the timeline and "
                          "sequencer")
    rig: PointerProperty(
        name="Rig", type=bpy.types.Object, poll=lambda self, thing: thing.type == "ARMATURE",
        description="Armature that performs; empty takes the active one")
    takes: CollectionProperty(type=BatonTake)
    take_index: IntProperty(name="Take", description="Active take")
    removed_files: StringProperty(description="Sound files of removed takes, as JSON")
    beats: StringProperty(description="Beats shown as markers, as JSON")
    music_beats: StringProperty(description="Beats of the music for the overlay, as JSON")


BatonSettings.__annotations__.update(groups_and_choices())
CLASSES = (*GROUPS.values(), BatonBone, BatonRig, BatonAction, BatonTake, BatonSettings)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.baton = PointerProperty(type=BatonSettings)
    bpy.types.Object.baton = PointerProperty(type=BatonRig, override=OVERRIDE)
    bpy.types.Action.baton = PointerProperty(type=BatonAction)


def unregister():
    del bpy.types.Action.baton
    del bpy.types.Object.baton
    del bpy.types.Scene.baton
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
