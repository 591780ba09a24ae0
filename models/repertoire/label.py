"""Moves labelled with beats: their own steady grid, or what markers say; and each beat drawn to the accent next to it.

A person does not stop on the beat to the hundredth of a second. Where a body visibly stops (a minimum of its speed)
within a few hundredths of a beat, the beat's place in the move is put there, so that in the dance the stop falls on the
song's beat exactly. The places are chosen together (dynamic programming): from one to the next the move never runs more
than `LIMIT` faster or slower.
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from core.body.kinematics import FPS
from core.errors import BadInput
from models.repertoire.library import Clip

LIMIT = 0.12  # of time warp
REACH, REACH_SHARE = 0.18, 0.4  # s, and of a beat, that a beat's place is moved by at most: never onto the off-beat
STEP = 0.01  # s between the places that are tried
SMOOTH = 0.083  # s, sigma of the speed whose minima count (Bailando's kinematic beats)
WIDTH = 0.03  # s, sigma of an accent
FEWEST = 5  # beats: a bar and its end


def label(move, style="own", folders=None):
    """[`Clip`] of a `core.motion_files.moves.Move`: none where no beat is found in it.

    Beats that were told count as they are; else the body network's steady grid over the move. Raises BadInput on a
    motion that cannot be read, NoCheckpoint without the body network.
    """
    motion = move.motion.resampled(FPS)
    if not (np.isfinite(motion.rotations).all() and np.isfinite(motion.root).all()):
        raise BadInput(f"{move.name} holds values that are not numbers; repair its keys.")
    beats, sure = move.beats, move.beats is not None
    if not sure:
        from models.rhythm.detect import detect_body_beats

        beats = detect_body_beats(motion, mode="steady", folders=folders)
    beats = beats.within(0.0, motion.duration)
    if len(beats) < FEWEST:
        return []
    return [Clip(move.name, style, motion.canonical(), beats, "own", sure, move.name)]


def accents(motion):
    """(T,) of a motion, 0..1: bumps where the body stops, the higher the more it slows down there."""
    step = np.linalg.norm(np.diff(motion.positions(), axis=0), axis=-1).mean(1) * motion.fps
    speed = gaussian_filter1d(np.concatenate([step[:1], step]), SMOOTH * motion.fps, mode="nearest")
    low = np.flatnonzero((speed[1:-1] < speed[:-2]) & (speed[1:-1] < speed[2:])) + 1
    bumps = np.zeros(len(speed))
    reach = int(0.35 * motion.fps)
    for frame in low:
        around = max(speed[max(0, frame - reach) : frame + reach + 1].max(), 1e-6)
        bumps[frame] = 0.4 + 0.6 * (1 - speed[frame] / around)
    return np.clip(
        gaussian_filter1d(bumps, WIDTH * motion.fps, mode="constant") * (WIDTH * motion.fps * np.sqrt(2 * np.pi)), 0, 1
    )


def drawn(times, curve, fps, limit=LIMIT, reach=REACH):
    """(times (B,) moved to accents, accent (B,) found at each): at most `reach` s and `REACH_SHARE` of a beat, no two
    neighbours' distance by more than `limit` of it. curve: `accents`.
    """
    times = np.asarray(times, float)
    if len(times) < 2:
        return times.copy(), np.zeros(len(times))
    reach = min(reach, REACH_SHARE * float(np.median(np.diff(times))))
    most = int(reach / STEP + 1e-6)
    offsets = np.arange(-most, most + 1) * STEP
    level = np.interp(times[:, None] + offsets, np.arange(len(curve)) / fps, curve, left=0.0, right=0.0)
    value = level - 0.25 * (offsets / reach) ** 2
    change = np.abs(offsets[:, None] - offsets[None])
    best, came = value[0], np.zeros((len(times), len(offsets)), int)
    for k in range(1, len(times)):
        allowed = change <= limit * (times[k] - times[k - 1]) + 1e-9
        score = np.where(allowed, best[None], -np.inf) - 0.5 * change / reach
        came[k] = score.argmax(1)
        best = value[k] + score.max(1)
    place = np.zeros(len(times), int)
    place[-1] = best.argmax()
    for k in range(len(times) - 1, 0, -1):
        place[k - 1] = came[k, place[k]]
    return times + offsets[place], level[np.arange(len(times)), place]


def starts(beats, metre):
    """(B,) cost 0..1 of beginning a phrase on each beat: none on downbeats, little where bars are only guessed at."""
    if beats.metre != metre or not (beats.positions == 1).any():
        return np.where(np.arange(len(beats)) % 2 == 0, 0.0, 0.3) if metre % 2 == 0 else np.zeros(len(beats))
    away = np.where(beats.positions % 2 == 1, 0.4, 0.6)
    return np.where(beats.positions == 1, 0.0, away * (0.5 + np.clip(beats.confidence, 0, 1)))
