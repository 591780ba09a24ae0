"""Can the ten genres be told apart from one still? Single poses, judged by their nearest neighbours among other
dancers.

python -m models.lab.studio.stills --docs docs/studio-diversity.md

Nothing is trained: a pose, turned to face the viewer, is compared with poses of other pieces (other dancers, phrases
and tempi), and the nearest `NEIGHBOURS` vote. Chance is 0.10. A sheet of `SHEET` stills of one piece, as
`preview.genre_sheet` shows them, is judged by the votes of all its stills.
"""
import argparse
import sys

import numpy as np
from scipy.spatial import cKDTree

from core.contract import GENRES
from models.lab.evaluation.tables import markdown_table, replace_section, write_json
from models.lab.studio.dancer import dance
from models.lab.studio.plan import make_plan

NEIGHBOURS = 9
SHEET = 14
SEEDS = {"train": range(1000, 1016), "test": range(2000, 2008)}
MIRROR = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]


def facing_viewer(positions):
    """Poses (N,24,3) z-up -> pelvis at x = y = 0 and the hips' axis along x; heights stay."""
    out = positions - positions[:, :1] * np.array([1.0, 1.0, 0.0])
    across = out[:, 1, :2] - out[:, 2, :2]
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
    c, s = across[:, :1], across[:, 1:]
    x, y = out[..., 0], out[..., 1]
    return np.stack([c * x + s * y, -s * x + c * y, out[..., 2]], -1)


def stills(genre, seed, duration=24.0):
    """Poses (N,24,3) of a piece on its beats and half beats while the dancer dances (no idling), facing the viewer."""
    plan = make_plan("dance", seed, genre=genre, duration=duration)
    counts = np.arange(0, len(plan.times) - 1, 0.5)
    counts = np.array([c for c in counts if plan.section_at(int(c)).kind not in ("idle", "intro")])
    motion = dance(plan)
    times = np.interp(counts, np.arange(len(plan.times)), plan.times)
    frames = np.round(times * motion.fps).astype(int)
    return facing_viewer(motion.positions()[frames[(frames >= 0) & (frames < len(motion))]].astype(float))


def mirrored(poses):
    """Poses (N,24,3) seen in a mirror, left joints for right ones."""
    return poses[:, MIRROR] * np.array([-1.0, 1.0, 1.0])


def pieces(seeds):
    """{genre: list of stills (N,24,3) of its pieces}, pieces without stills left out."""
    out = {genre: [stills(genre, seed) for seed in seeds] for genre in GENRES}
    return {genre: [poses for poses in group if len(poses) >= SHEET] for genre, group in out.items()}


def confusion(known, asked):
    """Stills of the pieces `asked` judged by those of `known`, both as of `pieces`.

    Returns (share of the stills of row genre that are taken for column genre (10,10), share of sheets told right
    (10,)).
    """
    poses, labels = [], []
    for label, genre in enumerate(GENRES):
        for piece in known[genre]:
            poses += [piece, mirrored(piece)]
            labels += [label] * (2 * len(piece))
    labels = np.array(labels)
    tree = cKDTree(np.concatenate(poses).reshape(len(labels), -1))
    table, sheets = np.zeros((len(GENRES), len(GENRES))), np.zeros(len(GENRES))
    for label, genre in enumerate(GENRES):
        for piece in asked[genre]:
            _, near = tree.query(piece.reshape(-1, 72), k=NEIGHBOURS)
            votes = (labels[near][..., None] == np.arange(len(GENRES))).sum(1)
            table[label] += np.bincount(votes.argmax(1), minlength=len(GENRES))
            sheets[label] += (votes[:SHEET].sum(0).argmax() == label) / len(asked[genre])
    return table / table.sum(1, keepdims=True), sheets


def one_sheet_known(known, asked):
    """As `confusion`, when a single piece of each genre is known: the mean over the pieces one could know."""
    draws = [confusion({genre: [group[k % len(group)]] for genre, group in known.items()}, asked)
             for k in range(len(known[GENRES[0]]))]
    return np.mean([table for table, _ in draws], 0), np.mean([sheets for _, sheets in draws], 0)


def rows_of(table, sheets, one, one_sheets):
    """{genre: row} for `markdown_table`: stills and sheets told right, what a still is most taken for."""
    rows = {}
    for label, genre in enumerate(GENRES):
        others = one[label].copy()
        others[label] = 0
        rows[genre] = {"stills": float(table[label, label]), "sheets": float(sheets[label]),
                       "stills_1": float(one[label, label]), "sheets_1": float(one_sheets[label]),
                       "taken_for_1": f"{GENRES[int(others.argmax())]} {others.max():.2f}"}
    means = {key: float(np.mean([row[key] for row in rows.values()])) for key in ("stills", "sheets", "stills_1",
                                                                                  "sheets_1")}
    return {**rows, "all": {**means, "taken_for_1": ""}}


def main(arguments=None):
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="JSON file of both confusion tables")
    parser.add_argument("--docs", help="Markdown file whose stills section is replaced")
    options = parser.parse_args(arguments)
    known, asked = pieces(SEEDS["train"]), pieces(SEEDS["test"])
    results = (*confusion(known, asked), *one_sheet_known(known, asked))
    rows = rows_of(*results)
    text = (f"## Genres in stills\n\nOne pose, turned to face the viewer, judged by its {NEIGHBOURS} nearest "
            f"neighbours among stills of {len(SEEDS['train'])} other pieces of each genre; nothing is trained, chance "
            f"is 0.10. `sheets`: {SHEET} stills of a piece vote together. `_1`: a single piece of each genre is known, "
            f"as to a person who sees "
            f"one contact sheet. {len(SEEDS['test'])} pieces of each genre, every half beat.\n\n"
            + markdown_table(rows, list(rows["all"]), "genre") + "\n")
    print(text)
    if options.out:
        write_json(options.out, {"genres": list(GENRES), "confusion": results[0].round(4).tolist(),
                                 "confusion_one_piece_known": results[2].round(4).tolist()})
    if options.docs:
        replace_section(options.docs, "stills", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
