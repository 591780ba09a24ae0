"""Contact sheets: `python -m models.lab.evaluation.dance_cascade.sheets --out DIR [--genres salsa house] [--sound
FILE]`.

A row a genre: stills every 0.3 s of the same passage, and beside it, with --captures or for the ten genres, the real
thing.
"""
import argparse
import sys
from pathlib import Path

import numpy as np

from core.audio.io import read_audio
from core.errors import command
from models.dance_cascade.config import STYLES
from models.dance_cascade.pipeline import Dancer
from models.lab.evaluation.dance_cascade.scoring import studio_pieces
from models.lab.studio.picture import rows_of_poses

STILLS = 14


def sheet(dancer, audio, beats, genres, path, start=4.0, view="three", **options):
    """One row of stills a genre, danced to the same music."""
    rows = []
    for number, genre in enumerate(genres):
        motion = dancer.generate(audio, beats=beats, genre=genre, seed=40 + number, **options)[0]
        rows.append((genre, motion, start + np.arange(STILLS) * 0.3))
    rows_of_poses(path, rows, view=view)


@command
def main(argv=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", default="dance-sheets")
    parser.add_argument("--checkpoints")
    parser.add_argument("--genres", nargs="+", default=list(STYLES))
    parser.add_argument("--sound", help="a sound file instead of a studio piece")
    options = parser.parse_args(argv)
    dancer = Dancer.load(options.checkpoints)
    if options.sound:
        from models.rhythm.detect import detect_music_beats
        audio = read_audio(options.sound)
        audio = audio.slice(0.0, min(20.0, audio.duration))
        beats = detect_music_beats(audio.mono(), audio.rate)
    else:
        piece = studio_pieces(1)[0]
        audio, beats = piece.audio, piece.beats
    Path(options.out).mkdir(parents=True, exist_ok=True)
    sheet(dancer, audio, beats, options.genres, Path(options.out) / "genres.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
