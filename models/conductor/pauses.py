"""Where the music waits inside a piece: a general pause, or a chord that is held; and the beat that brings it in again.

Rules, not the network. Beats that are found go on through a pause, so what is new in the sound tells it: for longer
than anything near it nothing is heard that was not there before. What the arms do meanwhile: cut_off.py.
"""
from dataclasses import replace

import numpy as np
from scipy.ndimage import maximum_filter1d

from core.rhythm.beats import Beats
from models.conductor.config import FPS
from models.conductor.controls import SILENT_LEVEL
from models.conductor.ending import RINGS, Ending, endings

NEW, LOOK_BACK, SKIP = 0.004, 15, 2     # least of `new_frames` that is heard as new; frames that it is compared with
REST_S, REST_STROKES = 1.6, 3.0         # a pause that falls silent lasts so long at least, and so many strokes
HELD_S, HELD_STROKES = 3.0, 5.0         # and a chord that is held
OTHERS, AROUND_S = 3, 30.0              # longer than all but so many waits within so many seconds, by a factor
REST_LONGER, HELD_LONGER = 1.7, 2.8     # (chords that are often held so long are music in tempo)
FALLS, RISES = 0.42, 4                  # of level (25 dB) by which a pause falls silent; frames in which the next rises
STROKE_S = (0.3, 1.4)                   # s that the stroke before an entry takes
EARLY = 0.3                             # share of a stroke by which an entry may be before the beat it is on
CUT_BEFORE_S = 0.35                     # s before the stroke that brings the music in: there a held chord is cut
COMES_S, COMES = 0.5, 0.6               # s before that stroke in which a conductor who stood ready begins, and his size


def new_frames(mel):
    """(T, bands) of `features.mel_frames_30` -> (T,) float32: what is louder than it has been within the last half
    second, mean over bands. Nothing of a chord that is held or rings is, whatever its tremolo."""
    before = np.concatenate([np.zeros((LOOK_BACK, mel.shape[1]), dtype=np.float32), mel])
    width = LOOK_BACK - SKIP + 1
    loudest = maximum_filter1d(before, width, axis=0)[width // 2:width // 2 + len(mel)]
    return np.maximum(mel - loudest, 0).mean(1).astype(np.float32)


def stops(level, strokes):
    """[`Ending`, ...] of all places at which a track of level (T, 4) ends or waits; strokes: as in `pauses`."""
    found = endings(level)
    return found + [wait for wait in pauses(level, strokes)
                    if all(wait.following <= end.release or wait.attack >= (end.following or len(level))
                           for end in found)]


def pauses(level, strokes):
    """[`Ending`, ...] of pauses and held chords inside a track of level (T, 4), each with what follows it; strokes:
    `Beats` of the track in its own seconds, or None."""
    level = np.asarray(level, dtype=float)
    if level.shape[1] < 4 or strokes is None or len(strokes) < 4:
        return []
    new = np.flatnonzero(level[:, 3] > NEW)
    waits, found = np.diff(new), []
    for i in np.flatnonzero(waits > REST_S * FPS):
        near = waits[np.abs(new[:-1] - new[i]) < AROUND_S * FPS]
        usual = np.sort(near)[-OTHERS - 1] if len(near) > OTHERS else 0
        start, following = int(new[i]), int(new[i + 1])
        pause = _pause(level[start:following, 0], stroke_s(strokes, following / FPS) * FPS, waits[i] / max(usual, 1))
        if pause is not None and start > FPS:
            end, loudness = pause
            found.append(Ending(start, start + end, start + end, following, loudness))
    return found


def _pause(loud, stroke, longer):
    """(frame at which the chord is let go, its loudness) of a wait of level (T,), or None; stroke: its frames; longer:
    than the others near it, by this factor."""
    chord, long_enough = float(loud[:8].max()), max(REST_S * FPS, REST_STROKES * stroke)
    if longer > REST_LONGER and len(loud) >= long_enough and np.median(loud[len(loud) // 2:]) < chord - FALLS:
        after = int(np.flatnonzero(loud[:-RISES] >= chord - RINGS)[-1]) + 1
        if len(loud) - after > min(REST_S * FPS, 2 * stroke):
            return after, chord
    if longer > HELD_LONGER and len(loud) >= max(HELD_S * FPS, HELD_STROKES * stroke):
        return len(loud), chord
    return None


def stroke_s(strokes, time):
    """Seconds of a stroke of the `Beats` after `time`."""
    first = int(np.clip(np.searchsorted(strokes.times, time - 0.1), 0, len(strokes) - 2))
    return float(np.clip(np.median(np.diff(strokes.times[first:first + 5])), *STROKE_S))


def prepared(stops, level, strokes, lead):
    """(stops, strokes) in which a stroke leads into every entry after a pause, and none is beaten meanwhile.

    stops: [`Ending`, ...]; level (T, 2 or more) of the track; strokes: its `Beats` on the ictus clock, or None;
    lead: s that they are ahead of the sound.
    """
    if strokes is None or len(strokes) < 4:
        return stops, strokes
    made = []
    for stop in stops:
        if stop.following is not None:
            after = stop.release if stop.attack is None else stop.attack
            stop, strokes = _entered(stop, strokes, after / FPS - lead, stop.following / FPS - lead, lead)
        made.append(stop)
    sounding = np.flatnonzero(np.asarray(level)[:, 0] > SILENT_LEVEL)
    if len(sounding) and sounding[0] > FPS / 2:
        begin, strokes = _entered(Ending(None, 0, 0, int(sounding[0]), 0.0), strokes, -np.inf, sounding[0] / FPS - lead,
                                  lead)
        made += [begin] if begin.prepared is not None else []
    return made, strokes


def _entered(stop, strokes, struck, entry, lead):
    """(`stop` with the frame of its stroke before the entry, strokes with it); struck, entry: s on the ictus clock at
    which the chord is struck and the music comes in."""
    period = stroke_s(strokes, entry)
    later = np.flatnonzero(strokes.times >= entry - EARLY * period)
    if not len(later):
        return stop, strokes
    first = int(later[0])
    missing = max(0, int(np.ceil((strokes.times[first] - entry) / period - 1 + EARLY)))
    times = strokes.times[first] - period * np.arange(missing + 1, 0, -1)
    if times[0] < max(struck + 0.75 * period, 0.0):
        return stop, strokes
    kept = (strokes.times <= struck + 0.25 * period) | (np.arange(len(strokes)) >= first)
    counts, place = strokes.counts, int(strokes.positions[first])
    counted = (place - 1 - np.arange(missing + 1, 0, -1)) % counts[first] + 1 if place > 0 else [0] * (missing + 1)
    before, rest = kept & (strokes.times < times[0]), kept & (np.arange(len(strokes)) >= first)

    def joined(values, between):
        return np.concatenate([values[before], between, values[rest]])
    bars = None if strokes.bars is None else joined(strokes.bars, np.full(missing + 1, counts[first]))
    held = stop.release >= stop.following
    cut = int(round((times[0] - CUT_BEFORE_S + lead) * FPS))
    stop = replace(stop, prepared=float(times[0] * FPS), release=cut if held else stop.release)
    return stop, replace(strokes, times=joined(strokes.times, times), positions=joined(strokes.positions, counted),
                         bars=bars)


def coming(stops, first, frames):
    """(frames,) 0..`COMES` from frame `first` of a track on: the size of the stroke before an entry, made by a
    conductor who stood ready."""
    out, index = np.zeros(frames), first + np.arange(frames)
    for stop in stops:
        if stop.prepared is not None:
            up = np.clip((index - stop.prepared) / (COMES_S * FPS) + 1, 0, 1)
            out = np.maximum(out, COMES * up * up * (3 - 2 * up) * (index < stop.following))
    return out
