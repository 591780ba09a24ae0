"""A small reader of MIDI files with bars beside them (`models.lab.rhythm.mutopia`) as a `Score` to perform.

Format: Standard MIDI Files 1.0, format 0 or 1 with ticks a quarter. Notes keep their track: a part is a staff. Drums
are left out.
"""
import json
import re
import struct
import unicodedata
import zlib
from pathlib import Path

from core.errors import BadInput
from models.lab.rhythm.musicxml import Bar, Note, Score
from models.lab.studio.midi import META, NOTE_OFF, NOTE_ON, read_events

DRUMS = 9                       # the channel
TEMPO = 0x51                    # the kind of the meta event
LONG_ENOUGH = 150.0             # quarters: a shorter piece is played again from its beginning
BEATS_A_MINUTE = (58, 66, 76, 88, 100, 112, 126)
STEP = 0.08                     # of loudness: smaller ones are no new level


def read_midi_score(path):
    """The `Score` of NAME.mid with NAME.json beside it. Raises BadInput when either is damaged."""
    path = Path(path)
    try:
        data = path.read_bytes()
        known = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        tracks, tempi = read_tracks(data)
        bars = [Bar(float(start), float(length), int(beats), int(unit), pickup=length < 4 * beats / unit - 1e-6)
                for start, length, beats, unit in known["bars"]]
    except (OSError, ValueError, KeyError, TypeError, IndexError, struct.error) as error:
        raise BadInput(f"{path} is not a MIDI file with its bars ({error}).") from error
    score = Score(bars=bars, tempi=tempi if known.get("tempo") else drawn_tempo(bars, path.name))
    for notes in tracks:
        part = [Note(onset, length, pitch) for onset, length, pitch, _ in notes]
        if part and part not in score.parts:                    # a tablature plays what its staff plays
            score.parts.append(part)
            score.dynamics.append(_levels(notes))
    longer = score
    while longer is not None and longer.parts and 0 < longer.length < LONG_ENOUGH:
        score, longer = longer, again(longer)
    return longer or score


def drawn_tempo(bars, name):
    """[(0, quarters a minute)] of a score that says none: its metre's beat at a rate that the file's name draws."""
    if not bars:
        return []
    beats, unit = bars[0].beats, bars[0].unit
    beat = 4 / unit * (3 if unit >= 8 and beats % 3 == 0 and beats > 3 else 1)
    rate = BEATS_A_MINUTE[zlib.crc32(name.encode()) % len(BEATS_A_MINUTE)]
    return [(0.0, rate * beat * (1.5 if (beats, unit) == (3, 8) else 1.0))]


def read_tracks(data):
    """[[(onset, length, pitch, velocity 0..1)] a track], in quarters, and [(quarter, quarters a minute)] of a file's
    bytes."""
    division, tracks = read_events(data)
    tempi = [(tick / division, 60e6 / int.from_bytes(value[1:4], "big")) for events in tracks
             for tick, status, value in events if status == META and value[0] == TEMPO]
    return [_notes(events, division) for events in tracks], sorted(tempi)


def _notes(events, division):
    notes, sounding = [], {}
    for tick, status, value in events:
        kind, key = status >> 4, (status & 15, value[0] if value else None)
        if kind not in (NOTE_OFF, NOTE_ON) or key[0] == DRUMS:
            continue
        if key in sounding:
            onset, loud = sounding.pop(key)
            notes.append((onset / division, max(1, tick - onset) / division, key[1], loud / 127))
        if kind == NOTE_ON and value[1]:
            sounding[key] = (tick, value[1])
    return sorted(notes)


def _levels(notes):
    levels = []
    for onset, _, _, loud in notes:
        if not levels or abs(loud - levels[-1][1]) > STEP:
            levels.append((onset, loud))
    return levels


def again(score):
    """The score and once more all of it, a pickup joined to the last bar; None where the two are no whole bar."""
    first, last, end = score.bars[0], score.bars[-1], score.length
    bars, rest = list(score.bars), score.bars
    if first.pickup or last.pickup:
        joined = first.length + last.length
        if (first.beats, first.unit) != (last.beats, last.unit) or abs(joined - 4 * last.beats / last.unit) > 1e-6:
            return None
        bars[-1], rest = Bar(last.start, joined, last.beats, last.unit), score.bars[1:]
    bars += [Bar(bar.start + end, bar.length, bar.beats, bar.unit, bar.pickup) for bar in rest]
    return Score([notes + [Note(n.onset + end, n.length, n.pitch, n.short, n.accent) for n in notes]
                  for notes in score.parts], bars, score.tempi + [(place + end, bpm) for place, bpm in score.tempi],
                 [levels + [(place + end, level) for place, level in levels] for levels in score.dynamics],
                 score.fermatas + [place + end for place in score.fermatas])


def known_composer(folder, names):
    """The one of `names` that Mutopia's name of a composer (SchubertF, Mendelssohn-BartholdyF) means, or the folder's
    own."""
    plain = lambda name: unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()      # noqa: E731
    return next((name for name in names if re.match(plain(name) + r"(?![a-z])", plain(folder))), folder)
