"""Many keys at once, and fewer keys where fewer will do."""
from functools import partial

import numpy as np

from ..errors import UserError

BEZIER, LINEAR = 2, 1
AUTO_CLAMPED = 4
BLOCK = 2000                    # frames that are evaluated without a pause


def fill_curve(curve, frames, values, linear=True):
    """Give an empty f-curve its keys: frames (T,), values (T,)."""
    for _ in filled(lambda: curve, frames, values, linear):
        pass


def filled(curve, frames, values, linear=True):
    """Generator: `fill_curve` in steps; curve() gives the f-curve, anew after each yield."""
    points = curve().keyframe_points
    points.add(len(frames))
    coordinates = np.empty(2 * len(frames), dtype=np.float32)
    coordinates[0::2], coordinates[1::2] = frames, values
    points.foreach_set("co", coordinates)
    yield
    points = curve().keyframe_points
    if len(points) != len(frames):
        raise UserError("The take's action was changed while it was written; start again.")
    points.foreach_set("interpolation", np.full(len(frames), LINEAR if linear else BEZIER, dtype=np.int32))
    if not linear:
        handles = np.full(len(frames), AUTO_CLAMPED, dtype=np.int32)
        points.foreach_set("handle_left_type", handles)
        points.foreach_set("handle_right_type", handles)
    yield
    curve().update()


def held(values):
    """Indices (K,) of the keys that give the same curves as one a frame: where all columns of `values` (T, C) stand
    still the first and the last key suffice. Still fingers would take half an hour's memory otherwise."""
    values = np.asarray(values, dtype=np.float32)
    same = (values[1:] == values[:-1]).all(axis=1)
    needed = np.ones(len(values), dtype=bool)
    needed[1:-1] = ~(same[1:] & same[:-1])
    return np.flatnonzero(needed)


def reduced(curve, frames, values, error, exact=None, rounds=12):
    """Generator: smooth curves with few keys, within `error` of values (T, C) at every frame, all columns keyed
    together; curve(column) gives the f-curve, anew after each yield.

    Straight lines choose the first keys; then, until all is within `error` (Euclidean over the columns), the worst
    frame between two keys gets one. exact (T,) bool: frames that have a key of their own whatever the error.
    """
    keep = np.zeros(len(frames), dtype=bool) if exact is None else np.array(exact, dtype=bool)
    keep[(yield from reduce_keys(frames, values, 3 * error))] = True
    for _ in range(rounds):
        picked = np.flatnonzero(keep)
        fitted = np.empty(np.shape(values))
        for index in range(fitted.shape[1]):
            curve(index).keyframe_points.clear()
            yield from filled(partial(curve, index), frames[picked], values[picked, index], linear=False)
            yield
            for first in range(0, len(frames), BLOCK):
                one = curve(index)
                fitted[first:first + BLOCK, index] = [one.evaluate(frame) for frame in frames[first:first + BLOCK]]
                yield
        off = np.linalg.norm(fitted - values, axis=1)
        if off.max() <= error:
            return
        for number, (first, last) in enumerate(zip(picked, picked[1:])):
            worst = first + int(off[first:last + 1].argmax())
            if off[worst] > error:
                keep[worst] = True
            if number % BLOCK == 0:
                yield


def reduce_keys(frames, values, error):
    """Generator: yields between looks, returns indices (K,) of the keys that keep every column of `values` (T, C)
    within `error` of straight lines.

    Ramer-Douglas-Peucker over all columns of a bone at once, so that its channels keep keys at common frames.
    """
    count = len(frames)
    keep = np.zeros(count, dtype=bool)
    keep[[0, count - 1]] = True
    stack = [(0, count - 1)]
    while stack:
        first, last = stack.pop()
        if last - first < 2:
            continue
        share = ((frames[first + 1:last] - frames[first]) / (frames[last] - frames[first]))[:, None]
        line = values[first] * (1 - share) + values[last] * share
        off = np.abs(values[first + 1:last] - line).max(axis=1)
        worst = int(off.argmax())
        if off[worst] > error:
            middle = first + 1 + worst
            keep[middle] = True
            stack += [(first, middle), (middle, last)]
        yield
    return np.flatnonzero(keep)
