"""How regularly the limbs of a body start and stop: evidence of a dance's tempo that no network had to learn. numpy,
scipy.

Whoever dances to a song starts, hits and stops on its grid, with whatever limb. So the spectrum of each joint's
acceleration has a line at the beat or at its double, wherever in the beat that limb's movement lies, and the lines of
all joints stand at the same tempo. Powers are added, not amplitudes: joints need not agree on a phase, which is left to
the network's activations. The longer a passage lasts the sharper the line, so that it is found in styles in which the
network is hardly sure of any single beat.
"""
from functools import cached_property

import numpy as np
from scipy.ndimage import uniform_filter1d

OVERSAMPLING = 8            # of the spectrum: a line between two bins loses 1 % of its power
SURROUNDINGS = 50.0         # BPM: a line is a share of the mean power so near it
MOST = 25.0                 # of a joint's line: one limb that ticks alone is not a dance
LEVELS = ((1.0, 1.0), (2.0, 1.0), (0.5, 0.5))     # of a tempo: (factor, weight)
USUAL, FAR = 105.0, 0.1     # BPM of most dances; of two levels as regular, the nearer one (per squared octave)
FINE = 0.02                 # BPM: spacing of the tempi that are tried
# What a passage of so many seconds must reach for the limbs alone to vouch for a tempo, linear between. The highest of
# 12 gesticulating, 12 noisy and 12 fidgeting bodies each: 3.8, 4.3, 4.5, 4.8, 6.3; street dances (medians of passages
# whose tempo is right): 3.7, 5.0, 6.3, 6.5, 9.2; salsa, whose steps glide, 5.6 at most.
VOUCHED = {6.0: 4.4, 12.0: 5.0, 20.0: 5.4, 30.0: 5.8, 60.0: 6.6}


class Limbs:
    """Regularity of joints (T, J, 3), positions in metres at `fps`. Without a beat `at` is 2.5 in the mean."""

    def __init__(self, positions, fps):
        self.positions, self.fps = np.asarray(positions, np.float64), fps

    @cached_property
    def lines(self):
        """Tempi (bins,) in BPM and the mean height (bins,) of the joints' lines there; made when it is asked for."""
        speed = np.gradient(self.positions, axis=0) * self.fps
        force = np.log1p(np.linalg.norm(np.gradient(speed, axis=0) * self.fps, axis=-1))         # (T, J)
        force = (force - force.mean(axis=0)) / (force.std(axis=0) + 1e-9)
        size = OVERSAMPLING * int(2 ** np.ceil(np.log2(max(len(force), 16))))
        power = np.abs(np.fft.rfft(force * np.hanning(len(force))[:, None], size, axis=0)) ** 2  # (bins, J)
        bpm = np.fft.rfftfreq(size, 1 / self.fps) * 60.0
        around = uniform_filter1d(power, 2 * int(SURROUNDINGS / bpm[1] / 2) + 1, axis=0, mode="nearest")
        return bpm, np.minimum(power / (around + 1e-9), MOST).mean(axis=1)

    def at(self, bpm):
        """Height (N,) of the lines at tempi (N,) in BPM, their doubles and halves."""
        return sum(weight * np.interp(np.asarray(bpm) * factor, *self.lines, right=1.0)
                   for factor, weight in LEVELS)

    def best(self, low, high):
        """The tempo in BPM between low and high at which they are most regular, and the height `at` it."""
        tried = np.linspace(low, high, max(2, int((high - low) / FINE)))
        heights = self.at(tried)
        place = int((heights * (1.0 - FAR * np.log2(tried / USUAL) ** 2)).argmax())
        return float(tried[place]), float(heights[place])


def vouched(height, seconds):
    """Whether limbs so regular vouch for a tempo in a passage of so many seconds."""
    return height >= np.interp(seconds, list(VOUCHED), list(VOUCHED.values()))
