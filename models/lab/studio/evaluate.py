"""Is the corpus worth training on? Proofs by judges that never saw it: `build.py evaluate studio --corpus DIR`.

librosa's tracker on dance pieces, the genre classifiers on held-out pieces, the metrics' own detectors on the motion,
foot slide and floor, spread of tempo and level. DIR holds dance/ and conducting/ (or is one of them); the test split is
used.
"""
import argparse
import sys
from collections import Counter

import numpy as np

from core.audio.resample import resample
from core.body.ictus import hand_path, ictus_times
from core.errors import BatonError, command
from core.rhythm.alignment import beat_f1_70ms
from models.lab.evaluation.tables import markdown_table, replace_section, write_json
from models.lab.metrics import conducting, motion
from models.lab.metrics.beat_align import align_report, beat_f1_any_level, kinematic_beats_bailando, music_beats_librosa
from models.lab.studio.overlap import overlap_share
from models.training.shards import AUDIO_RATE, Corpus, corpus_folders, unpack_audio, unpack_motion


def open_split(folder, kind, split):
    """The corpus of a kind below `folder`, or None where there is none."""
    for place in corpus_folders(folder):
        try:
            return Corpus(place, split=split, kind=kind)
        except BatonError:
            continue
    return None


def spread(corpus, count):
    """Up to `count` indices over the corpus, drawn once for all: regular steps would fall into step with its genres."""
    return sorted(np.random.default_rng(0).permutation(len(corpus))[:count].tolist())


def item(corpus, index):
    """(meta, motion, beats (B,2), mono audio at 48 kHz)."""
    moved = unpack_motion(corpus.array(index, "motion_rot6d"), corpus.array(index, "motion_root"))
    mono = unpack_audio(corpus.array(index, "audio")).mean(0)
    return corpus.meta(index), moved, corpus.array(index, "beats").astype(float), mono


def dance_rows(corpus, count, folders):
    """Per genre and over all: librosa's F, judges' accuracy, kinematic beats, feet."""
    from core import checkpoints
    from models.genre.judge import GENRES, GenreJudge
    judges = {part: GenreJudge(part, folders) for part in ("audio", "motion")
              if checkpoints.find("genre", part, folders, required=False) is not None}
    rows, levels = {}, Counter()
    for index in spread(corpus, count):
        meta, moved, beats, mono = item(corpus, index)
        found = music_beats_librosa(resample(mono, AUDIO_RATE, 22_050), 22_050)
        best, level = beat_f1_any_level(found, beats[:, 0])
        levels[level] += 1
        positions = moved.positions()
        report = align_report(beats[:, 0], kinematic_beats_bailando(positions, moved.fps), moved.duration, shifts=40)
        row = {"librosa_f1_any_level": best, "librosa_f1_strict": beat_f1_70ms(found, beats[:, 0]),
               "kinematic_lift": report["lift"], "foot_slide_max_m": motion.foot_slide(positions, moved.fps)[0],
               "below_floor_m": motion.below_floor(positions), "overlap_share": overlap_share(positions),
               "bpm": meta["bpm"]}
        if "audio" in judges:
            row["audio_judge"] = float(GENRES[int(judges["audio"](mono, AUDIO_RATE).argmax())] == meta["genre"])
        if "motion" in judges:
            row["motion_judge"] = float(GENRES[int(judges["motion"](moved).argmax())] == meta["genre"])
        rows.setdefault(meta["genre"], []).append(row)
    rows = {**rows, "all": [row for group in rows.values() for row in group]}
    out = {}
    for genre, group in rows.items():
        out[genre] = {key: float(np.mean([row[key] for row in group])) for key in group[0]}
        out[genre]["foot_slide_max_m"] = float(np.max([row["foot_slide_max_m"] for row in group]))
        out[genre]["clips"] = len(group)
    return out, dict(levels)


def conducting_rows(corpus, count):
    """Per metre and over all: the ictus found in the motion against the beats that get a stroke, less the lead;
    downbeats; feet."""
    from core.rhythm.beats import Beats
    from models.conductor.beat_pattern import strokes
    rows = {}
    for index in spread(corpus, count):
        meta = corpus.meta(index)
        moved = unpack_motion(corpus.array(index, "motion_rot6d"), corpus.array(index, "motion_root"))
        beats = corpus.array(index, "beats").astype(float)
        written = Beats(beats[:, 0], beats[:, 1].astype(int), meta["metre"])
        shown = strokes(written, meta.get("strokes")).shifted(-float(meta.get("lead") or 0.0))
        times = shown.times
        inside = (times > 0.3) & (times < moved.duration - 0.3)
        found = ictus_times(moved)
        found = found[(found > 0.3 - 0.07) & (found < moved.duration - 0.3 + 0.07)]
        height = hand_path(moved)[:, 2]
        down, bars = conducting.downbeat_is_down(height, shown, moved.fps)
        row = {"ictus_f1": beat_f1_70ms(found, times[inside]), "downbeat_is_down": float(down) if bars else np.nan,
               "foot_slide_max_m": motion.foot_slide(moved.positions(), moved.fps)[0]}
        rows.setdefault(f"metre {meta['metre']}", []).append(row)
    rows = {**rows, "all": [row for group in rows.values() for row in group]}
    return {name: {**{key: float(np.nanmean([row[key] for row in group])) for key in group[0]}, "clips": len(group)}
            for name, group in rows.items()}


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="build.py evaluate studio", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--split", default="test")
    parser.add_argument("--checkpoints")
    parser.add_argument("--out", default="studio_results.json")
    parser.add_argument("--docs", help="Markdown file whose studio section is replaced")
    options = parser.parse_args(arguments)
    results, text = {"settings": vars(options)}, "## The studio\n"
    dance = open_split(options.corpus, "dance", options.split)
    if dance is not None:
        results["dance"], results["librosa_levels"] = dance_rows(dance, options.count, options.checkpoints)
        columns = list(next(iter(results["dance"].values())))
        text += f"\nDance, {options.split} split. librosa's best level per clip: {results['librosa_levels']}.\n\n"
        text += markdown_table(results["dance"], columns, "genre") + "\n"
    pieces = open_split(options.corpus, "conducting", options.split)
    if pieces is not None:
        results["conducting"] = conducting_rows(pieces, options.count)
        text += f"\nConducting, {options.split} split.\n\n"
        text += markdown_table(results["conducting"], list(next(iter(results["conducting"].values()))),
                               "metre") + "\n"
    print(text)
    write_json(options.out, results)
    if options.docs:
        replace_section(options.docs, "studio", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
