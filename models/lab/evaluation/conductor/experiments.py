"""What is asked of the conductor beside the main table: sampling settings, trained rows, seams, other domains.

Every function returns JSON-ready rows and says each through `report`.
"""
import json
import time

import numpy as np

from core.body.ictus import hand_path, ictus_times
from core.rhythm.alignment import beat_f1_70ms
from core.rhythm.beats import Beats
from models.conductor.config import FPS
from models.conductor.features import keypoints13
from models.conductor.pipeline import Conductor, default_lead
from models.diffusion import window_starts
from models.lab.evaluation.conductor.scoring import mean, row, visible
from models.lab.metrics import conducting as scores
from models.lab.metrics.motion import foot_slide

GUIDANCE = (0, 1, 2, 3, 5, 8)
STEPS = (5, 10, 20, 50)
SWEEP_KEYS = ("ictus_f1", "downbeat_down", "loudness_correlation", "sdp_percent", "fgd", "bar_variation_m", "jerk")
TRAINED_KEYS = ("ictus_f1", "ictus_f1_mismatched", "downbeat_down", "sdp_percent", "fgd", "mse", "bar_variation_m",
                "jerk")


def generate_all(conductor, studio, rhythm="true", which=None, offset=0, beat_pattern=None, **options):
    """One motion per piece of `which` with the piece's own lead; rhythm "true", "predicted", "none" or a list of
    `Beats`; beat_pattern: of all pieces, else each piece's own."""
    which = range(len(studio.pieces)) if which is None else which
    beats = studio.beats(rhythm) if isinstance(rhythm, str) else rhythm
    return [conductor.generate(None, beats=beats[i] if beats[i] is not None and len(beats[i]) > 1 else None,
                               lead=studio.pieces[i].lead, features=studio.analysis[i], seed=offset + i,
                               beat_pattern=beat_pattern or studio.pieces[i].pattern,
                               duration=studio.pieces[i].duration, **options)[0] for i in which]


def seed_row(conductor, studio, which, rhythm="true", **options):
    """Two seeds of the same music: mean difference in picture units (shoulder width 0.2), and whether both keep the
    beat."""
    both = [generate_all(conductor, studio, rhythm, which, offset, **options) for offset in (50, 1050)]
    f1 = [mean([beat_f1_70ms(ictus_times(m), visible(studio.pieces[i].beats.shifted(-studio.pieces[i].lead),
                                                            studio.pieces[i].duration))
                for i, m in zip(which, motions)])
          for motions in both]
    return {"clips": len(which), "ictus_f1_first": f1[0], "ictus_f1_second": f1[1],
            "seed_spread": mean([scores.seed_spread([keypoints13(a), keypoints13(b)]) for a, b in zip(*both)])}


def sweep(conductor, studio, count, report, slow_clips=3):
    """Guidance and steps with the true rhythm; 1000 steps on three clips beside 20 steps on the same three."""
    settings = [({"guidance_scale": float(w)}, count) for w in GUIDANCE] + [({"steps": s}, count) for s in STEPS]
    settings += [({"steps": s}, slow_clips) for s in (20, 1000)] if slow_clips else []
    rows = []
    for setting, clips in settings:
        which, began = range(min(clips, len(studio.pieces))), time.perf_counter()
        motions = generate_all(conductor, studio, "true", which, **setting)
        wall = (time.perf_counter() - began) / len(which)
        found = row("sweep", motions, studio)
        pairs = min(4, len(which)) if setting.get("steps", 0) < 1000 else 0
        again = generate_all(conductor, studio, "true", range(pairs), offset=90, **setting)
        spread = mean([scores.seed_spread([keypoints13(a), keypoints13(b)])
                       for a, b in zip(motions, again)]) if pairs else None
        rows.append({**setting, "clips": len(which), **{key: found[key] for key in SWEEP_KEYS}, "seed_spread": spread,
                     "seconds_per_clip": wall})
        report(json.dumps(rows[-1]))
    return rows


def trained_rows(runs, studio, count, encoder_run, report, find_beats=None):
    """Every run of `models.lab.evaluation.conductor.ablations` on the same test pieces: true, predicted and no rhythm,
    seeds."""
    rows, which = [], range(min(count, len(studio.pieces)))
    shared = studio.analysis
    for name, run in runs.items():
        conductor = Conductor.from_run(run, encoder_run)
        own = conductor.denoiser.encoder is not None                  # trained from scratch: hears with its own encoder
        studio.analysis = [conductor.analyse(studio.pieces[i].audio) for i in which] if own else shared
        entry = {"name": name}
        found = row(name, generate_all(conductor, studio, "true", which), studio)
        entry.update({key: found[key] for key in TRAINED_KEYS})
        for rhythm in ("predicted", "none") if studio.predicted else ("none",):
            motions = generate_all(conductor, studio, rhythm, which)
            entry[f"ictus_f1_{rhythm}"] = mean([beat_f1_70ms(ictus_times(m), visible(
                p.beats.shifted(-p.lead), p.duration)) for m, p in zip(motions, studio.pieces)])
        entry["seed_spread"] = seed_row(conductor, studio, which[:8])["seed_spread"]
        studio.analysis = shared
        rows.append(entry)
        report(json.dumps(entry))
    return rows


def moved_rows(conductor, studio, which, find_beats, report):
    """Music moved by half a beat: does the ictus go with it? Once as beats given, once as sound with its beats found
    again."""
    pieces, rows = studio.pieces, []
    gaps = [0.5 * float(np.median(np.diff(p.beats.times))) for p in pieces]

    def score(name, motions, shift):
        def f1(motion, piece, by):
            return beat_f1_70ms(ictus_times(motion), visible(piece.beats.shifted(by - piece.lead), piece.duration))
        rows.append({"name": name, "clips": len(which),
                     "ictus_f1_to_moved": mean([f1(m, pieces[i], shift(i)) for m, i in zip(motions, which)]),
                     "ictus_f1_to_original": mean([f1(m, pieces[i], 0.0) for m, i in zip(motions, which)])})
        report(json.dumps(rows[-1]))

    score("beats given half a beat later",
          generate_all(conductor, studio, [p.beats.shifted(g) for p, g in zip(pieces, gaps)],
                                                        which), lambda i: gaps[i])
    if find_beats:
        motions = []
        for i in which:
            piece = pieces[i]
            samples, rate = piece.audio
            sound = samples[:, int(gaps[i] * rate):]
            found = find_beats(sound, rate)
            motions.append(conductor.generate((sound, rate), beats=found if len(found) > 1 else None, lead=piece.lead,
                                              seed=i, beat_pattern=piece.pattern)[0])
        score("sound half a beat earlier, beats predicted", motions, lambda i: -gaps[i])
    return rows


def seam_row(conductor, piece, seconds=300.0, steps=None):
    """Five minutes of one piece repeated: do hands jump where sampling windows begin or end? Ratios near 1: no seam.

    jerk_at_seams: mean hand jerk within 3 frames of a window's edge, relative to all frames; the same for speed.
    """
    config, repeat = conductor.config, int(np.ceil(seconds / piece.duration))
    audio = (np.tile(piece.audio[0], (1, repeat)), piece.audio[1])
    times = np.concatenate([piece.beats.times + i * piece.duration for i in range(repeat)])
    keep = np.concatenate([[True], np.diff(times) > 0.15])
    beats = Beats(times[keep], np.tile(piece.beats.positions, repeat)[keep], piece.beats.metre)
    began = time.perf_counter()
    motion = conductor.generate(audio, beats=beats, lead=piece.lead, duration=seconds, steps=steps,
                                beat_pattern=piece.pattern)[0]
    wall, path = time.perf_counter() - began, hand_path(motion)
    starts = np.array(window_starts(len(motion), config.window, config.overlap))
    edges = np.concatenate([starts[1:], starts[:-1] + config.window])
    near = np.zeros(len(motion), bool)
    near[np.clip(edges[:, None] + np.arange(-3, 4), 0, len(motion) - 1)] = True
    third, first = (np.linalg.norm(np.diff(path, n=n, axis=0), axis=1) for n in (3, 1))
    return {"name": "five minutes", "windows": len(starts),
            "jerk_at_seams": float(third[near[2:-1]].mean() / third.mean()),
            "speed_at_seams": float(first[near[1:]].mean() / first.mean()), "times_real_time": seconds / wall,
            "foot_slide_m": foot_slide(motion.positions(), FPS)[0]}


def domain_rows(conductor, pieces, find_beats, report):
    """Out of its domain: dance pieces of the studio by genre, ictus F1 with written, with found and without beats."""
    found = {}
    for number, piece in enumerate(pieces):
        features, lead = conductor.analyse(piece.audio), default_lead(piece.beats)
        given = {"ictus_f1": piece.beats, "ictus_f1_none": None}
        if find_beats:
            given["ictus_f1_predicted"] = find_beats(*piece.audio)
        values = found.setdefault(piece.genre, {})
        for name, beats in given.items():
            motion = conductor.generate(None, beats=beats if beats is not None and len(beats) > 1 else None, lead=lead,
                                        features=features, duration=piece.duration, seed=number, beat_pattern="four")[0]
            values.setdefault(name, []).append(beat_f1_70ms(ictus_times(motion),
                                                            visible(piece.beats.shifted(-lead), piece.duration)))
            if name == "ictus_f1":
                path = hand_path(motion)
                values.setdefault("stroke_m",
                                  []).append(mean(scores.strokes(path[:, 2], piece.beats.times - lead, FPS)))
                down = scores.downbeat_is_down(path[:, 2], piece.beats.shifted(-lead), FPS)[0]
                values.setdefault("downbeat_down", []).append(down)
        if find_beats:
            values.setdefault("beats_found_f1", []).append(beat_f1_70ms(given["ictus_f1_predicted"].times,
                                                                        piece.beats.times))
    rows = [{"name": genre, "clips": len(values["ictus_f1"]), **{key: mean(value) for key, value in values.items()}}
            for genre, values in sorted(found.items())]
    for entry in rows:
        report(json.dumps(entry))
    return rows
