"""Scores in bars of five and seven, made of scores in two, three and four: their notes, other bars.

Real scores in these metres are few (a dozen songs of 1,460). A bar of four gains a beat where one is drawn out, a pair
of bars loses one, a beat of three eighths among beats of two makes 5/8 and 7/8: the groups 3+2, 2+3, 4+3, 3+4, 2+2+3
of such bars keep the harmony, accents and accompaniment of the piece.
"""
import dataclasses

import numpy as np

from models.lab.rhythm.musicxml import Bar, Score

# (beats of the old bars that make one new bar; new length of each beat in quarters; beats and unit of the new bar)
RECIPES = {
    "four with one drawn out": (4, 1, ((1, 1, 1, 2), (2, 1, 1, 1), (1, 1, 2, 1)), (5, 4)),
    "three and two": (3, 2, ((1, 1, 1, 1, 1, 0),), (5, 4)),
    "two and three": (3, 2, ((1, 1, 0, 1, 1, 1),), (5, 4)),
    "two and three of twos": (2, 2, ((1, 1, 1, 2), (1, 2, 1, 1)), (5, 4)),
    "four and three": (4, 2, ((1, 1, 1, 1, 1, 1, 1, 0),), (7, 4)),
    "three and four": (4, 2, ((1, 1, 1, 0, 1, 1, 1, 1),), (7, 4)),
    "two threes, one longer": (3, 2, ((1, 1, 1, 1, 1, 2), (1, 1, 2, 1, 1, 1)), (7, 4)),
    "seven eighths": (3, 1, ((1, 1, 1.5), (1.5, 1, 1), (1, 1.5, 1)), (7, 8)),
    "five eighths": (2, 1, ((1, 1.5), (1.5, 1)), (5, 8)),
}


def rebarred(score, rng):
    """`Score` in five or seven, or None where no long run of bars in two, three or four quarters is in it."""
    first, last = _longest_run(score)
    if last - first < 16:
        return None
    beats = score.bars[first].beats
    names = [name for name, (wanted, *_) in RECIPES.items() if wanted == beats]
    _, bars, patterns, (count, unit) = RECIPES[names[int(rng.integers(len(names)))]]
    pattern = patterns[int(rng.integers(len(patterns)))]
    length, lengths = 4.0 * count / unit, np.array(pattern, dtype=float)
    times = (last - first) // bars
    old = score.bars[first].start + np.arange(times * len(pattern) + 1, dtype=float)
    new = np.concatenate([[0.0], np.cumsum(np.tile(lengths, times))])
    place = lambda quarter: float(np.interp(quarter, old, new))                                 # noqa: E731
    gone = {int(k) for k in np.flatnonzero(np.tile(lengths, times) == 0)}

    def kept(onset):
        return old[0] - 1e-6 <= onset < old[-1] - 1e-6 and int(onset - old[0] + 1e-6) not in gone
    parts = [[dataclasses.replace(note, onset=place(note.onset),
                                  length=max(0.1, place(note.onset + note.length) - place(note.onset)))
              for note in part if kept(note.onset)] for part in score.parts]
    tempo = _tempo(score, old[0], unit, rng)
    return Score(parts, [Bar(k * length, length, count, unit) for k in range(times)], [(0.0, tempo)],
                 [[(place(at), level) for at, level in rows] for rows in score.dynamics],
                 [place(at) for at in score.fermatas if kept(at)])


def _tempo(score, start, unit, rng):
    """Quarters a minute: the score's own where it suits such a bar, else one that does."""
    low, high = (56, 94) if unit == 8 else (72, 190)
    own = [tempo for at, tempo in score.tempi if at <= start + 1e-6][-1:]
    return own[0] if own and low <= own[0] <= high else float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _longest_run(score):
    """First and last + 1 of the longest run of whole bars of one metre of two, three or four quarters."""
    best, first, metre = (0, 0), 0, None
    for number, bar in enumerate(score.bars):
        whole = bar.unit == 4 and bar.beats in (2, 3, 4) and abs(bar.length - bar.beats) < 1e-6
        if not whole or bar.beats != metre:
            first, metre = number, bar.beats if whole else None
        if whole and number + 1 - first > best[1] - best[0]:
            best = (first, number + 1)
    return best
