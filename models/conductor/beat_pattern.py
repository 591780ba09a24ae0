"""Which beats of the music get a stroke: in one, in two (alla breve, fast 4, 6/8) ... in nine, in uneven groups.

Conductors beat neither every beat of fast music nor only the beats of slow: the pattern is chosen so that strokes come
at a tempo an arm can show. An orchestra has to read it, so it changes inside a piece only for a tempo that lasts. The
network hears of the *strokes* (times, place in the bar, how many a bar), not of all beats. A bar of five or seven has
groups of two and three: slow, each group is beaten as a small bar of its own (3 + 2 is a three and a two); fast, each
gets one stroke, and the strokes are uneven. A slow bar of twelve is beaten as two of six.
"""
import numpy as np

from core.errors import BadInput
from core.rhythm.beats import Beats

NAMES = {"one": 1, "two": 2, "three": 3, "four": 4, "six": 6, "nine": 9}
GROUPS = {"three_two": (3, 2), "two_three": (2, 3),
          "two_two_three": (2, 2, 3), "three_two_two": (3, 2, 2), "two_three_two": (2, 3, 2)}
CHOICES = ("auto", *NAMES, *GROUPS)
USUAL_GROUPS = {5: (3, 2), 7: (2, 2, 3)}        # where the music does not tell
# Beats a minute from which a metre is beaten in fewer strokes than it has beats: {metre: (tempo, strokes)}. In one is
# for the fast three. Two quick strokes a bar are short ways, so galops and czardas stay in two for longer.
FASTER = {2: (176.0, 1), 3: (146.0, 1), 4: (136.0, 2), 6: (126.0, 2), 9: (126.0, 3), 12: (104.0, 4)}
HALVES = {12: 6}                # slower, a bar that no arm shows in as many strokes: it is beaten as two of these
FOLLOWED = 1.25                 # times the limits where beats are followed one by one: rubato is shown by beats
GROUPED_FASTER = 150.0          # beats a minute from which a group of two or three gets one stroke
# A change of pattern costs what so many seconds at a tempo ten percent beyond the limit cost: a stretch between two
# changes has to be twice as long, or further beyond.
LASTING_S, BEYOND = 12.0, np.log(1.1)
AROUND = 4                      # bars on each side whose tempo counts: one broad bar does not change the pattern


def choose(metre, bpm):
    """Strokes a bar for music of `metre` beats a bar at `bpm` beats a minute; a metre without a pattern keeps all its
    beats."""
    tempo, fewer = FASTER.get(metre, (np.inf, metre))
    return fewer if bpm > tempo else metre


def strokes_of(name, beats):
    """Strokes a bar of a choice ("auto", "one" ... "nine") for `Beats`, by their middle tempo; None for groups.

    Raises BadInput on another name.
    """
    if name not in CHOICES:
        raise BadInput(f"The beat pattern is one of {', '.join(CHOICES)}, not {name!r}.")
    if name != "auto":
        return NAMES.get(name)
    counted = beats is not None and len(beats) > 1 and np.all(beats.positions > 0)
    return choose(beats.metre, beats.tempo_bpm) if counted else None


def patterned(beats, name="auto"):
    """The `Beats` that get a stroke when `beats` are conducted in the pattern `name`; `bars` tells of bars that differ.

    "auto" chooses by the tempo, and changes where another one lasts. Raises BadInput on an unknown name.
    """
    count = strokes_of(name, beats)
    counted = beats is not None and len(beats) > 1 and bool(np.all(beats.positions > 0))
    if not counted or name in NAMES:
        return strokes(beats, count)
    groups = GROUPS.get(name) or beats.extra.get("groups") or USUAL_GROUPS.get(beats.metre)
    if groups is not None and sum(groups) == beats.metre:
        return _grouped(beats, tuple(groups))
    return strokes(beats, count) if name in GROUPS else _by_bars(beats)


def _bars(beats):
    """[(first, stop), ...) places of the beats of each bar, beats a minute (bars,) around each, and its seconds."""
    starts = np.flatnonzero(beats.positions == 1)
    edges = np.unique(np.concatenate([[0], starts, [len(beats)]]))
    gaps = np.append(np.diff(beats.times), beats.times[-1] - beats.times[-2])
    spans = np.array([np.median(gaps[edges[max(0, bar - AROUND)]:edges[min(len(edges) - 1, bar + AROUND + 1)]])
                      for bar in range(len(edges) - 1)])
    return list(zip(edges[:-1], edges[1:])), 60.0 / spans, np.add.reduceat(gaps, edges[:-1])


def _kept(tempi, limit, seconds):
    """Whether each of the bars (of `tempi` and `seconds`, (bars,)) is beaten as faster than the limit.

    The cheapest way through the piece: a bar on the wrong side of the limit costs its seconds times how far (log), a
    change `LASTING_S` of ten percent.
    """
    over = np.log(np.asarray(tempi) / limit) * seconds
    costs = np.stack([np.maximum(over, 0.0), np.maximum(-over, 0.0)], axis=1)       # slow, fast
    change = LASTING_S * BEYOND * (1 - np.eye(2))
    total, came = costs[0], np.zeros((len(costs), 2), dtype=int)
    for bar in range(1, len(costs)):
        ways = total[:, None] + change
        came[bar] = ways.argmin(0)
        total = ways.min(0) + costs[bar]
    state = [int(total.argmin())]
    for bar in range(len(costs) - 1, 0, -1):
        state.append(int(came[bar, state[-1]]))
    return np.array(state[::-1], dtype=bool)


def _later(beats):
    """By what the limits of tempo grow for these beats."""
    return FOLLOWED if beats.extra.get("tempo", {}).get("chosen") == "follow" else 1.0


def _by_bars(beats):
    """Strokes in the pattern that the tempo around each bar asks for."""
    limit, fewer = FASTER.get(beats.metre, (np.inf, beats.metre))
    if np.isinf(limit):
        return strokes(beats, fewer)
    limit, shown = limit * _later(beats), HALVES.get(beats.metre, beats.metre)
    bars, tempi, seconds = _bars(beats)
    fast = _kept(tempi, limit, seconds)
    if fast.all() or (not fast.any() and shown == beats.metre):
        return strokes(beats, fewer if fast[0] else beats.metre)
    group, keep = beats.metre // fewer, np.ones(len(beats), dtype=bool)
    positions, counts = (beats.positions - 1) % shown + 1, np.full(len(beats), shown)
    for (first, stop), quick in zip(bars, fast):
        if quick:
            keep[first:stop] = (beats.positions[first:stop] - 1) % group == 0
            positions[first:stop], counts[first:stop] = (beats.positions[first:stop] - 1) // group + 1, fewer
    main = shown if fast.mean() < 0.5 else fewer
    return Beats(beats.times[keep], positions[keep], main, beats.confidence, beats.extra, counts[keep])


def _grouped(beats, groups):
    """Strokes of bars in groups: every beat, each group a small bar; where it is fast, one stroke a group."""
    bars, tempi, seconds = _bars(beats)
    fast = _kept(tempi, GROUPED_FASTER * _later(beats), seconds)
    starts = np.concatenate([[0], np.cumsum(groups)[:-1]])
    group = np.repeat(np.arange(len(groups)), groups)                               # of each place in the bar
    place = np.clip(beats.positions, 1, beats.metre) - 1
    positions, counts = place - starts[group[place]] + 1, np.asarray(groups)[group[place]]
    keep = np.ones(len(beats), dtype=bool)
    for (first, stop), quick in zip(bars, fast):
        if quick:
            here = place[first:stop]
            keep[first:stop] = np.isin(here, starts)
            positions[first:stop], counts[first:stop] = group[here] + 1, len(groups)
    main = len(groups) if fast.mean() >= 0.5 else max(groups)
    return Beats(beats.times[keep], positions[keep], main, beats.confidence, beats.extra, counts[keep])


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
