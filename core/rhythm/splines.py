"""Curves through weighted angles: a straight one, and one as stiff as asked for. numpy, scipy."""
import numpy as np
from scipy.linalg import solveh_banded


def line(times, rest, knots):
    """Correction (K,) of a straight phase: the line through the angles of what is left in up to 16 windows."""
    edges = np.linspace(0, len(times), min(16, max(2, len(times) // 20)) + 1).astype(int)
    sums = np.array([rest[a:b].sum() for a, b in zip(edges[:-1], edges[1:])])
    middle = np.array([times[a:b].mean() for a, b in zip(edges[:-1], edges[1:])])
    weight = np.abs(sums) * np.maximum(np.cos(np.angle(sums)), 0.0) + 1e-9
    target = np.clip(np.angle(sums), -1.0, 1.0)
    centre = (weight * middle).sum() / weight.sum()
    level = (weight * target).sum() / weight.sum()
    slope = (weight * (middle - centre) * target).sum() / max((weight * (middle - centre) ** 2).sum(), 1e-9)
    return level + slope * (knots - centre)


def solve(knots, start, target, weight, stiffness):
    """Minimum (K,) of sum weight (x - target)^2 + 2 stiffness sum (x'')^2 dt: a smoothing spline's normal equations."""
    count = len(knots)
    if count < 3:
        return target
    gap = np.diff(knots)
    width = (gap[1:] + gap[:-1]) / 2
    rows = np.stack([1 / gap[:-1], -(1 / gap[:-1] + 1 / gap[1:]), 1 / gap[1:]]) / width        # (3, K - 2)
    scale = 2 * stiffness * width
    banded = np.zeros((3, count))                                                      # upper form: diagonals 2, 1, 0
    for i in range(3):
        for j in range(i, 3):
            np.add.at(banded[2 - (j - i)], np.arange(count - 2) + j, scale * rows[i] * rows[j])
    banded[2] += weight
    return solveh_banded(banded, weight * target)
