"""Trained rows at one small budget: `python -m models.lab.evaluation.dance_cascade.ablations --corpus FLAT --out RUNS
[--only ROW ...] [--steps N] [--pieces N]`.

FLAT: `python -m models.lab.packs.small FLAT`. Each configuration "ablation-..." of models/dance_cascade/config.py is
trained for as many steps; a second seed of the base says how large a difference means nothing. Then every row dances to
studio test pieces with true beats: losses alone do not compare rows that have other terms or another rate. No row has a
super-resolution, all are up-sampled alike. The same command goes on where it was stopped: what is trained or scored is
kept. `build.py evaluate dance_cascade --ablations RUNS` has the table too.
"""
import argparse
import sys
from pathlib import Path

import torch

from core.errors import command
from models.dance_cascade.config import CONFIGS, CascadeConfig
from models.dance_cascade.network import Denoiser
from models.dance_cascade.pipeline import Dancer
from models.dance_cascade.train import load_aligner
from models.lab.evaluation.dance_cascade import scoring
from models.lab.evaluation.dance_cascade.evaluate import SCORES, ablation_rows
from models.lab.evaluation.tables import markdown_table, write_json
from models.training.loop import train
from models.training.run_folder import RunFolder
from models.training.task import make_task

SYSTEM, PART, PREFIX = "dance_cascade", "base", "ablation-"
SEED = 100                      # of the first piece's noise
ALIGNED = ("lift", "lift_lagged", "null", "F1", "F1_mixed")
BODY = ("slide_cm", "jerk", "joint_speed")


def configurations():
    """Names of the trained configurations, the full small base first."""
    return [name for name in CONFIGS[PART] if name.startswith(PREFIX)]


def queue():
    """{row: (configuration, seed)}, in the order in which they are trained."""
    base, *others = configurations()
    return {base: (base, 0), f"{base}-another-seed": (base, 1), **{name: (name, 0) for name in others}}


def finished(folder, steps):
    """Whether a run folder holds a validated run of so many steps."""
    rows = RunFolder(folder).rows() if Path(folder).is_dir() else []
    return any(row["step"] >= steps and "valid_reconstruction" in row for row in rows)


def run(corpus, out, steps, names=None, overrides=None, say=print, **plan):
    """Train what is not finished; {row: losses}. overrides: of every configuration; plan: of the loop. Raises
    BadInput."""
    for name in names or queue():
        config, seed = queue()[name]
        folder = Path(out) / name
        if finished(folder, steps):
            continue
        say(f"{name}: to step {steps}")
        (folder / SCORES).unlink(missing_ok=True)
        train(make_task(SYSTEM, PART, config, dict(overrides or {})), folder, str(corpus), None, system=SYSTEM,
              part=PART, config_name=config, steps=steps, seed=seed, resume=True, report=say,
              **{"validations": 1, **plan})
    return ablation_rows(out)


def dancer_of(folder):
    """The `Dancer` of a run folder of the base, without a super-resolution."""
    found = RunFolder(folder)
    config = CascadeConfig(**found.read_config()["config"])
    network = Denoiser(config)
    network.load_state_dict(found.average())
    return Dancer((config, network), None, load_aligner(config.encoder).music if config.music == "aligned" else None)


def score(dancer, pieces):
    """Figures of a dancer's dances to [`scoring.Piece`] with true beats: alignment, distance to the studio's own
    dances, feet."""
    made = [dancer.generate(piece.audio, beats=piece.beats, genre=piece.genre, seed=SEED + number)[0]
            for number, piece in enumerate(pieces)]
    aligned = scoring.alignment(made, [piece.beats for piece in pieces])
    body = scoring.quality(made)
    near = scoring.distances(made, scoring.passages([piece.motion.resampled(60.0) for piece in pieces]))
    return {**{name: aligned[name] for name in ALIGNED if name in aligned},
            "fid_k": near["fid_k"], "div_k": near["div_k"], **{name: body[name] for name in BODY}}


def scored(out, count, say=print):
    """{row: losses and figures} of the rows in `out`; those of a row are kept in its folder."""
    pieces = None
    for name in ablation_rows(out):
        kept = Path(out) / name / SCORES
        if kept.parent.is_dir() and not kept.is_file():         # without a folder it is a log alone, from elsewhere
            pieces = scoring.studio_pieces(count) if pieces is None else pieces
            write_json(kept, {"pieces": count, **score(dancer_of(kept.parent), pieces)})
            say(f"{name} {' '.join(kept.read_text(encoding='utf-8').split())}")
    rows = ablation_rows(out)
    return {name: rows[name] for name in dict.fromkeys([*queue(), *rows]) if name in rows}


@command
def main(argv=None):
    """The command line; returns the exit code."""
    from models.training.task import parse_overrides
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", required=True, help="flat corpus, several joined by commas, or a folder of them")
    parser.add_argument("--out", required=True, help="folder of the runs")
    parser.add_argument("--steps", type=int, default=2000, help="of every configuration")
    parser.add_argument("--only", nargs="+", choices=queue(), help="these alone")
    parser.add_argument("--pieces", type=int, default=8, help="studio test pieces of 20 s; 0: losses alone")
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="override a setting of all configurations")
    parser.add_argument("--threads", type=int, help="CPU threads of torch")
    options = parser.parse_args(argv)
    say = lambda text: print(text, flush=True)                                                  # noqa: E731
    if options.threads:
        torch.set_num_threads(options.threads)
    rows = run(options.corpus, options.out, options.steps, options.only, parse_overrides(options.set), say=say)
    if options.pieces:
        rows = scored(options.out, options.pieces, say)
    print(markdown_table(rows, list(dict.fromkeys(key for row in rows.values() for key in row))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
