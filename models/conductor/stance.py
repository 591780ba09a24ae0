"""How high a conductor stands: people conduct on nearly straight knees that give with the beat.

The corpus that the network learned from stands lower, and so does what it draws. Here the whole body above the legs is
raised by an offset that changes slowly, and the legs are solved again: what the pelvis does from beat to beat stays.
"""
from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter1d, minimum_filter1d

from core.body.kinematics import OFFSETS, forward_kinematics
from core.body.motion import Motion

LEGS = ((1, 4, 7), (2, 5, 8))               # hip, knee, ankle
STRAIGHTEST, RESTING = np.radians(6.5), np.radians(12.0)   # rad: bend of a knee at its highest, and standing still
SLOW_SECONDS, WIDTHS = 0.4, 3               # sigma of the offset's smoothing, and the sigmas that it reaches
OVER_M, SOFT_M = 0.004, 0.0015              # the offset may ask for so much too much; a ceiling so soft takes it back


def knee_bends(motion: Motion) -> np.ndarray:
    """(T, 2) radians that the left and the right knee are bent, 0 for a straight leg."""
    places, _ = forward_kinematics(motion.rotations, motion.root)
    bends = []
    for hip, knee, ankle in LEGS:
        thigh, shin = places[:, knee] - places[:, hip], places[:, ankle] - places[:, knee]
        lengths = np.linalg.norm(thigh, axis=-1) * np.linalg.norm(shin, axis=-1)
        bends.append(np.arccos(np.clip((thigh * shin).sum(-1) / lengths, -1, 1)))
    return np.stack(bends, -1)


def upright(motion: Motion, solved: Callable[[Motion], Motion], held: np.ndarray | None = None) -> Motion:
    """`motion` raised until its knees are nearly straight where it stands highest, its feet where they are: the
    straighter knee is never bent by less than `STRAIGHTEST`, nor at rest by less than `RESTING`.

    solved: a motion whose pelvis has moved -> the same with legs between pelvis and feet. held: (T,) 0..1, where the
    height is somebody's own: there the offset goes to zero.
    """
    room, wanted = rooms(motion, STRAIGHTEST).min(1), rooms(motion, RESTING).min(1)
    sigma = SLOW_SECONDS * motion.fps
    reach = int(WIDTHS * sigma + 0.5)
    # A minimum over all that the smoothing reaches, so that the offset follows the highest places only.
    most = minimum_filter1d(room, 2 * reach + 1, mode="nearest") + OVER_M
    offset = np.clip(np.minimum(most, gaussian_filter1d(wanted, 2 * sigma, mode="nearest")), 0.0, None)
    if held is not None:
        offset = offset * (1 - held)
    offset = gaussian_filter1d(offset, sigma, mode="nearest", radius=reach)
    root = motion.root.copy()
    root[:, 2] += room - SOFT_M * np.logaddexp(0.0, (room - offset) / SOFT_M)
    return solved(Motion(motion.rotations, root, motion.fps))


def rooms(motion: Motion, bend: float) -> np.ndarray:
    """(T, 2) metres by which the pelvis may rise, or has to sink, until the left and the right knee are bent by `bend`
    radians; 0 where the foot is too far aside for that."""
    places, _ = forward_kinematics(motion.rotations, motion.root)
    out = []
    for hip, knee, ankle in LEGS:
        upper, lower = np.linalg.norm(OFFSETS[knee]), np.linalg.norm(OFFSETS[ankle])
        longest = upper ** 2 + lower ** 2 + 2 * upper * lower * np.cos(bend)
        away = places[:, hip].astype(np.float64) - places[:, ankle]
        across = (away[:, :2] ** 2).sum(-1)
        out.append(np.where(across < longest, np.sqrt(np.maximum(longest - across, 0)) - away[:, 2], 0.0))
    return np.stack(out, -1)
