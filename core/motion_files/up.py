"""Which way is up in a motion: looked for in the motion itself, with the rest pose as no more than a hint.

Two things tell. People stand: the head is over the feet in most frames. And people are carried by the floor: seen along
the true vertical, the lowest point of the body stays at one height, whatever the body does, floor moves and handstands
too.
"""
import numpy as np

from core.body.rotations import ROOT_TO_BLENDER
from core.errors import BadInput

AXES = {"x": (1, 0, 0), "-x": (-1, 0, 0), "y": (0, 1, 0), "-y": (0, -1, 0), "z": (0, 0, 1), "-z": (0, 0, -1)}
UPRIGHT_COS = 0.75          # cosine of the lean (41 degrees) up to which a body counts as upright
CLEAR = 0.12                # what the best axis must be ahead of the second best
HINT = 0.08                 # what the rest pose adds to its own axis


def up_scores(points, head, feet):
    """{axis: score} of a motion. points (T, J, 3) joint positions in the file's axes; head (T, 3); feet (T, F, 3)."""
    body = head - feet.mean(axis=1)
    length = np.linalg.norm(body, axis=1)
    size = float(np.median(length)) or 1.0
    body = body / np.maximum(length, 1e-9)[:, None]
    ends = max(1, len(body) // 7)                            # who ends on the hands began and ended on the feet
    scores = {}
    for name, axis in AXES.items():
        axis = np.asarray(axis, dtype=np.float64)
        upright = body @ axis > UPRIGHT_COS
        standing = 0.5 * float(upright.mean()) + 0.25 * float(upright[:ends].mean() + upright[-ends:].mean())
        floor = (points @ axis).min(axis=1)
        low, high = np.percentile(floor, [5, 95])
        scores[name] = standing - 0.5 * min(1.0, float(high - low) / size)
    return scores


def find_up(points, head, feet, *, hint=None, asked=None, name="the motion", notify=None):
    """The axis ("x", "-x", "y", "-y", "z", "-z") that is up. hint: the axis the rest pose stands along; asked: the
    user's word.

    A motion that does not tell is taken by its hint, and the user is told how to say otherwise. Raises BadInput for an
    unknown word.
    """
    if asked not in (None, "auto"):
        if asked not in AXES:
            raise BadInput(f"Up is one of auto, {', '.join(AXES)}, not {asked!r}.")
        return asked
    scores = up_scores(points, head, feet)
    if hint is not None:
        scores[hint] += HINT
    first, second = sorted(scores, key=scores.get, reverse=True)[:2]
    if scores[first] - scores[second] < CLEAR:
        chosen = hint or first
        if notify is not None:
            notify(f"{name} does not tell which way is up (the body lies or leans in most frames); {chosen} is taken, "
                   "say --up if that is wrong.")
        return chosen
    return first


def to_z(axis):
    """(3, 3) rotation that brings an axis to z: a quarter turn about x for y, none for z."""
    turns = {"y": ROOT_TO_BLENDER, "z": np.eye(3), "-y": ROOT_TO_BLENDER.T, "-z": np.diag([1.0, -1.0, -1.0]),
             "x": np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]]), "-x": np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])}
    return np.asarray(turns[axis], dtype=np.float64)


def nearest_axis(vector):
    """The name of the axis a vector points along most."""
    return max(AXES, key=lambda name: float(np.dot(AXES[name], vector)))
