"""Synthesisers in numpy: sub and 808 basses, acid, growl, detuned saws, plucks, pads; band-limited wavetables."""

from functools import lru_cache

import numpy as np
from scipy.signal import butter, lfilter

# What a named sound is like: settings of `play_synth`, drawn within its character.
CHARACTERS = {
    "sub": lambda rng: dict(wave=str(rng.choice(["sine", "triangle"])), attack=0.008, release=0.06,
                            drive=rng.uniform(0, 1.5), mono=True),
    "808": lambda rng: dict(wave="sine", attack=0.003, release=0.12, decay=rng.uniform(0.4, 0.9), sustain=0.25,
                            drive=rng.uniform(1, 2.5), mono=True, gliding=0.3),
    "808drive": lambda rng: dict(wave="sine", attack=0.003, release=0.1, decay=rng.uniform(0.4, 0.8), sustain=0.4,
                                 drive=rng.uniform(3, 7), mono=True, gliding=0.3),
    "acid": lambda rng: dict(wave=str(rng.choice(["saw", "square"])), decay=rng.uniform(0.08, 0.2), sustain=0.3,
                             cutoff=rng.uniform(700, 2200), drive=rng.uniform(1, 3), mono=True),
    "square": lambda rng: dict(wave="square", decay=rng.uniform(0.1, 0.3), sustain=0.4, cutoff=rng.uniform(500, 1600),
                               drive=rng.uniform(0.5, 2), mono=True),
    "bass": lambda rng: dict(wave=str(rng.choice(["saw", "pulse"])), voices=2, detune=rng.uniform(4, 12),
                             decay=rng.uniform(0.15, 0.4), sustain=0.5, cutoff=rng.uniform(500, 1500),
                             drive=rng.uniform(0.5, 2)),
    "growl": lambda rng: dict(wave="saw", voices=3, detune=rng.uniform(8, 25), decay=rng.uniform(0.3, 0.8), sustain=0.6,
                              cutoff=rng.uniform(600, 2000), drive=rng.uniform(3, 9), mono=True),
    "organ": lambda rng: dict(wave="organ", decay=rng.uniform(0.1, 0.3), sustain=0.4, cutoff=rng.uniform(800, 3000),
                              drive=rng.uniform(0, 1)),
    "stab": lambda rng: dict(wave="saw", voices=3, detune=rng.uniform(8, 20), decay=rng.uniform(0.08, 0.2), sustain=0.1,
                             cutoff=rng.uniform(1500, 6000)),
    "saws": lambda rng: dict(wave="saw", voices=4, detune=rng.uniform(8, 22), attack=rng.uniform(0.005, 0.08),
                             release=0.15, cutoff=rng.uniform(2000, 9000)),
    "pad": lambda rng: dict(wave=str(rng.choice(["saw", "pulse", "triangle"])), voices=3, detune=rng.uniform(6, 16),
                            attack=rng.uniform(0.05, 0.3), release=0.3, cutoff=rng.uniform(1200, 4000)),
    "brass": lambda rng: dict(wave="saw", voices=3, detune=rng.uniform(5, 14), attack=rng.uniform(0.01, 0.03),
                              decay=rng.uniform(0.2, 0.5), sustain=0.6, cutoff=rng.uniform(2000, 6000)),
    "lead": lambda rng: dict(wave=str(rng.choice(["saw", "square", "pulse"])), voices=2, detune=rng.uniform(3, 12),
                             attack=0.006, cutoff=rng.uniform(2500, 9000), gliding=float(rng.choice([0.0, 0.12]))),
    "pluck": lambda rng: dict(wave=str(rng.choice(["saw", "square", "triangle", "pulse"])), voices=2,
                              detune=rng.uniform(3, 10), decay=rng.uniform(0.06, 0.25), sustain=0.0,
                              cutoff=rng.uniform(1500, 7000)),
    "keys": lambda rng: dict(wave=str(rng.choice(["triangle", "organ"])), voices=2, detune=rng.uniform(3, 10),
                             decay=rng.uniform(0.3, 0.8), sustain=0.2, cutoff=rng.uniform(1500, 4000)),
}


def draw_settings(name, rng):
    """Settings of `play_synth` for a named sound, drawn within its character."""
    return {"seed": int(rng.integers(1 << 20))} | CHARACTERS[name](rng)


def _table(kind, harmonics, size=2048):
    """One cycle of a band-limited wave."""
    phase = 2 * np.pi * np.arange(size + 1) / size
    k = np.arange(1, harmonics + 1)
    weight = {
        "saw": 1.0 / k,
        "square": (k % 2) / k,
        "triangle": (k % 2) / k**2,
        "sine": (k == 1) * 1.0,
        "organ": np.isin(k, (1, 2, 3, 4, 6, 8)) / np.sqrt(k),
        "pulse": np.sin(np.pi * k * 0.22) / k,
    }[kind]
    wave = (weight[:, None] * np.sin(k[:, None] * phase)).sum(axis=0)
    return (wave / np.abs(wave).max()).astype(np.float32)


@lru_cache(maxsize=256)
def _cached_table(kind, harmonics):
    return _table(kind, harmonics)


def tone(
    frequency,
    seconds,
    rate,
    *,
    wave="saw",
    voices=1,
    detune=0.0,
    attack=0.004,
    release=0.06,
    decay=0.0,
    sustain=1.0,
    glide=0.0,
    seed=0,
):
    """One synthesiser note, mono float32: `voices` detuned (cents) oscillators, an envelope, a glide in semitones."""
    count = max(32, int((seconds + release) * rate))
    harmonics = int(max(1, min(60, 0.42 * rate / frequency)))
    table = _cached_table(wave, harmonics if wave != "sine" else 1)
    time = np.arange(count, dtype=np.float32) / rate
    rng = np.random.default_rng([seed, int(frequency * 10)])
    out = np.zeros(count, np.float32)
    turn = time if not glide else np.cumsum(2.0 ** (glide / 12 * np.exp(-time / 0.06))).astype(np.float32) / rate
    for cents in np.linspace(-detune, detune, voices) if voices > 1 else (0.0,):
        start = 0.0 if voices == 1 else rng.random()
        phase = (turn.astype(np.float64) * frequency * 2 ** (cents / 1200) + start) % 1.0
        out += table[(phase * 2048).astype(np.int32)]
    envelope = np.minimum(time / max(attack, 1e-4), 1.0)
    if decay:
        envelope = envelope * (sustain + (1 - sustain) * np.exp(-time / decay))
    envelope *= np.clip((seconds + release - time) / max(release, 1e-3), 0, 1)
    return out * envelope.astype(np.float32) / np.sqrt(voices)


def play_synth(settings, notes, samples, rate, cents=0.0):
    """Mono (samples,) float32 of pitched notes. settings: `tone` arguments, and cutoff (Hz), drive, mono (bool)."""
    settings = dict(settings)
    cutoff, drive = settings.pop("cutoff", 0.0), settings.pop("drive", 0.0)
    mono, gliding = settings.pop("mono", False), settings.pop("gliding", 0.0)
    out = np.zeros(samples, np.float32)
    notes = sorted(notes, key=lambda n: n.onset)
    cache, last = {}, None
    for index, note in enumerate(notes):
        duration = note.duration
        if mono and index + 1 < len(notes):
            duration = min(duration, max(0.03, notes[index + 1].onset - note.onset))
        glide = 0.0
        if gliding and last is not None and last != note.pitch and note.duration > gliding:
            glide = float(np.clip(last - note.pitch, -12, 12))
        key = (note.pitch, round(duration, 2), glide)
        if key not in cache:
            frequency = 440.0 * 2 ** ((note.pitch - 69 + cents / 100) / 12)
            cache[key] = tone(frequency, key[1], rate, glide=glide, **settings)
        wave, start = cache[key], int(round(note.onset * rate))
        skip, stop = max(0, -start), min(samples, start + len(wave))
        if stop > start + skip:
            out[start + skip : stop] += note.velocity**1.5 * wave[skip : stop - start]
        last = note.pitch
    if drive:
        out = np.tanh(drive * out) / np.float32(np.tanh(drive))
    if cutoff:
        b, a = butter(2, min(cutoff, 0.45 * rate), fs=rate)
        out = lfilter(b, a, out).astype(np.float32)
    return out
