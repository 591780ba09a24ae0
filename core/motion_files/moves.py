"""Moves that a user gives: motions with their names, and beats where somebody has marked them."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.body.motion import Motion
from core.contract import MOTION_FILES, MOTION_SUFFIXES
from core.errors import BadInput
from core.motion_files import read_motion
from core.rhythm.beats import Beats, read_beats

BEATS = ".beats.txt"


@dataclass(frozen=True, eq=False)  # compared by identity: what is known of one is kept beside it
class Move:
    """beats: in seconds of the motion, None where nobody marked them."""

    name: str
    motion: Motion
    beats: Beats | None = None


def move_files(folder):
    """The motion files of a folder and of the folders in it, sorted. Raises BadInput where there is none."""
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise BadInput(f"The folder of moves {folder} is not there; choose a folder of motion files.")
    paths = sorted(path for path in folder.rglob("*") if path.name.lower().endswith(MOTION_SUFFIXES) and path.is_file())
    if not paths:
        raise BadInput(
            f"No motion files ({', '.join(MOTION_FILES)}) lie in {folder}; put some there or choose another folder."
        )
    return paths


def read_moves(folder, notify=lambda sentence: None):
    """[`Move`] of every motion file of a folder; one that cannot be read is told and left out. Raises BadInput where
    none can be.

    Beats come from `NAME.beats.txt` beside a file, lines of `seconds [position in the bar]`.
    """
    out, why = [], None
    for path in move_files(folder):
        try:
            out.append(read_move(path))
        except BadInput as error:
            why = why or error
            notify(f"{path.name} is left out of the moves: {error}")
    if not out:
        raise why
    return out


def read_move(path):
    """The `Move` of a motion file, kept in memory until the file changes. Raises BadInput."""
    path = Path(path)
    beats = path.with_name(path.name.split(".")[0] + BEATS)
    beats = beats if beats.is_file() else None
    stamp = tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in (path, beats) if file is not None)
    return _read(path, beats, stamp)


@lru_cache(maxsize=128)
def _read(path, beats, _stamp):
    return Move(path.name.split(".")[0], read_motion(path), None if beats is None else read_beats(beats))
