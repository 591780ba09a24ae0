"""Drums synthesised in numpy: kits like the 808 and 909, dusty, hard, tight and soft ones. GM keys name the drums."""

from functools import lru_cache

import numpy as np
from scipy.signal import butter, sosfilt

from models.lab.studio import drum_samples
from models.lab.studio.drum_keys import (
    CLAP,
    COWBELL,
    CRASH,
    HAT,
    KICK,
    OPEN,
    PEDAL,
    RIDE,
    RIM,
    RISER,
    SHAKER,
    SNAP,
    SNARE,
    TAMB,
    TOM_HIGH,
    TOM_LOW,
    TOM_MID,
    ZAP,
)  # noqa: F401  the rest of the studio says drums.KICK


@lru_cache(maxsize=64)
def _band(low, high, rate):
    if low and high:
        return butter(2, [low, min(high, 0.45 * rate)], "band", fs=rate, output="sos")
    return butter(2, low or min(high, 0.45 * rate), "high" if low else "low", fs=rate, output="sos")


def _time(seconds, rate):
    return np.arange(int(seconds * rate)) / rate


def _fade(audio, rate, seconds=0.004):
    count = min(len(audio), int(seconds * rate))
    audio[-count:] *= np.linspace(1, 0, count)
    return audio


def kick(rng, rate, *, low=50.0, sweep=180.0, drop=0.03, decay=0.3, click=0.3, drive=1.0):
    """A sine falling from low + sweep to low Hz with a click; long decay is an 808, short and hard a 909."""
    t = _time(min(1.2, 4 * decay), rate)
    phase = 2 * np.pi * (low * t + sweep * drop * (1 - np.exp(-t / drop)))
    body = np.sin(phase) * np.exp(-t / decay)
    noise = rng.normal(size=len(t)) * np.exp(-t / 0.003)
    return _fade(np.tanh(drive * (body + click * sosfilt(_band(1200, 0, rate), noise))) / np.tanh(drive), rate)


def snare(rng, rate, *, tone=190.0, decay=0.12, snap=0.7, bright=2000.0, drive=1.0):
    """Two drum modes plus a band of noise."""
    t = _time(min(0.8, 5 * decay + 0.1), rate)
    body = np.sin(2 * np.pi * tone * t + 3 * (1 - np.exp(-t / 0.01))) + 0.6 * np.sin(2 * np.pi * 1.72 * tone * t)
    noise = sosfilt(_band(bright, 0, rate), rng.normal(size=len(t))) * np.exp(-t / decay)
    mixed = (1 - snap) * body * np.exp(-t / (0.6 * decay)) + snap * noise
    return _fade(np.tanh(drive * mixed), rate)


def clap(rng, rate, *, decay=0.12, band=(900.0, 3500.0), spread=0.010):
    """Three short bursts of noise and a tail."""
    t = _time(0.1 + 4 * decay, rate)
    noise = sosfilt(_band(*band, rate), rng.normal(size=len(t)))
    envelope = np.zeros(len(t))
    for k in range(3):
        late = t - k * spread
        envelope += np.where(late >= 0, np.exp(-np.maximum(late, 0) / 0.006), 0)
    late = t - 3 * spread
    envelope += np.where(late >= 0, np.exp(-np.maximum(late, 0) / decay), 0)
    return _fade(noise * envelope, rate)


def cymbal(rng, rate, *, base=330.0, decay=0.05, metal=0.6, high=7000.0, seconds=None):
    """Six detuned squares and noise, high-passed: closed hat (0.03), open hat (0.25), ride, crash (1.2)."""
    t = _time(seconds or min(2.5, 5 * decay + 0.02), rate)
    ratios = np.array([2.0, 3.0, 4.16, 5.43, 6.79, 8.21]) * rng.uniform(0.98, 1.02, 6)
    squares = sum(np.sign(np.sin(2 * np.pi * base * r * t + rng.uniform(0, 6.28))) for r in ratios) / 6
    mixed = metal * squares + (1 - metal) * rng.normal(size=len(t)) * 0.6
    return _fade(sosfilt(_band(high, 0, rate), mixed) * np.exp(-t / decay), rate)


def tonal(rng, rate, freqs, decay, *, bend=0.0, noise=0.0):
    """Struck tones: toms (bend > 0), cowbell, rim, zap."""
    t = _time(min(1.0, 5 * decay), rate)
    out = sum(np.sin(2 * np.pi * f * (t + bend * 0.05 * (1 - np.exp(-t / 0.05)))) for f in freqs) / len(freqs)
    out = out + noise * rng.normal(size=len(t))
    return _fade(out * np.exp(-t / decay), rate)


def draw_kit(rng, character):
    """Parameters of a synthesised kit. character: 808, 909, dusty (boom-bap), hard, tight or soft."""
    u = rng.uniform
    kit = {"character": character, "seed": int(rng.integers(1 << 31))}
    kit["kick"] = {
        "808": dict(
            low=u(42, 58), sweep=u(60, 160), drop=u(0.02, 0.05), decay=u(0.25, 0.5), click=u(0.05, 0.3), drive=u(1, 2.5)
        ),
        "909": dict(
            low=u(46, 62),
            sweep=u(180, 340),
            drop=u(0.015, 0.03),
            decay=u(0.13, 0.25),
            click=u(0.5, 1.1),
            drive=u(1.2, 3),
        ),
        "dusty": dict(
            low=u(55, 80), sweep=u(80, 200), drop=u(0.01, 0.03), decay=u(0.08, 0.16), click=u(0.2, 0.6), drive=u(1.5, 4)
        ),
        "hard": dict(
            low=u(42, 60), sweep=u(200, 420), drop=u(0.02, 0.04), decay=u(0.2, 0.4), click=u(0.4, 0.9), drive=u(3, 8)
        ),
        "tight": dict(
            low=u(55, 75), sweep=u(120, 260), drop=u(0.01, 0.025), decay=u(0.1, 0.2), click=u(0.2, 0.5), drive=u(1, 2)
        ),
        "soft": dict(
            low=u(55, 80),
            sweep=u(30, 90),
            drop=u(0.01, 0.03),
            decay=u(0.1, 0.2),
            click=u(0.02, 0.12),
            drive=u(0.8, 1.2),
        ),
    }[character]
    wide = {
        "808": (0.08, 0.16, 0.55),
        "909": (0.1, 0.2, 0.7),
        "dusty": (0.06, 0.14, 0.65),
        "hard": (0.15, 0.3, 0.75),
        "tight": (0.06, 0.13, 0.7),
        "soft": (0.08, 0.15, 0.85),
    }[character]
    kit["snare"] = dict(
        tone=u(160, 240),
        decay=u(wide[0], wide[1]),
        snap=np.clip(wide[2] + u(-0.15, 0.15), 0.3, 0.95),
        bright=u(1200, 3500),
        drive=u(0.9, 2.5),
    )
    kit["clap"] = dict(decay=u(0.06, 0.2), band=(u(700, 1200), u(2500, 5500)), spread=u(0.007, 0.013))
    kit["hat"] = dict(base=u(280, 420), metal=u(0.2, 0.9), high=u(5500, 9000))
    kit["hat_decay"], kit["open_decay"] = u(0.015, 0.05), u(0.12, 0.35)
    kit["tom"], kit["cowbell"] = u(80, 120), u(500, 620)
    return kit


def strike(kit, key, rate):
    """One hit of a kit's drum `key` (a GM key), float64 mono, peak about 1."""
    rng = np.random.default_rng([kit["seed"], key])
    hat = kit["hat"]
    if key in (35, KICK):
        return kick(rng, rate, **kit["kick"])
    if key in (SNARE, 40):
        return snare(rng, rate, **kit["snare"])
    if key == CLAP:
        return clap(rng, rate, **kit["clap"]) * 1.6
    if key == SNAP:
        return clap(rng, rate, decay=0.04, band=(1500.0, 5000.0), spread=0.004) * 1.5
    if key == RIM:
        return tonal(rng, rate, (1650, 2480, 410), 0.012, noise=0.2)
    if key in (HAT, PEDAL):
        return cymbal(rng, rate, decay=kit["hat_decay"], **hat)
    if key == OPEN:
        return cymbal(rng, rate, decay=kit["open_decay"], **hat)
    if key in (CRASH, 57):
        return cymbal(rng, rate, base=hat["base"], decay=0.7, metal=0.25, high=3000.0)
    if key == RIDE:
        return cymbal(rng, rate, base=1.4 * hat["base"], decay=0.3, metal=0.7, high=4500.0)
    if key in (41, 43, TOM_LOW, TOM_MID, 48, TOM_HIGH):
        pitch = kit["tom"] * 2 ** ((key - 41) / 9)
        return tonal(rng, rate, (pitch, 1.5 * pitch), 0.16, bend=0.6, noise=0.05)
    if key == COWBELL:
        return tonal(rng, rate, (kit["cowbell"], 1.48 * kit["cowbell"]), 0.06)
    if key in (SHAKER, 82):
        t = _time(0.09, rate)
        return sosfilt(_band(5000, 0, rate), rng.normal(size=len(t))) * np.minimum(t / 0.012, 1) * np.exp(-t / 0.03)
    if key == TAMB:
        return cymbal(rng, rate, base=900, decay=0.06, metal=0.8, high=8000.0)
    if key == ZAP:
        t = _time(0.18, rate)
        return np.sin(2 * np.pi * (120 * t + 1400 * 0.03 * (1 - np.exp(-t / 0.03)))) * np.exp(-t / 0.06)
    if key == RISER:
        t = _time(1.6, rate)
        return sosfilt(_band(1500, 0, rate), rng.normal(size=len(t))) * (t / 1.6) ** 2 * 0.5
    return tonal(rng, rate, (180 * 2 ** ((key - 60) / 8), 300 * 2 ** ((key - 60) / 8)), 0.07, bend=0.3, noise=0.03)


def play(kit, notes, samples, rate):
    """Mono (samples,) float32 of a part's notes on a synthesised or sampled kit; hits are struck once and reused."""
    out = np.zeros(samples, np.float32)
    hits = {}
    closed = sorted(n.onset for n in notes if n.pitch in (HAT, PEDAL))
    for note in notes:
        stroke = (note.pitch, note.velocity >= drum_samples.HARD if "samples" in kit else True)
        if stroke not in hits:
            recorded = drum_samples.strike(kit, note.pitch, note.velocity, rate)
            hits[stroke] = strike(kit, note.pitch, rate).astype(np.float32) if recorded is None else recorded
        hit = hits[stroke]
        start = int(round(note.onset * rate))
        if note.pitch == OPEN:  # a closed hat chokes the open one
            after = np.searchsorted(closed, note.onset + 0.02)
            if after < len(closed):
                hit = hit[: max(64, int((closed[after] - note.onset) * rate))]
        skip = max(0, -start)
        stop = min(samples, start + len(hit))
        if stop > start + skip:
            out[start + skip : stop] += note.velocity**1.6 * hit[skip : stop - start]
    return out
