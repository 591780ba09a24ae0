"""Features of the music model: the motion condition of a window, and how a mel is shown to the paper's VAE."""
import numpy as np

from core.audio.mel import FLOOR
from core.body.kinematics import FPS, forward_kinematics
from core.body.motion import MIRROR
from core.body.rotations import sixd_to_matrix
from core.contract import GENRES
from core.errors import BadInput

LOG_FLOOR = float(np.log(FLOOR))
MIRROR_SIGN = np.array([-1.0, 1.0, 1.0], dtype=np.float32)


def motion_features(rotations, root, fps=FPS, centred=True):
    """Condition m_i = (p, q, p', q') of Tan et al., section 3.2, of windows brought to xy = 0 facing -y (centred).

    rotations (..., T, 24, 3, 3) local, root (..., T, 3) metres -> (..., T, 360) float32: global joint positions p (72,
    m), local 6D rotations q (144), global linear velocity p' (72, m/s), angular velocity q' relative to the parent (72,
    rad/s, joint axes).
    """
    if centred:
        rotations, root = face_forward(rotations, root)
    positions = forward_kinematics(rotations, root)[0]
    velocity = np.gradient(positions, axis=-3) * fps if positions.shape[-3] > 1 else np.zeros_like(positions)
    lead = positions.shape[:-2]
    sixd = np.concatenate([rotations[..., :, 0], rotations[..., :, 1]], axis=-1)
    parts = [positions, sixd, velocity, angular_velocity(rotations, fps)]
    return np.concatenate([part.reshape(*lead, -1) for part in parts], axis=-1).astype(np.float32)


def face_forward(rotations, root):
    """Turn and move windows (..., T, 24, 3, 3), (..., T, 3) so that their first frame stands at xy = 0 facing -y."""
    forward = rotations[..., 0, 0, :, 2]
    angle = -np.arctan2(forward[..., 0], -forward[..., 1])
    cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    turn = np.stack([cos, -sin, zero, sin, cos, zero, zero, zero, zero + 1], axis=-1).reshape(*angle.shape, 3, 3)
    turn = turn.astype(np.float32)[..., None, :, :]
    start = root[..., :1, :] * np.array([1, 1, 0], dtype=np.float32)
    root = (turn @ (root - start)[..., None])[..., 0]
    rotations = rotations.copy()
    rotations[..., 0, :, :] = turn @ rotations[..., 0, :, :]
    return rotations, root


def angular_velocity(rotations, fps=FPS):
    """(..., T, J, 3, 3) -> (..., T, J, 3) rad/s: log(R_i^T R_{i+1}) fps; the last frame repeats its neighbour."""
    step = np.swapaxes(rotations[..., :-1, :, :, :], -1, -2) @ rotations[..., 1:, :, :, :]
    cos = np.clip((np.trace(step, axis1=-2, axis2=-1) - 1) / 2, -1, 1)
    angle = np.arccos(cos)
    axis = np.stack([step[..., 2, 1] - step[..., 1, 2], step[..., 0, 2] - step[..., 2, 0], step[..., 1, 0]
                     - step[..., 0, 1]], -1)
    speed = axis * (angle / np.maximum(2 * np.sin(angle), 1e-4))[..., None] * fps
    if speed.shape[-3] == 0:
        return np.zeros((*rotations.shape[:-2], 3), dtype=np.float32)
    return np.concatenate([speed, speed[..., -1:, :, :]], axis=-3)


def mirrored(rotations, root):
    """Left and right exchanged, for windows (..., T, 24, 3, 3) and (..., T, 3)."""
    return rotations[..., MIRROR, :, :] * MIRROR_SIGN[:, None] * MIRROR_SIGN, root * MIRROR_SIGN


def genre_index(genre):
    """Place of a genre slug in the one-hot; -1 for None. Raises BadInput for an unknown genre."""
    if genre is None:
        return -1
    if genre not in GENRES:
        raise BadInput(f"There is no genre {genre!r}; choose one of {', '.join(GENRES)}.")
    return GENRES.index(genre)


def to_rotations(sixd):
    """(..., 24, 6) -> (..., 24, 3, 3) float32."""
    return sixd_to_matrix(np.asarray(sixd, dtype=np.float32))


def jitter(mel, rng, gain_db):
    """Level changed by up to +-gain_db: an addition in log-mel, floored again."""
    gain = rng.uniform(-gain_db, gain_db) * np.log(10) / 20
    return np.maximum(mel + np.float32(gain), np.float32(LOG_FLOOR))


def to_image(mel, top_db=80.0):
    """log-mel rows -> decibels under the crop's maximum as 0..1: `core.audio.mel.image_mel`, up to the log-mel's own
    floor."""
    decibel = mel * np.float32(20 / np.log(10))
    return np.maximum(decibel - decibel.max() + top_db, 0) / top_db
