"""How much of a denoiser's target a linear filter tells: `python -m models.lab.evaluation.momu.filters --corpus FLAT
[--widths 1 3 9 15] [--vae VAE]`.

The rule beside the losses of `ablations.py`: nothing is trained. From the covariance of windows of the training
split's latents, the best linear answer to the noisy window is known for every noise level (Wiener 1949). Whoever
trains a network and stays above the filter has not learned what a covariance holds. Music's latents, and motion's
where a motion VAE is named.
"""
import argparse
import sys

import numpy as np
import torch

from core.errors import command
from models.diffusion import Schedule
from models.lab.evaluation.tables import markdown_table
from models.momu.config import RELEASE
from models.momu.data import Pieces, encode_motion
from models.momu.train import VALID_TIMES
from models.momu.vae import load_motion_vae
from models.training.flat import Flat

SPLITS = ("train", "valid")
EVERY = 2                       # one window in two is enough of a covariance


def windows(pieces, width):
    """Windows (N, width x C) of pieces [(L, C), ...], the latent in their middle that is asked for included."""
    views = [np.lib.stride_tricks.sliding_window_view(piece, width, axis=0).transpose(0, 2, 1) for piece in pieces
             if len(piece) >= width]
    return np.concatenate([view.reshape(len(view), -1) for view in views])


def filter_losses(train, valid, width, schedule, times=VALID_TIMES, seed=0):
    """(loss of the best linear filter over `width` latents, loss of an answer of zeros) on `valid`, each the mean over
    the timesteps. train, valid: standardised latents [(L, C), ...]."""
    seen = windows(train, width)[::EVERY].astype(np.float64)
    covariance, asked = seen.T @ seen / len(seen), windows(valid, width).astype(np.float64)
    channels = train[0].shape[1]
    middle = slice(width // 2 * channels, (width // 2 + 1) * channels)
    noise, same = np.random.default_rng(seed).standard_normal(asked.shape), np.eye(len(covariance))
    found, zero = [], []
    for t in times:
        alpha, sigma = schedule.alpha_sigma(t)
        # v = alpha eps - sigma x0 beside x = alpha x0 + sigma eps: their covariance over that of x.
        of_x = alpha**2 * covariance + sigma**2 * same
        weights = np.linalg.solve(of_x, alpha * sigma * (same - covariance)[:, middle])
        target = alpha * noise[:, middle] - sigma * asked[:, middle]
        found.append(np.square((alpha * asked + sigma * noise) @ weights - target).mean())
        zero.append(np.square(target).mean())
    return float(np.mean(found)), float(np.mean(zero))


def standardised(train, valid):
    """Both lists of latents, of zero mean and unit spread per channel in `train`."""
    rows = np.concatenate(train)
    mean, spread = rows.mean(0), rows.std(0)
    return [[(piece - mean) / spread for piece in pieces] for pieces in (train, valid)]


def music_latents(flat, split):
    """Music latents [(L, 64), ...] of a split of a flat corpus."""
    scale = {name: np.asarray(values, np.float32) for name, values in flat.scales["latent"].items()}
    return [np.asarray(flat.rows(item, "latent"), np.float32) * scale["scale"] + scale["mean"]
            for item in flat.items if item["split"] == split]


def motion_latents(flat, split, vae):
    """Motion latents [(L, 64), ...] of a split, by a `MotionVAE`."""
    pieces = Pieces(flat, split, 0.0, torch.device("cpu"))
    made = encode_motion(pieces, vae)[0].float().numpy()
    return [made[first:first + count] for first, count in pieces.spans]


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.evaluation.momu.filters",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True, help="flat folder with the splits train and valid")
    parser.add_argument("--widths", type=int, nargs="*", default=[1, 3, 9, 15], help="latents that a filter sees")
    parser.add_argument("--vae", help="run folder or exported file of a motion VAE, for its latents too")
    options = parser.parse_args(arguments)
    flat, schedule = Flat(options.corpus), Schedule(RELEASE.schedule, RELEASE.prediction)
    sides = {"music": [music_latents(flat, split) for split in SPLITS]}
    if options.vae:
        vae = load_motion_vae(options.vae)
        sides["motion"] = [motion_latents(flat, split, vae) for split in SPLITS]
    rows = {}
    for side, (train, valid) in sides.items():
        for width in options.widths:
            loss, zero = filter_losses(*standardised(train, valid), width, schedule)
            rows[f"{side}, {width} latents"] = {"linear filter": loss, "nothing said": zero}
    print(markdown_table(rows, ["linear filter", "nothing said"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
