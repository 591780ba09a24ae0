"""Recorded music with beats as a flat corpus: `python -m models.lab.rhythm.recorded OUT --labels JSON --root DIR`.

The labels are {file: {"beats": [s, ...], "downbeats": [s, ...] or absent, "spans": [[start, stop], ...]}}: beats are
known within the spans alone, as where several trackers agree, and nothing is learned from the rest of the file. Paths
are absolute or below the root, whose folders are the packages that the music comes from; a package is trained on or
kept for validation as a whole, as its pieces are often by one composer. Sound is not kept, only `logmel` (T, 80) uint8.

With `--bars` the corpus is one for the bar network: one piece for every span of a file whose label tells "downbeats"
and "metre" (beats in a bar), with `chroma` (T', 24) uint8 beside its log-mel.
"""
import argparse
import hashlib
import json
import math
import sys
from pathlib import Path

import numpy as np

from core.audio.io import read_audio
from core.errors import BadInput, command
from models.rhythm.bars import CHROMA_FPS, chroma
from models.rhythm.config import CHROMA_STEPS, LOGMEL_LOWEST, LOGMEL_STEP, MUSIC_FPS
from models.training.flat import FlatWriter

MARGIN = 10.0               # s of music kept around a span: what the network hears before and after its beats
READ = 100.0                # s: files are read in multiples of it, so that kept features outlive a change of the spans
SHORTEST = 6.0              # s of trusted beats in a passage
FEWEST = 8                  # beats in a passage
FEWEST_OF_BARS = 16         # beats in a piece for the bar network
SAME_BEAT = 0.05            # s: a downbeat so near a beat is that beat


def passages(spans, duration, margin=MARGIN):
    """[(start, stop, [[start, stop], ...])] in seconds of a file: spans with `margin` around them, joined where they
    meet."""
    found = []
    for start, stop in sorted((max(0.0, float(a)), min(float(duration), float(b))) for a, b, *_ in spans):
        if stop <= start:
            continue
        if found and start - margin <= found[-1][1] + margin:
            found[-1][1] = max(found[-1][1], stop)
            found[-1][2].append([start, stop])
        else:
            found.append([start, stop, [[start, stop]]])
    return [(max(0.0, start - margin), min(float(duration), stop + margin), inside) for start, stop, inside in found]


def positions(beats, downbeats):
    """(B, 2) beats with 1 where a downbeat is, 2 elsewhere; 0 everywhere where downbeats are not known."""
    beats = np.asarray(beats, dtype=np.float64)
    if downbeats is None or not len(downbeats):
        return np.stack([beats, np.zeros(len(beats))], 1)
    away = np.abs(beats[:, None] - np.asarray(downbeats, dtype=np.float64)[None]).min(1)
    return np.stack([beats, np.where(away <= SAME_BEAT, 1, 2)], 1)


def pieces(mel, label, meta):
    """[(meta, arrays)] of a file's passages.

    mel: log-mel (T, 80) uint8 of the file from its beginning; label: of the file; meta: what all its passages share.
    """
    beats, made = positions(label["beats"], label.get("downbeats")), []
    for start, stop, inside in passages(label["spans"], (len(mel) - 1) / MUSIC_FPS):
        first, last = int(start * MUSIC_FPS), int(stop * MUSIC_FPS) + 1
        zero = first / MUSIC_FPS
        known = np.any([(beats[:, 0] >= a - 1e-6) & (beats[:, 0] <= b + 1e-6) for a, b in inside], axis=0)
        if known.sum() < FEWEST or sum(b - a for a, b in inside) < SHORTEST:
            continue
        rows = mel[first:last]
        made.append(({**meta, "id": f"{meta['id']}-{len(made)}", "kind": "recorded", "source": "recorded", "metre": 0,
                      "duration": round(len(rows) / MUSIC_FPS, 3), "beat_confidence": 1.0,
                      "trusted": [[round(a - zero, 4), round(b - zero, 4)] for a, b in inside],
                      "beats": [[round(float(t - zero), 4), int(p)] for t, p in beats[known]]}, {"logmel": rows}))
    return made


def bar_pieces(mel, harmony, label, meta):
    """[(meta, arrays)] of a file's spans in which bars are known; none where the label has no metre.

    mel: log-mel (T, 80) uint8, harmony: chroma (T', 24) uint8, both of the file from its beginning.
    """
    made = []
    if not label.get("downbeats") or not label.get("metre"):
        return made
    beats = positions(label["beats"], label["downbeats"])
    for start, stop, *_ in label["spans"]:
        known = (beats[:, 0] >= start - 1e-6) & (beats[:, 0] <= stop + 1e-6)
        # The rows of both features begin at the same instant, a whole frame of the slower one.
        zero, end = math.floor(max(0.0, start - 1.0) * CHROMA_FPS) / CHROMA_FPS, stop + 1.0
        arrays = {"logmel": mel[round(zero * MUSIC_FPS):int(end * MUSIC_FPS) + 1],
                  "chroma": harmony[round(zero * CHROMA_FPS):int(end * CHROMA_FPS) + 1]}
        if known.sum() < FEWEST_OF_BARS:
            continue
        made.append(({**meta, "id": f"{meta['id']}-{len(made)}", "kind": "recorded", "source": "recorded",
                      "metre": int(label["metre"]), "duration": round(len(arrays["logmel"]) / MUSIC_FPS, 3),
                      "beats": [[round(float(t - zero), 4), int(p)] for t, p in beats[known]]}, arrays))
    return made


def features(path, seconds, kept=None, of="logmel"):
    """Log-mel (T, 80) or, of "chroma", chroma (T', 24), uint8, of the first so many seconds of a file, kept in the
    folder `kept` where one is given."""
    from core.contract.files import replacing
    name = f"{path} {seconds:.0f}" + ("" if of == "logmel" else f" {of}")
    place = kept and Path(kept, hashlib.sha256(name.encode()).hexdigest()[:24] + ".npy")
    if place and place.exists():
        return np.load(place)
    rows = _rows(read_audio(path, duration=seconds), of)
    if place:
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as temporary, open(temporary, "wb") as handle:
            np.save(handle, rows)
    return rows


def package_of(path, root):
    """The package of a file: the first folder below the root. Raises BadInput where the file is elsewhere."""
    try:
        return Path(path).relative_to(root).parts[0]
    except ValueError as error:
        raise BadInput(f"{path} is not below {root}; name the folder of the packages with --root.") from error


def _rows(audio, of):
    """Features of sound in the steps of a corpus."""
    from models.rhythm.features import log_mel, to_mono
    if of == "chroma":
        harmony = chroma(to_mono(audio.mono(), audio.rate))
        return np.round(np.clip(harmony, 0, 1) * CHROMA_STEPS).astype(np.uint8)
    mel = log_mel(audio.mono(), audio.rate)
    return np.clip(np.round((mel - LOGMEL_LOWEST) / LOGMEL_STEP), 0, 255).astype(np.uint8)


def build(out, labels, root, validation=(), kept=None, report=print, bars=False):
    """Write the flat folder `out`; returns {package: [pieces, seconds of trusted beats]}. validation: packages that
    are not trained on; bars: for the bar network."""
    writer, counted = FlatWriter(out), {}
    for number, (name, label) in enumerate(sorted(labels.items())):
        path = Path(root, name)             # an absolute path stays as it is
        package = package_of(path, root)
        if not label["spans"] or (bars and not label.get("downbeats")):
            continue
        try:
            seconds = READ * math.ceil((max(span[1] for span in label["spans"]) + MARGIN) / READ)
            mel = features(path, seconds, kept)
            harmony = features(path, seconds, kept, "chroma") if bars else None
        except BadInput as error:
            report(str(error))
            continue
        meta = {"id": f"recorded-{number:04d}", "package": package, "file": path.name, "seed": number,
                "split": "valid" if package in validation else "train"}
        for piece, arrays in bar_pieces(mel, harmony, label, meta) if bars else pieces(mel, label, meta):
            writer.add(piece, arrays)
            row = counted.setdefault(package, [0, 0.0])
            row[0] += 1
            row[1] = round(row[1] + sum(b - a for a, b in piece.get("trusted", [[0.0, piece["duration"]]])), 1)
    writer.close()
    return counted


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.rhythm.recorded", description=__doc__.split("\n")[0])
    parser.add_argument("out")
    parser.add_argument("--labels", required=True, help="JSON of the beats of each file")
    parser.add_argument("--root", required=True, help="folder of the packages")
    parser.add_argument("--validation", nargs="*", default=[], help="packages kept for validation")
    parser.add_argument("--features", help="folder where the features of each file are kept")
    parser.add_argument("--bars", action="store_true", help="for the bar network: only files whose bars are told")
    options = parser.parse_args(arguments)
    try:
        labels = json.loads(Path(options.labels).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{options.labels} holds no labels ({error}).") from error
    for package, (count, seconds) in sorted(build(options.out, labels, options.root, options.validation,
                                                  options.features, bars=options.bars).items()):
        print(f"{package}: {count} pieces, {seconds / 60:.1f} minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
