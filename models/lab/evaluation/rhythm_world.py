"""Rows of the beat networks on material that nobody here made: captured dances, game music, loops, rendered real
scores, no beat.

    python -m models.lab.evaluation.rhythm_world [--data DIR] [--scores FLAT] [--tracks DIR] [--speech DIR] \\
        [--checkpoints DIR]

--data: a folder with motion/ and music/ as for `models.lab.evaluation.rhythm`. --scores: a flat folder of
`models.lab.rhythm.corpus --split test`. --tracks: the music of the Debian package wesnoth-1.16-music (for evaluation
only).
--speech: a folder of WAV files of speech. Sections whose material is absent are left out. Beside *auto*, as shipped,
stand the beat by beat path (*follow*) and one grid (*steady*), and beats of another piece as the chance level.
"""
import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from core.audio.io import read_audio
from core.audio.resample import resample
from core.errors import command
from core.rhythm import tempo as rhythm_tempo
from core.rhythm.alignment import beat_f1_70ms, match_count
from core.rhythm.beats import read_beats
from core.rhythm.steady import Evidence
from models.lab.evaluation.rhythm import COUPLES, SALSA_FPS
from models.lab.evaluation.tables import markdown_table, replace_section, write_json
from models.lab.metrics.beat_align import beat_f1_any_level, continuity, phase_along
from models.rhythm.bodies import limbs_of, travels
from models.rhythm.config import BODY_FPS, CHROMA_STEPS, MUSIC_FPS, MUSIC_RATE
from models.rhythm.detect import LEAD_S, Heard, activations_body, bars_of, load_network, music_beats, threes_beside

MODES = ("auto", "steady", "follow")
KINDS = ("score", "mutopia", "groove", "form", "dance", "conducting")
TEST = {number for couple in COUPLES for number in couple}
# CC0 loops of the Debian package sonic-pi-samples whose beats are certain: a loop lasts a whole number of them.
LOOPS = {"loop_amen": 4, "loop_amen_full": 16, "loop_breakbeat": 4, "loop_compus": 16, "loop_garzul": 16,
         "loop_mika": 16,
         "loop_safari": 16, "loop_mehackit1": 4, "loop_mehackit2": 4, "loop_perc1": 4, "loop_perc2": 4,
         "loop_electric": 4, "loop_weirdo": 8, "loop_3d_printer": 16}
LOOP_FOLDER = "/usr/share/sonic-pi/samples"


def spread(times):
    """Standard deviation of the intervals over their mean; 0 with fewer than three beats."""
    gaps = np.diff(times)
    return float(gaps.std() / gaps.mean()) if len(gaps) > 1 else 0.0


def heard_music(samples, rate, folders, lead=0.0):
    """What the networks hear in mono sound; lead: seconds of silence that are put before it, `LEAD_S` in use."""
    from models.rhythm.features import log_mel
    return Heard(log_mel(samples, rate), folders, lead)


def body_rows(data, folders):
    """Captured dances with a known grid, TEST apart; TEST couple 11 26 against each other; couples mixed up."""
    from core.motion_files import read_motion
    found, rows = {}, {"test": {}, "trained": {}}
    for path in sorted(Path(data, "motion", "cmu_salsa").glob("*.bvh*")):
        number = path.name.split(".")[0]
        motion = read_motion(path, fps=SALSA_FPS)
        seen, limbs = activations_body(motion, folders), limbs_of(motion)
        asked = "traveller" if travels(motion) else None        # as `detect_body_beats`
        beats = {mode: rhythm_tempo.find(seen, BODY_FPS, part="body", mode=mode, asked=asked, limbs=limbs)
                 for mode in MODES}
        found[number] = (beats, motion.duration)
        grid = path.with_name(number + ".beats.txt")
        if grid.exists():
            times = read_beats(grid).times
            row = {mode: round(beat_f1_70ms(beats[mode].times, times), 3) for mode in MODES}
            told = beats["auto"].extra["tempo"]
            row |= {"chosen": told["chosen"], "strength": told["strength"],
                    "spread": round(spread(beats["auto"].times), 3)}
            rows["test" if number in TEST else "trained"][number] = row

    def agreement(a, b, mode):
        shared = min(found[a][1], found[b][1])
        one, two = (found[n][0][mode].times for n in (a, b))
        return round(beat_f1_70ms(one[one < shared], two[two < shared]), 3)
    first, second = COUPLES
    rows["couples"] = {f"{a}+{b}": {mode: agreement(a, b, mode) for mode in MODES} for a, b in COUPLES}
    rows["mixed"] = {f"{a}+{b}": {mode: agreement(a, b, mode) for mode in MODES} for a in first for b in second}
    return rows


def _music_modes(heard, bars=None):
    return {mode: music_beats(heard, mode=mode, bars=bars) for mode in MODES}


def orchestral_rows(data, tracks, folders):
    """Game music: share of the beats on which two trackers agree that is found, and how steady the found tempo is."""
    rows = {}
    for name, known in json.loads(Path(data, "music", "orchestral_beats.json").read_text()).items():
        paths = list(Path(tracks).rglob(name + ".ogg"))
        if not paths:
            continue
        audio = read_audio(paths[0], start=known["start_s"], duration=known["duration_s"])
        beats = _music_modes(heard_music(audio.mono(), audio.rate, folders, LEAD_S))
        agreed = np.array(known["beats"])
        row = {mode: round(match_count(beats[mode].times, agreed) / len(agreed), 3) for mode in MODES}
        doubled = match_count(beats["auto"].double_time().times, agreed) / len(agreed)
        shifts = [match_count((beats["auto"].times + s * 1.2) % 60.0, agreed) / len(agreed) for s in range(1, 50)]
        told = beats["auto"].extra["tempo"]
        rows[name] = {**row, "at double": round(doubled, 3), "chance": round(float(np.mean(shifts)), 3),
                      "first round": known["found_today"], "bpm": told["bpm"], "chosen": told["chosen"],
                      "strength": told["strength"], "spread": round(spread(beats["auto"].times), 3)}
    return rows


def loop_rows(folders, seconds=26.0):
    """Recorded loops of exactly known tempo, repeated: tempo within 2 %, F1 at the level meant and at the best
    level."""
    import soundfile
    rows = {}
    for name, count in LOOPS.items():
        path = Path(LOOP_FOLDER, name + ".flac")
        if not path.exists():
            continue
        sound, rate = soundfile.read(path, always_2d=True)
        once = len(sound) / rate
        times = int(np.ceil(seconds / once))
        beats = _music_modes(heard_music(np.tile(sound.mean(1), times), rate, folders))
        true = np.arange(count * times) * once / count
        best, level = beat_f1_any_level(beats["auto"].times, true)
        ratio = beats["auto"].tempo_bpm / (60 * count / once)
        rows[name] = {"bpm": round(60 * count / once, 1), "found": round(beats["auto"].tempo_bpm, 1),
                      **{mode: round(beat_f1_70ms(beats[mode].times, true), 3) for mode in MODES},
                      "any level": round(best, 3), "level": level, "tempo right": bool(abs(ratio - 1) < 0.02)}
    return rows


def piece_rows(flat_folder, folders):
    """Rendered real scores, human drumming and dance forms of held-out composers and drummers, by kind: means, and each
    piece."""
    from models.rhythm.resident import logmel_of
    from models.training.flat import Flat
    flat, pieces, previous = Flat(flat_folder), [], None
    bars, threes = load_network("bars", folders, required=False), threes_beside(folders)
    for item in flat.items:
        mel = logmel_of(flat, item)
        harmony = np.asarray(flat.rows(item, "chroma"), np.float32) / CHROMA_STEPS
        heard = Heard(mel, folders)
        beats = _music_modes(heard, bars_of(bars, mel, harmony, threes))
        written = np.array(item["beats"])
        times, auto = written[:, 0], beats["auto"]
        best, level = beat_f1_any_level(auto.times, times)
        row = {"id": item["id"], "kind": item["kind"], "style": item["style"], "metre": item["metre"],
               "bpm": item["bpm"],
               **{mode: beat_f1_70ms(beats[mode].times, times) for mode in MODES}, "any level": best, "level": level,
               **continuity(auto.times, times), **_oracles(heard, times),
               "another piece": None if previous is None else beat_f1_70ms(previous, times), "found metre": auto.metre,
               "chosen": auto.extra["tempo"]["chosen"], "strengths": strengths(heard)}
        if item["metre"]:
            row |= {"metre right": float(auto.metre == item["metre"]),
                    "downbeat": beat_f1_70ms(auto.downbeats, times[written[:, 1] == 1])}
            told = bars_of(bars, mel, harmony, threes)
            given = rhythm_tempo.find(heard.activations, MUSIC_FPS, part="music", bars=told, beats=_without_bars(times))
            row |= {"metre, true beats": float(given.metre == item["metre"]),
                    "downbeat, true beats": beat_f1_70ms(given.downbeats, times[written[:, 1] == 1])}
        pieces.append(row)
        previous = auto.times
    kinds = [kind for kind in KINDS if any(row["kind"] == kind for row in pieces)]
    return {"means": {kind: _means([row for row in pieces if row["kind"] == kind]) for kind in kinds},
            "waltzes": _means([row for row in pieces if row["style"] in ("waltz", "minuet", "mazurka", "rock in three",
                                                                       "jazz waltz")]), "pieces": pieces}


def _oracles(heard, times):
    """F1 given the tempo, beats followed near it; given the tempo of every moment, the phase still to be found."""
    bpm = float(np.clip(60.0 / np.median(np.diff(times)), 20, 400))
    given = rhythm_tempo.find(heard.activations, MUSIC_FPS, part="music", mode="follow", bpm=bpm)
    evidence = Evidence(heard.activations, MUSIC_FPS)
    return {"tempo given": beat_f1_70ms(given.times, times),
            "path given": beat_f1_70ms(phase_along(evidence.first, evidence.times, times), times)}


def _without_bars(times):
    from core.rhythm.beats import Beats
    return Beats(times, np.zeros(len(times), dtype=int))


def _means(rows):
    keys = [key for key in (rows[0] if rows else ()) if isinstance(rows[0][key], float) or key == "another piece"]
    keys += [key for key in ("metre right", "downbeat", "metre, true beats", "downbeat, true beats") if key not in keys]
    out = {"pieces": len(rows)}
    for key in keys:
        values = [row[key] for row in rows if row.get(key) is not None]
        if values and key != "bpm":
            out[key] = round(float(np.mean(values)), 3)
    return out


def sounds_without_beat(speech=None, seconds=30.0):
    """{name: mono at 22,050 Hz} of silence, noises, drones and pads, and passages of the WAV files in `speech`."""
    import soundfile
    rng, count = np.random.default_rng(0), int(seconds * MUSIC_RATE)
    clock = np.arange(count) / MUSIC_RATE
    power = 1 / np.sqrt(np.maximum(np.arange(count // 2 + 1), 1.0))
    pink = lambda: np.fft.irfft(np.fft.rfft(rng.normal(size=count)) * power, count) * 5            # noqa: E731
    out = {"silence": np.zeros(count), "hiss": rng.normal(size=count) * 1e-4}
    out |= {f"white {k}": rng.normal(size=count) * 0.1 for k in range(3)} | {f"pink {k}": pink() for k in range(3)}
    out["wind"] = pink() * np.interp(clock, np.arange(seconds + 1), rng.uniform(0.3, 1, int(seconds) + 1))
    for hertz in (55.0, 110.0, 131.0, 220.0):
        tones = sum(np.sin(2 * np.pi * hertz * k * clock * (1 + 0.0003 * k) + k) / k for k in range(1, 9))
        out[f"drone {hertz:.0f}"] = 0.1 * tones * (1 + 0.2 * np.sin(2 * np.pi * 0.07 * clock))
    for path in sorted(Path(speech).glob("*.wav")) if speech else ():
        sound, rate = soundfile.read(path)
        sound = resample(sound if sound.ndim == 1 else sound.mean(1), rate, MUSIC_RATE)
        out |= {f"speech {path.stem} {k}": sound[k * count:(k + 1) * count] for k in range(min(3, len(sound) // count))}
    return out


def strengths(heard):
    """What the choice of no beat rests on: agreements of the one tempo, the drifting one, and the free path; else
    whether two networks agree."""
    one, many, free = rhythm_tempo.agreements(heard.activations, MUSIC_FPS, "music")
    strong = any(a >= b for a, b in zip((one, many, free), rhythm_tempo.pulse("music", len(heard.mel) / MUSIC_FPS)))
    return {"one": round(one, 3), "drifting": round(many, 3), "free": round(free, 3),
            "beat": bool(strong or heard.strong or heard.agreed)}


def beatless_rows(data, pieces, tracks, speech, folders):
    """Agreements of sounds without a beat and of music (`pieces`: of `piece_rows`): how far the threshold stands from
    both."""
    rows = {"no beat": {}, "music": {}}
    for name, mono in sounds_without_beat(speech).items():
        rows["no beat"][name] = strengths(heard_music(mono.astype(np.float32), MUSIC_RATE, folders))
    for path in sorted(Path(data, "music").glob("*.ogg")):
        audio = read_audio(path)
        rows["music"][path.stem] = strengths(heard_music(audio.mono(), audio.rate, folders))
    if tracks:
        for name, known in json.loads(Path(data, "music", "orchestral_beats.json").read_text()).items():
            for path in Path(tracks).rglob(name + ".ogg"):
                audio = read_audio(path, start=known["start_s"], duration=known["duration_s"])
                rows["music"][name] = strengths(heard_music(audio.mono(), audio.rate, folders))
    rows["music"] |= {piece["id"]: piece["strengths"] for piece in pieces}
    rows["called beat"] = {name: round(float(np.mean([row["beat"] for row in rows[name].values()])), 3)
                           for name in ("no beat", "music")}
    edges = np.arange(0.0, 1.05, 0.1)
    rows["histograms"] = {f"{name}, {key}": np.histogram([row[key] for row in rows[name].values()], edges)[0].tolist()
                          for name in ("no beat", "music") for key in ("one", "drifting", "free")}
    return rows


def evaluate(options):
    """All rows as a JSON-ready dict."""
    folders, data, result = options.checkpoints, options.data, {}
    if Path(data, "motion", "cmu_salsa").is_dir():
        result["captures"] = body_rows(data, folders)
    if options.tracks:
        result["orchestral"] = orchestral_rows(data, options.tracks, folders)
    result["loops"] = loop_rows(folders)
    if options.scores:
        result["pieces"] = piece_rows(options.scores, folders)
    pieces = result.get("pieces", {}).get("pieces", ())
    result["beatless"] = beatless_rows(data, pieces, options.tracks, options.speech, folders)
    return result


def table(result):
    """The rows as Markdown."""
    parts = []
    if "captures" in result:
        rows = result["captures"]
        columns = ["auto", "steady", "follow", "chosen", "strength", "spread"]
        parts.append("Captured dances against their grids (F1 within 70 ms). TEST, never trained on:\n\n"
                     + markdown_table(rows["test"], columns, "clip"))
        trained = {mode: round(float(np.mean([row[mode] for row in rows["trained"].values()])), 3) for mode in MODES}
        parts.append(f"The {len(rows['trained'])} trained on, mean: {trained}. "
                     "Couples against each other, then mixed up:\n\n"
                     + markdown_table({**rows["couples"], **{f"mixed {k}": v for k, v in rows["mixed"].items()}},
                                      list(MODES), "pair"))
    if "orchestral" in result:
        rows = result["orchestral"]
        mean = {key: round(float(np.mean([row[key] for row in rows.values()])), 3)
                for key in (*MODES, "at double", "chance", "first round")}
        parts.append("Game music, share of the beats that two trackers agree on:\n\n"
                     + markdown_table({**rows, "mean": mean}, list(next(iter(rows.values()))), "track"))
    if result.get("loops"):
        parts.append("Loops of exactly known tempo:\n\n"
                     + markdown_table(result["loops"], list(next(iter(result["loops"].values()))), "loop"))
    if "pieces" in result:
        rows = {**result["pieces"]["means"], "in three": result["pieces"]["waltzes"]}
        levels = Counter(row["level"] for row in result["pieces"]["pieces"] if row["kind"] == "score")
        parts.append("Rendered pieces of composers, drummers and seeds that no training saw. CMLt and AMLt as mir_eval "
                     "has them: in step at the written level, at any allowed one. *tempo given*: beats followed near "
                     "the true tempo; *path given*: the tempo of every moment is true and the phase alone is found:\n\n"
                     + markdown_table(rows, list(next(iter(rows.values()))), "kind")
                     + f"\n\nLevels at which the scores are read: {dict(levels.most_common())}.")
    rows = result["beatless"]
    parts.append(f"Called a beat: {rows['called beat']}. Agreement in tenths, sounds by count:\n\n"
                 + markdown_table({name: dict(zip(map(str, range(10)), counts))
                                   for name, counts in rows["histograms"].items()},
                                  list(map(str, range(10))), "sounds"))
    return "\n\n".join(parts)


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.evaluation.rhythm_world", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=str(Path(__file__).resolve().parents[3].parent / "shared" / "data"))
    for name in ("--scores", "--tracks", "--speech", "--checkpoints", "--json", "--docs"):
        parser.add_argument(name)
    options = parser.parse_args(arguments)
    result = evaluate(options)
    print(table(result))
    if options.json:
        write_json(options.json, result)
    if options.docs:
        replace_section(options.docs, "rhythm-world", "## Beats of the world\n\n" + table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
