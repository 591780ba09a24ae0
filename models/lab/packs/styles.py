"""How styles stand and move, as the dancer is drawn towards them: `python -m models.lab.packs.styles --captures FLAT
[--pieces 12]`.

Studio dances of each genre, performed now from train seeds, and the train split of captures in a flat folder
(models/lab/loaders/captures.py) are measured by `models.dance_cascade.styles.Styles` at the base's rate.
"""
import argparse
import sys

import numpy as np
import torch

from core import checkpoints
from core.contract import GENRES
from core.errors import command
from models.dance_cascade.config import BASE_FPS, STYLES
from models.dance_cascade.features import log_energy, style_index
from models.dance_cascade.styles import BANDS, WINDOW_SECONDS, Styles
from models.lab.evaluation.dance_cascade.scoring import whole
from models.lab.studio.dancer import dance
from models.lab.studio.plan import make_plan
from models.motion.representation import encode
from models.training.flat import Flat

SECONDS = 12.0                              # of a studio dance
FIRST_SEED = 1000                           # of the train split
SHORTEST = 4.0                              # s of a captured passage
CARD = """# {name}

dance_cascade / styles: how each style stands and how far it moves, which the base's estimates are drawn towards
(models/dance_cascade/styles.py).

- Measured, nothing is trained: mean of each channel over {window:g} s, its spreads in {bands} bands from slow to fast,
  their deviations over the pieces of a style, the growth of spreads with energy, and each style's mean energy.
- Data: {pieces} studio dances of {seconds:g} s of each of the ten genres (train seeds from {first}) and the captures
  below: {counts}.
- Captures: CMU Graphics Lab Motion Capture Database, mocap.cs.cmu.edu (created with funding from NSF EIA-0196217), and
  one Rokoko sample (jesse_dance, MIT). Never measured: salsa 05 20 11 26, indian 07. Files, with sha256:
{recordings}
- To repeat: `python -m models.lab.loaders.captures MOTION FLAT`, then `python -m models.lab.packs.styles --captures
  FLAT --pieces {pieces}`.
- Scores with the rows that expose them: docs/results.md, Dance from music.
"""


def vectors_of(motion, fps=BASE_FPS):
    """Vectors (T, 152) of a `Motion` at `fps`, which divides its own rate."""
    stride = int(round(motion.fps / fps))
    arrays = (torch.from_numpy(np.ascontiguousarray(part)).float() for part in (motion.rotations, motion.root))
    return encode(*arrays, motion.fps, stride)[::stride]


def gather(captures, pieces):
    """([(style index, vectors (T, 152))], {recording: sha256}) of the studio's train seeds and of captures."""
    found, hashes = [], {}
    for number in range(pieces):
        for place, genre in enumerate(GENRES):
            plan = make_plan("dance", FIRST_SEED + number * len(GENRES) + place, genre=genre, duration=SECONDS)
            found.append((style_index(genre), vectors_of(dance(plan))))
    flat = Flat(captures)
    for item in flat.items:
        style = style_index(item.get("style"), captured=True)
        if item["split"] == "train" and item.get("kind") == "dance" and style >= 0:
            motion = whole(flat, item)
            if motion.duration >= SHORTEST:
                found.append((style, vectors_of(motion)))
                hashes[item["clip"]] = item["sha256"]
    return found, hashes


def measured(found):
    """`Styles` of [(style index, vectors)]."""
    styles = Styles()
    styles.measure([(style, vectors, log_energy(vectors, BASE_FPS)) for style, vectors in found], BASE_FPS)
    return styles.eval()


def save(styles, found, hashes, pieces, folder=checkpoints.FOLDER, name="dance_cascade-styles"):
    """Write it into a folder of checkpoints; returns the `core.checkpoints.Checkpoint`."""
    seconds = {place: sum(len(vectors) for style, vectors in found if style == place) / BASE_FPS
               for place in range(len(GENRES), len(STYLES))}
    card = CARD.format(name=name, window=WINDOW_SECONDS, bands=len(BANDS) + 1, pieces=pieces, seconds=SECONDS,
                       first=FIRST_SEED,
                       counts=", ".join(f"{STYLES[place]} {s / 60:.1f} min" for place, s in seconds.items() if s),
                       recordings="\n".join(f"  - {clip} {digest}" for clip, digest in sorted(hashes.items())))
    return checkpoints.save(folder, name=name, system="dance_cascade", part="styles", config={"fps": BASE_FPS},
                            state_dict=styles.state_dict(), card_text=card, licence="GPL-3.0-or-later",
                            dtype="float32")


@command
def main(argv=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--captures", required=True, help="flat folder of captured clips")
    parser.add_argument("--pieces", type=int, default=12, help="studio dances of each genre")
    parser.add_argument("--checkpoints", default=str(checkpoints.FOLDER), help="folder to write to")
    options = parser.parse_args(argv)
    found, hashes = gather(options.captures, options.pieces)
    written = save(measured(found), found, hashes, options.pieces, options.checkpoints)
    print(f"{written.path} {written.path.stat().st_size / 1e3:.0f} kB sha256 {written.sha256[:16]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
