"""Trained rows at one small budget: `python -m models.lab.evaluation.dance_cascade.ablations --corpus FLAT --out RUNS`.

Each configuration "ablation-..." of models/dance_cascade/config.py is trained for as many steps, its averaged weights
are scored on the valid split, and the table is printed. The same command goes on where it was stopped; configurations
that are finished are not trained again. `build.py evaluate dance_cascade --ablations RUNS` has the table too.
"""
import argparse
import sys
from pathlib import Path

from core.errors import command
from models.dance_cascade.config import CONFIGS
from models.lab.evaluation.dance_cascade.evaluate import ablation_rows
from models.lab.evaluation.tables import markdown_table
from models.training.loop import train
from models.training.run_folder import RunFolder
from models.training.task import make_task

SYSTEM, PART, PREFIX = "dance_cascade", "base", "ablation-"


def configurations():
    """Names of the trained rows, the full small base first."""
    return [name for name in CONFIGS[PART] if name.startswith(PREFIX)]


def finished(folder, steps):
    """Whether a run folder holds a scored run of so many steps."""
    rows = RunFolder(folder).rows() if Path(folder).is_dir() else []
    return any(row["step"] >= steps and "valid_reconstruction" in row for row in rows)


def run(corpus, out, steps, names=None, overrides=None, say=print, **plan):
    """Train what is not finished; {configuration: losses}. overrides: of every configuration; plan: of the loop.
    Raises BadInput."""
    for name in names or configurations():
        folder = Path(out) / name
        if finished(folder, steps):
            continue
        say(f"{name}: to step {steps}")
        train(make_task(SYSTEM, PART, name, dict(overrides or {})), folder, str(corpus), None, system=SYSTEM, part=PART,
              config_name=name, steps=steps, resume=True, report=say, **{"validations": 1, **plan})
    return ablation_rows(out)


@command
def main(argv=None):
    """The command line; returns the exit code."""
    import torch

    from models.training.task import parse_overrides
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", required=True, help="flat corpus, several joined by commas, or a folder of them")
    parser.add_argument("--out", required=True, help="folder of the runs")
    parser.add_argument("--steps", type=int, default=2000, help="of every configuration")
    parser.add_argument("--only", nargs="+", choices=configurations(), help="these alone")
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="override a setting of all configurations")
    parser.add_argument("--threads", type=int, help="CPU threads of torch")
    options = parser.parse_args(argv)
    if options.threads:
        torch.set_num_threads(options.threads)
    rows = run(options.corpus, options.out, options.steps, options.only, parse_overrides(options.set),
               say=lambda text: print(text, flush=True))
    print(markdown_table(rows, list(dict.fromkeys(key for row in rows.values() for key in row))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
