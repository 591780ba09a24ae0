"""The whole state of the file that is open, as plain data, and what differs between two of them.

Read through Blender's own list of properties, so that nothing is compared only because somebody thought of it: actions
with every key, NLA, strips, markers, custom properties, selection, mode, takes, datablocks and their users, the undo
steps, and the files of some folders.
"""
import ctypes
import functools
import hashlib
import os
import sys
import tempfile

import bpy
import numpy as np

KINDS = ("actions", "sounds", "scenes", "objects", "armatures", "meshes", "materials", "collections", "texts", "curves",
         "lights", "cameras", "worlds", "images", "node_groups")
PLAIN = {"BOOLEAN", "INT", "FLOAT", "STRING", "ENUM"}
# What Blender itself counts up or works out while one looks.
NOISE = {"session_uid", "is_evaluated", "is_updated", "is_updated_data", "matrix_channel", "strip_time", "tag",
         "rna_type", "last_slot_identifier", "action_slot_handle", "show_retiming_keys"}


def state(folders=()) -> dict:
    """{part: {...}} of everything; folders: whose files count, too."""
    bpy.context.view_layer.update()                             # as the next redraw would show it
    return {"actions": {action.name: _action(action) for action in bpy.data.actions},
            "objects": {thing.name: _object(thing) for thing in bpy.data.objects},
            "scenes": {scene.name: _scene(scene) for scene in bpy.data.scenes},
            "datablocks": {kind: {block.name: (block.users, block.use_fake_user) for block in getattr(bpy.data, kind)}
                           for kind in KINDS},
            "sounds": {sound.name: (sound.filepath, sound.packed_file is not None) for sound in bpy.data.sounds},
            "chosen": _chosen(), "undo": undo_steps(), "files": {str(folder): _files(folder) for folder in folders}}


def difference(before, after, path="") -> list:
    """Lines such as `actions/Dance: only before`, the first few dozen."""
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for key in [*before, *(key for key in after if key not in before)]:
            if key not in after or key not in before:
                found.append(f"{path}/{key}: only {'before' if key in before else 'after'}")
            else:
                found += difference(before[key], after[key], f"{path}/{key}")
            if len(found) > 40:
                break
        return found
    if isinstance(before, float) and isinstance(after, float) and np.isnan(before) and np.isnan(after):
        return []
    if before == after or repr(before) == repr(after):          # the latter where no number stands in both
        return []
    return [f"{path}: {str(before)[:80]} -> {str(after)[:80]}"]


def plain(thing) -> dict:
    """Every property of `thing` that is no collection; a pointer as the name of what it points to."""
    found = {}
    for name, pointer, array in _names(type(thing)):
        value = getattr(thing, name)
        if not pointer:
            value = sorted(value) if isinstance(value, set) else value
            found[name] = tuple(np.ravel(value).tolist()) if array else value
        elif not isinstance(value, bpy.types.PropertyGroup):
            found[name] = getattr(value, "name", None) or (None if value is None else "there")
    return found


@functools.cache
def _names(kind):
    """[(name, whether it points to something, whether it is an array)] of what `plain` reads of a type."""
    return [(prop.identifier, prop.type == "POINTER", getattr(prop, "is_array", False))
            for prop in kind.bl_rna.properties if prop.identifier not in NOISE and (
            prop.type in PLAIN or prop.type == "POINTER" and not prop.is_readonly)]


def _own(thing):
    """Custom properties, Baton's groups left out: those are read as properties."""
    return {key: str(thing[key]) for key in thing.keys() if key not in ("baton", "cycles")}


def _keys(curve):
    points = curve.keyframe_points
    digest = hashlib.sha256()
    for name, width, kind in (("co", 2, np.float32), ("handle_left", 2, np.float32), ("handle_right", 2, np.float32),
                              ("interpolation", 1, np.int32)):
        values = np.empty(width * len(points), dtype=kind)
        points.foreach_get(name, values)
        digest.update(values.tobytes())
    group = curve.group.name if curve.group else None
    return len(points), digest.hexdigest()[:12], curve.mute, curve.extrapolation, group


def _curves(action):
    if not hasattr(action, "slots"):
        return {"": {f"{c.data_path}[{c.array_index}]": _keys(c) for c in action.fcurves}}
    found = {}
    for slot in action.slots:
        for layer in action.layers:
            for strip in layer.strips:
                bag = strip.channelbag(slot)
                if bag is not None:
                    found[slot.identifier] = {f"{c.data_path}[{c.array_index}]": _keys(c) for c in bag.fcurves}
    return found


def _action(action):
    return {"curves": _curves(action), "own": _own(action), "fake": action.use_fake_user, "users": action.users}


def _animation(data):
    if data is None:
        return None
    slot = getattr(data, "action_slot", None)
    return {**plain(data), "slot": slot.identifier if slot is not None else None,
            "active track": data.nla_tracks.active.name if data.nla_tracks.active else None,
            "tracks": {f"{number} {track.name}": {**plain(track), "strips": {
                f"{index} {strip.name}": plain(strip) for index, strip in enumerate(track.strips)}}
                for number, track in enumerate(data.nla_tracks)}}


def _object(thing):
    found = {"plain": plain(thing), "own": _own(thing), "animation": _animation(thing.animation_data),
             "selected": thing.select_get(), "hidden": thing.hide_get(), "users": thing.users}
    if thing.type == "ARMATURE":
        found["pose"] = {bone.name: _bone(bone) for bone in thing.pose.bones}
        found["bone map"] = [plain(row) for row in thing.baton.bones]
        found["table"] = thing.baton.table
    return found


def _bone(bone):
    basis, shown = (tuple(np.ravel(matrix).round(5).tolist()) for matrix in (bone.matrix_basis, bone.matrix))
    return {"basis": basis, "shown": shown, "mode": bone.rotation_mode, "own": _own(bone), "stretch": bone.ik_stretch}


def _scene(scene):
    editor = scene.sequence_editor
    strips = () if editor is None else getattr(editor, "strips", None)
    strips = editor.sequences if strips is None else strips
    return {"plain": plain(scene), "own": _own(scene), "frame": (scene.frame_current, scene.frame_subframe),
            "markers": sorted((m.name, m.frame, m.select, m.camera.name if m.camera else None) for m in
            scene.timeline_markers), "has sequencer": editor is not None,
            "active strip": editor.active_strip.name if editor is not None and editor.active_strip else None,
            "strips": {strip.name: {**plain(strip), "own": _own(strip)} for strip in strips},
            "baton": plain(scene.baton), "takes": {f"{n} {take.name}": plain(take) for n, take in
            enumerate(scene.baton.takes)}, "systems": {name: plain(getattr(scene.baton, name)) for name in
            scene.baton.bl_rna.properties.keys() if name != "rna_type" and isinstance(getattr(scene.baton, name),
            bpy.types.PropertyGroup)}}


def _chosen():
    active = bpy.context.view_layer.objects.active
    return {"active": active.name if active is not None else None, "mode": bpy.context.mode,
            "scene": bpy.context.scene.name}


def _files(folder):
    """{path: (bytes, hash)} of what lies below a folder; links are named, never followed."""
    found = {}
    for place, names, files in os.walk(folder):
        for name in (*names, *files):
            path = os.path.join(place, name)
            key = os.path.relpath(path, folder)
            if name.endswith((".blend", ".blend1")):            # differs with every save
                continue
            if os.path.islink(path):
                found[key] = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    found[key] = hashlib.sha256(file.read()).hexdigest()[:12]
            else:
                found[key] = "folder"
    return found


def undo_steps() -> list:
    """Names of the undo steps, the active one with a star. Blender only prints them, so its output is caught."""
    manager = bpy.context.window_manager
    if manager is None:
        return []
    out = ctypes.CDLL(None)                                     # Blender's print lies in the buffer of the C library
    sys.stdout.flush()
    out.fflush(None)
    before = os.dup(1)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 1)
        try:
            manager.print_undo_steps()
            out.fflush(None)
        finally:
            os.dup2(before, 1)
            os.close(before)
        caught.seek(0)
        lines = caught.read().decode("utf-8", "replace").splitlines()
    return [("*" if "*" in line.split("]")[0] else "") + line.partition("name='")[2].rstrip("'") for line in lines
            if "name='" in line]
