"""From the pose a rig has into a take by steps: one foot after the other, no faster than a person puts a foot down.

A plain blend of joint angles drags both feet over the floor, or throws a raised leg down, within the blend's half
second. Here trunk and arms blend as asked, the feet take the time they need, and the legs hang between pelvis and feet.
Where no steps are slow enough (a headstand): swing_in.py.
"""
from dataclasses import replace
from functools import partial

import numpy as np

from core.body.legs import BALL_HEIGHT, Feet, feet_of, hang
from core.body.motion import Motion
from core.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from core.retarget.swing_in import swing_in

FASTEST = 0.92              # m/s of a foot, and of the pelvis that goes along
RIG_FASTEST = 0.95          # m/s in the world, on rigs of about a person's size
SLACK = 0.05                # m/s that steps may be faster than this before there are none
SETTLE_S = 0.25
SETTLING = 2.5              # at least so much longer than the way at full speed would take
PERSON = 0.7                # scale of the largest of these
LIFT = 0.05                 # m, a step from floor to floor
NEAR = 0.03, 0.15           # m, rad: a foot that already stands there makes no step
FARTHEST = 0.7              # m: farther than a step, the take does not start where the rig is
LONGEST = 6.0               # s, of the whole way in


def reachable(motion, present):
    """Whether a take's beginning is a step away from a pose:
    `present` is a `Motion` whose first frame is the pose, same world."""
    return float(np.linalg.norm(motion.root[0, :2] - present.root[0, :2])) <= FARTHEST


def rig_steps(motion, present, seconds, ankles, here, scale):
    """`step_in` with the feet of a rig, whose limbs may be of other lengths, no faster either; or `swing_in`, where
    steps would be.

    ankles(motion): (T,2,3) of the rig's ankles in the world; here (2,3): where they are now; scale: canonical metres of
    a unit there. On rigs of about a person's size a metre is the world's, on others the body's. Returns (motion,
    seconds in which pelvis and legs settle: what the steps leave between their pose and the rig's own goes meanwhile).
    """
    limit = min(FASTEST, RIG_FASTEST * scale) if scale > PERSON else FASTEST
    rig = ankles, here, scale, limit
    made, settle, over = _lengthened(step_in, motion, present, seconds, rig)
    if over > SLACK:
        swung, swing_settle, swing_over = _lengthened(partial(swing_in, fastest=limit), motion, present, seconds, rig)
        if swing_over < over:
            return swung, swing_settle
    return made, settle


def _lengthened(way, motion, present, seconds, rig):
    """(motion, s in which it settles, m/s that a foot is faster than allowed) of a way in that takes longer until none
    is, or until it takes too long; infinitely faster where the take is over before."""
    ankles, here, scale, limit = rig
    asked = seconds
    while True:
        made, span = way(motion, present, seconds)
        places = ankles(made.slice(0, min(len(made), int((span + 0.3) * made.fps))))
        gap = np.linalg.norm(places[0] - here, axis=-1).max() * scale
        settle = min(span, max(min(asked, SETTLE_S), SETTLING * gap / limit))
        t = np.clip(np.arange(len(places)) / made.fps / settle, 0, 1)
        places = here + (t * t * (3 - 2 * t))[:, None, None] * (places - here)
        speed = np.linalg.norm(np.diff(places, axis=0), axis=-1).max(initial=0.0) * scale * made.fps
        own = np.linalg.norm(np.diff(motion.positions()[:len(places), 7:9], axis=0), axis=-1).max() * made.fps
        over = speed - max(limit, min(own, limit / FASTEST))
        if span * made.fps >= len(motion) - 1:
            return made, settle, np.inf
        if over <= 0 or span > LONGEST:
            return made, settle, over
        seconds = span * min(1.5, max(1.05, speed / limit))


def step_in(motion, present, seconds):
    """(motion whose pelvis and legs come from the pose of `present`, seconds until they are the take's own).

    seconds: the blend asked for, at least; lengthened until no foot is faster than `FASTEST`.
    Trunk and arms are left alone.
    """
    start, own = Feet.from_vector(feet_of(present.slice(0, 1))), Feet.from_vector(feet_of(motion))
    span = max(float(seconds), 0.2)
    while True:
        made = _stepped(motion, present, start, own, span)
        feet = made.positions()[:, [7, 8, 10, 11]]
        speed = np.linalg.norm(np.diff(feet[:int(span * motion.fps) + 2], axis=0),
                               axis=-1).max(initial=0.0) * motion.fps
        after = np.linalg.norm(np.diff(own.ball, axis=0), axis=-1).max(initial=0.0) * motion.fps
        if speed <= max(FASTEST, min(after, 1.0)) or span > LONGEST or span * motion.fps >= len(motion) - 1:
            return made, span
        span *= 1.2


def _stepped(motion, present, start, own, span):
    t = np.arange(len(motion)) / motion.fps
    whole = _ease(t / span)
    left, right = start.ball[0, :, 2]
    farther = int(np.argmax(np.linalg.norm(own.ball[0] - start.ball[0], axis=-1)))
    first = 0 if left > right + 0.02 else 1 if right > left + 0.02 else farther
    feet = replace(own, ball=own.ball.copy(), yaw=own.yaw.copy(), pitch=own.pitch.copy())
    for foot in (0, 1):
        away = np.linalg.norm(own.ball[0, foot] - start.ball[0, foot])
        turn = own.yaw[:, foot] - start.yaw[0, foot]
        turn -= 2 * np.pi * np.round(turn[0] / (2 * np.pi))
        near = away < NEAR[0] and abs(turn[0]) < NEAR[1]
        low, high = (0.0, 1.0) if near else (0.02, 0.52) if foot == first else (0.48, 0.98)
        u = np.clip((t / span - low) / (high - low), 0, 1)
        ease = _ease(u)
        feet.ball[:, foot] = start.ball[0, foot] + ease[:, None] * (own.ball[:, foot] - start.ball[0, foot])
        raised = max(start.ball[0, foot, 2], own.ball[0, foot, 2]) - BALL_HEIGHT
        arc = np.sin(np.pi * ease) ** 2
        feet.ball[:, foot, 2] += 0.0 if near else max(0.0, LIFT - raised) * arc
        feet.yaw[:, foot] = start.yaw[0, foot] + ease * turn
        feet.pitch[:, foot] = start.pitch[0, foot] + ease * (own.pitch[:, foot] - start.pitch[0, foot])
    rotations, root = motion.rotations.copy(), motion.root.copy()
    between = matrix_to_axis_angle(present.rotations[0, 0].T @ motion.rotations[:, 0])
    rotations[:, 0] = present.rotations[0, 0] @ axis_angle_to_matrix(between * whole[:, None])
    root[:] = present.root[0] + whole[:, None] * (motion.root - present.root[0])
    made = hang(Motion(rotations.astype(np.float32), root.astype(np.float32), motion.fps), feet)
    late = t > span
    made.rotations[late], made.root[late] = motion.rotations[late], motion.root[late]
    return made


def _ease(u):
    u = np.clip(u, 0.0, 1.0)
    return u * u * u * (10.0 + u * (6.0 * u - 15.0))
