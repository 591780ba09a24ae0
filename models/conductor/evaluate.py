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
import torch

from core.beats import Beats, read_beats
from core.errors import BatonError
from core.metrics import conducting as scores
from core.metrics.beat_align import align_report, bc_as_published, beat_f1_70ms
from core.metrics.frechet import diversity_as_published, frechet_distance
from core.metrics.motion import foot_slide, jerk, temporal_spread
from core.motion import Motion
from models.conductor.config import FPS
from models.conductor.features import keypoints13
from models.conductor.pipeline import Conductor, default_lead
from models.conductor.rule import rule_motion
from models.conductor.train import load_stage1
from models.data.shards import AUDIO_RATE, Corpus, unpack_motion

SECONDS = 20.0
GUIDANCE = (0, 1, 2, 3, 5, 8)
STEPS = (5, 10, 20, 50)
EDGE_S = 0.1                    # an ictus this close to the ends of a clip cannot be seen


class Piece:
    """20 s of a studio test piece: sound, true motion, true beats of the music, the lead of its conductor."""

    def __init__(self, corpus, index, seconds=SECONDS):
        meta = corpus.meta(index)
        self.duration = min(seconds, meta["duration"])
        self.lead, self.frames = float(meta["lead"]), int(round(self.duration * FPS))
        samples = corpus.array(index, "audio", 0, int(self.duration * AUDIO_RATE)).T.astype(np.float32) / 32768.0
        self.audio = (samples, AUDIO_RATE)
        written = corpus.array(index, "beats")
        self.beats = Beats(written[:, 0], written[:, 1], int(meta["metre"])).within(0.0, self.duration)
        self.motion = unpack_motion(corpus.array(index, "motion_rot6d", 0, self.frames),
                                    corpus.array(index, "motion_root", 0, self.frames))


def test_pieces(folder, count, seconds=SECONDS):
    """Up to `count` conducting pieces of the test split."""
    corpus = Corpus(folder, "test", "conducting")
    return [Piece(corpus, index, seconds) for index in range(min(count, len(corpus)))]


def visible(beats, duration):
    """Beat times (s) well inside the clip."""
    return beats.times[(beats.times > EDGE_S) & (beats.times < duration - EDGE_S)]


def clip_scores(motion, piece, beats, lead, level):
    """Scores of one motion against the piece's true music beats. `beats`: `Beats` of the music; lead (s) asked for."""
    ictus, clock = scores.ictus_times(motion), beats.shifted(-lead)
    height = scores.hand_path(motion)[:, 2]
    drops = scores.strokes(height, clock.times, FPS)
    at = np.clip((beats.times * FPS).astype(int), 0, len(level) - 1)
    correlation, null, high = scores.stroke_loudness_correlation(drops, level[at, 1])
    down, bars = scores.downbeat_is_down(height, clock, FPS)
    return {"ictus_f1": beat_f1_70ms(ictus, visible(clock, piece.duration)), "downbeat_down": down, "bars": bars,
            "bar_variation_m": scores.bar_variation(scores.hand_path(motion), clock, FPS), "stroke_m": _mean(drops),
            "loudness_correlation": correlation, "loudness_null": null, "loudness_null_p95": high,
            "jerk": jerk(motion.positions()[:, [20, 21, 22, 23]], FPS), "foot_slide_m": foot_slide(motion.positions(), FPS)[0]}


def row(name, motions, pieces, leads, levels, judge):
    """Means over clips, and the set scores against the corpus. motions: one per piece; leads (s) each was asked for."""
    each = [clip_scores(m, p, p.beats, lead, level) for m, p, lead, level in zip(motions, pieces, leads, levels)]
    result = {"name": name, **{key: _mean([clip[key] for clip in each]) for key in each[0]}}
    # Mismatched: the same motions against the beats of another piece.
    others = pieces[1:] + pieces[:1]
    result["ictus_f1_mismatched"] = _mean([beat_f1_70ms(scores.ictus_times(m), visible(o.beats.shifted(-lead), o.duration))
                                           for m, o, lead in zip(motions, others, leads)])
    result["ictus_f1_rolled"] = _mean([_rolled_f1(m, p, lead) for m, p, lead in zip(motions, pieces, leads)])
    points = [keypoints13(m) for m in motions]
    real = [keypoints13(p.motion) for p in pieces]
    frames = min(len(x) for x in points + real)
    points, real = (np.stack([x[:frames] for x in group]) for group in (points, real))
    flat, flat_real = (x.reshape(len(x), frames, 26) for x in (points, real))
    features, features_real = judge.features(points), judge.features(real)
    result.update(
        sdp_percent=temporal_spread(list(flat), list(flat_real)), mse=scores.conducting_mse(points, real),
        mse_mismatched=scores.conducting_mse(points, np.roll(real, 1, axis=0)),
        fgd_own=frechet_distance(features.reshape(-1, features.shape[-1]), features_real.reshape(-1, features.shape[-1])),
        diversity_as_published=diversity_as_published(features.transpose(0, 2, 1)),
        rde=scores.rhythm_density_error(flat, flat_real), sce=scores.strength_contour_error(flat, flat_real),
        bc_as_published=_mean([bc_as_published(p.beats.times, x) for p, x in zip(pieces, points)]))
    return result


def _rolled_f1(motion, piece, lead):
    """Chance: mean F1 with the ictus rolled round the clip by 40 offsets."""
    ictus, true = scores.ictus_times(motion), visible(piece.beats.shifted(-lead), piece.duration)
    return _mean([beat_f1_70ms(np.sort((ictus + offset) % piece.duration), true)
                  for offset in (np.arange(40) + 0.5) * piece.duration / 40])


def _mean(values):
    values = np.asarray(values, float)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


class Judge:
    """Stage 1's motion encoder as the feature space of FGD and Diversity (own weights, so `fgd_own`)."""

    def __init__(self, net):
        self.net = net.eval()

    @torch.no_grad()
    def features(self, keypoints):
        """(N,T,13,2) -> (N,T,64)."""
        return np.concatenate([self.net.motion(torch.from_numpy(k[None]).float()).numpy() for k in keypoints])


def scrambled(conductor, seed=0):
    """The same conductor with the entries of every weight matrix of its layers permuted: what the architecture alone does."""
    other, generator = copy.copy(conductor), torch.Generator().manual_seed(seed)
    other.denoiser = copy.deepcopy(conductor.denoiser)
    for parameter in other.denoiser.layers.parameters():
        if parameter.dim() > 1:
            parameter.data = parameter.data.flatten()[torch.randperm(parameter.numel(), generator=generator)].view_as(parameter)
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
    add("scrambled weights", generate_all(scrambled(conductor), pieces, true, features, **options))
    add("mean pose", [_still(conductor, p.frames) for p in pieces])
    half = [Beats(b.times + 0.5 * np.median(np.diff(b.times)), b.positions, b.metre) for b in true]
    moved = generate_all(conductor, pieces, half, features, **options)
    rows.append({"name": "beats moved by half a beat",
                 "ictus_f1_to_moved": _mean([beat_f1_70ms(scores.ictus_times(m), visible(h.shifted(-p.lead), p.duration))
                                             for m, h, p in zip(moved, half, pieces)]),
                 "ictus_f1_to_original": _mean([beat_f1_70ms(scores.ictus_times(m), visible(p.beats.shifted(-p.lead), p.duration))
                                                for m, p in zip(moved, pieces)])})
    pairs = [conductor.generate(p.audio, beats=b, lead=p.lead, features=f, seed=50, variations=2, duration=p.duration, **options)
             for p, b, f in list(zip(pieces, true, features))[:10]]
    rows.append({"name": "two seeds", "seed_spread": _mean([scores.seed_spread([keypoints13(m) for m in two]) for two in pairs])})
    report(json.dumps(rows[-2:]))
    return rows


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
        spread = _mean([scores.seed_spread([keypoints13(a), keypoints13(b)]) for a, b in zip(motions, two)])
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


def evaluate(corpus, *, folders=None, clips=40, sweep_clips=8, music=None, runs=None, encoder_run="", report=print):
    """Everything above as one JSON-ready dict. runs: {name: denoiser run folder} scored with the same short protocol."""
    pieces = test_pieces(corpus, clips)
    conductor = Conductor.from_run(runs.pop("main"), encoder_run) if runs and "main" in runs else Conductor.load(folders)
    judge = Judge(load_stage1(encoder_run, folders)[1])
    find = music_beats(folders)
    predicted = [find(*p.audio) for p in pieces] if find else None
    result = {"clips": len(pieces), "seconds": SECONDS, "studio": studio_rows(conductor, pieces, judge, predicted, report)}
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
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--sweep-clips", type=int, default=8, help="clips of each sweep setting; 0: no sweep")
    parser.add_argument("--music", help="folder of real tracks with .beats.txt")
    parser.add_argument("--encoder-run", default="", help="stage 1 as a run folder instead of a checkpoint")
    parser.add_argument("--run", action="append", default=[], metavar="NAME=RUN",
                        help="also score this run; main=RUN replaces the model")
    parser.add_argument("--out", help="write the result as JSON here")
    options = parser.parse_args(arguments)
    try:
        result = evaluate(options.corpus, folders=options.checkpoints, clips=options.clips, sweep_clips=options.sweep_clips,
                          music=options.music, runs=dict(pair.split("=", 1) for pair in options.run),
                          encoder_run=options.encoder_run, report=lambda text: print(text, flush=True))
    except BatonError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if options.out:
        Path(options.out).write_text(json.dumps(result, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
