"""Many keys at once, and fewer keys where fewer will do."""
import numpy as np

BEZIER, LINEAR = 2, 1
AUTO_CLAMPED = 4
BLOCK = 10000                   # frames that are evaluated without a pause


def fill_curve(curve, frames, values, linear=True):
    """Give an empty f-curve its keys: frames (T,), values (T,)."""
    points = curve.keyframe_points
    points.add(len(frames))
    coordinates = np.empty(2 * len(frames), dtype=np.float32)
    coordinates[0::2], coordinates[1::2] = frames, values
    points.foreach_set("co", coordinates)
    points.foreach_set("interpolation", np.full(len(frames), LINEAR if linear else BEZIER, dtype=np.int32))
    if not linear:
        handles = np.full(len(frames), AUTO_CLAMPED, dtype=np.int32)
        points.foreach_set("handle_left_type", handles)
        points.foreach_set("handle_right_type", handles)
    curve.update()


def reduced(curve, frames, values, error, exact=None, rounds=12):
    """Generator: smooth curves with few keys, within `error` of values (T, C) at every frame, all columns keyed
    together; curve(column) gives the f-curve, anew after each yield.

    Straight lines choose the first keys; then, until all is within `error` (Euclidean over the columns), the worst
    frame between two keys gets one. exact (T,) bool: frames that have a key of their own whatever the error.
    """
    keep = set() if exact is None else set(np.flatnonzero(exact).tolist())
    keep |= set(reduce_keys(frames, values, 3 * error).tolist())
    for _ in range(rounds):
        picked = np.array(sorted(keep))
        fitted = np.empty(np.shape(values))
        for index in range(fitted.shape[1]):
            curve(index).keyframe_points.clear()
            fill_curve(curve(index), frames[picked], values[picked, index], linear=False)
            for first in range(0, len(frames), BLOCK):
                one = curve(index)
                fitted[first:first + BLOCK, index] = [one.evaluate(frame) for frame in frames[first:first + BLOCK]]
                yield
        off = np.linalg.norm(fitted - values, axis=1)
        if off.max() <= error:
            return
        for first, last in zip(picked, picked[1:]):
            worst = first + int(off[first:last + 1].argmax())
            if off[worst] > error:
                keep.add(worst)


def reduce_keys(frames, values, error):
    """Indices (K,) of the keys that keep every column of `values` (T, C) within `error` of straight lines.

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
    return np.flatnonzero(keep)
