"""What the user's controls and kept ranges do to a conducting motion after the network: smoothing, size, left hand,
rest in silence, ranges that stay."""
import numpy as np
from scipy.ndimage import gaussian_filter1d, minimum_filter1d
from scipy.signal import savgol_filter

from core.body.motion import Motion
from core.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from core.errors import BadInput
from models.conductor.config import FOOT, FPS, MOVING
from models.conductor.features import stand

LEFT_ARM = (13, 16, 18, 20, 22)
RIGHT_ARM = (14, 17, 19, 21, 23)
HANDS = (22, 23)
FASTEST_HAND = 4.0                  # m/s that the hands of a person who conducts stay within
PELVIS_ADDS = 0.15                  # m/s
STROKE_FRAMES, SHRINKS = 9, 4       # frames on each side of a fast one that shrink with it; how often, at most
LOWERED = 0.85                      # size of a stroke whose elbow was above the shoulder, each time it is looked at
FEET = 3 + 6 * len(MOVING)          # first column of the feet in a smpl24_feet vector
BLEND_FRAMES = 8                    # ramp at the ends of a kept range
SILENT_LEVEL = 0.02                 # level below which the music is silent (about 59 dB under its loudest moment)
SILENT_SECONDS = 1.0                # and for how long, before the conductor comes to rest


def _columns(joints):
    return [3 + 6 * MOVING.index(joint) + i for joint in joints for i in range(6)]


# (frames, columns of the smpl24 vector) of `smoothed`: right arm, left arm, root with trunk and head.
SMOOTHING = ((5, _columns(RIGHT_ARM)), (11, _columns(LEFT_ARM)),
             (15, [0, 1, 2] + _columns(j for j in MOVING if j not in RIGHT_ARM + LEFT_ARM)),
             (7, list(range(FEET, FEET + 2 * FOOT))))             # of smpl24_feet only


def smoothed(vector):
    """smpl24 or smpl24_feet vectors (T, C) after Savitzky-Golay filters of order 3, wider where a conductor is slow.

    The published rendering filters all key points over 19 frames (order 5); that costs the beating hand a tenth of its
    ictus, so here the right arm gets 5 frames, the left 11, trunk and head 15.
    """
    out = np.array(vector)
    for window, columns in SMOOTHING:
        columns = [column for column in columns if column < vector.shape[1]]
        if columns:
            out[:, columns] = savgol(vector[:, columns], window)
    return out


def savgol(values, window):
    """(T, ...) after a Savitzky-Golay filter of order 3 along time; shorter than the window: as they are."""
    return savgol_filter(values, window, 3, axis=0) if len(values) >= window else np.array(values)


def power(rotations, exponent):
    """(..., 3, 3) rotations to a real power: their angles times `exponent` (broadcast over the leading axes)."""
    return axis_angle_to_matrix(matrix_to_axis_angle(rotations) * np.asarray(exponent)[..., None])


def scaled(motion, pose, amplitude, legs=True):
    """Joint angles and sway scaled by `amplitude` (number or (T,)) about the standing pose (147,); legs: stand it
    again."""
    amplitude = np.broadcast_to(np.asarray(amplitude, dtype=np.float32), (len(motion),))
    if np.all(amplitude == 1):
        return motion
    ready = Motion.from_vector(np.asarray(pose, dtype=np.float32)[None])
    base = np.broadcast_to(ready.rotations, motion.rotations.shape)
    rotations = base @ power(base.swapaxes(-1, -2) @ motion.rotations, amplitude[:, None])
    root = ready.root + (motion.root - ready.root) * amplitude[:, None]
    motion = Motion(rotations.astype(np.float32), root.astype(np.float32), motion.fps)
    return stand(motion, pose) if legs else motion


def within_speed(motion, pose, limit=FASTEST_HAND):
    """The motion with arms nearer to the standing pose (147,) about every stroke whose hand is faster than `limit` m/s;
    all else as it was.

    A stroke shrinks as a whole, over `STROKE_FRAMES` on both sides: a clipped speed would move the ictus. Speeds are
    those from the pelvis, so that arms are the same on all legs, with a little room for what the pelvis adds.
    """
    limit = limit - PELVIS_ADDS
    base = Motion.from_vector(np.asarray(pose, dtype=np.float32)[None]).rotations
    for _ in range(SHRINKS):
        hands = motion.positions()[:, HANDS] - motion.root[:, None]
        speeds = np.linalg.norm(np.diff(hands, axis=0), axis=-1) * motion.fps
        if not len(speeds) or speeds.max() <= limit:
            return motion
        rotations = motion.rotations.copy()
        for arm, speed in zip((LEFT_ARM, RIGHT_ARM), speeds.T):
            share = np.minimum(1.0, 0.99 * limit / np.maximum(speed, 1e-6))
            _shrink(rotations, base, arm, np.minimum(np.append(share, 1.0), np.insert(share, 0, 1.0)))
        motion = Motion(rotations.astype(np.float32), motion.root, motion.fps)
    return motion


def below_shoulders(motion, pose):
    """The motion with arms nearer to the standing pose (147,) about every stroke that lifts an elbow above its
    shoulder."""
    base = Motion.from_vector(np.asarray(pose, dtype=np.float32)[None]).rotations
    for _ in range(SHRINKS):
        places = motion.positions()
        above = places[:, [LEFT_ARM[2], RIGHT_ARM[2]], 2] > places[:, [LEFT_ARM[1], RIGHT_ARM[1]], 2]
        if not above.any():
            return motion
        rotations = motion.rotations.copy()
        for arm, high in zip((LEFT_ARM, RIGHT_ARM), above.T):
            _shrink(rotations, base, arm, np.where(high, LOWERED, 1.0))
        motion = Motion(rotations.astype(np.float32), motion.root, motion.fps)
    return motion


def _shrink(rotations, base, arm, share):
    """An arm of rotations (T, 24, 3, 3), in place, nearer to base (1, 24, 3, 3) by share (T,), each stroke as a
    whole."""
    share = minimum_filter1d(share, 2 * STROKE_FRAMES + 1, mode="nearest")
    share = gaussian_filter1d(share, STROKE_FRAMES / 3, mode="nearest", truncate=3.0)
    joints, changed = list(arm), share < 1.0
    away = base[:, joints].swapaxes(-1, -2) @ rotations[changed][:, joints]
    rotations[np.ix_(changed, joints)] = base[:, joints] @ power(away, share[changed, None])


def blend_left_arm(motion, independence):
    """1: the left arm as it is; 0: the mirror image of the right; between: geodesic."""
    if independence >= 1:
        return motion
    joints, rotations = list(LEFT_ARM), motion.rotations.copy()
    image = motion.mirrored().rotations[:, joints]
    rotations[:, joints] = image @ power(image.swapaxes(-1, -2) @ rotations[:, joints], np.float32(independence))
    return Motion(rotations.astype(np.float32), motion.root, motion.fps)


def rest_weight(level, frames):
    """(frames,) 0 while there is music .. 1 in silence of more than a second, eased over half a second.

    A rule, not the network: conductors stand ready in silence, and silence is rare in any corpus.
    """
    loud = np.zeros(frames, dtype=bool)
    loud[:len(level)] = level[:frames, 0] > SILENT_LEVEL
    times = np.flatnonzero(loud)
    if len(times) == 0:
        return np.ones(frames, dtype=np.float32)
    index = np.arange(frames)
    right = np.clip(np.searchsorted(times, index), 0, len(times) - 1)
    nearest = np.minimum(np.abs(index - times[right]), np.abs(index - times[np.maximum(right - 1, 0)])) / FPS
    u = np.clip((nearest - SILENT_SECONDS / 2) / 0.5, 0, 1)
    return (u * u * (3 - 2 * u)).astype(np.float32)


def keep_weight(ranges, frames):
    """(frames,) float32 mask: 1 inside the kept ranges (s), falling to 0 over `BLEND_FRAMES` outside."""
    index, weight = np.arange(frames), np.zeros(frames)
    for low, high in ranges:
        if not 0 <= low < high:
            raise BadInput(f"A range to keep runs from an earlier to a later second, not {low} to {high}.")
        outside = np.maximum(np.maximum(low * FPS - index, index - high * FPS), 0)
        weight = np.maximum(weight, np.clip(1 - outside / BLEND_FRAMES, 0, 1))
    return weight.astype(np.float32)


def centred(motion, ranges):
    """((motion, ranges) about xy = 0 and facing -y on the average of what stays, heading in radians, middle (x, y) in
    metres):
    the model conducts there, and `moved(heading, after=middle)` takes the result back."""
    times = np.arange(len(motion)) / motion.fps
    inside = np.any([(times >= low) & (times <= high) for low, high in ranges], axis=0)
    forward = motion.rotations[inside, 0, :, 2].mean(axis=0)
    heading, middle = float(np.arctan2(forward[0], -forward[1])), motion.root[inside, :2].mean(axis=0)
    return (motion.moved(-heading, before=-middle), ranges), heading, middle


def restore(motion, kept, ranges):
    """The kept ranges exactly as they were, eased into the new motion at their ends (slerp)."""
    kept = kept.resampled(FPS).slice(0, len(motion))
    weight = keep_weight(ranges, len(motion))
    rotations = motion.rotations @ power(motion.rotations.swapaxes(-1, -2) @ kept.rotations, weight[:, None])
    root = motion.root + (kept.root - motion.root) * weight[:, None]
    rotations[weight == 1], root[weight == 1] = kept.rotations[weight == 1], kept.root[weight == 1]
    return Motion(rotations.astype(np.float32), root.astype(np.float32), FPS)


def restore_points(points, kept, ranges):
    """`restore` of key points (T, 13, 2): straight lines instead of slerp."""
    weight = keep_weight(ranges, len(points))[:, None, None]
    return (points + weight * (np.asarray(kept, dtype=np.float32)[:len(points)] - points)).astype(np.float32)
