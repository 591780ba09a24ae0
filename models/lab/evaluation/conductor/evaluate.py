"""Scores of the conductor beside the rows that expose them: `build.py evaluate conductor --corpus DIR`.

On studio test pieces: the corpus itself, the model with true / predicted / no rhythm, a rule that strikes at the same
predicted beats, another piece's motion, scrambled weights, the mean pose. Then what `experiments` asks: moved music,
seeds, seams, other domains, real tracks with agreed beats, sampling settings, and the runs of
`models.lab.evaluation.conductor.ablations`.
"""
import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from core import checkpoints
from core.body.motion import Motion
from core.errors import command
from models.conductor.encoder import load_stage1
from models.conductor.pipeline import Conductor, conducted
from models.lab.evaluation.conductor import experiments, report
from models.lab.evaluation.conductor.ablations import finished
from models.lab.evaluation.conductor.experiments import generate_all
from models.lab.evaluation.conductor.rule import rule_motion
from models.lab.evaluation.conductor.scoring import SECONDS, Judge, Studio, row, studio_pieces
from models.lab.evaluation.conductor.stage1 import stage1_rows
from models.lab.evaluation.conductor.tracks import read_tracks, track_rows
from models.lab.evaluation.tables import replace_section, scrambled, write_json


def scrambled_piece(conductor, studio, number):
    """The motion of piece `number` by the conductor with the entries of every weight matrix of its denoiser permuted:
    what the architecture alone does."""
    with scrambled(conductor, number):
        return generate_all(conductor, studio, "true", [number])[0]


def main_table(conductor, studio, few, say):
    """The rows of one table. The corpus, the model with true and predicted rhythm and the rules have all pieces, others
    `few`."""
    pieces, rows, few = studio.pieces, [], range(min(few, len(studio.pieces)))

    def add(name, motions, given=None, which=None):
        rows.append(row(name, motions, studio, given, which))
        say(json.dumps(rows[-1]))
        return motions

    add("corpus", [p.motion for p in pieces])
    add("corpus, another piece's motion", [p.motion for p in pieces[1:] + pieces[:1]])
    add("model, true rhythm", generate_all(conductor, studio))
    given = studio.predicted or [p.beats for p in pieces]
    # As in use: nobody tells in how many strokes the piece's own conductor beat it.
    shown = [conducted(g) for g in given]
    motions = add("model, predicted rhythm", generate_all(conductor, studio, given, beat_pattern="auto"), shown)
    add("model, another piece's motion", motions[1:] + motions[:1])
    usable = [beats if len(beats) > 1 else p.beats for beats, p in zip(shown, pieces)]
    add("rule, same beats", [rule_motion(b.shifted(-p.lead), p.frames) for p, b in zip(pieces, usable)], usable)
    add("rule, true rhythm", [rule_motion(p.beats.shifted(-p.lead), p.frames) for p in pieces])
    add("mean pose", [_still(conductor, p.frames) for p in pieces])
    add("model, no rhythm", generate_all(conductor, studio, "none", few), which=few)
    # A permutation a piece: one alone may strike near the beat by luck, as it is still a function of the beat's phase.
    add("scrambled weights", [scrambled_piece(conductor, studio, i) for i in few], which=few)
    return rows


def against_the_rule(rows, seeds):
    """Model and rule, given the same predicted beats, on the four points where a rule must lose."""
    named = {r["name"]: r for r in rows}
    corpus, model, rule = (named[name] for name in ("corpus", "model, predicted rhythm", "rule, same beats"))
    lift = lambda r: r["loudness_correlation"] - r["loudness_null"]                                # noqa: E731
    return [{"name": "corrected FGD to the corpus (lower)", "model": model["fgd"], "rule": rule["fgd"]},
            {"name": "bar-to-bar variation, m (near the corpus)", "model": model["bar_variation_m"],
             "rule": rule["bar_variation_m"], "corpus": corpus["bar_variation_m"]},
            {"name": "stroke/loudness correlation above its null", "model": lift(model), "rule": lift(rule),
             "corpus": lift(corpus)},
            {"name": "seed diversity (shoulder width 0.2)", "model": seeds["seed_spread"], "rule": 0.0}]


def _still(conductor, frames):
    ready = Motion.from_vector(conductor.pose[None])
    return Motion(np.repeat(ready.rotations, frames, 0), np.repeat(ready.root, frames, 0))


def music_beats(folders):
    """find_beats(samples, rate) as the pipeline finds them, at a tempo that people conduct, or None where the network
    is missing."""
    from core.contract import systems as registry
    from models.rhythm.detect import detect_music_beats
    if not checkpoints.has("rhythm", ["music"], folders):
        return None
    usual = registry.find("conductor").usual_bpm
    return lambda samples, rate: detect_music_beats(np.asarray(samples).mean(0), rate, folders=folders, usual=usual)


def evaluate(options, say=print):
    """Everything as one JSON-ready dict; each part is written to `options.out` as soon as it is there."""
    pieces = studio_pieces(options.corpus, options.clips, options.split)
    folders = options.checkpoints
    conductor = Conductor.from_run(options.run, options.encoder_run) if options.run else Conductor.load(folders)
    if options.steps:
        conductor.config = replace(conductor.config, steps=options.steps)
    net = load_stage1(options.encoder_run, folders)[1]
    find, few = music_beats(folders), options.few
    studio = Studio(pieces, Judge(net))
    studio.listen(conductor, find)
    result = {"clips": len(pieces), "few": min(few, len(pieces)), "seconds": SECONDS, "split": options.split,
              "steps": conductor.config.steps, "guidance": conductor.config.guidance_scale}

    def part(name, make):
        if options.only and name not in options.only:
            return
        result[name] = make()
        if options.out:
            write_json(options.out, result)

    which = list(range(min(few, len(pieces))))
    part("studio", lambda: main_table(conductor, studio, few, say))
    part("seeds", lambda: experiments.seed_row(conductor, studio, which[:20]))
    if "studio" in result and "seeds" in result:
        result["rule"] = against_the_rule(result["studio"], result["seeds"])
    part("moved", lambda: experiments.moved_rows(conductor, studio, which, find, say))
    part("seam", lambda: experiments.seam_row(conductor, pieces[0]))
    if find and options.music:
        part("tracks", lambda: track_rows(conductor, read_tracks(options.music, options.games), find, say))
    if options.dance:
        part("dance", lambda: experiments.domain_rows(
            conductor, studio_pieces(options.dance, few, "test", kind="dance"), find, say))
    if options.sweep_clips:
        part("sweep", lambda: experiments.sweep(conductor, studio, options.sweep_clips, say))
    if options.ablations:
        part("trained", lambda: experiments.trained_rows(finished(options.ablations), studio, options.sweep_clips or 8,
                                                         options.encoder_run, say, find))
    part("stage1", lambda: stage1_rows(net, options.corpus, options.split))
    return result


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="build.py evaluate conductor", description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", required=True, help="folder of conducting shards with a test split")
    parser.add_argument("--checkpoints", help="folder of weights (default: the shipped ones)")
    parser.add_argument("--run", help="score this denoiser run instead of the checkpoint")
    parser.add_argument("--encoder-run", default="", help="stage 1 as a run folder instead of a checkpoint")
    parser.add_argument("--split", default="test", choices=("valid", "test"))
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--steps", type=int, help="sampling steps (default: the configuration's)")
    parser.add_argument("--few", type=int, default=60, help="pieces of the dearer rows")
    parser.add_argument("--sweep-clips", type=int, default=12, help="clips of each sampling setting and trained row; "
                        "0: none")
    parser.add_argument("--music", help="folder of real tracks with .beats.txt")
    parser.add_argument("--games", help="folder with the music of the Debian package wesnoth-1.16-music")
    parser.add_argument("--dance", help="folder of dance shards, for the out-of-domain rows")
    parser.add_argument("--ablations", help="folder of the runs of models.lab.evaluation.conductor.ablations")
    parser.add_argument("--only", nargs="*", help="parts: studio seeds moved seam tracks dance sweep trained stage1")
    parser.add_argument("--merge", nargs="*", default=[], help="results of earlier partial runs to report with this "
                        "one")
    parser.add_argument("--out", default="conductor_results.json", help="the result as JSON")
    parser.add_argument("--docs", help="Markdown file whose conductor section is replaced")
    parser.add_argument("--picture", help="the sampling settings as a PNG")
    options = parser.parse_args(arguments)
    result = evaluate(options, lambda text: print(text, flush=True))
    for path in options.merge:
        result = {**json.loads(Path(path).read_text(encoding="utf-8")), **result}
    write_json(options.out, result)
    print(report.markdown(result))
    if options.docs:
        replace_section(options.docs, "conductor", report.markdown(result, options.picture))
    if options.picture and "sweep" in result:
        report.draw(result["sweep"], options.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
