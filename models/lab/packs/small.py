"""A small flat corpus of studio dances in one go, for trainings at a small budget: `python -m models.lab.packs.small
OUT [--items 40] [--valid 8] [--seconds 20]`.

Everything that the dancer and MoMu train on (models/training/flat.py), motion included, and two spectra of the sound,
`logmel` and `linear` (T, 256) float16 at 43.07 Hz, for the ablation without a mel. Stopped, it goes on where it was.
"""
import argparse
import json
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np

from core.audio.mel import BANDS, FLOOR, HOP, N_FFT, RATE, filters, log_mel, model_mono
from core.audio.spectra import mel_spectrum
from core.contract.files import replacing
from core.errors import command
from models.lab.packs.dance import gather, sounding

BINS = N_FFT // 2 // BANDS              # bins of the spectrum in a linear band
LEVEL = N_FFT / RATE                    # sum of a band's weights, that of a Slaney filter: one floor serves both
PART = 4                                # items of a file


@lru_cache(maxsize=1)
def linear_filters():
    """(256, 1025) float32: four neighbouring bins, 43 Hz, a band; the last bin is left out."""
    return np.pad(np.kron(np.eye(BANDS, dtype=np.float32), np.full(BINS, LEVEL / BINS, np.float32)), ((0, 0), (0, 1)))


def linear_rows(mono):
    """Natural log of the magnitude in 256 bands of one width, floored as `log_mel`: (N,) at 22,050 Hz -> (T, 256)."""
    return np.log(np.maximum(mel_spectrum(mono, linear_filters(), HOP), FLOOR))


def linear_to_mel(rows):
    """Log-mel (T, 256) of `linear_rows`: every bin at the level of its band."""
    bins = np.repeat(np.exp(np.asarray(rows, dtype=np.float32)) / np.float32(LEVEL), BINS, axis=1)
    return np.log(np.maximum(bins @ filters()[:, :bins.shape[1]].T, FLOOR))


def item(seed, split, seconds):
    """(meta, arrays) of a studio piece: its music, its spectra and its dance."""
    from models.lab.studio.build import item_plan
    from models.lab.studio.dancer import dance
    from models.training.shards import pack_motion
    plan = item_plan("dance", seed, seconds, True)
    meta = {"id": f"dance-{seed:06d}", "kind": "dance", "split": split, "seed": seed, "genre": plan.genre,
            "style": plan.genre, "source": "studio", "beat_confidence": 1.0}
    meta, arrays, audio = sounding(meta, plan)
    mono, moved = model_mono(audio), pack_motion(dance(plan))
    return meta, {**arrays, "rot6d": moved["motion_rot6d"].reshape(-1, 144), "root": moved["motion_root"],
                  "logmel": log_mel(mono).astype(np.float16), "linear": linear_rows(mono).astype(np.float16)}


def write_part(path, seeds, split, seconds):
    """Items in a file, whole or not at all."""
    items = [item(seed, split, seconds) for seed in seeds]
    arrays = {f"{number}/{name}": array for number, (_, each) in enumerate(items) for name, array in each.items()}
    with replacing(path) as temporary, open(temporary, "wb") as handle:
        np.savez(handle, metas=np.array(json.dumps([meta for meta, _ in items])), **arrays)


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    from models.lab.studio.plan import SPLIT_SEEDS
    parser = argparse.ArgumentParser(prog="python -m models.lab.packs.small", description=__doc__.split("\n")[0])
    parser.add_argument("out", help="flat folder to write; parts lie beside it in OUT.parts")
    parser.add_argument("--items", type=int, default=40, help="of the training split")
    parser.add_argument("--valid", type=int, default=8, help="of the validation split")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args(arguments)
    parts = Path(options.out + ".parts")
    parts.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", options.items), ("valid", options.valid)):
        for first in range(0, count, PART):
            path, base = parts / f"{split}-{first:04d}.npz", SPLIT_SEEDS[split][0]
            if not path.exists():
                write_part(path, range(base + first, base + min(first + PART, count)), split, options.seconds)
                print(path.name, flush=True)
    print(f"{gather(parts, options.out)} items in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
