"""Where the sounds of takes lie. What a file stores as a path is input: only what lies in the project or in a temporary
folder of Baton's is copied or read."""
import os
import secrets
import tempfile
from pathlib import Path

import bpy

from ...core.contract import files
from ..errors import UserError, on_disk
from . import compat, whole

FOLDER = "baton"                                                # beside the saved file, or in a temporary folder
STEP_BYTES = 4 << 20
ROLE, HELP = "The folder for sounds", "make room there, or press Save Take As"

_elsewhere = None                                               # (folder, stem) chosen by the user


def real(path) -> Path:
    """The path without `//`, links and dots."""
    return Path(bpy.path.abspath(str(path))).resolve()


def temporary(path) -> bool:
    """True for a sound in the temporary folder of this or of an earlier session of Blender."""
    folder, roots = real(path).parent, [Path(tempfile.gettempdir()).resolve()]
    if bpy.app.tempdir:
        if folder == Path(bpy.app.tempdir).resolve() / FOLDER:
            return True
        roots.append(Path(bpy.app.tempdir).resolve().parent)
    return folder.name == FOLDER and (folder.parent in roots or folder.parent.name.startswith("blender_")
                                      and folder.parent.parent in roots)


def in_project(path) -> bool:
    """True for a file below the folder of the saved .blend."""
    return bool(bpy.data.filepath) and Path(bpy.data.filepath).resolve().parent in real(path).parents


def output() -> tuple:
    """(folder, notice) for new sounds: `//baton` beside the saved file, else a temporary folder with a notice; or the
    place that the user has chosen."""
    if _elsewhere is not None:
        return _elsewhere[0], ""
    if bpy.data.filepath:
        return Path(bpy.path.abspath(f"//{FOLDER}")), ""
    return Path(bpy.app.tempdir or tempfile.gettempdir()) / FOLDER, (
        "The file is not saved: the sound lies in a temporary folder until you save it; then it moves beside the file")


def place_new(source, name, staged=None) -> Path:
    """The file `source` under a free name where new sounds go: the take's name, or the one that the user has chosen.
    staged: a `Staged` of it. Raises DiskError."""
    folder, stem = _elsewhere or (output()[0], name)
    with on_disk(ROLE, folder, HELP):
        if staged is not None and staged.path.parent == folder:
            return whole.place(staged.path, folder, stem, move=True)
        return whole.place(source, folder, stem)


class Staged:
    """A sound that was copied beside its place under a temporary name, and waits."""

    made_folders = set()                                        # made for such copies alone: they go when empty

    def __init__(self, path):
        self.path = path
        if not os.path.lexists(path.parent):
            self.made_folders.add(path.parent)

    def drop(self):
        """Delete it, unless it has been placed."""
        folder = self.path.parent
        if not folder.is_dir():                                 # a file lies there: nothing was written
            return
        self.path.unlink(missing_ok=True)
        if folder in self.made_folders and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def staged(source):
    """Generator: copies a sound where new ones go, some bytes at a step; yields the fraction done, returns its
    `Staged`. Raises DiskError."""
    folder, size = output()[0], max(1, Path(source).stat().st_size)
    made = Staged(folder / f".{Path(source).name[:60]}.{secrets.token_hex(8)}.part")
    try:
        with on_disk(ROLE, folder, HELP):
            folder.mkdir(parents=True, exist_ok=True)
            with files.create(made.path) as out, open(source, "rb") as file:
                while block := file.read(STEP_BYTES):
                    out.write(block)
                    yield min(1.0, file.tell() / size)
    except BaseException:
        made.drop()
        raise
    return made


class elsewhere:
    """`with elsewhere(path)`: new sounds go into the folder of `path` under its name."""

    def __init__(self, path):
        self.path = Path(bpy.path.abspath(str(path)))

    def __enter__(self):
        global _elsewhere
        _elsewhere = self.path.parent, self.path.stem

    def __exit__(self, *exc):
        global _elsewhere
        _elsewhere = None
        return False


def new_sound(editor, name, path, channel, frame):
    """A new sound strip of the file at `path`. Raises UserError for a path that Blender cannot be told."""
    told = _relative(path)
    try:
        told.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"Blender cannot be told the path of {Path(path).name.encode('utf-8', 'replace').decode()}: it "
                        "has letters that are no text; rename its folder or the file.") from error
    return compat.sequences(editor).new_sound(name, told, channel, frame)


def _relative(path):
    """`//` path below a saved file, else absolute."""
    if bpy.data.filepath:
        try:
            return bpy.path.relpath(str(path))
        except ValueError:  # another drive on Windows
            pass
    return str(path)
