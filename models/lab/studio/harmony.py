"""Keys, chord progressions, voicings and melodies."""

import numpy as np

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "harmonic": (0, 2, 3, 5, 7, 8, 11),
}


def degree_pitch(scale, degree):
    """Semitones above the tonic of a scale degree (0 = tonic; any integer)."""
    steps = SCALES[scale]
    return steps[degree % 7] + 12 * (degree // 7)


def chord_tones(scale, degree, extension=3):
    """Semitones above the tonic of the chord in thirds on a degree: 3 notes triad, 4 seventh, 5 ninth."""
    return [degree_pitch(scale, degree + 2 * i) for i in range(extension)]


def dominant(tones):
    """The chord with a major third: what a cadence in minor needs."""
    return [tones[0], tones[0] + 4] + tones[2:]


def voice(tones, root, centre, previous=None, spread=False):
    """MIDI pitches of a chord near `centre`, close to the `previous` voicing (least motion)."""
    classes = [(root + t) % 12 for t in tones]
    pitches = []
    targets = sorted(previous) if previous else [centre - 5 + 4 * i for i in range(len(classes))]
    for index, pitch_class in enumerate(classes):
        target = np.mean(targets) + (index - (len(classes) - 1) / 2) * 2.0 if previous else targets[index]
        pitch = int(round((target - pitch_class) / 12)) * 12 + pitch_class
        while pitch in pitches:
            pitch += 12
        pitches.append(pitch)
    drift = np.mean(pitches) - centre
    pitches = [p - 12 * int(round(drift / 12)) for p in pitches]
    pitches = sorted(set(pitches))
    if spread and len(pitches) > 2:
        pitches[1] += 12
    return sorted(pitches)


def nearest(pitch_classes, pitch):
    """The pitch nearest to `pitch` whose class is one of `pitch_classes`."""
    candidates = [pitch + d for d in (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6)]
    return next(c for c in candidates if c % 12 in pitch_classes)


# Rhythm cells of one beat in 16ths: (step, length) pairs; weights by density are in `motif`.
CELLS = (
    ((0, 4),),
    ((0, 2), (2, 2)),
    ((0, 3), (3, 1)),
    ((0, 2), (2, 1), (3, 1)),
    ((0, 1), (1, 1), (2, 2)),
    ((0, 1), (1, 1), (2, 1), (3, 1)),
    ((2, 2),),
    (),
    ((0, 1), (1, 3)),
)
CELL_DENSITY = np.array([0.25, 0.5, 0.5, 0.75, 0.75, 1.0, 0.3, 0.0, 0.5])


def motif(rng, beats, density):
    """A melodic motif: list of (step in 16ths, length, interval in scale steps to the note before)."""
    weights = np.exp(-(((CELL_DENSITY - density) / 0.28) ** 2))
    notes = []
    for beat in range(beats):
        w = weights.copy()
        if beat == 0:
            w[[6, 7]] *= 0.3
        cell = CELLS[int(rng.choice(len(CELLS), p=w / w.sum()))]
        for step, length in cell:
            leap = int(rng.choice([-3, -2, -1, 0, 1, 2, 3, 4], p=[0.05, 0.13, 0.25, 0.12, 0.25, 0.12, 0.05, 0.03]))
            notes.append((4 * beat + step, length, leap))
    return notes


def phrase(rng, beats_per_bar, density, bars=8):
    """Motifs of a period, A A' B A'' or A B A C: one list of (step, length, interval) a bar; the 4th and 8th bar
    close."""
    a, b, c = (motif(rng, beats_per_bar, density) for _ in range(3))

    def varied(cell):
        return [(s, n, leap if rng.random() < 0.75 else -leap) for s, n, leap in cell]

    close = [(0, 2 * beats_per_bar, 0)] if beats_per_bar > 1 else [(0, 4, 0)]
    half = a[: max(1, len(a) // 2)]
    half = [n for n in half if n[0] < 2 * beats_per_bar] + [(2 * beats_per_bar, 2 * beats_per_bar, 0)]
    forms = (
        [a, varied(a), b, half, a, varied(a), c, close],
        [a, b, varied(a), half, a, b, c, close],
        [a, a, b, b, a, varied(a), c, close],
    )
    return forms[int(rng.integers(len(forms)))][:bars]


def sing(rng, cells, chord_at, scale, root, low, high, start=None):
    """Notes (bar, step, length in 16ths, pitch) of a phrase; strong notes are chord tones, the last is the tonic
    chord's.

    chord_at(bar, step) gives the semitones of the chord; low..high is the compass in MIDI pitches.
    """
    scale_classes = {(root + s) % 12 for s in SCALES[scale]}
    pitch = start if start is not None else int((low + high) // 2 + rng.integers(-3, 4))
    notes = []
    for bar, cell in enumerate(cells):
        for step, length, leap in cell:
            for _ in range(abs(leap)):
                pitch += 1 if leap > 0 else -1
                while pitch % 12 not in scale_classes:
                    pitch += 1 if leap > 0 else -1
            if pitch > high:
                pitch -= 12 if pitch - 12 >= low else 5
            if pitch < low:
                pitch += 12 if pitch + 12 <= high else 5
            if step % 8 == 0 or length >= 4:
                pitch = nearest({(root + t) % 12 for t in chord_at(bar, step)}, pitch)
            notes.append((bar, step, length, int(pitch)))
    return notes
