"""Music and plans of the conductor's corpus as a flat folder: `python -m models.lab.studio.conducted_flat --out DIR
--items N`.

Arrays `mel` (T, 64), `level` (T, 2) and `side` (T, 16) uint8 at 30 Hz, what the conductor's networks hear
(models/conductor/features.py); every meta has its `plan`. Motion is performed where the training runs
(models/conductor/performed.py). Rendered pieces are kept beside, one file each, so an interrupted build goes on and
builds can share the work.
"""
import argparse
import json
import sys
from pathlib import Path

import numpy as np

from core.body.kinematics import FPS
from core.contract.files import replacing
from models.lab.studio.build import item_plan
from models.lab.studio.conducted import PATTERNS_STYLE
from models.lab.studio.ik import smooth_noise
from models.lab.studio.plan import SPLIT_SEEDS, STYLES, split_of
from models.training.flat import FlatWriter

SOUND_RATE = 48_000
SILENT_SEED = 500_000           # of the train split, far from what is rendered


def hear(samples, rate):
    """{"mel": (T, 64), "level": (T, 2), "side": (T, 16)} uint8 of samples (N,) or (2, N); sides from 0, right, to 255,
    left."""
    from models.conductor.features import level_frames, mel_frames_30, mono, side_frames
    samples = np.atleast_2d(samples)
    sound, sides = mono(samples, rate), [mono(samples[channel], rate) for channel in (0, -1)]
    found = {"mel": mel_frames_30(sound), "level": level_frames(sound), "side": 0.5 + 0.5 * side_frames(*sides)}
    frames = min(map(len, found.values()))
    return {name: np.round(values[:frames] * 255).astype(np.uint8) for name, values in found.items()}


def render_piece(seed, folder, seconds, style=PATTERNS_STYLE):
    """Path of the rendered piece of a seed, made where it is missing; style: of `item_plan`."""
    from models.lab.studio.music import compose, render
    path = Path(folder) / f"{seed:06d}.npz"
    if not path.exists():
        plan = item_plan("conducting", seed, seconds, style=style)
        heard = hear(render(compose(plan), plan, rate=SOUND_RATE), SOUND_RATE)
        with replacing(path) as temporary, open(temporary, "wb") as handle:
            np.savez(handle, **heard, plan=json.dumps(plan.to_json()))
    return path


def meta_of(plan):
    """The meta of a piece: docs/contracts.md, section 3, and its plan."""
    return {"id": f"conducted-{plan['seed']:06d}", "kind": "conducting", "split": split_of(plan["seed"]),
            "seed": plan["seed"],
            "genre": None, "metre": plan["metre"], "bpm": round(plan["bpm"], 3), "duration": plan["duration"],
            "source": "conducted", "beat_confidence": 1.0, "plan": plan}


def silent_level(plan):
    """(T, 2) uint8 of a plan that is not rendered: loudness from its dynamics, as it was found in 174 rendered pieces.

    There the level over 1 s is 0.92 +- 0.045 + (0.53 +- 0.2) (dynamics - their highest) with 0.034 left over, that over
    0.1 s 0.02 below it and 0.066 more restless.
    """
    rng = np.random.default_rng([plan.seed, *b"level"])
    frames = int(plan.duration * FPS + 1e-6)
    t = np.arange(frames) / FPS
    loud = np.interp(t, plan.times, plan.dynamics)
    slow = rng.normal(0.92, 0.045) + np.clip(rng.normal(0.53, 0.2), 0.1, 1.0) * (loud - loud.max())
    slow = slow + 0.034 * smooth_noise(rng, frames, 1, 1.5)[:, 0]
    fast = slow - 0.02 + 0.066 * smooth_noise(rng, frames, 1, 0.15)[:, 0]
    return np.round(np.clip(np.stack([fast, slow], 1), 0, 1) * 255).astype(np.uint8)


def gather(paths, out, silent=0, seconds=24.0, style=PATTERNS_STYLE):
    """A flat folder of rendered pieces and of `silent` further plans that only the denoiser learns from; returns its
    items."""
    writer = FlatWriter(out)
    for path in paths:
        with np.load(path) as piece:
            heard = {name: piece[name] for name in piece.files if name != "plan"}
            writer.add(meta_of(json.loads(str(piece["plan"]))), heard)
    for seed in range(SILENT_SEED, SILENT_SEED + silent):
        plan = item_plan("conducting", seed, seconds, style=style)
        writer.add(meta_of(plan.to_json()), {"level": silent_level(plan)})
    writer.close()
    return len(writer.items)


def main(argv=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.studio.conducted_flat",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="folder of the flat corpus")
    parser.add_argument("--items", type=int, default=256, help="pieces of the train split; a tenth as many valid ones")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=24.0)
    parser.add_argument("--silent", type=int, default=600, help="further plans without sound, for the denoiser")
    parser.add_argument("--style", choices=(PATTERNS_STYLE, *STYLES[1:]), default=PATTERNS_STYLE,
                        help="patterns: every metre and tempo; rhapsodic: rubato inside the bars")
    parser.add_argument("--pieces", help="folder of rendered pieces (default: OUT.pieces)")
    options = parser.parse_args(argv)
    folder = Path(options.pieces or f"{options.out}.pieces")
    folder.mkdir(parents=True, exist_ok=True)
    valid = max(1, options.items // 10)
    seeds = [*range(options.first_seed, options.first_seed + options.items),
             *range(SPLIT_SEEDS["valid"][0], SPLIT_SEEDS["valid"][0] + valid)]
    from tqdm import tqdm
    paths = [render_piece(seed, folder, options.seconds, options.style)
             for seed in tqdm(seeds, desc="rendering", file=sys.stderr)]
    print(f"{gather(paths, options.out, options.silent, options.seconds, options.style)} pieces in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
