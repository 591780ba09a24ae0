"""Directogram and kinematic amplitude of MoMu-Diffusion (systems.md section 3)."""
import numpy as np


def directogram(keypoints, bins=12, overlap=False):
    """(T,J,2) keypoints -> (T,bins): motion per direction. D(r, theta) = sum_j |F(r,j)| [F points into the bin].

    Default: half-open bins of 2 pi / K with wrap-around. overlap=True: the printed window |theta - angle| <= 2 pi / K,
    twice as wide, so that neighbours overlap. Frame 0 is 0.
    """
    keypoints = np.asarray(keypoints, float)
    flow = np.diff(keypoints, axis=0)
    size, angle = np.linalg.norm(flow, axis=-1), np.arctan2(flow[..., 1], flow[..., 0])
    width, out = 2 * np.pi / bins, np.zeros((len(keypoints), bins))
    for k in range(bins):
        if overlap:
            gap = np.abs((angle - k * width + np.pi) % (2 * np.pi) - np.pi)
            inside = gap <= width + 1e-12
        else:
            inside = np.floor(((angle + width / 2) % (2 * np.pi)) / width).astype(int) % bins == k
        out[1:, k] = (size * inside).sum(1)
    return out


def kinematic_amplitude(keypoints, bins=12, overlap=False, normalise=True):
    """Q(r) = sum_k max(0, |D(r,k)| - |D(r-1,k)|), (T,); divided by its maximum over the sequence if normalise."""
    gram = directogram(keypoints, bins, overlap)
    amplitude = np.zeros(len(gram))
    amplitude[1:] = np.maximum(0, np.diff(gram, axis=0)).sum(1)
    if len(gram) > 1:
        amplitude[1] = 0.0          # D(0) is 0 by convention, not by stillness: its rise is no onset
    top = amplitude.max()
    return amplitude / top if normalise and top > 0 else amplitude
