"""What a take keeps of the rig's own motion, key by key: read with the pose, written back over what the worker made.

Retargeting there and back is exact to some millimetres; what stays must not move at all. So the local poses of the
frames that stay are the rig's own, and the little that the worker's frames beside them are off fades away within these.
"""
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.contract import files
from ..errors import UserError

FILE, POSES = "stays.npz", "stays.poses"
BLOCK_BYTES = 1 << 19
FADE_SECONDS = 0.5


class PoseRows:
    """The local poses of the bones, as they are and as they are shown, frame by frame into the job's folder: float32,
    as Blender itself has them, (frames, 2, bones, 4, 4). They would not fit into memory for half an hour."""

    def __init__(self, folder, bones):
        self._file, self._row = files.create(Path(folder) / POSES, 0o600), 2 * bones * 64

    def put(self, first, basis, shown):
        """Rows (n, bones, 4, 4) from frame number `first` on."""
        self._file.seek(first * self._row)
        self._file.write(np.ascontiguousarray(np.stack([basis, shown], axis=1), dtype="<f4").tobytes())

    def close(self):
        self._file.close()


def save(folder, bones, frames, values):
    """What belongs to the `PoseRows` of a folder: bones, frames (T,) and the values of the switches (T, S)."""
    with files.replacing(Path(folder) / FILE, 0o600) as temporary, open(temporary, "wb") as file:
        np.savez(file, bones=np.array(bones), frames=np.asarray(frames), switches=values)


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
        """Generator: yields 0.0 between blocks, returns it. Raises UserError where the job's folder lacks it."""
        folder = Path(folder)
        if not (folder / FILE).is_file() or not (folder / POSES).is_file():
            raise UserError("What stays of the motion was not read; start the job again.")
        with np.load(folder / FILE, allow_pickle=False) as data:
            frames, bones, switches = data["frames"], [str(name) for name in data["bones"]], data["switches"]
        turns = np.empty((len(frames), 2, len(bones), 4), dtype=np.float32)     # as they lie in the file: a block
        places = np.empty((len(frames), 2, len(bones), 3), dtype=np.float32)    # touches few pages of memory
        rows = max(1, BLOCK_BYTES // (2 * len(bones) * 64))
        with open(folder / POSES, "rb") as file:
            for first in range(0, len(frames), rows):
                part = slice(first, min(first + rows, len(frames)))
                block = np.fromfile(file, "<f4", (part.stop - first) * 2 * len(bones) * 16)
                if block.size != (part.stop - first) * 2 * len(bones) * 16:
                    raise UserError("What stays of the motion was not read to its end; start the job again.")
                block = block.reshape(-1, 2, len(bones), 4, 4)
                turned = quaternions(block[..., :3, :3].reshape(-1, 3, 3)).reshape(*block.shape[:3], 4)
                turns[part], places[part] = turned, block[..., :3, 3]
                yield 0.0
        return cls(frames, {name: turns[:, :, i].transpose(1, 0, 2) for i, name in enumerate(bones)},
                   {name: places[:, :, i].transpose(1, 0, 2) for i, name in enumerate(bones)}, switches)

    def onto(self, frames, rotations, locations, stays, fade):
        """Generator: yields 0.0 between bones, returns (rotations, locations) of a take with the frames that stay as
        they were; stays (N,) bool over the take's frames (N,); fade: frames within which a run of others comes to its
        own.
        """
        at = np.searchsorted(self.frames, frames)
        if not np.isin(frames, self.frames).all():
            raise UserError("The take has frames of which nothing was read; start the job again.")
        joined = []
        for values, own, corrected in ((rotations, self.rotations, _turned), (locations, self.locations, _moved)):
            joined.append({})
            for bone, made in values.items():
                joined[-1][bone] = _joined(made, *own[bone][:, at], stays, fade, corrected) if bone in own else made
                yield 0.0
        return tuple(joined)

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
        near = min(length, stop - first)                        # farther from an edge nothing of the correction is left
        for edge, part in ((first - 1, slice(first, first + near)), (stop, slice(stop - near, stop))):
            if 0 <= edge < len(out):
                left = np.clip(1.0 - abs(np.arange(part.start, part.stop) - edge) / length, 0.0, 1.0)
                out[part] = corrected(out[part], made[edge], shown[edge], left * left * (3 - 2 * left))
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
