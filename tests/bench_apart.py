"""How far two results of a system are apart: of one seed, made on different devices."""
import numpy as np


def difference(one, other):
    """How far apart two results are: of sound, of peak and of its level; of motion, degrees and centimetres."""
    row = {}
    if one is None:
        return row
    if one.audio is not None:
        gap = np.abs(one.audio - other.audio)
        row["sound_max_of_peak"] = float(gap.max() / np.abs(one.audio).max())
        row["sound_rms_of_rms"] = float(np.sqrt(np.mean(gap ** 2) / np.mean(one.audio ** 2)))
        row["mel_mean_db"] = mel_gap(one.audio, other.audio) if gap.any() else 0.0
    if one.motion is not None:
        gap = angles(one.motion.rotations, other.motion.rotations)
        row["joint_max_deg"], row["joint_mean_deg"] = float(gap.max()), float(gap.mean())
        row["root_max_cm"] = float(100 * np.abs(one.motion.root - other.motion.root).max())
    return row


def mel_gap(one, other):
    """Mean difference of two sounds (2, N) in decibels of their log-mel, where either is above the floor."""
    from core.audio import Audio
    from core.audio import mel as mels
    a, b = (mels.log_mel(Audio(np.ascontiguousarray(each), 48_000).resampled(mels.RATE).mono())
            for each in (one, other))
    heard = np.maximum(a, b) > np.log(mels.FLOOR) + 2
    return float(np.abs(a - b)[heard].mean() * 20 / np.log(10))


def angles(one, other):
    """Degrees between rotations (T, J, 3, 3), from the length of their difference: an arc cosine is coarse near 0."""
    apart = np.linalg.norm(one.astype(np.float64) - other, axis=(-2, -1))
    return np.degrees(2 * np.arcsin(np.minimum(1.0, apart / 8 ** 0.5)))
