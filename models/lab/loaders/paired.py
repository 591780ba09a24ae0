"""A folder of a user's own pairs: a motion file and a sound file of the same name that start together."""
from functools import partial
from pathlib import Path

import numpy as np

from core.contract import MOTION_SUFFIXES
from core.errors import BadInput
from models.lab.loaders.common import SOUND, Clip, beat_array, files_under, genre_of, motion_item, split_of_name, stem

TRACKED = 0.4               # confidence of beats that a tracker found in the sound


def paired_clips(folder, options):
    """Clips NAME.<motion> + NAME.<sound> in the same folder; NAME.beats.txt or NAME.beats.json gives the beats.

    The name of a folder above that is a genre's slug or AIST code gives the genre; a folder `conducting` the kind.
    Without a beats file librosa's tracker is asked, its beats have unknown bar positions and little confidence.
    """
    folder, result = Path(folder), []
    for path in files_under(folder, MOTION_SUFFIXES):
        sounds = [path.with_name(stem(path) + suffix) for suffix in SOUND]
        sound = next((place for place in sounds if place.is_file()), None)
        if sound is None:
            continue
        name = path.relative_to(folder).as_posix()
        result.append(Clip(f"paired/{name}", split_of_name(stem(path)), partial(_read, path, sound, folder, options)))
    if not result:
        raise BadInput(f"No motion file under {folder} has a sound of the same name ({', '.join(SOUND)}) beside it.")
    return result


def _read(path, sound, folder, options):
    from core.motion_files import read_motion
    motion = read_motion(path, fps=options.fps, bone_map=options.bone_map)
    above = path.relative_to(folder).parts[:-1]
    genre = next((genre_of(part) for part in reversed(above) if genre_of(part)), None)
    beats, confidence = _beats(path, sound)
    bpm = round(beats.tempo_bpm, 2) or None
    return motion_item(motion, kind="conducting" if "conducting" in above else "dance", source="paired", genre=genre,
                       beats=beat_array(beats.times, beats.positions), confidence=confidence, metre=beats.metre,
                       bpm=bpm, sound=sound)


def _beats(path, sound):
    from core.rhythm.beats import Beats, read_beats
    for suffix in (".beats.txt", ".beats.json"):
        place = path.with_name(stem(path) + suffix)
        if place.is_file():
            return read_beats(place), 1.0
    import librosa

    from core.audio.io import read_audio
    audio = read_audio(sound).resampled(22_050)
    _, times = librosa.beat.beat_track(y=audio.samples.mean(axis=0), sr=22_050, units="time")
    times = np.unique(np.round(times, 4))
    return Beats(times, np.zeros(len(times), int)), TRACKED
