"""A score performed: a tempo that lives, notes that humans place, and the beats that a listener taps.

Ranges of timing follow what is measured on players: string ensembles' asynchrony of 20-40 ms (Rasch 1979), phrase
arches of tempo (Todd 1985, "A model of expressive timing in tonal music") and final ritards (Friberg and Sundberg
1999).
"""
from dataclasses import dataclass

import numpy as np

MANNERS = {"exact": 0.2, "steady": 0.25, "mild": 0.3, "romantic": 0.25}     # how freely, and how often


@dataclass
class Performance:
    """parts: lists of (onset s, duration s, MIDI pitch, velocity 0..1); beats (B, 2): seconds, position in the bar (0:
    unknown)."""

    parts: list
    beats: np.ndarray
    metre: int
    bpm: float
    duration: float
    written: str = ""           # the metre as it stands in the score


def beat_unit(beats, unit, tempo):
    """Quarters of the beat that is tapped in a bar of beats / unit at `tempo` quarters a minute: in compound time the
    dotted beat, where that is not too slow."""
    if unit == 8 and beats == 3:
        choices = (0.5, 1.5)
    elif beats % 3 == 0 and beats > 3:
        choices = (12.0 / unit, 4.0 / unit)
    elif unit == 8 or unit == 16:
        choices = (4.0 / unit,) if beats % 2 else (4.0 / unit, 8.0 / unit)
    elif unit == 2:
        choices = (2.0, 1.0)
    elif beats == 3:
        choices = (1.0, 3.0)
    else:
        choices = (1.0, 2.0) if beats % 2 == 0 else (1.0,)
    for choice in choices:
        low = 58 if unit == 2 else 44
        if low <= tempo / choice <= 205:
            return choice
    slow = choices[0] if tempo / choices[0] < 44 else choices[-1]
    return slow / 2 if tempo / slow < 36 else slow


def tempo_at(score, quarter, otherwise):
    """Quarters a minute that the score asks for at a place; `otherwise` where it says nothing."""
    before = [tempo for place, tempo in score.tempi if place <= quarter + 1e-6]
    return before[-1] if before else otherwise


TEMPI = (72, 92, 108, 126, 144)                 # quarters a minute, where the score says nothing


def perform_score(score, first, rng, seconds=32.0, tempi=TEMPI):
    """The `Performance` of the bars from number `first` on, about `seconds` long and in one metre; None when too
    short. tempi: quarters a minute, one of which is drawn where the score says nothing."""
    start_bar = score.bars[first]
    default = float(rng.choice(tempi))
    haste = float(np.exp(rng.normal(0, 0.08)))
    tempo = tempo_at(score, start_bar.start, default) * haste
    unit = beat_unit(start_bar.beats, start_bar.unit, tempo)
    bars, passed = [], 0.0
    for bar in score.bars[first:]:
        local = tempo_at(score, bar.start, default) * haste
        if (bar.beats, bar.unit) != (start_bar.beats, start_bar.unit) or not 0.5 < local / tempo < 2.0:
            break
        bars.append(bar)
        passed += bar.length * 60 / local
        if passed > seconds:
            break
    if passed < 0.6 * seconds:
        return None
    stop = bars[-1].start + bars[-1].length
    places, positions = _beat_places(bars, unit)
    manner = str(rng.choice(list(MANNERS), p=list(MANNERS.values())))
    tempi = np.array([tempo_at(score, place, default) for place in places]) * haste / unit
    spans = 60.0 / (tempi * tempo_curve(len(places), positions, manner, rng))
    if manner in ("mild", "romantic"):
        held = [i for i, place in enumerate(places) if any(place <= f < place + unit for f in score.fermatas)]
        for index in held:
            spans[index] *= rng.uniform(1.2, 2.4) if rng.random() < 0.6 else 1.0
    lead = float(rng.uniform(0.1, 0.8))
    times = lead + np.concatenate([[0.0], np.cumsum(spans)])
    clock = np.append(places, places[-1] + unit)
    parts = [_played(notes, dynamics, start_bar.start, stop, clock, times, manner, rng)
             for notes, dynamics in zip(score.parts, score.dynamics)]
    metre = int(round(start_bar.beats * 4 / start_bar.unit / unit))
    beats = np.stack([times[:-1], positions if metre > 1 else np.zeros(len(places))], 1)
    return Performance(parts, beats, metre if metre > 1 else 0, float(60 / np.median(spans)),
                       float(times[-1] + rng.uniform(0.2, 1.2)), f"{start_bar.beats}/{start_bar.unit}")


def _beat_places(bars, unit):
    """Quarters (B,) and positions in the bar (B,) of the beats; a pickup's beats count towards its bar's end."""
    places, positions = [], []
    for bar in bars:
        count = max(1, int(round(bar.length / unit)))
        full = max(1, int(round(bar.beats * 4 / bar.unit / unit)))
        for index in range(count):
            places.append(bar.start + index * unit)
            positions.append((full - count + index if bar.pickup and bar is bars[0] else index) % full + 1)
    keep = np.concatenate([[True], np.diff(places) > 0.5 * unit])
    return np.array(places)[keep], np.array(positions)[keep]


def tempo_curve(count, positions, manner, rng):
    """Tempo of each beat (B,) relative to the written one."""
    if manner == "exact":
        return np.ones(count)
    slow, quick, arch = {"steady": (0.008, 0.004, 0.0), "mild": (0.02, 0.015, 0.05),
                         "romantic": (0.04, 0.035, 0.14)}[manner]
    drift, value = np.zeros(count), 0.0
    for index in range(count):
        value = 0.93 * value + rng.normal(0, slow)
        drift[index] = value
    curve = drift + rng.normal(0, quick, count)
    length = int(rng.choice([8, 12, 16, 24]))
    along = (np.arange(count) % length) / length
    curve += arch * rng.uniform(0.4, 1.2) * (1 - 4 * (along - 0.45) ** 2 - 0.6)
    if manner == "romantic":
        curve -= rng.uniform(0, 0.08) * (positions == 1)
    if arch and rng.random() < 0.4:                             # a ritard at the end
        tail = np.clip((np.arange(count) - count + 8) / 8, 0, 1)
        curve -= tail ** 2 * rng.uniform(0.1, 0.6)
    return np.exp(np.clip(curve, -0.9, 0.6))


def _played(notes, dynamics, start, stop, clock, times, manner, rng):
    """Notes of one part as (onset s, duration s, pitch, velocity)."""
    scatter = {"exact": 0.0, "steady": 0.008, "mild": 0.015, "romantic": 0.022}[manner] * rng.uniform(0.5, 1.4)
    ahead, legato = rng.normal(0, 0.6 * scatter), rng.uniform(0.85, 1.05)
    out, level_places = [], np.array([place for place, _ in dynamics] or [0.0])
    levels = [level for _, level in dynamics] or [0.6]
    breath, phase = rng.uniform(0, 0.12), rng.uniform(0, 6.3)
    for note in notes:
        if not start - 1e-6 <= note.onset < stop - 1e-6:
            continue
        begin, end = np.interp([note.onset, min(note.onset + note.length, stop)], clock, times)
        level = levels[max(0, int(np.searchsorted(level_places, note.onset + 1e-6)) - 1)]
        strong = 0.05 * (abs(note.onset - round(note.onset)) < 1e-3) + 0.12 * note.accent
        velocity = level + strong + breath * np.sin(note.onset / 4 + phase) + rng.normal(0, 0.03)
        share = 0.4 if note.short else legato
        out.append((float(begin + ahead + rng.normal(0, scatter)), float(max(0.06, (end - begin) * share)), note.pitch,
                    float(np.clip(velocity, 0.15, 1.0))))
    return out
