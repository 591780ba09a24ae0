"""Bars, players and patterns: what every line of the dance composer is written with."""
import numpy as np

from models.lab.studio.score import Note, rng_of

VELOCITY = {"X": 1.0, "x": 0.8, "o": 0.42}


class Bar:
    """A bar of the piece: where it is, its section, its chord."""

    def __init__(self, index, first, beats, section, last_of_section, first_of_section):
        self.index, self.first, self.beats, self.section = index, first, beats, section
        self.last_of_section, self.first_of_section = last_of_section, first_of_section
        self.energy, self.kind = section.energy, section.kind
        self.bars_left = 1  # to the end of the section, this one included
        self.degree, self.tones = 0, ()


def pick(rng, weighted):
    names, weights = zip(*weighted)
    weights = np.array(weights, dtype=float)
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]


class Writer:
    """Turns bars and steps into notes in seconds with a player's timing."""

    def __init__(self, plan, grid):
        self.plan, self.grid = plan, grid

    def player(self, word, tight):
        """A player: a constant lateness and a spread, in seconds; tight 0 (live) .. 1 (machine)."""
        rng = rng_of(self.plan.seed, "player " + word)
        offset = rng.normal(0, 0.004) * (1.2 - tight)
        spread = rng.uniform(0.003, 0.012) * (1 - tight) + rng.uniform(0, 0.0015)
        return rng, float(np.clip(offset, -0.01, 0.012)), float(spread)

    def note(self, player, bar, step, length, pitch, velocity, late=0.0):
        """A Note, or None outside the piece. step and length in 16ths."""
        rng, offset, spread = player
        beat = bar.first + step / 4
        if beat < -1e-6 or beat > self.grid.count - 1 + 0.76:
            return None
        start = float(self.grid(beat))
        if start >= self.plan.duration:
            return None
        stop = float(self.grid(beat + length / 4))
        onset = start + offset + late + float(np.clip(rng.normal(0, spread), -0.02, 0.02))
        velocity = float(np.clip(velocity * (1 + rng.normal(0, 0.06)), 0.05, 1.0))
        return Note(max(0.0, onset), max(0.03, stop - start), int(pitch), velocity)


def read_steps(pattern, bar, rng):
    """(step, velocity) of a 16- or 32-step pattern in this bar."""
    half = pattern[16:] if len(pattern) == 32 and bar.index % 2 else pattern[:16]
    for step in range(4 * bar.beats):
        mark = half[step % 16]
        if mark == "?":
            mark = "x" if rng.random() < 0.5 else "."
        if mark in VELOCITY:
            yield step, VELOCITY[mark]
