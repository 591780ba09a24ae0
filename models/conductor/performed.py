"""The conductor's flat corpus, performed: motion, key points and stroke clocks of several studio conductors for each
piece.

The corpus carries music and plans only (`mel`, `level`, `side`, `plan` in the metas, see models/training/flat.py);
motion is made where the training runs. Cache: vector (F, 113), points (F, 26) float32, rhythm (JITTERS, F, 9 + metres),
focus (F, 3) on the clock of the strokes and players (F, 3) on that of the sound float16, all rows end to end, and
rows.json ({"made_of": a digest of corpus and settings, "rows": [...]}).
"""
import importlib
import json
from pathlib import Path

import numpy as np

from core.errors import BadInput
from models.training.flat import Flat

JITTERS = 3                 # rhythm of the written strokes, and of strokes with errors as a detector makes them
PERFORMER = "models.lab.studio.performed"       # by name: the studio stands above the systems and knows this one


def perform_corpus(corpus, cache, jitter, progress):
    """Have the studio perform every piece of a flat corpus into `cache`, once. jitter: s of the errors put on
    strokes."""
    importlib.import_module(PERFORMER).prepare(corpus, cache, jitter, progress)


class Rows:
    """The performed rows of a split: `first`, `music` (-1: the piece is silent), `level` and `frames` of each, and
    their arrays.

    heard: leave out silent pieces.
    """

    def __init__(self, corpus, cache, split, least, heard=False):
        rows = json.loads((Path(cache) / "rows.json").read_text(encoding="utf-8"))["rows"]
        self.rows = [row for row in rows if row["split"] == split and row["frames"] >= least
                     and (row["music"] >= 0 or not heard)]
        if not self.rows:
            raise BadInput(f"{corpus} holds no {split} pieces of {least / 30:.1f} s; make a larger corpus.")
        self.cache, self.flat = Path(cache), Flat(corpus)

    def column(self, name):
        """(N,) int64 of a number of every row."""
        return np.array([row[name] for row in self.rows], dtype=np.int64)

    def array(self, name):
        """vector, points, rhythm, focus, players, mel, level or side of the whole corpus, memory-mapped."""
        if name in ("mel", "level", "side"):
            return self.flat.array(name)
        return np.load(self.cache / f"{name}.npy", mmap_mode="r")
