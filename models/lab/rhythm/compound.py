"""Songs in compound and uneven time: sicilianas, barcaroles, jigs, slip jigs, slow blues, slow nines and twelves, and
drums alone in six, nine, twelve, three, five and seven, with syncopated strokes and the timing of people.

A bar of eighths falls into groups of two and three. What is tapped is what `perform.beat_unit` says: the dotted beat,
and the eighth where that would be slower than 44 a minute.
"""
import numpy as np

from models.lab.rhythm.perform import beat_unit, tempo_curve
from models.lab.rhythm.songs import KITS, Harmony, Song
from models.lab.studio.instruments import KIT, SECOND

# name: (beats, unit, groupings of its eighths, tempo range of quarters a minute, accompaniments).
# Accompaniments: places in eighths of a group at which bass (b), chord (c) or both (a) sound, one letter an eighth.
FORMS = {
    "siciliana": (6, 8, ((3, 3),), (42, 84), ("b.c", "b..", "bcc")),
    "siciliana in twelve": (12, 8, ((3, 3, 3, 3),), (40, 84), ("b.c", "bcc", "a.c")),
    "barcarole": (6, 8, ((3, 3),), (44, 96), ("bcc", "b.c", "aaa")),
    "barcarole in twelve": (12, 8, ((3, 3, 3, 3),), (42, 90), ("bcc", "aaa")),
    "lullaby": (6, 8, ((3, 3),), (45, 90), ("bcc", "b.c", "ccc")),
    "jig": (6, 8, ((3, 3),), (130, 210), ("b.c", "a..", "bcc")),
    "march in six": (6, 8, ((3, 3),), (140, 190), ("b.c", "a.c")),
    "tarantella": (6, 8, ((3, 3),), (170, 250), ("b.c", "bcc")),
    "slip jig": (9, 8, ((3, 3, 3),), (130, 200), ("b.c", "a..", "bcc")),
    "pastoral in nine": (9, 8, ((3, 3, 3),), (66, 110), ("bcc", "b.c", "aaa")),
    "slow nine": (9, 8, ((3, 3, 3),), (38, 66), ("bcc", "aaa", "b.c", "ccc")),
    "slow twelve": (12, 8, ((3, 3, 3, 3),), (36, 66), ("bcc", "aaa", "b.c", "ccc")),
    "slow six": (6, 8, ((3, 3),), (38, 66), ("bcc", "aaa", "b.c", "ccc")),
    "slow blues": (12, 8, ((3, 3, 3, 3),), (60, 115), ("b.c", "a.c", "bcc")),
    "ballad in twelve": (12, 8, ((3, 3, 3, 3),), (66, 120), ("bcc", "aaa", "b.c")),
}
# Bars of drums alone: as above, and how often.
DRUMS = {
    "drums in six": (6, 8, ((3, 3),), (50, 190), 7),
    "drums in nine": (9, 8, ((3, 3, 3),), (50, 180), 3),
    "drums in twelve": (12, 8, ((3, 3, 3, 3),), (52, 180), 4),
    "slow drums in nine": (9, 8, ((3, 3, 3),), (38, 66), 1),
    "slow drums in twelve": (12, 8, ((3, 3, 3, 3),), (36, 66), 1),
    "drums in three": (3, 4, ((2, 2, 2),), (80, 200), 4),
    "drums in five": (5, 4, ((2, 2, 2, 2, 2),), (84, 190), 3),
    "drums in five eighths": (5, 8, ((3, 2), (2, 3)), (60, 100), 1),
    "drums in seven": (7, 8, ((2, 2, 3), (3, 2, 2), (2, 3, 2)), (56, 102), 2),
    "drums in four": (4, 4, ((2, 2, 2, 2),), (70, 180), 2),
}
SLOW = ("slow six", "slow nine", "slow nine", "slow twelve", "slow twelve", "siciliana in twelve",
        "slow drums in nine", "slow drums in twelve")
DRUM_SHARE, DRUMMED_SHARE = 0.55, 0.45      # drums alone of all songs; forms with drums, of the others
RATTLE = (42, 42, 42, 51, 51, 44, 53, 59, 46, 82, 70, 56)                 # keys that mark the time
LOW, HIGH = (36, 36, 36, 35, 41), (38, 38, 38, 40, 37, 39, 60, 63)
CELLS = {3: (((0, 3),), ((0, 2), (2, 1)), ((0, 1.5), (1.5, 0.5), (2, 1)), ((0, 1), (1, 1), (2, 1)), ((0, 1), (1, 2)),
             ((0, 1), (1, 0.5), (1.5, 0.5), (2, 1)), ()),
         2: (((0, 2),), ((0, 1), (1, 1)), ((0, 1.5), (1.5, 0.5)), ())}
SOUNDS = ((43, 48), (32, 0), (0, 0), (42, 46), (32, 24), (21, 21), (45, 45), (33, 4), (32, 26), (70, 68), (48, 48))
LEADS = (40, 73, 71, 68, 48, 0, 21, 56, 66, 72, 52, 26, 22)


def compound_song(rng, seconds=25.0, name=None, slow=False):
    """A `Song` of one of `FORMS`, or of `DRUMS` alone; name: which, else drawn, of `SLOW` ones where `slow`."""
    name = str(rng.choice(SLOW)) if slow else name
    if name is None:
        alone = rng.random() < DRUM_SHARE
        weight = np.array([row[4] for row in DRUMS.values()], dtype=float)
        name = str(rng.choice(list(DRUMS), p=weight / weight.sum()) if alone else rng.choice(list(FORMS)))
    beats, unit, groupings, (low, high), voices = {**FORMS, **DRUMS}[name]
    groups = groupings[int(rng.integers(len(groupings)))]
    tempo = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    tapped = 2 * beat_unit(beats, unit, tempo)                                   # eighths
    eighths = sum(groups)
    bars = max(4, int(np.ceil(seconds * tempo * 2 / 60 / eighths)))
    beat, lead = _clock(bars, eighths, tapped, tempo, rng)
    at = lambda place: lead + float(np.interp(place, np.arange(len(beat)) * tapped, beat))         # noqa: E731
    font, layers = SECOND if rng.random() < 0.5 else 0, []
    if name in DRUMS or rng.random() < DRUMMED_SHARE:
        layers.append((KIT + int(rng.choice(KITS)) + font, drum_strokes(groups, bars, at, rng), 1.1))
    if name in FORMS:
        layers += _band(groups, bars, at, str(rng.choice(voices)), font, rng)
    metre = round(eighths / tapped)
    index = np.arange(bars * metre)
    rows = np.stack([lead + beat[:-1], index % metre + 1], 1)
    return Song(layers, rows, metre, float(60 / np.median(np.diff(beat))), float(lead + beat[-1] + 0.3), name,
                f"{beats}/{unit}")


def _clock(bars, eighths, tapped, tempo, rng):
    """Seconds (bars * metre + 1,) of the tapped beats from 0, and the silence before them."""
    metre = round(eighths / tapped)
    positions = np.arange(bars * metre) % metre + 1
    manner = str(rng.choice(["exact", "steady", "mild"], p=[0.4, 0.4, 0.2]))
    spans = 30.0 * tapped / tempo / tempo_curve(len(positions), positions, manner, rng)
    return np.concatenate([[0.0], np.cumsum(spans)]), float(rng.uniform(0.05, 0.6))


def drum_strokes(groups, bars, at, rng):
    """[(second, length, key, velocity)] of a drummer who makes one pattern of the bar and varies it; at: seconds of a
    place in eighths."""
    first = _pattern(groups, rng)
    second = _pattern(groups, rng, like=first) if rng.random() < 0.6 else first
    eighths, out = sum(groups), []
    scatter, ahead = rng.uniform(0.003, 0.013), {key: rng.normal(0, 0.005) for key in range(128)}
    turn = int(rng.choice([2, 4, 8]))
    fills = rng.random() < 0.6
    for bar in range(bars):
        filled = eighths - groups[-1] if fills and bar % turn == turn - 1 else eighths
        for place, key, weight in second if bar % 2 else first:
            if place >= filled or rng.random() < 0.04:
                continue
            out.append((at(bar * eighths + place) + ahead[key] + rng.normal(0, scatter), 0.25, key,
                        float(np.clip(weight + rng.normal(0, 0.07), 0.08, 1))))
        out += [(at(bar * eighths + place) + rng.normal(0, scatter), 0.2, 50 - 2 * int(place - filled), 0.8)
                for place in np.arange(filled, eighths, 0.5) if rng.random() < 0.8]
    return out


def _pattern(groups, rng, like=None):
    """[(place in eighths, key, velocity)] of a bar: what marks the time, low and high strokes, ghosts. like: a pattern
    whose time is kept and whose strokes are partly others."""
    starts = np.concatenate([[0], np.cumsum(groups)[:-1]])
    eighths, loud = sum(groups), float(rng.uniform(0.55, 0.95))
    if like is not None:
        return [row for row in like if row[0] == 0 or rng.random() < 0.85] + [
            (float(rng.integers(0, 2 * eighths)) / 2, int(rng.choice(LOW + HIGH)), 0.5 * loud)
            for _ in range(int(rng.integers(0, 3)))]
    rattle, low, high = (int(rng.choice(keys)) for keys in (RATTLE, LOW, HIGH))
    marks = [np.arange(eighths), np.sort(np.concatenate([starts, starts + np.array(groups) - 1])), starts,
             np.arange(0, eighths, 0.5), []][int(rng.choice(5, p=[0.62, 0.14, 0.08, 0.08, 0.08]))]
    out = [(float(p), rattle, loud * (0.8 if p in starts else 0.55)) for p in marks]
    out.append((0.0, low, loud))
    free = rng.uniform(0.0, 0.35)                   # how syncopated the low strokes are
    for place in np.arange(0.5, eighths, 0.5):
        chance = 0.45 if place in starts else free if place % 1 == 0 else 0.5 * free
        if rng.random() < chance:
            out.append((float(place), low, loud * 0.85))
    if rng.random() < 0.75:                         # the back beat: every second group, or the last of an odd bar
        back = starts[1::2] if len(groups) % 2 == 0 or rng.random() < 0.5 else starts[1:]
    else:                                           # somewhere inside the groups, the same in each
        back = starts[int(rng.random() < 0.5):] + float(rng.choice([1, 1.5, 2, 0.5]))
    out += [(float(p), high, loud) for p in back if p < eighths]
    ghosts = rng.uniform(0.0, 0.25) * (rng.random() < 0.5)
    return out + [(float(p), high, loud * 0.35) for p in np.arange(0, eighths, 0.5) if rng.random() < ghosts]


def _band(groups, bars, at, voices, font, rng):
    """Bass and chords by a pattern of the group, and a tune whose rhythm cells come again."""
    harmony, eighths = Harmony(bars, rng), sum(groups)
    starts = np.concatenate([[0], np.cumsum(groups)[:-1]])
    once = rng.random() < 0.4                       # the bass on the bar alone
    short, bass, chords = float(rng.uniform(0.5, 1.2)), [], []
    for bar in range(bars):
        for number, (start, size) in enumerate(zip(starts, groups)):
            for offset, letter in enumerate(voices[:size]):
                place = bar * eighths + start + offset
                span, when = short * (at(place + 1) - at(place)), at(place) + rng.normal(0, 0.01)
                if letter in "ab" and (number == 0 or not once):
                    fifth = 7 if number and rng.random() < 0.4 else 0
                    bass.append((when, 1.5 * span, harmony.root(bar, 36) + fifth, float(rng.uniform(0.55, 0.85))))
                if letter in "ac":
                    chords += [(when, span, pitch, float(rng.uniform(0.3, 0.55))) for pitch in harmony.tones(bar, 55)]
    low, high = SOUNDS[int(rng.integers(len(SOUNDS)))]
    layers = [(low + font, bass, rng.uniform(0.7, 1.2)), (high + font, chords, rng.uniform(0.4, 0.9))]
    if rng.random() < 0.75:
        layers.append((int(rng.choice(LEADS)) + font, _tune(groups, bars, at, harmony, rng), rng.uniform(0.6, 1.3)))
    return [layer for layer in layers if layer[1]]


def _tune(groups, bars, at, harmony, rng):
    """A melody of rhythm cells a group long, chord tones at their beginnings, steps between."""
    starts, eighths = np.concatenate([[0], np.cumsum(groups)[:-1]]), sum(groups)
    chosen = [[CELLS[size][int(rng.integers(len(CELLS[size])))] for size in groups] for _ in range(4)]
    notes, pitch = [], 67 + int(rng.integers(0, 8))
    for bar in range(bars):
        for start, cell in zip(starts, chosen[bar % 4]):
            for offset, length in cell:
                pitch = int(np.clip(pitch + rng.integers(-3, 4), 58, 86))
                near = harmony.tones(bar, 58) if offset == 0 else [harmony.key + int(s) for s in harmony.scale]
                pitch = min((n + 12 * o for n in near for o in range(-2, 4)), key=lambda p: abs(p - pitch))
                place = bar * eighths + start + offset
                on, off = at(place), at(place + length)
                loud = float(np.clip(0.6 + 0.15 * (start + offset == 0) + rng.normal(0, 0.06), 0.2, 1))
                notes.append((on + rng.normal(0, 0.012), float(max(0.08, 0.92 * (off - on))), int(pitch), loud))
    return notes
