"""Settings of the systems on a scene, `scene.baton.<system>.<setting>`: which one counts, and what is sent."""
from pathlib import Path

import bpy

from ...core.contract import systems as registry
from ...core.contract.systems import Setting, System
from ..errors import UserError
from . import moves


def group(scene, system: System):
    """The property group of a system on a scene."""
    return getattr(scene.baton, system.name)


def choice(direction) -> str:
    """Name of the property that holds a direction's *Model*; it is there where the direction has two systems."""
    return f"model_{direction.name}"


def chosen(scene, direction) -> System | None:
    """The system that a direction's section works with; None where it has none."""
    rows = registry.by_direction()[direction]
    name = getattr(scene.baton, choice(direction), rows[0].name if rows else None)
    return next((system for system in rows if system.name == name), rows[0] if rows else None)


def direction(name: str):
    """A `Direction` by its name: "to_sound", "to_motion" or "to_both"."""
    return next(row for row in registry.DIRECTIONS if row.name == name)


def value(scene, name: str, setting: str, default=None):
    """A setting of the system that a direction's section works with; `default` where that has none of the name."""
    system = chosen(scene, direction(name))
    return getattr(group(scene, system), setting, default) if system is not None else default


def counts(settings, setting: Setting) -> bool:
    """True where the settings that a setting hangs on have the values under which it counts."""
    return all(getattr(settings, other) in values for other, values in setting.when.items())


def params_of(scene, system: System) -> dict:
    """What is asked of the worker, JSON-ready: the settings that count, files by their whole path,
    objects by their name."""
    settings, out = group(scene, system), {}
    for name, setting in system.shown.items():
        if setting.by != "scene":
            out[name] = _sent(setting, getattr(settings, name)) if counts(settings, setting) else None
    return out


def _sent(setting, raw):
    if setting.type == "object":
        return raw.name if raw is not None else None
    if setting.type == "motion":
        return True if raw else None
    if setting.type in ("file", "folder"):
        return bpy.path.abspath(raw) if raw else None
    if setting.type == "actions":
        return moves.ticked() or None
    return raw * setting.scale if setting.scale != 1 else raw


def own_of(scene, system: System) -> dict:
    """The settings that only Blender knows, JSON-ready; those that do not count are left out."""
    settings = group(scene, system)
    return {name: getattr(settings, name) for name, setting in system.shown.items()
            if setting.by == "scene" and counts(settings, setting)}


def check_files(scene, system: System):
    """Raises UserError where a setting names a file that is not there or an object that is gone;
    cheap, for a tooltip."""
    settings = group(scene, system)
    for name, setting in system.shown.items():
        if not counts(settings, setting):
            continue
        raw = getattr(settings, name)
        named = raw if setting.type in ("file", "folder") else ""
        there = Path(bpy.path.abspath(named))
        if named and not (there.is_file() if setting.type == "file" else there.is_dir()):
            raise UserError(f"The {setting.type} of {setting.label}, {named}, is not there; choose another or empty "
                            "the field")
        if setting.needed and not _sent(setting, raw):
            raise UserError(setting.needed)
