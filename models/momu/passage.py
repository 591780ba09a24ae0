"""A passage of any length as one canvas of latents, and what is known of it without the other modality: beats,
tempo, style.

Canvas time is seconds from the passage's start, divided by `stretch`. On a line stretch is 1. On a loop the canvas
has a whole number of latents and the passage is stretched to it (by 2 % at 2 s, less for longer ones), so that the
ring closes exactly.
"""
import math

import numpy as np
import torch

from core.contract import GENRES
from core.errors import BadInput
from core.rhythm.beats import rhythm_curve
from models.diffusion.windows import window_places, window_starts
from models.momu.config import DOWNSAMPLE, FRAME_RATE, LATENT_RATE, RHYTHM_CHANNELS

OVERLAP_PART = 0.25         # of a window shared with each neighbour
CONTEXT = 64                # latents sampled on either side of a range that is made anew


def around(times, period):
    """Times (s) within a loop of that period, with those of the turn before and of the turn after."""
    inside = times[(times > -1e-3) & (times < period - 1e-3)]
    return np.concatenate([inside + turn * period for turn in (-1, 0, 1)])


class Passage:
    """length: latents of the passage; first, last: the part that is sampled; window, overlap, starts:
    `models/diffusion/windows.py`.

    rhythm (20, length), tempo (2,), style (genres,): float32 tensors, zero where unknown. Raises BadInput for a bad
    length or genre.
    """

    def __init__(self, config, duration, beats=None, genre=None, loop=False):
        if not 0 < duration < math.inf:
            raise BadInput(f"A passage of {duration:g} s cannot be made; give a length above 0.")
        if genre is not None and genre not in GENRES:
            raise BadInput(f"There is no genre {genre!r}; choose one of {', '.join(GENRES)}.")
        self.config, self.duration, self.loop = config, float(duration), loop
        if loop:
            self.length = max(config.shortest, round(duration * LATENT_RATE))
            self.stretch = duration * LATENT_RATE / self.length
        else:
            self.length, self.stretch = max(config.shortest, math.ceil(duration * LATENT_RATE) + 1), 1.0
        self.first, self.last = 0, self.length
        self.genre = -1 if genre is None else GENRES.index(genre)
        self.style = torch.zeros(len(GENRES))
        if genre is not None:
            self.style[self.genre] = 1.0
        self.rhythm, self.tempo = self._rhythm(beats)

    def _rhythm(self, beats):
        frames = self.length * DOWNSAMPLE
        if beats is None or len(beats) < 2:
            return torch.zeros(RHYTHM_CHANNELS * DOWNSAMPLE, self.length), torch.zeros(2)
        times, downbeats = beats.times / self.stretch, beats.downbeats / self.stretch
        if self.loop:
            period = self.length / LATENT_RATE
            times, downbeats = around(times, period), around(downbeats, period)
        curve = rhythm_curve(times, downbeats, frames, FRAME_RATE)
        tempo = math.log2(60.0 / float(np.median(np.diff(times))) / 120.0)
        folded = curve.reshape(self.length, DOWNSAMPLE, RHYTHM_CHANNELS).transpose(2, 1, 0).reshape(-1, self.length)
        return torch.from_numpy(np.ascontiguousarray(folded)), torch.tensor([tempo, 1.0])

    def cut(self, free):
        """Sample only what the seconds `free` [(start, stop), ...] need, with context on either side (line only).
        Raises BadInput where they do not lie in the passage."""
        start, stop = min(low for low, _ in free), max(high for _, high in free)
        if not 0 <= start < stop <= self.duration + 1e-3:
            raise BadInput(f"The range {start:g} to {stop:g} s does not lie in the take of {self.duration:.2f} s.")
        if self.loop:
            return
        self.first = max(0, min(math.floor(start * LATENT_RATE) - CONTEXT, self.length - self.config.shortest))
        self.last = min(self.length, max(math.ceil(stop * LATENT_RATE) + CONTEXT, self.first + self.config.shortest))

    def kept(self, free):
        """Mask (1, length) float32: 1 on latents that lie outside the seconds `free`."""
        centres = (np.arange(self.length) + 0.5) / LATENT_RATE * self.stretch
        inside = np.any([(centres >= start) & (centres <= stop) for start, stop in free], axis=0)
        return torch.from_numpy((~inside).astype(np.float32))[None]

    @property
    def sampled(self):
        """Latents to sample."""
        return self.last - self.first

    @property
    def window(self):
        """Latents that are denoised at once."""
        return min(self.config.window, self.sampled)

    @property
    def overlap(self):
        """Latents that neighbouring windows share at least."""
        return round(self.window * OVERLAP_PART)

    def places(self, device="cpu"):
        """Latents of the passage, (windows, window) long, under each of the windows."""
        starts = window_starts(self.sampled, self.window, self.overlap, self.loop)
        return window_places([self.first + start for start in starts], self.window, self.length).to(device)
