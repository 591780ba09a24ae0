"""Feet as outputs: where each foot is, whether it stands, and the legs that hang between pelvis and feet.

Seven values a foot (left, right) at 30 fps: ball xyz in metres (world, z up), sine and cosine of its yaw (0: facing -y), pitch in
radians (> 0 lifts the heel), contact 0..1. The ball does not move while a foot stands, also under a lifted heel, so a planted
foot is a constant that can be held exactly.
"""
from dataclasses import dataclass

import numpy as np

from core.body.kinematics import OFFSETS, forward_kinematics
from core.body.motion import Motion
from core.body.rotations import ROOT_TO_BLENDER

FEET, CHAINS = (10, 11), ((1, 4, 7, 10), (2, 5, 8, 11))
BALL_HEIGHT = float(0.95 + OFFSETS[1, 1] + OFFSETS[4, 1] + OFFSETS[7, 1] + OFFSETS[10, 1])
STILL_M_S, LOW_M = 0.08, 0.02       # a foot stands while its ball is slower and at most so much above its height on the floor
ON, OFF = 0.6, 0.4                  # contact above the first begins to stand, below the second begins to swing
SHORTEST = 5                        # frames of a stand or a swing
SAME_PLACE_M, SAME_TURN = 0.03, 0.12   # two stands nearer than this (m, rad) are one: no step
KNEE_OUT = 0.2                      # rad, knees a little further out than the feet
REACH = (0.30, 0.9985)              # m; share of the leg's length


@dataclass
class Feet:
    """ball (T,2,3) metres, yaw and pitch (T,2) radians, contact (T,2) 0..1."""

    ball: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray
    contact: np.ndarray

    @classmethod
    def from_vector(cls, values):
        """(T,14) as networks give them."""
        values = np.asarray(values, dtype=np.float64).reshape(len(values), 2, 7)
        return cls(values[..., :3].copy(), np.unwrap(np.arctan2(values[..., 3], values[..., 4]), axis=0), values[..., 5].copy(),
                   values[..., 6].copy())


def feet_of(motion):
    """(T,2,7) float32 of a `Motion`."""
    positions, turns = forward_kinematics(motion.rotations, motion.root)
    ball, forward = positions[:, FEET], turns[:, (7, 8)][..., 2]
    yaw = np.arctan2(forward[..., 0], -forward[..., 1])
    pitch = np.arcsin(np.clip(-forward[..., 2], -1, 1))
    speed = np.linalg.norm(np.gradient(ball, axis=0), axis=-1) * motion.fps if len(motion) > 1 else np.zeros(ball.shape[:2])
    contact = (speed < STILL_M_S) & (ball[..., 2] < BALL_HEIGHT + LOW_M)
    return np.concatenate([ball, np.stack([np.sin(yaw), np.cos(yaw), pitch, contact], -1)], -1).astype(np.float32)


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


def foot_rotations(yaw, pitch):
    """Global rotations (...,3,3), z up, of feet with these angles (...)."""
    c, s, o = np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)
    about_up = np.stack([np.stack([c, o, s], -1), np.stack([o, o + 1, o], -1), np.stack([-s, o, c], -1)], -2)
    c, s = np.cos(pitch), np.sin(pitch)
    about_side = np.stack([np.stack([o + 1, o, o], -1), np.stack([o, c, -s], -1), np.stack([o, s, c], -1)], -2)
    return ROOT_TO_BLENDER.astype(np.float64) @ about_up @ about_side


def hang(motion, feet):
    """`motion` with legs between its pelvis and `feet`; a pelvis out of the legs' reach is brought back into it."""
    from core.body.ik import normalise, transported, two_bone
    rotations, root = motion.rotations.astype(np.float64), motion.root.astype(np.float64)
    pelvis, turn = rotations[:, 0], foot_rotations(feet.yaw, feet.pitch)
    ankles = feet.ball - (turn @ OFFSETS[list(FEET)].astype(np.float64)[:, :, None])[..., 0]
    for _ in range(4):                                                 # alternating projections onto both legs' reach
        for s, (hip, knee, ankle, _) in enumerate(CHAINS):
            away = root + pelvis @ OFFSETS[hip] - ankles[:, s]
            distance = np.linalg.norm(away, axis=-1, keepdims=True)
            reach = REACH[1] * (np.linalg.norm(OFFSETS[knee]) + np.linalg.norm(OFFSETS[ankle]))
            root += away / np.maximum(distance, 1e-6) * np.minimum(0.0, reach - distance)
    ahead = pelvis @ np.array([0.0, 0.0, 1.0])
    for s, (hip, knee, ankle, toe) in enumerate(CHAINS):
        start, side = root + pelvis @ OFFSETS[hip], (1.0, -1.0)[s]
        out = feet.yaw[:, s] + side * KNEE_OUT
        front = np.stack([np.sin(out), -np.cos(out), np.zeros_like(out)], -1) + 0.6 * ahead
        front = normalise(front * np.array([1.0, 1.0, 0.0]))
        pole = transported(normalise(ankles[:, s] - start), np.array([0.0, 0.0, -1.0]), front)
        upper, lower, _ = two_bone(start, ankles[:, s], pole, OFFSETS[knee], OFFSETS[ankle], (1, 0, 0), closest=REACH[0],
                                   farthest=0.9995)
        toes = turn[:, s] @ _pitched(-0.8 * np.clip(feet.pitch[:, s], 0, 0.9))
        for joint, above, own in ((hip, pelvis, upper), (knee, upper, lower), (ankle, lower, turn[:, s]), (toe, turn[:, s], toes)):
            rotations[:, joint] = above.swapaxes(-1, -2) @ own
    return Motion(rotations.astype(np.float32), root.astype(np.float32), motion.fps)


def _pitched(angle):
    c, s, o = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    return np.stack([np.stack([o + 1, o, o], -1), np.stack([o, c, -s], -1), np.stack([o, s, c], -1)], -2)


def carried(feet, home):
    """(T,2) metres: how far the middle between the feet has gone from its place at `home`, for a pelvis that goes along."""
    away = feet.ball[:, :, :2] - home[0][:, :2]
    return away.mean(1)
