"""Settings on the scene, the bone map on an armature, the list of takes."""
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

from ...core import contract
from ...core.contract import systems


def _old(name):
    """Limits of a system as the properties below read them."""
    settings = systems.find(name).settings
    guidance, steps = settings["guidance_scale"], settings["steps"]
    return {"guidance_scale": {"default": guidance.default, "min": guidance.min, "max": guidance.max},
            "steps": {item.id: item.value for item in steps.items}, "variations": settings["variations"].max}


MUSIC, CONDUCT = _old("music"), _old("conduct")

GENRES = [("any", "Any", "Let the motion decide")] + [
    (slug, label, f"Music for {label} dancing") for slug, label in contract.genre_labels()]
LOUDNESS = [(row["slug"], row["label"], "Loudness of the written sound") for row in contract.load("loudness")]
LOUDNESS_DEFAULT = next(row["slug"] for row in contract.load("loudness") if row.get("default"))

RANGES = [("ACTION", "Action", "The frames that the rig's action keys"),
          ("SCENE", "Scene", "The frame range of the scene"),
          ("PREVIEW", "Preview", "The preview range of the timeline"),
          ("CUSTOM", "Custom", "The frames given below")]
LEVELS = [("half", "Half Time", "Every second of the beats that are found"),
          ("normal", "Normal", "The beats as they are found"),
          ("double", "Double Time", "A beat more between each two that are found")]


def loudness_lufs(settings):
    """Target in LUFS; None for the preset that only limits the peak."""
    return next(row["lufs"] for row in contract.load("loudness") if row["slug"] == settings.loudness)


class BatonBone(bpy.types.PropertyGroup):
    """One row of the bone map; `name` is the SMPL joint."""

    bone: StringProperty(name="Bone", description="Bone that plays this joint",
                         update=lambda self, context: setattr(self, "how", "user" if self.bone else ""))
    confidence: FloatProperty(name="Confidence", min=0.0, max=1.0, description="How sure the match is")
    how: StringProperty(name="How", description="How the bone was found: exact, prefix, fuzzy, file or user")


class BatonRig(bpy.types.PropertyGroup):
    """On an armature object."""

    bones: CollectionProperty(type=BatonBone)
    table: StringProperty(name="Rig Type", description="Name table that fits the rig")
    show_all: BoolProperty(name="Show Bone Map", description="Show the 24 rows of the bone map")


def _unique_name(self, context):
    """Operators find a take by its name: two of one name would be mixed up."""
    others = [take.name for take in self.id_data.baton.takes if take != self]
    if self.name in others or not self.name:
        start, number = self.name or "Take", 2
        while f"{start} ({number})" in others:
            number += 1
        self.name = f"{start} ({number})"


class BatonTake(bpy.types.PropertyGroup):
    """A result; its strip or action had its name when it was made."""

    name: StringProperty(name="Name", update=_unique_name)
    kind: EnumProperty(items=[("MUSIC", "Music", "Music made from motion", "SOUND", 0),
                              ("MOTION", "Motion", "Motion made from music", "ARMATURE_DATA", 1)])
    rig: PointerProperty(type=bpy.types.Object)
    action: PointerProperty(type=bpy.types.Action)
    previous: PointerProperty(type=bpy.types.Action)
    strip: StringProperty()
    path: StringProperty(subtype="FILE_PATH")
    state: StringProperty(description="What Remove restores, as JSON")
    recipe: StringProperty(description="Recipe as JSON: system, checkpoint, seed, settings, source, beats")
    request: StringProperty(description="What Redo asks again, as JSON")
    beats: StringProperty(description="Beats used, as JSON, in seconds from the first frame")
    frame_start: FloatProperty(description="Frame of second 0")
    score: FloatProperty(name="Alignment", description="Share of motion beats met by music beats")
    chance: FloatProperty(name="Chance", description="The same figure for unrelated motion and music")
    has_alignment: BoolProperty()
    kept: BoolProperty(name="Kept", description="Made permanent with Keep")
    audible: BoolProperty(default=True)


class BatonSettings(bpy.types.PropertyGroup):
    """On a scene."""

    genre: EnumProperty(name="Genre", items=GENRES, default="any", description="Style of the music")
    guidance_music: FloatProperty(
        name="Guidance Scale", default=MUSIC["guidance_scale"]["default"], min=MUSIC["guidance_scale"]["min"],
        max=MUSIC["guidance_scale"]["max"], soft_max=10.0,
        description="How closely the music follows motion and genre: 0 ignores them, 1 is plain, more is stricter")
    guidance_motion: FloatProperty(
        name="Guidance Scale", default=CONDUCT["guidance_scale"]["default"], min=CONDUCT["guidance_scale"]["min"],
        max=CONDUCT["guidance_scale"]["max"], soft_max=10.0,
        description="How closely the conductor follows the music: 0 ignores it, 1 is plain, more is stricter")
    steps: EnumProperty(
        name="Quality", default="normal", description="Number of sampling steps: more take longer and sound cleaner",
        items=[(name, name.title(), f"{MUSIC['steps'][name]} steps for music, {CONDUCT['steps'][name]} for motion")
               for name in ("draft", "normal", "fine")])
    seed: IntProperty(name="Seed", default=1, min=0, description="The same seed and settings give the same take")
    variations: IntProperty(name="Variations", default=1, min=1, max=MUSIC["variations"],
                            description="Takes made in one go, with consecutive seeds")
    tempo: EnumProperty(
        name="Tempo", default="AUTO", description="Where the beats come from",
        items=[("AUTO", "Auto", "Detect the beats of the motion"), ("FIXED", "Fixed", "A steady tempo in BPM"),
               ("MARKERS", "Markers", "Follow Baton's beat markers in the timeline")])
    tempo_bpm: FloatProperty(name="BPM", default=110.0, min=40.0, max=240.0, description="Beats per minute")
    level_music: EnumProperty(name="Level", items=LEVELS, default="normal",
                              description="Half or double time of the motion's beats")
    loop: BoolProperty(name="Loop", description="The end of the music joins its beginning, so that the file plays round")
    sounds_like: StringProperty(name="Sounds Like", subtype="FILE_PATH",
                                description="Sound file whose timbre the music is to have; empty: each seed has its own")
    range: EnumProperty(name="Range", items=RANGES, default="ACTION", description="Frames to make music for")
    frame_start: IntProperty(name="Start", default=1, description="First frame")
    frame_end: IntProperty(name="End", default=250, description="Last frame")
    loudness: EnumProperty(name="Loudness", items=LOUDNESS, default=LOUDNESS_DEFAULT,
                           description="Loudness of the written sound")
    metre: EnumProperty(
        name="Metre", default="auto", description="Beats in a bar of the piece",
        items=[("auto", "Auto", "Detect the metre")] + [(n, n, f"{n} beats in a bar") for n in ("2", "3", "4", "6")])
    motion_tempo: EnumProperty(
        name="Tempo", default="AUTO", description="Where the beats come from",
        items=[("AUTO", "Auto", "Detect the beats of the music"),
               ("FIXED", "Fixed", "The tempo is known: look for beats near it"),
               ("MARKERS", "Markers", "Follow Baton's beat markers in the timeline")])
    motion_bpm: FloatProperty(name="BPM", default=110.0, min=40.0, max=240.0, description="Beats per minute of the piece")
    level_motion: EnumProperty(name="Level", items=LEVELS, default="normal",
                               description="Half or double time of the music's beats")
    lead_auto: BoolProperty(name="Auto Lead", default=True,
                            description="Let the tempo decide how far the stroke is ahead of the sound")
    lead: FloatProperty(name="Lead (ms)", default=60.0, min=-500.0, max=500.0, precision=0, step=500,
                        description="Milliseconds by which the stroke is ahead of the sound")
    amplitude: FloatProperty(name="Size", default=1.0, min=0.0, max=2.0, description="Size of the strokes")
    left_hand: FloatProperty(
        name="Left Hand", default=1.0, min=0.0, max=1.0, subtype="FACTOR",
        description="Independence of the left hand: 0 mirrors the right, 1 leads its own life")
    mirror: BoolProperty(name="Left-Handed", description="Baton in the left hand")
    plant_feet: BoolProperty(name="Plant Feet", default=True, description="Lock standing feet and keep soles above the floor")
    fingers: EnumProperty(
        name="Fingers", default="baton", description="Pose of the finger bones, where the rig has them",
        items=[("none", "Leave", "Do not key the fingers"), ("relaxed", "Relaxed", "Both hands relaxed"),
               ("baton", "Baton Grip", "Baton grip in the leading hand, the other relaxed")])
    in_place: BoolProperty(name="In Place", description="Keep the rig where it stands: key no root translation over the floor")
    blend_seconds: FloatProperty(name="Blend", default=0.4, min=0.0, max=5.0,
                                 description="Seconds over which the take blends in from and out to the rig's own motion")
    reduce_keys: BoolProperty(name="Reduce Keys", description="Leave out keys that are not needed, so that curves stay editable")
    reduce_degrees: FloatProperty(name="Tolerance", default=1.0, min=0.05, max=10.0,
                                  description="Degrees by which a reduced curve may differ")
    keep_range: BoolProperty(name="Keep a Range", description="What the rig does in the range below stays; the rest of the "
                                                              "strip is conducted around it")
    edit_range: EnumProperty(name="Range", items=RANGES[1:], default="PREVIEW", description="Frames to make anew, or to keep")
    edit_start: IntProperty(name="Start", default=1, description="First frame")
    edit_end: IntProperty(name="End", default=60, description="Last frame")
    overlay: BoolProperty(name="Beat Overlay", default=True, description="Draw beats and downbeats in the timeline and sequencer")
    rig: PointerProperty(
        name="Rig", type=bpy.types.Object, poll=lambda self, thing: thing.type == "ARMATURE",
        description="Armature that performs; empty takes the active one")
    takes: CollectionProperty(type=BatonTake)
    take_index: IntProperty(name="Take", description="Active take")
    beats: StringProperty(description="Beats shown as markers, as JSON")
    music_beats: StringProperty(description="Beats of the music for the overlay, as JSON")


CLASSES = (BatonBone, BatonRig, BatonTake, BatonSettings)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.baton = PointerProperty(type=BatonSettings)
    bpy.types.Object.baton = PointerProperty(type=BatonRig)


def unregister():
    del bpy.types.Object.baton
    del bpy.types.Scene.baton
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
