"""The rule that the model must beat: a fixed stroke on each given beat, drawn after the beat pattern, nothing from the
music.

Used by `evaluate` only; no released result ever comes from here.
"""
import numpy as np

from models.conductor.config import FPS
from models.lab.studio.body import Curves, solve
from models.lab.studio.conductor import PATTERNS

PLANE_M, STROKE_M, WIDTH_M, DEPTH_M = 1.12, 0.32, 0.18, 0.30


def rule_motion(beats, frames):
    """`Motion` of (frames) at 30 fps that strikes at each of `beats` (ictus clock, seconds of the passage)."""
    curves = Curves.standing(frames, width=0.12)
    t = np.arange(frames) / FPS
    gap = np.diff(beats.times)
    before = beats.times[0] - gap[0] * np.arange(int(beats.times[0] / gap[0]) + 2, 0, -1)
    after = beats.times[-1] + gap[-1] * np.arange(1, int(max(0, t[-1] - beats.times[-1]) / gap[-1]) + 3)
    times = np.concatenate([before, beats.times, after])
    pattern = PATTERNS.get(beats.metre, PATTERNS[4])[0]
    first = (beats.positions[0] - 1 if beats.positions[0] > 0 else 0) - len(before)
    place = np.array([pattern[(first + i) % len(pattern)] for i in range(len(times))])
    k = np.clip(np.searchsorted(times, t, side="right") - 1, 0, len(times) - 2)
    u = np.clip((t - times[k]) / (times[k + 1] - times[k]), 0, 1)
    ease = u * u * (3 - 2 * u)
    low = PLANE_M + place[:, 1] * STROKE_M * 0.5
    right = np.stack([-0.16 + WIDTH_M * (place[k, 0] * (1 - ease) + place[k + 1, 0] * ease),
                      low[k] * (1 - ease) + low[k + 1] * ease + STROKE_M * np.sin(np.pi * u) ** 1.5,
                      np.full(frames, DEPTH_M)], axis=1)
    left = np.tile([0.22, 0.95, 0.22], (frames, 1))
    curves.wrists = np.stack([left, right], axis=1)
    curves.arms[:, :, 3] = 0.35
    return solve(curves)
