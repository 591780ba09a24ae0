"""Songs on human drumming, and dance forms in every common metre.

Human drumming: Groove MIDI Dataset (Gillick et al. 2019, "Learning to Groove with Inverse Sequence Transformations";
Google LLC, CC BY 4.0): drummers against an exact click, so that the beats are known exactly; a bass and chords play
along. Dance forms: waltzes, minuets, mazurkas, marches, polkas and others from their typical accompaniments, some by
drums alone.
"""
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.lab.rhythm.perform import tempo_curve
from models.lab.studio.groove_templates import read_midi
from models.lab.studio.instruments import KIT, SECOND

KITS = (0, 8, 16, 24, 25, 32, 40)
BASSES, CHORDS = (32, 33, 34, 35, 38, 39), (0, 4, 5, 16, 18, 24, 25, 26, 27, 48, 50, 81, 88, 89)
LEADS = (65, 66, 56, 73, 80, 81, 11, 22, 40, 71, 4, 26, 30)
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
PROGRESSIONS = ((0, 3, 4, 0), (0, 5, 3, 4), (0, 4, 5, 3), (0, 3, 0, 4), (0, 6, 5, 6), (1, 4, 0, 0), (0, 0, 3, 4),
                (5, 3, 0, 4))
HELD_OUT = ("drummer3", "drummer9", "drummer10")        # of evaluation: never trained on


@dataclass
class Song:
    """layers [(sound, notes, gain)]; beats (B, 2): seconds, position; metre; bpm; duration in seconds; style; the metre
    as it would be written, where that is known."""

    layers: list
    beats: np.ndarray
    metre: int
    bpm: float
    duration: float
    style: str
    written: str = ""


class Harmony:
    """A chord a bar (or every second one) in a key, and the pitches of it."""

    def __init__(self, bars, rng):
        self.scale = np.array(MAJOR if rng.random() < 0.55 else MINOR)
        self.key, self.rng = int(rng.integers(0, 12)), rng
        row = PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]
        hold = 2 if rng.random() < 0.25 else 1
        self.degrees = [row[(bar // hold) % 4] for bar in range(bars)]

    def tones(self, bar, low, count=3):
        """MIDI pitches of the bar's chord from `low` upwards."""
        degree = self.degrees[min(bar, len(self.degrees) - 1)]
        classes = [(self.key + self.scale[(degree + 2 * k) % 7] + 12 * ((degree + 2 * k) // 7)) for k in range(count)]
        return [int(low + (pitch - low) % 12) for pitch in classes]

    def root(self, bar, low):
        """The bar's root from `low` upwards."""
        return self.tones(bar, low, 1)[0]


def performances(folder):
    """Rows of the dataset that are beats, at least 18 s long, in 3/4 or 4/4."""
    with open(Path(folder, "info.csv"), newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    return [row for row in rows if row["beat_type"] == "beat" and float(row["duration"]) >= 18
            and row["time_signature"] in ("4-4", "3-4")]


def groove_song(folder, row, rng, seconds=25.0):
    """The `Song` on one performance, or None when it is too sparse."""
    metre, bpm = int(row["time_signature"][0]), float(row["bpm"]) * float(np.exp(rng.normal(0, 0.07)))
    strokes = read_midi(Path(folder, row["midi_filename"]))
    span = 60.0 / bpm
    total = int(strokes[-1][0] // metre) if strokes else 0
    count = min(total, max(2, int(seconds / (span * metre))))
    if count < 3 or len(strokes) < 40:
        return None
    first = int(rng.integers(0, total - count + 1)) * metre
    lead = float(rng.uniform(0.05, 0.5))
    notes = [(lead + (place - first) * span, 0.25, key, velocity / 127) for place, key, velocity in strokes
             if first - 0.1 <= place < first + count * metre]
    font = SECOND if rng.random() < 0.5 else 0
    layers = [(KIT + int(rng.choice(KITS)) + font, notes, 1.2)]
    index = np.arange(count * metre)
    beats = np.stack([lead + index * span, index % metre + 1], 1)
    if bpm > 205 and metre == 4:                                   # nobody taps so fast: the half note is the beat
        beats, metre, bpm, span, count = beats[::2] * (1, 0.5) + (0, 0.5), 2, bpm / 2, span * 2, count
    band = rng.random()
    if band > 0.2:
        layers += _band(beats, metre, count, [on for on, _, key, _ in notes if key in (35, 36)], band, rng)
    return Song(layers, beats, metre, bpm, float(lead + count * metre * span), row["style"].split("/")[0])


def _band(beats, metre, bars, kicks, band, rng):
    """Bass, chords and a tune that play along with drums."""
    harmony, span = Harmony(bars, rng), float(np.median(np.diff(beats[:, 0])))
    font = SECOND if rng.random() < 0.5 else 0
    human = lambda t: t + rng.normal(0, 0.008)                      # noqa: E731
    bar_of = lambda t: int(np.clip((t - beats[0, 0] + 0.1) // (span * metre), 0, bars - 1))     # noqa: E731
    if rng.random() < 0.5 and kicks:
        places = [t for t in kicks]
    else:
        step = float(rng.choice([0.5, 1.0, 2.0]))
        places = [beats[0, 0] + k * step * span for k in range(int(len(beats) / step))]
    bass = [(human(t), 0.8 * span, harmony.root(bar_of(t), 28) + (7 if rng.random() < 0.15 else 0),
             float(rng.uniform(0.6, 0.9)))
            for t in places]
    layers = [(int(rng.choice(BASSES)) + font, bass, rng.uniform(0.7, 1.3))]
    if band > 0.35:
        pattern = [(0.0,), (0.5,), (0.0, 1.5), (0.0, 0.5, 1.0, 1.5), (0.0, 0.75, 1.5), (1.0,),
                   (0.5, 1.5)][int(rng.integers(7))]
        length = 4.0 * span if pattern == (0.0,) else float(rng.uniform(0.2, 0.6)) * span
        chords = [(human(beats[2 * pair, 0] + offset * span), length, pitch, float(rng.uniform(0.4, 0.7)))
                  for pair in range(len(beats) // 2) for offset in pattern
                  for pitch in harmony.tones(bar_of(beats[2 * pair, 0] + offset * span), 52, 4 if rng.random() < 0.3
                                             else 3)]
        layers.append((int(rng.choice(CHORDS)) + font, chords, rng.uniform(0.4, 1.0)))
    if band > 0.6:
        layers.append((int(rng.choice(LEADS)) + font, tune(beats, metre, bars, harmony, rng), rng.uniform(0.5, 1.1)))
    return layers


def tune(beats, metre, bars, harmony, rng):
    """A melody: rhythm cells that come again, chord tones on strong beats, steps between."""
    cells = [[(0.0, 1.0)], [(0.0, 0.5), (0.5, 0.5)], [(0.0, 0.75), (0.75, 0.25)], [(0.5, 0.5)], [(0.0, 2.0)], [],
             [(0.0, 1 / 3), (1 / 3, 1 / 3), (2 / 3, 1 / 3)], [(0.0, 0.25), (0.25, 0.25), (0.5, 0.5)]]
    chosen = [cells[int(rng.integers(len(cells)))] for _ in range(4 * metre)]
    times = np.append(beats[:, 0], 2 * beats[-1, 0] - beats[-2, 0])
    notes, pitch = [], 67 + int(rng.integers(0, 8))
    for index in range(len(beats)):
        bar = index // metre
        for start, length in chosen[index % len(chosen)]:
            pitch = int(np.clip(pitch + rng.integers(-3, 4), 58, 86))
            near = harmony.tones(min(bar, bars - 1), 58) if start == 0.0 else [harmony.key + int(s)
                                                                               for s in harmony.scale]
            pitch = min((n + 12 * o for n in near for o in range(-2, 4)), key=lambda p: abs(p - pitch))
            on = np.interp(index + start, np.arange(len(times)), times)
            off = np.interp(min(index + start + length, len(beats)), np.arange(len(times)), times)
            notes.append((float(on + rng.normal(0, 0.012)), float(max(0.08, 0.9 * (off - on))),
                          int(np.clip(pitch, 40, 96)),
                          float(np.clip(0.6 + 0.15 * (beats[index, 1] == 1) + rng.normal(0, 0.06), 0.2, 1))))
    return notes


# name: (metre, tempo range of the beat, drums, parts of a beat, bass and chord places). Drums: one letter a part: K
# kick, S snare, R rim, H closed hat, O open hat, B kick and hat, N snare and hat, . nothing. Places are beats of the
# bar.
FORMS = {
    "waltz": (3, (84, 200), ("K.S.S.", "K.R.R.", "B.H.H.", "K.N.N."), 2, ((0,), (1, 2))),
    "minuet": (3, (96, 140), ("......", "K...S."), 2, ((0, 2), (0, 1, 2))),
    "mazurka": (3, (120, 180), ("K.S.S.", "K.S.N.", "......"), 2, ((0,), (1, 2))),
    "rock in three": (3, (80, 150), ("BHNHHH", "BHHHNH", "BHHKNH", "BHNHNH"), 2, ((0,), (0, 1, 2))),
    "jazz waltz": (3, (110, 190), ("B..H.HH..", "B.HH.HH.H"), 3, ((0, 1.67), (0, 1.67))),
    "march": (4, (96, 132), ("K.S.K.S.", "KSSSKSSS"), 2, ((0, 2), (1, 3))),
    "march in two": (2, (100, 136), ("K.S.", "KSSS", "K.SS"), 2, ((0, 1), (0.5, 1.5))),
    "polka": (2, (100, 140), ("K.S.", "BNBN", "KSKS"), 2, ((0, 1), (0.5, 1.5))),
    "galop": (2, (130, 170), ("KSKS", "B.N."), 2, ((0, 1), (0.5, 1.5))),
    "tango": (4, (56, 70), ("K..S..S.S.S.S...", "................"), 4, ((0, 1, 2, 3), (0, 1, 2, 3))),
    "six slow": (6, (100, 190), ("BHHNHH", "KHHSHH", "......"), 1, ((0, 3), (0, 1, 2, 3, 4, 5))),
    "six in two": (2, (50, 110), ("BHHNHH", "K.SK.S", "KHSSHS"), 3, ((0, 1), (0.667, 1.667))),
    "twelve in four": (4, (50, 96), ("BHHNHHBHHNHH",), 3, ((0, 1, 2, 3), (0, 1, 2, 3))),
    "nine in three": (3, (50, 100), ("BHHNHHNHH", "K..S..S.."), 3, ((0,), (0, 1, 2))),
    "ballad": (4, (56, 90), ("BHHHNHHH", "B.H.N.H."), 2, ((0, 2), (0, 2))),
    "shuffle": (4, (90, 160), ("B.HN.HB.HN.H",), 3, ((0, 1, 2, 3), (1, 3))),
    "five": (5, (100, 180), ("B.H.N.B.N.", "BHHHNHBHNH", "..........", "K..KS.K.S."), 2, ((0, 3), (0, 3))),
    "five, two and three": (5, (100, 190), ("B.N.B.H.N.", "K.S.K.S.S.", ".........."), 2, ((0, 2), (0, 2))),
    "five waltz": (5, (110, 200), ("K.S.S.K.S.", "..........", "B.N.N.B.N."), 2, ((0, 3), (1, 2, 4))),
    "five slow": (5, (56, 100), ("..........", "K.H.R.K.H."), 2, ((0, 3), (0, 1, 2, 3, 4))),
    "seven": (7, (120, 220), ("B.N.B.N.B.N.N.", ".............."), 2, ((0, 2, 4), (0, 2, 4))),
    "seven, three first": (7, (120, 220), ("B.N.N.B.N.B.N.", "K.S.S.K.S.K.S.", ".............."), 2,
                           ((0, 3, 5), (0, 3, 5))),
    "seven, four and three": (7, (90, 190), ("B.H.N.H.B.N.N.", "K.S.K.S.K.S.S.", ".............."), 2,
                              ((0, 4), (0, 2, 4, 5, 6))),
}
SHARE = {"waltz": 4, "minuet": 2, "mazurka": 2, "rock in three": 4, "jazz waltz": 2, "six in two": 2, "march in two": 2,
         "polka": 2, "five": 2}
VOICES = {"K": (36,), "S": (38,), "R": (37,), "H": (42,), "O": (46,), "B": (36, 42), "N": (38, 42)}


def dance_form(rng, seconds=25.0, name=None):
    """The `Song` of a dance form, its tempo as free as a band's."""
    names = list(FORMS)
    weight = np.array([SHARE.get(each, 1) for each in names], dtype=float)
    name = name or str(rng.choice(names, p=weight / weight.sum()))
    metre, (low, high), drums, parts, (bass_at, chords_at) = FORMS[name]
    bpm = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    bars = max(4, int(seconds * bpm / 60 / metre))
    index = np.arange(bars * metre)
    positions = index % metre + 1
    spans = 60 / bpm / tempo_curve(len(index), positions,
                                   str(rng.choice(["exact", "steady", "mild"], p=[0.4, 0.4, 0.2])), rng)
    lead = float(rng.uniform(0.05, 0.6))
    times = lead + np.concatenate([[0.0], np.cumsum(spans)])
    at = lambda place: float(np.interp(place, np.arange(len(times)), times) + rng.normal(0, 0.008))      # noqa: E731
    beats = np.stack([times[:-1], positions], 1)
    font, layers, band = (SECOND if rng.random() < 0.5 else 0), [], rng.random()
    pattern, loud = drums[int(rng.integers(len(drums)))], float(rng.uniform(0.5, 0.95))
    if band < 0.65 and pattern.strip("."):
        strokes = []
        for bar in range(bars):
            for number, letter in enumerate(pattern):
                if letter != "." and not (letter == "H" and rng.random() < 0.1):
                    where = at(bar * metre + number / parts)
                    weight = loud * (1.0 if number == 0 else 0.8 if number % parts == 0 else 0.6)
                    strokes += [(where, 0.25, key, float(np.clip(weight + rng.normal(0, 0.06), 0.1, 1)))
                                for key in VOICES[letter]]
            if bar % 4 == 3 and rng.random() < 0.4:
                strokes += [(at((bar + 1) * metre - 1 + k / 4), 0.2, 45 - k, loud) for k in range(4)]
        layers.append((KIT + int(rng.choice(KITS)) + font, strokes, 1.1))
    if band > 0.2 or not layers:
        harmony = Harmony(bars, rng)
        short = float(rng.uniform(0.3, 0.9)) * 60 / bpm
        bass = [(at(bar * metre + p), short, harmony.root(bar, 36) + (7 if p and len(bass_at) > 1 and rng.random() < 0.5
                                                                      else 0),
                 float(rng.uniform(0.6, 0.85))) for bar in range(bars) for p in bass_at]
        chords = [(at(bar * metre + p), short, pitch, float(rng.uniform(0.35, 0.6)))
                  for bar in range(bars) for p in chords_at for pitch in harmony.tones(bar, 55)]
        programs = [(43, 48), (32, 0), (58, 60), (42, 40), (0, 0), (32, 24), (21, 21), (45, 45), (33, 4)]
        low_program, high_program = programs[int(rng.integers(len(programs)))]
        layers += [(low_program + font, bass, rng.uniform(0.7, 1.2)),
                   (high_program + font, chords, rng.uniform(0.4, 0.9))]
        if rng.random() < 0.7:
            lead_program = int(rng.choice((40, 73, 71, 48, 0, 21, 56, 66)))
            layers.append((lead_program + font, tune(beats, metre, bars, harmony, rng), rng.uniform(0.6, 1.3)))
    return Song(layers, beats, metre, bpm, float(times[-1] + 0.3), name)
