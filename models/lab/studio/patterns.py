"""The ten AIST genres as data: drum patterns, basses, layers, harmony and kits that the dance composer draws from.

A pattern is one bar of 16 steps (or two bars of 32): X accent, x hit, o ghost, ? half of the times, . rest.
"""

from dataclasses import dataclass, field

HATS8, HATS16 = "x.x.x.x.x.x.x.x.", "xoxoxoxoxoxoxoxo"


@dataclass(frozen=True)
class Layer:
    """A melodic or harmonic line. sounds: GM programs or synth names; figures: 16-step patterns (or `melody`, `pad`,
    `arpeggio`, `run`); voices: notes of a chord struck at once, 0 = a single line; level: section energy that lets it
    in."""

    name: str
    sounds: tuple
    figures: tuple
    centre: int = 60
    voices: int = 3
    length: float = 2.0  # in 16ths
    level: float = 0.0
    chance: float = 1.0
    gain_db: float = 0.0
    reverb: float = 0.2
    duck: float = 0.0
    density: float = 0.5  # melodies


@dataclass(frozen=True)
class Genre:
    """Everything the composer may choose from for a genre."""

    drums: dict  # GM key -> patterns to choose from
    kits: tuple  # (kit, weight): "808" ... synthesised, "gm:0" ... FluidR3 kits
    bass: tuple  # (style, weight)
    bass_sounds: tuple
    layers: tuple
    scales: tuple  # (scale, weight)
    progressions: tuple  # scale degrees, one per bar
    extension: tuple = (3, 4)
    options: dict = field(default_factory=dict)  # key -> chance that an optional drum plays at all
    swing16: tuple = (0.0, 0.5, 0.5)  # chance, low, high
    drum_gain_db: float = 0.0
    bass_gain_db: float = 0.0
    vinyl: float = 0.0  # chance of vinyl noise
    lag_ms: float = 0.0  # how late the snare lies, at most
