"""The pairing matrix: does each music fit its own body better than any other body?"""
import numpy as np

from core.rhythm.alignment import beat_f1_70ms

LAG_SECONDS = 0.08


def pair_score(music_beats, body_beats, lag=LAG_SECONDS, step=0.01):
    """beat_f1_70ms at the best constant lag with |lag| <= `lag` seconds (a body may dance behind the beat)."""
    lags = np.arange(-lag, lag + step / 2, step)
    return max(beat_f1_70ms(np.asarray(music_beats) + shift, body_beats) for shift in lags)


def pairing_matrix(music, bodies, score=pair_score):
    """(N,N): score of music i on body j. music, bodies: lists of beat times in seconds, equal durations."""
    return np.array([[score(m, b) for b in bodies] for m in music])


def pairing_report(matrix, permutations=10_000, seed=0):
    """Mean of the diagonal against random pairings, and the mean rank of the true body.

    Returns paired and mismatched means, `p` = share of permutations whose mean is at least the diagonal's
    (with the usual +1), and `mean_rank` in 0..1 (1: the true body always fits best, 0.5: chance; ties count half).
    """
    matrix = np.asarray(matrix, float)
    count = len(matrix)
    diagonal = matrix.diagonal().mean()
    rng = np.random.default_rng(seed)
    rows = np.arange(count)
    beaten = sum(matrix[rows, rng.permutation(count)].mean() >= diagonal - 1e-12 for _ in range(permutations))
    ranks = []
    for i in range(count):
        others = np.delete(matrix[i], i)
        ranks.append(np.mean((matrix[i, i] > others) + 0.5 * (matrix[i, i] == others)) if count > 1 else 1.0)
    off = matrix[~np.eye(count, dtype=bool)].mean() if count > 1 else float("nan")
    return {"paired": float(diagonal), "mismatched": float(off), "p": (beaten + 1) / (permutations + 1),
            "mean_rank": float(np.mean(ranks)), "clips": count}
