"""What the seeds of this project left open of the conductor, asked by small trainings at one equal budget.

    python -m models.lab.evaluation.conductor.questions --patterns FLAT --rhapsodic FLAT --test DIR
        --test-rhapsodic DIR --out OUT [--steps N] [--docs docs/results.md]

Masking rates where nothing but the music's features is known; an elbow reward with a cap that binds; a U-Net in place
of the transformer; eps with as many sampling steps as it likes; a conductor of one style in another. Flat corpora:
`models.lab.studio.conducted_flat`, with `--style rhapsodic` the second; test pieces: `build.py train corpus --kind
conducting --split test --style patterns` and `rhapsodic`. Every row has the same steps, batch and window; only what is
named differs. Rows that are trained or scored already are kept, so an interrupted queue goes on where it was.
"""
import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from core.errors import command
from models.conductor.encoder import load_stage1
from models.conductor.pipeline import Conductor
from models.lab.evaluation.conductor.ablations import train_row
from models.lab.evaluation.conductor.evaluate import music_beats
from models.lab.evaluation.conductor.experiments import generate_all, seed_row
from models.lab.evaluation.conductor.rule import rule_motion
from models.lab.evaluation.conductor.scoring import Judge, Studio, row, studio_pieces
from models.lab.evaluation.tables import markdown_table, replace_section, write_json
from models.training.flat import Flat, FlatWriter, is_flat
from models.training.run_folder import RunFolder

STEPS = 300
SLOW_CLIPS = 2                      # of sampling with more than `SLOW_STEPS` steps
SLOW_STEPS = 50
CHAINS = (10, 50, 250)              # sampling steps that eps is given, x0 the first two
STYLES = ("patterns", "rhapsodic")
KEYS = ("clips", "ictus_f1", "ictus_f1_95", "ictus_f1_any_pattern", "ictus_f1_mismatched", "ictus_f1_chance",
        "downbeat_down", "loudness_correlation", "loudness_null_p95", "bar_variation_m", "sdp_percent", "fgd", "jerk",
        "hand_peak_m_s", "elbow_above", "hand_hangs", "seed_spread")


@dataclass(frozen=True)
class Row:
    """A training and how it is scored. chains: sampling steps, None for the configuration's; tests: styles of
    pieces."""

    config: str
    seed: int = 0
    corpus: str = "patterns"        # or rhapsodic, or both
    chains: tuple = (None,)
    tests: tuple = ("patterns",)


ASKED = {
    "base": Row("question-base", tests=STYLES), "U-Net": Row("question-unet"), "elbow reward": Row("question-elbow"),
    "elbow reward, low cap": Row("question-elbow-low"),
    **{f"no rhythm, mask {share:g}": Row(f"question-unclocked-mask-{share:g}") for share in (0.0, 0.3)},
    "eps, no other loss": Row("question-eps", chains=CHAINS),
    "trained on rhapsodic": Row("question-base", corpus="rhapsodic", tests=STYLES),
    "x0, no other loss": Row("question-x0", chains=CHAINS[:2]),
    "trained on both": Row("question-base", corpus="both", tests=STYLES),
    "no rhythm, mask 0.1": Row("question-unclocked-mask-0.1"),
}
# In the order of their weight. The second seed says how large a difference means nothing.
QUEUE = {f"{name}, seed {seed}": replace(asked, seed=seed) for seed in (0, 1) for name, asked in ASKED.items()}


def folder_of(out, name):
    """The run folder of a row of `QUEUE`."""
    return Path(out) / name.replace(", ", "-").replace(" ", "-")


def halves(folders, out):
    """Every second piece of each of two flat folders as one, so that it holds no more than either."""
    writer = FlatWriter(out)
    for flat in map(Flat, folders):
        for item in flat.items[::2]:
            writer.add({key: value for key, value in item.items() if key != "arrays"},
                       {name: flat.rows(item, name) for name in item["arrays"]})
    writer.close()


def train_all(corpora, out, steps, stage1, report, rows=None):
    """Train what is not finished of the first `rows` (None: all) of `QUEUE`; False when it was interrupted."""
    return all(train_row(asked.config, folder_of(out, name), corpora[asked.corpus], steps, asked.seed, stage1, report)
               for name, asked in list(QUEUE.items())[:rows])


def score(name, folder, studios, stage1):
    """Rows of one training: one for each chain of sampling steps and style of test pieces."""
    asked, conductor, rows = QUEUE[name], Conductor.from_run(folder, stage1), []
    for style in asked.tests:
        for chain in asked.chains:
            studio, slow = studios[style], (chain or 0) > SLOW_STEPS
            which = range(min(SLOW_CLIPS, len(studio.pieces)) if slow else len(studio.pieces))
            found = row(name, generate_all(conductor, studio, "true", which, steps=chain), studio, which=which)
            title = name + (f", {chain} steps" if chain else "") + (f", on {style}" if len(asked.tests) > 1 else "")
            pairs = None if slow else seed_row(conductor, studio, which[:4], steps=chain)["seed_spread"]
            rows.append({"name": title, **{key: found[key] for key in KEYS if key in found}, "seed_spread": pairs})
    return rows


def references(studios, out, report):
    """Rows of the true motion, the rule, and the released network with true, found and no beats: what the small ones
    are held against. Kept in `out`."""
    kept, shipped, find = out / "references.json", Conductor.load(), music_beats(None)
    rows = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else []
    makers = {
        "true motion": lambda s: [p.motion for p in s.pieces],
        "released network": lambda s: generate_all(shipped, s),
        "released network, found beats": lambda s: generate_all(shipped, s, [find(*p.audio) for p in s.pieces],
                                                                beat_pattern="auto"),
        "rule": lambda s: [rule_motion(p.beats.shifted(-p.lead), p.frames) for p in s.pieces],
        "another piece's true motion": lambda s: [p.motion for p in s.pieces[1:] + s.pieces[:1]],
        "released network, no beats": lambda s: generate_all(shipped, s, "none")}
    for style, studio in studios.items():
        for name, make in list(makers.items())[:None if style == STYLES[0] else 3]:
            title = f"{name}, on {style}"
            if title not in [line["name"] for line in rows]:
                line = row(title, make(studio), studio)
                rows.append({"name": title, **{key: line[key] for key in KEYS if key in line}})
                write_json(kept, rows)
                report(json.dumps(rows[-1]))
    return rows


def last_values(folder):
    """{name: value} of the last validation of a run."""
    logged = [line for line in RunFolder(folder).rows() if any(key.startswith("valid_") for key in line)]
    return {key: value for key, value in logged[-1].items() if key.startswith("valid_")} if logged else {}


def score_all(out, studios, steps, stage1, report):
    """Rows of all finished trainings; those of a row are kept in its folder."""
    rows = []
    for name in QUEUE:
        folder = folder_of(out, name)
        kept = folder / "scores.json"
        if not RunFolder(folder).checkpoint_path.exists():
            continue
        if not kept.exists():
            write_json(kept, {"steps": steps, "rows": score(name, folder, studios, stage1),
                              "valid": last_values(folder)})
        for line in json.loads(kept.read_text(encoding="utf-8"))["rows"]:
            rows.append(line)
            report(json.dumps(line))
    return rows


TEXT = """
### Music to conducting: questions that were left open

{steps} steps of 6 windows of 6 s for every row, 0.47 M parameters (U-Net 0.49 M), the released recipe otherwise;
pieces of 20 s of the test split, true beats, 10 sampling steps unless a row says more.
`models.lab.evaluation.conductor.questions`.
"""


def markdown(rows, steps):
    """The section of docs/results.md."""
    return TEXT.format(steps=steps) + "\n" + markdown_table({line["name"]: line for line in rows}, KEYS)


def studios_of(folders, clips, stage1):
    """{style: `Studio`} of the test folders, heard by the shipped encoder, which all rows share."""
    judge, shipped = Judge(load_stage1(stage1)[1]), Conductor.load()
    studios = {}
    for style, folder in folders.items():
        studios[style] = Studio(studio_pieces(folder, clips), judge)
        studios[style].listen(shipped)
    return studios


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.evaluation.conductor.questions",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("--patterns", required=True, help="flat corpus of every metre and tempo")
    parser.add_argument("--rhapsodic", required=True, help="flat corpus with rubato inside the bars")
    parser.add_argument("--test", required=True, help="shards with test pieces of the first style")
    parser.add_argument("--test-rhapsodic", required=True, help="shards with test pieces of the second")
    parser.add_argument("--out", required=True, help="folder of the runs and their scores")
    parser.add_argument("--stage1", default="", help="run folder of stage 1 (default: the shipped checkpoint)")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--rows", type=int, help="only the first so many trainings")
    parser.add_argument("--clips", type=int, default=8, help="test pieces of each style")
    parser.add_argument("--docs", help="Markdown file whose section conductor-questions is replaced")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    corpora = {"patterns": options.patterns, "rhapsodic": options.rhapsodic, "both": Path(options.out) / "both"}
    if not is_flat(corpora["both"]):
        halves([options.patterns, options.rhapsodic], corpora["both"])

    def report(text):
        print(text, flush=True)
    done = train_all(corpora, options.out, options.steps, options.stage1, report, options.rows)
    studios = studios_of({"patterns": options.test, "rhapsodic": options.test_rhapsodic}, options.clips, options.stage1)
    rows = references(studios, Path(options.out), report)
    rows += score_all(options.out, studios, options.steps, options.stage1, report)
    text = markdown(rows, options.steps)
    print(text)
    if options.docs:
        replace_section(options.docs, "conductor-questions", text)
    return 0 if done else 130


if __name__ == "__main__":
    sys.exit(main())
