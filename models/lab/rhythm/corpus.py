"""The training music of the beat networks as a flat corpus: `python -m models.lab.rhythm.corpus OUT --data DIR [--jobs
N]`.

Real scores (OpenScore String Quartets and, with `--lieder`, the OpenScore Lieder Corpus, both CC0; with `--mutopia`,
those of `models.lab.rhythm.mutopia`) in many ensembles, scores in bars of five and seven, human drumming (Groove MIDI,
CC BY 4.0), dance forms, and the studio's own pieces. A quarter of what is trained on has been through MP3. Split by
composer and by drummer. Sound is not kept:
`logmel` (T, 80) uint8 is the network's log-mel at 50 Hz in steps of 0.15 nats, `chroma` (T', 24) uint8 at 10 Hz in
steps of 1 / 31.
"""
import argparse
import hashlib
import multiprocessing
import os
import pickle
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np

from core.errors import BadInput, command
from models.lab.rhythm.rare import RARE, RARE_TEMPI, rare_files
from models.rhythm.config import CHROMA_STEPS, LOGMEL_LOWEST, LOGMEL_STEP
from models.training.flat import FlatWriter

HELD_OUT = ("Dvořák", "Schubert", "Mendelssohn", "Smetana", "Borodin", "Ravel", "Saint-Georges", "Beach")    # composers
# Composers of the training's own validation, by which weights and decoders are chosen; the tests stay unseen.
VALIDATION = ("Grieg", "Fauré", "Hensel", "Reger", "Arriaga", "Nielsen", "Wolf", "Gouvy", "Smyth")
STUDIO_SEEDS = {"train": 40_000, "test": 60_000}       # a piece of the studio is its seed: no test piece is trained on
KINDS = {"score": 120, "lied": 0, "odd": 0, "rare": 0, "groove": 100, "form": 80, "compound": 0, "dance": 60,
         "conducting": 90, "mutopia": 0}        # of training
UNEVEN_SHARE = 0.35             # of the dance forms of training: in five or seven
SLOW_SHARE = 0.45               # of the songs in compound time of training: slow ones, most of them tapped in eighths


def quantised(mel, harmony):
    """Both arrays as they are kept."""
    return {"logmel": np.clip(np.round((mel - LOGMEL_LOWEST) / LOGMEL_STEP), 0, 255).astype(np.uint8),
            "chroma": np.round(np.clip(harmony, 0, 1) * CHROMA_STEPS).astype(np.uint8)}


def make_piece(task):
    """(meta, arrays, mono) of one piece, or None where the draw came to nothing. task: (kind, number, split, data,
    scores, lieder, mutopia)."""
    kind, number, split, data, scores, lieder, mutopia = task
    import torch
    torch.set_num_threads(1)
    digest = hashlib.sha256(f"{kind}-{split}-{number}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    if kind == "mutopia":
        mono, found = _score(kind, number, split, mutopia_files(mutopia, split), None, rng)
    elif kind in ("score", "lied", "odd", "rare"):
        paths = score_files(data, split, lieder if kind != "score" else None, quartets=kind != "lied")
        mono, found = _score(kind, number, split, rare_files(paths, scores) if kind == "rare" else paths, scores, rng)
    else:
        mono, found = {"groove": _groove, "form": _form, "compound": _compound}.get(kind, _studio)(kind, number, split,
                                                                                                  data, rng)
    if mono is None:
        return None
    from models.lab.rhythm.coded import coded
    from models.rhythm.bars import chroma
    from models.rhythm.config import MUSIC_RATE
    from models.rhythm.features import log_mel
    if split == "train":        # the pieces of the tests stay what they were
        mono = coded(mono, MUSIC_RATE, rng)
    beats = found.pop("beats")
    apart = found["composer"] in VALIDATION if "composer" in found else number % 13 == 12
    kept = "valid" if split == "train" and apart else split
    meta = {"id": f"{kind}-{split}-{number:04d}", "kind": kind, "split": kept, "seed": number, "source": "render",
            "duration": round(len(mono) / MUSIC_RATE, 3), "beat_confidence": 1.0,
            "beats": [[round(float(t), 4), int(p)] for t, p in beats], **found}
    return meta, quantised(log_mel(mono, MUSIC_RATE), chroma(mono)), mono


def _score(kind, number, split, paths, scores, rng):
    from models.lab.rhythm.perform import TEMPI, perform_score
    from models.lab.rhythm.rebar import rebarred
    from models.lab.rhythm.sound import orchestrate, render
    path = paths[number % len(paths)]
    score = read_kept(path, scores)
    if kind == "odd":
        score = rebarred(score, rng)
    if score is None or not score.bars:
        return None, None
    rare = kind == "rare"
    starts = [number for number, bar in enumerate(score.bars) if not rare or (bar.beats, bar.unit) in RARE]
    for _ in range(12 if starts else 0):
        played = perform_score(score, starts[int(rng.integers(len(starts)))], rng, tempi=RARE_TEMPI if rare else TEMPI)
        if played is None or sum(len(part) for part in played.parts) < 40:
            continue
        song = kind == "lied" or (rare and "quartets" not in str(path))
        ensemble, layers = orchestrate(played, rng, wide=split == "train", sung=song)
        mono = render(layers, played.duration, rng)
        if mono is not None:
            return mono, {"beats": played.beats, "metre": played.metre, "bpm": round(played.bpm, 2), "style": ensemble,
                          "composer": composer_of(path), "marked": bool(score.tempi), "written": played.written,
                          **({"kind": "lied" if song else "score"} if rare else {})}
    return None, None


def read_kept(path, scores):
    """The `Score` of a file, kept parsed in the folder `scores` where one is given."""
    from models.lab.rhythm.midi_scores import read_midi_score
    from models.lab.rhythm.musicxml import read_score
    if path.suffix == ".mid":
        return read_midi_score(path)
    cached = Path(scores or "", path.stem + ".pkl")
    if scores and cached.exists():
        return pickle.loads(cached.read_bytes())
    score = read_score(path)
    if scores:
        cached.write_bytes(pickle.dumps(score))
    return score


def composer_of(path):
    """The composer's last name of a score .../scores/Composer,_First/.../file.mxl or .../ComposerF/file.mid."""
    names = path.parts
    if path.suffix == ".mid":
        from models.lab.rhythm.midi_scores import known_composer
        return known_composer(path.parent.name, HELD_OUT + VALIDATION)
    return names[names.index("scores") + 1].split(",")[0]


@lru_cache(maxsize=8)
def score_files(data, split, lieder=None, quartets=True):
    """Scores of the composers of a split ("train" or "test"), composers in turn; of the test's at most six each.

    lieder: folder of the OpenScore Lieder Corpus, whose songs join.
    """
    folders = [Path(data, "music", "openscore_quartets", "scores")] if quartets else []
    folders += [Path(lieder, "scores")] if lieder else []
    found = _in_turn([path for folder in folders for path in folder.rglob("*.mxl")], split, 6)
    if not found:
        raise BadInput(f"No .mxl score for the {split} split in {', '.join(map(str, folders)) or 'no folder'}; "
                       "--data and --lieder name the folders of the scores.")
    return found


@lru_cache(maxsize=4)
def mutopia_files(folder, split):
    """MIDI files that `models.lab.rhythm.mutopia` made, of the composers of a split in turn, of the test's at most
    sixteen each."""
    found = _in_turn(Path(folder).rglob("*.mid"), split, 16) if folder else []
    if not found:
        raise BadInput(f"No .mid score for the {split} split in {folder or 'no folder'}; --mutopia names the folder of "
                       "models.lab.rhythm.mutopia.")
    return found


def _in_turn(paths, split, most):
    """Those of the composers of a split, composers in turn, of the test's at most `most` each."""
    by_composer = {}
    for path in sorted(paths):
        composer = composer_of(path)
        if (composer in HELD_OUT) == (split == "test"):
            by_composer.setdefault(composer, []).append(path)
    rounds = max(map(len, by_composer.values()), default=0)
    most = most if split == "test" else rounds
    return tuple(paths[r] for r in range(rounds) for paths in by_composer.values() if r < min(len(paths), most))


def _groove(kind, number, split, data, rng):
    from models.lab.rhythm import songs
    from models.lab.rhythm.sound import render
    folder = Path(data, "music", "groove_midi")
    rows = [row for row in songs.performances(folder) if (row["drummer"] in songs.HELD_OUT) == (split == "test")]
    song = songs.groove_song(folder, rows[(number * 37) % len(rows)], rng)
    return (None, None) if song is None else (render(song.layers, song.duration, rng), _of_song(song))


def _form(kind, number, split, data, rng):
    from models.lab.rhythm import songs
    from models.lab.rhythm.sound import render
    uneven = split == "train" and rng.random() < UNEVEN_SHARE
    name = str(rng.choice([name for name, form in songs.FORMS.items() if form[0] in (5, 7)])) if uneven else None
    song = songs.dance_form(rng, name=name)
    return render(song.layers, song.duration, rng), _of_song(song)


def _compound(kind, number, split, data, rng):
    from models.lab.rhythm.compound import compound_song
    from models.lab.rhythm.sound import render
    song = compound_song(rng, slow=split == "train" and rng.random() < SLOW_SHARE)
    return render(song.layers, song.duration, rng), {**_of_song(song), "kind": "form", "written": song.written}


def _of_song(song):
    return {"beats": song.beats, "metre": song.metre, "bpm": round(song.bpm, 2), "style": song.style}


def _studio(kind, number, split, data, rng):
    from models.lab.studio.build import make_item
    from models.rhythm.features import to_mono
    from models.training.shards import AUDIO_RATE
    style = (None, None, "rhapsodic")[number % 3] if kind == "conducting" else None
    meta, arrays = make_item(kind, STUDIO_SEEDS[split] + number, 24.0, style=style)
    return to_mono(arrays["audio"].T, AUDIO_RATE), {"beats": arrays["beats"], "metre": meta["metre"],
                                                    "bpm": meta["bpm"],
                                                   "style": style or meta.get("genre") or "orchestra"}


def build(out, data, counts, split="train", jobs=1, scores=None, sounds=None, report=print,
          first=0, lieder=None, mutopia=None):
    """Write the flat folder `out`. counts: {kind: pieces}; scores: folder where parsed scores are kept; sounds: folder
    for the rendered sound (WAV), else it is dropped; first: number of the first piece of each kind."""
    import soundfile
    if scores:
        Path(scores).mkdir(parents=True, exist_ok=True)
    tasks = [(kind, number, split, data, scores, lieder, mutopia)
             for kind, count in counts.items() for number in range(first, first + count)]
    writer = FlatWriter(out)
    os.environ["OMP_NUM_THREADS"] = "1"
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for done, piece in enumerate(pool.imap(make_piece, tasks), 1):
            if piece is not None:
                meta, arrays, mono = piece
                writer.add(meta, arrays)
                if sounds:
                    Path(sounds).mkdir(parents=True, exist_ok=True)
                    soundfile.write(str(Path(sounds, meta["id"] + ".flac")), mono / max(1.0, np.abs(mono).max()),
                                    22_050)
            if done % 20 == 0:
                report(f"{done} of {len(tasks)}")
    writer.close()
    return len(writer.items)


def conductors(out, count, first=41_000):
    """Write a flat folder of `count` conductors of studio pieces without their motion, which packs perform from the
    seeds."""
    from models.lab.studio.build import plan_of
    from models.lab.studio.conductor import draw_style, pattern_of, stroke_plan
    writer = FlatWriter(out)
    for seed in range(first, first + count):
        meta = {"id": f"conducting-{seed:06d}", "kind": "conducting", "split": "valid" if seed % 13 == 12 else "train",
                "seed": seed, "genre": None, "style": None, "source": "studio", "beat_confidence": 1.0,
                "duration": 24.0, "fermatas": True}
        plan = plan_of(meta)
        shown = stroke_plan(plan, pattern_of(plan, 0))  # beats that get a stroke: a body shows no others
        lead = draw_style(np.random.default_rng([seed, *b"conductor"]), shown.bpm).lead
        beats = [[round(float(t), 4), int(p)] for t, p in zip(shown.times, shown.positions)]
        writer.add({**meta, "metre": shown.metre, "bpm": round(shown.bpm, 3), "lead": round(float(lead), 4),
                    "beats": beats}, {})
    writer.close()
    return count


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.rhythm.corpus", description=__doc__.split("\n")[0])
    parser.add_argument("out")
    parser.add_argument("--data", required=True)
    parser.add_argument("--split", default="train", choices=["train", "test"])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--lieder", help="folder of the OpenScore Lieder Corpus, for the kinds lied and odd")
    parser.add_argument("--mutopia", help="folder of models.lab.rhythm.mutopia, for the kind mutopia")
    parser.add_argument("--scores", help="folder where parsed scores are kept")
    parser.add_argument("--sounds", help="folder where the sound is kept too")
    parser.add_argument("--first", type=int, default=0, help="number of the first piece of each kind, for further ones")
    parser.add_argument("--count", nargs="*", default=[], metavar="KIND=N", help=f"pieces of a kind "
                        f"({', '.join(KINDS)})")
    parser.add_argument("--conductors", type=int, metavar="N", help="instead: N conductors for the body network, as "
                        "seeds")
    options = parser.parse_args(arguments)
    if options.conductors:
        print(conductors(options.out, options.conductors), "conductors")
        return 0
    counts = {**KINDS, **{k: int(v) for k, v in (pair.split("=") for pair in options.count)}}
    print(build(options.out, options.data, counts, options.split, options.jobs, options.scores, options.sounds,
                first=options.first, lieder=options.lieder, mutopia=options.mutopia), "pieces")
    return 0


if __name__ == "__main__":
    sys.exit(main())
