"""Training data of the music model: what is read from shards once, and kept on disk.

Cache: `<corpus>.cache/music_ldm/`, for each shard `<stem>.json` (items, written last) with `<stem>.mel.npy` (frames,
256) fp16, `<stem>.rot6d.npy` (frames, 144) int16 and `<stem>.root.npy` (frames, 3) fp32, items one after the other.
"""
import json
from pathlib import Path

import numpy as np

from core.audio import Audio
from core.audio.mel import BANDS, log_mel, model_mono
from core.contract.files import replacing, write_text
from core.errors import BadInput
from core.rhythm.beats import rhythm_curve
from models.training.shards import AUDIO_RATE, Corpus, unpack_audio, unpack_rot6d

VERSION = 1


def prepare_features(corpus, cache, progress):
    """Write the features of the shards of `corpus` that the cache does not hold yet. Items without sound are left
    out."""
    cache = Path(cache)
    cache.mkdir(parents=True, exist_ok=True)
    data = Corpus(corpus)
    shards = {}
    for index, (path, _, _) in enumerate(data.items):
        shards.setdefault(path, []).append(index)
    for number, (path, indices) in enumerate(sorted(shards.items())):
        target = cache / f"{path.stem}.json"
        if target.is_file() and json.loads(target.read_text(encoding="utf-8"))["version"] == VERSION:
            continue
        progress(number / len(shards), f"features of {path.name}")
        _write_shard_features(data, indices, cache, path.stem)
    progress(1.0, f"features of {len(shards)} shards")


def _write_shard_features(data, indices, cache, stem):
    mels, rotations, roots, items, at, frames_at = [], [], [], [], 0, 0
    for index in indices:
        names = data.names(index)
        if "audio" not in names:
            continue
        samples = unpack_audio(data.array(index, "audio"))
        mel = log_mel(model_mono(Audio(samples, AUDIO_RATE))).astype(np.float16)
        meta = data.meta(index)
        item = {key: meta.get(key) for key in ("id", "split", "genre", "metre", "source", "duration")}
        beats = data.array(index, "beats") if "beats" in names else np.zeros((0, 2), np.float32)
        item.update(mel=[at, len(mel)], motion=[frames_at, 0], beats=beats.round(4).tolist(),
                    confidence=meta.get("beat_confidence", 1.0))
        if "motion_rot6d" in names:
            rotation = data.array(index, "motion_rot6d").reshape(-1, 144)
            item["motion"][1] = len(rotation)
            rotations.append(rotation)
            roots.append(data.array(index, "motion_root"))
            frames_at += len(rotation)
        mels.append(mel)
        items.append(item)
        at += len(mel)
    empty = {"mel": (0, BANDS), "rot6d": (0, 144), "root": (0, 3)}
    for name, parts, dtype in (("mel", mels, np.float16), ("rot6d", rotations, np.int16), ("root", roots, np.float32)):
        save_array(cache / f"{stem}.{name}.npy", np.concatenate(parts).astype(dtype) if parts else np.zeros(empty[name],
                                                                                                            dtype))
    write_text(cache / f"{stem}.json", json.dumps({"version": VERSION, "items": items}))


def save_array(path, array):
    """np.save, whole or not at all."""
    with replacing(path) as temporary, open(temporary, "wb") as handle:
        np.save(handle, array)


class FeatureCache:
    """The items of one split of a prepared cache, arrays memory-mapped.

    items: dicts of `_write_shard_features` with `stem` added. Raises BadInput when the split is empty.
    """

    def __init__(self, cache, split):
        self.cache = Path(cache)
        self.items = []
        for path in sorted(self.cache.glob("*.json")):
            record = json.loads(path.read_text(encoding="utf-8"))
            if "items" in record:
                self.items += [{**item, "stem": path.stem} for item in record["items"] if item["split"] == split]
        if not self.items:
            raise BadInput(f"{cache} holds no {split} items; the corpus needs pieces of every split.")
        self._maps = {}

    def array(self, stem, name):
        """The memory-mapped `<stem>.<name>.npy`."""
        if (stem, name) not in self._maps:
            self._maps[stem, name] = np.load(self.cache / f"{stem}.{name}.npy", mmap_mode="r")
        return self._maps[stem, name]

    def mel(self, item, start=0, count=None):
        """(count, 256) float32 log-mel rows from frame `start` of an item."""
        offset, frames = item["mel"]
        count = frames - start if count is None else count
        return np.asarray(self.array(item["stem"], "mel")[offset + start:offset + start + count], dtype=np.float32)

    def motion(self, item, start, count):
        """rot6d (count, 24, 6) and root (count, 3) from frame `start` (30 fps); frames outside repeat the first or last
        one."""
        offset, frames = item["motion"]
        rows = offset + np.clip(np.arange(start, start + count), 0, frames - 1)
        low, high = rows[0], rows[-1] + 1
        rotation = np.asarray(self.array(item["stem"], "rot6d")[low:high])[rows - low]
        root = np.asarray(self.array(item["stem"], "root")[low:high])[rows - low]
        return unpack_rot6d(rotation), root.astype(np.float32)

    def rhythm(self, item, start, frames, rate):
        """Rhythm curve (frames, 5) at `rate` Hz from second `start`."""
        beats = np.asarray(item["beats"], dtype=np.float64).reshape(-1, 2)
        return rhythm_curve(beats[:, 0], beats[beats[:, 1] == 1, 0], frames, rate, start)
