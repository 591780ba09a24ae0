"""Log-mels of flat corpora in fewer steps, more hours to a MB: `python -m models.lab.packs.coarse OUT FOLDER ...`.

All pieces of the folders go into one flat folder with `logmel` alone (no chroma). Its values are places in the list
`levels` of the folder's scales: steps of 0.6 nats where it is loud, up to one of 1.05 where hardly anything is heard.
An hour packs into 2.0 MB instead of 5.0. Training adds noise as wide as what was rounded
(`models.rhythm.resident.rounding`).
"""
import argparse
import sys

import numpy as np

from core.errors import command
from models.rhythm.resident import logmel_steps
from models.training.flat import Flat, FlatWriter

LEVELS = (1, 8, 14, 19, *range(23, 100, 4))     # in steps of `LOGMEL_STEP` above `LOGMEL_LOWEST`


def coarsened(folders, out, levels=LEVELS):
    """Write the flat folder `out`; returns how many pieces it holds. Pieces without `logmel` are left out."""
    writer, levels = FlatWriter(out), np.asarray(levels)
    nearest = np.abs(np.arange(256)[:, None] - levels[None]).argmin(1).astype(np.uint8)
    writer.scales["logmel"] = {"levels": levels.tolist()}
    for flat in map(Flat, folders):
        for item in flat.items:
            if flat.has(item, "logmel"):
                meta = {key: value for key, value in item.items() if key != "arrays"}
                writer.add(meta, {"logmel": nearest[logmel_steps(flat, item)]})
    writer.close()
    return len(writer.items)


@command
def main(argv=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.packs.coarse", description=__doc__.split("\n")[0])
    parser.add_argument("out")
    parser.add_argument("folders", nargs="+", metavar="FOLDER")
    options = parser.parse_args(argv)
    print(f"{coarsened(options.folders, options.out)} pieces in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
