"""A flat corpus: all rows of an array in one file, so that a training holds the whole of it on its device.

A folder with `items.json` ({"format", "items": [meta, ...], "scales": {name: {"mean": [C], "scale": [C]}}}) and one
`<name>.npy` per array. Every meta has `arrays`: {name: [first row, number of rows]}. Reading needs numpy only.

Arrays in use (others may join; readers ask by name):
    rot6d    (F, 144) int16    local rotations as 6D x 32767 at 30 fps
    root     (F, 3) float32    pelvis, metres, at 30 fps
    rot6d60, root60            the same at 60 fps (captured clips)
    mel      (M, 64) uint8     core.audio.frames at 30 Hz
    latent   (L, 64) int8      latents of the music VAE, (z - mean) / scale with the folder's scales
    profile  (1, 96) float32   timbre profile of the whole piece
"""
import json
import sys
from pathlib import Path

import numpy as np

from core.contract.files import replacing, write_text
from core.errors import BadInput, command

FORMAT = 1


def is_flat(folder):
    """Whether a folder is a flat one."""
    return (Path(folder) / "items.json").is_file()


def flat_folders(corpus):
    """The flat folders of "DIR" (itself, or those in it) or of "DIR,DIR"; [] where there is none."""
    found = []
    for place in map(Path, str(corpus).split(",")):
        found += [place] if is_flat(place) else sorted(path.parent for path in place.glob("*/items.json"))
    return found


class FlatWriter:
    """Collects items in memory; `close` writes the folder, its index last, so that a half-written one is never read."""

    def __init__(self, folder):
        self.folder, self.items, self.rows, self.sizes, self.scales = Path(folder), [], {}, {}, {}

    def add(self, meta, arrays):
        """meta: dict without `arrays`; arrays {name: (N, ...)}: kept by reference until `close`."""
        places = {}
        for name, array in arrays.items():
            array = np.ascontiguousarray(array)
            places[name] = [self.sizes.get(name, 0), len(array)]
            self.rows.setdefault(name, []).append(array)
            self.sizes[name] = self.sizes.get(name, 0) + len(array)
        self.items.append({**meta, "arrays": places})

    def close(self):
        """Write the arrays, then the index."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, parts in self.rows.items():
            write_array(self.folder / f"{name}.npy", np.concatenate(parts))
        write_index(self.folder, self.items, self.scales)


def write_array(path, array):
    """One array under a temporary name, then renamed."""
    with replacing(path) as temporary, open(temporary, "wb") as handle:
        np.save(handle, array)


def write_index(folder, items, scales):
    """`items.json` of a flat folder."""
    write_text(Path(folder) / "items.json", json.dumps({"format": FORMAT, "items": items, "scales": scales}))


class Flat:
    """A flat folder. `items`: metas; `Flat(folder, split="train", kind="dance")` keeps the matching ones."""

    def __init__(self, folder, **wanted):
        self.folder = Path(folder)
        try:
            index = json.loads((self.folder / "items.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInput(f"{folder} is not a flat corpus ({error}); make it with models.lab.packs.flat.") from error
        if index.get("format") != FORMAT:
            raise BadInput(f"{folder} has flat format {index.get('format')}, this Baton reads {FORMAT}; make it again.")
        self.scales = index["scales"]
        self.items = [item for item in index["items"] if all(item.get(key) == value for key, value in wanted.items())]
        self._arrays = {}

    def __len__(self):
        return len(self.items)

    def array(self, name):
        """The whole array of that name, memory-mapped. Raises BadInput where the folder has none."""
        if name not in self._arrays:
            path = self.folder / f"{name}.npy"
            if not path.is_file():
                raise BadInput(f"{self.folder} holds no array {name!r}.")
            self._arrays[name] = np.load(path, mmap_mode="r")
        return self._arrays[name]

    def rows(self, item, name):
        """The rows of one item (a meta of `items`), a view. Raises KeyError where it has none of that name."""
        start, count = item["arrays"][name]
        return self.array(name)[start:start + count]

    def has(self, item, *names):
        """Whether the item has all these arrays."""
        return all(name in item["arrays"] for name in names)

    def resident(self, names, device):
        """{name: tensor of the whole array on `device`}, dtypes as stored."""
        import torch
        return {name: torch.from_numpy(np.array(self.array(name))).to(device) for name in names}


def join(folders, out):
    """Several flat folders as one; the scales of an array must agree (the first folder's are kept where others have
    none)."""
    writer = FlatWriter(out)
    for folder in folders:
        flat = Flat(folder)
        for name, scale in flat.scales.items():
            if writer.scales.setdefault(name, scale) != scale:
                raise BadInput(f"{folder} has another scale of {name} than the folders before it.")
        for item in flat.items:
            arrays = {name: flat.rows(item, name) for name in item["arrays"]}
            writer.add({key: value for key, value in item.items() if key != "arrays"}, arrays)
    writer.close()


@command
def main(argv=None):
    """`python -m models.training.flat OUT FOLDER ...`: several flat folders as one; returns the exit code."""
    out, *folders = sys.argv[1:] if argv is None else argv
    join(folders, out)
    print(f"{len(Flat(out))} items in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
