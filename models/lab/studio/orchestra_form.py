"""The form of an orchestral piece, drawn before a note is written: its harmony, its accompaniments, its melody."""
import numpy as np

from models.lab.studio.harmony import chord_tones, dominant
from models.lab.studio.orchestra import CADENCES, CELLS, GROUP_BEATS, PROGRESSIONS, ROMANTIC_CELLS

LEAPS = {-3: 0.05, -2: 0.13, -1: 0.25, 0: 0.1, 1: 0.26, 2: 0.13, 3: 0.05, 4: 0.03}      # steps of the scale: chance


def draw_chords(rng, scale, bars):
    """Semitones of the chord of each of so many bars: two periods of eight, each with its cadence."""
    periods = [PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))] + CADENCES[int(rng.integers(len(CADENCES)))]
               for _ in range(2)]
    chords = []
    for index in range(bars):
        degree = periods[index // 8 % 2][index % 8]
        tones = chord_tones(scale, degree, 4 if degree == 4 and rng.random() < 0.5 else 3)
        chords.append(dominant(tones) if degree == 4 and scale == "minor" else tones)
    return chords


def choose_figures(rng, figures, metre, bpm):
    """Two accompaniments whose notes come at 1 to 5 a second: slow music is subdivided, fast music is not."""
    wanted = rng.uniform(1.3, 4.0)
    rates = np.array([len({beat for beat, _, _ in figure}) for figure in figures]) / (metre * 60.0 / bpm)
    weights = np.exp(-((np.log(rates / wanted) / 0.5) ** 2)) + 0.02
    first, second = rng.choice(len(figures), 2, replace=False, p=weights / weights.sum())
    return figures[first], figures[second]


def _motif(rng, metre, seconds, rate, romantic):
    """A bar of melody of about `rate` notes a second; seconds: of a beat."""
    notes, start = [], 0.0
    for group in GROUP_BEATS[metre]:
        cells = ROMANTIC_CELLS[group] if romantic else CELLS[group]
        weights = np.array([np.exp(-(((len(cell) / (group * seconds) - rate) / 0.9) ** 2)) + 0.01 for cell in cells])
        at = start
        for length in cells[int(rng.choice(len(cells), p=weights / weights.sum()))]:
            notes.append((4 * at, 4 * length, int(rng.choice(list(LEAPS), p=list(LEAPS.values())))))
            at += length
        start += group
    return notes


def draw_period(rng, metre, bpm, romantic):
    """Eight bars of melody, A A' B half-close, A A' C close: (step, length, interval), 4 steps a beat."""
    seconds = 60.0 / bpm
    rate = rng.uniform(1.0, 3.2)
    a, b, c = (_motif(rng, metre, seconds, rate, romantic) for _ in range(3))
    turn = [(s, n, -leap if rng.random() < 0.3 else leap) for s, n, leap in a]
    group = GROUP_BEATS[metre][0]
    half = [n for n in a if n[0] < 4 * group] if len(GROUP_BEATS[metre]) > 1 else [(0, 4, 1)]
    held = half[-1][0] + half[-1][1]
    half = half + [(held, 4 * metre - held, -1)] if held < 4 * metre else half
    return (a, turn, b, half, a, turn, c, [(0, 4 * metre - (4 if metre > 2 else 0), 0)])
