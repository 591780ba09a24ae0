"""What the search knows of the music: its bars, how lively each is, which are alike, where a section begins."""

from dataclasses import dataclass

import numpy as np

from core.audio.frames import FRAME_HZ, log_mel_rows
from core.audio.lively import lively
from core.audio.mel import model_mono
from core.rhythm.beats import Beats

ALIKE = 0.80  # correlation of two bars from which on they are the same music
SHORTEST_BAR = 3  # beats
AROUND = 4  # bars on both sides of what may be a new section
LATER = 8  # bars between what may be the same music again
SECTION = 1.5  # times the usual change between neighbouring bars


@dataclass
class Bars:
    """grid (G,): times of all beats in s, continued beyond both ends of the passage; edges (B + 1,): places in the grid
    where bars begin and the last one ends; energy (B,) 0..1 within the song; alike (B, B) bool; section (B,) bool: a
    new one begins.
    """

    grid: np.ndarray
    edges: np.ndarray
    energy: np.ndarray
    alike: np.ndarray
    section: np.ndarray
    metre: int

    def __len__(self):
        return len(self.edges) - 1

    def times(self, bar, span=1):
        """Beat times (n + 1,) of `span` bars, the first beat of the next included."""
        return self.grid[self.edges[bar] : self.edges[bar + span] + 1]


def continued(beats, duration):
    """(times, downbeat flags) of beats continued at their own period to before 0 and beyond `duration`, whole bars at
    both ends.
    """
    times, metre = beats.times, max(1, beats.metre)
    down = beats.positions == 1
    if not down.any():
        down = np.arange(len(times)) % metre == 0
    early, late = np.median(np.diff(times[:8])), np.median(np.diff(times[-8:]))
    first, last = int(np.flatnonzero(down)[0]), int(np.flatnonzero(down)[-1])
    before = max(0, int(np.ceil(times[0] / early)))
    before += -(before + first) % metre  # begin on a downbeat
    after = max(1, int(np.ceil((duration - times[-1]) / late)) + 1)
    after += -(after + len(times) - 1 - last) % metre  # end on one
    times = np.concatenate(
        [times[0] - early * np.arange(before, 0, -1), times, times[-1] + late * np.arange(1, after + 1)]
    )
    whole = np.zeros(len(times), bool)
    whole[before : before + len(down)] = down
    whole[(before + first) % metre : before + first : metre] = True
    whole[before + last :: metre] = True
    return times, whole


def bars_of(audio, beats, duration):
    """`Bars` of a passage; beats: two `Beats` or more, in its seconds. audio: `core.audio.Audio` or None."""
    grid, down = continued(beats, duration)
    edges = np.flatnonzero(down)
    if beats.metre < SHORTEST_BAR:  # two bars of a two are one of a four
        edges = edges[::2] if len(edges) % 2 else np.append(edges[::2], edges[-1])
    low = max(0, int(np.searchsorted(grid[edges], 0.0, side="right")) - 1)  # the bar that second 0 lies in
    high = int(np.searchsorted(grid[edges], duration - 1e-6))
    edges = edges[low : high + 1]
    count = len(edges) - 1
    if audio is None:
        return Bars(
            grid, edges, np.full(count, 0.5), np.zeros((count, count), bool), np.zeros(count, bool), beats.metre
        )
    mel = log_mel_rows(model_mono(audio))
    cuts = np.clip(np.round(grid[edges] * FRAME_HZ).astype(int), 0, len(mel))
    return Bars(grid, edges, lively(mel, cuts), *_structure(mel, cuts), beats.metre)


def _structure(mel, cuts):
    """(alike (B, B), section (B,)) from the bars' spectra in sixteenths."""
    rows = []
    for a, b in zip(cuts[:-1], cuts[1:]):
        parts = np.array_split(
            mel[a:b] if b - a >= 16 else mel[np.linspace(min(a, len(mel) - 1), len(mel) - 1, 16).astype(int)], 16
        )
        rows.append(np.concatenate([part.reshape(len(part), 16, 4).mean((0, 2)) for part in parts]))
    rows = np.array(rows)
    rows = rows - rows.mean(0)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    alike = (unit @ unit.T > ALIKE) & (np.abs(np.subtract.outer(np.arange(len(rows)), np.arange(len(rows)))) >= LATER)
    change = np.zeros(len(rows))
    for bar in range(2, len(rows) - 1):
        change[bar] = np.linalg.norm(rows[max(0, bar - AROUND) : bar].mean(0) - rows[bar : bar + AROUND].mean(0))
    peak = change > SECTION * max(np.median(change), 1e-9)
    peak[1:-1] &= (change[1:-1] >= change[:-2]) & (change[1:-1] >= change[2:])
    return alike, peak


def steady(bpm, duration, metre=4):
    """`Beats` where the music has none."""
    times = np.arange(0.0, duration, 60.0 / bpm)
    return Beats(times, np.arange(len(times)) % metre + 1, metre)
