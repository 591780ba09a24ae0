"""Two-bone inverse kinematics, vectorised over frames.

Coordinates are the caller's; lengths in metres.
"""
import numpy as np


def normalise(vector):
    """(..., 3) -> unit vectors; zero stays zero."""
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9)


def frame_from(first, hinge):
    """Rotation (..., 3, 3) whose columns are `first`, `hinge` (made orthogonal to it) and their cross product."""
    x = normalise(first)
    y = normalise(hinge - (hinge * x).sum(-1, keepdims=True) * x)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def two_bone(start, target, pole, upper_offset, lower_offset, rest_hinge, closest=0.13, farthest=0.997):
    """Global rotations of the upper and lower bone that bring the chain's end to `target`.

    start, target, pole: (T, 3); the middle joint bends towards `pole`. upper_offset, lower_offset: (3,) rest
    offsets in metres. rest_hinge: (3,) axis about which the rest chain bends. The distance is clamped to
    [closest m, farthest x full length]. Returns (upper (T,3,3), lower (T,3,3), end (T,3)).
    """
    a, b = np.linalg.norm(upper_offset), np.linalg.norm(lower_offset)
    reach = target - start
    distance = np.linalg.norm(reach, axis=-1, keepdims=True)
    axis = reach / np.maximum(distance, 1e-9)
    distance = np.clip(distance, closest, farthest * (a + b))
    side = normalise(pole - (pole * axis).sum(-1, keepdims=True) * axis)
    along = (a * a - b * b + distance ** 2) / (2 * distance)
    height = np.sqrt(np.maximum(a * a - along ** 2, 0))
    middle = along * axis + height * side
    hinge = np.cross(side, axis)
    upper = frame_from(middle, hinge) @ frame_from(upper_offset, np.asarray(rest_hinge, float)).T
    lower = frame_from(distance * axis - middle, hinge) @ frame_from(lower_offset, np.asarray(rest_hinge, float)).T
    return upper, lower, start + distance * axis


def transported(axis, aim, pole):
    """`pole` (..., 3), square to `aim`, turned along by the shortest rotation from `aim` to `axis` (T,3).

    Unlike projecting a fixed pole it has one singular axis only, -aim.
    """
    cosine = np.maximum((axis * aim).sum(-1, keepdims=True), -0.98)
    turn = np.cross(aim, axis)
    return pole * cosine + np.cross(turn, pole) + turn * (turn * pole).sum(-1, keepdims=True) / (1 + cosine)
