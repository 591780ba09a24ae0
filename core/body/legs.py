"""Feet and the legs that hang from a pelvis to them: numpy, metres, radians, world z up, facing -y at yaw 0."""
from dataclasses import dataclass

import numpy as np

from core.body.ik import normalise, transported, two_bone
from core.body.kinematics import OFFSETS, forward_kinematics
from core.body.motion import Motion
from core.body.rotations import ROOT_TO_BLENDER

FEET, CHAINS = (10, 11), ((1, 4, 7, 10), (2, 5, 8, 11))
BALL_HEIGHT = float(0.95 + OFFSETS[1, 1] + OFFSETS[4, 1] + OFFSETS[7, 1] + OFFSETS[10, 1])
# a foot stands while its ball is slower and at most so much above its height on the floor
STILL_M_S, LOW_M = 0.08, 0.02
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
        """Of (T,14) or (T,2,7) values, as `feet_of` gives them."""
        values = np.asarray(values, dtype=np.float64).reshape(len(values), 2, 7)
        return cls(values[..., :3].copy(), np.unwrap(np.arctan2(values[..., 3], values[..., 4]), axis=0),
                   values[..., 5].copy(), values[..., 6].copy())


def feet_of(motion):
    """(T,2,7) float32 of a `Motion`, left foot first: ball xyz, sine and cosine of its yaw,
    pitch (> 0 lifts the heel), contact."""
    positions, turns = forward_kinematics(motion.rotations, motion.root)
    ball, forward = positions[:, FEET], turns[:, (7, 8)][..., 2]
    yaw = np.arctan2(forward[..., 0], -forward[..., 1])
    pitch = np.arcsin(np.clip(-forward[..., 2], -1, 1))
    speed = np.linalg.norm(np.gradient(ball, axis=0),
                           axis=-1) * motion.fps if len(motion) > 1 else np.zeros(ball.shape[:2])
    contact = (speed < STILL_M_S) & (ball[..., 2] < BALL_HEIGHT + LOW_M)
    return np.concatenate([ball, np.stack([np.sin(yaw), np.cos(yaw), pitch, contact], -1)], -1).astype(np.float32)


def foot_rotations(yaw, pitch):
    """Global rotations (...,3,3), z up, of feet with these angles (...)."""
    c, s, o = np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)
    about_up = np.stack([np.stack([c, o, s], -1), np.stack([o, o + 1, o], -1), np.stack([-s, o, c], -1)], -2)
    c, s = np.cos(pitch), np.sin(pitch)
    about_side = np.stack([np.stack([o + 1, o, o], -1), np.stack([o, c, -s], -1), np.stack([o, s, c], -1)], -2)
    return ROOT_TO_BLENDER.astype(np.float64) @ about_up @ about_side


def hang(motion, feet):
    """`motion` with legs between its pelvis and `feet`; a pelvis out of the legs' reach is brought back into it."""
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
        upper, lower, _ = two_bone(start, ankles[:, s], pole, OFFSETS[knee], OFFSETS[ankle], (1, 0, 0),
                                   closest=REACH[0], farthest=0.9995)
        toes = turn[:, s] @ _pitched(-0.8 * np.clip(feet.pitch[:, s], 0, 0.9))
        for joint, above, own in ((hip, pelvis, upper), (knee, upper, lower), (ankle, lower, turn[:, s]),
                                  (toe, turn[:, s], toes)):
            rotations[:, joint] = above.swapaxes(-1, -2) @ own
    return Motion(rotations.astype(np.float32), root.astype(np.float32), motion.fps)


def _pitched(angle):
    c, s, o = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    return np.stack([np.stack([o + 1, o, o], -1), np.stack([o, c, -s], -1), np.stack([o, s, c], -1)], -2)
