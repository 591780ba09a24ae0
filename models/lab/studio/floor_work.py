"""Floor work: figures with hands on the floor (downrock, freezes, drops), laid over the standing dancer.

A figure gives, on its counts, where the pelvis is and how it is tipped, where the feet go and which hand stands where;
between its keys the body is joined like any other move, and its weight `share` says how far the dancer is down.
"""
from dataclasses import dataclass

import numpy as np

from models.lab.studio.body import rotvec, slerp, yaw
from models.lab.studio.ik import interpolate_keys, quintic

WRIST_HEIGHT = 0.06               # m of a wrist whose hand lies flat
BODY = ("height", "x", "z", "pitch", "yaw", "roll", "spine", "heel")


@dataclass(frozen=True)
class FloorFigure:
    """steps and arms as in `Genre`; body: (count, None or the 8 numbers of `BODY`), None stands; hands: (count, until,
    hand 0 left / 1 right, x, z) in the dancer's frame, metres; angles in radians."""

    steps: tuple
    arms: tuple
    body: tuple
    hands: tuple


@dataclass
class Floor:
    """Curves of all floor work in a piece: share (T,) 0 standing .. 1 down; pelvis (T,3); hips (T,3) rotation vector
    after the facing; spine, heel (T,); plant (T,2,3) wrists in metres, planted (T,2) 0..1."""

    share: np.ndarray
    pelvis: np.ndarray
    hips: np.ndarray
    spine: np.ndarray
    heel: np.ndarray
    plant: np.ndarray
    planted: np.ndarray


def floor_curves(phrases, clock, t, facing, centre):
    """The `Floor` of a piece, or None where no phrase goes down. facing, centre: functions of body time."""
    if not any(phrase.floor for phrase in phrases):
        return None
    times, rows = [clock.times[0]], [None]
    plant, planted = np.zeros((len(t), 2, 3)), np.zeros((len(t), 2))
    for phrase in phrases:
        if phrase.floor is None:
            continue
        flip = -1.0 if phrase.mirror else 1.0
        times.append(clock.seconds(phrase.first))
        rows.append(None)
        for count, row in phrase.floor.body:
            times.append(clock.seconds(phrase.first + count))
            rows.append(None if row is None else np.array(row) * np.array([1, flip, 1, 1, flip, flip, 1, 1]))
        for count, until, hand, x, z in phrase.floor.hands:
            down, up = clock.seconds(phrase.first + count), clock.seconds(phrase.first + until)
            before = 0.55 * (down - clock.seconds(phrase.first + count - 1))
            side = hand if flip > 0 else 1 - hand
            weight = quintic((t - down + before) / before) * quintic((up + before - t) / before)
            place = _world(np.array([flip * x, z]), facing(down), centre(down))
            here = weight > planted[:, side]
            plant[here, side] = [place[0], WRIST_HEIGHT, place[1]]
            planted[:, side] = np.maximum(planted[:, side], weight)
    down = np.array([row is not None for row in rows], float)
    values = _filled(rows)
    curve = interpolate_keys(t, np.array(times), np.column_stack([down, values]), dwell=0.06, longest=0.6)
    share, height, x, z, tip, turn, roll, spine, heel = curve.T
    face, middle = facing(t), centre(t)
    c, s = np.cos(face), np.sin(face)
    pelvis = np.stack([c * x + s * z + middle[:, 0], height, -s * x + c * z + middle[:, 1]], 1)
    return Floor(share, pelvis, np.stack([tip, turn, roll], 1), spine, heel, plant, planted)


def _filled(rows):
    """Numbers for the standing keys too: those of the nearest key that is down, before it or else after it."""
    known = [k for k, row in enumerate(rows) if row is not None]
    return np.array([rows[min(known, key=lambda k: (abs(k - at), k))] for at in range(len(rows))])


def lay_down(curves, floor, face):
    """Blend the figure into the standing `Curves`, in place."""
    share = floor.share[:, None]
    curves.pelvis = curves.pelvis * (1 - share) + floor.pelvis * share
    standing = curves.pelvis_rotation
    tipped = yaw(face) @ rotvec(floor.hips)
    curves.pelvis_rotation = slerp(standing, tipped, floor.share)
    curves.spine = curves.spine * (1 - share)
    curves.spine[:, 0] += floor.share * floor.spine
    level = 0.25 * floor.share * np.clip(floor.hips[:, 0], -0.6, 1.4)
    curves.neck[:, 0] = curves.neck[:, 0] * (1 - floor.share) - level
    curves.head[:, 0] = curves.head[:, 0] * (1 - floor.share) - level
    curves.foot_pitch = curves.foot_pitch * (1 - share) + floor.heel[:, None] * share
    curves.down = floor.share
    curves.tip = yaw(face) @ rotvec(floor.hips * share) @ yaw(-face)
    curves.plant, curves.planted, curves.facing = floor.plant, floor.planted, face


def _world(local, angle, centre):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([c * local[0] + s * local[1], -s * local[0] + c * local[1]]) + centre

