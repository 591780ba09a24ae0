"""Scores of the dancer beside the rows that expose them: `build.py evaluate dance_cascade [--captures FLAT] [--pieces
N]`.

On studio test pieces: the studio's own dance, the model with true, predicted and no rhythm, the rule dancer (real moves
put together, nothing trained), half-beat-shifted markers, another piece's dance, scrambled weights. Against captures
that nothing was trained on: FID and diversity, feet, the judge that tells dances from captures. Then seeds, seams over
three minutes, real tracks, speed, and finished ablation runs.
"""
import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from core.audio.io import read_audio
from core.body.motion import rest_motion
from core.errors import command
from core.rhythm.beats import Beats
from models.dance_cascade.features import CAPTURED
from models.dance_cascade.pipeline import Dancer
from models.lab.evaluation.dance_cascade import bodies, ranges, scoring
from models.lab.evaluation.kept_dances import KeptDances
from models.lab.evaluation.rule_dancer import RuleDancer
from models.lab.evaluation.tables import markdown_table, replace_section, scrambled, write_json

SCORES = "scores.json"                  # of a trained row's dances, in its run folder


def half_beat_later(beats):
    """Every beat half-way to the next."""
    times = np.append((beats.times[1:] + beats.times[:-1]) / 2, beats.times[-1] + np.diff(beats.times)[-1] / 2)
    return Beats(times, beats.positions, beats.metre, beats.confidence)


def danced(dancer, piece, beats, number, genre=None, **options):
    """One dance to a piece. beats: a `Beats` or None; genre: None takes the piece's; number: of the piece, its seed."""
    return dancer.generate(piece.audio, beats=beats, genre=genre or piece.genre, seed=100 + number, **options)[0]


def predicted(piece):
    """Beats of a piece by the music network, or None where it hears fewer than two."""
    from models.rhythm.detect import detect_music_beats
    found = detect_music_beats(piece.audio.mono(), piece.audio.rate)
    return found if len(found) > 1 else None


def recipes(dancer, pieces, few, rule=None):
    """{row: (pieces of it, (number, piece) -> `Motion`)} of what is made to each piece."""
    def scrambled_dance(number, piece):
        with scrambled(dancer, number) as other:
            return danced(other, piece, piece.beats, number)

    def next_genre(number, piece):              # of the next piece, whose music it does not hear
        return danced(dancer, piece, piece.beats, number, pieces[(number + 1) % few].genre)

    rows = {"studio's dance": (len(pieces), lambda n, piece: piece.motion),
            "model, true rhythm": (len(pieces), lambda n, piece: danced(dancer, piece, piece.beats, n))}
    if rule is not None:
        rows["repertoire"] = (len(pieces),
                              lambda n, piece: rule.generate(piece.audio, beats=piece.beats, seed=100 + n)[0])
    return {**rows,
            "model, predicted rhythm": (len(pieces), lambda n, piece: danced(dancer, piece, predicted(piece), n)),
            "markers half a beat later": (few, lambda n, piece: danced(dancer, piece, half_beat_later(piece.beats), n)),
            "style token alone": (few, lambda n, piece: danced(dancer, piece, piece.beats, n, style_guidance=0.0)),
            "next piece's genre asked for": (few, next_genre),
            "model, no rhythm": (few, lambda n, piece: danced(dancer, piece, None, n)),
            "scrambled weights": (few, scrambled_dance)}


def made_to(pieces, rows, kept):
    """{row: [Motion]} of `recipes`, piece by piece, so that each song is rendered once."""
    made = {name: [] for name in rows}
    for number, piece in enumerate(pieces):
        for name, (count, make) in rows.items():
            if number < count:
                made[name].append(kept(name, number, lambda: make(number, piece)))            # noqa: B023
    return made


def rhythm_rows(dancer, pieces, few, say, rule=None, kept=None):
    """({row: alignment}, {row: motions}): the model under several beats, the rule, and what must be at chance."""
    made = made_to(pieces, recipes(dancer, pieces, few, rule), kept or KeptDances())
    motions = made["model, true rhythm"]
    made["model, another piece's dance"] = motions[1:] + motions[:1]
    late = made.pop("markers half a beat later")
    made["markers half a beat later, against them"] = made["markers half a beat later, against the music"] = late
    rows = {}
    for name, motions in made.items():
        beats = [piece.beats for piece in pieces[:len(motions)]]
        if name.endswith("against them"):
            beats = [half_beat_later(each) for each in beats]
        rows[name] = scoring.alignment(motions, beats)
        say(name + " " + json.dumps(rows[name]))
    return rows, made


def capture_rows(dancer, pieces, made, folder, say, rule=None, kept=None):
    """({row: distances to left-out captures, quality}, {row: separation}) of captures, studio, model and mean pose."""
    real, kept = scoring.captures(folder), kept or KeptDances()
    clips, first = [motion for motion, _, _ in real], pieces[:len(real)]
    say(f"{len(real)} passages of {len({group for _, _, group in real})} clips")
    frames = int(min(len(motion) / motion.fps for motion in made["model, true rhythm"]) * 60)
    sets = {"captures left out": clips, "model, the ten genres": made["model, true rhythm"],
            "studio's dance": made["studio's dance"], "standing": [rest_motion(frames, 60.0)] * len(first),
            "mean pose": [bodies.mean_pose(dancer.base.network, frames)] * len(first)}
    styled = {"model, styles of the captures":
              lambda n, piece: danced(dancer, piece, piece.beats, 200 + n, CAPTURED.get(real[n][1], real[n][1]))}
    if rule is not None:
        sets["repertoire"] = made["repertoire"]
        styled["repertoire, styles of the captures"] = lambda n, piece: rule.generate(
            piece.audio, beats=piece.beats, genre=rule.style(real[n][1]), seed=300 + n)[0]
    sets |= made_to(first, {name: (len(first), make) for name, make in styled.items()}, kept)
    rows, half = {}, len(clips) // 2
    for name, motions in sets.items():
        rows[name] = scoring.distances(clips[half:], clips[:half]) if name == "captures left out" \
            else scoring.distances(motions, clips)
        rows[name].update(scoring.quality(motions), **bodies.joints_and_bones(motions))
        say(name + " " + json.dumps(rows[name]))
    return rows, told_apart(sets, [group for _, _, group in real], say)


def studio_rows(made, say):
    """{row: distances to the studio's dances of the same pieces, and quality}; the studio's own: two halves of it."""
    studio, rows = scoring.passages(made["studio's dance"]), {}
    for name in ("studio's dance", "model, true rhythm", "model, predicted rhythm", "repertoire"):
        if name in made:
            against = (studio[::2], studio[1::2]) if name == "studio's dance" else (made[name], studio)
            rows[name] = {**scoring.distances(*against), **scoring.quality(made[name])}
            say(name + ", beside the studio " + json.dumps(rows[name]))
    return rows


def style_rows(dancer, pieces, made, folder, count, kept):
    """{style: how wild its dances are beside its own dancers} of the ten genres and of the captures' styles, `count`
    dances of each of these."""
    rows = ranges.range_rows(ranges.by_genre(made["model, true rhythm"], pieces),
                             ranges.by_genre(made["studio's dance"], pieces))
    own = ranges.people(folder)
    recipes = {f"model, {style}": (count, lambda n, piece, style=style: danced(dancer, piece, piece.beats, n, style))
               for style in own}
    styled = made_to(pieces[:count], recipes, kept)
    return rows | ranges.range_rows({style: styled[f"model, {style}"] for style in own}, own)


def told_apart(sets, groups, say):
    """{row: accuracy of the judge of realism} of each set of motions against the captures; 0.5 is chance."""
    from models.lab.evaluation.realism import separation, table_of
    thirty = lambda motions: [motion.resampled(30.0) for motion in motions]                     # noqa: E731
    real, rows = table_of(thirty(sets["captures left out"]), groups), {}
    for name, motions in sets.items():
        if name not in ("captures left out", "standing", "mean pose"):
            made = table_of(thirty(scoring.passages(motions)), range(len(scoring.passages(motions))))
            rows[name] = {key: float(value) for key, value in separation(real, made).items()}
            say(name + " told from captures " + json.dumps(rows[name]))
    return rows


def real_tracks(dancer, folder, say, rule=None):
    """({track: alignment with the music network's beats}, {row: how the dances swell with the music}) of the first
    minute of every sound file of a folder, beside the beats of the next track and beats half a beat later."""
    from models.rhythm.detect import detect_music_beats
    names, tracks, found = [], [], []
    for path in sorted(p for p in Path(folder).iterdir() if p.suffix in (".ogg", ".wav", ".flac", ".mp3")):
        audio = read_audio(path)
        names.append(path.stem)
        tracks.append(audio.slice(0.0, min(60.0, audio.duration)))
        found.append(detect_music_beats(tracks[-1].mono(), tracks[-1].rate))
    if not names:
        return {}, {}
    def made(beats, **options):
        return [dancer.generate(audio, beats=given, genre="house", seed=7, **options)[0]
                for audio, given in zip(tracks, beats)]
    dances = {"model": made(found), "model, energy held": made(found, energy=0.5)}
    late = [half_beat_later(beats) for beats in found]
    moved = made(late)
    rows = {name: {**scoring.alignment([motion], [beats]), "bpm": beats.tempo_bpm}
            for name, motion, beats in zip(names, dances["model"], found)}
    rows["mean"] = {key: float(np.mean([row[key] for row in rows.values()])) for key in next(iter(rows.values()))}
    rows["mean, beats of the next track"] = scoring.alignment(dances["model"], found[1:] + found[:1])
    rows["mean, markers half a beat later, against them"] = scoring.alignment(moved, late)
    rows["mean, markers half a beat later, against the music"] = scoring.alignment(moved, found)
    rows["mean, no beat guidance"] = scoring.alignment(made(found, beat_guidance=0.0), found)
    if rule is not None:
        dances["repertoire"] = [rule.generate(audio, beats=beats, seed=7)[0] for audio, beats in zip(tracks, found)]
        dances["repertoire, energy held"] = [rule.generate(audio, beats=beats, seed=7, energy=0.5)[0]
                                             for audio, beats in zip(tracks, found)]
        rows["mean, repertoire"] = scoring.alignment(dances["repertoire"], found)
    for name, row in rows.items():
        say(name + " " + json.dumps(row))
    swells = bodies.energy_rows(dances, tracks)
    say(json.dumps(swells))
    return rows, swells


def seams_and_speed(dancer, pieces, say):
    """{"seams": ..., "speed": ..., "seeds": ...}: one canvas of three minutes, two seeds, seconds for 60 s and 10 s."""
    from core.audio import Audio
    piece = pieces[0]
    copies = int(np.ceil(180 / piece.audio.duration))
    long = Audio(np.concatenate([piece.audio.samples] * copies, axis=1), piece.audio.rate).slice(0.0, 180.0)
    times = np.arange(0.3, 180.0, 60 / 118)
    motion = dancer.generate(long, beats=Beats(times, np.arange(len(times)) % 4 + 1), genre=piece.genre, seed=1,
                             feet=False)[0]
    config = dancer.base.config
    near, rest, high = scoring.seams(motion, config.window, config.fps, config.overlap)
    out = {"seams": {"acceleration at window starts": near, "elsewhere, mean": rest, "elsewhere, 95th percentile": high,
                     "furthest from the start, m": float(np.linalg.norm(motion.root[:, :2] - motion.root[0, :2],
                                                                        axis=1).max())}}
    pairs = [[dancer.generate(p.audio, beats=p.beats, genre=p.genre, seed=s)[0] for s in (1, 2)] for p in pieces[:3]]
    own = [(p.motion, q.motion) for p, q in zip(pieces, pieces[1:])]
    count = min(len(m) for pair in own for m in pair)
    out["seeds"] = {"two seeds, m": scoring.seed_distance(pairs),
                    "two studio pieces, m": scoring.seed_distance([(a.slice(0, count), b.slice(0, count))
                                                                   for a, b in own])}
    out["speed"] = {}
    for name, seconds, steps in (("60 s, Normal", 60.0, None), ("10 s, Draft", 10.0, 5)):
        began, cpu = time.perf_counter(), time.process_time()
        dancer.generate(long, duration=seconds, beats=Beats(times, np.arange(len(times)) % 4 + 1), steps=steps)
        wall, used = time.perf_counter() - began, time.process_time() - cpu
        out["speed"][name] = {"wall, s": wall, "processor, s": used, "times real time": seconds / wall}
    say(json.dumps(out))
    return out


def ablation_rows(folder):
    """{row: last validation losses, as the training loop logged them, and figures of its dances where they are kept} of
    the finished runs in a folder."""
    rows = {}
    for path in sorted(Path(folder).glob("*log.jsonl")) + sorted(Path(folder).glob("*/log.jsonl")):
        name = path.name.split(".")[0] if path.name != "log.jsonl" else path.parent.name
        if "ablation" in name:
            last = [row for row in map(json.loads, path.read_text().splitlines()) if "valid_reconstruction" in row]
            if last:
                rows[name] = {key[6:]: float(value) for key, value in last[-1].items() if key.startswith("valid_")}
                rows[name]["step"] = float(last[-1]["step"])
                if (kept := path.with_name(SCORES)).is_file():
                    rows[name].update(json.loads(kept.read_text(encoding="utf-8")))
    return rows


def report(data):
    """Markdown of all rows."""
    parts = []
    for title, rows in data.items():
        if not rows:
            continue
        columns = list(dict.fromkeys(key for row in rows.values() for key in row))
        parts.append(f"### {title}\n\n{markdown_table(rows, columns)}")
    return "\n\n".join(parts)


@command
def main(argv=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="build.py evaluate dance_cascade", description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoints", help="folder of checkpoints (default: the shipped ones)")
    parser.add_argument("--pieces", type=int, default=20, help="studio test pieces")
    parser.add_argument("--seconds", type=float, default=scoring.SECONDS, help="of a piece")
    parser.add_argument("--few", type=int, default=6, help="pieces of the rows that must be at chance, and dances of "
                        "each style of the captures")
    parser.add_argument("--captures", help="flat folder of whole captured clips; rows against captures are left out "
                        "without it")
    parser.add_argument("--tracks", help="folder of recorded music")
    parser.add_argument("--ablations", help="folder of ablation runs or of their logs")
    parser.add_argument("--out", default="dance-evaluation", help="folder for rows.json and for the dances, which the "
                        "same command takes from there when it is called again")
    parser.add_argument("--docs", help="Markdown file whose section dance_cascade is replaced")
    options = parser.parse_args(argv)
    say = lambda text: print(text, flush=True)                                                  # noqa: E731
    dancer, pieces = Dancer.load(options.checkpoints), scoring.studio_pieces(options.pieces, options.seconds)
    few, kept = min(options.few, len(pieces)), KeptDances(Path(options.out) / "dances")
    rule, data = RuleDancer.load(options.checkpoints), {}
    def keep(**rows):
        """Rows as soon as they are there: the whole takes long, and may be stopped."""
        data.update({name.replace("_", " "): found for name, found in rows.items()})
        write_json(Path(options.out) / "rows.json", data)
    Path(options.out).mkdir(parents=True, exist_ok=True)
    if options.tracks:
        tracks, swells = real_tracks(dancer, options.tracks, say, rule)
        keep(Recorded_music=tracks, Swelling_with_recorded_music=swells)
    rows, made = rhythm_rows(dancer, pieces, few, say, rule, kept)
    keep(Alignment_on_studio_test_pieces=rows, Genre_seen_by_the_motion_judge=bodies.styles_seen(made, pieces))
    keep(Beside_the_studio=studio_rows(made, say))
    if options.captures:
        keep(Each_style_beside_its_own_dancers=style_rows(dancer, pieces, made, options.captures, few, kept))
        against, told = capture_rows(dancer, pieces, made, options.captures, say, rule, kept)
        keep(Against_captures_left_out=against, Told_from_captures=told)
    more = seams_and_speed(dancer, pieces, say)
    keep(Seams_over_three_minutes={"model": more["seams"]}, Seeds={"joint distance": more["seeds"]},
         Speed=more["speed"])
    if options.ablations:
        keep(Ablations_at_one_small_budget=ablation_rows(options.ablations))
    if options.docs:
        replace_section(options.docs, "dance_cascade", f"## Dance from music\n\n{report(data)}")
    say(report(data))
    return 0


if __name__ == "__main__":
    sys.exit(main())
