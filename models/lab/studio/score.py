"""Scores as data: notes with seconds, parts with a sound and a place in the mix, and the grid that places them."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


class Note(NamedTuple):
    """onset and duration in seconds, MIDI pitch (drums: GM percussion key), velocity 0..1."""

    onset: float
    duration: float
    pitch: int
    velocity: float


@dataclass
class Part:
    """One line of the mix. sound: "gm:48" (program), "kit:25" (GM drum kit), "gm2:" and "kit2:" from the second
    soundfont, "drums" or "synth:<name>" (numpy)."""

    name: str
    sound: str
    notes: list
    gain: float = 1.0  # linear, before the mix balances the parts
    pan: float = 0.0  # -1 left .. 1 right
    reverb: float = 0.2  # send
    duck: float = 0.0  # side-chain depth, 0..1, by the kick
    tone: dict = field(default_factory=dict)  # parameters of the sound
    insert: dict = field(default_factory=dict)  # its own effects: tilt_db, drive_db, tremolo, echo (effects.py)
    group: str = ""  # orchestra: strings, winds, brass, timpani


@dataclass
class Score:
    """Everything that is played, and `mix`: drawn settings of tuning, space, tone and level (see effects.py)."""

    parts: list
    duration: float
    mix: dict
    kind: str = "dance"
    dynamics: tuple = ()  # orchestra: (times (B,), levels (B,)) that drive loudness continuously

    def note_count(self):
        """Number of notes of all parts."""
        return sum(len(part.notes) for part in self.parts)


def rng_of(seed, word):
    """An independent generator per stage, so that a change in one stage leaves the others as they were."""
    return np.random.default_rng([int(seed), *word.encode()])


class Grid:
    """Places of a plan in seconds: beat index (with fractions) -> time, with swing inside the beat."""

    def __init__(self, plan, swing16=0.5):
        times = np.asarray(plan.times, dtype=np.float64)
        if len(times) < 2:
            raise ValueError("A plan needs at least two beats to be composed for.")
        before, after = times[1] - times[0], times[-1] - times[-2]
        self._index = np.arange(-8, len(times) + 8)
        self._times = np.concatenate([times[0] + before * np.arange(-8, 0), times, times[-1] + after * np.arange(1, 9)])
        self.count = len(times)
        self.swing, self.swing16 = plan.swing, swing16
        self.duration = plan.duration

    def __call__(self, beat):
        """Seconds of a (fractional) beat index; fractions are warped by the swing."""
        whole = np.floor(beat)
        u = beat - whole
        half = np.floor(2 * u)
        u = (half + np.interp(2 * u - half, (0.0, 0.5, 1.0), (0.0, self.swing16, 1.0))) / 2
        u = np.interp(u, (0.0, 0.5, 1.0), (0.0, self.swing, 1.0))
        return np.interp(whole + u, self._index, self._times)

    def beat_length(self, beat):
        """Seconds of the beat that holds index `beat`."""
        whole = np.floor(beat)
        return float(np.interp(whole + 1, self._index, self._times) - np.interp(whole, self._index, self._times))


def bars_of(plan):
    """(first beat index, number of beats) per bar; the first may begin before beat 0 (an upbeat) or the last be cut."""
    positions, metre = np.asarray(plan.positions), plan.metre
    starts = [-(int(positions[0]) - 1)] + [i for i in range(1, len(positions)) if positions[i] == 1]
    ends = starts[1:] + [len(positions)]
    return [(first, min(metre, end - first)) for first, end in zip(starts, ends)]


def plain_mix(seed=0):
    """A mix without effects: what tests listen to."""
    return {
        "seed": seed,
        "cents": 0.0,
        "width": 1.0,
        "balance_db": 0.0,
        "tilt_db": 0.0,
        "low_db": 0.0,
        "mid_db": 0.0,
        "mid_hz": 1000.0,
        "high_db": 0.0,
        "lowpass": 0.0,
        "highpass": 0.0,
        "reverb_seconds": 0.3,
        "reverb_bright": 0.3,
        "reverb_db": -60.0,
        "ratio": 1.0,
        "threshold_db": 0.0,
        "release": 0.1,
        "drive_db": 0.0,
        "level_db": -18.0,
        "noise": "",
        "noise_db": -90.0,
        "dynamic_range_db": 24.0,
    }
