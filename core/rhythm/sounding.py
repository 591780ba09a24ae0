"""Where a passage sounds, and beats without those that are counted into silence before and after the music."""
import dataclasses

import numpy as np

from core.audio import Audio
from core.rhythm.beats import Beats

RATE = 100                      # looks at the level a second
BELOW_PEAK_DB, LOWEST_DB = 55.0, -75.0
REACH_S = 0.3                   # a beat this near to sound is heard
LEAST = 4                       # beats that must be heard: two claps are no pulse
INTRO_S = 1.0                   # silence before the music from which on it is worth a notice


def sounding(audio: Audio) -> np.ndarray:
    """(T,) bool at 100 Hz: is the level within 55 dB of the loudest place, and above -75 dBFS?"""
    block = max(1, audio.rate // RATE)
    mono = audio.mono()
    count = len(mono) // block
    power = np.square(mono[:count * block].reshape(count, block), dtype=np.float64).mean(axis=1)
    level = 10 * np.log10(np.maximum(power, 1e-12))
    return level > max(LOWEST_DB, float(level.max(initial=-120.0)) - BELOW_PEAK_DB)


def heard(beats: Beats, audio: Audio, notify) -> Beats:
    """The beats from the first to the last that can be heard; none where these are fewer than four.

    notify(sentence) hears of music that begins later than the passage.
    """
    if len(beats) == 0:
        return beats
    times = np.flatnonzero(sounding(audio)) / RATE
    if len(times) == 0:
        return none_of(beats)
    near = np.clip(np.searchsorted(times, beats.times), 0, len(times) - 1)
    away = np.minimum(np.abs(times[near] - beats.times), np.abs(times[np.maximum(near - 1, 0)] - beats.times))
    audible = np.flatnonzero(away <= REACH_S)
    if len(audible) < LEAST:
        return none_of(beats)
    kept = np.zeros(len(beats), dtype=bool)
    kept[audible[0]:audible[-1] + 1] = True
    if audible[0] > 0 and times[0] >= INTRO_S:
        notify(f"The music begins after {times[0]:.1f} s of silence, where there are no beats.")
    bars = None if beats.bars is None else beats.bars[kept]
    return dataclasses.replace(beats, times=beats.times[kept], positions=beats.positions[kept], bars=bars)


def none_of(beats: Beats) -> Beats:
    """No beats, and the account that says so."""
    tempo = {**beats.extra.get("tempo", {}), "chosen": "none", "bpm": 0.0, "strength": 0.0, "sections": []}
    return Beats(np.zeros(0), np.zeros(0, dtype=int), beats.metre, 0.0, {**beats.extra, "tempo": tempo})
