"""Where the music ends, and a bow where it ends softly, as the studio's conductors do.

Rules, not the network: whether a fading passage is an ending stands only in what comes after it, and that is silence.
What the arms do there: cut_off.py.
"""
from dataclasses import dataclass

import numpy as np

from core.body.motion import Motion
from core.body.rotations import axis_angle_to_matrix
from models.conductor.config import FPS
from models.conductor.controls import SILENT_LEVEL, SILENT_SECONDS

DEEPEST = 0.32                      # rad of neck and head together
LAST_S = 3.0                        # s before the end whose loudest moment says how soft it is: a last chord rings on
SOFT, SOFTEST = 0.12, 0.35          # of level (60 dB) below the music's usual: where a bow begins, and is deepest
BEFORE_S, TAKES_S, RISES_S = 0.8, 1.2, 0.8  # s before the end at which the head is down, that it takes, and to rise
JOINTS = {3: 0.10, 6: 0.12, 9: 0.15, 12: 0.38, 15: 0.40}   # joint: its share; the trunk joins the head
LOOK_BACK_S = 15.0                  # s before the end in which the last chord is looked for
ATTACK, ABOVE = 0.025, 2.2          # of `features.attack_frames`: least, and times the usual, that an attack has
LONGEST_HELD_S = 8.0                # a chord held for longer is more likely music whose attacks cannot be heard
SLOPE_S, SLOPE = 0.5, 0.06          # the last chord is let go where the level falls by more in that time (7 dB/s)
RINGS = 0.25                        # of level (15 dB) that a chord which was struck, not held, has faded when it is cut
HELD_S, LONGEST_RING_S = 0.7, 2.5   # s from its attack: let go earlier it rings; and for so long a ring is listened to


def ends(level):
    """[(end, next), ...] frames: the last sound before more than a second of silence, or before a track of level (T, 2)
    is over, and the first sound after it (T: none)."""
    loud = np.flatnonzero(np.asarray(level)[:, 0] > SILENT_LEVEL)
    if not len(loud):
        return []
    last = np.append(np.diff(loud) > SILENT_SECONDS * FPS, True)
    return list(zip(loud[last], np.append(loud[1:][last[:-1]], len(level))))


@dataclass(frozen=True)
class Ending:
    """Frames of a track: attack of the last chord (None: none is heard), where it is cut off, its last sound, the next
    sound (None: there is no more); loudness 0..1 of the chord; the stroke on the ictus clock that leads into the next
    sound (None: the network's)."""

    attack: int | None
    release: int
    end: int
    following: int | None
    loudness: float
    prepared: float | None = None


def endings(level):
    """[`Ending`, ...] of a track's level (T, 2), or (T, 3) with its attacks. Music that is cut before it fades has
    none."""
    level, found, before = np.asarray(level, dtype=float), [], 0
    for end, following in ends(level):
        low = max(before, end - int(LOOK_BACK_S * FPS))
        ending = _ending(level, low, int(end), int(following) if following < len(level) else None)
        found += [ending] if ending else []
        before = int(following)
    return found


def _ending(level, low, end, following):
    ahead = np.maximum.accumulate(level[low:end + 1, 0][::-1])[::-1]        # the loudest that is still to come
    attack = last_attack(level[low:end + 1])
    first = 0 if attack is None else min(attack + 2, end - low)             # an attack takes a moment to be loud
    allowed = 2 * RINGS if attack is None else RINGS
    if ahead[-1] > ahead[first] - RINGS:
        return None
    back = np.maximum(np.arange(len(ahead)) - int(SLOPE_S * FPS), first)
    slow = (ahead[back] - ahead < SLOPE) & (ahead >= ahead[first] - allowed)
    slow[:first] = False
    release = int(np.flatnonzero(slow)[-1])
    if attack is not None and release - attack < HELD_S * FPS:
        faded = int(np.argmax(ahead < ahead[first] - RINGS)) or len(ahead) - 1
        release = min(faded, attack + int(LONGEST_RING_S * FPS))
    if attack is not None and release - attack > LONGEST_HELD_S * FPS:
        attack = None
    return Ending(None if attack is None else low + attack, low + release, end, following, float(ahead[first]))


def last_attack(level):
    """Frame of the last attack in a level (T, 3), or None; None too where attacks are not known (T, 2)."""
    if level.shape[1] < 3:
        return None
    attacks, sounding = level[:, 2], level[:, 0] > SILENT_LEVEL
    high = attacks > max(ATTACK, ABOVE * float(np.median(attacks[sounding])))
    top = attacks >= np.maximum(np.append(attacks[1:], 0), np.append(0, attacks[:-1]))
    found = np.flatnonzero(high & top & sounding)
    return int(found[-1]) if len(found) else None


def bows(level, first, frames):
    """(frames,) radians that the head bows from frame `first` of a track on whose level is (T, 2)."""
    level, out, index = np.asarray(level), np.zeros(frames), first + np.arange(frames)
    found = ends(level)
    usual = np.median(level[level[:, 0] > SILENT_LEVEL, 0]) if found else 0.0
    for end, following in found:
        last = level[max(0, end - int(LAST_S * FPS)):end + 1, 0].max()
        depth = DEEPEST * np.clip((usual - last - SOFT) / (SOFTEST - SOFT), 0, 1) ** 0.6
        down = np.clip(((index - end) / FPS + BEFORE_S) / TAKES_S + 1, 0, 1)
        up = np.clip((following - index) / FPS / RISES_S, 0, 1) if following < len(level) else 1.0
        out = np.maximum(out, depth * down ** 2 * (3 - 2 * down) * up)
    return out


def bowed(motion, angles):
    """`motion` with trunk, neck and head bent forward by angles (T,) radians in all."""
    if not np.any(angles):
        return motion
    rotations = motion.rotations.copy()
    for joint, share in JOINTS.items():
        turn = np.zeros((len(motion), 3))
        turn[:, 0] = share * angles
        rotations[:, joint] = rotations[:, joint] @ axis_angle_to_matrix(turn)
    return Motion(rotations.astype(np.float32), motion.root, motion.fps)
