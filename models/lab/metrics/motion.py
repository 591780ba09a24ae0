"""Physical plausibility of full-body motion; positions in metres, z up unless said otherwise."""
import numpy as np

from core.contract import JOINTS, PARENTS

LEFT_FOOT = (JOINTS.index("left_ankle"), JOINTS.index("left_foot"))
RIGHT_FOOT = (JOINTS.index("right_ankle"), JOINTS.index("right_foot"))
TOES = (LEFT_FOOT[1], RIGHT_FOOT[1])


def pfc(clips):
    """EDGE's physical foot contact score over clips of (S,24,3), z up, at 30 fps (systems.md 10.4). Lower is better.

    A static root gives 0 instead of a division by zero. Depends on fps squared: 30 fps only.
    """
    scores, dt = [], 1.0 / 30.0
    for clip in clips:
        clip = np.asarray(clip, float)
        velocity = np.diff(clip[:, 0], axis=0) / dt
        acceleration = np.diff(velocity, axis=0) / dt
        acceleration[:, 2] = np.maximum(acceleration[:, 2], 0)
        size = np.linalg.norm(acceleration, axis=1)
        if len(size) == 0 or size.max() == 0:
            scores.append(0.0)
            continue
        step = np.linalg.norm(np.diff(clip[:, :, :2], axis=0), axis=-1)[1:]
        left, right = step[:, LEFT_FOOT].min(1), step[:, RIGHT_FOOT].min(1)
        scores.append(float((size / size.max() * left * right).mean()))
    return 1e4 * float(np.mean(scores))


def foot_contacts(positions, fps, height=0.05, speed=0.35):
    """(T,2) booleans: is the left / right toe near the floor (m) and slow (m/s)? floor = 2nd percentile of toe
    heights."""
    toes = np.asarray(positions, float)[:, TOES]
    floor = np.percentile(toes[..., 2], 2)
    step = np.linalg.norm(np.diff(toes, axis=0), axis=-1) * fps
    step = np.concatenate([step[:1], step])
    return (toes[..., 2] < floor + height) & (step < speed)


def foot_slide(positions, fps):
    """Largest and mean horizontal travel in metres of a toe within one contact; (max, mean) over contacts, 0 with
    none."""
    toes = np.asarray(positions, float)[:, TOES, :2]
    contacts, travels = foot_contacts(positions, fps), []
    for foot in range(2):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], contacts[:, foot].astype(int), [0]])))
        for first, last in zip(edges[::2], edges[1::2]):
            if last - first >= 3:
                path = toes[first:last, foot]
                travels.append(np.linalg.norm(path - path[0], axis=1).max())
    return (float(np.max(travels)), float(np.mean(travels))) if travels else (0.0, 0.0)


def jerk(positions, fps):
    """Mean norm of the third time difference in m/s^3 over joints and frames; 0 below four frames."""
    third = np.diff(np.asarray(positions, float), n=3, axis=0) * fps ** 3
    return float(np.linalg.norm(third, axis=-1).mean()) if len(third) else 0.0


def bone_length_deviation(positions, parents=PARENTS):
    """Largest relative departure of a bone's length from its mean over time (0 for a rigid skeleton)."""
    positions = np.asarray(positions, float)
    children = [j for j, p in enumerate(parents) if p >= 0]
    length = np.linalg.norm(positions[:, children] - positions[:, [parents[j] for j in children]], axis=-1)
    mean = length.mean(0)
    return float((np.abs(length - mean) / np.maximum(mean, 1e-9)).max())


def below_floor(positions):
    """Deepest joint under z = 0, in metres (0 when none is)."""
    return float(max(0.0, -np.asarray(positions)[..., 2].min()))


def temporal_spread(generated, real):
    """SDP: mean temporal std of generated / of real, in percent; lists of (T, ...) arrays (systems.md 2)."""
    spread = [np.mean([np.asarray(x, float).std(0).mean() for x in clips]) for clips in (generated, real)]
    return float(100 * spread[0] / spread[1])
