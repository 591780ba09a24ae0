"""Beats as data: times, positions in the bar, tempo; and the rhythm curve that both directions share."""
from dataclasses import dataclass, field

import numpy as np

from core.body.kinematics import FPS
from core.contract import COMPOUND, json_text
from core.contract.files import open_plain, reason
from core.errors import BadInput, reading

RHYTHM_CHANNELS = ("beat", "downbeat", "phase_cos", "phase_sin", "known")
BUMP_SECONDS = 1.0 / 30.0
MOST, LATEST_S = 100_000, 1e6
METRES = (1, 32)


@dataclass(frozen=True)
class Beats:
    """times (B,) seconds, ascending; positions (B,) 1..metre with 1 = downbeat (0 = unknown); confidence 0..1.

    bars (B,): counts of the bar that each beat lies in, where bars differ; None: `metre` in all.
    """

    times: np.ndarray
    positions: np.ndarray
    metre: int = 4
    confidence: float = 1.0
    extra: dict = field(default_factory=dict)
    bars: np.ndarray | None = None

    def __post_init__(self):
        times = np.asarray(self.times, dtype=np.float64).reshape(-1)
        positions = np.asarray(self.positions, dtype=np.int64).reshape(-1)
        if len(times) != len(positions):
            raise BadInput(f"{len(times)} beat times but {len(positions)} bar positions.")
        if not np.isfinite(times).all():
            raise BadInput("A beat time is not a number; remove that beat.")
        if len(times) > 1 and np.any(np.diff(times) <= 0):
            raise BadInput("Beat times must ascend; remove the doubled or unordered beat.")
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "positions", positions)
        if self.bars is not None:
            bars = np.asarray(self.bars, dtype=np.int64).reshape(-1)
            if len(bars) != len(times):
                raise BadInput(f"{len(times)} beat times but counts of {len(bars)} bars.")
            object.__setattr__(self, "bars", bars)

    def __len__(self):
        return len(self.times)

    @property
    def downbeats(self):
        """Times (D,) in seconds of the beats at position 1."""
        return self.times[self.positions == 1]

    @property
    def counts(self):
        """(B,) counts of the bar that each beat lies in."""
        return np.full(len(self), self.metre) if self.bars is None else self.bars

    @property
    def tempo_bpm(self):
        """Median tempo; 0 with fewer than two beats."""
        return float(60.0 / np.median(np.diff(self.times))) if len(self) > 1 else 0.0

    def shifted(self, seconds):
        """All beats later by `seconds`."""
        return Beats(self.times + seconds, self.positions, self.metre, self.confidence, self.extra, self.bars)

    def within(self, start, stop):
        """Beats in [start, stop), counted from `start`."""
        keep = (self.times >= start) & (self.times < stop)
        bars = None if self.bars is None else self.bars[keep]
        return Beats(self.times[keep] - start, self.positions[keep], self.metre, self.confidence, self.extra, bars)

    def double_time(self):
        """A beat added half-way between neighbours; bars keep their number of counts."""
        if len(self) < 2:
            return self
        times = np.empty(2 * len(self) - 1)
        times[0::2], times[1::2] = self.times, (self.times[1:] + self.times[:-1]) / 2
        index = np.arange(len(times)) + 2 * int(self._first_index())
        return Beats(times, index % self.metre + 1, self.metre, self.confidence, self.extra)

    def half_time(self, threes=True):
        """Every second beat, keeping the downbeats where the metre is even; of the threes of `COMPOUND` metres, where
        every second would be a cross-rhythm, each first one, in bars of a third as many, unless not `threes`."""
        if threes and self.metre in COMPOUND and len(self) and self.bars is None and (self.positions > 0).all():
            kept = (self.positions - 1) % 3 == 0
            return Beats(self.times[kept], (self.positions[kept] - 1) // 3 + 1, self.metre // 3, self.confidence,
                         self.extra)
        first = int(self._first_index()) % 2
        times = self.times[first::2]
        index = np.arange(len(times)) + (int(self._first_index()) + first) // 2
        return Beats(times, index % self.metre + 1, self.metre, self.confidence, self.extra)

    def _first_index(self):
        return self.positions[0] - 1 if len(self) and self.positions[0] > 0 else 0

    def to_json(self):
        """A JSON-ready dict."""
        data = {"times": [round(float(t), 4) for t in self.times], "positions": [int(p) for p in self.positions],
                "metre": int(self.metre), "tempo_bpm": round(self.tempo_bpm, 2),
                "confidence": round(self.confidence, 3)}
        if self.bars is not None:
            data["bars"] = [int(count) for count in self.bars]
        return {**data, **{key: self.extra[key] for key in ("tempo", "groups") if key in self.extra}}

    @classmethod
    def from_json(cls, data):
        """Inverse of `to_json`; missing positions count as unknown. Raises BadInput for anything else."""
        with reading("The beats are damaged: they must be times (s) and positions in the bar; detect them again."):
            times = list(data["times"])
            positions = list(data.get("positions") or [0] * len(times))
            metre, confidence = int(data.get("metre", 4)), float(data.get("confidence", 1.0))
            groups, bars = tuple(data.get("groups") or ()), data.get("bars")
            if not all(type(value) in (int, float) for value in (*times, *positions, *groups, *(bars or ()))):
                raise ValueError("no numbers")
            return checked(cls(times, positions, metre, confidence, {"groups": groups} if groups else {}, bars))


def checked(beats):
    """Beats from a file or message, where they are within what music can be. Raises BadInput."""
    low, high = METRES
    if len(beats) > MOST or np.abs(beats.times).max(initial=0.0) > LATEST_S:
        raise BadInput(f"Beats must be at most {MOST}, within {LATEST_S:g} s.")
    if not low <= beats.metre <= high or beats.positions.min(initial=0) < 0 or beats.positions.max(initial=0) > high \
            or not low <= beats.counts.min(initial=low) <= beats.counts.max(initial=low) <= high:
        raise BadInput(f"A bar has {low} to {high} beats, and positions in it go from 1 to their number (0: unknown).")
    if not 0 <= beats.confidence <= 1:
        raise BadInput("The confidence of beats is a number from 0 to 1.")
    return beats


def read_beats(path):
    """Beats from a text file: one `seconds [position]` per line, or the JSON of `Beats.to_json`.

    Raises BadInput naming the line that cannot be read.
    """
    try:
        with open_plain(path) as handle:
            text = handle.read(json_text.MOST_CHARACTERS).decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"The beats file {path} cannot be read: {reason(error)}.") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"The beats file {path} cannot be read: it is no text in UTF-8.") from error
    if text.lstrip().startswith(("{", "[")):
        try:
            return Beats.from_json(json_text.loads(text))
        except ValueError as error:
            raise BadInput(f"{path} is not a beats JSON ({error}); write it with `beats --json`.") from error
    times, positions = [], []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        words = line.replace(",", " ").split()
        try:
            times.append(float(words[0]))
            positions.append(int(words[1]) if len(words) > 1 else 0)
        except ValueError as error:
            raise BadInput(f"Line {number} of {path} is not `seconds [position]`: {line[:80]!r}.") from error
    with reading(f"{path} holds positions that are none; a bar has up to {METRES[1]} beats."):
        highest = max(positions, default=0)
        return checked(Beats(times, positions, highest if highest > 1 else 4))


def rhythm_curve(beats, downbeats, frames, fps=FPS, start=0.0):
    """The rhythm bridge: (frames, 5) float32 with channels `RHYTHM_CHANNELS`.

    beats, downbeats: times in seconds; frame i is the instant start + i / fps.
    beat, downbeat: Gaussian bumps (sigma 1/30 s, peak 1). phase: cos and sin of 2 pi x the fraction of the
    current beat, 0 on the beat. known: 1 from one period before the first beat to one after the last, else 0,
    and all other channels are 0 where it is 0. Nothing but the times enters: no onset strength.
    """
    curve = np.zeros((frames, len(RHYTHM_CHANNELS)), dtype=np.float32)
    beats = np.asarray(beats, dtype=np.float64).reshape(-1)
    downbeats = np.asarray(downbeats, dtype=np.float64).reshape(-1)
    if len(beats) < 2 or frames == 0:
        return curve
    times = start + np.arange(frames) / fps
    first, last = beats[1] - beats[0], beats[-1] - beats[-2]
    known = (times >= beats[0] - first) & (times <= beats[-1] + last)
    grid = np.concatenate([[beats[0] - first], beats, [beats[-1] + last]])
    angle = 2 * np.pi * np.interp(times, grid, np.arange(len(grid)))
    for channel, events in ((0, beats), (1, downbeats)):
        if len(events):
            right = np.clip(np.searchsorted(events, times), 0, len(events) - 1)
            left = np.maximum(right - 1, 0)
            distance = np.minimum(np.abs(times - events[right]), np.abs(times - events[left]))
            curve[:, channel] = np.exp(-0.5 * (distance / BUMP_SECONDS) ** 2)
    curve[:, 2], curve[:, 3], curve[:, 4] = np.cos(angle), np.sin(angle), 1.0
    curve[~known] = 0.0
    return curve
