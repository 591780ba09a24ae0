"""Sound strips: what of a file is heard when, and where a new one goes."""
from contextlib import nullcontext
from pathlib import Path

import bpy

from ...core.contract import files, sound_files
from ..errors import UserError
from . import compat, mixdown, noted, timebase
from .draft import finished
from .sound_files import new_sound
from .whole import later

CHANNELS = range(1, 129)
STEP_BYTES = 4 << 20                                            # of a packed sound, written at a time
READABLE = {".wav", ".flac", ".ogg", ".mp3", ".m4a", ".aac", ".aif", ".aiff", ".opus", ".wma"}


def sound_strip(context):
    """(scene, strip) of the sequencer that the user works in, or of another scene where that one has no sound strip;
    strip is None where none is active."""
    scene = compat.sequencer_scene(context)
    for place in (scene, *(other for other in bpy.data.scenes if other != scene)):
        strip = compat.active_strip(place)
        if strip is not None:
            return place, strip
    return scene, None


def heard(scene, strip):
    """(first, stop) frame between which a strip is heard: a metastrip cuts what lies in it."""
    first, stop = strip.frame_final_start, strip.frame_final_end
    for meta in compat.metas_of(scene.sequence_editor, strip):
        first, stop = max(first, meta.frame_final_start), min(stop, meta.frame_final_end)
    return first, stop


def sound_strips(context):
    """(scene, sound strips): every selected one, the active one first; empty where there is none."""
    scene, active = sound_strip(context)
    if active is None:
        return scene, []
    more = [strip for strip in compat.sequences(scene.sequence_editor) if strip.type == "SOUND" and strip.select]
    return scene, [active, *sorted((s for s in more if s.name != active.name), key=lambda s: s.frame_final_start)]


def describe(scene_ref, name, folder):
    """Generator: yields the fraction done, returns the `timebase.Clip` of the sound strip `name`; a packed sound is
    written into `folder` first.

    A strip that changes its speed within itself, or may (before 4.4 Blender does not tell how a strip is retimed), and
    one of a file that the worker reads only with ffmpeg (m4a, movies ...) is mixed down alone into `folder`. Raises
    UserError where the strip or its file is missing, has no sound or cannot be mixed down.
    """
    strip, scene = _present(scene_ref, name)
    fps = timebase.scene_fps(scene.render)
    path = yield from file_in_steps(strip.sound, Path(folder))
    strip, scene = _present(scene_ref, name)
    keys = getattr(strip, "retiming_keys", None)
    normal, why = media_frames(path, scene), mixdown.CHANGES
    begin, stop = heard(scene, strip)
    if stop <= begin:
        raise UserError(f"The strip {name} is not heard: the metastrip around it leaves none of it")
    try:
        if not sound_files.worker_reads(path):
            why = mixdown.FOREIGN
            if sound_files.has_sound_track(path) is False:
                raise UserError(f"{path.name} has no sound track; choose a strip with sound.")
            if normal:                     # what this Blender cannot decode either, the worker may with ffmpeg
                raise timebase.SpeedChanges
        return timebase.clip_from_strip(
            str(path), final_start=begin, final_end=stop,
            offset_start=strip.frame_offset_start + begin - strip.frame_final_start,
            frame_duration=strip.frame_duration, media_frames=normal,
            retiming_keys=len(keys) if keys is not None else None,
            hard_offset=strip.animation_offset_start, sound_offset=getattr(strip, "sound_offset", 0.0), fps=fps)
    except timebase.SpeedChanges:
        if compat.metas_of(scene.sequence_editor, strip):
            raise UserError(f"The strip {name} must be mixed down, which it cannot be inside a metastrip; "
                            "take it out of that (Strip > Separate Metastrip)") from None
        first, frames = strip.frame_final_start, strip.frame_final_end - strip.frame_final_start
        mixed = Path(folder) / "strip.wav"
        mixed.parent.mkdir(parents=True, exist_ok=True)
        yield from mixdown.strip(lambda: nullcontext(_present(scene_ref, name)), mixed, frames, fps, why)
        return timebase.Clip(str(mixed), 0.0, frames / fps, 1.0, float(first))


def _present(scene_ref, name):
    """The strip and its scene, looked up anew: neither outlives a step of the timer for certain."""
    scene = scene_ref.get()
    strip = heard_as(scene, name) if scene is not None else None
    if strip is None:
        raise UserError(f"The strip {name} is gone.")
    return strip, scene


def file_of(sound, folder):
    """`file_in_steps` at once."""
    return finished(file_in_steps(sound, folder))


def file_in_steps(sound, folder):
    """Generator: yields fractions, returns the file of a sound;
    a packed one is written into `folder` first. Raises UserError."""
    if sound is None:
        raise UserError("The strip has no sound; choose its file in the sequencer's sidebar.")
    if sound.packed_file is not None:
        folder.mkdir(parents=True, exist_ok=True)
        # Its names are what some file says: none of them becomes a path.
        suffix = Path(sound.filepath.replace("\\", "/")).suffix.lower()
        path = folder / f"packed{suffix if suffix in READABLE else '.wav'}"
        data = memoryview(sound.packed_file.data)
        with files.create(path, 0o600) as file:
            for first in range(0, len(data), STEP_BYTES):
                file.write(data[first:first + STEP_BYTES])
                yield first / len(data)
        return path
    path = Path(bpy.path.abspath(sound.filepath, library=sound.library))
    if not path.is_file():
        raise UserError(f"The sound file {path} is missing; find it again with File > External Data.")
    return path


def media_frames(path, scene):
    """Length of the file in frames of `scene` at normal speed: no strip tells it once it is retimed."""
    known = set(bpy.data.sounds)
    probe = bpy.data.scenes.new("Baton Probe")
    try:
        probe.render.fps, probe.render.fps_base = scene.render.fps, scene.render.fps_base
        editor = probe.sequence_editor_create()
        frames = new_sound(editor, "probe", path, 1, 1).frame_duration
        return frames if frames > 1 else 0  # what Blender cannot read has one frame: the worker will say more
    except RuntimeError:
        return 0  # a Blender built without sound: nothing can be retimed there either
    finally:
        bpy.data.scenes.remove(probe)
        for sound in set(bpy.data.sounds) - known:
            bpy.data.sounds.remove(sound)


def place(scene, path, name, frame_start, length_frames):
    """A new sound strip on the first free channel; returns it. `frame_start` may lie between frames.

    The whole frame goes to the strip and, where Blender has `sound_offset`, the rest to that.
    Raises UserError when the file is not there (Blender itself would make an empty strip).
    """
    path = Path(path)
    if not path.is_file() or path.stat().st_size == 0:
        raise UserError(f"The sound file {path} is missing or empty.")
    editor = scene.sequence_editor or scene.sequence_editor_create()
    first = int(frame_start + 1e-6) if frame_start >= 0 else -int(-frame_start + 1 - 1e-6)
    channel = free_channel(editor, first, first + length_frames + 2)
    strip = new_sound(editor, name, path, channel, first)
    rest = frame_start - first
    if rest > 1e-3 and hasattr(strip, "sound_offset"):
        strip.sound_offset = rest / timebase.scene_fps(scene.render)
    return strip


def make_active(scene, strip):
    """The strip alone is selected, and active: what is made next from sound is made from it."""
    for other in compat.all_strips(scene.sequence_editor):
        other.select = other == strip
    scene.sequence_editor.active_strip = strip


def free_channel(editor, first, stop, wanted=(), but=None):
    """The lowest channel with nothing between the frames `first` and `stop`, or the first such one of `wanted`; the
    strip `but` does not count.

    Raises UserError when all 128 are taken.
    """
    taken = {strip.channel for strip in compat.sequences(editor)
             if strip.frame_final_start < stop and strip.frame_final_end > first and strip != but}
    channel = next((c for c in (*wanted, *CHANNELS) if c not in taken), None)
    if channel is None:
        raise UserError("All 128 channels of the sequencer are taken at this place.")
    return channel


def drop(strip):
    """Take a sound strip away, and its sound where nothing else plays it; after all else has been done.
    Its place is free at once."""
    scene, pointer, sound = strip.id_data, strip.as_pointer(), strip.sound
    strip.mute = True
    _set_aside(strip)

    def strip_goes():
        editor = scene.sequence_editor
        for found in [found for found in compat.all_strips(editor) if found.as_pointer() == pointer]:
            holder = next(reversed(compat.metas_of(editor, found)), editor)
            compat.sequences(holder).remove(found)

    later(strip_goes)
    drop_sound(sound)


def drop_sound(sound):
    """Delete a sound, or None, where nothing plays it any more; after all else has been done."""
    if sound is None or sound.library is not None:
        return
    name = sound.name

    def sound_goes():
        if name in bpy.data.sounds and bpy.data.sounds[name].users == 0:
            bpy.data.sounds.remove(bpy.data.sounds[name])
    later(sound_goes)


def _set_aside(strip):
    """Onto the highest channel that has room."""
    editor = strip.id_data.sequence_editor
    if compat.metas_of(editor, strip):
        return
    try:
        strip.channel = free_channel(editor, strip.frame_final_start, strip.frame_final_end, reversed(CHANNELS))
    except UserError:                                           # all are taken: it waits where it is
        return


def find(scene, name):
    """The strip called `name` in `scene`, inside metastrips too, or None."""
    editor = scene.sequence_editor
    return compat.all_strips(editor).get(name) if editor is not None else None


def heard_as(scene, name):
    """The strip called `name`, or what is noted of one that a take has given up; None where there is neither."""
    strip = find(scene, name)
    return strip if strip is not None or scene.sequence_editor is None else noted.find(scene, name)


def find_file(scene, path):
    """The sound strip of `scene` that plays the file `path`, or None."""
    editor = scene.sequence_editor
    for strip in compat.all_strips(editor) if editor is not None and path else ():
        if strip.type != "SOUND" or strip.sound is None:
            continue
        if Path(bpy.path.abspath(strip.sound.filepath)) == Path(path):
            return strip
    return None


def of_take(take):
    """The strip of a take in whatever scene it is, also after it was renamed; None where it has none now."""
    if not take.strip or take.away:
        return None
    for scene in bpy.data.scenes:
        strip = find(scene, take.strip) or find_file(scene, bpy.path.abspath(take.path))
        if strip is not None:
            return strip
    return None


def sound_of(take):
    """What the strip of a take plays, or played when the take gave it up; or None."""
    strip = of_take(take)
    return strip.sound if strip is not None else take.sound


def playback_hints(scene):
    """(wants sync, wants scrub): what would let sound and picture drift, changed only by the user's click."""
    return scene.sync_mode == "NONE", not scene.use_audio_scrub
