"""BCS / BHS / CSD / HSD / F1 on one-second onset flags, in both published definitions (systems.md 10.1).

The two definitions are not comparable, and both saturate on rhythmic music of any kind: always print the
mismatched-pairs row next to them.
"""
import numpy as np

RATE, HOP = 22_050, 512
ONSET_ARGUMENTS = {
    "cdcd": dict(wait=1, delta=0.2, pre_avg=1, post_avg=1, post_max=1),
    "loris": dict(wait=1, delta=0.2, pre_avg=3, post_avg=3, pre_max=3, post_max=3),
}


def onset_times(samples, style="loris", rate=RATE):
    """Onset times in seconds by librosa's detector with the style's settings; mono samples at 22,050 Hz."""
    import librosa
    return librosa.onset.onset_detect(y=np.asarray(samples, np.float32), sr=rate, hop_length=HOP, units="time",
                                      **ONSET_ARGUMENTS[style])


def second_flags(times, duration):
    """(ceil(duration),) booleans: did any event fall in second k?"""
    flags = np.zeros(int(np.ceil(duration)), bool)
    index = np.floor(np.asarray(times, float)).astype(int)
    flags[index[(index >= 0) & (index < len(flags))]] = True
    return flags


def bcs_bhs(reference, generated, style="loris"):
    """(BCS, BHS) of two flag vectors; fractions, not percent.

    loris: precision and recall of the flags. cdcd: BCS = sum S / sum G, which can exceed 1. 0 where a sum is 0.
    The reference is cut to the generated length, as LORIS does. Raises ValueError on an unknown style.
    """
    if style not in ONSET_ARGUMENTS:
        raise ValueError(f"style is loris or cdcd, not {style!r}")
    length = min(len(reference), len(generated))
    reference, generated = np.asarray(reference[:length], bool), np.asarray(generated[:length], bool)
    hits, g, s = (reference & generated).sum(), reference.sum(), generated.sum()
    hit = hits / g if g else 0.0
    if style == "loris":
        return float(hits / s if s else 0.0), float(hit)
    return float(s / g if g else 0.0), float(hit)


def summary(pairs):
    """Over clips: mean BCS and BHS, their spreads CSD and HSD (ddof 1), F1 of the *means*; in percent."""
    values = 100 * np.asarray(pairs, float)
    bcs, bhs = values.mean(0)
    csd, hsd = values.std(0, ddof=1) if len(values) > 1 else (0.0, 0.0)
    f1 = 2 * bcs * bhs / (bcs + bhs) if bcs + bhs > 0 else 0.0
    return {"BCS": float(bcs), "CSD": float(csd), "BHS": float(bhs), "HSD": float(hsd), "F1": float(f1)}


def click_track(duration, rate=RATE, per_second=2.0):
    """Mono clicks (decaying 1 kHz, 30 ms), the row that exposes these scores."""
    samples = np.zeros(int(duration * rate), np.float32)
    t = np.arange(int(0.03 * rate)) / rate
    click = (np.sin(2 * np.pi * 1000 * t) * np.exp(-t / 0.006)).astype(np.float32)
    for start in np.arange(0.0, duration - 0.05, 1.0 / per_second):
        first = int(start * rate)
        samples[first:first + len(click)] += click
    return samples
