"""Scores of My Moves beside the rows that expose them: `build.py evaluate my_moves [--captures FLAT] [--tracks DIR]`.

The repertoire is that of the recordings that may be trained on, so that captures left out are strangers to it. Rows:
beats drawn to accents or left where the grid has them, another piece's dance, markers half a beat later; real people on
their own beats; distances to captures; seams, seeds, speed; recorded music.
"""
import argparse
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from core.audio.io import read_audio
from core.body.motion import rest_motion
from core.errors import command
from core.rhythm.alignment import beat_f1_70ms
from core.rhythm.beats import Beats
from models.lab.evaluation.dance_cascade import scoring
from models.lab.evaluation.dance_cascade.evaluate import half_beat_later, report, told_apart
from models.lab.evaluation.rule_dancer import RuleDancer
from models.lab.evaluation.tables import replace_section, write_json
from models.lab.metrics.beat_align import align_report
from models.repertoire.music import bars_of
from models.repertoire.perform import perform, pieces_of
from models.repertoire.search import Search, Wish
from models.training.flat import Flat


def seen(motions, beats):
    """What the body network sees: F1 within 70 ms of the song's beats, and lift of music -> body at the best lag."""
    from models.rhythm.detect import detect_body_beats
    rows = []
    for motion, given in zip(motions, beats):
        found, music = detect_body_beats(motion).times, given.within(0.0, motion.duration).times
        lift = max(align_report(music, found + lag, motion.duration, shifts=53)["lift"] for lag in scoring.LAGS)
        rows.append([beat_f1_70ms(found, music), lift])
    return dict(zip(("network_f1", "network_lift"), map(float, np.mean(rows, axis=0))))


def row(motions, beats):
    """Alignment by the minima of speed, and by the network."""
    return {**scoring.alignment(motions, beats), **seen(motions, beats)}


def people(folder):
    """(motions, beats) of left-out captures on the beats that are known of them."""
    flat, motions, beats = Flat(folder), [], []
    for item in flat.items:
        if item["split"] != "train" and item.get("kind") == "dance" and item["duration"] > 10:
            motions.append(scoring.whole(flat, item))
            times, positions = zip(*item["beats"])
            beats.append(Beats(times, positions))
    return motions, beats


def rhythm_rows(dancer, pieces, folder, say):
    """({row: alignment}, {row: motions})."""
    true = [piece.beats for piece in pieces]
    made = {"studio's dance": [piece.motion for piece in pieces], "repertoire": dancer.danced(pieces, true)}
    late = [half_beat_later(beats) for beats in true]
    made["another piece's dance"] = made["repertoire"][1:] + made["repertoire"][:1]
    made["markers half a beat later, against them"] = dancer.danced(pieces, late)
    made["markers half a beat later, against the music"] = made["markers half a beat later, against them"]
    made["beats left where the grid has them"] = RuleDancer.load(draw=False).danced(pieces, true)
    rows = {}
    for name, motions in made.items():
        rows[name] = row(motions, late if name.endswith("against them") else true)
        say(name + " " + json.dumps(rows[name]))
    if folder:
        rows["real people left out, on their own beats"] = row(*people(folder))
    return rows, made


def capture_rows(dancer, pieces, made, folder, say):
    """({row: distances to left-out captures, quality}, {row: separation})."""
    real = scoring.captures(folder)
    clips, styles = [motion for motion, _, _ in real], [dancer.style(style) for _, style, _ in real]
    asked = [styles[n % len(styles)] for n in range(len(pieces))]
    styled = [dancer.generate(piece.audio, beats=piece.beats, seed=300 + n, genre=style)[0]
              for n, (piece, style) in enumerate(zip(pieces, asked))]
    sets = {"captures left out": clips, "repertoire": made["repertoire"], "repertoire, styles of the captures": styled,
            "studio's dance": made["studio's dance"],
            "standing": [rest_motion(int(scoring.SECONDS * 60), 60.0)] * len(pieces)}
    rows, half = {}, len(clips) // 2
    for name, motions in sets.items():
        against = (clips[half:], clips[:half]) if name == "captures left out" else (motions, clips)
        rows[name] = {**scoring.distances(*against), **scoring.quality(motions)}
        say(name + " " + json.dumps(rows[name]))
    return rows, told_apart(sets, [group for _, _, group in real], say)


def real_tracks(dancer, folder, say):
    """{track: alignment} of the first minute of every sound file of a folder, on the music network's beats."""
    from models.rhythm.detect import detect_music_beats
    rows, later = {}, {}
    for path in sorted(p for p in Path(folder).iterdir() if p.suffix in (".ogg", ".wav", ".flac", ".mp3")):
        audio = read_audio(path)
        audio = audio.slice(0.0, min(60.0, audio.duration))
        beats = detect_music_beats(audio.mono(), audio.rate)
        made = dancer.danced([SimpleNamespace(audio=audio)], [beats], seed=7)
        late = half_beat_later(beats)
        moved = dancer.danced([SimpleNamespace(audio=audio)], [late], seed=7)
        rows[path.stem] = {**row(made, [beats]), **scoring.quality(made), "bpm": beats.tempo_bpm}
        later[f"{path.stem}, markers half a beat later, against them"] = row(moved, [late])
        later[f"{path.stem}, against the music"] = row(moved, [beats])
        say(path.stem + " " + json.dumps(rows[path.stem]))
    if rows:
        first = next(iter(rows.values()))
        rows["mean"] = {name: float(np.mean([each[name] for each in rows.values()])) for name in first}
    return {**rows, **later}


def seams(dancer, seconds=180.0, bpm=118.0):
    """Acceleration where phrases meet against that elsewhere, before the feet are cleaned, over three minutes."""
    times = np.arange(0.3, seconds, 60 / bpm)
    beats = Beats(times, np.arange(len(times)) % 4 + 1)
    bars = bars_of(None, beats, seconds)
    book = dancer._book(dancer.library, 4)
    picks = Search(book, bars, Wish(home=lambda second: (0.0, 0.0), end=seconds), 1).run()
    motion, _, joins = perform(pieces_of(picks, book, bars), 0.0, int(seconds * 60))
    change = np.linalg.norm(np.diff(motion.positions(), n=2, axis=0), axis=-1).max(axis=1) * motion.fps**2
    near = np.unique([frame for join in joins for frame in range(int(join * 60) - 3, int(join * 60) + 3)
                      if 0 <= frame < len(change)])
    rest = np.delete(change, near)
    return {"joins": float(len(joins)), "acceleration at joins, mean": float(change[near].mean()),
            "largest": float(change[near].max()), "elsewhere, mean": float(rest.mean()),
            "elsewhere, 95th percentile": float(np.percentile(rest, 95)), "elsewhere, largest": float(rest.max()),
            "furthest from the start, m": float(np.linalg.norm(motion.root[:, :2], axis=1).max())}


def speed(dancer, piece):
    """{what: seconds of wall and processor}, twenty seconds of a piece: the first time, and again."""
    rows = {}
    for name in ("first dance", "the next"):
        began, cpu = time.perf_counter(), time.process_time()
        dancer.generate(piece.audio, beats=piece.beats, seed=1)
        wall, used = time.perf_counter() - began, time.process_time() - cpu
        rows[name] = {"wall, s": wall, "processor, s": used, "times real time": piece.audio.duration / wall}
    return rows


@command
def main(argv=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="build.py evaluate my_moves", description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoints", help="folder of checkpoints (default: the shipped ones)")
    parser.add_argument("--pieces", type=int, default=20, help="studio test pieces")
    parser.add_argument("--captures", help="flat folder of whole captured clips; rows against captures need it")
    parser.add_argument("--tracks", help="folder of recorded music")
    parser.add_argument("--out", default="my-moves-evaluation", help="folder for rows.json")
    parser.add_argument("--docs", help="Markdown file whose section my_moves is replaced")
    options = parser.parse_args(argv)
    say = lambda text: print(text, flush=True)                                                  # noqa: E731
    dancer, pieces, data = RuleDancer.load(options.checkpoints), scoring.studio_pieces(options.pieces), {}
    data["Speed of My Moves"] = speed(dancer, pieces[0])
    data["My Moves: alignment on studio test pieces"], made = rhythm_rows(dancer, pieces, options.captures, say)
    if options.captures:
        against, told = capture_rows(dancer, pieces, made, options.captures, say)
        data["My Moves against captures left out"], data["My Moves told from captures"] = against, told
    if options.tracks:
        data["My Moves on recorded music"] = real_tracks(dancer, options.tracks, say)
    data["Joins of My Moves over three minutes"] = {"repertoire": seams(dancer)}
    pairs = [[dancer.generate(p.audio, beats=p.beats, seed=s)[0] for s in (1, 2)] for p in pieces[:4]]
    data["Two seeds of My Moves"] = {"joint distance": {"two seeds, m": scoring.seed_distance(pairs)}}
    Path(options.out).mkdir(parents=True, exist_ok=True)
    write_json(Path(options.out) / "rows.json", data)
    if options.docs:
        replace_section(options.docs, "my_moves", f"## My Moves\n\n{report(data)}")
    say(report(data))
    return 0


if __name__ == "__main__":
    sys.exit(main())
