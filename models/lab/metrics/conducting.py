"""Scores of conducting: ictus, strokes, bars, and the conducting metrics of VirtualConductor in their published form.

The ictus is the lowest point of a stroke of the beating hand. All times in seconds, lengths in metres, z up. `beats`
are on the *ictus clock*: the music's beats moved earlier by the conductor's lead.
"""
import numpy as np
from scipy.signal import welch

from core.body.ictus import PROMINENCE_M
from models.lab.metrics.motion import temporal_spread


def strokes(height, beats, fps):
    """Metres the hand falls into each beat (B,): highest point since the previous beat minus height at the beat.

    NaN where a beat lies outside the motion or has no predecessor. height (T,) metres; beats (B,) seconds, ictus clock.
    """
    frames = np.round(np.asarray(beats, float) * fps).astype(int)
    drops = np.full(len(frames), np.nan)
    for i in range(1, len(frames)):
        low, high = frames[i - 1], frames[i]
        if low >= 0 and high < len(height) and high > low:
            nearby = height[max(low, high - 2):min(len(height), high + 3)]     # the ictus may be off by two frames
            drops[i] = height[low:high + 1].max() - nearby.min()
    return drops


def downbeat_is_down(height, beats, fps):
    """Share of whole bars whose longest fall is the one into the downbeat; (rate, number of bars). beats: `Beats`."""
    drops = strokes(height, beats.times, fps)
    hits = count = 0
    for first in np.flatnonzero(beats.positions == 1):
        bar = drops[first:first + beats.metre]
        if len(bar) == beats.metre and np.all(np.isfinite(bar)):
            count += 1
            hits += int(np.argmax(bar) == 0 and bar[0] > PROMINENCE_M)
    return (hits / count if count else float("nan")), count


def bar_variation(path, beats, fps, points=12):
    """Bar-to-bar variation in metres: RMS distance of each bar's hand path (T,3) from the mean bar, per-beat
    time-warped.

    0 for a rule that repeats one bar. NaN with fewer than two whole bars.
    """
    bars = []
    frames = np.arange(len(path))
    for first in np.flatnonzero(beats.positions == 1):
        edges = beats.times[first:first + beats.metre + 1] * fps
        if len(edges) == beats.metre + 1 and edges[0] >= 0 and edges[-1] <= len(path) - 1:
            where = np.interp(np.arange(beats.metre * points) / points, np.arange(beats.metre + 1), edges)
            bars.append(np.stack([np.interp(where, frames, path[:, axis]) for axis in range(3)], axis=1))
    if len(bars) < 2:
        return float("nan")
    bars = np.stack(bars)
    return float(np.sqrt(((bars - bars.mean(0)) ** 2).sum(-1).mean()))


def stroke_loudness_correlation(drops, loudness, shifts=50):
    """Spearman correlation of stroke sizes (B,) with loudness at their beats (B,), and the null of circular shifts.

    Returns (correlation, mean of the null, its 95th percentile); NaN strokes are left out; (0, 0, 0) when either is
    constant.
    """
    keep = np.isfinite(drops)
    drops, loudness = np.asarray(drops, float)[keep], np.asarray(loudness, float)[keep]
    if len(drops) < 6 or np.ptp(drops) < 1e-9 or np.ptp(loudness) < 1e-9:
        return 0.0, 0.0, 0.0
    a, b = _ranks(drops), _ranks(loudness)
    null = [_correlation(np.roll(a, shift), b)
            for shift in np.unique(np.linspace(1, len(a) - 1, min(shifts, len(a) - 1)).astype(int))]
    return _correlation(a, b), float(np.mean(null)), float(np.percentile(null, 95))


def pooled_loudness_correlation(pieces, draws=1000, seed=0):
    """Do strokes follow loudness over all pieces? The mean Spearman correlation against the null of that *mean*.

    pieces: list of (drops (B,), loudness (B,)) as `stroke_loudness_correlation` takes. In each draw the loudness of
    every piece is shifted circularly by a random number of beats of its own. Single pieces of 20 s have a null too wide
    to decide anything; that of the mean narrows with their number. Returns {"correlation", "null_mean", "null_p95", "p"
    (share of draws that reach it, with the usual +1), "pieces", "draws"}; p is nan and pieces 0 when none can be used
    (see below).
    A piece with under six strokes, or whose strokes or loudness are constant, counts as correlation 0 in score and null
    alike.
    """
    rng, found, null, used = np.random.default_rng(seed), [], np.zeros(draws), 0
    for drops, loudness in pieces:
        keep = np.isfinite(drops)
        drops, loudness = np.asarray(drops, float)[keep], np.asarray(loudness, float)[keep]
        if len(drops) < 6 or np.ptp(drops) < 1e-9 or np.ptp(loudness) < 1e-9:
            found.append(0.0)
            continue
        a, b = _ranks(drops), _ranks(loudness)
        every = np.array([_correlation(a, np.roll(b, shift)) for shift in range(len(a))])
        found.append(every[0])
        null += every[rng.integers(1, len(a), draws)]
        used += 1
    if not used:
        return {"correlation": 0.0, "null_mean": 0.0, "null_p95": 0.0, "p": float("nan"), "pieces": 0, "draws": draws}
    null, score = null / len(found), float(np.mean(found))
    return {"correlation": score, "null_mean": float(null.mean()), "null_p95": float(np.percentile(null, 95)),
            "p": float((np.sum(null >= score - 1e-12) + 1) / (draws + 1)), "pieces": used, "draws": draws}


def hands_alike(left, right, fps):
    """(correlation of the vertical speeds of two hands (T,) heights in metres, share of the time in which one mirrors
    the other).

    A hand mirrors over a second in which the speeds correlate above 0.7 and it moves at least a third as much. A still
    hand: (0, 0).
    """
    speeds = [np.diff(np.asarray(height, float)) * fps for height in (left, right)]
    if min(np.std(speed) for speed in speeds) < 1e-6:
        return 0.0, 0.0
    width, alike = int(fps), []
    for first in range(0, len(speeds[0]) - width + 1, width // 3):
        one, two = (speed[first:first + width] for speed in speeds)
        moves = np.std(one) > max(1e-3, np.std(two) / 3) and np.std(two) > 1e-3
        alike.append(moves and _correlation(one, two) > 0.7)
    return _correlation(*speeds), float(np.mean(alike)) if alike else 0.0


def _ranks(values):
    return np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(float)


def _correlation(a, b):
    return float(np.corrcoef(a, b)[0, 1])


def seed_spread(keypoints):
    """Mean absolute difference between variations of one music, picture units (shoulder width 0.2); (V,T,13,2)."""
    keypoints = np.asarray(keypoints, float)
    count = len(keypoints)
    gaps = [np.abs(keypoints[i] - keypoints[j]).mean() for i in range(count) for j in range(i)]
    return float(np.mean(gaps)) if gaps else 0.0


# ------------------------------------------------------------------ VirtualConductor, exact (systems.md section 2)

def rhythm_density_error(generated, real, fps=30):
    """RDE: ln(1e7 mean squared difference of Welch spectra, averaged over channels, bins 6..25, + 1); (N,T,26) each."""
    def density(batch):
        spectrum = welch(np.asarray(batch, float), fs=fps, nperseg=256, axis=1)[1]      # (N, bins, 26)
        return spectrum.mean(2)[:, 6:26]
    return float(np.log(1e7 * ((density(generated) - density(real)) ** 2).mean() + 1))


def strength_contour_error(generated, real):
    """SCE: ln(1e7 MSE + 1) of |mean of signed frame differences over channels|, average-pooled 60 frames stride 30.

    As published: signs cancel across joints. (N,T,26) each, T >= 61.
    """
    def contour(batch):
        speed = np.abs(np.diff(np.asarray(batch, float), axis=1).mean(2))
        return np.stack([speed[:, s:s + 60].mean(1) for s in range(0, speed.shape[1] - 59, 30)], axis=1)
    return float(np.log(1e7 * ((contour(generated) - contour(real)) ** 2).mean() + 1))


def conducting_mse(generated, real):
    """Mean squared difference of key points (N,T,13,2) in picture units, as published: mostly ranks amplitude.

    Always print beside it the rows of the mean pose and of mismatched pairs.
    """
    return float(((np.asarray(generated, float) - np.asarray(real, float)) ** 2).mean())


def published_rows(generated, real):
    """MSE, SDP, RDE and SCE of generated (N,T,13,2) key points, with the rows that expose them.

    Rows: "generated"; "mean pose": the mean over all of `real`, held still; "mismatched": each real clip scored against
    the next one's. What the mean pose or another song's motion reaches is no merit. N >= 2, T >= 256.
    """
    generated, real = np.asarray(generated, float), np.asarray(real, float)
    if generated.shape != real.shape or len(real) < 2:
        raise ValueError(f"two or more pairs of clips of equal shape are needed, not {generated.shape} and "
                         f"{real.shape}")

    def row(clips):
        flat, truth = (x.reshape(len(x), x.shape[1], -1) for x in (clips, real))
        return {"mse": conducting_mse(clips, real), "sdp": temporal_spread(flat, truth),
                "rde": rhythm_density_error(flat, truth), "sce": strength_contour_error(flat, truth)}
    still = np.broadcast_to(real.mean((0, 1)), real.shape)
    return {"generated": row(generated), "mean pose": row(still), "mismatched": row(np.roll(real, -1, axis=0))}
