"""Takes of one passage share a channel: a take that another silences gives up its strip, and gets it back as it was
when it plays again.

A strip that carries what cannot be noted (fades, modifiers, another speed, a metastrip around it) or that is locked
stays where it lies, muted.
"""
import tempfile
from pathlib import Path

import bpy

from ...core.contract import recipes
from ..errors import UserError
from . import compat, noted, snapshot, strips
from .sound_files import new_sound


def swap(take, others):
    """The strips of `others` go, and the take has its own, where those lay that were heard, or as low as any did.
    Raises UserError where it cannot have it."""
    if lacks(take):
        raise UserError(lacks(take))
    heard, silent, led = [], [], False
    for other in others:
        strip = strips.of_take(other)
        if strip is None or not _plain(strip):
            continue
        (silent if strip.mute else heard).append(strip.channel)
        led = led or strip.id_data.sequence_editor.active_strip == strip
        noted.note(other, strip)
        strips.drop(strip)
    strip = strips.of_take(take)
    if take.away:
        strip = _bring_back(take, sorted(heard) or sorted(silent)[:1])
    elif strip is not None and not take.kept and (heard or silent) and _plain(strip):
        move(strip, sorted(heard) or sorted([*silent, strip.channel]))
    if led and strip is not None:
        strip.id_data.sequence_editor.active_strip = strip


def _plain(strip):
    """True where all that a strip is can be noted."""
    length, keys = strip.frame_duration, getattr(strip, "retiming_keys", None)
    if strip.sound is None or strip.sound.library is not None or len(strip.modifiers) > 0 or keys:
        return False
    if strip.lock or compat.metas_of(strip.id_data.sequence_editor, strip):
        return False
    if strip.animation_offset_start or strip.animation_offset_end:
        return False
    if strip.frame_final_end - strip.frame_final_start != length - strip.frame_offset_start - strip.frame_offset_end:
        return False
    if any(name != "baton_recipe" for name in strip.keys()) or _animated(strip):
        return False
    # Before 4.4 Blender does not tell how a strip is retimed.
    path = bpy.path.abspath(strip.sound.filepath)
    return keys is not None or abs(strips.media_frames(path, strip.id_data) - length) <= 1


def _animated(strip):
    data, path = strip.id_data.animation_data, f'_all["{bpy.utils.escape_identifier(strip.name)}"]'
    if data is None:
        return False
    actions = {data.action, *(one.action for track in data.nla_tracks for one in track.strips)} - {None}
    curves = [*data.drivers, *(curve for action in actions for curve in compat.all_curves(action))]
    return any(path in curve.data_path for curve in curves)


def lacks(take) -> str:
    """Why a take that has given up its strip cannot have it back, as a sentence; "" where it can."""
    if not take.away:
        return ""
    damage = recipes.damage("", "", "", "", take.away)
    if damage:
        return f"{take.name} is damaged: {damage}; Remove it, or make it anew"
    packed = take.sound is not None and take.sound.packed_file is not None
    path = Path(bpy.path.abspath(take.sound.filepath if take.sound is not None else take.path))
    if packed or path.is_file():
        return ""
    return (f"The sound file of {take.name} is missing: {path}. Find it with File > External Data > Find Missing "
            "Files, or remove the take and make it again with Redo")


def _bring_back(take, channels):
    """The strip that a take has given up as it was, on the first of `channels` that has room, else where it lay."""
    was = noted.of_take(take)
    editor = was.id_data.sequence_editor or was.id_data.sequence_editor_create()
    # Where nothing lies at all it can be moved and trimmed without meeting anything.
    taken = {other.channel for other in compat.sequences(editor)}
    empty = next((c for c in reversed(strips.CHANNELS) if c not in taken), strips.CHANNELS[-1])
    with tempfile.TemporaryDirectory(prefix="baton-", dir=bpy.app.tempdir or None) as folder:
        path = strips.file_of(was.sound, Path(folder)) if was.sound is not None else bpy.path.abspath(take.path)
        strip = new_sound(editor, was.name, path, empty, was.frame_final_start)
    if was.sound is not None:
        made, strip.sound = strip.sound, was.sound
        bpy.data.sounds.remove(made)
    wanted = {name: value for name, value in was.values.items() if noted.settable(strip, name, value)}
    own = wanted.pop("channel", empty)
    snapshot.put(strip, wanted)
    move(strip, (*channels, own))
    if take.recipe:
        strip["baton_recipe"] = take.recipe
    take.strip = strip.name
    noted.clear(take)
    return strip


def move(strip, channels):
    """Onto the first of `channels` that has room for a strip, else the lowest."""
    channel = strips.free_channel(strip.id_data.sequence_editor, strip.frame_final_start, strip.frame_final_end,
                                  channels, strip)
    if channel != strip.channel:
        strip.channel = channel
