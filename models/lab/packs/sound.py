"""Studio dance music as a pack of sound (`models/music_ldm/sound_pack.py`), for training the vocoder.

    python -m models.lab.packs.sound FILE.zip [--clips 134] [--valid 10] [--seconds 6] [--first-seed 300000] [--jobs 2]

Each excerpt is one seed's, the ten genres in turn, from a random place of a 10 s piece.
"""
import argparse
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np

from core.audio import Audio
from core.audio.mel import levelled
from core.contract.files import write_text
from models.lab.studio.build import item_plan
from models.lab.studio.music import compose, render
from models.lab.studio.shard_jobs import run_tasks
from models.music_ldm.sound_pack import CODED_RATE, PEAK, encode, write_pack
from models.music_ldm.vocoder import RATE

PIECE = 10.0                    # seconds of a composed piece


def excerpt(task):
    """(meta, Opus bytes) of one seed, kept in `parts` so that a making that was stopped goes on.
    task: (seed, split, seconds, parts)."""
    seed, split, seconds, parts = task
    os.environ["OMP_NUM_THREADS"] = "1"
    done = Path(parts) / f"{seed:06d}.json"
    if done.exists():
        return json.loads(done.read_text(encoding="utf-8")), done.with_suffix(".ogg").read_bytes()
    plan = item_plan("dance", seed, PIECE, True)
    audio = Audio(render(compose(plan), plan, rate=CODED_RATE), CODED_RATE)
    _, gain = levelled(audio.resampled(RATE // 2).mono())
    start = float(np.random.default_rng([seed, 5]).uniform(0.5, PIECE - seconds - 0.2))
    cut = audio.slice(start, start + seconds).samples * gain
    scale = float(np.abs(cut).max()) / PEAK or 1.0
    meta, data = {"id": f"dance-{seed:06d}", "split": split, "genre": plan.genre, "scale": scale}, encode(cut / scale)
    done.with_suffix(".ogg").write_bytes(data)
    write_text(done, json.dumps(meta))
    return meta, data


def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.packs.sound", description=__doc__.split("\n")[0])
    parser.add_argument("file")
    parser.add_argument("--clips", type=int, default=134)
    parser.add_argument("--valid", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--first-seed", type=int, default=300_000)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(arguments)
    parts = Path(options.file).with_suffix(".parts")
    parts.mkdir(parents=True, exist_ok=True)
    tasks = [(options.first_seed + number, "train", options.seconds, parts) for number in range(options.clips)]
    tasks += [(800_000 + number, "valid", options.seconds, parts) for number in range(options.valid)]
    made = []
    if options.jobs > 1:
        import multiprocessing
        with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
            made = pool.map(excerpt, tasks, chunksize=2)
    else:
        def one(task):
            made.append(excerpt(task))
            return options.seconds
        run_tasks(one, tasks, 1, "sound", len(tasks) * options.seconds)
    size = write_pack(options.file, made)
    shutil.rmtree(parts)
    print(f"{options.file}: {len(made)} excerpts, {len(made) * options.seconds / 60:.1f} minutes, {size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
