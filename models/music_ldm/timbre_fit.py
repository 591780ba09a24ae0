"""The genres' timbre codes of the music denoiser measured on newer pieces, nothing trained:

    python -m models.music_ldm.timbre_fit FLAT --out FOLDER

A piece's sound is its code (`timbre.py`), and a take draws its code from what is known of its genre. So when the
studio's sound changes, the codes say so at once, while the network, which knows every code, stays as it is. FLAT: a
flat corpus with `profile` (models/training/flat.py), such as `models.lab.packs.small` writes.
"""
import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from core import checkpoints
from core.contract import GENRES
from core.errors import BadInput, command
from models.music_ldm.config import DenoiserConfig
from models.music_ldm.network import UNet
from models.training.flat import Flat


def profiles_of(folder):
    """(N, 96) profiles and (N,) numbers of the genres of a flat folder's training pieces. Raises BadInput."""
    flat = Flat(folder, split="train")
    items = [item for item in flat.items if item["genre"] in GENRES and flat.has(item, "profile")]
    if not items:
        raise BadInput(f"{folder} holds no pieces with a timbre profile and a genre; make it with "
                       "models.lab.packs.small.")
    return (np.stack([flat.rows(item, "profile")[0] for item in items]),
            np.array([GENRES.index(item["genre"]) for item in items]))


def fit(timbre, profiles, genres):
    """Move the codes of a `Timbre` in place. Returns the mean distance that genres moved, in their own spreads."""
    was, factors = timbre.genre_mean.clone(), timbre.genre_factor.clone()
    timbre.refit(profiles, genres)
    moved = torch.linalg.solve_triangular(factors, (timbre.genre_mean - was)[..., None], upper=False)[..., 0]
    return float(moved.norm(dim=1).mean())


@command
def main(arguments=None):
    """The command line of this file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.music_ldm.timbre_fit",
                                     description=(__doc__ or "").split("\n")[0])
    parser.add_argument("corpus", help="flat folder of the new pieces")
    parser.add_argument("--out", required=True, help="folder to write the checkpoint to")
    parser.add_argument("--checkpoints", help="folder of the denoiser (default: the shipped one)")
    options = parser.parse_args(arguments)
    checkpoint = checkpoints.find("music_ldm", "denoiser", options.checkpoints and Path(options.checkpoints))
    network = UNet(DenoiserConfig(**checkpoint.config))
    if not network.config.timbre:
        raise BadInput(f"{checkpoint.path} has no timbre codes to measure anew; give a denoiser that has.")
    network.load_state_dict(checkpoints.load_state(checkpoint))
    profiles, genres = profiles_of(options.corpus)
    moved = fit(network.condition.timbre, profiles, genres)
    words = (f"- Timbre codes of the genres measured anew on {len(profiles)} pieces (`models.music_ldm.timbre_fit`), "
             f"{np.bincount(genres, minlength=len(GENRES)).min()} or more of each; they moved by {moved:.2f} of their "
             "spread. Nothing else changed.\n")
    checkpoints.save_again(checkpoint, options.out, network.state_dict(), words)
    print(words, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
