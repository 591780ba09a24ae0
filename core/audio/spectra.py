"""Mel filters and mel spectra: the one primitive under every log-mel of Baton.

Written here because librosa's are compiled on first use, ten seconds and more in a fresh environment.

Frame i of a spectrum is centred on sample i * hop, with silence beyond both ends; N samples give 1 + N // hop frames.
"""
import numpy as np

CHUNK_FRAMES = 3000                     # taken at once: memory stays flat for any length


def slaney_filters(bands: int, rate: float, n_fft: int, low: float = 0.0,
                   high: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mel filters (Slaney's scale and norm) in closed form: (bands + 2,) edges in Hz and (bands, 1 + n_fft / 2)
    weights. low, high: Hz of the outer edges, 0 and half the rate unless given."""
    def to_mel(hertz):
        return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)

    def to_hertz(mel):
        return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))
    edges = to_hertz(np.linspace(to_mel(low), to_mel(rate / 2 if high is None else high), bands + 2))
    bins = np.arange(n_fft // 2 + 1) * rate / n_fft
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return edges, np.maximum(0, np.minimum(rise, fall)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]


def htk_filters(bands: int, rate: float, n_fft: int, low: float, high: float) -> np.ndarray:
    """Triangular filters (bands, 1 + n_fft / 2) float32 from `low` to `high` Hz:
    equal on the HTK mel scale, each of sum 1."""
    def mel(hertz):
        return 2595.0 * np.log10(1.0 + np.asarray(hertz) / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(mel(low), mel(high), bands + 2) / 2595.0) - 1.0)
    bins = np.arange(n_fft // 2 + 1) * rate / n_fft
    # A band never gets narrower than the spacing of the bins, else the low ones would be empty.
    spacing = rate / n_fft
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rise = (bins - np.minimum(left, centre - spacing)[:, None]) / np.maximum(centre - left, spacing)[:, None]
    fall = (np.maximum(right, centre + spacing)[:, None] - bins) / np.maximum(right - centre, spacing)[:, None]
    filters = np.maximum(0.0, np.minimum(rise, fall))
    return (filters / np.maximum(filters.sum(1, keepdims=True), 1e-8)).astype(np.float32)


def mel_spectrum(mono: np.ndarray, filters: np.ndarray, hop: int, power: float = 1.0) -> np.ndarray:
    """(1 + N // hop, bands) float32: `filters` (bands, 1 + n_fft / 2) of the magnitudes
    of Hann-windowed frames, or of their power.

    mono (N,); n_fft follows from the filters. power: 1 magnitudes, 2 their squares.
    """
    import torch
    n_fft = 2 * (filters.shape[1] - 1)
    basis, window = torch.from_numpy(np.ascontiguousarray(filters, dtype=np.float32)), torch.hann_window(n_fft)
    padded = np.pad(np.asarray(mono, dtype=np.float32), n_fft // 2)
    count, parts = len(mono) // hop + 1, []
    for first in range(0, count, CHUNK_FRAMES):
        last = min(count, first + CHUNK_FRAMES)
        piece = torch.from_numpy(padded[first * hop:(last - 1) * hop + n_fft])
        magnitude = torch.stft(piece, n_fft, hop, window=window, center=False, return_complex=True).abs()
        parts.append((basis @ (magnitude if power == 1 else magnitude ** power)).T)
    return torch.cat(parts).numpy()
