"""Key points of the picture onto a body: what a conductor of `keypoints13` needs before it can move a rig.

A picture has no depth. Ours is found bone by bone from foreshortening (Taylor 2000, scaled orthography): a bone of
known length that looks short points out of the picture. Which way, the picture does not say: arms are taken to reach to
the front, where a conductor's arms are. Legs stand. The published system ends at the picture; this step is ours.
"""
import numpy as np

from core.body.ik import frame_from, normalise
from core.body.kinematics import OFFSETS, local_from_global
from core.body.motion import Motion, rest_motion
from core.body.rotations import ROOT_TO_BLENDER, axis_angle_to_matrix
from models.conductor.features import stand

SHOULDER_WIDTH, HIPS = 0.2, (0.5, 0.75)     # of the picture: mean width of the shoulders, mean place of the hips
SMOOTHING = (19, 5)                         # frames and order of the published rendering's Savitzky-Golay filter
NOSE_FORWARD, NOSE_DROP = 0.11, 0.02        # m from the middle of the ears to the nose of a head that looks ahead
MOST_TURN = np.radians(50)                  # of head and trunk: beyond it a picture from the front says little
# collar, shoulder, elbow, wrist, hand; which way is out; key points of shoulder, elbow, wrist
ARMS = (((13, 16, 18, 20, 22), 1.0, (5, 7, 9)), ((14, 17, 19, 21, 23), -1.0, (6, 8, 10)))
TRUNK = (3, 6, 9)
WIDTH = 2 * float(abs(OFFSETS[13, 0] + OFFSETS[16, 0]))     # m between the shoulders of the body


def lifted(points, smooth=True):
    """A standing `Motion` at 30 fps of key points (T, 13, 2) in picture units (docs/contracts.md).

    smooth: filtered as the published rendering does, where there are frames enough. Raises ValueError for another
    shape.
    """
    points = np.asarray(points, dtype=float)
    if points.ndim != 3 or points.shape[1:] != (13, 2):
        raise ValueError(f"key points are (T, 13, 2), not {points.shape}")
    if smooth and len(points) > SMOOTHING[0]:
        from scipy.signal import savgol_filter  # here: training machines need not have scipy
        points = savgol_filter(points, *SMOOTHING, axis=0)
    scale = WIDTH / SHOULDER_WIDTH
    # The body's own axes: x to its left, which is the picture's right; y up; z to the front, unknown yet.
    place = np.stack([(points[..., 0] - HIPS[0]) * scale, (HIPS[1] - points[..., 1]) * scale], axis=-1)
    rotations = np.broadcast_to(np.eye(3), (len(points), 24, 3, 3)).copy()     # global, in the body's axes
    _trunk(rotations, place)
    _head(rotations, place)
    for joints, side, names in ARMS:
        _arm(rotations, place, joints, side, names)
    rest = rest_motion(1)
    root = np.repeat(rest.root, len(points), axis=0)
    root[:, 0] += place[:, 11:13, 0].mean(1) - place[:, 11:13, 0].mean()
    motion = Motion(local_from_global(ROOT_TO_BLENDER @ rotations).astype(np.float32), root.astype(np.float32))
    return stand(motion, rest.to_vector()[0])


def _about(axis, angle):
    return axis_angle_to_matrix(np.asarray(axis, float) * np.asarray(angle)[:, None])


def _trunk(rotations, place):
    """Lean to the side from the line of hips to shoulders; turn from how narrow the shoulders look, towards where the
    nose is seen."""
    middle = place[:, 5:7].mean(1) - place[:, 11:13].mean(1)
    lean = np.arctan2(-middle[:, 0], np.maximum(middle[:, 1], 1e-6))
    narrow = np.clip(np.abs(place[:, 5, 0] - place[:, 6, 0]) / WIDTH, np.cos(MOST_TURN), 1.0)
    towards = np.sign(place[:, 0, 0] - place[:, 5:7, 0].mean(1))
    # An angle from its cosine jumps where the shoulders look as wide as ever: only what is clearly narrow turns.
    turn = towards * np.maximum(np.arccos(narrow) - np.radians(20), 0.0)
    for part, joint in enumerate(TRUNK, 1):
        rotations[:, joint] = _about((0, 1, 0), turn * part / 3) @ _about((0, 0, 1), lean * part / 3)
    for joint in (12, 13, 14, 15):
        rotations[:, joint] = rotations[:, TRUNK[-1]]


def _head(rotations, place):
    """Turn and nod from where the nose lies between the ears, roll from the line of the ears."""
    ears, across = place[:, 3:5].mean(1), place[:, 3] - place[:, 4]
    nose = (place[:, 0] - ears) / NOSE_FORWARD
    turn = np.arcsin(np.clip(nose[:, 0], -np.sin(MOST_TURN), np.sin(MOST_TURN)))
    nod = -np.arcsin(np.clip(nose[:, 1] + NOSE_DROP / NOSE_FORWARD, -np.sin(MOST_TURN), np.sin(MOST_TURN)))
    roll = np.arctan2(across[:, 1], np.maximum(across[:, 0], 1e-6))
    rotations[:, 15] = _about((0, 1, 0), turn) @ _about((1, 0, 0), nod) @ _about((0, 0, 1), np.clip(roll, -0.6, 0.6))


def _bone(flat, length):
    """(T, 3) unit vectors of a bone that looks like `flat` (T, 2) and is so long, to the front."""
    seen = np.linalg.norm(flat, axis=-1, keepdims=True)
    depth = np.sqrt(np.maximum(length**2 - seen**2, 0.0))
    return normalise(np.concatenate([flat, depth], axis=-1))


def _arm(rotations, place, joints, side, names):
    collar, shoulder, elbow, wrist, hand = joints
    upper = _bone(place[:, names[1]] - place[:, names[0]], float(np.linalg.norm(OFFSETS[elbow])))
    fore = _bone(place[:, names[2]] - place[:, names[1]], float(np.linalg.norm(OFFSETS[wrist])))
    # A straight arm has no plane to bend in: there the elbow hangs.
    hanging = np.cross(upper, np.broadcast_to([0.0, 1.0, 0.0], upper.shape))
    hinge = np.cross(upper, fore) + 0.15 * hanging
    rest_hinge = np.array([0.0, -side, 0.0])
    rotations[:, shoulder] = frame_from(upper, hinge) @ frame_from(OFFSETS[elbow], rest_hinge).T
    rotations[:, elbow] = frame_from(fore, hinge) @ frame_from(OFFSETS[wrist], rest_hinge).T
    rotations[:, wrist] = rotations[:, elbow]
    rotations[:, hand] = rotations[:, elbow]
