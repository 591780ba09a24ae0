"""After sampling: planted feet stay where they are, nothing sinks into the floor, joints bend no further than they can.

A denoiser draws contacts as channels of its own and feet that nearly obey them. Here the creeping that is left while a
foot is planted is taken back by two-bone IK on the leg, and what was taken back is given up again smoothly after the
foot lifts.
"""
import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, minimum_filter1d

from core.body.kinematics import OFFSETS, forward_kinematics, local_from_global
from core.body.motion import Motion
from core.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from core.retarget.rest import swing
from models.motion.representation import FEET, STANDING_M, foot_contacts
from models.motion.smoothing import minimum_jerk, runs

LEGS = (((1, 4, 7, 10), slice(0, 2)), ((2, 5, 8, 11), slice(2, 4)))    # hip, knee, ankle, toe; their contact channels
PLANTED = 0.5                               # contact above which a foot is locked
SOFT_SECONDS = 0.04  # contacts are smoothed over so long: a flicker would be a twitch of the knee
SHORTEST_SECONDS = 0.08                     # shorter contacts are noise
RELEASE_SECONDS = 0.15                      # the correction fades in and out
MOST_METRES = 0.15                          # a foot that creeps further in one contact is stepping, not planted
MOST_SWIVEL = np.radians(30.0)              # a foot that turns further from its middle direction is turned on purpose
REACH = 0.995                               # of the leg's length
CLEARANCE = {15: 0.10, 20: 0.03, 21: 0.03, 22: 0.02, 23: 0.02, 18: 0.04, 19: 0.04, 4: 0.05, 5: 0.05, 0: 0.09}   # m
FLOAT_SECONDS = 0.8  # nobody hangs in the air for so long: a longer flight is a floor that was measured too low
FLOAT_METRES = 0.005                        # and by so little nobody sees it
# Widest angle in degrees between a joint and the T-pose (spine, neck, head) or its mean of the training data; generous.
LIMITS = {1: 130, 2: 130, 3: 50, 4: 155, 5: 155, 6: 50, 7: 70, 8: 70, 9: 50, 10: 60, 11: 60, 12: 60, 13: 60, 14: 60,
          15: 60, 18: 160, 19: 160, 20: 95, 21: 95, 22: 60, 23: 60}


def clean(motion, contacts=None, lifts=None):
    """A cleaned `Motion`. contacts (T, 4) in 0..1 at its rate, of left ankle, left toe, right ankle, right toe; None:
    as they are seen on the motion once it stands on the floor. lifts: (T, 2) metres by which the left and the right
    foot are raised, or None.
    """
    motion = limited(motion)
    motion = grounded(above_floor(motion))
    if contacts is None:
        contacts = foot_contacts(torch.from_numpy(np.ascontiguousarray(motion.positions())), motion.fps).numpy()
    return locked(motion, np.asarray(contacts, dtype=np.float64), lifts)


def limited(motion):
    """Joint angles brought within `LIMITS`: a rotation beyond its limit keeps its axis."""
    joints = sorted(LIMITS)
    vector = matrix_to_axis_angle(motion.rotations[:, joints])
    angle = np.linalg.norm(vector, axis=-1, keepdims=True)
    most = np.radians([LIMITS[joint] for joint in joints])[None, :, None]
    if not np.any(angle > most):
        return motion
    rotations = motion.rotations.copy()
    beyond = (angle > most)[..., 0]
    changed = axis_angle_to_matrix(vector * np.minimum(1.0, most / np.maximum(angle, 1e-6)))
    rotations[:, joints] = np.where(beyond[..., None, None], changed, rotations[:, joints])
    return Motion(rotations, motion.root, motion.fps)


def above_floor(motion):
    """The body raised, smoothly in time, where a hand, knee, head or the seat would sink in. Feet are the legs'
    business."""
    positions = motion.positions()
    joints = list(CLEARANCE)
    sink = np.maximum(0.0, (np.array([CLEARANCE[j] for j in joints]) - positions[:, joints, 2]).max(axis=1))
    if not np.any(sink > 0):
        return motion
    width = max(1, int(0.15 * motion.fps))
    lift = np.maximum(gaussian_filter1d(maximum_filter1d(sink, 2 * width + 1, mode="nearest"), width / 2.5,
                                        mode="nearest"), sink)
    root = motion.root.copy()
    root[:, 2] += lift
    return Motion(motion.rotations, root, motion.fps)


def grounded(motion):
    """The body let down, smoothly in time, where nothing of it comes near the floor for longer than a jump lasts."""
    positions = motion.positions()
    feet = (positions[:, FEET, 2] - np.array(STANDING_M)).min(axis=1)
    joints = list(CLEARANCE)
    height = np.minimum(feet, (positions[:, joints, 2] - np.array([CLEARANCE[j] for j in joints])).min(axis=1))
    width = 2 * int(FLOAT_SECONDS * motion.fps / 2) + 1
    if len(motion) < width or height.max() <= FLOAT_METRES:
        return motion
    # Each of the averaged minima is of a stretch that holds the frame itself, so nothing comes below the floor.
    drift = gaussian_filter1d(minimum_filter1d(height, width, mode="nearest"), width / 6, mode="nearest", truncate=3.0)
    root = motion.root.copy()
    root[:, 2] -= np.clip(drift - FLOAT_METRES, 0.0, None)
    return Motion(motion.rotations, root, motion.fps)


def locked(motion, contacts, lifts=None):
    """Feet that do not slide while planted and never sink; the pelvis comes down where a leg would be too short. lifts:
    as `clean`.
    """
    positions, _ = forward_kinematics(motion.rotations, motion.root)
    wanted, swivels = {}, {}
    for foot, ((hip, _, ankle, toe), channels) in enumerate(LEGS):
        contact = gaussian_filter1d(contacts[:, channels], SOFT_SECONDS * motion.fps, axis=0, mode="nearest")
        swivels[hip] = _swivel(positions[:, toe] - positions[:, ankle], contact, motion.fps)
        toes = positions[:, ankle] + _about_z(swivels[hip], positions[:, toe] - positions[:, ankle])
        points = np.stack([positions[:, ankle], toes], axis=1)
        wanted[hip] = positions[:, ankle] + _correction(points, contact, motion.fps)
        if lifts is not None:
            wanted[hip] = wanted[hip] + np.outer(lifts[:, foot], [0.0, 0.0, 1.0])
    root = motion.root + _lowering(positions, wanted, motion.fps)
    moved = Motion(motion.rotations, root.astype(np.float32), motion.fps)
    return _reach(moved, wanted, swivels)


def _about_z(angle, vector):
    """(T, 3) vectors turned by angles (T,) about z."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y, z = vector.T
    return np.stack([cos * x - sin * y, sin * x + cos * y, z], axis=1)


def _swivel(foot, contact, fps):
    """(T,) radians about z that a flat foot must turn back by, so that it does not turn under the weight.

    foot (T, 3): from ankle to toe; contact (T, 2), smoothed. Heel and toe both planted cannot turn: left alone, each
    slides to and fro about the middle between them.
    """
    flat, back, held = contact.min(axis=1), np.zeros(len(foot)), np.zeros(len(foot), dtype=bool)
    direction = np.unwrap(np.arctan2(foot[:, 1], foot[:, 0]))
    for start, stop in runs(flat > PLANTED):
        turned = np.median(direction[start:stop]) - direction[start:stop]
        if stop - start >= max(2, SHORTEST_SECONDS * fps) and np.abs(turned).max() <= MOST_SWIVEL:
            back[start:stop], held[start:stop] = turned, True
    return _faded(back[:, None], held, max(1, int(RELEASE_SECONDS * fps)))[:, 0]


def _correction(points, contact, fps):
    """(T, 3) what the ankle must move by, from its points ankle and toe (T, 2, 3) and their smoothed contacts (T, 2).
    """
    strength = contact.max(axis=1)
    share = contact + 1e-6
    share = share / share.sum(axis=1, keepdims=True)
    error = np.zeros((len(points), 3))
    held = np.zeros(len(points), dtype=bool)
    for start, stop in runs(strength > PLANTED):
        if stop - start < max(2, SHORTEST_SECONDS * fps):
            continue
        # The velocity of the contact point, so that rolling from heel to toe is no slide.
        step = np.diff(points[start:stop, :, :2], axis=0)
        weight = (share[start:stop - 1] + share[start + 1:stop]) / 2
        drift = np.concatenate([np.zeros((1, 2)), np.cumsum((step * weight[..., None]).sum(axis=1), axis=0)])
        back = np.median(drift, axis=0) - drift
        if np.linalg.norm(back, axis=1).max() > MOST_METRES:
            continue
        held[start:stop] = True
        error[start:stop, :2] = back
        # A foot floats by what its lower point does: ankles of different feet stand at different heights.
        lift = np.maximum(0.0, (points[start:stop, :, 2] - np.array(STANDING_M[:2])).min(axis=1))
        error[start:stop, 2] = -lift * minimum_jerk((strength[start:stop] - PLANTED) / (1 - PLANTED))
    error = _faded(error, held, max(1, int(RELEASE_SECONDS * fps)))
    lowest = (points[..., 2] + error[:, None, 2] - np.array([0.5 * STANDING_M[0], STANDING_M[1]])).min(axis=1)
    return error + np.outer(_raised(np.maximum(0.0, -lowest), fps), [0.0, 0.0, 1.0])


def _raised(sink, fps):
    """(T,) a smooth curve that is nowhere below `sink`."""
    width = max(1, int(0.05 * fps))
    raised = gaussian_filter1d(maximum_filter1d(sink, 2 * width + 1, mode="nearest"), width / 2.0, mode="nearest")
    return np.maximum(raised, sink)


def _faded(error, held, ease):
    """The correction carried over the neighbouring free frames, where it dies away; between two contacts they are
    mixed."""
    total, weight = np.zeros_like(error), np.zeros(len(error))
    index = np.arange(len(error))
    for start, stop in runs(held):
        distance = np.maximum(np.maximum(start - index, index - (stop - 1)), 0)
        near = distance <= ease
        share = (1 - minimum_jerk(distance[near] / (ease + 1))) * ~held[near]
        total[near] += share[:, None] * np.where(index[near, None] < start, error[start], error[stop - 1])
        weight[near] += share
    return np.where(held[:, None], error, total / np.maximum(weight, 1.0)[:, None])


def _lowering(positions, wanted, fps):
    """(T, 3) how far the pelvis must come down, smoothly, for both ankles to reach their places."""
    down = np.zeros(len(positions))
    for (hip, knee, ankle, _), _ in LEGS:
        most = REACH * (np.linalg.norm(OFFSETS[knee]) + np.linalg.norm(OFFSETS[ankle]))
        away = positions[:, hip] - wanted[hip]
        flat = np.linalg.norm(away[:, :2], axis=1)
        height = np.sqrt(np.maximum(most**2 - flat**2, 0.0))
        down = np.maximum(down, np.where(flat < most, away[:, 2] - height, 0.0))
    down = np.clip(down, 0.0, 0.08)
    if np.any(down > 0):
        width = max(1, int(0.1 * fps))
        down = gaussian_filter1d(maximum_filter1d(down, 2 * width + 1, mode="nearest"), width / 2.0, mode="nearest")
    return np.stack([np.zeros_like(down), np.zeros_like(down), -down], axis=1)


def _reach(motion, wanted, swivels):
    """Both legs bent so that the ankles come to `wanted` {hip: (T, 3)}; feet keep their direction in the world, turned
    by `swivels` {hip: (T,)} radians about z.

    Bend first (the knee's angle follows from the distance), then swing the whole leg: a correction of zero changes
    nothing.
    """
    positions, turns = forward_kinematics(motion.rotations.astype(np.float64), motion.root.astype(np.float64))
    turns = turns.copy()
    for (hip, knee, ankle, toe), _ in LEGS:
        a, b, c, goal = positions[:, hip], positions[:, knee], positions[:, ankle], wanted[hip]
        upper, lower = np.linalg.norm(OFFSETS[knee]), np.linalg.norm(OFFSETS[ankle])
        now, want = np.linalg.norm(c - a, axis=1), np.linalg.norm(goal - a, axis=1)
        want = np.where(want > now, np.minimum(want, np.maximum(now, REACH * (upper + lower))), np.maximum(want, 0.15))
        normal = np.cross(c - a, b - a)
        normal = normal - 1e-3 * turns[:, hip, :, 0]            # a straight leg bends about its own hinge
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        angle = _opening(want, upper, lower) - _opening(now, upper, lower)
        bend = axis_angle_to_matrix(normal * angle[:, None]).astype(np.float64)
        middle = a + (bend @ (b - a)[..., None])[..., 0]
        end = a + (c - a) * (want / np.maximum(now, 1e-9))[:, None]
        shin = swing((bend @ (c - b)[..., None])[..., 0], end - middle)
        whole = swing(end - a, goal - a)
        turns[:, hip] = whole @ bend @ turns[:, hip]
        turns[:, knee] = whole @ shin @ bend @ turns[:, knee]
        level = axis_angle_to_matrix(np.outer(swivels[hip], [0.0, 0.0, 1.0])).astype(np.float64)
        turns[:, ankle], turns[:, toe] = level @ turns[:, ankle], level @ turns[:, toe]
    rotations = local_from_global(turns).astype(np.float32)
    return Motion(rotations, motion.root.astype(np.float32), motion.fps)


def _opening(distance, upper, lower):
    """Angle at the hip between thigh and the way to the ankle, by the law of cosines."""
    return np.arccos(np.clip((upper**2 + distance**2 - lower**2) / (2 * upper * distance), -1, 1))


def slide_metres(positions, contacts, fps):
    """(C,) how far, in metres, each planted foot travels along the floor during a contact: all contacts of both feet.

    positions (T, 24, 3); contacts (T, 4). A contact lasts while a foot's channel stays above `PLANTED`.
    """
    found = []
    for number, joint in enumerate((7, 10, 8, 11)):
        for start, stop in runs(contacts[:, number] > 0.9):
            if stop - start >= max(2, SHORTEST_SECONDS * fps):
                place = positions[start:stop, joint, :2]
                found.append(float(np.linalg.norm(place - place[0], axis=1).max()))
    return np.array(found)
