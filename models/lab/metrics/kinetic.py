"""The 72 kinetic features of fairmotion (FID_k), as published and corrected (systems.md 10.3)."""
import numpy as np


def kinetic(positions, fps=60, as_published=True, up=1, window=2):
    """(T,J,3) joint positions in metres -> (3J,): per joint mean squared horizontal and vertical speed, mean
    acceleration.

    up: index of the vertical axis. as_published keeps the released extractor's operator-precedence slip in the
    acceleration: the earlier velocity is p_i - p_{i-1} / dt, so the feature depends on absolute position;
    therefore the frame-0 root is subtracted first, as the protocol does. as_published=False is the corrected form.
    Velocities average `window` differences each way (5 frames), clipped at the ends.
    """
    positions = np.asarray(positions, float)
    if as_published:
        positions = positions - positions[:1, :1]
    frames, dt = len(positions), 1.0 / fps
    if frames < 3:
        raise ValueError("kinetic features need at least three frames")
    index = np.arange(1, frames)
    difference = np.zeros_like(positions)
    difference[1:] = (positions[1:] - positions[:-1]) / dt
    velocity = _window_mean(difference, index, window, 1, frames)
    if as_published:
        # The slip: current - previous / dt instead of (current - previous) / dt for the earlier velocity.
        slipped = np.zeros_like(positions)
        slipped[1:] = positions[1:] - positions[:-1] / dt
        change = np.zeros_like(positions)
        change[1:-1] = (difference[2:] - slipped[1:-1]) / dt
    else:
        change = np.zeros_like(positions)
        change[1:-1] = (difference[2:] - difference[1:-1]) / dt
    acceleration = _window_mean(change, index[:-1], window, 1, frames - 1)
    horizontal = [axis for axis in range(3) if axis != up]
    h = (velocity[..., horizontal] ** 2).sum(-1).mean(0)
    v = (velocity[..., up] ** 2).mean(0)
    a = np.linalg.norm(acceleration, axis=-1).mean(0)
    return np.stack([h, v, a], axis=1).reshape(-1)


def _window_mean(values, index, window, first, last):
    """Mean of values over [i - window, i + window], clipped to first..last-1, for each i of index."""
    total = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
    low, high = np.maximum(index - window, first), np.minimum(index + window, last - 1) + 1
    return (total[high] - total[low]) / (high - low).reshape(-1, *([1] * (values.ndim - 1)))
