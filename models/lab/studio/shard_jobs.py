"""What every build of shards does: its jobs over several processes, which of them are done, the arrays of a plan."""
import os
import sys
from pathlib import Path

import numpy as np

from models.training.shards import read_header

PER_SHARD = 16


def plan_arrays(plan):
    """The ground truth arrays of docs/contracts.md section 3."""
    return {"beats": np.stack([plan.times, plan.positions], 1).astype(np.float32),
            "dynamics": np.asarray(plan.dynamics, np.float32),
            "articulation": np.asarray(plan.articulation, np.float32)}


def is_complete(task):
    """Whether the task's shard is already there with just these pieces."""
    path = Path(task["path"])
    return path.exists() and [meta["seed"] for meta in read_header(path)] == task["seeds"]


def run_tasks(function, tasks, jobs, label, total_seconds):
    """Run tasks in `jobs` fresh processes (or here, when 1) under one progress bar in seconds of material."""
    from tqdm import tqdm
    with tqdm(total=round(total_seconds), unit="s", desc=label, smoothing=0.1, mininterval=1.0, file=sys.stderr) as bar:
        if jobs <= 1:
            for task in tasks:
                bar.update(function(task))
            return
        import multiprocessing
        os.environ["OMP_NUM_THREADS"] = "1"                  # inherited by the spawned processes
        with multiprocessing.get_context("spawn").Pool(jobs) as pool:
            for seconds in pool.imap_unordered(function, tasks):
                bar.update(seconds)
