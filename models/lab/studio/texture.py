"""How people move within a beat: captured runs of trunk, head, wrists, hips and heels, laid under what the dancer is
told to do.

A performer made of keys alone has parts that rest, start and stop together; a person's never do. `texture.npz` holds 33
runs of 16 counts of recorded dancers (texture_make.py; CMU Graphics Lab Motion Capture Database, mocap.cs.cmu.edu,
created with funding from NSF EIA-0196217), deviations from their own means. They are played on the plan's counts,
joined by cross-fades.
"""
from functools import lru_cache
from pathlib import Path

import numpy as np

from models.lab.studio.ik import quintic

PATH = Path(__file__).with_name("texture.npz")
COUNTS, SAMPLES = 16, 12                                   # counts of a run, samples a count
STYLES = ("salsa", "indian", "break", "modern")
# (name, columns); radians and metres in the dancer's frame, left before right: pelvis tilt, whole spine, neck and head,
# wrists, detail of the hands' and the pelvis' place, heel lift, turn of the feet about their balls
CHANNELS = (("tilt", 3), ("spine", 3), ("head", 3), ("wrists", 6), ("hands", 6), ("pelvis", 3), ("heels", 2),
            ("pivots", 2))
WIDTH = sum(width for _, width in CHANNELS)
FADE = 1.5                                                 # counts of a cross-fade
_TURN, _WAY = np.array([1.0, -1.0, -1.0]), np.array([-1.0, 1.0, 1.0])


@lru_cache(maxsize=1)
def library():
    """(runs (R, COUNTS * SAMPLES + 1, WIDTH) float32, tempo (R,), style index (R,))."""
    with np.load(PATH) as data:
        return data["runs"].astype(np.float32) * data["scale"], data["bpm"], data["styles"]


def mirrored(run):
    """A run (N, WIDTH) as its mirror image dances it."""
    out, place = run.copy(), 0
    for name, width in CHANNELS:
        part = run[:, place:place + width]
        if width == 3:
            part = part * (_WAY if name == "pelvis" else _TURN)
        elif width == 6:
            part = part.reshape(-1, 2, 3)[:, ::-1].reshape(-1, 6) * np.tile(_WAY if name == "hands" else _TURN, 2)
        else:
            part = part[:, ::-1] * (-1.0 if name == "pivots" else 1.0)
        out[:, place:place + width] = part
        place += width
    return out


def texture(rng, counts, bpm, weights):
    """{name: (T, ...)} at fractional `counts` (T,), ascending. bpm: the piece's tempo, so that runs are played at about
    their own speed (once or twice a count); weights: how likely each of `STYLES` is."""
    runs, tempo, styles = library()
    chance = np.asarray(weights, float)[styles] / np.maximum(np.bincount(styles, minlength=len(STYLES))[styles], 1)
    chance = chance / chance.sum()
    out, total = np.zeros((len(counts), WIDTH)), np.zeros((len(counts), 1))
    at = float(counts[0]) - float(rng.uniform(2, 8))
    while at < counts[-1]:
        number = int(rng.choice(len(runs), p=chance))
        # At what rate the run's own counts go by: 1, 2 or a half, whichever is nearest to life.
        rate = float(min((1.0, 2.0, 0.5), key=lambda r: abs(np.log2(bpm * r / tempo[number]))))
        run = mirrored(runs[number]) if rng.random() < 0.5 else runs[number]
        length = COUNTS / rate
        here = np.flatnonzero((counts >= at) & (counts < at + length))
        if len(here):
            since = counts[here] - at
            place = np.minimum(since * rate * SAMPLES, COUNTS * SAMPLES - 1e-6)
            low = place.astype(int)
            part = (place - low)[:, None]
            weight = (quintic(since / FADE) * quintic((length - since) / FADE))[:, None] + 1e-6
            out[here] += weight * (run[low] * (1 - part) + run[low + 1] * part)
            total[here] += weight
        at += length - FADE
    out /= np.maximum(total, 1e-6)
    named, place = {}, 0
    for name, width in CHANNELS:
        part = out[:, place:place + width]
        named[name] = part.reshape(-1, 2, 3) if width == 6 else part
        place += width
    return named
