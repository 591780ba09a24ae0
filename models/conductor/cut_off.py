"""What the arms do where the music ends: the last chord is held, cut off with a small loop, and they come to rest.

A rule after the network, not the network: its strokes would go on while the last chord rings. Up to the last stroke
nothing is touched; from there the arms slow down to a hold within the rebound of that stroke, both hands draw a loop
that closes when the sound is let go, stay for a moment, and go down (or to ready, where another movement follows, which
then begins as the network has it). Trunk and legs stay the network's.
"""
import numpy as np

from core.body.ik import two_bone
from core.body.kinematics import OFFSETS, forward_kinematics
from core.body.motion import Motion
from models.conductor.config import FPS
from models.conductor.controls import LEFT_ARM, RIGHT_ARM, power

ARMS = (LEFT_ARM, RIGHT_ARM)        # collar, shoulder, elbow, wrist, hand
NEAR_S = 0.25                       # a stroke so near to the last attack is the one that strikes it
LEAST_HELD_S = 0.9                  # of a last note whose attack is not heard
REBOUND = 0.6                       # share of the rebound in which the hand comes to stand
SLOWEST, FASTEST = 5, 14            # frames of the network's own time that it takes, at most and at least
LOOP_S, SHORTEST_LOOP_S = 0.75, 0.4     # a loop takes; with less time there is none: the last stroke was the end
SMALL_M, LARGER_M = 0.030, 0.045    # radius of a loop at the softest chord, and what the loudest adds
LIFT_M, LIFT_S = 0.03, 3.0          # how far hands rise and open while a chord is held, and how slowly
STILL_S, SOFT_STILL_S = 0.3, 0.5    # hands stay after the cut, and longer after a soft one
DOWN_S, READY_S = 1.6, 1.0          # that they then take to hang, or to be ready for what follows
BACK_S = (1.0, 0.5)                 # s before the next sound in which arms become the network's; with a stroke that
                                    # leads into it they are so at that stroke, and take as long
RAISED_M = (0.95, 1.08)             # heights of a wrist between which its hand begins to take part in the loop
HANGING = np.array([0.07, 0.07, 0.46])  # m from shoulder to wrist of a hanging arm: outward, forward, down


def eased(u):
    """0 to 1 without speed and acceleration at either end, for u clipped to 0..1."""
    u = np.clip(u, 0, 1)
    return u ** 3 * (10 - 15 * u + 6 * u * u)


def cut_off(motion, pose, endings, strokes, first, lead, share=1.0):
    """`motion`, of a track from frame `first` on, with the arms of a hold and a cut-off at each of its `Ending`s.

    pose (147,): standing ready; strokes: `Beats` of the passage on the ictus clock, or None; lead: s of motion before
    sound; share: 0..1 of the gestures' size.
    """
    for ending in endings:
        start, release = _struck(motion, ending, strokes, first, lead), ending.release - first - lead * FPS
        stop = len(motion)
        if ending.following is not None:
            stop = min(stop, int(_until(ending) - first))
        if start < len(motion) - 1 and stop > max(start, 0) + 1:
            motion = _ended(motion, pose, ending, (start, release, stop), first, share)
    return motion


def _until(ending):
    """Frame of the track from which on the arms are the network's again: the stroke that leads into what follows."""
    return ending.following - BACK_S[1] * FPS if ending.prepared is None else ending.prepared


def _struck(motion, ending, strokes, first, lead):
    """Frame of the last stroke: the hand's lowest point nearest to the last attack, or to the last stroke that was
    asked for well before the sound is let go."""
    if ending.attack is not None:
        wanted = ending.attack - first - lead * FPS
    else:
        wanted = ending.release - first - (lead + LEAST_HELD_S) * FPS
        times = np.zeros(0) if strokes is None else strokes.times * FPS
        wanted = times[times < wanted].max(initial=-np.inf) if (times < wanted).any() else wanted
    wanted, near = int(round(wanted)), int(NEAR_S * FPS)
    if not near < wanted < len(motion) - near:
        return wanted
    height = motion.slice(wanted - near, wanted + near + 1).positions()[:, RIGHT_ARM[-1], 2]
    inner = np.flatnonzero((height[1:-1] <= height[:-2]) & (height[1:-1] < height[2:])) + 1
    return wanted if not len(inner) else wanted - near + int(inner[np.argmin(np.abs(inner - near))])


def _ended(motion, pose, ending, when, first, share):
    """The motion with the arms of one ending; when: frames of the last stroke, of the release, and where another
    begins."""
    start, release, stop = when
    start = max(start, 0)
    index = np.arange(start, stop)
    arms = motion.rotations.copy()
    for joints in ARMS:
        arms[start:stop, list(joints)] = _held(motion, list(joints), start, index)
    held = Motion(arms, motion.root, motion.fps).slice(start, stop)
    loop = _loop(index, start, release, ending.loudness)
    lift = eased((index - start) / (LIFT_S * FPS)) * LIFT_M
    turn = held.rotations[:, 0]
    aside, height = turn[:, :, 0] * [1, 1, 0], np.array([0.0, 0.0, 1.0])
    aside /= np.maximum(np.linalg.norm(aside, axis=-1, keepdims=True), 1e-6)
    places = held.positions()
    for side, joints in ((1.0, LEFT_ARM), (-1.0, RIGHT_ARM)):
        part = share * eased((places[:, joints[3], 2].max() - RAISED_M[0]) / (RAISED_M[1] - RAISED_M[0]))
        across, up = loop[:, 0] + 0.5 * lift, loop[:, 1] + lift
        held = reached(held, joints, part * (side * across[:, None] * aside + up[:, None] * height))
    made = _at_rest(held, pose, ending, index - release)
    back = np.ones(len(index))
    if ending.following is not None:
        back = eased((_until(ending) - first - index) / ((BACK_S[0] - BACK_S[1]) * FPS))
    rotations = motion.rotations.copy()
    for joints in ARMS:
        there = list(joints)
        own = rotations[start:stop, there]
        rotations[start:stop, there] = own @ power(own.swapaxes(-1, -2) @ made.rotations[:, there], back[:, None])
    return Motion(rotations.astype(np.float32), motion.root, motion.fps)


def _held(motion, joints, start, index):
    """(T, J, 3, 3) of joints whose own time runs slower and slower from frame `start` on, until it stands."""
    height = motion.positions()[start:start + 2 * FPS, joints[-1], 2] if len(motion) > start + 2 else np.zeros(1)
    rises = np.append(np.diff(height) <= 0, True)
    top = int(np.argmax(rises[2:])) + 2 if len(rises) > 2 else 0
    runs = float(np.clip(REBOUND * top, SLOWEST, FASTEST))
    u = np.clip((index - start) / (2 * runs), 0, 1)
    own = np.minimum(start + 2 * runs * (u - u ** 3 + u ** 4 / 2), len(motion) - 1)
    low = np.minimum(own.astype(int), len(motion) - 2)
    a, b = motion.rotations[low][:, joints], motion.rotations[low + 1][:, joints]
    return a @ power(a.swapaxes(-1, -2) @ b, (own - low)[:, None])


def _loop(index, start, release, loudness):
    """(T, 2) metres outward and up of a loop that closes at frame `release`; none where the chord is too short."""
    length = min(LOOP_S, 0.8 * (release - start) / FPS) * FPS
    out = np.zeros((len(index), 2))
    if length < SHORTEST_LOOP_S * FPS:
        return out
    angle = 2 * np.pi * eased(np.clip((index - release + length) / length, 0, 1) ** 1.2)
    # A quicker loop is smaller, so that no hand has to turn faster.
    radius = (SMALL_M + LARGER_M * loudness) * (length / (LOOP_S * FPS)) ** 2
    return radius * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=1)


def _at_rest(held, pose, ending, since):
    """`held` with its arms going down, since (T,) frames after the cut; to ready where music follows."""
    last = ending.following is None
    ready = Motion.from_vector(np.asarray(pose, dtype=np.float32)[None])
    still = STILL_S + SOFT_STILL_S * (1 - ending.loudness)
    weight = eased((since / FPS - still) / (DOWN_S if last else READY_S))
    rotations = held.rotations.copy()
    target = hanging(held) if last else held.rotations
    for joints in ARMS:
        there = list(joints)
        wanted = target[:, there] if last else np.broadcast_to(ready.rotations[:, there], rotations[:, there].shape)
        own = rotations[:, there]
        rotations[:, there] = own @ power(own.swapaxes(-1, -2) @ wanted, weight[:, None])
    return Motion(rotations.astype(np.float32), held.root, held.fps)


def hanging(motion):
    """(T, 24, 3, 3) of `motion` with arms that hang beside the body."""
    places, turns = forward_kinematics(motion.rotations, motion.root)
    aside, ahead = (turns[:, 0, :, axis] * [1, 1, 0] for axis in (0, 2))
    rotations = motion.rotations.copy()
    for side, joints in ((1.0, LEFT_ARM), (-1.0, RIGHT_ARM)):
        out, forward, down = HANGING
        wrist = side * out * aside + forward * ahead - down * np.array([0.0, 0.0, 1.0])
        upper, lower, _ = _arm(joints, wrist, -ahead)
        rotations[:, joints[1]] = turns[:, joints[0]].swapaxes(-1, -2) @ upper
        rotations[:, joints[2]] = upper.swapaxes(-1, -2) @ lower
    return rotations


def reached(motion, joints, offset):
    """`motion` with the wrist of an arm (joints: collar, shoulder, elbow, wrist, hand) moved by offset (T, 3) metres,
    turned about the arm as it was; nothing moves where the offset is zero."""
    if not np.any(offset):
        return motion
    places, turns = forward_kinematics(motion.rotations, motion.root)
    collar, shoulder, elbow, wrist, _ = joints
    reach, pole = places[:, wrist] - places[:, shoulder], places[:, elbow] - places[:, shoulder]
    before, after = _arm(joints, reach, pole), _arm(joints, reach + offset, pole)
    upper, lower = (after[i] @ before[i].swapaxes(-1, -2) @ turns[:, joint] for i, joint in ((0, shoulder), (1, elbow)))
    rotations = motion.rotations.copy()
    rotations[:, shoulder] = turns[:, collar].swapaxes(-1, -2) @ upper
    rotations[:, elbow] = upper.swapaxes(-1, -2) @ lower
    return Motion(rotations.astype(np.float32), motion.root, motion.fps)


def _arm(joints, reach, pole):
    hinge = (0, -1.0 if joints is LEFT_ARM else 1.0, 0)
    return two_bone(np.zeros_like(reach), reach, pole, OFFSETS[joints[2]], OFFSETS[joints[3]], hinge)
