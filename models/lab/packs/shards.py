"""A corpus of shards as the flat corpus of the dancer and MoMu: `python -m models.lab.packs.shards CORPUS OUT`.

For public data (AIST++ as `build.py train import` writes it) and one's own pairs: music features as in `packs/dance.py`
and the motion at 30 fps (what trains at 60 fps interpolates it). Items without sound or body are left out. A stopped
conversion goes on with the shards that are missing.
"""
import argparse
import json
import sys
from pathlib import Path

import numpy as np

from core.contract.files import replacing
from core.errors import BadInput, command
from models.lab.packs.dance import gather, music_arrays
from models.training.shards import AUDIO_RATE, Corpus, unpack_audio


def shard_item(corpus, index):
    """(meta, arrays) of an item with sound and body."""
    from core.audio import Audio
    meta, beats = dict(corpus.meta(index)), corpus.array(index, "beats")
    sound = unpack_audio(corpus.array(index, "audio"))
    arrays, latent = music_arrays(Audio(np.asarray(sound, np.float32), AUDIO_RATE))
    kept = {name: meta.get(name) for name in ("id", "kind", "split", "genre", "metre", "bpm", "duration", "source",
                                              "beat_confidence")}
    kept |= {"style": meta.get("genre"), "lead": 0.0,
             "beats": [[round(float(time), 4), int(position)] for time, position in beats]}
    return kept, {**arrays, "raw": latent, "rot6d": corpus.array(index, "motion_rot6d").reshape(-1, 144),
                  "root": corpus.array(index, "motion_root")}


def convert(source, out, say=print):
    """Write the flat folder `out` of the shards in `source`; returns how many items it has. Raises BadInput where
    nothing has both sound and body."""
    corpus, parts = Corpus(source), Path(str(out) + ".parts")
    parts.mkdir(parents=True, exist_ok=True)
    shards = {}
    for index, (path, _, _) in enumerate(corpus.items):
        if {"audio", "motion_rot6d"} <= set(corpus.names(index)):
            shards.setdefault(path, []).append(index)
    if not shards:
        raise BadInput(f"No item of {source} has both sound and a body; import the motion together with its music.")
    for path, indices in shards.items():
        part = parts / f"{path.stem}.npz"
        if not part.exists():
            items = [shard_item(corpus, index) for index in indices]
            arrays = {f"{number}/{name}": array for number, (_, each) in enumerate(items)
                      for name, array in each.items()}
            with replacing(part) as temporary, open(temporary, "wb") as handle:
                np.savez(handle, metas=np.array(json.dumps([meta for meta, _ in items])), **arrays)
            say(f"{path.name}: {len(items)} items")
    return gather(parts, out)


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.packs.shards", description=__doc__.split("\n")[0])
    parser.add_argument("corpus", help="folder of shards")
    parser.add_argument("out", help="flat folder to write; parts lie beside it in OUT.parts")
    options = parser.parse_args(arguments)
    print(f"{convert(options.corpus, options.out)} items in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
