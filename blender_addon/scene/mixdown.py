"""What a strip sounds like, as a wave file that Blender itself makes: for strips that change their speed, and for files
that only Blender can decode."""
import wave
from contextlib import ExitStack, contextmanager
from pathlib import Path

import bpy

from ...core.contract import sound_files
from ..errors import UserError
from . import compat, timebase
from .sound_files import new_sound
from .stats import stall

CHANGES = "changes its speed"
FOREIGN = "plays a file that only Blender reads"
SECONDS = 60.0                  # of a file that is to be gone by: its first minute says enough


def strip(present, path, frames, fps, why):
    """Generator: `frames` frames of a strip alone, a second of the timeline at a step so that Blender stays awake, in
    the wave file `path`; yields the fraction done.

    present() gives a context with (strip, scene), anew for each step: neither outlives one for certain. why: CHANGES
    or FOREIGN, for the sentence of the UserError where Blender cannot.
    """
    part, step = path.with_suffix(".part.wav"), max(1, round(fps))
    with present() as (there, _):
        name = there.name
    try:
        with open(path, "wb") as file, ExitStack() as stack:
            for first in range(0, frames, step):
                last = min(first + step, frames)
                with stall("mix down"), present() as (there, scene):
                    _part(there, scene, part, first + 1, last, why)
                with wave.open(str(part)) as piece:
                    rate = piece.getframerate()
                    if first == 0:
                        out = stack.enter_context(wave.open(file, "wb"))
                        out.setparams(piece.getparams())
                    # Blender fills the last buffer: the part is too long.
                    out.writeframes(piece.readframes(round(last * rate / fps) - round(first * rate / fps)))
                yield last / frames
    except (OSError, EOFError, wave.Error) as error:
        raise UserError(f"The strip {name} {why} and mixing it down gave nothing ({error}); use a sound file of what "
                        "is heard.") from error


def _part(strip, scene, path, first, last, why):
    """Frames first..last of the strip, counted from 1, in a copy of the scene, so that the user's stays untouched."""
    copy, name = scene.copy(), strip.name
    try:
        editor = copy.sequence_editor
        copy.animation_data_clear()  # of volume and pan: their frames would no longer fit
        alone = compat.sequences(editor)[name]
        for other in [other for other in compat.sequences(editor) if other.name != name]:
            compat.sequences(editor).remove(other)
        alone.mute, alone.volume, alone.pan = False, 1.0, 0.0
        editor.channels[alone.channel].mute = False
        alone.frame_start += 1 - alone.frame_final_start
        copy.frame_start, copy.frame_end = first, last
        with bpy.context.temp_override(scene=copy):
            bpy.ops.sound.mixdown(filepath=str(path), check_existing=False, container="WAV", codec="PCM", format="S16")
    except RuntimeError as error:
        raise UserError(f"The strip {name} {why} and this Blender cannot mix it down ({str(error).strip()}); use a "
                        "sound file of what is heard.") from error
    finally:
        bpy.data.scenes.remove(copy)


def file(path, folder):
    """Generator: returns a path to what the worker reads of a sound file: itself, or its first minute as Blender
    decodes it, in `folder`. Raises UserError for a file without sound."""
    path = Path(path)
    if not path.is_file() or sound_files.worker_reads(path):
        return str(path)
    if sound_files.has_sound_track(path) is False:
        raise UserError(f"{path.name} has no sound track; choose a file with sound.")
    if not bpy.app.build_options.audaspace:                     # the worker may have ffmpeg
        return str(path)
    with _heard(path) as (heard, probe):
        fps = timebase.scene_fps(probe.render)
        frames = min(heard.frame_duration, round(SECONDS * fps))
    if frames <= 1:
        return str(path)
    out = Path(folder) / f"{path.stem}.wav"
    out.parent.mkdir(parents=True, exist_ok=True)
    yield from strip(lambda: _heard(path), out, frames, fps, FOREIGN)
    return str(out)


@contextmanager
def _heard(path):
    """(strip, scene) of a file alone, in a scene that is there within one step only: none is saved with it."""
    known = set(bpy.data.sounds)
    probe = bpy.data.scenes.new("Baton Decode")
    try:
        yield new_sound(probe.sequence_editor_create(), "file", path, 1, 1), probe
    finally:
        bpy.data.scenes.remove(probe)
        for sound in set(bpy.data.sounds) - known:
            bpy.data.sounds.remove(sound)
