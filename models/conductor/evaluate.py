"""Scores of the conductor beside the rows that expose them: `python -m models.conductor.evaluate --corpus DIR`.

Rows on studio test pieces: the corpus itself, the model with true / predicted / no rhythm, a rule that strikes at the same
predicted beats, the model with scrambled weights, the mean pose, and every score against mismatched music. Then real tracks
with agreed beats, and sweeps of guidance and steps. Ablations: `--run NAME=DENOISER_RUN`.
"""
import argparse
import copy
import json
import sys
import time
from pathlib import Path

import numpy as np

from core.beats import Beats, read_beats
from core.errors import BatonError
from core.metrics import conducting as scores
from core.metrics.beat_align import align_report, beat_f1_70ms
from core.metrics.motion import foot_slide
from core.motion import Motion
from models.conductor.config import FPS
from models.conductor.features import keypoints13
from models.conductor.pipeline import Conductor, default_lead
from models.conductor.rule import rule_motion
from models.conductor.scoring import SECONDS, Judge, mean, row, studio_pieces, visible
from models.conductor.train import load_stage1
from models.data.shards import AUDIO_RATE, Corpus
from models.diffusion import window_starts
from models.evaluation import scramble

GUIDANCE = (0, 1, 2, 3, 5, 8)
STEPS = (5, 10, 20, 50)


def scrambled(conductor, seed=0):
    """The same conductor with the entries of every weight matrix of its denoiser permuted: what the architecture alone does."""
    other = copy.copy(conductor)
    other.denoiser = scramble(copy.deepcopy(conductor.denoiser), seed)
    return other


def generate_all(conductor, pieces, beats, features, **options):
    """One motion per piece with the piece's own lead; beats: list of `Beats` or None."""
    return [conductor.generate(p.audio, beats=b, lead=p.lead, features=f, seed=i, duration=p.duration, **options)[0]
            for i, (p, b, f) in enumerate(zip(pieces, beats, features))]


def studio_rows(conductor, pieces, judge, predicted, report, **options):
    """The table on studio pieces. predicted: list of `Beats` found in the sound, or None where no detector is there."""
    features = [conductor.analyse(p.audio) for p in pieces]
    levels, leads, rows = [f[1] for f in features], [p.lead for p in pieces], []

    def add(name, motions):
        rows.append(row(name, motions, pieces, leads, levels, judge))
        report(f"{name}: " + " ".join(f"{key} {value:.3f}" for key, value in rows[-1].items() if key != "name"))

    true = [p.beats for p in pieces]
    add("corpus", [p.motion for p in pieces])
    add("model, true rhythm", generate_all(conductor, pieces, true, features, **options))
    if predicted is not None:
        add("model, predicted rhythm", generate_all(conductor, pieces, predicted, features, **options))
    add("model, no rhythm", generate_all(conductor, pieces, [None] * len(pieces), features, **options))
    given = predicted if predicted is not None else true
    add("rule, same beats", [rule_motion(b.shifted(-p.lead) if len(b) > 1 else p.beats.shifted(-p.lead), p.frames)
                             for p, b in zip(pieces, given)])
    # A permutation a piece: one alone may strike near the beat by luck, as it is still a function of the beat's phase.
    add("scrambled weights", [generate_all(scrambled(conductor, i), [p], [b], [f], **options)[0]
                              for i, (p, b, f) in enumerate(zip(pieces, true, features))])
    add("mean pose", [_still(conductor, p.frames) for p in pieces])
    half = [Beats(b.times + 0.5 * np.median(np.diff(b.times)), b.positions, b.metre) for b in true]
    moved = generate_all(conductor, pieces, half, features, **options)
    rows.append({"name": "beats moved by half a beat",
                 "ictus_f1_to_moved": mean([beat_f1_70ms(scores.ictus_times(m), visible(h.shifted(-p.lead), p.duration))
                                             for m, h, p in zip(moved, half, pieces)]),
                 "ictus_f1_to_original": mean([beat_f1_70ms(scores.ictus_times(m), visible(p.beats.shifted(-p.lead), p.duration))
                                                for m, p in zip(moved, pieces)])})
    pairs = [conductor.generate(p.audio, beats=b, lead=p.lead, features=f, seed=50, variations=2, duration=p.duration, **options)
             for p, b, f in list(zip(pieces, true, features))[:10]]
    rows.append({"name": "two seeds", "seed_spread": mean([scores.seed_spread([keypoints13(m) for m in two]) for two in pairs])})
    report(json.dumps(rows[-2:]))
    return rows


def seam_row(conductor, piece, seconds=300.0, steps=10):
    """Five minutes of one piece repeated: do hands jump where sampling windows begin or end? Ratios near 1: no seam.

    jerk_at_seams: mean hand jerk within 3 frames of a window's edge, relative to all frames; the same for speed.
    """
    config, repeat = conductor.config, int(np.ceil(seconds / piece.duration))
    audio = (np.tile(piece.audio[0], (1, repeat)), piece.audio[1])
    times = np.concatenate([piece.beats.times + i * piece.duration for i in range(repeat)])
    keep = np.concatenate([[True], np.diff(times) > 0.15])
    beats = Beats(times[keep], np.tile(piece.beats.positions, repeat)[keep], piece.beats.metre)
    began = time.perf_counter()
    motion = conductor.generate(audio, beats=beats, lead=piece.lead, duration=seconds, steps=steps)[0]
    wall, path = time.perf_counter() - began, scores.hand_path(motion)
    starts = np.array(window_starts(len(motion), config.window, config.overlap))
    edges = np.concatenate([starts[1:], starts[:-1] + config.window])
    near = np.zeros(len(motion), bool)
    near[np.clip(edges[:, None] + np.arange(-3, 4), 0, len(motion) - 1)] = True
    third, first = (np.linalg.norm(np.diff(path, n=n, axis=0), axis=1) for n in (3, 1))
    return {"name": "five minutes", "jerk_at_seams": float(third[near[2:-1]].mean() / third.mean()),
            "speed_at_seams": float(first[near[1:]].mean() / first.mean()), "times_real_time": seconds / wall,
            "foot_slide_m": foot_slide(motion.positions(), FPS)[0]}


def domain_rows(conductor, folder, count, report):
    """Out of its domain: dance pieces of the studio (pop, jazz, ...) by genre, ictus F1 with their written beats and without."""
    corpus, found = Corpus(folder, "test", "dance"), {}
    for index in range(min(count, len(corpus))):
        meta = corpus.meta(index)
        duration = min(SECONDS, meta["duration"])
        samples = corpus.array(index, "audio", 0, int(duration * AUDIO_RATE)).T.astype(np.float32) / 32768.0
        written = corpus.array(index, "beats")
        beats = Beats(written[:, 0], written[:, 1], int(meta["metre"])).within(0.0, duration)
        features, lead = conductor.analyse((samples, AUDIO_RATE)), default_lead(beats)
        for name, given in (("ictus_f1", beats), ("ictus_f1_no_rhythm", None)):
            motion = conductor.generate((samples, AUDIO_RATE), beats=given, lead=lead, features=features, duration=duration)[0]
            score = beat_f1_70ms(scores.ictus_times(motion), visible(beats.shifted(-lead), duration))
            found.setdefault(meta["genre"] or "other", {}).setdefault(name, []).append(score)
    rows = [{"name": genre, "clips": len(values["ictus_f1"]), **{key: mean(value) for key, value in values.items()}}
            for genre, values in sorted(found.items())]
    for entry in rows:
        report(json.dumps(entry))
    return rows


def draw(result, path):
    """One picture: guidance and steps against alignment, spread and seed difference. Needs matplotlib (development only)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure(figsize=(11, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    names = (("ictus_f1", "ictus F1 (70 ms)"), ("sdp_percent", "SDP, % of the corpus"),
             ("seed_spread", "difference of two seeds"), ("fgd_own", "FGD (own encoder)"))
    for line, key in enumerate(("guidance_scale", "steps")):
        rows = [row for row in result["sweep"] if key in row]
        for column, (name, label) in enumerate(names):
            axes = figure.add_subplot(2, 4, 4 * line + column + 1)
            axes.plot([row[key] for row in rows], [row[name] for row in rows], marker="o", color="#2471a3")
            axes.set_xlabel({"guidance_scale": "guidance scale", "steps": "DDIM steps"}[key])
            axes.set_title(label, fontsize=9)
            axes.set_ylim(bottom=0)
    figure.savefig(path, dpi=100)


def _still(conductor, frames):
    ready = Motion.from_vector(conductor.pose[None])
    return Motion(np.repeat(ready.rotations, frames, 0), np.repeat(ready.root, frames, 0))


def track_rows(conductor, tracks, find_beats, report, **options):
    """Real tracks with agreed beats: lift of music -> ictus over the circular-shift null, model and rule on the same beats.

    tracks: list of (name, (samples, rate), agreed `Beats`). find_beats(samples, rate) -> `Beats`.
    """
    rows = []
    for name, audio, agreed in tracks:
        duration = audio[0].shape[-1] / audio[1]
        found = find_beats(*audio)
        lead = default_lead(found)
        began = time.perf_counter()
        model = conductor.generate(audio, beats=found, lead=lead, **options)[0]
        wall = time.perf_counter() - began
        entry = {"name": name, "beats": len(agreed), "found": len(found), "found_f1": beat_f1_70ms(found.times, agreed.times),
                 "times_real_time": duration / wall, "bar_variation_m": scores.bar_variation(
                     scores.hand_path(model), found.shifted(-lead), FPS)}
        for key, motion in (("model", model), ("rule", rule_motion(found.shifted(-lead), len(model)))):
            entry[f"lift_{key}"] = align_report(agreed.times, scores.ictus_times(motion) + lead, duration)["lift"]
            entry[f"ictus_f1_{key}"] = beat_f1_70ms(scores.ictus_times(motion) + lead, agreed.times)
        rows.append(entry)
        report(json.dumps(entry))
    return rows


def sweep(conductor, pieces, judge, report):
    """Guidance and steps with the true rhythm: alignment, SDP, seed spread, FGD, seconds per clip."""
    features, rows = [conductor.analyse(p.audio) for p in pieces], []
    settings = [{"guidance_scale": float(w)} for w in GUIDANCE] + [{"steps": s} for s in STEPS]
    for setting in settings:
        began = time.perf_counter()
        motions = generate_all(conductor, pieces, [p.beats for p in pieces], features, **setting)
        wall = (time.perf_counter() - began) / len(pieces)
        found = row("sweep", motions, pieces, [p.lead for p in pieces], [f[1] for f in features], judge)
        two = [conductor.generate(p.audio, beats=p.beats, lead=p.lead, features=f, seed=90 + i, duration=p.duration, **setting)[0]
               for i, (p, f) in enumerate(zip(pieces[:4], features[:4]))]
        spread = mean([scores.seed_spread([keypoints13(a), keypoints13(b)]) for a, b in zip(motions, two)])
        rows.append({**setting, **{key: found[key] for key in ("ictus_f1", "downbeat_down", "sdp_percent", "fgd_own", "jerk")},
                     "seed_spread": spread, "seconds_per_clip": wall})
        report(json.dumps(rows[-1]))
    return rows


def read_tracks(folder):
    """(name, (samples, rate), agreed beats) of the .ogg files of a folder that have a .beats.txt; [] without the folder."""
    import soundfile
    tracks = []
    for path in sorted(Path(folder).glob("*.ogg")) if folder else []:
        agreed = path.with_suffix(".beats.txt")
        if agreed.exists():
            samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
            tracks.append((path.stem, (samples.T, rate), read_beats(agreed)))
    return tracks


def music_beats(folders):
    """find_beats(samples, rate) by the music beat network, or None where its checkpoint is missing."""
    from core import checkpoints
    from models.rhythm.detect import detect_music_beats
    if not checkpoints.has("rhythm", ["music"], folders):
        return None
    return lambda samples, rate: detect_music_beats(np.asarray(samples).mean(0), rate, folders=folders)


def evaluate(corpus, *, folders=None, clips=40, sweep_clips=8, music=None, dance=None, runs=None, encoder_run="", split="test",
             report=print):
    """Everything above as one JSON-ready dict. runs: {name: denoiser run folder} scored with the same short protocol."""
    pieces = studio_pieces(corpus, clips, split)
    conductor = Conductor.from_run(runs.pop("main"), encoder_run) if runs and "main" in runs else Conductor.load(folders)
    judge = Judge(load_stage1(encoder_run, folders)[1])
    find = music_beats(folders)
    predicted = [find(*p.audio) for p in pieces] if find else None
    result = {"clips": len(pieces), "seconds": SECONDS, "studio": studio_rows(conductor, pieces, judge, predicted, report)}
    result["studio"].append(seam_row(conductor, pieces[0]))
    report(json.dumps(result["studio"][-1]))
    if dance:
        result["dance"] = domain_rows(conductor, dance, clips, report)
    if find:
        result["tracks"] = track_rows(conductor, read_tracks(music), find, report)
    if sweep_clips:
        result["sweep"] = sweep(conductor, pieces[:sweep_clips], judge, report)
    for name, run in (runs or {}).items():
        other = Conductor.from_run(run, encoder_run)
        result.setdefault("runs", {})[name] = studio_rows(other, pieces[:sweep_clips or 8], judge, None, lambda text: None)[:2]
        report(f"{name}: {json.dumps(result['runs'][name][1])}")
    return result


def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.conductor.evaluate", description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", required=True, help="folder of shards with a test split")
    parser.add_argument("--checkpoints", help="folder of weights (default: the shipped ones)")
    parser.add_argument("--split", default="test", choices=("valid", "test"))
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--sweep-clips", type=int, default=8, help="clips of each sweep setting; 0: no sweep")
    parser.add_argument("--music", help="folder of real tracks with .beats.txt")
    parser.add_argument("--dance", help="folder of dance shards, for the out-of-domain row")
    parser.add_argument("--encoder-run", default="", help="stage 1 as a run folder instead of a checkpoint")
    parser.add_argument("--run", action="append", default=[], metavar="NAME=RUN",
                        help="also score this run; main=RUN replaces the model")
    parser.add_argument("--out", help="write the result as JSON here")
    parser.add_argument("--picture", help="write the sweep as a PNG here")
    options = parser.parse_args(arguments)
    try:
        result = evaluate(options.corpus, folders=options.checkpoints, clips=options.clips, sweep_clips=options.sweep_clips,
                          music=options.music, dance=options.dance, runs=dict(pair.split("=", 1) for pair in options.run),
                          encoder_run=options.encoder_run, split=options.split, report=lambda text: print(text, flush=True))
    except BatonError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if options.out:
        Path(options.out).write_text(json.dumps(result, indent=1), encoding="utf-8")
    if options.picture and "sweep" in result:
        draw(result, options.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
