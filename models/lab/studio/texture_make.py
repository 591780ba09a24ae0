"""Makes `texture.npz` of captured dances: `python -m models.lab.studio.texture_make FOLDER`.

What is kept (texture.py, `CHANNELS`) is how trunk, head, wrists, hips and heels of people move within a beat: 16-count
runs of the training recordings, on their beats, means taken off, eight bits a number. Test and validation recordings
never.
"""
import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from core.body.kinematics import forward_kinematics
from core.body.rotations import ROOT_TO_BLENDER, matrix_to_axis_angle
from core.contract.files import replacing
from core.errors import command
from models.lab.loaders.captures import RATE, capture_files, read_capture
from models.lab.studio.body import apply, yaw
from models.lab.studio.texture import CHANNELS, COUNTS, PATH, SAMPLES, STYLES

RUNS = {"salsa": 16, "indian": 6, "break": 6, "modern": 5}
CLEAR = 0.25                # s: detail of places is what is faster than about this
SEED = 7


def channels_of(motion):
    """(T, C) of a `Motion` at `RATE`: the columns of `CHANNELS`, absolute; means are taken off run by run."""
    places, turns = forward_kinematics(motion.rotations.astype(float), np.zeros((len(motion), 3)))
    turns, places = ROOT_TO_BLENDER.T @ turns, places @ ROOT_TO_BLENDER
    root = motion.root @ ROOT_TO_BLENDER
    face = np.unwrap(np.arctan2(turns[:, 0, 0, 2], turns[:, 0, 2, 2]))
    calm = gaussian_filter1d(face, 0.35 * RATE, mode="nearest")
    out = {"tilt": _vector(yaw(-calm) @ turns[:, 0])}
    local = motion.rotations.astype(float)
    out["spine"] = _vector(local[:, 3] @ local[:, 6] @ local[:, 9])
    out["head"] = _vector(local[:, 12] @ local[:, 15])
    out["wrists"] = np.concatenate([_vector(local[:, 20]), _vector(local[:, 21])], 1)
    chest = turns[:, 9].swapaxes(-1, -2)
    reach = [apply(chest, places[:, 20 + s] - places[:, 16 + s]) for s in (0, 1)]
    out["hands"] = _detail(np.concatenate(reach, 1))
    out["pelvis"] = apply(yaw(-calm), _detail(root))
    forward = turns[:, 7:9, :, 2]
    pitch = np.arcsin(np.clip(-forward[..., 1], -1, 1))
    pitch = np.clip(pitch - np.percentile(pitch, 10, axis=0), 0, 0.9)
    out["heels"] = pitch
    out["pivots"] = _detail(np.unwrap(np.arctan2(forward[..., 0], forward[..., 2]), axis=0) - calm[:, None])
    return np.concatenate([out[name].reshape(len(motion), -1) for name, _ in CHANNELS], 1)


def _vector(matrices):
    return _continuous(matrix_to_axis_angle(matrices))


def _continuous(vectors):
    """Rotation vectors (T,3) without jumps at half a turn."""
    out = vectors.copy()
    for frame in range(1, len(out)):
        size = np.linalg.norm(out[frame])
        if size > 2.0:
            other = out[frame] * (1 - 2 * np.pi / size)
            if np.linalg.norm(other - out[frame - 1]) < np.linalg.norm(out[frame] - out[frame - 1]):
                out[frame] = other
    return out


def _detail(values):
    return values - gaussian_filter1d(values, CLEAR * RATE, axis=0, mode="nearest")


def runs_of(capture):
    """Runs (N, COUNTS * SAMPLES + 1, C) of a capture on its beats and their tempi (N,), glitches left out."""
    table = channels_of(capture.motion)
    runs, bpm = [], []
    for first, last in capture.good:
        times = capture.beats.times[(capture.beats.times * RATE >= first) & (capture.beats.times * RATE <= last - 1)]
        for start in range(0, len(times) - COUNTS, COUNTS // 2):
            at = np.interp(np.arange(COUNTS * SAMPLES + 1) / SAMPLES, np.arange(COUNTS + 1),
                           times[start:start + COUNTS + 1])
            run = np.stack([np.interp(at * RATE, np.arange(len(table)), column) for column in table.T], 1)
            heels = _columns("heels")
            run[:, :heels.start] -= run[:, :heels.start].mean(0)
            runs.append(run)
            bpm.append(60 * COUNTS / (at[-1] - at[0]))
    return runs, bpm


def _columns(name):
    place = 0
    for other, width in CHANNELS:
        if other == name:
            return slice(place, place + width)
        place += width
    raise KeyError(name)


def make(folder):
    """Write `texture.npz`; returns its runs."""
    rng = np.random.default_rng(SEED)
    found = {style: ([], []) for style in RUNS}
    sources = []
    for path in capture_files(folder):
        if "martial" in str(path) or "mj131" in str(path) or "rokoko" in str(path):
            continue
        capture = read_capture(path)
        if capture.split != "train" or not capture.dance or capture.style not in RUNS:
            continue
        runs, bpm = runs_of(capture)
        found[capture.style][0].extend(runs)
        found[capture.style][1].extend(bpm)
        sources.append("/".join(capture.clip) + " " + capture.sha256)
    runs, bpm, styles = [], [], []
    for style, count in RUNS.items():
        picked = rng.permutation(len(found[style][0]))[:count]
        runs += [found[style][0][k] for k in picked]
        bpm += [found[style][1][k] for k in picked]
        styles += [STYLES.index(style)] * len(picked)
    runs = np.stack(runs)
    scale = np.percentile(np.abs(runs), 99.8, axis=(0, 1)) / 127
    with replacing(PATH) as temporary, open(temporary, "wb") as handle:
        np.savez_compressed(handle, runs=np.clip(np.round(runs / scale), -127, 127).astype(np.int8),
                            scale=scale.astype(np.float32), bpm=np.array(bpm, np.float32),
                            styles=np.array(styles, np.int8), sources=np.array(sources))
    return runs


@command
def main(arguments=None):
    """Command line; returns the exit code."""
    folder = (sys.argv[1:] if arguments is None else arguments)[0]
    runs = make(Path(folder))
    print(f"{len(runs)} runs, {PATH.stat().st_size / 1024:.0f} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
