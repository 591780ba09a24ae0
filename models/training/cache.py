"""One feature cache for every training: what is slow to compute of a corpus is computed once a shard and kept on disk.

A `Recipe` says what is kept. Its place in a cache folder is `<name>-<digest of its version and settings>`, so other
settings never meet old features. In it every shard has a flat folder (`models/training/flat.py`) named by the shard's
content, so a corpus that is made anew under the same names is computed anew too. The index of a folder is written
last: what is half-written counts as missing. `shards.json` lists the folders of the corpus that was prepared last.
"""
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.contract.files import write_text
from core.errors import BadInput
from models.training.flat import Flat, FlatWriter, write_array
from models.training.shards import Corpus, corpus_folders

SAMPLE = 65_536             # bytes at the start, in the middle and at the end that tell one shard from another
QUIET = lambda fraction, text: None                                                                 # noqa: E731


def shards_of(corpus):
    """Paths of all shards of a corpus, in order. Raises BadInput where there are none."""
    return [path for folder in corpus_folders(corpus) for path in sorted(folder.glob("*.safetensors"))]


def digest(*parts):
    """Ten hex digits of bytes or of anything JSON can write."""
    text = hashlib.sha256()
    for part in parts:
        text.update(part if isinstance(part, bytes) else json.dumps(part, sort_keys=True).encode())
    return text.hexdigest()[:10]


def fingerprint(path):
    """A digest of a file's size and of its start, middle and end; the start of a shard lists all its items."""
    size = os.path.getsize(path)
    with open(path, "rb") as handle:
        parts = []
        for place in (0, size // 2, max(0, size - SAMPLE)):
            handle.seek(place)
            parts.append(handle.read(SAMPLE))
    return digest(size, *parts)


@dataclass
class Piece:
    """One item of a prepared cache. meta: what the recipe gave beside its arrays."""

    flat: Flat
    meta: dict

    def count(self, name):
        """Rows of an array, 0 where the piece has none of that name."""
        return self.meta["arrays"].get(name, (0, 0))[1]

    def array(self, name, start=0, stop=None):
        """Rows start..stop of an array, memory-mapped."""
        return self.flat.rows(self.meta, name)[start:stop]


@dataclass(frozen=True)
class Recipe:
    """What is kept of a corpus.

    pieces(corpus, indices): generator of (meta, {name: (N, ...) array}) for the items `indices` of a `Corpus`, which
    are those of one shard; it may leave items out and give several for one. settings: JSON-ready, all that changes what
    it gives beside the shard; version: raised when its code gives something else.
    """

    name: str
    pieces: Callable
    version: int = 1
    settings: dict = field(default_factory=dict)

    def place(self, cache):
        """The recipe's folder in a cache."""
        return Path(cache) / f"{self.name}-{digest(self.version, self.settings)}"

    def prepare(self, corpus, cache, progress=QUIET):
        """Compute what the cache lacks of a corpus; interrupted, the next call goes on. progress(fraction, text)."""
        place, names, shards = self.place(cache), [], shards_of(corpus)
        for number, shard in enumerate(shards):
            names.append(f"{shard.parent.name}_{shard.stem}-{fingerprint(shard)}")
            if not (place / names[-1] / "items.json").is_file():
                self._write(shard, place / names[-1])
            progress((number + 1) / len(shards), f"{self.name} {shard.name}")
        write_text(place / "shards.json", json.dumps(names))

    def _write(self, shard, folder):
        corpus, writer = Corpus(shard.parent), FlatWriter(folder)
        for meta, arrays in self.pieces(corpus, [i for i, item in enumerate(corpus.items) if item[0] == shard]):
            writer.add(meta, arrays)
        writer.close()

    def _flats(self, cache):
        place = self.place(cache)
        if not (place / "shards.json").is_file():
            raise BadInput(f"The cache {cache} holds no {self.name} features; prepare them first.")
        names = json.loads((place / "shards.json").read_text(encoding="utf-8"))
        return [Flat(place / name) for name in names]

    def derive(self, cache, name, make, progress=QUIET):
        """A further array of every piece, computed from the others: make(Piece) -> (N, ...). What exists is kept, so
        `name` says what it depends on, such as the digest of a network's weights."""
        flats = self._flats(cache)
        for number, flat in enumerate(flats):
            index, pieces = flat.folder / f"{name}.rows.json", [Piece(flat, item) for item in flat.items]
            if pieces and not index.is_file():
                parts = [make(piece) for piece in pieces]
                write_array(flat.folder / f"{name}.npy", np.concatenate(parts))
                write_text(index, json.dumps([len(part) for part in parts]))
            progress((number + 1) / len(flats), f"{name} {flat.folder.name}")

    def open(self, cache, split=None, enough=lambda piece: True):
        """The pieces of a split of the corpus prepared last. Raises BadInput where none is left."""
        pieces = []
        for flat in self._flats(cache):
            for path in sorted(flat.folder.glob("*.rows.json")):
                first = 0
                for item, count in zip(flat.items, json.loads(path.read_text(encoding="utf-8"))):
                    item["arrays"][path.name.removesuffix(".rows.json")] = [first, count]
                    first += count
            pieces += [Piece(flat, item) for item in flat.items if split is None or item["split"] == split]
        pieces = [piece for piece in pieces if enough(piece)]
        if not pieces:
            raise BadInput(f"The cache {cache} holds no {self.name} pieces of split {split} that are long enough; "
                           "make a larger corpus.")
        return pieces
