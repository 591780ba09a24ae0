"""Corpus on disk: safetensors shards with a JSON index (docs/contracts.md, Shards). torch-free reading."""
import json
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from core.contract import REPRESENTATION_VERSION
from core.contract.files import replacing
from core.errors import BadInput

FORMAT_VERSION = 1
AUDIO_RATE = 48_000
ROTATION_SCALE = 32_767.0
AUDIO_SCALE = 32_767.0


def write_shard(path, items):
    """Write items to one shard, under a temporary name first; the same items give the same bytes.

    items: list of (meta dict with at least id, split, kind; arrays dict of numpy arrays). Array names and
    dtypes are those of docs/contracts.md. The metas travel in the file's own header.
    """
    tensors = {f"{number}/{name}": np.ascontiguousarray(array)
               for number, (_, arrays) in enumerate(items) for name, array in arrays.items()}
    header = {"format": str(FORMAT_VERSION), "representation_version": str(REPRESENTATION_VERSION),
              "items": json.dumps([meta for meta, _ in items], sort_keys=True)}
    with replacing(path) as temporary:
        Path(temporary).write_bytes(_in_order(save(tensors, metadata=header)))


def _in_order(data):
    """A safetensors file's bytes with the keys of its header sorted: the library leaves them in no fixed order."""
    size = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:8 + size]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)                       # tensors stay aligned
    return b"".join((len(header).to_bytes(8, "little"), header, memoryview(data)[8 + size:]))


def read_header(path):
    """The metas of a shard, in order. Raises BadInput on a foreign or damaged file."""
    try:
        with safe_open(str(path), framework="np") as handle:
            header = handle.metadata() or {}
    except Exception as error:  # safetensors raises its own undocumented types; all mean the same here
        raise BadInput(f"{path} is not a readable shard ({error}); delete it and make the corpus again.") from error
    if header.get("format") != str(FORMAT_VERSION):
        raise BadInput(f"{path} has shard format {header.get('format')}, this Baton reads {FORMAT_VERSION}; "
                       "make the corpus again.")
    if header.get("representation_version") != str(REPRESENTATION_VERSION):
        raise BadInput(f"{path} was made for representation {header.get('representation_version')}, this Baton uses "
                       f"{REPRESENTATION_VERSION}; make the corpus again.")
    return json.loads(header["items"])


def corpus_folders(corpus):
    """The folder itself if it holds shards, and its direct subfolders that do. Raises BadInput where none does."""
    corpus = Path(corpus)
    found = [folder for folder in [corpus, *sorted(path for path in corpus.glob("*") if path.is_dir())]
             if any(folder.glob("*.safetensors"))]
    if not found:
        raise BadInput(f"No shard in {corpus} or its folders; make the corpus first.")
    return found


class Corpus:
    """All shards of a folder as a sequence of items; arrays are read (or sliced) on demand.

    `Corpus(folder, split="train", kind="dance")` keeps the matching items only.
    """

    def __init__(self, folder, split=None, kind=None):
        self.folder = Path(folder)
        self.items = []                                  # (path, number, meta)
        for path in sorted(self.folder.glob("*.safetensors")):
            for number, meta in enumerate(read_header(path)):
                if (split is None or meta["split"] == split) and (kind is None or meta["kind"] == kind):
                    self.items.append((path, number, meta))
        if not self.items:
            raise BadInput(f"No shard in {folder} holds items of split={split}, kind={kind}; make the corpus first.")

    def __len__(self):
        return len(self.items)

    def meta(self, index):
        """The item's meta dict."""
        return self.items[index][2]

    def array(self, index, name, start=None, stop=None):
        """One array of an item, or rows start..stop of it. Raises KeyError when the item has none of that name."""
        path, number, _ = self.items[index]
        with safe_open(str(path), framework="np") as handle:
            if start is None and stop is None:
                return handle.get_tensor(f"{number}/{name}")
            return handle.get_slice(f"{number}/{name}")[slice(start, stop)]

    def names(self, index):
        """Names of the arrays of an item."""
        path, number, _ = self.items[index]
        with safe_open(str(path), framework="np") as handle:
            return sorted(key.split("/", 1)[1] for key in handle.keys() if key.startswith(f"{number}/"))


def pack_motion(motion):
    """Arrays motion_rot6d (T,24,6) int16 and motion_root (T,3) float32 of a `core.body.motion.Motion` at 30 fps."""
    from core.body.rotations import matrix_to_6d
    sixd = np.clip(matrix_to_6d(motion.rotations), -1, 1)
    return {"motion_rot6d": np.round(sixd * ROTATION_SCALE).astype(np.int16),
            "motion_root": motion.root.astype(np.float32)}


def unpack_rot6d(motion_rot6d):
    """(T,24,6) or (T,144) int16 of a shard as float32 (T,24,6), not orthonormalised."""
    return motion_rot6d.astype(np.float32).reshape(-1, 24, 6) / ROTATION_SCALE


def unpack_motion(motion_rot6d, motion_root):
    """Inverse of `pack_motion`; 6D values are orthonormalised."""
    from core.body.motion import Motion
    from core.body.rotations import sixd_to_matrix
    return Motion(sixd_to_matrix(unpack_rot6d(motion_rot6d)), np.asarray(motion_root, np.float32))


def pack_audio(samples):
    """Sound (C,N) float in -1..1 as (N,C) int16 at full scale 32767; louder sound is scaled down, never clipped."""
    samples = np.asarray(samples)
    peak = float(np.abs(samples).max()) if samples.size else 0.0
    return np.round(samples.T * (AUDIO_SCALE / max(1.0, peak))).astype(np.int16)


def unpack_audio(audio):
    """Inverse of `pack_audio`: (N,C) int16 -> (C,N) float32 in -1..1; a single channel (N,) stays (N,)."""
    return audio.T.astype(np.float32) / AUDIO_SCALE
