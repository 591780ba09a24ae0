"""Is each style danced as wildly as its own dancers dance it: joint speed and jerk of a style's dances beside those of
the studio's dancer or of the people who were captured in it."""
import numpy as np

from core.contract import GENRES
from models.dance_cascade.config import STYLES
from models.dance_cascade.features import CAPTURED
from models.lab.evaluation.dance_cascade import scoring
from models.lab.metrics.motion import jerk

SECONDS, HOP = 5.0, 2.5                     # of the passages that are compared
MIDDLE = (10, 90)                           # percentiles of the passages of a style's own dancers


def liveliness(motion):
    """(joint speed in m/s about the pelvis, jerk in m/s^3 at 30 fps) of a `Motion`."""
    positions = motion.positions()
    still = positions - positions[:, :1]
    speed = np.linalg.norm(np.diff(still, axis=0), axis=-1).mean() * motion.fps
    return float(speed), float(jerk(motion.resampled(30.0).positions(), 30.0))


def people(folder, splits=("train", "valid", "test")):
    """{style: [`Motion`]}: passages of the captures in a flat folder, by the dancer's name of their style."""
    found = {}
    for motion, style, _ in scoring.captures(folder, splits, SECONDS, most=10_000, hop=HOP):
        found.setdefault(CAPTURED.get(style, style), []).append(motion)
    return {style: motions for style, motions in found.items() if style in STYLES[len(GENRES):]}


def range_rows(dances, own):
    """{style: figures} of {style: [`Motion`]} beside `own`, the same of its dancers. *within*: share of the dances'
    passages that lie between the percentiles `MIDDLE` of the dancers'."""
    rows = {}
    for style in dances:
        if style not in own:
            continue
        made, true = (np.array([liveliness(part) for part in scoring.passages(side[style], SECONDS)])
                      for side in (dances, own))
        row = {"dances": float(len(dances[style])), "own passages": float(len(true))}
        for column, name in enumerate(("joint speed", "jerk")):
            low, high = np.percentile(true[:, column], MIDDLE)
            row |= {name: float(made[:, column].mean()), f"own {name}": float(true[:, column].mean()),
                    f"own {name}, low": float(low), f"own {name}, high": float(high),
                    f"{name} within": float(((made[:, column] >= low) & (made[:, column] <= high)).mean())}
        rows[style] = row
    return rows


def by_genre(motions, pieces):
    """{genre: [`Motion`]} of one motion a piece."""
    found = {}
    for motion, piece in zip(motions, pieces):
        found.setdefault(piece.genre, []).append(motion)
    return found
