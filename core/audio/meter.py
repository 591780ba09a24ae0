"""Integrated loudness after ITU-R BS.1770-4: K-weighting, blocks of 0.4 s, two gates.

What pyloudnorm computes, with its filters (RBJ cookbook forms at 1500 and 38 Hz); pyloudnorm judges the result in
`models.lab.metrics.audio` and in the tests. Here the two filters are one product in the frequency domain, a few seconds
at a time: memory stays flat, and a first preview does not wait for scipy.signal to be imported.
"""
from functools import lru_cache

import numpy as np

BLOCK_SECONDS, STEP_PART = 0.4, 0.25        # of the gate
ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -10.0
OFFSET = -0.691
SHELF_DB, SHELF_HERTZ, SHELF_Q = 4.0, 1500.0, np.sqrt(0.5)
PASS_HERTZ, PASS_Q = 38.0, 0.5
LEAD_SECONDS = 0.2                          # the high-pass has forgotten what lies this far back (e^-47)
FRAME = 1 << 18                             # samples of a transform


def integrated_loudness(samples, rate):
    """LUFS of (C,N) samples, C 1 or 2; -inf for silence.
    Passages under 0.4 s are one gating block of their own length."""
    samples = np.atleast_2d(samples)
    if samples.shape[1] < 2 or not np.any(samples):
        return -np.inf
    return loudness_of_energy(weighted_energy(samples, rate), rate)


def loudness_of_energy(energy, rate):
    """LUFS of what `weighted_energy` gives, (N,);
    multiplied by the square of a slow gain it is that of the gained sound."""
    power = _block_powers(energy, rate, min(BLOCK_SECONDS, len(energy) / rate))
    loud = power[power > 10 ** ((ABSOLUTE_GATE - OFFSET) / 10)]
    if not len(loud):
        return -np.inf
    loud = loud[loud > loud.mean() * 10 ** (RELATIVE_GATE / 10)]
    return float(OFFSET + 10 * np.log10(loud.mean()))


def _block_powers(energy, rate, block):
    """Mean square of each K-weighted block of `block` seconds, summed over the channels (eq. 1)."""
    total = len(energy)
    energy = np.concatenate([[0.0], np.cumsum(energy)])
    count = int(np.round((total / rate - block) / (block * STEP_PART))) + 1
    number = np.arange(count)
    first = (block * (number * STEP_PART) * rate).astype(int)
    last = np.minimum((block * (number * STEP_PART + 1) * rate).astype(int), total)
    return (energy[last] - energy[first]) / (block * rate)


def weighted_energy(samples, rate):
    """(N,) float64: squares of the K-weighted samples, summed over the channels."""
    import torch
    response = torch.from_numpy(_k_weighting(rate))
    lead, total = int(LEAD_SECONDS * rate), samples.shape[1]
    out = np.empty(total)
    step = FRAME - lead
    for start in range(0, total, step):
        piece = torch.zeros(len(samples), FRAME)
        low = max(0, start - lead)
        stop = min(total, start + step)
        known = np.ascontiguousarray(samples[:, low:stop], dtype=np.float32)
        piece[:, lead - (start - low):lead + stop - start] = torch.from_numpy(known)
        weighted = torch.fft.irfft(torch.fft.rfft(piece) * response, FRAME)[:, lead:lead + stop - start]
        out[start:stop] = weighted.double().square().sum(0).numpy()
    return out


@lru_cache(maxsize=2)
def _k_weighting(rate):
    """(FRAME / 2 + 1,) complex64: the head's shelf and the high-pass (annex 1) on the unit circle."""
    gain = 10 ** (SHELF_DB / 40)
    z = np.exp(-2j * np.pi * np.arange(FRAME // 2 + 1) / FRAME)

    def biquad(numerator, denominator):
        return np.polyval(numerator[::-1], z) / np.polyval(denominator[::-1], z)
    angle = 2 * np.pi * SHELF_HERTZ / rate
    cos, slope = np.cos(angle), np.sqrt(gain) * np.sin(angle) / SHELF_Q
    shelf = biquad([gain * (gain + 1 + (gain - 1) * cos + slope), -2 * gain * (gain - 1 + (gain + 1) * cos),
                    gain * (gain + 1 + (gain - 1) * cos - slope)],
                   [gain + 1 - (gain - 1) * cos + slope, 2 * (gain - 1 - (gain + 1) * cos), gain + 1 - (gain - 1) * cos
                    - slope])
    angle = 2 * np.pi * PASS_HERTZ / rate
    cos, alpha = np.cos(angle), np.sin(angle) / (2 * PASS_Q)
    high_pass = biquad([(1 + cos) / 2, -1 - cos, (1 + cos) / 2], [1 + alpha, -2 * cos, 1 - alpha])
    return (shelf * high_pass).astype(np.complex64)
