"""Plays a sound file by itself, beside the timeline: one at a time, through Blender's own Audaspace."""
from functools import cache
from pathlib import Path

import bpy

from ...core import contract
from ...core.contract import systems as registry
from ..errors import UserError
from . import compat

GENRE_SOUNDS = contract.ROOT / "core" / "assets" / "genres"     # made by models/lab/genre_examples.py
NO_AUDASPACE = "This Blender is built without Audaspace and cannot play files; use an official build of blender.org"
_playing = {"path": None, "handle": None, "device": None}


def play(path):
    """Begin a file, ending what plays. Raises UserError where the file or the means are missing."""
    stop()
    path = Path(path)
    if not path.is_file():
        raise UserError(f"The sound file {path} is missing")
    aud = _audaspace()
    try:
        device = _playing["device"] or aud.Device()
        handle = device.play(aud.Sound(str(path)))
    except aud.error as error:
        raise UserError(f"The sound {path.name} cannot be played ({error})") from error
    if not device.rate or not handle.status:
        raise UserError("There is no sound device; choose one in Preferences > System > Sound")
    _playing.update(path=str(path), handle=handle, device=device)
    if not bpy.app.timers.is_registered(_watch):
        bpy.app.timers.register(_watch, first_interval=0.2)


def _audaspace():
    try:
        import aud
    except ImportError as error:
        raise UserError(NO_AUDASPACE) from error
    return aud


def stop():
    """Silence; nothing where nothing plays."""
    handle = _playing["handle"]
    _playing.update(path=None, handle=None)
    if handle is not None and handle.status:
        handle.stop()


def playing():
    """Path of the file that plays now, or None."""
    handle = _playing["handle"]
    return _playing["path"] if handle is not None and handle.status else None


def toggle(path):
    """Stop the file if it plays, else play it."""
    if playing() == str(path):
        stop()
    else:
        play(path)


def _watch():
    """Timer: draws the button anew when the file has ended."""
    if playing() is None:
        compat.tag_redraw_all()
        return None
    return 0.2


def example(system, genre):
    """The sound file that shows a genre of a system: its own or that of one of the same family; None without."""
    family = [system, *(other for other in registry.systems().values() if other.folder == system.folder)]
    paths = (GENRE_SOUNDS / other.name / f"{genre}.ogg" for other in family)
    return next((path for path in paths if path.is_file()), None)


@cache
def has_examples(system):
    """Whether any genre of the system can be heard."""
    setting = system.settings.get("genre")
    return setting is not None and any(example(system, item.id) for item in setting.items)


def unregister():
    stop()
    _playing["device"] = None
    if bpy.app.timers.is_registered(_watch):
        bpy.app.timers.unregister(_watch)


def register():
    pass
