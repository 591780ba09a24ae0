"""Which beats of the music get a stroke: in one, in two (alla breve, fast 4, 6/8), in three ... in nine.

Conductors beat neither every beat of fast music nor only the beats of slow: the pattern is chosen so that strokes come
at a tempo an arm can show. The network hears of the *strokes* (times, place in the bar, how many a bar), not of all
beats.
"""
import numpy as np

from core.errors import BadInput
from core.rhythm.beats import Beats

NAMES = {"one": 1, "two": 2, "three": 3, "four": 4, "six": 6, "nine": 9}
CHOICES = ("auto", *NAMES)
# Beats a minute from which a metre is beaten in fewer strokes than it has beats: {metre: (tempo, strokes)}. Two quick
# strokes a bar are short ways, so a fast two stays a two for longer (a Hungarian dance at 148 is beaten in two).
FASTER = {2: (160.0, 1), 3: (146.0, 1), 4: (136.0, 2), 6: (126.0, 2), 9: (126.0, 3), 12: (0.0, 4)}


def choose(metre, bpm):
    """Strokes a bar for music of `metre` beats a bar at `bpm` beats a minute; a metre without a pattern keeps all its
    beats."""
    tempo, fewer = FASTER.get(metre, (np.inf, metre))
    return fewer if bpm > tempo else metre


def strokes_of(name, beats):
    """Strokes a bar of a choice ("auto", "one" ... "nine") for `Beats`. Raises BadInput on another name."""
    if name not in CHOICES:
        raise BadInput(f"The beat pattern is one of {', '.join(CHOICES)}, not {name!r}.")
    if name != "auto":
        return NAMES[name]
    counted = beats is not None and len(beats) > 1 and np.all(beats.positions > 0)
    return choose(beats.metre, beats.tempo_bpm) if counted else None


def strokes(beats, count):
    """The `Beats` that get a stroke when `beats` are conducted with `count` strokes a bar; positions 1..count, metre
    `count`.

    Fewer strokes than beats: the first of each group, where the groups are equal. More: beats are divided evenly, where
    they can be. Otherwise every beat is a stroke, counted anew in bars of `count` from the first downbeat. None, or
    positions that are unknown where groups are to be made, leave the beats as they are.
    """
    if beats is None or count is None or count == beats.metre or len(beats) < 2:
        return beats
    known = bool(np.all(beats.positions > 0))
    if known and beats.metre % count == 0:
        group = beats.metre // count
        keep = (beats.positions - 1) % group == 0
        return Beats(beats.times[keep], (beats.positions[keep] - 1) // group + 1, count, beats.confidence)
    if known and count % beats.metre == 0:
        parts = count // beats.metre
        index = np.arange((len(beats) - 1) * parts + 1)
        times = np.interp(index / parts, np.arange(len(beats)), beats.times)
        positions = (beats.positions[index // parts] - 1) * parts + index % parts + 1
        return Beats(times, positions, count, beats.confidence)
    ones = np.flatnonzero(beats.positions == 1)
    first = int(ones[0]) if len(ones) else 0
    return Beats(beats.times, (np.arange(len(beats)) - first) % count + 1, count, beats.confidence)
