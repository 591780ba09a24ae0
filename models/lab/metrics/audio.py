"""Is it music, is it clean, is it loud enough: measures on delivered audio."""
import numpy as np
from scipy import signal

from core.audio.mel import filters
from core.audio.resample import resample
from core.audio.spectra import mel_spectrum
from models.lab.metrics.frechet import frechet_distance

RATE, HOP = 22_050, 512


def _mono(samples):
    samples = np.asarray(samples, np.float32)
    return samples if samples.ndim == 1 else samples.mean(0)


def _at_rate(samples, rate):
    return resample(_mono(samples), rate, RATE)


def _mel_power(samples, rate):
    """(64, T) mel power at 22,050 Hz."""
    return mel_spectrum(_at_rate(samples, rate), filters(RATE, 2048, 64), HOP, power=2.0).T


def clip_features(samples, rate):
    """(192,) mean, std and std of differences of a 64-band log-mel: what `fd_logmel` compares."""
    log = np.log(_mel_power(samples, rate) + 1e-6)
    return np.concatenate([log.mean(1), log.std(1), np.diff(log, axis=1).std(1)])


def fd_logmel(first, second):
    """Frechet distance of two equal-sized sets of `clip_features` (N,192), on the union's principal directions.

    16 directions, or N/4 if fewer: 192 dimensions with some hundred clips would leave the covariances rank-deficient.
    The projection is fitted on both sets together. An honest substitute for FAD, not comparable with any published FAD.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    both = np.concatenate([first, second])
    scaled = (both - both.mean(0)) / (both.std(0) + 1e-6)
    _, _, axes = np.linalg.svd(scaled, full_matrices=False)
    low = scaled @ axes[: max(1, min(16, len(first) // 4))].T
    return frechet_distance(low[: len(first)], low[len(first):])


def pulse(samples, rate):
    """Periodicity of the log-mel flux at lags of 0.25-1.0 s (normalised auto-correlation peak) x `filled`; 0..1.

    The factor keeps a bare click track, perfectly periodic and mostly silent, near 0. Our own definition.
    """
    power = _mel_power(samples, rate)
    if power.max() <= 0:
        return 0.0
    log = np.log(power + 1e-5 * power.max())
    flux = np.maximum(0, np.diff(log, axis=1)).mean(0)
    flux = flux - flux.mean()
    correlation = np.correlate(flux, flux, "full")[len(flux) - 1:]
    low, high = int(0.25 * RATE / HOP), int(1.0 * RATE / HOP) + 1
    if len(flux) <= high or correlation[0] <= 0:
        return 0.0
    return float(max(0.0, correlation[low:high].max() / correlation[0])) * filled(samples, rate)


def filled(samples, rate, floor_db=-40.0):
    """Share of 23 ms frames louder than `floor_db` below the clip's loudest frame."""
    mono = _at_rate(samples, rate)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(mono, (0, HOP)), HOP)[::HOP]
    rms = np.sqrt((frames.astype(float) ** 2).mean(1))
    return float((rms > rms.max() * 10 ** (floor_db / 20)).mean()) if rms.max() > 0 else 0.0


def longest_gap(samples, rate, floor_db=-40.0):
    """Seconds of the longest stretch of 23 ms frames that are all quieter than `floor_db` below the loudest."""
    mono = _at_rate(samples, rate)
    rms = np.sqrt((np.pad(mono, (0, -len(mono) % HOP)).reshape(-1, HOP).astype(float) ** 2).mean(1))
    quiet = np.concatenate([[0], (rms <= rms.max() * 10 ** (floor_db / 20)).astype(int), [0]])
    edges = np.flatnonzero(np.diff(quiet))
    return float((edges[1::2] - edges[::2]).max() * HOP / RATE) if len(edges) else 0.0


def harmonic_share(samples, rate):
    """Energy share of the harmonic part of a median-filter separation (margin 2 on both sides)."""
    import librosa
    spectrum = np.abs(librosa.stft(_at_rate(samples, rate), n_fft=2048, hop_length=HOP))
    harmonic, _ = librosa.decompose.hpss(spectrum, margin=2.0)
    total = float((spectrum ** 2).sum())
    return float((harmonic ** 2).sum() / total) if total > 0 else 0.0


def is_music(samples, rate):
    """The three figures and whether they pass: pulse >= 0.25, filled >= 0.8, harmonic share >= 0.2."""
    values = {"pulse": pulse(samples, rate), "filled": filled(samples, rate), "harmonic": harmonic_share(samples, rate)}
    values["music"] = bool(values["pulse"] >= 0.25 and values["filled"] >= 0.8 and values["harmonic"] >= 0.2)
    return values


def true_peak_dbtp(samples):
    """Inter-sample peak in dBTP by 4x oversampling (ITU-R BS.1770); -inf for silence."""
    samples = np.atleast_2d(np.asarray(samples, np.float64))
    peak = np.abs(signal.resample_poly(samples, 4, 1, axis=-1)).max() if samples.size else 0.0
    return float(20 * np.log10(peak)) if peak > 0 else float("-inf")


def loudness_lufs(samples, rate):
    """Integrated loudness (ITU-R BS.1770-4) in LUFS; -inf for silence or less than 0.4 s."""
    import pyloudnorm
    samples = np.atleast_2d(np.asarray(samples, np.float64))
    if samples.shape[1] < int(0.4 * rate):
        return float("-inf")
    return float(pyloudnorm.Meter(rate).integrated_loudness(samples.T))


def clicks(samples, rate, threshold=12.0):
    """Times (s) of single-sample discontinuities: second differences that exceed `threshold` x the local median
    level (10 ms) on both sides and last less than 0.2 ms. Percussive onsets ring on and are not counted."""
    mono = _mono(samples).astype(float)
    jump = np.abs(np.diff(mono, n=2))
    if len(jump) < 64 or jump.max() <= 0:
        return np.zeros(0)
    span = max(8, int(0.005 * rate))
    candidates = np.flatnonzero(jump > max(0.05, 20 * np.median(jump)))
    found, short = [], max(2, int(0.0002 * rate))
    level = _level_around(jump, candidates, span, short)
    for index in candidates[jump[candidates] > threshold * np.maximum(level, 1e-5)]:
        if not found or index / rate - found[-1] > 0.002:
            found.append(index / rate)
    return np.asarray(found)


def _level_around(jump, places, span, short, chunk=4096):
    """The larger 95th percentile of `jump` over the 10 ms before and after each place, the place's own 0.2 ms left out;
    infinite where a side is missing."""
    level = np.full(len(places), np.inf)
    inside = np.flatnonzero((places >= span) & (places + span <= len(jump)))
    windows = np.lib.stride_tricks.sliding_window_view(jump, span - short)
    for part in np.array_split(inside, max(1, len(inside) // chunk)):
        sides = [np.percentile(windows[places[part] + offset], 95, axis=1) for offset in (-span, short)]
        level[part] = np.maximum(*sides)
    for at in np.setdiff1d(np.arange(len(places)), inside):
        index = places[at]
        before, after = jump[max(0, index - span):max(0, index - short)], jump[index + short:index + span]
        if len(before) and len(after):
            level[at] = max(np.percentile(before, 95), np.percentile(after, 95))
    return level


def dc_offset(samples):
    """Largest absolute mean over channels."""
    return float(np.abs(np.atleast_2d(samples).mean(-1)).max())
