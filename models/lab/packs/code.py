"""The code that a rented card needs, in a folder of its own: `python -m models.lab.packs.code OUT`.

The trainings of every system, exports, plans (`models.training.rental`) and the packs that are opened there, with all
that these reach by imports and the data files beside it: some 3 MB. Trainings there need torch, numpy, scipy and
safetensors, that of the vocoder soundfile too.
"""
import argparse
import shutil
import sys
from pathlib import Path

from core.errors import BadInput, command
from models.lab import rooms

# The studio's conductor is imported by name (models/conductor/performed.py).
STARTS = ("models/training/*.py", "models/lab/packs/flat.py", "models/*/train.py", "models/lab/studio/performed.py")
DATA = (".json", ".npz", ".txt")
LARGEST = 2 << 20           # bytes of a data file that code reads where it lies


def files():
    """Paths of the code and of its data, sorted."""
    starts = [path for pattern in STARTS for path in sorted(rooms.ROOT.glob(pattern))]
    code = rooms.reached(starts, rooms.modules(), stop=lambda path: False)
    data = {path for folder in {path.parent for path in code} for path in folder.iterdir()
            if path.suffix in DATA and path.stat().st_size <= LARGEST}
    return sorted(code | data)


def copy(out):
    """Copy them to the new folder `out` under their own names; returns how many. Raises BadInput where it exists."""
    out = Path(out)
    if out.exists():
        raise BadInput(f"{out} exists already; give a new folder.")
    found = files()
    for path in found:
        place = out / path.relative_to(rooms.ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    return len(found)


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.packs.code", description=__doc__.split("\n")[0])
    parser.add_argument("out", help="a new folder")
    options = parser.parse_args(arguments)
    print(f"{copy(options.out)} files in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
