"""Recorded drums beside the synthesised ones: public-domain one-shots of the Debian package `sonic-pi-samples` (CC0).

A sampled kit is drawn as two sets: an acoustic one (with a soft and a hard stroke) and an electronic one.
"""
from functools import lru_cache
from pathlib import Path

import numpy as np

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
    SNAP,
    SNARE,
    TOM_HIGH,
    TOM_LOW,
    TOM_MID,
)

FOLDERS = ("/usr/share/sonic-pi/samples", "/opt/sonic-pi/etc/samples")
HARD = 0.7                          # velocity from which the hard stroke sounds
ONSET_DB = -26.0                    # under the peak: where a sample is taken to begin
SILENCE_DB = -60.0                  # under the peak: where it has died away
LONGEST = 2.5                       # seconds

ACOUSTIC = {KICK: (("drum_bass_soft", "drum_bass_hard"), ("drum_heavy_kick", "drum_heavy_kick")),
            SNARE: (("drum_snare_soft", "drum_snare_hard"), ("sn_generic", "sn_generic"),
                    ("elec_mid_snare", "elec_mid_snare")),
            HAT: (("drum_cymbal_closed", "drum_cymbal_closed"),), PEDAL: (("drum_cymbal_pedal", "drum_cymbal_pedal"),),
            OPEN: (("drum_cymbal_open", "drum_cymbal_open"),), RIDE: (("drum_cymbal_soft", "drum_cymbal_soft"),),
            CRASH: (("drum_splash_soft", "drum_splash_hard"), ("drum_cymbal_hard", "drum_cymbal_hard")),
            TOM_LOW: (("drum_tom_lo_soft", "drum_tom_lo_hard"),), TOM_MID: (("drum_tom_mid_soft", "drum_tom_mid_hard"),
                                                                            ),
            TOM_HIGH: (("drum_tom_hi_soft", "drum_tom_hi_hard"),), COWBELL: (("drum_cowbell", "drum_cowbell"),),
            SNAP: (("perc_snap", "perc_snap"),)}
KICKS = ("bd_808", "bd_ada", "bd_fat", "bd_gas", "bd_haus", "bd_klub", "bd_pure", "bd_sone", "bd_tek", "bd_zum")
SNARES = ("sn_dolf", "sn_dub", "sn_zome", "elec_snare", "elec_hi_snare", "elec_lo_snare", "elec_filt_snare")
ELECTRONIC = {KICK: tuple((name,) * 2 for name in KICKS), SNARE: tuple((name,) * 2 for name in SNARES),
              CLAP: (("perc_snap2",) * 2, ("elec_hi_snare",) * 2), SNAP: (("perc_snap",) * 2, ("perc_snap2",) * 2),
              HAT: (("drum_cymbal_closed",) * 2,), OPEN: (("drum_cymbal_open",) * 2, ("elec_cymbal",) * 2),
              RIM: (("elec_wood",) * 2, ("elec_tick",) * 2), COWBELL: (("drum_cowbell",) * 2, ("elec_bell",) * 2),
              CRASH: (("drum_splash_hard",) * 2, ("elec_cymbal",) * 2), TOM_HIGH: (("elec_fuzz_tom",) * 2,)}
SETS = {"acoustic": ACOUSTIC, "electronic": ELECTRONIC}


def find_samples():
    """The folder of the samples; RuntimeError tells what to install."""
    for folder in FOLDERS:
        if (Path(folder) / "bd_808.flac").exists():
            return Path(folder)
    raise RuntimeError("The drum samples were not found; install the package sonic-pi-samples.")


@lru_cache(maxsize=128)
def load_sample(name, rate):
    """(N,) float32 mono at `rate`, peak 1, from its attack to where it has died away."""
    import soundfile

    from core.audio import Audio
    samples, own_rate = soundfile.read(str(find_samples() / f"{name}.flac"), dtype="float32", always_2d=True)
    mono = Audio(samples.T, own_rate).resampled(rate).mono()
    level = np.abs(mono) / np.abs(mono).max()
    first = max(0, int(np.argmax(level > 10 ** (ONSET_DB / 20))) - int(0.001 * rate))
    last = min(len(mono) - int(np.argmax(level[::-1] > 10 ** (SILENCE_DB / 20))), first + int(LONGEST * rate))
    mono = (mono[first:last] / np.abs(mono).max()).astype(np.float32)
    fade = min(len(mono), int(0.01 * rate))
    mono[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return mono


def draw_kit(rng, name, fallback):
    """A sampled kit of set `name`: {key: ((soft, hard), semitones)} over `fallback`, a synthesised kit for keys it
    lacks."""
    chosen = {}
    for key, choices in SETS[name].items():
        pair = choices[int(rng.integers(len(choices)))]
        chosen[key] = (pair, float(np.clip(rng.normal(0, 1.2), -3, 3)))
    return {**fallback, "samples": chosen}


def strike(kit, key, velocity, rate):
    """One recorded stroke, float32 mono, or None where the kit has no sample for the key."""
    chosen = kit.get("samples", {}).get(key)
    if chosen is None:
        return None
    (soft, hard), semitones = chosen
    sample = load_sample(hard if velocity >= HARD else soft, rate)
    places = np.arange(0, len(sample) - 1, 2 ** (semitones / 12))
    return np.interp(places, np.arange(len(sample)), sample).astype(np.float32)
