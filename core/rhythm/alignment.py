"""How well two lists of beats agree, always beside what chance would give (systems.md 10.2).

`align_score` is the beat-align score of FACT and Bailando in seconds;
`beat_f1_70ms` the usual measure of beat tracking.
"""
import numpy as np

SIGMA_SECONDS = 0.05            # 3 frames at 60 fps, as FACT and Bailando use
TOLERANCE_SECONDS = 0.07        # the usual window of beat tracking evaluation


def align_score(query, reference, sigma=SIGMA_SECONDS):
    """Mean over q in query of exp(-min_r |q-r|^2 / 2 sigma^2); seconds in, 0..1 out, 0 if either is empty."""
    query, reference = np.asarray(query, float), np.asarray(reference, float)
    if len(query) == 0 or len(reference) == 0:
        return 0.0
    distance = np.abs(query[:, None] - reference[None, :]).min(1)
    return float(np.exp(-0.5 * (distance / sigma) ** 2).mean())


def shift_null(query, reference, duration, score=align_score, shifts=211):
    """Scores with the query rolled round the clip by `shifts` regular offsets: (mean, 95th percentile).

    A prime number of shifts, so that they do not fall into step with a steady tempo.
    """
    query = np.asarray(query, float)
    offsets = (np.arange(shifts) + 0.5) * duration / shifts
    scores = [score(np.sort((query + offset) % duration), reference) for offset in offsets]
    return float(np.mean(scores)), float(np.percentile(scores, 95))


def match_count(found, true, tolerance=TOLERANCE_SECONDS):
    """Size of the largest one-to-one matching within the tolerance (greedy is optimal on a line)."""
    found, true = np.sort(np.asarray(found, float)), np.sort(np.asarray(true, float))
    i = j = hits = 0
    while i < len(found) and j < len(true):
        if abs(found[i] - true[j]) <= tolerance:
            hits, i, j = hits + 1, i + 1, j + 1
        elif found[i] < true[j]:
            i += 1
        else:
            j += 1
    return hits


def beat_f1_70ms(found, true, tolerance=TOLERANCE_SECONDS):
    """F1 of one-to-one matches at the strict metrical level; 0 if either side is empty."""
    if len(found) == 0 or len(true) == 0:
        return 0.0
    return 2.0 * match_count(found, true, tolerance) / (len(found) + len(true))


def alignment(body_beats, music_beats, duration):
    """Scores of body beats (s) against music beats (s) over a passage of `duration` seconds; JSON-ready.

    score: beat-align score, sigma 50 ms, body -> music. f1: F1 of one-to-one matches within 70 ms, same metrical level.
    chance, f1_chance: mean of the same with the body rolled round the passage.
    """
    chance = shift_null(body_beats, music_beats, duration)[0] if duration > 0 else 0.0
    f1_chance = shift_null(body_beats, music_beats, duration, beat_f1_70ms)[0] if duration > 0 else 0.0
    return {"score": round(align_score(body_beats, music_beats), 4), "chance": round(chance, 4),
            "f1": round(beat_f1_70ms(body_beats, music_beats), 4), "f1_chance": round(f1_chance, 4),
            "body_beats": len(body_beats), "music_beats": len(music_beats)}
