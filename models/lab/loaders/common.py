"""What all loaders share: the clip, its split, the conversion into shards."""
import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.contract import GENRES, MOTION_FILES, load
from core.errors import BadInput
from models.training.shards import AUDIO_RATE, pack_audio, pack_motion, read_header, write_shard

PER_SHARD = 16
SOUND = (".wav", ".flac", ".ogg", ".mp3", ".m4a")
SHARES = (("train", 0.8), ("valid", 0.9), ("test", 1.0))


@dataclass(frozen=True)
class Options:
    """fps: instead of the files' own rate; bone_map {joint: bone} for BVH; shortest: seconds below which a clip is left
    out."""

    fps: float | None = None
    bone_map: dict | None = None
    shortest: float = 3.0


@dataclass(frozen=True)
class Clip:
    """One item before conversion: `read()` gives its arrays and the metas known only after reading."""

    id: str
    split: str
    read: Callable[[], tuple]


def split_of_name(group):
    """train (80 %), valid or test (10 % each) from a name alone; give what must stay together the same name."""
    place = int(hashlib.sha256(str(group).encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
    return next(split for split, limit in SHARES if place <= limit)


def files_under(folder, suffixes):
    """Files below a folder with one of the suffixes, sorted. Raises BadInput when there are none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder.")
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.name.lower().endswith(suffixes))
    if not found:
        raise BadInput(f"No {', '.join(suffixes)} lies under {folder}; give the folder of the data set.")
    return found


def stem(path):
    """File name without its suffixes .gz, .bvh, .npz, .pkl or of sound."""
    name = Path(path).name
    for suffix in (".gz", *MOTION_FILES, *SOUND):
        if name.lower().endswith(suffix):
            name = name[:-len(suffix)]
    return name


def genre_of(word):
    """Genre slug of a slug, label or AIST code; None for anything else."""
    word = str(word).strip().lower().replace(" ", "-").replace("_", "-")
    for genre in load("genres"):
        if word in (genre["slug"], genre["aist"].lower(), genre["label"].lower().replace(" ", "-")):
            return genre["slug"]
    return None


def read_sound(path, seconds):
    """(N,2) int16 at 48 kHz, at most `seconds` long."""
    from core.audio.io import read_audio
    return pack_audio(read_audio(path).resampled(AUDIO_RATE).stereo().samples[:, :int(round(seconds * AUDIO_RATE))])


def beat_array(times, positions):
    """The `beats` array (B,2) float32."""
    return np.stack([np.asarray(times, np.float32), np.asarray(positions, np.float32)], axis=1).reshape(-1, 2)


def motion_item(motion, *, kind="dance", source, beats=None, confidence=0.0, genre=None, metre=4, bpm=None, sound=None):
    """(meta, arrays) of a clip with body motion. beats (B,2); sound: path of a file that starts with the motion."""
    arrays = {**pack_motion(motion), "beats": beat_array([], []) if beats is None else beats}
    duration = motion.duration
    if sound is not None:
        arrays["audio"] = read_sound(sound, duration)
        duration = min(duration, len(arrays["audio"]) / AUDIO_RATE)
        frames = int(round(duration * motion.fps))
        arrays |= {name: arrays[name][:frames] for name in ("motion_rot6d", "motion_root")}
    arrays["beats"] = arrays["beats"][arrays["beats"][:, 0] < duration]
    # Nothing is known of dynamics and articulation in recordings: the middle of the scale.
    count = len(arrays["beats"])
    arrays |= {"dynamics": np.full(count, 0.5, np.float32), "articulation": np.full(count, 0.5, np.float32)}
    return {"kind": kind, "genre": genre if genre in GENRES else None, "metre": metre, "bpm": bpm,
            "duration": round(duration, 4), "source": source, "beat_confidence": confidence if count else 0.0,
            "lead": 0.0, "seed": None}, arrays


def import_corpus(kind, folder, out, options=None, progress=True):
    """Convert a data set into shards in `out`; returns {"items", "seconds", "skipped": [sentences], "shards"}.

    Shards already there are kept, so a stopped conversion goes on. A clip that cannot be read is skipped and named.
    """
    from tqdm import tqdm

    from models.lab.loaders import open_kind
    options, out = options or Options(), Path(out)
    report = {"items": 0, "seconds": 0.0, "skipped": [], "shards": 0}
    clips = open_kind(kind)(Path(folder), options)
    by_split = {split: [clip for clip in clips if clip.split == split] for split, _ in SHARES}
    with tqdm(total=len(clips), unit="clip", desc=kind, file=sys.stderr, disable=not progress) as bar:
        for split, chosen in by_split.items():
            for start in range(0, len(chosen), PER_SHARD):
                group = chosen[start:start + PER_SHARD]
                metas = _write_group(kind, split, start, group, out, options, report)
                report["items"] += len(metas)
                report["seconds"] += sum(meta["duration"] for meta in metas)
                report["shards"] += bool(metas)
                bar.update(len(group))
    if not report["items"]:
        raise BadInput(f"No clip of {folder} could be used; the first reason: {report['skipped'][0]}")
    return report


def _write_group(kind, split, start, group, out, options, report):
    """The metas of one shard, read from disk if it was made from the same clips before."""
    digest = hashlib.sha256("\n".join(clip.id for clip in group).encode()).hexdigest()[:8]
    path = out / f"{kind}-{split}-{start:05d}-{digest}.safetensors"
    if path.exists():
        return read_header(path)
    items = []
    for clip in group:
        try:
            meta, arrays = clip.read()
        except BadInput as error:
            report["skipped"].append(str(error))
            continue
        if meta["duration"] < options.shortest:
            report["skipped"].append(f"{clip.id} lasts {meta['duration']:.1f} s only.")
            continue
        items.append(({"id": clip.id, "split": split, **meta}, arrays))
    if items:
        write_shard(path, items)
    return [meta for meta, _ in items]
