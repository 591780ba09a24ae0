"""What a take keeps of the rig's own motion, key by key: read with the pose, written back over what the worker made.

Retargeting there and back is exact to some millimetres; what stays must not move at all. So the local poses of the
frames that stay are the rig's own, and the little that the worker's frames beside them are off fades away within these.
"""
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.contract import files
from ..errors import UserError

FILE = "stays.npz"
BLOCK_BYTES = 4 << 20
FADE_SECONDS = 0.5


def save(folder, bones, frames, local):
    """Generator: what a `rig_sampling.Local` has read of the bones in the frames (T,), into the job's folder, some rows
    at a step."""
    arrays = {"bones": np.array(bones), "frames": np.asarray(frames), "basis": local.basis, "shown": local.shown,
              "switches": local.values}
    with files.replacing(Path(folder) / FILE, 0o600) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            rows = max(1, BLOCK_BYTES // max(1, array[:1].nbytes))
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
                for first in range(0, len(array), rows):
                    file.write(np.ascontiguousarray(array[first:first + rows]).tobytes())
                    yield 1.0


@dataclass(frozen=True)
class Kept:
    """What was saved: rotations {bone: (2,T,4) wxyz} and locations {bone: (2,T,3)}, as they are and as they are shown,
    switches (T, S), at the frames (T,)."""

    frames: np.ndarray
    rotations: dict
    locations: dict
    switches: np.ndarray

    @classmethod
    def load(cls, folder):
        """Raises UserError where the job's folder lacks it."""
        path = Path(folder) / FILE
        if not path.is_file():
            raise UserError("What stays of the motion was not read; start the job again.")
        with np.load(path, allow_pickle=False) as data:
            both, bones = np.stack([data["basis"], data["shown"]]), [str(name) for name in data["bones"]]
            return cls(data["frames"], {name: np.stack([quaternions(one[:, i, :3, :3]) for one in both])
                                        for i, name in enumerate(bones)},
                       {name: both[:, :, i, :3, 3] for i, name in enumerate(bones)}, data["switches"])

    def onto(self, frames, rotations, locations, stays, fade):
        """(rotations, locations) of a take with the frames that stay as they were; stays (N,) bool over the take's
        frames (N,); fade: frames within which a run of others comes to its own."""
        places = np.searchsorted(self.frames, frames)
        if not np.isin(frames, self.frames).all():
            raise UserError("The take has frames of which nothing was read; start the job again.")
        rotations = {bone: _joined(values, *self.rotations[bone][:, places], stays, fade, _turned)
                     if bone in self.rotations else values for bone, values in rotations.items()}
        locations = {bone: _joined(values, *self.locations[bone][:, places], stays, fade, _moved)
                     if bone in self.locations else values for bone, values in locations.items()}
        return rotations, locations

    def switch_values(self, frames, stays, switches):
        """{(bone, property): (N,)}: as they were where a frame stays, else as the take sets them."""
        places = np.searchsorted(self.frames, frames)
        return {(bone, name): np.where(stays, self.switches[places, number], value)
                for number, (bone, name, value) in enumerate(switches)}


def _joined(made, own, shown, stays, fade, corrected):
    """Values made (N, C) with own (N, C) where these stay; runs between are corrected towards `shown` (N, C) at their
    ends."""
    out = np.array(made, dtype=np.float64)
    for first, stop in runs(~stays):
        length = min(fade, stop - first + 1)
        before, after = first - 1, stop
        for edge, distance in ((before, np.arange(first, stop) - before), (after, after - np.arange(first, stop))):
            if 0 <= edge < len(out):
                left = np.clip(1.0 - distance / length, 0.0, 1.0)
                out[first:stop] = corrected(out[first:stop], made[edge], shown[edge], left * left * (3 - 2 * left))
    out[stays] = own[stays]
    return out


def _moved(values, made, own, weight):
    return values + weight[:, None] * (np.asarray(own, dtype=np.float64) - made)


def _turned(values, made, own, weight):
    """Quaternions values (n, 4) turned by weight (n,) of what turns `made` into `own`."""
    w, x, y, z = made
    turn = _product(np.array([[w, -x, -y, -z]]) / max(float(np.dot(made, made)), 1e-12), np.asarray(own)[None])[0]
    turn = turn * (np.sign(turn[0]) or 1.0)
    half = np.arctan2(np.linalg.norm(turn[1:]), turn[0])
    axis = turn[1:] / max(np.linalg.norm(turn[1:]), 1e-12)
    part = np.concatenate([np.cos(half * weight)[:, None], np.sin(half * weight)[:, None] * axis], axis=1)
    return _product(values, part)


def _product(a, b):
    """Quaternion products (n, 4) wxyz."""
    aw, ax, ay, az = np.moveaxis(np.asarray(a, dtype=np.float64), -1, 0)
    bw, bx, by, bz = np.moveaxis(np.asarray(b, dtype=np.float64), -1, 0)
    return np.stack([aw * bw - ax * bx - ay * by - az * bz, aw * bx + ax * bw + ay * bz - az * by,
                     aw * by - ax * bz + ay * bw + az * bx, aw * bz + ax * by - ay * bx + az * bw], axis=-1)


def runs(mask):
    """[(first, stop)] of the runs of True in a (N,) mask."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(mask, dtype=int), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist()))


def quaternions(matrices):
    """(T, 3, 3), columns of any length -> (T, 4) wxyz, by the largest of the four parts."""
    m = np.asarray(matrices, dtype=np.float64)
    m = m / np.maximum(np.linalg.norm(m, axis=1, keepdims=True), 1e-12)
    t = np.moveaxis(m, 0, -1)
    four = 1 + np.stack([t[0, 0] + t[1, 1] + t[2, 2], t[0, 0] - t[1, 1] - t[2, 2],
                         t[1, 1] - t[0, 0] - t[2, 2], t[2, 2] - t[0, 0] - t[1, 1]], axis=-1)
    x, y, z = t[2, 1] - t[1, 2], t[0, 2] - t[2, 0], t[1, 0] - t[0, 1]
    xy, xz, yz = t[0, 1] + t[1, 0], t[0, 2] + t[2, 0], t[1, 2] + t[2, 1]
    rows = np.stack([np.stack([four[:, 0], x, y, z], -1), np.stack([x, four[:, 1], xy, xz], -1),
                     np.stack([y, xy, four[:, 2], yz], -1), np.stack([z, xz, yz, four[:, 3]], -1)], axis=1)
    picked = rows[np.arange(len(m)), four.argmax(axis=1)]
    return picked / np.linalg.norm(picked, axis=1, keepdims=True)
