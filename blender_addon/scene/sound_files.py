"""Where the sounds of takes lie. What a file stores as a path is input: only what lies in the project or in a temporary
folder of Baton's is copied or read."""
import tempfile
from pathlib import Path

import bpy

from ..errors import on_disk
from . import whole

FOLDER = "baton"                                                # beside the saved file, or in a temporary folder

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


def place_new(source, name) -> Path:
    """The file `source` under a free name where new sounds go: the take's name, or the one that the user has chosen.
    Raises DiskError."""
    folder, stem = _elsewhere or (output()[0], name)
    with on_disk("The folder for sounds", folder, "make room there, or press Save Take As"):
        return whole.place(source, folder, stem)


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
