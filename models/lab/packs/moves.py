"""The moves that ship, from captures: `python -m models.lab.packs.moves FOLDER [--checkpoints DIR] [--splits train
valid]`.

FOLDER holds one folder a release with `manifest.json` beside them (models/lab/loaders/captures.py): passages of dances
without glitches, on the floor, with their beats. Recordings for tests are left out.
"""

import argparse
import sys

from core import checkpoints
from core.errors import command
from models.lab.loaders.captures import RATE, capture_files, read_capture
from models.repertoire.label import FEWEST
from models.repertoire.library import Clip, Library, to_arrays

STYLES = {"break": "breakdance", "rokoko": "freestyle"}  # as the dancer's styles are called
SECONDS = 3.0  # the shortest passage
LICENCE = "CMU Graphics Lab Motion Capture Database terms; Rokoko sample: MIT"
CARD = """# {name}

Moves of real dancers for *My Moves*: {clips} passages, {minutes:.1f} minutes, {beats} beats, at 60 fps;
{megabytes:.1f} MB.

- Nothing is trained. Rotation vectors in steps of 0.02 degrees, places in steps of a quarter of a millimetre,
  compressed without loss.
- Captures: CMU Graphics Lab Motion Capture Database, mocap.cs.cmu.edu (created with funding from NSF EIA-0196217): free
  for all uses and for use in products; **the data itself may not be resold**. One Rokoko sample (jesse_dance, MIT).
- Beats: for salsa one steady grid a couple on which both partners' bodies agree; else the body network's steady
  grid.
- Left out: fights, a walk, frames with glitches, and the recordings that are for tests only (salsa 05 20 11 26,
  indian 07).
- Styles: {styles}
- Recordings, with sha256 of the files:
{recordings}
- To repeat: `python -m models.lab.packs.moves FOLDER`.
- Scores: docs/results.md, Dance from music, rows "repertoire".
"""


def clips_of(capture):
    """[`Clip`] of the passages of a capture that are long enough, each begun at the origin."""
    out, name = [], "/".join(capture.clip)
    for number, (first, last) in enumerate(capture.good):
        motion = capture.motion.slice(first, last).canonical()
        beats = capture.beats.within(first / RATE, last / RATE)
        if motion.duration >= SECONDS and len(beats) >= FEWEST:
            out.append(
                Clip(
                    f"{name}-{number}",
                    STYLES.get(capture.style, capture.style),
                    motion,
                    beats,
                    capture.split,
                    False,
                    name,
                )
            )
    return out


def gather(folder, splits=("train", "valid")):
    """(`Library`, {recording: sha256}) of the dances under a folder."""
    clips, hashes = [], {}
    for path in capture_files(folder):
        capture = read_capture(path)
        if capture.dance and capture.split in splits:
            found = clips_of(capture)
            clips += found
            hashes |= {found[0].recording: capture.sha256} if found else {}
    return Library(clips), hashes


def save(library, hashes, folder=checkpoints.FOLDER, name="repertoire-moves"):
    """Write the moves into a folder of checkpoints; returns the `core.checkpoints.Checkpoint`."""
    arrays, config = to_arrays(library)
    by_style = ", ".join(f"{style} {library.of(style=style).seconds / 60:.1f} min" for style in library.styles)
    card = CARD.format(
        name=name,
        clips=len(library),
        minutes=library.seconds / 60,
        styles=by_style,
        beats=sum(len(clip.beats) for clip in library.clips),
        megabytes=sum(map(len, arrays.values())) / 1e6,
        recordings="\n".join(f"  - {recording} {sha256}" for recording, sha256 in sorted(hashes.items())),
    )
    return checkpoints.save(
        folder,
        name=name,
        system="repertoire",
        part="moves",
        config=config,
        state_dict=arrays,
        card_text=card,
        licence=LICENCE,
        extra={"recordings": hashes},
    )


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--checkpoints", default=str(checkpoints.FOLDER))
    parser.add_argument("--splits", nargs="+", default=["train", "valid"])
    options = parser.parse_args(arguments)
    library, hashes = gather(options.folder, options.splits)
    written = save(library, hashes, options.checkpoints)
    print(
        f"{written.path}: {len(library)} passages, {library.seconds / 60:.1f} minutes, "
        f"{written.path.stat().st_size / 1e6:.2f} MB"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
