"""Beat scores in seconds, each with its chance level (systems.md 10.2; sources named per function)."""
from math import erf

import numpy as np

from core.rhythm.alignment import SIGMA_SECONDS, align_score, beat_f1_70ms, shift_null


def chance_level(rate, sigma=SIGMA_SECONDS):
    """Expected `align_score` of random queries against a regular train of `rate` targets a second."""
    if rate <= 0:
        return 0.0
    return float(2 * rate * sigma * np.sqrt(np.pi / 2) * erf(1 / (2 * np.sqrt(2) * rate * sigma)))


def align_report(query, reference, duration, sigma=SIGMA_SECONDS, shifts=211):
    """Score, chance, null mean and p95, normalised lift (s - c) / (1 - c), and beats a second of both sides."""
    score = align_score(query, reference, sigma)
    mean, high = shift_null(query, reference, duration, lambda q, r: align_score(q, r, sigma), shifts)
    return {"score": score, "chance": chance_level(len(reference) / duration, sigma), "null_mean": mean,
            "null_p95": high, "lift": (score - mean) / (1 - mean) if mean < 1 else 0.0,
            "query_per_second": len(query) / duration, "reference_per_second": len(reference) / duration}


def metrical_variants(true):
    """The true beats at half, double and off-beat levels, by name (to count octave errors apart)."""
    true = np.asarray(true, float)
    middles = (true[1:] + true[:-1]) / 2
    return {"strict": true, "double": np.sort(np.concatenate([true, middles])), "half_even": true[::2],
            "half_odd": true[1::2], "off_beat": middles}


def beat_f1_any_level(found, true):
    """(best F1 over metrical levels, name of that level); "strict" when the plain level is as good as any."""
    scores = {name: beat_f1_70ms(found, times) for name, times in metrical_variants(true).items()}
    best = max(scores, key=scores.get)
    return (scores["strict"], "strict") if scores["strict"] >= scores[best] - 1e-9 else (scores[best], best)


def continuity(found, true):
    """{"CMLt", "AMLt"}: share of beats in step with the true ones, at their level and at any allowed one (half, double,
    off-beat).

    Definitions and code of mir_eval 0.8 (after Hainsworth 2004 and Klapuri et al. 2006), no beats trimmed.
    """
    from mir_eval.beat import continuity as scores
    if len(found) < 2 or len(true) < 2:
        return {"CMLt": 0.0, "AMLt": 0.0}
    _, strict, _, allowed = scores(np.asarray(true, float), np.asarray(found, float))
    return {"CMLt": float(strict), "AMLt": float(allowed)}


def phase_along(first, times, true):
    """Beats (B,) where a signal `first` (T,) complex, which turns once a beat, at `times` (T,) seconds, puts them along
    the true tempo of every moment: what is missed then is phase or evidence, not tempo or level."""
    grid = np.concatenate([[2 * true[0] - true[1]], true, [2 * true[-1] - true[-2]]])
    count = np.arange(-1, len(true) + 1)
    turns = np.interp(times, grid, count)
    late = np.angle((first * np.exp(-2j * np.pi * turns)).sum()) / (2 * np.pi)
    return np.interp(np.arange(len(true)) - late, count, grid)


# ---------------------------------------------------------------- kinematic beats

def joint_speed(positions, fps):
    """(T,J,D) positions -> (T,J) speeds in units per second; frame 0 repeats frame 1."""
    step = np.linalg.norm(np.diff(positions, axis=0), axis=-1) * fps
    return np.concatenate([step[:1], step]) if len(step) else np.zeros(positions.shape[:2])


def kinematic_beats_fact(positions, fps):
    """FACT: strict local minima of the summed joint speed within +-10 frames at 60 fps (167 ms); seconds."""
    speed = joint_speed(positions, fps).sum(1)
    order = max(1, int(round(fps / 6)))
    found = [t for t in range(len(speed)) if _strict_minimum(speed, t, order)]
    return np.asarray(found, float) / fps


def _strict_minimum(curve, index, order):
    low, high = max(0, index - order), min(len(curve), index + order + 1)
    others = np.concatenate([curve[low:index], curve[index + 1:high]])
    return low < index < high - 1 and bool(np.all(curve[index] < others))


def kinematic_beats_bailando(positions, fps):
    """Bailando: mean joint speed, Gaussian sigma 5 frames at 60 fps (83 ms), local minima of order 1; seconds."""
    from scipy.ndimage import gaussian_filter1d  # here: training machines need not have scipy
    speed = gaussian_filter1d(joint_speed(positions, fps).mean(1), 5 * fps / 60)
    inner = (speed[1:-1] < speed[:-2]) & (speed[1:-1] < speed[2:])
    return (np.nonzero(inner)[0] + 1) / fps


def bc_as_published(music_beats_seconds, positions, fps=30, order=10):
    """Diffusion-Conductor's BC with its defect: music beats are indices at 90 Hz, motion beats at 30 Hz, sigma 3.

    Not a beat measure; for reproducing the published figure only (systems.md 10.2).
    """
    speed = joint_speed(positions, fps).sum(1)
    motion = np.asarray([t for t in range(len(speed)) if _strict_minimum(speed, t, order)], float)
    return align_score(np.round(np.asarray(music_beats_seconds, float) * 90), motion, sigma=3.0)


def bas_as_published(body_beats_seconds, music_beats_seconds):
    """Tan et al.'s BAS with its defect: music beats are frames at 43.07 Hz (22,050 Hz, hop 512), body beats frames at
    60 fps, and both are compared as if they were of one clock; sigma 3 frames.

    Not a beat measure; for reproducing the published figure (0.21, which is chance) only (systems.md 5).
    """
    music = np.round(np.asarray(music_beats_seconds, float) * 22_050 / 512)
    return align_score(np.round(np.asarray(body_beats_seconds, float) * 60), music, sigma=3.0)


def bc_rates_matched(music_beats_seconds, positions, fps=30, order=10, sigma=0.1):
    """The same beat consistency with both sides in seconds: music to motion beats, sigma 3 frames at 30 fps (100 ms).

    Chance is high at this sigma (0.49 at 2 beats a second): give `align_report`'s null beside it.
    """
    speed = joint_speed(positions, fps).sum(1)
    motion = np.asarray([t for t in range(len(speed)) if _strict_minimum(speed, t, order)], float) / fps
    return align_score(music_beats_seconds, motion, sigma)


def music_beats_librosa(samples, rate, start_bpm=120.0):
    """librosa's tracker as FACT uses it (hop 512, tightness 100); seconds. samples: mono float."""
    import librosa
    envelope = librosa.onset.onset_strength(y=np.asarray(samples, np.float32), sr=rate, hop_length=512)
    if not np.any(envelope > 0):
        return np.zeros(0)
    _, frames = librosa.beat.beat_track(onset_envelope=envelope, sr=rate, hop_length=512, start_bpm=start_bpm,
                                        tightness=100)
    return librosa.frames_to_time(frames, sr=rate, hop_length=512)
