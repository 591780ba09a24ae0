"""A passage of any length as conditions of windows on one canvas of latents.

Canvas time: seconds from the passage's start, divided by `stretch`. On a line stretch is 1. On a loop the canvas has a
whole number of latents and the passage is stretched to it (by 2 % at 2 s, less for longer ones), so that the ring
closes exactly.
"""
import math

import numpy as np
import torch

from core.audio.mel import FRAME_RATE
from core.body.kinematics import FPS
from core.errors import BadInput
from core.rhythm.beats import rhythm_curve
from models.diffusion import window_starts
from models.music_ldm.features import genre_index, motion_features
from models.music_ldm.network import Condition

OVERLAP_PART = 0.25         # of a window shared with each neighbour


class Passage:
    """length: latent frames of the canvas; starts: first latent frame of each window; stretch: see above.

    motion (`Motion` or None), beats (`Beats` or None), genre slug or None. `first`, `last` (latent frames) cut a part
    out of the canvas, for making only some seconds anew. Raises BadInput for what no music can be made from.
    """

    def __init__(self, config, duration, motion=None, beats=None, genre=None, loop=False):
        if not 0 < duration < math.inf:
            raise BadInput(f"Music of {duration:g} s cannot be made; give a length above 0.")
        self.config, self.duration, self.loop = config, float(duration), loop
        step = config.seconds_per_latent
        if loop:
            self.length = max(1, round(duration / step))
            self.stretch = duration / (self.length * step)
        else:
            self.length, self.stretch = max(config.window, math.ceil(duration / step) + 1), 1.0
        self.first, self.last = 0, self.length
        self.genre = genre_index(genre)
        self.beats = None if beats is None or len(beats) < 2 else beats
        self.motion = None if motion is None else self._checked(motion)
        frames = math.ceil(config.window_seconds * FPS) + 1
        self.motion_frames = frames + -frames % round(FPS / config.motion_rate)

    def _checked(self, motion):
        if len(motion) < 2:
            raise BadInput("The motion has fewer than two frames; choose a longer range.")
        if not (np.isfinite(motion.rotations).all() and np.isfinite(motion.root).all()):
            raise BadInput("The motion holds values that are not numbers (NaN); remove the broken keys.")
        return motion.resampled(FPS / self.stretch)

    def cut(self, start, stop):
        """Keep only the windows needed for seconds start..stop, with one window of context on either side (line
        only)."""
        if self.loop:
            return
        step, window = self.config.seconds_per_latent, self.config.window
        self.first = max(0, min(math.floor(start / step) - window, self.length - window))
        self.last = min(self.length, max(math.ceil(stop / step) + window, self.first + window))

    @property
    def canvas(self):
        """Latent frames to sample."""
        return self.last - self.first

    @property
    def overlap(self):
        """Latent frames that neighbouring windows share at least."""
        return round(self.config.window * OVERLAP_PART)

    @property
    def starts(self):
        """First latent frame of each window, counted from the canvas's start."""
        return window_starts(self.canvas, self.config.window, self.overlap, self.loop)

    def conditions(self, numbers):
        """The Condition of the windows with these numbers (indices into `starts`)."""
        config, count = self.config, len(numbers)
        starts = [(self.first + self.starts[k]) * config.seconds_per_latent for k in numbers]
        genre = np.zeros((count, len(config.genres)), np.float32)
        if self.genre >= 0:
            genre[:, self.genre] = 1.0
        motion, known = np.zeros((count, self.motion_frames, 360), np.float32), np.zeros(count, np.float32)
        offset = np.zeros(count, np.float32)
        rhythm = np.zeros((count, 5, config.mel_frames), np.float32)
        if self.motion is not None:
            firsts = [math.floor(s * FPS + 1e-6) if config.rotary else round(s * FPS) for s in starts]
            offset[:] = [first / FPS - s for first, s in zip(firsts, starts)]
            rotations, root = zip(*(self._motion(first) for first in firsts))
            motion = motion_features(np.stack(rotations), np.stack(root), centred=config.centred)
            known[:] = 1.0
        if self.beats is not None:
            beats, downbeats = self._beats()
            for row, s in enumerate(starts):
                rhythm[row] = rhythm_curve(beats, downbeats, config.mel_frames, FRAME_RATE, s).T
        timbre = np.zeros((count, config.timbre + 1), np.float32)           # each variation's own; the pipeline adds it
        arrays = motion, known, offset, genre, rhythm, timbre
        return Condition(*(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays))

    def _motion(self, first):
        """Rotations and root of the window's frames; held at the ends of a line, repeated on a loop (walking on in
        place)."""
        frames, total = np.arange(first, first + self.motion_frames), len(self.motion)
        if not self.loop:
            index = np.clip(frames, 0, total - 1)
            return self.motion.rotations[index], self.motion.root[index]
        index, turn = frames % total, frames // total
        travelled = (self.motion.root[-1] - self.motion.root[0]) * np.array([1, 1, 0]) * total / (total - 1)
        return self.motion.rotations[index], (self.motion.root[index] + turn[:, None] * travelled).astype(np.float32)

    def _beats(self):
        """Beat and downbeat times in canvas seconds; on a loop repeated beyond both ends."""
        beats, downbeats = self.beats.times / self.stretch, self.beats.downbeats / self.stretch
        if not self.loop:
            return beats, downbeats
        period = self.length * self.config.seconds_per_latent
        inside = lambda times: times[(times >= -1e-3) & (times < period - 1e-3)]                   # noqa: E731
        turns = np.arange(-1, math.ceil(self.config.window_seconds / period) + 2)
        repeat = lambda times: (inside(times)[None] + turns[:, None] * period).reshape(-1)         # noqa: E731
        return repeat(beats), repeat(downbeats)
