"""From curves a performer thinks in (pelvis, torso, feet, hands) to SMPL-24 motion."""
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from core.body.ik import normalise, transported, two_bone
from core.body.kinematics import FPS, OFFSETS
from core.body.motion import Motion
from core.body.rotations import ROOT_TO_BLENDER
from models.lab.studio.ik import quintic, smooth, smooth_below

OFFSET = OFFSETS.astype(float)
LEG = float(np.linalg.norm(OFFSET[4]) + np.linalg.norm(OFFSET[7]))
ARM = float(np.linalg.norm(OFFSET[18]) + np.linalg.norm(OFFSET[20]))
BALL_HEIGHT = float(0.95 + OFFSET[1, 1] + OFFSET[4, 1] + OFFSET[7, 1] + OFFSET[10, 1])
SIDE = np.array([1.0, -1.0])                                  # left, right along +x
# Where the elbow points (out, down, back) when the arm points along ARM_AIM; other aims turn it along, by the shortest
# way, so that the only aim without an answer is one no arm reaches (up, back and across).
ARM_AIM = np.array([0.60, -0.35, 0.72]) / np.linalg.norm([0.60, -0.35, 0.72])
ARM_POLE = np.array([0.35, -0.55, -0.75]) - ARM_AIM * (ARM_AIM @ np.array([0.35, -0.55, -0.75]))
TORSO_RADII = (0.225, 0.215)  # half width and depth of the trunk that hands keep out of
HEAD_RADIUS = 0.14
WRIST_FLOOR = 0.12                                            # m above the floor of wrists that do not stand on it


@dataclass
class Curves:
    """What `solve` needs, all per frame (T first), left side before right.

    pelvis (T,3) metres; pelvis_rotation (T,3,3); spine (T,3) rotation vector shared by the three spine joints;
    neck, head (T,3); collar (T,2,3); ball (T,2,3) position of the balls of the feet; foot_yaw, foot_pitch (T,2)
    radians (pitch > 0 lifts the heel); knee_out (T,2) radians; arms (T,2,4): azimuth (0 forward, pi/2 outward),
    elevation, reach 0..1, elbow swivel, about the shoulder in the chest's axes; or wrists (T,2,3) in metres, which
    then replaces azimuth, elevation and reach; detail (T,2,3) metres added to the wrists in the chest's axes; hand
    (T,2,3) rotation vector of the wrist.

    On the floor (None where nobody goes down): down (T,) 0 standing .. 1; tip (T,3,3) what turns the directions of
    standing legs into those of the tipped body; plant (T,2,3) and planted (T,2) 0..1: wrists that stand on the floor,
    in metres; facing (T,) radians.
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
    detail: np.ndarray | None = None
    down: np.ndarray | None = None
    tip: np.ndarray | None = None
    plant: np.ndarray | None = None
    planted: np.ndarray | None = None
    facing: np.ndarray | None = None

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


def slerp(a, b, share):
    """Rotations (T,3,3) a share (T,) of the shortest way from a to b."""
    between = Rotation.from_matrix(a.swapaxes(-1, -2) @ b).as_rotvec()
    return a @ rotvec(between * share[:, None])


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


def limit_pelvis(curves, ankle, reach=0.988, frames=5):
    """Lower the pelvis, smoothly, where a planted leg would otherwise be too short."""
    limit = np.full(len(curves.pelvis), np.inf)
    for s in (0, 1):
        hip = apply(curves.pelvis_rotation, OFFSET[1 + s])
        across = curves.pelvis[:, [0, 2]] + hip[:, [0, 2]] - ankle[:, s][:, [0, 2]]
        room = np.sqrt(np.maximum((reach * LEG) ** 2 - (across ** 2).sum(-1), 0.2 ** 2))
        limit = np.minimum(limit, ankle[:, s, 1] + room - hip[:, 1])
    limit = smooth_below(limit, frames)
    floor = 0.46 + smooth(np.minimum(ankle[..., 1].min(1) - 0.08, 0.2), frames)          # nobody sits on the heels
    if curves.down is not None:
        floor = floor * (1 - curves.down) + 0.22 * curves.down
    curves.pelvis[:, 1] = floor + 0.03 * np.logaddexp(0, (curves.pelvis[:, 1] - floor) / 0.03)
    gap, width = limit - curves.pelvis[:, 1], 0.015
    soft = limit - width * np.logaddexp(0, gap / width)          # smooth minimum: no corner where the limit bites
    curves.pelvis[:, 1] = np.minimum(soft, limit)


def keep_out(target, neck_position):
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
    shift = between / np.maximum(apart, 1e-3) * np.maximum(0.15 - apart, 0) / 2
    out[:, 0] += shift
    out[:, 1] -= shift
    # Forearms that meet or cross lie one above the other: whichever wrist is the higher stays it.
    crossed = quintic((0.24 - (out[:, 0, 0] - out[:, 1, 0])) / 0.14)
    above = np.tanh((out[:, 0, 1] - out[:, 1, 1] + 0.02) / 0.03)
    part = 0.5 * crossed * np.maximum(0.17 - np.abs(out[:, 0, 1] - out[:, 1, 1]), 0) * above
    out[:, 0, 1] += part
    out[:, 1, 1] -= part
    return out


def clear_of_legs(target, joints, clearance=0.15):
    """Push wrists (T,2,3) off thighs and shins. joints: (first, last) ends (T,3) of each."""
    out = target.copy()
    for first, last in joints:
        along = last - first
        length = np.maximum((along ** 2).sum(-1, keepdims=True), 1e-6)
        for side in (0, 1):
            share = np.clip(((out[:, side] - first) * along).sum(-1, keepdims=True) / length, 0, 1)
            away = out[:, side] - first - share * along
            far = np.linalg.norm(away, axis=-1, keepdims=True)
            out[:, side] += away / np.maximum(far, 0.02) * np.maximum(clearance - far, 0)
    return out


def elbow_direction(axis, side):
    """Where the elbow of an arm along `axis` (T,3) points, (T,3): `ARM_POLE` turned from `ARM_AIM` to the axis."""
    flip = np.array([SIDE[side], 1.0, 1.0])
    return transported(axis, ARM_AIM * flip, ARM_POLE * flip)


def knees_up(hip, ankle, pole, down, height=0.07):
    """The knee's direction (T,3), turned upwards where the knee of a dancer on the floor would come lower than
    `height`."""
    upper, lower = np.linalg.norm(OFFSET[4]), np.linalg.norm(OFFSET[7])
    reach = ankle - hip
    far = np.clip(np.linalg.norm(reach, axis=-1, keepdims=True), 0.20, upper + lower)
    axis = normalise(reach)
    along = (upper ** 2 - lower ** 2 + far ** 2) / (2 * far)
    out = np.sqrt(np.maximum(upper ** 2 - along ** 2, 0))
    for _ in range(6):
        side = normalise(pole - (pole * axis).sum(-1, keepdims=True) * axis)
        knee = (hip + along * axis + out * side)[:, 1:2]
        pole = side + down[:, None] * np.clip((height + 0.03 - knee) / 0.15, 0, 1) * np.array([0.0, 1.0, 0.0])
    return pole


def trunk(curves):
    """Global rotations of the three spine joints, place of the chest (T,3), rotations of the collars, shoulders
    (T,2,3)."""
    third, position, above, chain = rotvec(curves.spine / 3), curves.pelvis, curves.pelvis_rotation, []
    for joint in (3, 6, 9):
        position = position + apply(above, OFFSET[joint])
        above = above @ third
        chain.append(above)
    collars = [above @ rotvec(curves.collar[:, s]) for s in (0, 1)]
    shoulders = [position + apply(above, OFFSET[13 + s]) + apply(collars[s], OFFSET[16 + s]) for s in (0, 1)]
    return chain, position, collars, np.stack(shoulders, 1)


def reach_floor(curves, ankle, reach=0.985, closest=0.22, frames=1):
    """Shift the body of a dancer on the floor until arms and legs are long enough for planted hands and feet, and no
    leg is folded more than it can be."""
    for _ in range(8):
        way = curves.plant - trunk(curves)[3]
        far = np.linalg.norm(way, axis=-1, keepdims=True)
        shift = [way / np.maximum(far, 1e-6) * np.maximum(far - reach * ARM, 0) * curves.planted[..., None]]
        hips = np.stack([curves.pelvis + apply(curves.pelvis_rotation, OFFSET[1 + s]) for s in (0, 1)], 1)
        way = ankle - hips
        far = np.linalg.norm(way, axis=-1, keepdims=True)
        along = np.maximum(far - 0.998 * LEG, 0) - np.maximum(closest - far, 0)
        shift.append(way / np.maximum(far, 1e-6) * along * quintic(curves.down / 0.2)[:, None, None])
        low = np.zeros((len(hips), 1, 3))
        low[..., 1] = np.maximum(0.14 - hips[..., 1], 0).max(1, keepdims=True) * quintic(curves.down / 0.2)[:, None]
        shift = np.concatenate([*shift, low], 1)
        move = shift.sum(1) / np.maximum((np.abs(shift) > 1e-6).any(-1).sum(1), 1)[:, None]
        curves.pelvis = curves.pelvis + smooth(move, frames)


def hand_on_floor(facing, side):
    """Global rotation (T,3,3) of a hand flat on the floor, fingers forward and outward."""
    forward = apply(yaw(facing), np.array([0.35 * SIDE[side], 0.0, 0.94]))
    up = np.broadcast_to(np.array([0.0, 1.0, 0.0]), forward.shape)
    first = SIDE[side] * forward
    return np.stack([first, up, np.cross(first, up)], -1)


def solve(curves, fps=FPS):
    """Curves -> Motion (z-up world, facing -y) on the canonical skeleton; the feet stay where they were put."""
    frames = len(curves.pelvis)
    ankle, foot = ankles(curves)
    limit_pelvis(curves, ankle)
    if curves.planted is not None:
        reach_floor(curves, ankle)
    glob = np.empty((frames, 24, 3, 3))
    local = np.tile(np.eye(3), (frames, 24, 1, 1))
    glob[:, 0] = curves.pelvis_rotation
    for s in (0, 1):
        hip = curves.pelvis + apply(glob[:, 0], OFFSET[1 + s])
        facing = yaw(curves.foot_yaw[:, s] + curves.knee_out[:, s])
        forward = apply(facing, np.array([0.0, 0.0, 1.0])) + 0.6 * apply(glob[:, 0], np.array([0.0, 0.0, 1.0]))
        down = np.array([0.0, -1.0, 0.0])
        forward = normalise(forward * np.array([1.0, 0.0, 1.0]))
        if curves.tip is not None:
            down, forward = apply(curves.tip, down), apply(curves.tip, forward)
        knee = transported(normalise(ankle[:, s] - hip), down, forward)
        if curves.down is not None:
            # Where a leg passes the pose that has no answer, its knee goes round within a few frames, not in one.
            knee = knees_up(hip, ankle[:, s], normalise(smooth(knee, 4)), curves.down)
        glob[:, 1 + s], glob[:, 4 + s], _ = two_bone(hip, ankle[:, s], knee, OFFSET[4 + s], OFFSET[7 + s],
                                                     (1, 0, 0), closest=0.20, farthest=0.9995)
        glob[:, 7 + s] = foot[:, s]
        glob[:, 10 + s] = foot[:, s] @ pitch(-np.clip(curves.foot_pitch[:, s], 0, 0.9) * 0.8)
        local[:, 1 + s] = glob[:, 0].swapaxes(-1, -2) @ glob[:, 1 + s]
        local[:, 4 + s] = glob[:, 1 + s].swapaxes(-1, -2) @ glob[:, 4 + s]
        local[:, 7 + s] = glob[:, 4 + s].swapaxes(-1, -2) @ glob[:, 7 + s]
        local[:, 10 + s] = glob[:, 7 + s].swapaxes(-1, -2) @ glob[:, 10 + s]
    chain, chest_position, collars, shoulders = trunk(curves)
    local[:, 3] = local[:, 6] = local[:, 9] = rotvec(curves.spine / 3)
    glob[:, 3], glob[:, 6], glob[:, 9] = chain
    chest = above = chain[-1]
    for joint, turn in ((12, curves.neck), (15, curves.head)):
        local[:, joint] = rotvec(turn)
        above = above @ local[:, joint]
        glob[:, joint] = above
    for s in (0, 1):
        local[:, 13 + s], glob[:, 13 + s] = rotvec(curves.collar[:, s]), collars[s]
    chest_t = chest.swapaxes(-1, -2)[:, None]
    if curves.wrists is None:
        azimuth, elevation, reach = curves.arms[..., 0], curves.arms[..., 1], curves.arms[..., 2]
        aim = np.stack([SIDE * np.sin(azimuth) * np.cos(elevation), np.sin(elevation),
                        np.cos(azimuth) * np.cos(elevation)], -1) * (reach * ARM)[..., None]
        target = aim + apply(chest_t, shoulders - chest_position[:, None])
    else:
        target = apply(chest_t, curves.wrists - chest_position[:, None])
    if curves.detail is not None:
        target = target + curves.detail
    neck_position = np.broadcast_to(OFFSET[12], (frames, 3))
    target = keep_out(target, neck_position)
    target = chest_position[:, None] + apply(chest[:, None], target)
    if curves.detail is not None:
        knees = [curves.pelvis + apply(glob[:, 0], OFFSET[1 + s]) + apply(glob[:, 1 + s], OFFSET[4 + s])
                 for s in (0, 1)]
        thighs = [(curves.pelvis + apply(glob[:, 0], OFFSET[1 + s]), knees[s]) for s in (0, 1)]
        target = clear_of_legs(target, thighs + [(knees[s], ankle[:, s]) for s in (0, 1)])
        target[..., 1] = np.maximum(target[..., 1], WRIST_FLOOR)
    if curves.planted is not None:
        target += curves.planted[..., None] * (curves.plant - target)
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
        if curves.planted is not None:
            flat = lower.swapaxes(-1, -2) @ hand_on_floor(curves.facing, s)
            local[:, 20 + s] = slerp(local[:, 20 + s], flat, curves.planted[:, s])
    local[:, 0] = ROOT_TO_BLENDER @ glob[:, 0]
    root = curves.pelvis @ ROOT_TO_BLENDER.T
    return Motion(local.astype(np.float32), root.astype(np.float32), fps)
