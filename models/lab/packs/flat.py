"""Flat corpora that travel: `python -m models.lab.packs.flat pack FOLDER FILE`, `... unpack FILE FOLDER [--jobs N]`.

For a card that is rented for minutes every megabyte counts. A pack holds music features and beats, compressed; motion
of the studio is performed again from its seeds where the pack is opened, and passages of captured clips are cut from
the whole clips again (mirrored and warped as their metas say), so neither is carried. Needs numpy, scipy and the
studio's dancer.
"""
import argparse
import json
import lzma
import os
import sys
import zipfile
from pathlib import Path

import numpy as np

from core.contract.files import replacing
from core.errors import BadInput, command
from core.squeeze import expand, squeeze
from models.training.flat import FORMAT, Flat, write_array, write_index

INDEPENDENT = ("latent",)   # neighbouring rows are hardly alike: differences would only add their noise
BANDS = ("logmel",)         # its bands hardly change from row to row: packed band by band it is a tenth smaller
MOTION = ("rot6d", "root", "rot6d60", "root60")
ROTATION = 32_767.0
MILLI = 5_000.0             # root positions are carried in fifths of a millimetre


def is_remade(item):
    """Whether the motion of an item follows from its meta: a studio piece from its seed, a passage from its
    clip, moves on a song from their list."""
    return item.get("source") == "studio" or "passage" in item or "moves" in item


def pack(folder, path):
    """One file of a flat folder, without motion that is made again; returns its bytes. Captured clips that are carried
    whole go as rotation vectors."""
    flat = Flat(folder)
    skipped = {name for item in flat.items if is_remade(item) for name in MOTION if name in item["arrays"]}
    items = [{**item, "arrays": {n: v for n, v in item["arrays"].items() if n not in MOTION}} if is_remade(item)
             else item for item in flat.items]
    if skipped and any(name in item["arrays"] for item in items for name in skipped):
        raise BadInput(f"{folder} mixes motion that is carried and motion that is made again; keep them in two "
                       f"folders.")
    names = sorted({name for item in items for name in item["arrays"]})
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        index = {}
        for name in names:
            array, how = np.asarray(flat.array(name)), "plain"
            if name.startswith("rot6d"):
                array, how = _to_vectors(array), "rotation"
            elif name.startswith("root"):
                array, how = np.round(array * MILLI).astype(np.int32), "root"
            elif name in BANDS:
                array, how = np.diff(array, axis=0, prepend=array[:1] * 0).T, "bands"
            order = {"plain": 0 if name in INDEPENDENT else 1, "bands": 0}.get(how, 2)
            archive.writestr(name, squeeze(array, order))
            index[name] = {"dtype": array.dtype.str, "shape": array.shape, "order": order, "how": how}
        body = json.dumps({"format": FORMAT, "items": items, "scales": flat.scales, "arrays": index}).encode()
        archive.writestr("items.json.xz", lzma.compress(body))
    return Path(path).stat().st_size


def unpack(path, folder, *, jobs=None, clips=None):
    """The flat folder of a pack, motion made again by `jobs` processes. clips: flat folder of whole captured clips,
    where the pack holds passages of them."""
    folder = Path(folder)
    with zipfile.ZipFile(path) as archive:
        index = json.loads(lzma.decompress(archive.read("items.json.xz")))
        if index["format"] != FORMAT:
            raise BadInput(f"{path} has pack format {index['format']}, this Baton reads {FORMAT}; pack it again.")
        folder.mkdir(parents=True, exist_ok=True)
        for name, how in index["arrays"].items():
            array = expand(archive.read(name), how["dtype"], how["shape"], how["order"])
            if how["how"] == "rotation":
                array = _to_sixd(array)
            elif how["how"] == "bands":
                array = np.cumsum(array.T, axis=0, dtype=array.dtype)
            elif how["how"] == "root":
                array = (array / MILLI).astype(np.float32)
            write_array(folder / f"{name}.npy", array)
    items = index["items"]
    todo = [item for item in items if is_remade(item)]
    if todo:
        _add_motion(folder, todo, jobs, clips)
    write_index(folder, items, index["scales"])


def _add_motion(folder, items, jobs, clips):
    """Motion arrays of remade items, written beside the others; their places go into the metas."""
    parts, sizes = {}, {}
    for item, arrays in zip(items, _run(_remake, [(item, clips) for item in items], jobs)):
        for name, array in arrays.items():
            item["arrays"][name] = [sizes.get(name, 0), len(array)]
            sizes[name] = sizes.get(name, 0) + len(array)
            parts.setdefault(name, []).append(array)
    for name, arrays in parts.items():
        write_array(folder / f"{name}.npy", np.concatenate(arrays))


def _run(function, tasks, jobs):
    jobs = jobs or os.cpu_count() or 1
    if jobs == 1:
        return [function(task) for task in tasks]
    import multiprocessing
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"       # inherited by the spawned processes
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        return pool.map(function, tasks, chunksize=4)


def _remake(task):
    """Motion arrays of one item."""
    item, clips = task
    if "passage" in item:
        return passage_arrays(item, _clips(clips))
    if "moves" in item:
        from models.lab.packs.choreography import motion_arrays
        return motion_arrays(item)
    from models.lab.studio.build import plan_of
    from models.lab.studio.conductor import conduct
    from models.lab.studio.dancer import dance
    from models.training.shards import pack_motion
    motion = dance(plan_of(item)) if item["kind"] == "dance" else conduct(plan_of(item))[0]
    arrays = pack_motion(motion)
    return {"rot6d": arrays["motion_rot6d"].reshape(-1, 144), "root": arrays["motion_root"]}


_opened = {}


def _clips(folder):
    if folder is None:
        raise BadInput("This pack holds passages of captured clips: give their flat folder with --clips.")
    if folder not in _opened:
        _opened[folder] = Flat(folder)
    return _opened[folder]


def passage_arrays(item, clips):
    """Motion of a passage at 30 and 60 fps, cut from the flat folder `clips`: item["duration"] s of item["passage"] =
    {"clip": an id, "start": s in the clip, whole sixtieths, "warp": > 1 is faster, "mirror": bool}."""
    from core.body.motion import Motion
    from core.body.rotations import sixd_to_matrix
    from models.training.shards import pack_motion
    cut = item["passage"]
    clip = next(each for each in clips.items if each["id"] == cut["clip"])
    first, count = int(round(cut["start"] * 60)), int(item["duration"] * cut["warp"] * 60) + 4
    sixd = np.asarray(clips.rows(clip, "rot6d60")[first:first + count], np.float32) / ROTATION
    whole = Motion(sixd_to_matrix(sixd.reshape(-1, 24, 6)), np.array(clips.rows(clip, "root60")[first:first + count]),
                   60.0 * cut["warp"])
    if cut["mirror"]:
        whole = whole.mirrored()
    arrays = {}
    for fps, ending in ((30, ""), (60, "60")):
        motion = whole.resampled(float(fps))
        packed = pack_motion(motion.slice(0, min(int(round(item["duration"] * fps)), len(motion))))
        arrays["rot6d" + ending] = packed["motion_rot6d"].reshape(-1, 144)
        arrays["root" + ending] = packed["motion_root"]
    return arrays


def _to_vectors(sixd):
    from scipy.spatial.transform import Rotation

    from core.body.rotations import sixd_to_matrix
    matrices = sixd_to_matrix(np.asarray(sixd, np.float32).reshape(-1, 6) / ROTATION)
    vectors = Rotation.from_matrix(matrices).as_rotvec() / np.pi
    return np.round(np.clip(vectors, -1, 1) * ROTATION).astype(np.int16).reshape(len(sixd), 72)


def _to_sixd(vectors):
    from scipy.spatial.transform import Rotation
    matrices = Rotation.from_rotvec(vectors.reshape(-1, 3) * (np.pi / ROTATION)).as_matrix()
    sixd = np.concatenate([matrices[:, :, 0], matrices[:, :, 1]], axis=1)
    return np.round(np.clip(sixd, -1, 1) * ROTATION).astype(np.int16).reshape(len(vectors), 144)


@command
def main(argv=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.packs.flat", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("pack", help="a flat folder into one file")
    one.add_argument("folder")
    one.add_argument("file")
    two = commands.add_parser("unpack", help="a file into a flat folder, motion made again")
    two.add_argument("file")
    two.add_argument("folder")
    two.add_argument("--jobs", type=int)
    two.add_argument("--clips", help="flat folder of whole captured clips")
    options = parser.parse_args(argv)
    if options.command == "pack":
        print(f"{options.file} {pack(options.folder, options.file) / 1e6:.2f} MB")
    else:
        unpack(options.file, options.folder, jobs=options.jobs, clips=options.clips)
        print(f"{len(Flat(options.folder))} items in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
