"""Can a machine tell the studio's dancers from recorded people? A classifier of 2-second windows, and a table of
spreads.

python -m models.lab.evaluation.realism --captures FLAT --out rows.json [--before rows.json] \\
    [--docs docs/studio-diversity.md]

Both sides are the same skeleton at 30 fps. What the captures' rigs never move (collars, toes, hands) is joined to the
next joint or left out; every window is seen mirrored too; and the two sides are matched in speed, so that neither rig
nor tempo gives the answer away. Accuracy is that of windows whose recording or seed was never trained on; chance is
0.5.
FLAT: captures as `models.lab.loaders.captures` writes them.
"""
import argparse
import json
import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from core.body.motion import Motion
from core.body.rotations import matrix_to_axis_angle, sixd_to_matrix
from core.contract import GENRES
from core.errors import command
from models.lab.evaluation.liveliness import liveliness, medians, studio_row
from models.lab.evaluation.tables import markdown_table, replace_section, write_json
from models.lab.studio.dancer import dance
from models.lab.studio.plan import make_plan
from models.training.flat import Flat

FPS, FRAMES, STEP = 30.0, 60, 30
FOLDS, TREES = 5, 150
BANDS = ((0.0, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 15.1))            # Hz
SPEED_BINS = 12
SEEDS, SECONDS = range(900_000, 900_004), 12.0              # studio pieces of each genre, of the test split
LONG = 6.0                                                  # s of captures whose spreads are read
# (name, chain of local joints whose product is read)
CHAINS = (("chest", (3, 6, 9)), ("head", (12, 15)), ("left hip", (1,)), ("right hip", (2,)), ("left knee", (4,)),
          ("right knee", (5,)), ("left ankle", (7,)), ("right ankle", (8,)), ("left arm", (13, 16)),
          ("right arm", (14, 17)),
          ("left elbow", (18,)), ("right elbow", (19,)), ("left wrist", (20,)), ("right wrist", (21,)))
PAIRS = ((0, 1), (0, 8), (0, 9), (0, 14), (1, 14), (2, 3), (8, 9), (8, 10), (9, 11), (10, 12),
         (11, 13), (4, 5), (0, 2), (0, 3))


def windows(motion):
    """Overlapping windows of a `Motion`: (rotations (N,60,24,3,3), root (N,60,3)); N may be 0."""
    motion = motion.resampled(FPS)
    starts = range(0, len(motion) - FRAMES + 1, STEP)
    if len(starts) == 0:
        return np.zeros((0, FRAMES, 24, 3, 3), np.float32), np.zeros((0, FRAMES, 3), np.float32)
    return (np.stack([motion.rotations[s:s + FRAMES] for s in starts]),
            np.stack([motion.root[s:s + FRAMES] for s in starts]))


def headings(rotations):
    """Yaw (..., T) of pelvis rotations (..., T, 3, 3), unwrapped, radians about z."""
    forward = rotations[..., 2]
    return np.unwrap(np.arctan2(forward[..., 0], -forward[..., 1]), axis=-1)


def _about_z(angle):
    c, s, o = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    return np.stack([np.stack([c, -s, o], -1), np.stack([s, c, o], -1), np.stack([o, o, o + 1], -1)], -2)


def chains(rotations):
    """(N,T,15,3,3): the local turns of `CHAINS`, then the pelvis without its heading."""
    out = []
    for _, joints in CHAINS:
        turn = rotations[:, :, joints[0]]
        for joint in joints[1:]:
            turn = turn @ rotations[:, :, joint]
        out.append(turn)
    yaw = headings(rotations[:, :, 0])
    out.append(_about_z(-yaw) @ rotations[:, :, 0])
    return np.stack(out, 2)


def features(rotations, root, pose=False):
    """Numbers (N,D) of windows. Dynamics only: spreads, speeds, accelerations, spectra, how parts move together, feet.
    pose adds the mean turn of every chain, which tells one dance's vocabulary from another's."""
    turns = chains(rotations)
    speed = matrix_to_axis_angle(turns[:, :-1].swapaxes(-1, -2) @ turns[:, 1:]).astype(np.float64) * FPS  # (N,T-1,15,3)
    away = matrix_to_axis_angle(turns[:, :1].swapaxes(-1, -2) @ turns).astype(np.float64)
    away = away - away.mean(1, keepdims=True)
    size = np.linalg.norm(speed, axis=-1)
    # Per axis where the axes mean the same in every rig; elbows, knees and wrists share a limb's twist as each rig
    # likes.
    trunk = [0, 1, len(CHAINS)]
    jerk = np.linalg.norm(np.diff(speed, axis=1), axis=-1) * FPS
    columns = [_log(np.sqrt((away ** 2).sum(-1).mean(1))), _log(size.mean(1)), _log(np.percentile(size, 95, axis=1)),
               _log(np.percentile(size, 10, axis=1)), _log(np.sqrt((jerk ** 2).mean(1))),
               _log(np.sqrt((jerk ** 2).mean(1))) - _log(np.sqrt((size ** 2).mean(1))), (size < 0.3).mean(1),
               _log(np.abs(away[:, :, trunk]).mean(1)).reshape(len(away), -1)]
    columns += _spectra(speed)
    columns.append(np.stack([_correlation(size[..., a], size[..., b]) for a, b in PAIRS], 1))
    early, late = size[:, :-3], size[:, 3:]
    columns.append(np.stack([_correlation(early[..., a], late[..., b]) - _correlation(late[..., a], early[..., b])
                             for a, b in PAIRS], 1))
    columns += _travel(rotations, root)
    if pose:
        columns.append(matrix_to_axis_angle(turns).mean(1).reshape(len(turns), -1))
    return np.concatenate([np.asarray(c, float).reshape(len(turns), -1) for c in columns], 1)


def _log(values):
    return np.log(np.maximum(values, 1e-3))


def _places(rotations, root):
    """Joints (N, FRAMES, 24, 3) in metres of windows: rotations (N, FRAMES, 24, 3, 3), root (N, FRAMES, 3)."""
    motion = Motion(rotations.reshape(-1, 24, 3, 3), root.reshape(-1, 3), FPS)
    return motion.positions().reshape(len(root), FRAMES, 24, 3)


def _correlation(a, b):
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    return (a * b).sum(1) / np.maximum(np.sqrt((a ** 2).sum(1) * (b ** 2).sum(1)), 1e-6)


def _spectra(speed):
    """Shares of the power of (N,T,C,3) or (N,T,C) in `BANDS`, one (N,C) a band."""
    speed = speed[..., None] if speed.ndim == 3 else speed
    speed = (speed - speed.mean(1, keepdims=True)) * np.hanning(speed.shape[1])[:, None, None]
    power = (np.abs(np.fft.rfft(speed, 120, axis=1)) ** 2).sum(-1)
    frequency = np.fft.rfftfreq(120, 1 / FPS)
    total = np.maximum(power.sum(1), 1e-9)
    return [_log(power[:, (frequency >= low) & (frequency < high)].sum(1) / total) for low, high in BANDS]


def _travel(rotations, root):
    """Columns about the pelvis' way and the feet."""
    yaw = headings(rotations[:, :, 0])
    rate = np.diff(yaw, axis=1) * FPS
    # Along and across where the dancer faces at the middle of the window.
    velocity = np.einsum("nij,ntj->nti", _about_z(-yaw[:, FRAMES // 2]), np.diff(root, axis=1)) * FPS
    level = np.linalg.norm(velocity[..., :2], axis=-1)
    columns = [_log(level.mean(1)), _log(level.std(1)), _log(velocity[..., 2].std(1)), _log(np.abs(rate).mean(1)),
               _log(rate.std(1)), np.abs(yaw[:, -1] - yaw[:, 0]), root[..., 2].std(1)]
    columns += _spectra(np.stack([velocity[..., 0], velocity[..., 1], velocity[..., 2], rate], -1))
    places = _places(rotations, root)
    for joint in (7, 8):                                             # ankles: rigid in every rig
        way = np.diff(places[:, :, joint], axis=1) * FPS
        pace = np.linalg.norm(way, axis=-1)
        columns += [_log(pace.mean(1)), _log(np.percentile(pace, 10, axis=1)), _log(np.percentile(pace, 90, axis=1)),
                    (pace < 0.15).mean(1), _log(np.sqrt((np.diff(way, axis=1) ** 2).sum(-1).mean(1)) * FPS),
                    _log(np.ptp(places[:, :, joint, 2], axis=1))]
    still = np.linalg.norm(np.diff(places[:, :, [7, 8]], axis=1), axis=-1) * FPS < 0.15
    columns += [still.all(-1).mean(1), (~still).all(-1).mean(1)]
    return columns


def window_speed(rotations, root):
    """(N,) mean joint speed of windows relative to the pelvis, m/s."""
    places = _places(rotations, root)
    return np.linalg.norm(np.diff(places - places[:, :, :1], axis=1), axis=-1).mean((1, 2)) * FPS


def speed_matched(speeds, labels, rng):
    """Indices that leave as many windows of either label (0, 1) in each bin of log speed."""
    level = np.log(np.maximum(speeds, 1e-3))
    edges = np.quantile(level, np.linspace(0, 1, SPEED_BINS + 1))
    bins = np.clip(np.searchsorted(edges, level, side="right") - 1, 0, SPEED_BINS - 1)
    kept = []
    for number in range(SPEED_BINS):
        sides = [np.flatnonzero((bins == number) & (labels == side)) for side in (0, 1)]
        count = min(map(len, sides))
        kept += [rng.permutation(side)[:count] for side in sides]
    return np.sort(np.concatenate(kept))


def table_of(motions, groups, pose=False):
    """Features (2N,D), speeds (2N,) and groups (2N,) of `Motion`s and their mirror images."""
    rows, speeds, names = [], [], []
    for motion, group in zip(motions, groups):
        for one in (motion, motion.mirrored()):
            rotations, root = windows(one)
            if len(root):
                rows.append(features(rotations, root, pose))
                speeds.append(window_speed(rotations, root))
                names += [group] * len(root)
    return np.concatenate(rows), np.concatenate(speeds), np.array(names)


def separation(real, made, seed=0, matched=True):
    """Cross-validated accuracy of telling `real` from `made`, each (features, speeds, groups) of `table_of`.

    Groups (recordings, seeds) never lie on both sides of a fold. Returns {"accuracy", "windows", "linear"}:
    gradient-boosted trees, windows judged, and a linear judge of the same numbers.
    """
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.preprocessing import StandardScaler
    rng = np.random.default_rng(seed)
    x = np.concatenate([real[0], made[0]])
    y = np.repeat([0, 1], [len(real[0]), len(made[0])])
    groups = np.concatenate([[f"real {g}" for g in real[2]], [f"made {g}" for g in made[2]]])
    if matched:
        kept = speed_matched(np.concatenate([real[1], made[1]]), y, rng)
        x, y, groups = x[kept], y[kept], groups[kept]
    right = {"accuracy": np.zeros(len(y)), "linear": np.zeros(len(y))}
    order = {name: place for place, name in enumerate(rng.permutation(np.unique(groups)))}
    for train, test in GroupKFold(FOLDS).split(x, y, [order[g] for g in groups]):
        weight = np.where(y[train] == 1, 0.5 / max(y[train].mean(), 1e-6), 0.5 / max(1 - y[train].mean(), 1e-6))
        trees = ExtraTreesClassifier(TREES, min_samples_leaf=2, max_features=0.3, random_state=seed)
        trees.fit(x[train], y[train], sample_weight=weight)
        right["accuracy"][test] = trees.predict(x[test]) == y[test]
        scaler = StandardScaler().fit(x[train])
        line = LogisticRegression(C=0.05, max_iter=300).fit(scaler.transform(x[train]), y[train], sample_weight=weight)
        right["linear"][test] = line.predict(scaler.transform(x[test])) == y[test]
    balanced = {name: float(np.mean([hits[y == side].mean() for side in (0, 1)])) for name, hits in right.items()}
    return {**balanced, "windows": len(y)}


def captures_of(folder, styles=None):
    """(motions, groups, styles) of the dances in a flat corpus of captures; both partners of a couple are one group."""
    flat, out = Flat(folder, kind="dance"), ([], [], [])
    for item in flat.items:
        if styles is not None and item["style"] not in styles:
            continue
        sixd = np.asarray(flat.rows(item, "rot6d"), np.float32) / 32_767.0
        release, name = item["clip"].split("/")
        group = f"salsa {int(name) % 15}" if release == "cmu_salsa" else item["clip"]
        for column, value in zip(out, (Motion(sixd_to_matrix(sixd.reshape(-1, 24, 6)),
                                              np.array(flat.rows(item, "root")), FPS),
                                       group, item["style"])):
            column.append(value)
    return out


def halves(table):
    """Two tables of every other group of one."""
    first = np.isin(table[2], np.unique(table[2])[::2])
    return tuple(tuple(column[side] for column in table) for side in (first, ~first))


def blurred(motion, frames=1.5):
    """The motion with its detail smoothed away: a difference the judge must see."""
    sixd = gaussian_filter1d(motion.rotations[..., :2].astype(float), frames, axis=0)
    return Motion(sixd_to_matrix(np.concatenate([sixd[..., 0], sixd[..., 1]], -1)).astype(np.float32),
                  gaussian_filter1d(motion.root, frames, axis=0), motion.fps)


def measure(folder):
    """{"judge": rows, "alive": rows} of the present studio against the captures in a flat corpus."""
    motions, groups, styles = captures_of(folder)
    plans = [make_plan("dance", seed, genre=genre, duration=SECONDS) for genre in GENRES for seed in SEEDS]
    dances = [dance(plan) for plan in plans]
    real, made = table_of(motions, groups), table_of(dances, [f"{plan.genre} {plan.seed}" for plan in plans])
    salsa = np.array([group.startswith("salsa") for group in real[2]])
    sides = [tuple(column[side] for column in real) for side in (salsa, ~salsa)]
    judge = {"studio / captures": separation(real, made), "salsa / other captures": separation(*sides),
             "captures, two halves": separation(*halves(real)),
             "studio, two halves of its seeds": separation(*halves(made)),
             "captures / the same, blurred by 50 ms": separation(real, table_of(list(map(blurred, motions)), groups))}
    alive = {}
    for style in sorted(set(styles)):
        rows = [liveliness(m) for m, s in zip(motions, styles) if s == style and m.duration >= LONG]
        if rows:
            alive[f"captures: {style}"] = medians(rows)
    each = [(plan.genre, studio_row(plan, motion)) for plan, motion in zip(plans, dances)]
    for genre in GENRES:
        alive[genre] = medians([row for name, row in each if name == genre])
    alive["all genres"] = medians([row for _, row in each])
    return {"judge": judge, "alive": alive}


def report(now, before=None):
    """Markdown of what `measure` gives, beside an earlier one."""
    judge = {name: {**row, **({"accuracy_before": before["judge"][name]["accuracy"]} if before else {})}
             for name, row in now["judge"].items()}
    alive = {}
    for name, row in now["alive"].items():
        if before and not name.startswith("captures"):
            alive[f"{name}, before"] = before["alive"][name]
        alive[name] = row
    columns = list(now["alive"]["all genres"])
    return ("## People and the studio's dancers\n\nA judge of 2-second windows (trees on numbers of motion: "
            "spreads, speeds, accelerations, spectra, how parts move together, feet; a linear judge of the same), "
            "folds by recording and seed, mirrored, matched in speed; chance is 0.5. The rows below the first tell "
            "what the figure means: two real dances, "
            "one set against itself, and real motion whose detail is smoothed away.\n\n"
            + markdown_table(judge, list(next(iter(judge.values()))), "sides")
            + "\n\nSpreads in degrees (spine and head: summed over their joints), medians over clips; "
            "lift of kinematic beats over the circular-shift null and limbs that overlap: means; slide: the "
            "largest.\n\n"
            + markdown_table(alive, columns, "who") + "\n")


@command
def main(arguments=None):
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--captures", required=True, help="flat corpus of captures")
    parser.add_argument("--out", help="JSON file of the rows")
    parser.add_argument("--before", help="such a file of an earlier studio, shown beside")
    parser.add_argument("--docs", help="Markdown file whose realism section is replaced")
    options = parser.parse_args(arguments)
    now = measure(options.captures)
    text = report(now, json.loads(Path(options.before).read_text(encoding="utf-8")) if options.before else None)
    print(text)
    if options.out:
        write_json(options.out, now)
    if options.docs:
        replace_section(options.docs, "realism", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
