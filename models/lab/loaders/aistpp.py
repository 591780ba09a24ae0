"""AIST++: SMPL motion at 60 fps, its music where the user has it, tempo from the name, the official cross-modal
splits."""
from functools import partial
from pathlib import Path

import numpy as np

from core.errors import BadInput
from models.lab.loaders.common import SOUND, Clip, beat_array, files_under, motion_item, split_of_name, stem

SPLITS = {"train": "crossmodal_train.txt", "valid": "crossmodal_val.txt", "test": "crossmodal_test.txt"}
# Tempo is exact by the data set's making; where the first beat lies is estimated from the sound.
CONFIDENCE = {"sound": 0.9, "name": 0.5}


def aistpp_clips(folder, options):
    """Clips of the pkl files under `folder`, without those of ignore_list.txt.

    With splits/crossmodal_*.txt only the listed clips are taken, as published (test and valid music and choreography
    are in no training clip); without, clips are split by their music.
    """
    from core.motion_files.aist import parse_name
    folder = Path(folder)
    listed = {name: split for split, file in SPLITS.items() for name in _names(folder, file)}
    ignored = set(_names(folder, "ignore_list.txt"))
    music = {stem(path): path for path in folder.rglob("*") if path.suffix.lower() in SOUND}
    result = []
    for path in files_under(folder, (".pkl", ".pkl.gz")):
        name = stem(path)
        known = parse_name(name)
        if name in ignored or known is None or (listed and name not in listed):
            continue
        split = listed.get(name) or split_of_name(known["music"])
        result.append(Clip(f"aistpp/{name}", split, partial(_read, path, known, music.get(known["music"]), options)))
    if not result:
        raise BadInput(f"No clip under {folder} has a name of AIST++ that its splits list; give the folder of the data "
                       f"set.")
    return result


def _names(folder, file):
    for place in (folder / "splits" / file, folder / file):
        if place.is_file():
            return [line.strip() for line in place.read_text(encoding="utf-8").splitlines() if line.strip()]
    return []


def _read(path, known, sound, options):
    from core.motion_files import read_motion
    motion = read_motion(path, fps=options.fps)
    phase = first_beat(sound, known["bpm"], motion.duration) if sound else 0.0
    count = int((motion.duration - phase) * known["bpm"] / 60) + 1
    beats = beat_array(phase + np.arange(count) * 60 / known["bpm"], np.arange(count) % 4 + 1)
    return motion_item(motion, source="aistpp", beats=beats, genre=known["genre"], bpm=known["bpm"], sound=sound,
                       confidence=CONFIDENCE["sound" if sound else "name"])


def first_beat(sound, bpm, seconds):
    """Time in seconds, 0 .. one beat, at which the onsets of a sound of known constant tempo agree best with a beat
    grid."""
    import librosa

    from core.audio.io import read_audio
    audio = read_audio(sound).resampled(22_050)
    mono = audio.samples.mean(axis=0)[:int(seconds * 22_050)]
    onset = librosa.onset.onset_strength(y=mono, sr=22_050, hop_length=256)
    times = librosa.frames_to_time(np.arange(len(onset)), sr=22_050, hop_length=256)
    period = 60.0 / bpm
    phases = np.arange(0, period, 0.005)
    scores = [np.interp(np.arange(phase, times[-1], period), times, onset).mean() for phase in phases]
    best = float(phases[int(np.argmax(scores))])
    # A hair before the end of the beat is the beat at 0.
    return 0.0 if period - best < 0.03 else best
