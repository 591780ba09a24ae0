"""From curves a performer thinks in (pelvis, torso, feet, hands) to SMPL-24 motion."""
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from core.kinematics import FPS, OFFSETS
from core.motion import Motion
from core.rotations import ROOT_TO_BLENDER
from models.data.studio.ik import normalise, smooth, smooth_below, transported, two_bone

OFFSET = OFFSETS.astype(float)
LEG = float(np.linalg.norm(OFFSET[4]) + np.linalg.norm(OFFSET[7]))
ARM = float(np.linalg.norm(OFFSET[18]) + np.linalg.norm(OFFSET[20]))
BALL_HEIGHT = float(0.95 + OFFSET[1, 1] + OFFSET[4, 1] + OFFSET[7, 1] + OFFSET[10, 1])
SIDE = np.array([1.0, -1.0])                                  # left, right along +x
# Where the elbow points (out, down, back) when the arm points along ARM_AIM; other aims turn it along, by the shortest
# way, so that the only aim without an answer is one no arm reaches (up, back and across).
ARM_AIM = np.array([0.60, -0.35, 0.72]) / np.linalg.norm([0.60, -0.35, 0.72])
ARM_POLE = np.array([0.35, -0.55, -0.75]) - ARM_AIM * (ARM_AIM @ np.array([0.35, -0.55, -0.75]))
TORSO_RADII = (0.21, 0.20)                                    # half width and depth of the trunk that hands keep out of
HEAD_RADIUS = 0.14


@dataclass
class Curves:
    """What `solve` needs, all per frame (T first), left side before right.

    pelvis (T,3) metres; pelvis_rotation (T,3,3); spine (T,3) rotation vector shared by the three spine joints;
    neck, head (T,3); collar (T,2,3); ball (T,2,3) position of the balls of the feet; foot_yaw, foot_pitch (T,2)
    radians (pitch > 0 lifts the heel); knee_out (T,2) radians; arms (T,2,4): azimuth (0 forward, pi/2 outward),
    elevation, reach 0..1, elbow swivel, about the shoulder in the chest's axes; or wrists (T,2,3) in metres, which
    then replaces azimuth, elevation and reach; hand (T,2,3) rotation vector of the wrist.
    """

    pelvis: np.ndarray
    pelvis_rotation: np.ndarray
    spine: np.ndarray
    neck: np.ndarray
    head: np.ndarray
    collar: np.ndarray
    ball: np.ndarray
    foot_yaw: np.ndarray
    foot_pitch: np.ndarray
    knee_out: np.ndarray
    arms: np.ndarray
    hand: np.ndarray
    wrists: np.ndarray | None = None
    extra: dict = field(default_factory=dict)

    @classmethod
    def standing(cls, frames, width=0.11):
        """A relaxed stand, arms hanging."""
        zero = np.zeros((frames, 3))
        ball = np.zeros((frames, 2, 3))
        ball[..., 0], ball[..., 1], ball[..., 2] = SIDE * width, BALL_HEIGHT, 0.10
        arms = np.tile(np.array([1.2, -1.35, 0.96, 0.0]), (frames, 2, 1))
        pelvis = np.tile(np.array([0.0, 0.93, 0.0]), (frames, 1))
        return cls(pelvis, np.tile(np.eye(3), (frames, 1, 1)), zero.copy(), zero.copy(), zero.copy(),
                   np.zeros((frames, 2, 3)), ball, np.tile(SIDE * 0.12, (frames, 1)), np.zeros((frames, 2)),
                   np.tile(SIDE * 0.2, (frames, 1)), arms, np.zeros((frames, 2, 3)))


def rotvec(vector):
    """(..., 3) -> (..., 3, 3)."""
    vector = np.asarray(vector, float)
    return Rotation.from_rotvec(vector.reshape(-1, 3)).as_matrix().reshape(vector.shape[:-1] + (3, 3))


def yaw(angle):
    """(...) radians about +y -> (..., 3, 3); positive turns to the performer's left."""
    c, s, o = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    return np.stack([np.stack([c, o, s], -1), np.stack([o, o + 1, o], -1), np.stack([-s, o, c], -1)], -2)


def pitch(angle):
    """(...) radians about +x -> (..., 3, 3); positive tips forward and down."""
    c, s, o = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    return np.stack([np.stack([o + 1, o, o], -1), np.stack([o, c, -s], -1), np.stack([o, s, c], -1)], -2)


def apply(matrix, vector):
    """(..., 3, 3) times (..., 3)."""
    return (matrix @ np.asarray(vector, float)[..., None])[..., 0]


def ankles(curves):
    """Ankle positions (T,2,3) and global foot rotations (T,2,3,3): the ball stays, the heel turns about it."""
    foot = yaw(curves.foot_yaw) @ pitch(curves.foot_pitch)
    position = np.stack([curves.ball[:, s] - apply(foot[:, s], OFFSET[10 + s]) for s in (0, 1)], 1)
    return position, foot


def limit_pelvis(curves, ankle, reach=0.992, frames=3):
    """Lower the pelvis, smoothly, where a planted leg would otherwise be too short."""
    limit = np.full(len(curves.pelvis), np.inf)
    for s in (0, 1):
        hip = apply(curves.pelvis_rotation, OFFSET[1 + s])
        across = curves.pelvis[:, [0, 2]] + hip[:, [0, 2]] - ankle[:, s][:, [0, 2]]
        room = np.sqrt(np.maximum((reach * LEG) ** 2 - (across ** 2).sum(-1), 0.2 ** 2))
        limit = np.minimum(limit, ankle[:, s, 1] + room - hip[:, 1])
    limit = smooth_below(limit, frames)
    floor = 0.46 + smooth(np.minimum(ankle[..., 1].min(1) - 0.08, 0.2), frames)          # nobody sits on the heels
    curves.pelvis[:, 1] = floor + 0.03 * np.logaddexp(0, (curves.pelvis[:, 1] - floor) / 0.03)
    gap, width = limit - curves.pelvis[:, 1], 0.015
    soft = limit - width * np.logaddexp(0, gap / width)          # smooth minimum: no corner where the limit bites
    curves.pelvis[:, 1] = np.minimum(soft, limit)


def keep_out(target, chest, neck_position):
    """Push wrists (T,2,3), given in chest axes relative to the chest joint, out of trunk and head, and apart."""
    out = target.copy()
    rx, rz = TORSO_RADII
    inside = 1.0 - np.clip((out[..., 1] - 0.16) / 0.08, 0, 1)                      # the trunk ends at the shoulders
    radius = np.sqrt((out[..., 0] / rx) ** 2 + ((out[..., 2] - 0.01) / rz) ** 2)
    push = inside * np.maximum(1.0 / np.maximum(radius, 0.25) - 1.0, 0)
    out[..., 0] += out[..., 0] * push
    out[..., 2] += (out[..., 2] - 0.01) * push
    head = out - (neck_position + np.array([0, 0.11, 0.04]))[:, None]
    far = np.linalg.norm(head, axis=-1, keepdims=True)
    out += head * np.maximum(HEAD_RADIUS / np.maximum(far, 0.03) - 1, 0)
    between = out[:, 0] - out[:, 1]
    apart = np.linalg.norm(between, axis=-1, keepdims=True)
    shift = between / np.maximum(apart, 1e-3) * np.maximum(0.13 - apart, 0) / 2
    out[:, 0] += shift
    out[:, 1] -= shift
    return out


def elbow_direction(axis, side):
    """Where the elbow of an arm along `axis` (T,3) points, (T,3): `ARM_POLE` turned from `ARM_AIM` to the axis."""
    flip = np.array([SIDE[side], 1.0, 1.0])
    return transported(axis, ARM_AIM * flip, ARM_POLE * flip)


def solve(curves, fps=FPS):
    """Curves -> Motion (z-up world, facing -y) on the canonical skeleton; the feet stay where they were put."""
    frames = len(curves.pelvis)
    ankle, foot = ankles(curves)
    limit_pelvis(curves, ankle)
    glob = np.empty((frames, 24, 3, 3))
    local = np.tile(np.eye(3), (frames, 24, 1, 1))
    glob[:, 0] = curves.pelvis_rotation
    for s in (0, 1):
        hip = curves.pelvis + apply(glob[:, 0], OFFSET[1 + s])
        facing = yaw(curves.foot_yaw[:, s] + curves.knee_out[:, s])
        forward = apply(facing, np.array([0.0, 0.0, 1.0])) + 0.6 * apply(glob[:, 0], np.array([0.0, 0.0, 1.0]))
        down = np.array([0.0, -1.0, 0.0])
        forward = normalise(forward * np.array([1.0, 0.0, 1.0]))
        knee = transported(normalise(ankle[:, s] - hip), down, forward)
        glob[:, 1 + s], glob[:, 4 + s], _ = two_bone(hip, ankle[:, s], knee, OFFSET[4 + s], OFFSET[7 + s],
                                                     (1, 0, 0), closest=0.20, farthest=0.9995)
        glob[:, 7 + s] = foot[:, s]
        glob[:, 10 + s] = foot[:, s] @ pitch(-np.maximum(curves.foot_pitch[:, s], 0) * 0.8)
        local[:, 1 + s] = glob[:, 0].swapaxes(-1, -2) @ glob[:, 1 + s]
        local[:, 4 + s] = glob[:, 1 + s].swapaxes(-1, -2) @ glob[:, 4 + s]
        local[:, 7 + s] = glob[:, 4 + s].swapaxes(-1, -2) @ glob[:, 7 + s]
        local[:, 10 + s] = glob[:, 7 + s].swapaxes(-1, -2) @ glob[:, 10 + s]
    third = rotvec(curves.spine / 3)
    position, above = curves.pelvis, glob[:, 0]
    for joint in (3, 6, 9):
        position = position + apply(above, OFFSET[joint])
        above = above @ third
        local[:, joint], glob[:, joint] = third, above
    chest_position, chest = position, above
    for joint, turn in ((12, curves.neck), (15, curves.head)):
        local[:, joint] = rotvec(turn)
        above = above @ local[:, joint]
        glob[:, joint] = above
    shoulders = []
    for s in (0, 1):
        local[:, 13 + s] = rotvec(curves.collar[:, s])
        glob[:, 13 + s] = chest @ local[:, 13 + s]
        shoulders.append(chest_position + apply(chest, OFFSET[13 + s]) + apply(glob[:, 13 + s], OFFSET[16 + s]))
    shoulders = np.stack(shoulders, 1)
    chest_t = chest.swapaxes(-1, -2)[:, None]
    if curves.wrists is None:
        azimuth, elevation, reach = curves.arms[..., 0], curves.arms[..., 1], curves.arms[..., 2]
        aim = np.stack([SIDE * np.sin(azimuth) * np.cos(elevation), np.sin(elevation),
                        np.cos(azimuth) * np.cos(elevation)], -1) * (reach * ARM)[..., None]
        target = aim + apply(chest_t, shoulders - chest_position[:, None])
    else:
        target = apply(chest_t, curves.wrists - chest_position[:, None])
    neck_position = np.broadcast_to(OFFSET[12], (frames, 3))
    target = keep_out(target, chest, neck_position)
    target = chest_position[:, None] + apply(chest[:, None], target)
    for s in (0, 1):
        axis = normalise(apply(chest_t[:, 0], target[:, s] - shoulders[:, s]))
        swivel = rotvec(axis * (curves.arms[:, s, 3] * SIDE[s])[:, None])
        pole = apply(chest, apply(swivel, elbow_direction(axis, s)))
        upper, lower, _ = two_bone(shoulders[:, s], target[:, s], pole, OFFSET[18 + s], OFFSET[20 + s],
                                   (0, -SIDE[s], 0))
        glob[:, 16 + s], glob[:, 18 + s] = upper, lower
        local[:, 16 + s] = glob[:, 13 + s].swapaxes(-1, -2) @ upper
        local[:, 18 + s] = upper.swapaxes(-1, -2) @ lower
        local[:, 20 + s] = rotvec(curves.hand[:, s])
    local[:, 0] = ROOT_TO_BLENDER @ glob[:, 0]
    root = curves.pelvis @ ROOT_TO_BLENDER.T
    return Motion(local.astype(np.float32), root.astype(np.float32), fps)
