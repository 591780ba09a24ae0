"""How performed parts sound: ensembles of General MIDI instruments of two soundfonts, rooms, colours, noise."""
import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from models.lab.studio import effects
from models.lab.studio.instruments import KIT, SECOND, instruments

RATE = 22_050               # what the network hears
TIMPANI, TAIKO, HARP, BASS = 47, 116, 46, 43
ENSEMBLES = {               # programs of four voices, high to low, and how often
    "quartet": (((40, 40, 41, 42),), 0.14),
    "strings": (((48, 48, 48, 48), (48, 48, 49, 42)), 0.14),
    "slow strings": (((49, 49, 49, 49), (50, 50, 50, 50), (51, 51, 51, 51)), 0.12),
    "choir": (((52, 52, 52, 52), (53, 53, 53, 53), (52, 53, 49, 49)), 0.07),
    "pads": (((89, 89, 89, 89), (91, 91, 91, 91), (94, 89, 95, 89), (88, 88, 88, 88)), 0.06),
    "organ": (((19, 19, 19, 19), (16, 16, 16, 16), (20, 20, 20, 20)), 0.04),
    "piano": (((0, 0, 0, 0), (1, 1, 1, 1), (2, 2, 2, 2)), 0.12),
    "winds": (((73, 68, 71, 70), (71, 71, 71, 70), (65, 66, 67, 67)), 0.07),
    "brass": (((56, 60, 57, 58), (61, 61, 61, 58)), 0.05),
    "plucked": (((46, 46, 46, 46), (24, 24, 25, 32), (6, 6, 6, 6), (45, 45, 45, 45), (11, 12, 12, 32)), 0.06),
    "film": (((48, 48, 60, 48), (49, 48, 60, 48), (73, 48, 60, 42)), 0.13),
}
# Only in training: any instruments together, so that no test ensemble is all that was ever heard.
WIDE_SHARE, DOUBLED_SHARE = 0.4, 0.4
WIDE = (*range(0, 8), 11, 12, *range(16, 32), *range(40, 80), 80, 81, *range(88, 96), 104, 105, 108, 109, 110)


SINGERS = (52, 53, 54, 40, 41, 42, 65, 66, 68, 71, 73, 56, 57, 22, 85)     # who takes the voice of a song
SUNG_SHARE, PIANO_SHARE = 0.55, 0.2     # of songs: a voice with piano (or harp, guitar, organ), a piano alone
KEYS = (0, 0, 0, 1, 2, 3, 4, 6, 46, 24, 19)


def orchestrate(performance, rng, wide=False, sung=False):
    """(ensemble, [(sound, notes, gain)]) of a performance of up to four parts, each sound a program of one of two
    soundfonts.

    sung: the parts are a voice and a piano's hands. wide: a share of the ensembles is of any instruments, some of them
    two to a part.
    """
    if sung and (kind := rng.random()) < SUNG_SHARE + PIANO_SHARE:
        return _song(performance, rng, alone=kind > SUNG_SHARE)
    if wide and rng.random() < WIDE_SHARE:
        return "mixed", _mixed(performance, rng)
    names = list(ENSEMBLES)
    kind = str(rng.choice(names, p=np.array([ENSEMBLES[name][1] for name in names]) / sum(ENSEMBLES[n][1]
                                                                                          for n in names)))
    voices = ENSEMBLES[kind][0]
    voices = voices[int(rng.integers(len(voices)))]
    font = SECOND if rng.random() < 0.45 else 0
    shift = int(rng.integers(-4, 5))
    layers = []
    for index, notes in enumerate(performance.parts):
        program = voices[min(index * 4 // max(len(performance.parts), 1), 3)]
        held = 1.6 if kind == "piano" else 1.1 if kind in ("slow strings", "choir", "pads") else 1.0
        moved = [(on, length * held, int(np.clip(pitch + shift, 21, 108)), velocity)
                 for on, length, pitch, velocity in notes]
        gain = rng.uniform(0.6, 1.2) * (1.3 if index == 0 else 1.0)
        layers.append((program + font, moved, gain))
    if kind == "film" or (kind in ("strings", "brass") and rng.random() < 0.5):
        layers += _film(performance, shift, font, rng)
    return kind, layers


def _song(performance, rng, alone):
    """A voice (any instrument that sings) over keys, or all of it on a piano."""
    shift, font = int(rng.integers(-4, 5)), SECOND if rng.random() < 0.5 else 0
    keys = int(rng.choice(KEYS))
    singers = len(performance.parts) - 2
    layers = []
    for index, notes in enumerate(performance.parts):
        voice = index < singers and not alone
        sound = int(rng.choice(SINGERS)) + (SECOND if rng.random() < 0.5 else 0) if voice else keys + font
        held = 1.0 if voice else rng.uniform(0.9, 1.7)
        moved = [(on, length * held, int(np.clip(pitch + shift, 21, 108)), velocity)
                 for on, length, pitch, velocity in notes]
        layers.append((sound, moved, rng.uniform(0.3, 1.3) if voice else 1.0))
    return "keys" if alone else "song", layers


def _mixed(performance, rng):
    """Each part by any instrument, of either soundfont, sometimes a second one at the unison or an octave away."""
    layers, shift, alike = [], int(rng.integers(-5, 6)), rng.random() < 0.3
    program = int(rng.choice(WIDE))
    for notes in performance.parts:
        for voice in range(2 if rng.random() < DOUBLED_SHARE else 1):
            program = program if alike else int(rng.choice(WIDE))
            octave = 12 * int(rng.integers(-1, 2)) if voice else 0
            moved = [(on, length, int(np.clip(pitch + shift + octave, 21, 108)), velocity)
                     for on, length, pitch, velocity in notes]
            layers.append((program + (SECOND if rng.random() < 0.5 else 0), moved, rng.uniform(0.4, 1.3)))
    return layers + (_film(performance, shift, 0, rng) if rng.random() < 0.3 else [])


def _film(performance, shift, font, rng):
    """What film and game scores add: basses an octave down, timpani and drums on the beat, a harp."""
    layers, beats = [], performance.beats
    low = performance.parts[-1]
    layers.append((BASS + font, [(on, length, max(24, pitch + shift - 12), v) for on, length, pitch, v in low], 0.9))
    pitch = 36 + int(rng.integers(0, 12))
    span = float(np.median(np.diff(beats[:, 0])))
    if rng.random() < 0.6:
        strokes = [(t, 0.5, pitch, float(rng.uniform(0.5, 0.9))) for t, place in beats if place == 1
                   or rng.random() < 0.15]
        layers.append((TIMPANI + font, strokes, 1.0))
    if rng.random() < 0.5:
        pattern = rng.random(8) < rng.choice([0.35, 0.6, 0.9])
        pattern[0] = True
        strokes = []
        for index, (time, _) in enumerate(beats):
            for half in range(2):
                if pattern[(2 * index + half) % 8]:
                    strokes.append((time + half * span / 2 + rng.normal(0, 0.006), 0.3, 45 if half else 40,
                                    float(np.clip(0.85 - 0.25 * half + rng.normal(0, 0.06), 0.3, 1))))
        layers.append((TAIKO + font, strokes, rng.uniform(0.6, 1.4)))
    if rng.random() < 0.25:
        chords = [note for notes in performance.parts[:3] for note in notes]
        layers.append((HARP + font, [(on, 0.8, p + shift, v) for on, _, p, v in chords if rng.random() < 0.5], 0.8))
    return layers


def render(layers, duration, rng):
    """Mono (N,) float32 at 22,050 Hz of [(sound, notes, gain)], mixed into a room and recorded somehow."""
    samples = int(duration * RATE)
    cents = float(rng.normal(0, 12))
    stems = instruments(RATE).render([(sound, notes, cents) for sound, notes, _ in layers], samples)
    dry, wet = np.zeros((2, samples), np.float32), np.zeros((2, samples), np.float32)
    for stem, (sound, _, gain) in zip(stems, layers):
        drum = sound % SECOND >= KIT
        dry += np.float32(gain) * stem
        wet += np.float32(gain * (0.4 if drum else 1.0)) * stem
    if not np.abs(dry).max() > 0:
        return None
    seconds = float(np.exp(rng.uniform(np.log(0.3), np.log(3.0))))
    room = effects.reverb(wet, effects.impulse_response(rng, RATE, seconds, float(rng.uniform(0.1, 0.6))))
    mix = dry + np.float32(10 ** (rng.uniform(-18, 3) / 20)) * room[:, :samples]
    mono = (mix / (np.abs(mix).max() + 1e-9)).mean(0)
    if rng.random() < 0.4:
        stereo = np.stack([mono, mono]) / (np.sqrt(np.mean(mono ** 2)) + 1e-9)
        mono = effects.compress(stereo, RATE, threshold_db=float(rng.uniform(-8, 0)), ratio=float(rng.uniform(2, 8)))[0]
    mono = _coloured(mono, rng)
    if rng.random() < 0.5:
        level = np.sqrt(np.mean(mono ** 2)) * 10 ** (rng.uniform(-55, -24) / 20)
        mono = mono + level * _pink(len(mono), rng)
    return mono.astype(np.float32)


def _coloured(mono, rng):
    """Smooth colour, and the band limits of codecs and small loudspeakers."""
    size = next_fast_len(len(mono), real=True)
    spectrum = rfft(mono, size)
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    octave = np.log2(np.maximum(hertz, 20.0) / 20.0)
    gain = np.interp(octave, np.arange(0, 10.5, 1.5), rng.normal(0, 3.0, 7))
    if rng.random() < 0.3:
        gain -= np.where(hertz > rng.uniform(3500, 9500), 60.0, 0.0)
    if rng.random() < 0.2:
        gain -= np.where(hertz < rng.uniform(60, 350), 40.0, 0.0)
    return irfft(spectrum * 10 ** (gain / 20), size)[:len(mono)]


def _pink(count, rng):
    size = next_fast_len(count, real=True)
    spectrum = rfft(rng.normal(size=count), size)
    shaped = irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1.0)), size)[:count]
    return shaped / (shaped.std() + 1e-9)
