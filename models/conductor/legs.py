"""Feet as outputs: where each foot is, whether it stands, and the legs that hang between pelvis and feet.

Seven values a foot (left, right) at 30 fps: ball xyz in metres (world, z up), sine and cosine of its yaw (0: facing -y), pitch in
radians (> 0 lifts the heel), contact 0..1. The ball does not move while a foot stands, also under a lifted heel, so a planted
foot is a constant that can be held exactly.
"""
import numpy as np

from core.body.legs import BALL_HEIGHT, Feet, feet_of, hang

ON, OFF = 0.6, 0.4                  # contact above the first begins to stand, below the second begins to swing
SHORTEST = 5                        # frames of a stand or a swing
SAME_PLACE_M, SAME_TURN = 0.03, 0.12   # two stands nearer than this (m, rad) are one: no step


def stands(contact):
    """[(first, stop), ...] frames in which a foot of contact (T,) stands; gaps and stands are at least `SHORTEST` long."""
    state, on = np.zeros(len(contact), bool), bool(contact[0] > 0.5)
    for frame, value in enumerate(contact):
        on = value > (OFF if on else ON)
        state[frame] = on
    for wanted in (True, False):                        # first fill short swings, then drop short stands
        for first, stop in _runs(state != wanted):
            if stop - first < SHORTEST and first > 0 and stop < len(state):
                state[first:stop] = wanted
    return _runs(state)


def _runs(mask):
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2])]


def planted(feet, amplitude, home):
    """`Feet` whose standing feet do not move at all; swings are bent to meet them.

    amplitude (T,): how far from `home` (ball (2,3), yaw (2,)) feet may be, read once a stand, so that it never drags a foot.
    A step that leads nowhere is left out.
    """
    ball, yaw, pitch = feet.ball.copy(), feet.yaw.copy(), feet.pitch.copy()
    contact = np.zeros_like(feet.contact)
    for s in (0, 1):
        found = stands(feet.contact[:, s]) or [(0, len(ball))]
        held = []                                                        # [first, stop, place (3,), turn]
        for first, stop in found:
            share = float(amplitude[first])
            place = home[0][s] + share * (np.median(ball[first:stop, s], axis=0) - home[0][s])
            turn = home[1][s] + share * (float(np.median(yaw[first:stop, s])) - home[1][s])
            place[2] = home[0][s, 2]
            if held and np.linalg.norm(place - held[-1][2]) < SAME_PLACE_M and abs(turn - held[-1][3]) < SAME_TURN:
                held[-1][1] = stop
            else:
                held.append([first, stop, place, turn])
        held[0][0] = 0 if held[0][0] < 2 * SHORTEST else held[0][0]
        for number, (first, stop, place, turn) in enumerate(held):
            before = held[number - 1] if number else None
            start = before[1] if before else 0
            if start < first:
                _swing(ball[:, s], yaw[:, s], pitch[:, s], start, first, before, (place, turn), amplitude)
            ball[first:stop, s], yaw[first:stop, s], contact[first:stop, s] = place, turn, 1.0
            pitch[first:stop, s] = np.clip(pitch[first:stop, s], 0, 0.5) * amplitude[first:stop]
        last = held[-1]
        ball[last[1]:, s], yaw[last[1]:, s], contact[last[1]:, s] = last[2], last[3], 1.0
        pitch[last[1]:, s] = np.clip(pitch[last[1]:, s], 0, 0.5) * amplitude[last[1]:]
    return Feet(ball, yaw, pitch, contact)


def _swing(ball, yaw, pitch, start, stop, before, after, amplitude):
    """Frames start..stop of one foot in the air, in place: its own path plus what carries it from stand to stand."""
    u = (np.arange(start, stop) - start + 1) / (stop - start + 1)
    ease = u * u * (3 - 2 * u)
    place, turn = after
    first_gap = (before[2] - ball[start]) if before else (place - ball[stop - 1])
    last_gap = place - ball[stop - 1]
    ball[start:stop] += (1 - ease)[:, None] * first_gap + ease[:, None] * last_gap
    first_turn = (before[3] - yaw[start]) if before else (turn - yaw[stop - 1])
    yaw[start:stop] += (1 - ease) * first_turn + ease * (turn - yaw[stop - 1])
    ball[start:stop, 2] = np.maximum(ball[start:stop, 2], place[2])
    pitch[start:stop] = np.clip(pitch[start:stop], -0.3, 0.8) * amplitude[start:stop]


def carried(feet, home):
    """(T,2) metres: how far the middle between the feet has gone from its place at `home`, for a pelvis that goes along."""
    away = feet.ball[:, :, :2] - home[0][:, :2]
    return away.mean(1)


__all__ = ["BALL_HEIGHT", "Feet", "carried", "feet_of", "hang", "planted", "stands"]
