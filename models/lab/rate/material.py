"""What is rated: the clips of a folder, and the making of such a folder with the systems of the registry."""
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.contract import MOTION_SUFFIXES, PARENTS
from core.contract import systems as registry
from core.errors import BadInput
from models.lab.loaders.common import SOUND

SHARED = ("motion", "sound")        # folders of what all sources of a clip have in common
ANOTHER = "another"                 # the mismatched row: the first system's result for the next clip
REAL = "real"                       # the sound that lies beside a motion file
FPS = 30.0                          # Hz of the drawn skeleton


@dataclass(frozen=True)
class Side:
    """One thing to rate: a source's version of a clip, as the files that are played together."""

    source: str
    clip: str
    sound: Path
    motion: Path


def _stem(path):
    name = path.name
    for suffix in sorted((*MOTION_SUFFIXES, *SOUND), key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[:-len(suffix)]
    return None


def _files(folder):
    """({clip: sound file}, {clip: motion file}) of a folder."""
    sounds, motions = {}, {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if _stem(path):
            (motions if path.name.lower().endswith(MOTION_SUFFIXES) else sounds)[_stem(path)] = path
    return sounds, motions


def find_sides(folder):
    """{clip: [Side]} of a folder of material, clips with at least two sources.

    Raises BadInput when nothing can be compared.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"The folder {folder} does not exist; make one with `build.py rate make`.")
    shared_sound, shared_motion = _files(folder / "sound")[0], _files(folder / "motion")[1]
    sides = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir() and path.name not in SHARED):
        sounds, motions = _files(place)
        for clip in sorted({*sounds, *motions}):
            sound, motion = sounds.get(clip, shared_sound.get(clip)), motions.get(clip, shared_motion.get(clip))
            if sound is None or motion is None:
                missing, where = ("sound", "sound") if sound is None else ("motion", "motion")
                raise BadInput(f"{place.name}/{clip} has no {missing}; put one beside it or into {folder / where}.")
            sides.setdefault(clip, []).append(Side(place.name, clip, sound, motion))
    sides = {clip: found for clip, found in sides.items() if len(found) > 1}
    if not sides:
        raise BadInput(f"Nothing under {folder} can be compared: a clip must lie in the folders of two sources.")
    return sides


def drawn(path, seconds=None):
    """What the page draws of a motion file: fps, parents, frames [T][72] of joint positions in millimetres, z up."""
    from core.motion_files import read_motion
    motion = read_motion(path).resampled(FPS).canonical()
    if seconds is not None:
        motion = motion.slice(0, int(seconds * FPS))
    positions = np.round(motion.positions() * 1000).astype(int)
    return {"fps": FPS, "parents": list(PARENTS), "frames": positions.reshape(len(positions), -1).tolist()}


def make(folder, names, files, seconds=10.0, seed=7, device="auto", say=print):
    """Write a folder of material: each file given to each system, and a mismatched row.

    names: systems of one direction, motion to sound or sound to motion. files: two or more motion files or sounds. A
    motion file with a sound of its name beside it gets the source "real". Raises BadInput.
    """
    folder, systems = Path(folder), [registry.find(name) for name in names]
    kinds = {(system.source, system.to) for system in systems}
    if len(kinds) != 1 or kinds - {("motion", "sound"), ("sound", "motion")}:
        raise BadInput("Systems of one direction are compared: all make sound from motion, or all motion from sound.")
    if len(files) < 2:
        raise BadInput("Give at least two files; the result for another file is the row that exposes the others.")
    clips = {_stem(Path(path)): Path(path) for path in files}
    if None in clips or len(clips) < len(files):
        raise BadInput("Each file needs a name of its own and a known suffix.")
    source = systems[0].source
    for clip, path in clips.items():
        condition = _condition(path, source, seconds)
        _share(folder, clip, path, condition, source)
        for system in systems:
            say(f"{system.label}: {clip}")
            _write(folder / system.name, clip, _made(system, condition, path, seed, device))
    _mismatched(folder, systems[0].name, list(clips))


def _condition(path, source, seconds):
    if source == "motion":
        from core.motion_files import read_motion
        motion = read_motion(path)
        return motion.slice(0, int(seconds * motion.fps))
    from core.audio.io import read_audio
    audio = read_audio(path)
    return audio.slice(0.0, min(audio.duration, seconds))


def _share(folder, clip, path, condition, source):
    """The condition itself, and the real sound of a motion, to the folder."""
    from core.audio.io import read_audio, write_wav
    from core.motion_files import write_npz
    place = folder / ("motion" if source == "motion" else "sound")
    place.mkdir(parents=True, exist_ok=True)
    if source == "sound":
        write_wav(place / f"{clip}.wav", condition.samples, condition.rate)
        return
    write_npz(place / f"{clip}.npz", condition)
    for suffix in SOUND:
        if path.with_name(clip + suffix).is_file():
            (folder / REAL).mkdir(parents=True, exist_ok=True)
            sound = read_audio(path.with_name(clip + suffix)).slice(0.0, condition.duration)
            write_wav(folder / REAL / f"{clip}.wav", sound.samples, sound.rate)
            return


def _made(system, condition, path, seed, device):
    from core.pipelines import open_pipeline
    made = open_pipeline(system.name, None, device, lambda text: None)
    kind = "motion" if system.source == "motion" else "audio"
    return made.generate_variations(condition, seed=seed, variations=1, source={kind: path.name})[0]


def _write(place, clip, result):
    from core.audio.io import write_wav
    from core.motion_files import write_npz
    place.mkdir(parents=True, exist_ok=True)
    if result.audio is not None:
        write_wav(place / f"{clip}.wav", result.audio)
    if result.motion is not None:
        write_npz(place / f"{clip}.npz", result.motion)


def _mismatched(folder, first, clips):
    (folder / ANOTHER).mkdir(parents=True, exist_ok=True)
    for clip, other in zip(clips, clips[1:] + clips[:1]):
        path = next(path for path in sorted((folder / first).iterdir()) if _stem(path) == other)
        shutil.copyfile(path, folder / ANOTHER / f"{clip}{path.suffix}")
