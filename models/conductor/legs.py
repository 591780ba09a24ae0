"""Feet as outputs: where each foot is, whether it stands, and the legs that hang between pelvis and feet.

Seven values a foot (left, right) at 30 fps: ball xyz in metres (world, z up), sine and cosine of its yaw (0: facing
-y), pitch in radians (> 0 lifts the heel), contact 0..1. The ball does not move while a foot stands, also under a
lifted heel, so a planted foot is a constant that can be held exactly.
"""
import numpy as np

from core.body.legs import BALL_HEIGHT, Feet, feet_of, hang

ON, OFF = 0.7, 0.5                  # contact above the first begins to stand, below the second begins to swing
DRIFT_M, DRIFT_TURN = 0.040, 0.16   # a standing foot that a network wants so much elsewhere makes a step there
SWING, SETTLED = 14, 24             # frames such a step takes, and that a foot stands before and after
LIFT_M = 0.055                      # a foot in the air on its way to another place is at least so high
SHORTEST = 5                        # frames of a stand or a swing
SAME_PLACE_M, SAME_TURN = 0.025, 0.10   # two stands nearer than this (m, rad) are one: no step


def stands(contact):
    """[(first, stop), ...] frames in which a foot of contact (T,) stands; gaps and stands are at least `SHORTEST`
    long."""
    state, on = np.zeros(len(contact), bool), bool(contact[0] > 0.5)
    for frame, value in enumerate(contact):
        on = value > (OFF if on else ON)
        state[frame] = on
    for wanted in (True, False):                        # first fill short swings, then drop short stands
        for first, stop in _runs(state != wanted):
            if stop - first < SHORTEST and first > 0 and stop < len(state):
                state[first:stop] = wanted
    return _runs(state)


def drifting(found, place, yaw, contact, busy):
    """Stands of a foot, split by a step where its wished place (T,2) or yaw (T,) leaves what it stands on.

    A network that is unsure whether a step comes lets the foot slide a little; here it stays, and goes once it is worth
    a step. The step is put where contact (T,) is weakest nearby, and not while the other foot is in the air (busy, (T,)
    booleans).
    """
    out, todo = [], list(found)
    while todo:
        first, stop = todo.pop(0)
        ground = slice(first, min(first + 2 * SETTLED, stop))
        away = np.maximum(np.linalg.norm(place[first:stop] - np.median(place[ground], axis=0), axis=1) / DRIFT_M,
                          np.abs(yaw[first:stop] - np.median(yaw[ground])) / DRIFT_TURN)
        free = ~np.convolve(busy, np.ones(2 * SWING + 1), "same").astype(bool)[first:stop]
        wants = np.flatnonzero((np.convolve(away > 1, np.ones(8), "full")[7:7 + len(away)] > 7) & free)
        wants = wants[(wants >= SETTLED) & (wants < stop - first - SETTLED - SWING)] + first
        if not len(wants):
            out.append((first, stop))
            continue
        window = np.arange(wants[0], min(wants[0] + SETTLED, stop - SETTLED - SWING))
        at = int(window[np.argmin(contact[window])])
        out.append((first, at))
        todo.insert(0, (at + SWING, stop))
    return out


def in_turn(found, busy):
    """Stands of a foot with its swings moved, by as little as can be, to where the other foot stands: nobody hops.

    busy (T,): frames in which the other foot is in the air. A swing without room between its stands stays.
    """
    out = [list(stand) for stand in found]
    air = np.concatenate([[0], np.cumsum(busy)])
    for before, after in zip(out, out[1:]):
        start, length = before[1], after[0] - before[1]
        starts = np.arange(before[0] + SHORTEST, after[1] - SHORTEST - length + 1)
        free = starts[air[starts + length] == air[starts]]
        if air[start + length] > air[start] and len(free):
            before[1] = int(free[np.argmin(np.abs(free - start))])
            after[0] = before[1] + length
    return [tuple(stand) for stand in out]


def _runs(mask):
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2])]


def planted(feet, amplitude, home):
    """`Feet` whose standing feet do not move at all; swings are bent to meet them.

    amplitude (T,): how far from `home` (ball (2,3), yaw (2,)) feet may be, read once a stand, so that it never drags a
    foot.
    A step that leads nowhere is left out.
    """
    ball, yaw, pitch = feet.ball.copy(), feet.yaw.copy(), feet.pitch.copy()
    contact = np.zeros_like(feet.contact)
    busy = np.zeros(len(ball), bool)                                    # frames in which the other foot is in the air
    for s in (0, 1):
        found = stands(feet.contact[:, s]) or [(0, len(ball))]
        found = drifting(found, feet.ball[:, s, :2], feet.yaw[:, s], feet.contact[:, s], busy)
        found = in_turn(found, busy) if s else found
        busy = ~np.isin(np.arange(len(ball)), np.concatenate([np.arange(a, b) for a, b in found]))
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
    across = np.clip((u - 0.2) / 0.6, 0, 1)                              # over the floor only while in the air
    ease = across * across * (3 - 2 * across)
    place, turn = after
    # the network's arc about the way
    own = ball[start:stop] - (ball[start] + ease[:, None] * (ball[stop - 1] - ball[start]))
    own_turn = yaw[start:stop] - (yaw[start] + ease * (yaw[stop - 1] - yaw[start]))
    from_place, from_turn = (before[2], before[3]) if before else (place, turn)
    airborne = (np.sin(np.pi * u) ** 2)[:, None]
    ball[start:stop] = from_place + ease[:, None] * (place - from_place) + airborne * own * [0.5, 0.5, 1.0]
    yaw[start:stop] = from_turn + ease * (turn - from_turn) + airborne[:, 0] * own_turn
    far = min(1.0, float(np.linalg.norm(place[:2] - (before[2] if before else place)[:2])) / SAME_PLACE_M)
    ball[start:stop, 2] = np.maximum(ball[start:stop, 2],
                                     place[2] + far * LIFT_M * np.minimum(1, 1.25 * np.sin(np.pi * u)))
    pitch[start:stop] = np.clip(pitch[start:stop], -0.3, 0.8) * amplitude[start:stop]


def carried(feet, home):
    """(T,2) metres: how far the middle between the feet has gone from its place at `home`, for a pelvis that goes
    along."""
    away = feet.ball[:, :, :2] - home[0][:, :2]
    return away.mean(1)


__all__ = ["BALL_HEIGHT", "Feet", "carried", "drifting", "feet_of", "hang", "in_turn", "planted", "stands"]
