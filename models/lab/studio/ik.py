"""Two-bone inverse kinematics and interpolation helpers, vectorised over frames.

Coordinates here are SMPL's own: +x left, +y up, +z forward, floor at y = 0; `body.solve` turns the result into the
world.
"""
import numpy as np


def quintic(u):
    """Minimum-jerk step: 0 at u <= 0, 1 at u >= 1, zero velocity and acceleration at both ends (Flash & Hogan 1985)."""
    u = np.clip(u, 0.0, 1.0)
    return u * u * u * (10.0 + u * (6.0 * u - 15.0))


def interpolate_keys(times, key_times, values, dwell=0.0, sharpness=1.0, shortest=0.0, early=0.0, longest=np.inf):
    """Key values joined by minimum-jerk moves that *arrive* on their key's time.

    times (T,); key_times (K,) ascending; values (K, ...); dwell: share of each interval spent at rest first, scalar
    or (K-1,); sharpness > 1 puts the speed peak closer to the arrival; shortest: seconds a move takes at least, where
    its interval allows; longest: and at most (it starts later); early: seconds a move ends before its key's time.
    Before the first key: its value.
    """
    values = np.asarray(values, float)
    if len(key_times) == 1:
        return np.broadcast_to(values[0], (len(times),) + values.shape[1:]).copy()
    index = np.clip(np.searchsorted(key_times, times, side="right") - 1, 0, len(key_times) - 2)
    span = np.maximum(np.diff(key_times), 1e-6)
    u = (times - key_times[index]) / span[index]
    rest = np.broadcast_to(np.asarray(dwell, float), (len(span),))[index]
    rest = np.minimum(rest, np.maximum(1 - shortest / span[index], 0)) if shortest else rest
    rest = np.maximum(rest, 1 - longest / span[index])
    power = np.broadcast_to(np.asarray(sharpness, float), (len(span),))[index]
    end = 1 - np.minimum(early / span[index], 0.2)
    u = np.clip((u - rest) / np.maximum(end - rest, 0.1), 0, 1) ** power
    step = quintic(u).reshape((-1,) + (1,) * (values.ndim - 1))
    return values[index] * (1 - step) + values[index + 1] * step


def smooth(array, frames):
    """Hann-window average of half-width `frames` along axis 0."""
    if frames < 1:
        return array
    from scipy.ndimage import convolve1d  # here: the networks use `two_bone` on machines without scipy
    kernel = np.hanning(2 * frames + 3)[1:-1]
    return convolve1d(array, kernel / kernel.sum(), axis=0, mode="nearest")


def smooth_below(limit, frames):
    """A smooth curve that never exceeds `limit` (T,): average of a running minimum of the same width."""
    from scipy.ndimage import minimum_filter1d
    return smooth(minimum_filter1d(limit, 2 * frames + 1, mode="nearest"), frames)


def smooth_noise(rng, frames, channels, seconds, fps=30.0):
    """(frames, channels) unit-variance noise without content faster than about `seconds`."""
    count = max(4, int(frames / fps / seconds) + 4)
    keys = rng.normal(size=(count, channels))
    place = np.linspace(0, count - 1.001, frames)
    low = place.astype(int)
    part = quintic(place - low)[:, None]
    return keys[low] * (1 - part) + keys[low + 1] * part
