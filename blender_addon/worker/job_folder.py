"""The folder through which arrays travel to the worker and back: one a job, private, swept where Blender was killed."""
import shutil
import tempfile
import time
from pathlib import Path

import bpy

from ...core.contract.holding import held, held_from_birth, unlink_unless_held
from ..errors import on_disk

ALIVE = "held"                                                  # the file that this Blender holds while the job lives
OLD_SECONDS = 2 * 86400.0                                       # folders without it were made by earlier versions

_held = {}                                                      # {folder: the open file}


def session():
    """Blender's own temporary folder, or None where a cleaner has taken it away."""
    folder = Path(bpy.app.tempdir) if bpy.app.tempdir else None
    return folder if folder is not None and folder.is_dir() else None


def make(name) -> Path:
    """A new folder for the job `name`, readable by this user alone. Raises DiskError."""
    there = session() or Path(tempfile.gettempdir())
    with on_disk("A temporary folder", there, "free some space there, or choose another in Blender's preferences"):
        folder = Path(tempfile.mkdtemp(prefix=f"baton-{name}-", dir=there))
        try:
            _held[folder] = held_from_birth(folder / ALIVE, 0o600)
        except OSError:
            clear(folder)
            raise
    return folder


def seal(folder):
    """Files for this user alone, whatever wrote them."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o600)


def empty(folder):
    """Delete what lies in the folder of a job that begins once more."""
    for path in folder.iterdir():
        if path.name == ALIVE:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def clear(folder):
    """Delete the folder of a job that is over."""
    file = _held.pop(folder, None)
    if file is not None:
        file.close()
    shutil.rmtree(folder, ignore_errors=True)


def places() -> set:
    """Where Blenders keep their temporary folders. Asks Blender, so: main thread only."""
    roots = {Path(tempfile.gettempdir())}
    if bpy.app.tempdir:
        roots.add(Path(bpy.app.tempdir).parent)
    return roots


def sweep(roots):
    """Delete what killed Blenders of this user left: their jobs' folders, in their session folders or beside them.
    Sounds stay: a file that is recovered may play them."""
    for root in roots:
        for pattern in ("baton-job*", "blender_*/baton-job*"):
            for folder in _found(root, pattern):
                _sweep(folder)


def _found(root, pattern):
    """Paths of a pattern; fewer where another Blender takes its own folder away meanwhile."""
    found = []
    try:
        found.extend(root.glob(pattern))
    except OSError:
        return found
    return found


def _sweep(folder):
    try:
        if folder.is_symlink() or not folder.is_dir() or folder in _held:
            return
        mark = folder / ALIVE
        if not mark.exists():
            dead = time.time() - folder.stat().st_mtime > OLD_SECONDS
        else:
            dead = not held(mark) and unlink_unless_held(mark)
    except OSError:
        return                                                  # another user's, or somebody else sweeps as well
    if dead:
        shutil.rmtree(folder, ignore_errors=True)
