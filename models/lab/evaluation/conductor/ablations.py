"""The paper's trained experiments, one after another at one small equal budget.

    python -m models.lab.evaluation.conductor.ablations --corpus DIR --out OUT

x0 / epsilon, the share of masked frames, velocity loss and elbow reward on / off, contrastive encoder / trained from
scratch.
Every row has the same small network, data, seed, steps and batch as its neighbours; only the named setting differs. A
second seed of the base says how large a difference means nothing. Scored by
`python -m models.lab.evaluation.conductor.evaluate --ablations OUT`. What they left open: `questions`.

They are of the first released recipe: shards, its published mel, and a stage 1 of `train conductor encoder --config
first`.
"""
import argparse
import sys
from pathlib import Path

import torch

from core.errors import command
from models.conductor.config import ABLATIONS
from models.conductor.train import task
from models.training.loop import default_cache, train
from models.training.run_folder import RunFolder

STEPS, PAIR_STEPS = 800, 400
PAIR = ("ablation-contrastive", "ablation-scratch")     # compared with each other only
QUEUE = {"base": ("ablation-base", 0), "base, another seed": ("ablation-base", 1),
         **{name.removeprefix("ablation-"): (name, 0) for name in ABLATIONS
            if name not in ("ablation-base", "ablation-keypoints13")}}


def folder_of(out, name):
    """The run folder of a row of `QUEUE`."""
    return Path(out) / name.replace(", ", "-").replace(" ", "-")


def trained_steps(folder):
    """Steps in the run's checkpoint, 0 without one."""
    run = RunFolder(folder)
    return run.read_checkpoint()["step"] if run.checkpoint_path.exists() else 0


def train_row(config, folder, corpus, steps, seed=0, stage1="", report=print):
    """Train the configuration `config` in `folder` up to `steps`, from where it was; False when it was interrupted."""
    if trained_steps(folder) >= steps:
        return True
    report(f"{folder}: {steps} steps")
    train(task("denoiser", config, stage1=str(stage1)), folder, corpus, default_cache(corpus, "conductor"),
          system="conductor", part="denoiser", config_name=config, steps=steps, seed=seed, resume=True, validations=3,
          report=report)
    return trained_steps(folder) >= steps                     # told to stop: the loop saved and returned


def run_queue(corpus, out, stage1="", steps=STEPS, pair_steps=PAIR_STEPS, report=print):
    """Train what is not finished yet; an interrupted queue goes on where it was. False when it was interrupted."""
    for name, (config, seed) in QUEUE.items():
        budget = pair_steps if config in PAIR else steps
        if not train_row(config, folder_of(out, name), corpus, budget, seed, stage1, report):
            return False
    return True


def finished(out):
    """{name: run folder} of the rows of `QUEUE` that lie in `out` with a checkpoint."""
    return {name: folder_of(out, name) for name in QUEUE if RunFolder(folder_of(out, name)).checkpoint_path.exists()}


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.evaluation.conductor.ablations",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True, help="folder of conducting shards")
    parser.add_argument("--out", required=True, help="folder of the runs")
    parser.add_argument("--stage1", default="", help="run folder of stage 1 (default: the shipped checkpoint)")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--pair-steps", type=int, default=PAIR_STEPS, help="steps of contrastive / scratch")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    done = run_queue(options.corpus, options.out, options.stage1, options.steps, options.pair_steps,
                     lambda text: print(text, flush=True))
    return 0 if done else 130


if __name__ == "__main__":
    sys.exit(main())
