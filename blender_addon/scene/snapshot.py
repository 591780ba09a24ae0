"""How the file stands, and the way back to it: what a result or a button of Baton's may change is recorded beforehand.

`take(rigs)` gives a function that puts all of it back. Between the two nothing of the user's may be deleted, for what
is deleted cannot be put back: deletions wait (blender_addon/scene/whole.py).
References hold meanwhile, since no undo lies between.
"""
import bpy
import numpy as np

from . import beat_markers, compat
from .refs import alive

# Kinds of datablocks that Baton makes; those that were not there before go again.
KINDS = ("actions", "sounds", "scenes", "objects", "armatures", "meshes", "materials", "lights", "cameras")
SIMPLE = {"BOOLEAN", "INT", "FLOAT", "STRING", "ENUM", "POINTER"}
POSE = {"location": 3, "rotation_quaternion": 4, "rotation_euler": 3, "rotation_axis_angle": 4, "scale": 3}
MIXED = ("action_blend_type", "action_influence", "action_extrapolation", "use_nla")
RANGES = ("frame_start", "frame_end", "use_preview_range", "frame_preview_start", "frame_preview_end")
MEASURES = ("ik_stretch",)                                      # attributes of pose bones that switches name


def take(rigs=()):
    """Record the file and return `restore()`. rigs: armature objects whose animation and pose may be touched."""
    scenes = [scene for scene in bpy.data.scenes if scene.library is None]
    ways = [_windows(), _objects(), _actions(), _sounds()]
    ways += [_of(scene, record) for record in (_sequencer, _markers, _takes) for scene in scenes]
    ways += [_of(rig, _animation) for rig in rigs]
    ways += [_of(scene, _frame) for scene in scenes]
    ways += [_of(rig, record) for record in (_bone_map, _pose) for rig in rigs]
    ways += [_blocks()]                                         # what came goes when nothing uses it any more

    def restore():
        troubles = []
        for way in ways:
            try:
                way()
            except Exception as error:  # noqa: BLE001  raised below: the other parts come back all the same
                troubles.append(error)
        if troubles:
            raise ExceptionGroup("Parts of the file could not be put back", troubles)
    return restore


def _of(block, record):
    """What `record` gives for a datablock, for as long as that lives: what was part of it must not be touched then."""
    way = record(block)
    return lambda: way() if alive(block) else None


def values(thing, leave=()):
    """{name: value} of the plain properties of `thing` that can be set."""
    found = {}
    for prop in thing.bl_rna.properties:
        if prop.is_readonly or prop.type not in SIMPLE or prop.identifier in leave:
            continue
        value = getattr(thing, prop.identifier)
        if isinstance(value, bpy.types.PropertyGroup):
            continue
        found[prop.identifier] = tuple(value) if getattr(prop, "is_array", False) else value
    return found


def put(thing, wanted):
    """Set the values that differ."""
    for name, value in wanted.items():
        now = getattr(thing, name)
        if (tuple(now) if isinstance(value, tuple) else now) != value:
            setattr(thing, name, value)


def _windows():
    """Which scene each window shows. One that is shown must not be removed: Blender would fall."""
    manager = bpy.context.window_manager
    shown = [(window, window.scene) for window in manager.windows] if manager is not None else []

    def restore():
        for window, scene in shown:
            if alive(scene) and window.scene != scene:
                window.scene = scene
    return restore


def _blocks():
    before = {kind: {compat.uid(block) for block in getattr(bpy.data, kind)} for kind in KINDS}

    def restore():
        new = [block for kind in KINDS for block in getattr(bpy.data, kind) if compat.uid(block) not in before[kind]]
        if new:
            bpy.data.batch_remove(new)
    return restore


def _actions():
    """Names and fake users of all actions, and the recipe that hangs on them."""
    before = [(action, action.name, action.use_fake_user, action.get("baton_recipe")) for action in bpy.data.actions
              if action.library is None]

    def restore():
        for action, name, fake, recipe in [row for row in before if alive(row[0])]:
            put(action, {"use_fake_user": fake, "name": name})
            _put_recipe(action, recipe)
    return restore


def _put_recipe(thing, recipe):
    """The recipe that hung on an action or a strip; None: none did."""
    if recipe is None:
        thing.pop("baton_recipe", None)
    elif thing.get("baton_recipe") != recipe:
        thing["baton_recipe"] = recipe


def _sounds():
    before = [(sound, sound.filepath) for sound in bpy.data.sounds if sound.library is None]

    def restore():
        for sound, path in [row for row in before if alive(row[0])]:
            put(sound, {"filepath": path})
    return restore


def _objects():
    """What is selected and active in the present view layer, and the mode. `select_get` costs little."""
    layer = bpy.context.view_layer
    active = layer.objects.active
    mode = active.mode if active is not None else "OBJECT"
    selected = [(thing, thing.select_get(view_layer=layer)) for thing in layer.objects]

    def restore():
        if not any(layer == other for scene in bpy.data.scenes for other in scene.view_layers):
            return
        there = {thing.as_pointer() for thing in layer.objects}
        _put_selection(layer, active if active is not None and alive(active) else None, mode,
                       [row for row in selected if alive(row[0]) and row[0].as_pointer() in there])
    return restore


def _put_selection(layer, active, mode, selected):
    """Who is selected and active in a view layer, and the mode."""
    now = layer.objects.active
    if now is not None and now != active and now.mode != "OBJECT" and bpy.ops.object.mode_set.poll():
        bpy.ops.object.mode_set(mode="OBJECT")
    for thing, was in selected:
        if thing.select_get(view_layer=layer) != was:
            thing.select_set(was, view_layer=layer)
    if layer.objects.active != active:
        layer.objects.active = active
    if active is not None and active.mode != mode and bpy.ops.object.mode_set.poll():
        bpy.ops.object.mode_set(mode=mode)


# --- a scene ----------------------------------------------------------------------------------------------------------

def _takes(scene):
    """The list of takes and the plain settings beside it, such as the beats shown."""
    settings = scene.baton
    rows, plain = [values(row) for row in settings.takes], values(settings)

    def restore():
        while len(settings.takes) > len(rows):
            settings.takes.remove(len(settings.takes) - 1)
        while len(settings.takes) < len(rows):
            settings.takes.add()
        moved = [row["name"] for row in rows] != [take.name for take in settings.takes]
        if moved:                                               # a name that another row still has would be changed
            for number, take_ in enumerate(settings.takes):
                take_.name = f"\x1f{number}"
        for take_, row in zip(settings.takes, rows):
            put(take_, row)
        put(settings, plain)
    return restore


def _markers(scene):
    """Baton's own markers: they carry nothing but name, frame and selection, so they can be made anew."""
    own = [marker for marker in scene.timeline_markers if beat_markers.is_beat(marker)]
    before = [(marker.as_pointer(), marker.name, marker.frame, marker.select) for marker in own]

    def restore():
        present = [marker for marker in scene.timeline_markers if beat_markers.is_beat(marker)]
        if [(marker.as_pointer(), marker.name, marker.frame, marker.select) for marker in present] == before:
            return
        for marker in present:
            scene.timeline_markers.remove(marker)
        for _, name, frame, select in before:
            scene.timeline_markers.new(name, frame=frame).select = select
    return restore


def _sequencer(scene):
    """Strips that came go; of those that were there, what Baton may change, and which of them is active."""
    editor = scene.sequence_editor
    if editor is None:
        def restore():
            if scene.sequence_editor is not None:
                scene.sequence_editor_clear()
        return restore
    active = editor.active_strip
    before = {strip.as_pointer(): (strip, _strip(strip), strip.get("baton_recipe"))
              for strip in compat.sequences(editor)}
    channels = [(strip, strip.channel) for strip in compat.sequences(editor)]

    def restore():
        if scene.sequence_editor != editor:
            return
        there = {strip.as_pointer() for strip in compat.sequences(editor)}
        for strip in [strip for strip in compat.sequences(editor) if strip.as_pointer() not in before]:
            compat.sequences(editor).remove(strip)
        # Nothing is used up: a restore that fails runs again.
        for strip, wanted, recipe in [row for pointer, row in before.items() if pointer in there]:
            put(strip, wanted)
            _put_recipe(strip, recipe)
        for _ in range(2):                                      # one that stands in another's place is in the way once
            for strip, channel in [row for row in channels if row[0].as_pointer() in there]:
                put(strip, {"channel": channel})
        if editor.active_strip != active and (active is None or active.as_pointer() in there):
            editor.active_strip = active
    return restore


def _frame(scene):
    """The current frame and the ranges of frames."""
    frame, sub = scene.frame_current, scene.frame_subframe
    ranges = {name: getattr(scene, name) for name in RANGES}

    def restore():
        for _ in range(2):                                      # an end before the start moves the start, and so on
            put(scene, ranges)
        if (scene.frame_current, scene.frame_subframe) != (frame, sub):
            scene.frame_set(frame, subframe=sub)
    return restore


# --- a rig ------------------------------------------------------------------------------------------------------------

def _animation(rig):
    """Action, slot, how the action is mixed, and the NLA tracks with what Baton may change of them."""
    data = rig.animation_data
    if data is None:
        def restore():
            if rig.animation_data is not None:
                rig.animation_data_clear()
        return restore
    action, slot = data.action, data.action_slot if compat.SLOTTED else None
    mixed = {name: getattr(data, name) for name in MIXED}
    active = data.nla_tracks.active
    tracks = {track.as_pointer(): (track, values(track, ("is_solo",)),
                                   [(strip, _strip(strip)) for strip in track.strips])
              for track in data.nla_tracks}

    def restore():
        if rig.animation_data != data:
            return
        for track in [track for track in data.nla_tracks if track.as_pointer() not in tracks]:
            data.nla_tracks.remove(track)
        present = {track.as_pointer(): {strip.as_pointer() for strip in track.strips} for track in data.nla_tracks}
        for track, wanted, strips in [row for pointer, row in tracks.items() if pointer in present]:
            put(track, wanted)
            for strip, own in [row for row in strips if row[0].as_pointer() in present[track.as_pointer()]]:
                put(strip, own)
        if action is None or alive(action):
            if data.action != action:
                data.action = action
            if compat.SLOTTED and action is not None and data.action_slot != slot:
                data.action_slot = slot
        put(data, mixed)
        if data.nla_tracks.active != active and (active is None or active.as_pointer() in present):
            data.nla_tracks.active = active
    return restore


def _strip(strip):
    """What Baton may change of a strip, of the NLA or of the sequencer."""
    return {name: getattr(strip, name) for name in ("name", "mute", "select")}


def _pose(rig):
    """Transforms, custom properties and measures of all pose bones."""
    bones = rig.pose.bones
    arrays = {}
    for name, width in POSE.items():
        arrays[name] = np.empty(width * len(bones), dtype=np.float32)
        bones.foreach_get(name, arrays[name])
    own = [(bone.name, key, value) for bone in bones for key, value in bone.items()
           if isinstance(value, (int, float, str))]
    measures = [(bone.name, {name: getattr(bone, name) for name in MEASURES}) for bone in bones]
    names = [bone.name for bone in bones]

    def restore():
        bones = rig.pose.bones
        if [bone.name for bone in bones] != names:
            return                                              # another armature by now
        for name, wanted in arrays.items():
            now = np.empty_like(wanted)
            bones.foreach_get(name, now)
            if not np.array_equal(now, wanted, equal_nan=True):
                bones.foreach_set(name, wanted)
                rig.update_tag()
        for bone, key, value in own:
            if bones[bone].get(key) != value:
                bones[bone][key] = value
        for bone, wanted in measures:
            put(bones[bone], wanted)
    return restore


def _bone_map(rig):
    rows, table = [values(row) for row in rig.baton.bones], rig.baton.table

    def restore():
        found = rig.baton.bones
        while len(found) > len(rows):
            found.remove(len(found) - 1)
        while len(found) < len(rows):
            found.add()
        for row, wanted in zip(found, rows):
            put(row, {"name": wanted["name"], "bone": wanted["bone"]})
            put(row, wanted)                                    # choosing a bone also says how it was found
        put(rig.baton, {"table": table})
    return restore
