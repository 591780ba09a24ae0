"""The passages that are scored: of a corpus of shards, or of a folder of pairs that is made into one."""
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.body.motion import Motion
from core.errors import BadInput
from core.rhythm.beats import Beats
from models.lab.loaders import Options, import_corpus
from models.training.shards import AUDIO_RATE, Corpus, unpack_audio, unpack_motion

SPLITS = ("test", "valid", "train", "all")


@dataclass(frozen=True)
class Passage:
    """A dance with its music: sound (2, N) at 48 kHz or None, beats with at least two beats or None."""

    id: str
    genre: str | None
    motion: Motion
    sound: np.ndarray | None
    beats: Beats | None

    @property
    def seconds(self):
        """Length of the motion."""
        return self.motion.duration


def imported(folder, cache, kind="paired"):
    """The corpus of a folder of motion files with sounds of the same names; made once for what lies there now."""
    files = sorted((path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns)
                   for path in Path(folder).rglob("*") if path.is_file())
    if not files:
        raise BadInput(f"{folder} is no folder of motion and sound files; give one that holds NAME.bvh with NAME.wav.")
    out = Path(cache) / hashlib.sha256(json.dumps([kind, str(folder), files]).encode()).hexdigest()[:12]
    report = import_corpus(kind, Path(folder), out, Options(), progress=False)
    return out, report["skipped"]


def passages(corpus, split="test", seconds=20.0, most=200):
    """[Passage] of the first `seconds` of each dance that is as long, at most so many, genres in turn.

    Raises BadInput naming what there is, when nothing is long enough.
    """
    found = Corpus(corpus, split=None if split == "all" else split, kind="dance")
    by_genre = {}
    for index in range(len(found)):
        meta = found.meta(index)
        if meta["duration"] >= seconds - 0.05:
            by_genre.setdefault(meta["genre"] or "", []).append(index)
    if not by_genre:
        longest = max(found.meta(index)["duration"] for index in range(len(found)))
        raise BadInput(f"No dance of the {split} split in {corpus} lasts {seconds:g} s, the longest {longest:.1f} s; "
                       "give --seconds.")
    turns = range(max(map(len, by_genre.values())))
    order = [members[turn] for turn in turns for _, members in sorted(by_genre.items()) if turn < len(members)]
    return [_passage(found, index, seconds) for index in order[:most]]


def _passage(corpus, index, seconds):
    meta, names = corpus.meta(index), corpus.names(index)
    motion = unpack_motion(corpus.array(index, "motion_rot6d"), corpus.array(index, "motion_root"))
    motion = motion.slice(0, int(round(seconds * motion.fps)))
    sound = beats = None
    if "audio" in names:
        sound = unpack_audio(corpus.array(index, "audio", 0, int(seconds * AUDIO_RATE)))
    written = np.asarray(corpus.array(index, "beats"), float)
    if len(written) > 1:
        beats = Beats(written[:, 0], written[:, 1].astype(int), meta.get("metre") or 4).within(0.0, seconds)
    return Passage(meta["id"], meta["genre"], motion, sound, beats if beats is not None and len(beats) > 1 else None)
