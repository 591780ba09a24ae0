"""Two fixed stages after the vocoder's network, at 44,100 Hz on mid and side (2, N), for a network that was trained on
distances alone. One that was trained against discriminators goes without: they dull its attacks and cut a notch at 11
kHz.

`keep_to_mel`: the network's sound is scaled, cell by cell of its STFT, until its mel is the mel it was given; phases
and the fine structure within a band stay the network's. Griffin & Lim (1984) alternate between a given magnitude and a
consistent STFT in the same way, from a random phase. `widen`: the network hears a mono mel and answers nearly in mono,
so a decorrelated copy of mid joins the side (velvet noise, Alary et al. 2017). It cancels in left + right: the mono sum
is the network's own.
"""
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

from core.audio.mel import FLOOR, RATE, filters
from models.layers.inverse_stft import inverse_stft

N_FFT, HOP = 4096, 1024         # at 44,100 Hz the frames and bins of the mel's own 2048 and 512 at 22,050 Hz
ROUNDS = 4
LIMIT = 2.0                     # of a correction, in log-magnitude (17 dB)
WIDTH = 0.3  # share of mid's level in the side: side energy about 0.1 of all, as in the studio's pieces
NOISE_SECONDS, NOISE_RATE, NOISE_DECAY_DB = 0.02, 1500, 60.0
BASS_HERTZ, BASS_TAPS = 200.0, 511      # below, the middle stays the middle


@torch.no_grad()
def keep_to_mel(sound, log_mel, rounds=ROUNDS):
    """sound (2, N) whose sample 1024 i is the middle of row i of log_mel (T, 256) -> (2, N)."""
    weights = torch.from_numpy(filters()).to(sound.device)                      # (256, 1025)
    share = weights / weights.sum(0).clamp_min(1e-8)                                # of each band in a bin's correction
    window, inside = torch.hann_window(N_FFT, device=sound.device), weights.shape[1]
    for _ in range(rounds):
        spectrum = torch.stft(sound, N_FFT, HOP, window=window, pad_mode="constant", return_complex=True)
        count = min(spectrum.shape[-1], len(log_mel))
        # a window twice as long: / 2
        own = torch.log((weights @ spectrum[0, :inside, :count].abs() / 2).clamp_min(FLOOR))
        gap = (log_mel[:count].T - own).clamp(-LIMIT, LIMIT)                        # (256, count)
        spectrum[:, :inside, :count] *= torch.exp(share.T @ gap)
        sound = F.pad(inverse_stft(spectrum, window, HOP), (0, sound.shape[1] % HOP))
    return sound


def widen(sound, width=WIDTH):
    """sound (2, N) with a decorrelated copy of mid, `width` as loud and without its bass, added to the side."""
    noise = torch.from_numpy(velvet_noise()).to(sound.device)
    size = 1 << (sound.shape[1] + len(noise) - 1).bit_length()
    copy = torch.fft.irfft(torch.fft.rfft(sound[0], size) * torch.fft.rfft(noise, size), size)
    late = BASS_TAPS // 2                                                           # of the high-pass alone
    return torch.stack([sound[0], sound[1] + width * copy[late:late + sound.shape[1]]])


@lru_cache(maxsize=1)
def velvet_noise():
    """A filter of unit energy: sparse impulses of random sign, decaying, then a linear-phase high-pass; float32."""
    rng, length = np.random.default_rng(1), int(NOISE_SECONDS * 2 * RATE)
    noise, step = np.zeros(length), 2 * RATE / NOISE_RATE
    for number in range(int(length / step)):
        place = int(number * step + rng.random() * (step - 1))
        noise[place] = rng.choice([-1.0, 1.0]) * 10 ** (-NOISE_DECAY_DB / 20 * place / length)
    time = np.arange(BASS_TAPS) - BASS_TAPS // 2
    low = np.sinc(2 * BASS_HERTZ / (2 * RATE) * time) * np.hamming(BASS_TAPS)
    high = -low / low.sum()
    high[BASS_TAPS // 2] += 1.0
    return np.convolve(noise / np.sqrt((noise ** 2).sum()), high).astype(np.float32)
