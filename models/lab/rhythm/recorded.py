"""Recorded music with beats as a flat corpus: `python -m models.lab.rhythm.recorded OUT --labels JSON --root DIR`.

The labels are {file: {"beats": [s, ...], "downbeats": [s, ...] or absent, "spans": [[start, stop], ...]}}: beats are
known within the spans alone, as where several trackers agree, and nothing is learned from the rest of the file. Paths
are absolute or below the root, whose folders are the packages that the music comes from; a package is trained on or
kept for validation as a whole, as its pieces are often by one composer. Sound is not kept, only `logmel` (T, 80) uint8.
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
from models.rhythm.config import LOGMEL_LOWEST, LOGMEL_STEP, MUSIC_FPS
from models.training.flat import FlatWriter

MARGIN = 10.0               # s of music kept around a span: what the network hears before and after its beats
READ = 100.0                # s: files are read in multiples of it, so that kept features outlive a change of the spans
SHORTEST = 6.0              # s of trusted beats in a passage
FEWEST = 8                  # beats in a passage
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


def features(path, seconds, kept=None):
    """Log-mel (T, 80) uint8 of the first so many seconds of a file, kept in the folder `kept` where one is given."""
    from core.contract.files import replacing
    from models.rhythm.features import log_mel
    place = kept and Path(kept, hashlib.sha256(f"{path} {seconds:.0f}".encode()).hexdigest()[:24] + ".npy")
    if place and place.exists():
        return np.load(place)
    audio = read_audio(path, duration=seconds)
    mel = log_mel(audio.mono(), audio.rate)
    rows = np.clip(np.round((mel - LOGMEL_LOWEST) / LOGMEL_STEP), 0, 255).astype(np.uint8)
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


def build(out, labels, root, validation=(), kept=None, report=print):
    """Write the flat folder `out`; returns {package: [passages, seconds of trusted beats]}. validation: packages that
    are not trained on."""
    writer, counted = FlatWriter(out), {}
    for number, (name, label) in enumerate(sorted(labels.items())):
        path = Path(root, name)             # an absolute path stays as it is
        package = package_of(path, root)
        if not label["spans"]:
            continue
        try:
            stop = max(span[1] for span in label["spans"]) + MARGIN
            mel = features(path, READ * math.ceil(stop / READ), kept)
        except BadInput as error:
            report(str(error))
            continue
        meta = {"id": f"recorded-{number:04d}", "package": package, "file": path.name, "seed": number,
                "split": "valid" if package in validation else "train"}
        for piece, arrays in pieces(mel, label, meta):
            writer.add(piece, arrays)
            row = counted.setdefault(package, [0, 0.0])
            row[0] += 1
            row[1] = round(row[1] + sum(b - a for a, b in piece["trusted"]), 1)
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
    options = parser.parse_args(arguments)
    try:
        labels = json.loads(Path(options.labels).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{options.labels} holds no labels ({error}).") from error
    for package, (count, seconds) in sorted(build(options.out, labels, options.root, options.validation,
                                                  options.features).items()):
        print(f"{package}: {count} passages, {seconds / 60:.1f} minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
