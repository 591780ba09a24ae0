"""Rows about the dances themselves: the style a judge sees, joints and bones, and whether they swell with the music."""
import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from core.audio.lively import lively_curve
from core.body.kinematics import OFFSETS
from core.body.motion import Motion
from core.body.rotations import matrix_to_axis_angle
from core.contract import GENRES, PARENTS
from models.motion.contacts import LIMITS
from models.motion.representation import decode

FPS = 30.0
SWELL_SECONDS = 1.5                         # sigma of the speed that is compared with the music's liveliness


def styles_seen(made, pieces):
    """{row: share whose genre the motion judge names}. Rows: sets of motions `made` to the pieces; "another piece's
    genre" is what the same judge gives by chance."""
    from models.genre.judge import GenreJudge
    judge, rows = GenreJudge("motion"), {}
    for name, motions in made.items():
        seen = [GENRES[int(np.argmax(judge(motion.resampled(FPS))))] for motion in motions]
        wanted = [piece.genre for piece in pieces[:len(motions)]]
        rows[name] = {"told": float(np.mean([a == b for a, b in zip(seen, wanted)])),
                      "another piece's genre": float(np.mean([a == b for a, b in zip(seen, wanted[1:] + wanted[:1])])),
                      "dances": float(len(motions))}
    return rows


def joints_and_bones(motions):
    """{"beyond limits": share of frames with a joint beyond `LIMITS`; "bones_mm": largest change of a bone's length}.
    """
    beyond, bones = [], 0.0
    joints = sorted(LIMITS)
    most = np.radians([LIMITS[joint] for joint in joints]) + 1e-3
    for motion in motions:
        angle = np.linalg.norm(matrix_to_axis_angle(motion.rotations[:, joints]), axis=-1)
        beyond.append((angle > most).any(axis=1).mean())
        positions = motion.positions()
        length = np.linalg.norm(positions[:, 1:] - positions[:, list(PARENTS[1:])], axis=-1)
        bones = max(bones, float(np.abs(length - np.linalg.norm(OFFSETS[1:], axis=-1)).max()))
    return {"beyond limits": float(np.mean(beyond)), "bones_mm": 1000 * bones}


def mean_pose(network, frames, fps=60.0):
    """A `Motion` that stands in the mean vector of a denoiser's training data."""
    vector = network.pose.detach().cpu()[None].repeat(frames, 1)
    vector[:, :3] = 0.0
    rotations, root = decode(vector, fps, torch.zeros(frames), torch.zeros(frames, 2))
    return Motion(rotations.numpy().astype(np.float32), root.numpy().astype(np.float32), fps)


def swell(motion):
    """(T,) m/s at 30 Hz: mean speed of the joints about the pelvis, smoothed."""
    positions = motion.resampled(FPS).positions()
    step = np.linalg.norm(np.diff(positions - positions[:, :1], axis=0), axis=-1).mean(1) * FPS
    return gaussian_filter1d(step, SWELL_SECONDS * FPS)


def swelling(motion, audio):
    """Correlation of a dance's speed with the liveliness of a song over the dance's length; 0 where either is even."""
    speed = swell(motion)
    music = lively_curve(audio, np.arange(len(speed)) / FPS)
    return float(np.corrcoef(speed, music)[0, 1]) if min(speed.std(), music.std()) > 1e-4 else 0.0


def energy_rows(dances, tracks):
    """{row: means over tracks}: dances {row: [Motion]} to tracks [`Audio`] against their own and the others' music."""
    rows = {}
    for name, motions in dances.items():
        own = [swelling(motion, audio) for motion, audio in zip(motions, tracks)]
        other = [swelling(motion, audio) for number, motion in enumerate(motions)
                 for place, audio in enumerate(tracks) if place != number]
        rows[name] = {"own music": float(np.mean(own)), "another's music": float(np.mean(other)) if other else 0.0,
                      "tracks": float(len(motions))}
    return rows
