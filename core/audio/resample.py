"""Sound at another sample rate: `resample` (soxr) is the one way to it, `Resampler` that of a sound in pieces,
`resample_ring` that of a loop; `oversample` is for the true peak alone.

The true peak (ITU-R BS.1770-4 annex 2) is not read from soxr's output: its steeper filter reads peaks of hiss too low.
`oversample` gives the answer of SciPy's `resample_poly` as one matrix product. Importing scipy.signal costs half a
second, a fifth of a first preview; and on a CPU the product is three times as fast.
"""
from functools import lru_cache
from math import gcd

import numpy as np

REACH = 10                  # periods of the slower rate that the filter sees on either side
BETA = 5.0                  # of its Kaiser window
ROW = 128                   # results of one row of the product, at least: short rows waste its speed


def resample(samples: np.ndarray, rate: float, wanted: float) -> np.ndarray:
    """(C, N) or (N,) float at `rate` -> the same sound at the rate `wanted`, float32; soxr, high quality."""
    samples = np.asarray(samples, dtype=np.float32)
    if rate == wanted or samples.shape[-1] == 0:
        return samples
    import soxr
    return soxr.resample(samples.T, rate, wanted).T


class Resampler:
    """`resample` for a sound that comes in pieces: nothing but the pieces and a filter's length is held.

    (C, M) float at `rate` by `more`, its last piece marked -> (C, K) float32 at `wanted`, K as many as are certain by
    then. Put together they are `resample` of the whole.
    """

    def __init__(self, rate: float, wanted: float, channels: int):
        import soxr
        self._stream = None if rate == wanted else soxr.ResampleStream(rate, wanted, channels, dtype="float32")

    def more(self, samples: np.ndarray, last: bool = False) -> np.ndarray:
        """The next piece (C, M) -> (C, K)."""
        samples = np.asarray(samples, dtype=np.float32)
        if self._stream is None:
            return samples
        return self._stream.resample_chunk(np.ascontiguousarray(samples.T), last=last).T


def resample_ring(samples: np.ndarray, count: int) -> np.ndarray:
    """(C, N) of a loop -> (C, count) float32, by FFT: its end goes on into its beginning."""
    from scipy.signal import resample as by_fft
    return by_fft(samples, count, axis=-1).astype(np.float32)


def oversample(samples: np.ndarray, up: int, down: int = 1) -> np.ndarray:
    """(C, N) or (N,) float -> the same at up / down times the rate, ceil(N up / down) samples, float32."""
    import torch
    common = gcd(up, down)
    up, down = up // common, down // common
    x = np.asarray(samples, dtype=np.float32)
    if up == down or x.shape[-1] == 0:
        return x
    weights, before, step, row = _weights(up, down)
    count = -(-x.shape[-1] * up // down)
    rows = -(-count // row)
    after = max(0, (rows - 1) * step + len(weights) - before - x.shape[-1])
    padded = torch.nn.functional.pad(torch.from_numpy(np.ascontiguousarray(x)), (before, after))
    made = padded.unfold(-1, len(weights), step)[..., :rows, :] @ torch.from_numpy(weights)
    return made.flatten(-2)[..., :count].numpy()


@lru_cache(maxsize=8)
def _weights(up, down):
    """(K, R) weights of K samples in each of a row's R results; K's samples before the row's own;
    samples and results of a row.

    Result m is the sum over samples i of x[i] h[m down - i up + half], h a windowed sinc of 2 half + 1 taps.
    """
    slower = max(up, down)
    half = REACH * slower
    time = np.arange(-half, half + 1)
    taps = np.sinc(time / slower) * np.kaiser(2 * half + 1, BETA)
    taps *= up / taps.sum()
    block = -(-ROW // up)
    results, step = up * block, down * block
    before = half // up
    samples = np.arange(-before, ((results - 1) * down + half) // up + 1)
    place = np.arange(results) * down - samples[:, None] * up + half
    inside = (place >= 0) & (place < len(taps))
    return np.where(inside, taps[np.clip(place, 0, len(taps) - 1)], 0.0).astype(np.float32), before, step, results
