"""Frechet distance and diversity of feature sets (systems.md 10.3)."""
import numpy as np
from scipy import linalg


def frechet_distance(a, b):
    """|mu_a - mu_b|^2 + tr(C_a + C_b - 2 sqrt(C_a C_b)); a (N,D), b (M,D), covariances ddof 1.

    Strongly biased by sample count when N is near or below D: compare sets of equal counts only.
    """
    a, b = np.atleast_2d(np.asarray(a, float)), np.atleast_2d(np.asarray(b, float))
    if len(a) < 2 or len(b) < 2:
        raise ValueError("a Frechet distance needs at least two samples on each side")
    mean = a.mean(0) - b.mean(0)
    first, second = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    # tr sqrt(AB) = sum of singular values of sqrt(A) sqrt(B): stable for rank-deficient covariances.
    trace = linalg.svdvals(_sqrt(first) @ _sqrt(second)).sum()
    return float(mean @ mean + np.trace(first) + np.trace(second) - 2 * trace)


def _sqrt(matrix):
    values, vectors = linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def z_score(features, reference):
    """Standardise by the reference's mean and population std (+1e-10), as the Bailando protocol does."""
    reference = np.asarray(reference, float)
    return (np.asarray(features, float) - reference.mean(0)) / (reference.std(0) + 1e-10)


def diversity(features):
    """Mean Euclidean distance over all pairs; (N,D) -> float, 0 with one sample."""
    features = np.asarray(features, float)
    count = len(features)
    if count < 2:
        return 0.0
    distances = np.linalg.norm(features[:, None] - features[None], axis=-1)
    return float(distances.sum() / (count * (count - 1)))


def diversity_as_published(features, seed=0):
    """Diffusion-Conductor's "Diversity": mean L1 distance (summed over T) of clips (N,...) to a random permutation.

    A between-song spread, not the spread of samples for one song (systems.md 10.3).
    """
    features = np.asarray(features, float)
    order = np.random.default_rng(seed).permutation(len(features))
    gap = np.abs(features - features[order])
    return float(gap.reshape(len(features), gap.shape[1], -1).mean(-1).sum(1).mean())


def fgd(generated, real):
    """Frechet gesture distance over frames: all clips' feature rows (T,D) pooled, a D-dimensional Gaussian each.

    generated, real: lists of (T,D) features of a motion encoder. The honest form; whose encoder it is belongs in the
    name.
    """
    return frechet_distance(np.concatenate(list(generated)), np.concatenate(list(real)))


def fgd_as_coded(generated, real):
    """Diffusion-Conductor's FGD with its defect: clips (T,D) are stacked so that *rows are channels* and the Gaussian
    has T dimensions, D rows a clip. Equal T everywhere. For reproducing the published figure only (systems.md 10.3)."""
    return frechet_distance(*(np.concatenate([np.asarray(clip, float).T for clip in clips])
                              for clips in (generated, real)))
