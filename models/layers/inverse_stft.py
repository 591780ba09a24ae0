"""The inverse STFT by overlap-add (Griffin & Lim 1984, eq. 6), without a wait for the card.

`torch.istft` looks whether the sum of the windows is zero anywhere, which waits for all that a card still has to do,
and takes twice as long on a CPU.
"""
import torch
import torch.nn.functional as F


def inverse_stft(spectrum, window, hop):
    """Complex (B, n_fft / 2 + 1, T) of centred frames -> sounds (B, (T - 1) hop); window (n_fft,), whose length `hop`
    divides into two parts or more and whose parts never all are zero."""
    frames, parts = spectrum.shape[-1], len(window) // hop
    pieces = torch.fft.irfft(spectrum, n=len(window), dim=-2) * window[:, None]
    pieces, squares = pieces.unflatten(-2, (parts, hop)).transpose(-1, -2), window.square().unflatten(0, (parts, hop))
    total = F.pad(pieces[:, 0], (0, 0, 0, parts - 1))                               # (B, T + parts - 1, hop)
    norm = F.pad(squares[0].expand(frames, hop), (0, 0, 0, parts - 1))
    for part in range(1, parts):
        total[:, part:part + frames] += pieces[:, part]
        norm[part:part + frames] += squares[part]
    edge = len(window) // 2
    return total.flatten(1)[:, edge:-edge] / norm.flatten()[edge:-edge]
