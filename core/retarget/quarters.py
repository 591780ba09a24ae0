"""Quarter turns: axes of bones that lie along the body's."""
from itertools import permutations, product

import numpy as np

from core.retarget.rig import orthonormal

ALONG = np.cos(np.radians(25.0))    # a bone this near an axis lies along it
EXACT = np.cos(np.radians(0.5))     # and this near, its axes may have been turned until it did
LEAN = np.radians(40.0)             # the mean of a frame over time is trusted to this
QUARTERS = np.array([m for m in (np.diag(signs)[list(order)] for order in permutations(range(3))
                                 for signs in product((1.0, -1.0), repeat=3)) if np.linalg.det(m) > 0])


def fit(mean, turns):
    """(n,) how well rotations (n,3,3) fit a mean (3,3) of rotations."""
    return np.einsum("nab,ab->n", turns, mean)


def quarter(mean, turns=QUARTERS):
    """The quarter turn (or another of `turns`) nearest to a mean (3,3) of rotations, or the mean rotation itself where
    none is near."""
    turn = orthonormal(mean)
    nearest = turns[int(np.argmax(fit(turn, turns)))]
    angle = np.arccos(np.clip((np.trace(nearest.T @ turn) - 1) / 2, -1, 1))
    return nearest if angle < LEAN else turn


def nearest_axis(vector):
    axis = np.zeros(3)
    place = int(np.argmax(np.abs(vector)))
    axis[place] = np.sign(vector[place]) or 1.0
    return axis


def between(have, wanted):
    """(3,3) rotation that takes the first vector of `have` to the first of `wanted`, the second as near as can be."""
    def frame(first, second):
        first = first / np.linalg.norm(first)
        second = second - (second @ first) * first
        second = second / np.linalg.norm(second)
        return np.column_stack([first, second, np.cross(first, second)])
    return frame(*wanted) @ frame(*have).T
