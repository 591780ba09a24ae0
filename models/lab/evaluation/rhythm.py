"""Scores of the beat networks, with the rows that expose them.

    python -m models.lab.evaluation.rhythm --corpus DIR [--data DIR]

Beat F1 is one-to-one within +-70 ms at the strict metrical level; `any_level` is the best over half, double and
off-beat levels and says how much of a miss is an octave. DIR holds dance/ and conducting/ corpora; --data is a folder
of real clips with motion/ and music/ (BVH, OGG and *.beats.txt), left out when absent.
"""
import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from core.body.motion import Motion
from core.errors import BatonError, command
from core.rhythm.alignment import beat_f1_70ms, match_count
from core.rhythm.beats import read_beats
from models.lab.evaluation.tables import markdown_table, replace_section, write_json
from models.lab.metrics.beat_align import beat_f1_any_level, music_beats_librosa
from models.rhythm.data import body_offset
from models.rhythm.detect import detect_body_beats, detect_music_beats, load_network
from models.training.shards import AUDIO_RATE, Corpus, corpus_folders, unpack_audio, unpack_motion

COUPLES = (("05", "20"), ("11", "26"))      # TEST partners of one dance each
SECTIONS = ("body", "music", "tracks", "couples", "speed")
SALSA_FPS = 60.0                            # the files' headers say 120: wrong


def test_items(folder, kind, count):
    """Up to `count` test items of a kind, spread over the corpus: (corpus, index)."""
    for place in corpus_folders(folder):
        try:
            corpus = Corpus(place, split="test", kind=kind)
        except BatonError:
            continue
        return [(corpus, int(i)) for i in np.unique(np.linspace(0, len(corpus) - 1, count).astype(int))]
    return []


def summary(rows):
    """Means of the numbers of rows and, of `level`, how often each was best."""
    if not rows:
        return {"clips": 0}
    out = {"clips": len(rows)}
    for key in rows[0]:
        values = [row[key] for row in rows if row[key] is not None]
        if key == "level":
            out["levels"] = dict(Counter(values))
        elif values:
            out[key] = round(float(np.mean(values)), 4)
    return out


def scored(found, times, positions=None):
    """One row: strict F1, best over levels, downbeat F1, confidence."""
    best, level = beat_f1_any_level(found.times, times)
    row = {"f1": beat_f1_70ms(found.times, times), "any_level": best, "level": level, "confidence": found.confidence}
    if positions is not None:
        row["downbeat_f1"] = beat_f1_70ms(found.downbeats, times[positions == 1])
    return row


def half_beat_roll(motion, times):
    """The motion rolled later by half a median beat, and by how many seconds exactly."""
    frames = int(round(np.median(np.diff(times)) / 2 * motion.fps))
    return Motion(np.roll(motion.rotations, frames, 0), np.roll(motion.root, frames, 0),
                  motion.fps), frames / motion.fps


def body_rows(items, folders):
    """Body -> beats on studio pieces: as they are, and rolled by half a beat (scored against rolled and unrolled
    truth)."""
    plain, rolled, mismatched, previous = [], [], [], None
    for corpus, index in items:
        written = corpus.array(index, "beats").astype(np.float64)
        times, positions = written[:, 0] + body_offset(corpus.meta(index)), written[:, 1].astype(int)
        motion = unpack_motion(corpus.array(index, "motion_rot6d"), corpus.array(index, "motion_root"))
        found = detect_body_beats(motion, folders=folders)
        plain.append(scored(found, times, positions))
        moved, seconds = half_beat_roll(motion, times)
        again = detect_body_beats(moved, folders=folders)
        rolled.append({"f1_rolled_truth": beat_f1_70ms(again.times, times + seconds),
                       "f1_unrolled_truth": beat_f1_70ms(again.times, times)})
        if previous is not None:
            mismatched.append({"f1": beat_f1_70ms(previous.times, times)})
        previous = found
    return {"studio": summary(plain), "rolled_half_beat": summary(rolled), "beats_of_another_clip": summary(mismatched)}


def music_rows(items, folders):
    """Music -> beats on studio pieces, librosa's tracker beside it."""
    ours, theirs = [], []
    for corpus, index in items:
        written = corpus.array(index, "beats").astype(np.float64)
        audio = unpack_audio(corpus.array(index, "audio")).T
        ours.append(scored(detect_music_beats(audio, AUDIO_RATE, folders=folders), written[:, 0],
                           written[:, 1].astype(int)))
        from models.rhythm.features import to_mono
        found = music_beats_librosa(to_mono(audio, AUDIO_RATE), 22_050)
        best, level = beat_f1_any_level(found, written[:, 0])
        theirs.append({"f1": beat_f1_70ms(found, written[:, 0]), "any_level": best, "level": level})
    return {"network": summary(ours), "librosa": summary(theirs)}


def track_rows(data, folders):
    """Real tracks: share of the agreed beats that are found; found beats a second; the share a chance grid would
    find."""
    from core.audio.io import read_audio
    rows = {}
    for path in sorted(Path(data, "music").glob("*.ogg")):
        agreed = read_beats(path.with_suffix("").with_suffix(".beats.txt")).times
        audio = read_audio(path)
        found = detect_music_beats(audio.mono(), audio.rate, folders=folders)
        librosa_beats = music_beats_librosa(audio.resampled(22_050).mono(), 22_050)
        span = audio.duration
        shifts = [match_count((found.times + s * span / 50) % span, agreed) / len(agreed) for s in range(1, 50)]
        rows[path.stem] = {
            "agreed": len(agreed), "found_share": round(match_count(found.times, agreed) / len(agreed), 4),
            "librosa_share": round(match_count(librosa_beats, agreed) / len(agreed), 4),
            "chance_share": round(float(np.mean(shifts)), 4), "beats_found": len(found),
            "tempo_bpm": round(found.tempo_bpm, 1), "metre": found.metre, "confidence": round(found.confidence, 3)}
    return rows


def couple_rows(data, folders):
    """TEST salsa couples: agreement (F1) of the beats found from each body alone, partners against mixed couples."""
    from core.motion_files import read_motion
    found = {}
    for path in sorted(Path(data, "motion", "cmu_salsa").glob("*.bvh*")):
        number = next((n for couple in COUPLES for n in couple if path.name.split(".")[0].endswith(n)), None)
        if number:
            motion = read_motion(path, fps=SALSA_FPS)
            found[number] = (detect_body_beats(motion, folders=folders), motion.duration)
    if len(found) < 4:
        return {}

    def agreement(a, b):
        span = min(found[a][1], found[b][1])
        one, two = (found[n][0].times for n in (a, b))
        return beat_f1_70ms(one[one < span], two[two < span])
    couples = {f"{a}+{b}": round(agreement(a, b), 4) for a, b in COUPLES}
    mixed = {f"{a}+{b}": round(agreement(a, b), 4) for a in COUPLES[0] for b in COUPLES[1]}
    shifted = []
    for a, b in COUPLES:
        span = min(found[a][1], found[b][1])
        one, two = (found[n][0].times[found[n][0].times < span] for n in (a, b))
        shifted += [beat_f1_70ms(np.sort((one + s * span / 40) % span), two) for s in range(2, 39)]
    return {"partners": couples, "mixed": mixed, "partners_mean": round(float(np.mean(list(couples.values()))), 4),
            "mixed_mean": round(float(np.mean(list(mixed.values()))), 4),
            "partners_shifted_mean": round(float(np.mean(shifted)), 4),
            "tempo_bpm": {n: round(beats.tempo_bpm, 1) for n, (beats, _) in found.items()},
            "confidence": {n: round(beats.confidence, 3) for n, (beats, _) in found.items()}}


def speed_rows(items, folders):
    """Seconds of motion and of music analysed per second of wall time and of CPU time (which a busy machine does not
    blur), features and decoding included, on clips of three minutes."""
    import torch
    rows = {"threads": torch.get_num_threads()}
    for part in ("body", "music"):
        load_network(part, folders)
    corpus, index = items[0]
    motion = unpack_motion(corpus.array(index, "motion_rot6d"), corpus.array(index, "motion_root"))
    times = int(np.ceil(180 / motion.duration))
    motion = Motion(np.tile(motion.rotations, (times, 1, 1, 1)), np.tile(motion.root, (times, 1)))
    audio = np.tile(unpack_audio(corpus.array(index, "audio")[:, 0]), times)
    jobs = {"body": (lambda: detect_body_beats(motion, folders=folders), motion.duration),
            "music": (lambda: detect_music_beats(audio, AUDIO_RATE, folders=folders), len(audio) / AUDIO_RATE)}
    for name, (work, seconds) in jobs.items():
        work()
        began, cpu = time.perf_counter(), time.process_time()
        work()
        rows[f"{name}_times_real_time"] = round(seconds / (time.perf_counter() - began), 1)
        rows[f"{name}_per_cpu_second"] = round(seconds / (time.process_time() - cpu), 1)
    return rows


def evaluate(corpus, data=None, count=40, folders=None, report=print, only=SECTIONS):
    """All rows as one JSON-ready dict; `only` names the sections to make."""
    dance, conducting = test_items(corpus, "dance", count), test_items(corpus, "conducting", count)
    report(f"{len(dance)} dance and {len(conducting)} conducting test pieces")
    result, real = {}, data and Path(data, "music").is_dir()
    if "body" in only:
        result |= {"body_dance": body_rows(dance, folders), "body_conducting": body_rows(conducting, folders)}
    if "music" in only:
        result |= {"music_dance": music_rows(dance, folders), "music_orchestra": music_rows(conducting, folders)}
    if "tracks" in only and real:
        result["real_tracks"] = track_rows(data, folders)
    if "couples" in only and real:
        result["salsa_couples"] = couple_rows(data, folders)
    if "speed" in only and dance:
        result["speed"] = speed_rows(dance, folders)
    result["checkpoints"] = {part: _sha(part, folders) for part in ("body", "music", "rubato", "bars")}
    return result


def _sha(part, folders):
    from core import checkpoints
    found = checkpoints.find("rhythm", part, folders, required=part in ("body", "music"))
    return found.sha256[:16] if found else None


ROWS = (("body, studio dance", "body_dance", "studio", 0.85), ("body, conductors (ictus)", "body_conducting",
                                                               "studio", None),
        ("music, studio dance", "music_dance", "network", 0.95),
        ("music, studio orchestra with rubato", "music_orchestra", "network", 0.85))


def table(result):
    """The rows as Markdown: studio pieces, real tracks, couples, speed; sections that were not made are left out."""
    rows = {}
    for name, key, ours, target in ROWS:
        if key not in result:
            continue
        own, librosa = result[key][ours], result[key].get("librosa", {})
        other = result[key].get("beats_of_another_clip", {})
        rows[name] = {"f1": own.get("f1"), "any_level": own.get("any_level"), "downbeat_f1": own.get("downbeat_f1"),
                      "mismatched": other.get("f1"), "librosa": librosa.get("f1"),
                      "librosa_any": librosa.get("any_level"), "clips": own.get("clips"), "target": target}
        if key == "body_dance":
            rolled = result[key]["rolled_half_beat"]
            rows["body rolled by half a beat, rolled truth"] = {"f1": rolled.get("f1_rolled_truth")}
            rows["body rolled by half a beat, unrolled truth"] = {"f1": rolled.get("f1_unrolled_truth")}
    parts = []
    if rows:
        parts.append("F1 within 70 ms at the strict metrical level; *any level* also lets octaves and off-beats pass; "
                     "*mismatched*: the beats of another clip.\n\n" + markdown_table(rows,
                                                                                     list(next(iter(rows.values())))))
        levels = {name: result[key][ours].get("levels") for name, key, ours, _ in ROWS if key in result}
        parts.append("Best level, clips: " + "; ".join(f"{name}: {value}" for name, value in levels.items()) + ".")
    if "real_tracks" in result:
        columns = ["found_share", "librosa_share", "chance_share", "agreed", "beats_found", "tempo_bpm", "metre"]
        parts.append("Real tracks, share of the agreed beats that are found (target 0.90 each). Recall only: extra "
                     "beats do not show. The decoder's constants are the best tried on the studio's valid split. The "
                     "Brahms is not blind: the beats once missed in it gave the idea of the Romantic and rhapsodic "
                     "training pieces, and that two "
                     "networks are averaged, not the newer one taken alone, was chosen on it (38 of 42 against 36).\n\n"
                     + markdown_table(result["real_tracks"], columns, "track"))
    couples = result.get("salsa_couples")
    if couples:
        parts.append(f"TEST salsa couples, beats found from each body alone: partners agree "
                     f"{couples['partners_mean']}, couples mixed up {couples['mixed_mean']}, partners shifted "
                     f"{couples['partners_shifted_mean']}.")
    speed = result.get("speed")
    if speed:
        parts.append(f"Speed, seconds of a clip of three minutes: per CPU second body {speed['body_per_cpu_second']}, "
                     f"music {speed['music_per_cpu_second']}; per second of wall time {speed['body_times_real_time']} "
                     f"and {speed['music_times_real_time']} (target 100; {speed['threads']} thread(s) of torch, other "
                     f"work beside).")
    return "\n\n".join(parts)


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.evaluation.rhythm", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--data", default=str(Path(__file__).resolve().parents[3].parent / "shared" / "data"))
    parser.add_argument("--count", type=int, default=40, help="test pieces of each kind")
    parser.add_argument("--checkpoints", help="extra folder of checkpoints")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="sections to make")
    parser.add_argument("--json", help="also write all rows here; rows of sections that are not made are kept")
    parser.add_argument("--docs", help="Markdown file whose rhythm section is replaced")
    options = parser.parse_args(arguments)
    result = evaluate(options.corpus, options.data, options.count, options.checkpoints, only=options.only)
    if options.json and Path(options.json).exists():
        result = {**json.loads(Path(options.json).read_text(encoding="utf-8")), **result}
    print(table(result))
    if options.json:
        write_json(options.json, result)
    if options.docs:
        replace_section(options.docs, "rhythm", "## Rhythm networks\n\n" + table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
