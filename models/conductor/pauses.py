"""Where the music waits inside a piece: a general pause, or a chord that is held; and the beat that brings it in again.

Rules, not the network. Beats that are found go on through a pause, so what is new in the sound tells it: for longer
than anything near it nothing is heard that was not there before. What the arms do meanwhile: cut_off.py.
"""
from dataclasses import replace

import numpy as np
from scipy.ndimage import maximum_filter1d

from models.conductor.config import FPS
from models.conductor.controls import SILENT_LEVEL
from models.conductor.ending import RINGS, Ending, endings

NEW, LOOK_BACK, SKIP = 0.004, 15, 2     # least of `new_frames` that is heard as new; frames that it is compared with
REST_S, REST_STROKES = 1.6, 3.0         # a pause that falls silent lasts so long at least, and so many strokes
HELD_S, HELD_STROKES = 3.5, 4.0         # and a chord that is held
OTHERS, AROUND_S = 3, 30.0              # longer than all but so many waits within so many seconds, by a factor
REST_LONGER, HELD_LONGER = 1.7, 1.3     # (chords that are often held so long are music in tempo)
USUAL, ONSETS, SMALL = 75, 8, 0.3       # percentile of so many onsets that is the usual one; share of it that a chord
                                        # which is held may do
EVIDENCE = 20.0                         # for a chord that is held, as in `_chord`
ENTRY, BLOOM, BEFORE_S = 4, 10, 8.0     # frames that an entry takes, and a chord to bloom; s before it that it is held
                                        # against
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
    onset, found = usual_onset(level[:, 3]), []
    for start, following, longer in _waits(level[:, 3], NEW):
        stroke = stroke_s(strokes, following / FPS) * FPS
        release = _rest(level[start:following, 0], stroke, longer)
        found += [] if release is None else [_ending(level, start, start + release, following)]
    for start, following, longer in [] if onset is None else _waits(level[:, 3], max(NEW, SMALL * onset)):
        stroke = stroke_s(strokes, following / FPS) * FPS
        if (_chord(level[:, 3], start, following, stroke, longer, onset)
                and all(following <= rest.attack or start >= rest.following for rest in found)):
            found.append(_ending(level, start, following, following))
    return sorted(found, key=lambda wait: wait.attack)


def usual_onset(new):
    """The upper quartile of the peaks of what is new (T,), `new_frames`; None where there are hardly any."""
    peaks = new[1:-1][(new[1:-1] > NEW) & (new[1:-1] >= new[:-2]) & (new[1:-1] >= new[2:])]
    return float(np.percentile(peaks, USUAL)) if len(peaks) >= ONSETS else None


def _waits(new, least):
    """(first frame, frame of what follows, how many times longer than others near it it is) of every wait between what
    is new (T,) by more than `least`."""
    heard = np.flatnonzero(new > least)
    waits = np.diff(heard)
    for i in np.flatnonzero(waits > REST_S * FPS):
        near = waits[np.abs(heard[:-1] - heard[i]) < AROUND_S * FPS]
        usual = np.sort(near)[-OTHERS - 1] if len(near) > OTHERS else 0
        if heard[i] > FPS:
            yield int(heard[i]), int(heard[i + 1]), waits[i] / max(usual, 1)


def _ending(level, start, release, following):
    return Ending(start, release, release, following, float(level[start:min(start + 8, following), 0].max()))


def _rest(loud, stroke, longer):
    """Frame at which the chord before a pause is let go, or None where level (T,) does not fall silent; stroke: its
    frames; longer: than the others near it, by this factor."""
    chord, long_enough = loud[:8].max(), max(REST_S * FPS, REST_STROKES * stroke)
    if longer > REST_LONGER and len(loud) >= long_enough and np.median(loud[len(loud) // 2:]) < chord - FALLS:
        after = int(np.flatnonzero(loud[:-RISES] >= chord - RINGS)[-1]) + 1
        return after if len(loud) - after > min(REST_S * FPS, 2 * stroke) else None
    return None


def _chord(new, start, following, stroke, longer, onset):
    """Whether a wait is a chord that is held: much longer than others near it, with little going on in it, and the
    music comes in again with an attack; one may be weak where the others are strong."""
    if longer <= HELD_LONGER or following - start < max(HELD_S * FPS, HELD_STROKES * stroke):
        return False
    inside, before = new[start + BLOOM:following - 1], new[max(0, start - int(BEFORE_S * FPS)):start - 2]
    quiet = inside.mean() / max(before.mean(), 1e-6)
    return longer * new[following:following + ENTRY].max() / onset >= EVIDENCE * quiet


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
