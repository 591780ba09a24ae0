"""Beats of recorded motion, estimated from the body alone: where feet land, hips turn and hands stop, made periodic.

Used to make music *to* a clip. The estimate is only an estimate: its confidence travels with it.
"""
import numpy as np
from scipy.ndimage import gaussian_filter1d

from core.rhythm.beats import Beats

# A limb brakes before it stands on the beat: the strongest braking leads the beat by this much in the studio's dancers
# (median over the genres), as a foot's does before it stands.
BRAKE_LEAD = 0.065
RATE = 60.0                                  # Hz of the accent curve
PERIODS = (60 / 200, 60 / 70)                # s, tempo 70..200 BPM
STEPS = {"feet": ((7, 8, 10, 11), 1.0), "pelvis": ((0,), 0.15)}
# Salsa: quick, quick, slow: steps on 1 2 3 and 5 6 7, none on 4 and 8.
SALSA = np.array([1.0, 1.0, 1.0, -0.6, 1.0, 1.0, 1.0, -0.6])
PARTS = {"feet": ((7, 8, 10, 11), 1.0), "pelvis": ((0,), 0.4), "hands": ((20, 21), 0.4), "head": ((15,), 0.2)}


def accent_curve(positions, fps, parts=None):
    """(N,) accents at `RATE` Hz of joint positions (T,24,3): each part's braking, equalised over 2 s, summed,
    `BRAKE_LEAD` later.

    parts: {name: (joints, weight)}, `PARTS` by default.
    """
    times = np.arange(len(positions)) / fps
    grid = np.arange(0, times[-1], 1 / RATE)
    curve = np.zeros(len(grid))
    for joints, weight in (parts or PARTS).values():
        for joint in joints:
            path = np.stack([np.interp(grid, times, positions[:, joint, axis]) for axis in range(3)], 1)
            path = gaussian_filter1d(path, 0.035 * RATE, axis=0)
            velocity = np.gradient(path, axis=0) * RATE
            brake = np.maximum(-np.gradient(np.linalg.norm(velocity, axis=1)) * RATE, 0)
            # A lowest point (the hips' bounce) is an accent too: upward acceleration while low.
            lift = np.maximum(np.gradient(velocity[:, 2]) * RATE, 0)
            for part in (brake, 0.7 * lift):
                local = np.sqrt(gaussian_filter1d(part ** 2, 2.0 * RATE)) + 0.15 * np.sqrt(np.mean(part ** 2)) + 1e-6
                curve += weight / len(joints) * np.minimum(part / local, 4.0)
    curve -= gaussian_filter1d(curve, 0.75 * RATE)
    return np.maximum(np.interp(grid - BRAKE_LEAD, grid, curve), 0)


def tempo_curve(curve):
    """(periods in s, strength) of the beat, from the autocorrelation of the accents.

    Steps repeat by the bar and the 8-count more surely than by the beat (salsa: quick, quick, slow), so 4 and 8 periods
    weigh as much as one; one period is read with some width. A mild prior lies at 120 BPM.
    """
    centred = curve - curve.mean()
    size = 1 << int(np.ceil(np.log2(2 * len(centred))))
    spectrum = np.abs(np.fft.rfft(centred, size)) ** 2
    lagged = np.fft.irfft(spectrum)[: len(centred)] / np.maximum(len(centred) - np.arange(len(centred)), RATE)
    lagged = lagged / max(lagged[0], 1e-9)
    lags = np.arange(len(lagged)) / RATE
    periods = np.arange(PERIODS[0], PERIODS[1], 0.002)
    strength = np.zeros(len(periods))
    for k, weight, width in ((1, 1.0, 0.025), (2, 0.5, 0.02), (4, 1.0, 0.02), (8, 1.0, 0.025), (16, 0.8, 0.035),
                             (24, 0.5, 0.04)):
        strength += weight * np.interp(periods * k, lags, gaussian_filter1d(lagged, width * RATE), right=0.0)
    return periods, np.maximum(strength, 0) * np.exp(-0.5 * (np.log2(periods * 2.0) / 0.9) ** 2)


def track(curve, period, tightness=300.0):
    """Beat times (s) by dynamic programming over the accents (Ellis 2007, "Beat tracking by dynamic programming")."""
    curve = gaussian_filter1d(curve, 0.02 * RATE)
    curve = curve / max(curve.std(), 1e-9)
    total, back = curve.copy(), np.full(len(curve), -1)
    lags = np.arange(int(0.6 * period * RATE), int(1.7 * period * RATE) + 1)
    cost = -tightness * np.log(lags / (period * RATE)) ** 2
    for n in range(lags[0], len(curve)):
        usable = lags <= n
        scores = total[n - lags[usable]] + cost[usable]
        best = int(np.argmax(scores))
        if scores[best] > 0:
            total[n] += scores[best]
            back[n] = n - lags[usable][best]
    end = max(0, len(curve) - int(period * RATE))
    n = end + int(np.argmax(total[end:]))
    found = [n]
    while back[n] >= 0:
        n = back[n]
        found.append(n)
    return np.array(found[::-1]) / RATE


def smooth_times(times, width=4):
    """Beat times with the jitter taken out: each is the local straight line through its neighbours' indices."""
    out = np.empty(len(times))
    for k in range(len(times)):
        low, high = max(0, k - width), min(len(times), k + width + 1)
        index = np.arange(low, high)
        slope, offset = np.polyfit(index, times[low:high], 1)
        out[k] = slope * k + offset
    return out


def contrast(curve, times):
    """Mean accent within 50 ms of the beats, in standard deviations above that of all shifts of the beats."""
    peak = np.array([curve[max(0, i - 3): i + 4].max() for i in range(len(curve))])
    shifts = np.arange(0, np.median(np.diff(times)), 1 / RATE)
    values = [peak[np.clip(np.round((times + s) * RATE).astype(int), 0, len(peak) - 1)].mean() for s in shifts]
    return float((values[0] - np.mean(values)) / max(np.std(peak) / np.sqrt(len(times)), 1e-6))


def step_comb(curve, pattern, bpm):
    """Best (score, period s, time of count 1) of a step pattern at a constant tempo, as recorded music has.

    score: the pattern's correlation with the standardised accents, in standard deviations of one random placement; the
    best placement for two strangers put together scored 2.5-3.9 (mean 3.1), for the salsa couples 2.9-5.1.
    """
    curve = gaussian_filter1d(curve, 0.03 * RATE)
    curve = (curve - curve.mean()) / max(curve.std(), 1e-9)
    duration, grid = len(curve) / RATE, np.arange(len(curve)) / RATE
    best = (-np.inf, 0.0, 0.0)
    for period in np.arange(60 / bpm[1], 60 / bpm[0], 0.0008):
        counts = np.arange(int(duration / period))
        starts = np.arange(0, len(pattern) * period, 0.02)
        times = starts[:, None] + counts * period
        inside = times < duration - 0.02
        values = np.interp(times, grid, curve) * inside * pattern[counts % len(pattern)]
        scores = values.sum(1) / np.sqrt(np.maximum(inside.sum(1), 1))
        if scores.max() > best[0]:
            best = (float(scores.max()), float(period), float(starts[scores.argmax()]))
    return best


def pattern_beats(motion, partner, pattern, bpm):
    """`Beats` at a constant tempo from a dance's known step pattern; the partner's steps count as well."""
    curve = accent_curve(motion.positions(), motion.fps, STEPS)
    if partner is not None:
        other = accent_curve(partner.positions(), partner.fps, STEPS)
        both = min(len(curve), len(other))
        curve = curve[:both] / curve[:both].std() + other[:both] / other[:both].std()
    score, period, first = step_comb(curve, pattern, bpm)
    index = np.arange(-int(first / period), int((motion.duration - first) / period) + 1)
    times = first + index * period
    keep = (times >= 0) & (times < motion.duration)
    confidence = float(np.clip(0.2 + 0.35 * (score - 3.1), 0.1, 0.9))
    return Beats(times[keep], index[keep] % 4 + 1, 4, round(confidence, 3))


def motion_beats(motion, partner=None, bpm=(70.0, 200.0)):
    """`Beats` of a recorded motion over its whole length, with a confidence 0..1.

    partner: a second motion of the same dance and length (they hear the same music): its accents count as well.
    bpm: range the tempo is known to lie in (salsa, say, 140-200).
    Bars are counted in four from the strongest of the four phases.
    """
    curve = accent_curve(motion.positions(), motion.fps)
    if partner is not None and abs(partner.duration - motion.duration) < 0.5:
        other = accent_curve(partner.positions(), partner.fps)
        both = min(len(curve), len(other))
        curve = curve[:both] + other[:both]
    periods, strength = tempo_curve(curve)
    strength = np.where((periods >= 60 / bpm[1]) & (periods <= 60 / bpm[0]), strength, 0.0)
    period = float(periods[np.argmax(strength)])
    times = smooth_times(track(curve, period))
    gap = np.median(np.diff(times))
    before = np.arange(times[0] - gap, 0, -gap)[::-1]
    after = np.arange(times[-1] + gap, motion.duration, gap)
    times = np.concatenate([before, times, after])
    times = times[(times >= 0) & (times < motion.duration)]
    level = curve[np.clip(np.round(times * RATE).astype(int), 0, len(curve) - 1)]
    phase = int(np.argmax([level[k::4].mean() for k in range(4)]))
    positions = (np.arange(len(times)) - phase) % 4 + 1
    steady = np.clip(np.max(strength) / 0.6, 0, 1)
    sharp = 1 / (1 + np.exp(-(contrast(curve, times) - 3.0)))
    return Beats(times, positions, 4, round(float(np.clip(0.25 + 0.5 * sharp * (0.5 + 0.5 * steady), 0.1, 0.75)), 3))
