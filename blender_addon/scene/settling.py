"""Sounds of a file that had not been saved move beside it when it is; files of removed takes are deleted on request.

Blender deletes its temporary folder when it quits:
what lies there at saving would be gone when the file is opened again.
"""
import json
from functools import partial
from pathlib import Path

import bpy

from ..errors import DiskError, on_disk
from . import playing, sound_files, strips, whole

_moved = {}         # temporary file: where it went, so that saving again after an undo copies nothing twice


def settle(blend):
    """Before `blend` is written: sounds in a temporary folder move beside it, or are packed where that cannot be
    written. Returns a sentence for the user, or ""."""
    with whole.whole():
        return _settle(Path(blend).parent / sound_files.FOLDER)


def _settle(folder):
    moved = packed = 0
    for sound in bpy.data.sounds:
        if sound.library is not None or sound.packed_file is not None or not sound_files.temporary(sound.filepath):
            continue
        source = sound_files.real(sound.filepath)
        if not source.is_file():
            continue
        try:
            target = _beside(source, folder)
        except (OSError, DiskError):
            sound.pack()
            packed += 1
            continue
        for take in _takes_of(source):
            take.path = str(target)
        sound.filepath = str(target)        # Blender itself makes it relative while it writes the file
        moved += 1
    return "; ".join(filter(None, (
        f"{_count(moved)} moved beside the file, into the folder {sound_files.FOLDER}" if moved else "",
        f"{_count(packed)} packed into the file, since no folder can be made beside it" if packed else "")))


def _beside(source, folder):
    """The file in the folder, copied there once in a session together with its recipe."""
    known = _moved.get(source)
    if known is not None and known.parent == folder and known.is_file():
        return known
    target = whole.place(source, folder, source.stem)
    whole.copy_beside(source.with_suffix(".json"), target.with_suffix(".json"))
    _moved[source] = target
    return target


def _takes_of(path):
    return [take for scene in bpy.data.scenes if scene.library is None for take in scene.baton.takes
            if take.path and sound_files.real(take.path) == path]


def _count(number):
    return f"{number} sounds were" if number > 1 else "The sound was"


def finish():
    """After the file was saved: paths of takes are relative to it, as those of its strips are."""
    if not bpy.data.filepath:
        return
    for scene in bpy.data.scenes:
        for take in scene.baton.takes if scene.library is None else ():
            if take.path and not take.path.startswith("//") and sound_files.in_project(take.path):
                take.path = bpy.path.relpath(take.path)
    for sound in bpy.data.sounds:
        if sound.library is None and sound.filepath and not sound.filepath.startswith("//") and any(
                target == sound_files.real(sound.filepath) for target in _moved.values()):
            sound.filepath = bpy.path.relpath(sound.filepath)


def path_of(take) -> Path:
    """The sound file of a take: its own, or the one that its strip plays where the take's has moved."""
    path = sound_files.real(take.path)
    sound = strips.sound_of(take)
    if not path.is_file() and sound is not None and sound.packed_file is None:
        return sound_files.real(sound.filepath)
    return path


# --- files of removed takes -------------------------------------------------------------------------------------------

def note_removed(scene, take):
    """A removed take's file stays on disk; it is noted, so that it can be deleted on request."""
    if playing.has_sound(take) and take.path and (
            sound_files.in_project(take.path) or sound_files.temporary(take.path)):
        paths = _noted(scene)
        if take.path not in paths:
            scene.baton.removed_files = json.dumps([*paths, take.path])


def _noted(scene):
    try:
        paths = json.loads(scene.baton.removed_files or "[]")
    except ValueError:
        paths = []
    return [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []


def unused(scene):
    """[Path] of WAV files of removed takes that are there, in the project or a temporary folder,
    and play nowhere now."""
    used = {sound_files.real(sound.filepath) for sound in bpy.data.sounds if sound.filepath}
    used |= {sound_files.real(take.path) for other in bpy.data.scenes for take in other.baton.takes if take.path}
    found = {sound_files.real(path): None for path in _noted(scene)}
    return [path for path in found if path not in used and path.suffix.lower() == ".wav" and path.is_file()
            and path.parent.name == sound_files.FOLDER
            and (sound_files.in_project(path) or sound_files.temporary(path))]


def delete_unused(scene):
    """Delete the files of `unused` and the recipes beside them; returns (how many, bytes). Raises DiskError where one
    cannot be deleted; the others are."""
    found = unused(scene)
    size = sum(path.stat().st_size for path in found)
    scene.baton.removed_files = ""
    for path in found:
        recipe = path.with_suffix(".json")
        for each in (recipe, path) if recipe.is_file() else (path,):        # a folder of that name is somebody's
            whole.later(partial(_delete, each))
    return len(found), size


def _delete(path):
    with on_disk("The sound file", path, "delete it yourself", "deleted"):
        path.unlink(missing_ok=True)
