"""How a style stands and how far it moves: Gaussians of a dance's local means and spreads, and the pull towards them.

The style token alone leaves genres with one stance. A passage is described by the mean and the log spread of every
channel over `WINDOW_SECONDS`; over the pieces of a style these are nearly Gaussian. Sampling, the estimate's own mean
and spread are taken for a noisy reading of them, and moved to where reading and style meet (the posterior mean of two
Gaussians): what a style varies much is left alone, what it keeps is kept. The course of the estimate within the
window, and with it the beat, stays.

Measured, not trained: `python -m models.lab.packs.styles`, stored as the part "styles" beside the base.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

from models.dance_cascade.config import STYLES
from models.motion.representation import CHANNELS, CONTACTS, Standard

WINDOW_SECONDS = 8.0                        # what means and spreads are taken over
BANDS = (1.0, 1 / 3)                        # s; spreads are of what is slower, between, and faster
LEAST_SPREAD = 0.05                         # standardised: less is no movement, and is not made into one
MOST_CHANGE = math.log(1.5)                 # of a log spread in one step
COMMON_PIECES = 4                           # pieces' worth of all styles' variance in the variance of each
# How far the estimate's mean and log spread are doubted as readings of the passage's, standardised.
DOUBT, SCALE_DOUBT = 0.7, 0.5
# With more noise an estimate is a blur whose spread says nothing, and is left alone.
SCALE_NOISE = 0.5
_NAMES = ("middle", "scale")


def average(x, seconds, fps, loop=False):
    """Mean of x (..., T) over so many seconds about each frame; at the ends the window is cut, on a loop it goes
    round."""
    flat = x.reshape(-1, 1, x.shape[-1])
    half = min(int(seconds * fps / 2), (x.shape[-1] - 1) // (2 if loop else 1))
    padded = F.pad(flat, (half, half), mode="circular") if loop else flat
    if x.device.type == "cpu":
        return _running_mean(padded[:, 0], half, loop).reshape(x.shape)
    return F.avg_pool1d(padded, 2 * half + 1, stride=1, padding=0 if loop else half,
                        count_include_pad=False).reshape(x.shape)


def _running_mean(rows, half, whole):
    """Means over 2 `half` + 1 frames of rows (N, T), cut at the ends or, where `whole`, of whole windows alone. By
    sums of all before, in double precision: pooling adds up each window anew, a hundred frames for each frame."""
    sums = F.pad(rows.double().cumsum(-1), (1, 0))
    count = rows.shape[-1]
    middle = torch.arange(half, count - half) if whole else torch.arange(count)
    low, high = (middle - half).clamp(min=0), (middle + half + 1).clamp(max=count)
    return ((sums[:, high] - sums[:, low]) / (high - low)).to(rows.dtype)


def moments(x, fps, loop=False):
    """(mean (..., C, T), parts (B, ..., C, T), log spreads (B, ..., C, T)) of x (..., C, T) over the `WINDOW_SECONDS`
    about each frame. Parts: slow to fast, what is left between means over `BANDS`; with the mean they add up to x."""
    means = [average(x, seconds, fps, loop) for seconds in (WINDOW_SECONDS, *BANDS)] + [x]
    parts = torch.stack([fine - rough for rough, fine in zip(means, means[1:])])
    spreads = average(parts.square(), WINDOW_SECONDS, fps, loop).clamp(min=LEAST_SPREAD**2).sqrt().log()
    return means[0], parts, spreads


class Styles(nn.Module):
    """Gaussians of `moments`, a row for each of `STYLES`; styles that were not measured have no weight.

    Buffers: standard, the units of all others; middle, middle_spread (S, C) mean and deviation of means over pieces;
    scale, scale_spread (S, B, C) the same of log spreads; slope (B, C) growth of a log spread with each unit of log
    energy; energy (S,) a style's mean log energy (`features.log_energy`); known (S,).
    """

    def __init__(self):
        super().__init__()
        self.standard = Standard(CHANNELS)
        for name in _NAMES:
            shape = (len(STYLES), CHANNELS) if name == "middle" else (len(STYLES), len(BANDS) + 1, CHANNELS)
            self.register_buffer(name, torch.zeros(shape))
            self.register_buffer(f"{name}_spread", torch.ones(shape))
        self.register_buffer("slope", torch.zeros(len(BANDS) + 1, CHANNELS))
        self.register_buffer("energy", torch.zeros(len(STYLES)))
        self.register_buffer("known", torch.zeros(len(STYLES)))

    @torch.no_grad()
    def measure(self, pieces, fps):
        """pieces: [(style index, vectors (T, 152), log energy (T,))]; each piece counts once."""
        self.standard.measure(torch.cat([vectors for _, vectors, _ in pieces]))
        style = torch.tensor([number for number, _, _ in pieces])
        found = [moments(self.standard(vectors).T, fps) for _, vectors, _ in pieces]
        values = [torch.stack([part[n].mean(-1) for part in found]) for n in (0, 2)]
        within = [torch.stack([part[n].var(-1, correction=0) for part in found]) for n in (0, 2)]
        energy = torch.stack([each.mean() for _, _, each in pieces])[:, None, None]
        apart = [value - torch.stack([value[style == own].mean(0) for own in style]) for value in (*values, energy)]
        self.slope.copy_((apart[2] * apart[1]).sum(0) / apart[2].square().sum().clamp(min=1e-6))
        apart[1] = apart[1] - apart[2] * self.slope
        for number in style.unique().tolist():
            own = style == number
            self.known[number], self.energy[number] = 1.0, energy[own].mean()
            for name, value, gap, inside in zip(_NAMES, values, apart, within):
                common = COMMON_PIECES * gap.square().mean(0)
                variance = (gap[own].square().sum(0) + common) / (int(own.sum()) + COMMON_PIECES)
                getattr(self, name)[number] = value[own].mean(0)
                getattr(self, f"{name}_spread")[number] = (variance + inside[own].mean(0)).sqrt()

    def knows(self, style):
        """Whether a style was measured. On a card this waits for it, so it is asked once, before the steps."""
        return style >= 0 and bool(self.known[style])

    def pull(self, vectors, style, fps, noise, strength=1.0, energy=None, loop=False):
        """Un-normalised vectors (V, T, 152) with their local means and spreads moved towards those of a style that is
        known.

        noise: share of the noise that the estimate was made at, 0..1; strength: of `DOUBT` and `SCALE_DOUBT`, 0 leaves
        the estimate; energy: log energy (T,) or (V, T) that is asked for, None: the style's own.
        """
        if style < 0:
            return vectors
        x = self.standard(vectors).transpose(1, 2)
        mean, parts, spreads = moments(x, fps, loop)
        weight = posterior_weight(strength * DOUBT, self.middle_spread[style])
        moved = weight * (self.middle[style][:, None] - mean)
        for band, (part, spread) in enumerate(zip(parts, spreads) if noise <= SCALE_NOISE else ()):
            wanted = self.scale[style][band, :, None]
            if energy is not None:
                wanted = wanted + self.slope[band, :, None] * (energy[..., None, :] - self.energy[style])
            change = posterior_weight(strength * SCALE_DOUBT, self.scale_spread[style][band]) * (wanted - spread)
            moved = moved + part * (change.clamp(-MOST_CHANGE, MOST_CHANGE).exp() - 1)
        moved = self.standard.restore((x + moved).transpose(1, 2))
        return torch.cat([moved[..., :CONTACTS.start], vectors[..., CONTACTS]], dim=-1)


def posterior_weight(doubt, spread):
    """(C, 1): how far a reading moves towards its prior (C,), given the deviations of both."""
    return (doubt**2 / (doubt**2 + spread.square()))[:, None]
