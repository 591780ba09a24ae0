"""Dances of an evaluation on disk, so that one that was stopped goes on where it was."""
import re
from pathlib import Path

import numpy as np

from core.body.motion import Motion
from core.body.rotations import matrix_to_6d, sixd_to_matrix
from core.contract.files import replacing


class KeptDances:
    """`kept(row, number, make)`: the `Motion` of a row for piece `number`, from its file where there is one, else made
    now and written. folder None: nothing is kept. Files say nothing of how they were made: delete them with a change
    that changes dances."""

    def __init__(self, folder=None):
        self.folder = None if folder is None else Path(folder)

    def __call__(self, row, number, make):
        if self.folder is None:
            return make()
        path = self.folder / re.sub(r"[^a-z0-9]+", "-", row.lower()).strip("-") / f"{number:04d}.npz"
        if not path.is_file():
            write_dance(path, make())
        return read_dance(path)


def write_dance(path, motion):
    """A `Motion` as npz: rotations as 6D, the pelvis, frames per second; whole or not at all."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, rot6d=matrix_to_6d(motion.rotations).astype(np.float32), root=motion.root.astype(np.float32),
                 fps=motion.fps)


def read_dance(path):
    """The `Motion` of such a file."""
    with np.load(path) as stored:
        return Motion(sixd_to_matrix(stored["rot6d"]), stored["root"], float(stored["fps"]))
