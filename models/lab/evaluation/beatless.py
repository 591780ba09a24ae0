"""Bodies without a beat beside dances: how far the threshold of no beat stands from both.

    python -m models.lab.evaluation.beatless [--motion DIR] [--seeds 8] [--seconds 6 12 30]

Random gesticulation (strokes of arms and head at random times), smooth noise of trunk, arms and legs, idle fidgets and
steady sways of many frequencies are made from seeds; DIR holds real dances, a folder a kind, each clip cut into
passages.
"""
import argparse
import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from core.body.motion import Motion, rest_motion
from core.body.rotations import axis_angle_to_matrix
from core.contract import JOINTS
from core.errors import command
from core.motion_files import read_motion
from core.rhythm import tempo
from models.rhythm.config import BODY_FPS
from models.rhythm.detect import activations_body, detect_body_beats

FPS = 30.0
ARMS = [[JOINTS.index(f"{side}_{joint}") for joint in ("collar", "shoulder", "elbow", "wrist")]
        for side in ("left", "right")]
HEAD = [JOINTS.index(joint) for joint in ("spine3", "neck", "head")]
TRUNK = [JOINTS.index(joint) for joint in ("pelvis", "spine1", "spine2")] + HEAD
LEGS = [JOINTS.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("hip", "knee", "ankle")]
PERCENTILES = (0, 10, 25, 50, 75, 90, 100)


def _body(turns, sway=0.0):
    """`Motion` of axis-angle turns (T, 24, 3) whose hips sway by (T, 3) metres."""
    rest = rest_motion(len(turns))
    return Motion(axis_angle_to_matrix(turns).astype(np.float32), (rest.root + sway).astype(np.float32), FPS)


def gesticulation(rng, seconds, rate=1.0, size=0.4):
    """Each arm and the head move to a new pose at random times, `rate` a second and joint group, and rest there."""
    count = int(seconds * FPS)
    time, turns = np.arange(count) / FPS, np.zeros((count, len(JOINTS), 3))
    for group in (*ARMS, HEAD):
        at = 0.0
        while at < seconds:
            at += rng.exponential(1 / rate) + 0.25
            part = np.clip((time - at) / rng.uniform(0.2, 0.7), 0, 1)[:, None, None]
            pose = rng.standard_normal((len(group), 3)) * size * (rng.random() > 0.3)
            before = turns[min(count - 1, int(at * FPS)), group]
            eased = part ** 3 * (10 - 15 * part + 6 * part ** 2)
            turns[:, group] = np.where((time >= at)[:, None, None], before + (pose - before) * eased, turns[:, group])
    return _body(turns + 0.02 * gaussian_filter1d(rng.standard_normal(turns.shape), 8, axis=0))


def noise(rng, seconds, hertz=0.8, size=0.25, sway=0.05):
    """Smooth noise below `hertz` in trunk, arms and legs (radians), and of the hips (metres)."""
    count, width = int(seconds * FPS), FPS / (2 * np.pi * hertz)

    def drawn(*shape):
        values = gaussian_filter1d(rng.standard_normal((count + 200, *shape)), width, axis=0)[100:-100]
        return values / values.std(axis=0)
    turns, joints = np.zeros((count, len(JOINTS), 3)), [*TRUNK, *ARMS[0], *ARMS[1], *LEGS]
    turns[:, joints] = size * drawn(len(joints), 3)
    return _body(turns, sway * drawn(3) * [1, 1, 0.3])


def fidgets(rng, seconds):
    """Hardly anything moves."""
    return noise(rng, seconds, hertz=0.3, size=0.04, sway=0.01)


def sways(rng, seconds):
    """Every joint sways at a frequency of its own: no beat of the whole, yet every part has one."""
    time = np.arange(int(seconds * FPS))[:, None, None] / FPS
    hertz, phase = rng.uniform(0.2, 1.2, (len(JOINTS), 3)), rng.uniform(0, 2 * np.pi, (len(JOINTS), 3))
    return _body(0.12 * np.sin(2 * np.pi * hertz * time + phase))


MADE = {"gesticulation": gesticulation, "noise": noise, "fidgets": fidgets, "sways": sways}


def bodies(motion, seeds, seconds):
    """(kind, `Motion` of at least `seconds`) of everything."""
    for kind, make in MADE.items():
        for seed in range(seeds):
            yield kind, make(np.random.default_rng([seed, len(kind)]), seconds)
    for path in sorted(Path(motion).glob("*/*.bvh.gz")) if motion else ():
        clip = read_motion(path, fps=60 if path.parent.name == "cmu_salsa" else None, start=0.1)  # their headers err
        long = int(seconds * clip.fps)
        for first in range(0, len(clip) - long + 1, long):
            yield path.parent.name, clip.slice(first, first + long)


def table(motion, seeds, seconds):
    """Lines of a table: of each kind how many passages of so many seconds are told a beat, and the agreement with one
    tempo."""
    lines = [f"| {seconds:g} s | passages | told a beat | " + " | ".join(f"{p} %" for p in PERCENTILES) + " |",
             "|---" * (3 + len(PERCENTILES)) + "|"]
    found = {}
    for kind, body in bodies(motion, seeds, seconds):
        one = tempo.agreements(activations_body(body), BODY_FPS, "body")[0]
        beats = detect_body_beats(body)
        found.setdefault(kind, []).append((one, beats.extra["tempo"]["chosen"] != "none"))
    for kind, rows in found.items():
        spread = " | ".join(f"{value:.2f}" for value in np.percentile([one for one, _ in rows], PERCENTILES))
        lines.append(f"| {kind} | {len(rows)} | {sum(told for _, told in rows)} | {spread} |")
    return lines


@command
def main(arguments=None):
    """Print the tables; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--motion", type=Path)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--seconds", type=float, nargs="*", default=(6.0, 12.0, 30.0))
    options = parser.parse_args(arguments)
    for seconds in options.seconds:
        print("\n".join(table(options.motion, options.seeds, seconds)) + "\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
