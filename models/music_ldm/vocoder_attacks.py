"""Attacks made as sharp as the sound's own, after the vocoder's network: gains in bands, a value every 2.9 ms.

The mel has one row in 23 ms and its window is 93 ms long, so the vocoder spreads the beginning of a stroke over what
lies before it. What is lost is the envelope, not the sound: with the real sound's gains in three bands attacks above
2 kHz come back to 1 dB (docs/results.md, *Vocoders*). Here a small network reads the mel and the envelopes of the
vocoded sound and names such gains. It was taught around real attacks only, and to leave everything else alone.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

from models.layers.inverse_stft import inverse_stft

RATE, N_FFT, HOP = 44_100, 256, 128             # frames of the gains: 5.8 ms long, every 2.9 ms
MEL_HOP = 1024                                  # samples in a mel frame: 8 frames of the gains
FRAMES = MEL_HOP // HOP
EDGES = (0.0, 300.0, 700.0, 1400.0, 2800.0, 5600.0, 11_200.0, 22_050.0)        # Hz, of the bands
BANDS = len(EDGES) - 1
FLOOR = 1e-5                                    # of a band's mean power
LARGEST = 2.3                                   # natural log of amplitude, 20 dB, before `STRENGTH`
DILATIONS = (1, 2, 4, 4, 1)
# Of the gains, by band: who guesses in doubt guesses too little. On validation excerpts; in the lowest band all of it
# would cost bass tones as much as it gives kicks.
STRENGTH = (0.75, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5)


def shares():
    """(BANDS, 129) float32: how much each bin belongs to each band. Bands meet half-way, in octaves."""
    hertz = torch.arange(N_FFT // 2 + 1) * RATE / N_FFT
    centres = torch.tensor([math.sqrt(max(low, 90.0) * high) for low, high in zip(EDGES, EDGES[1:])])
    place = torch.log2(hertz.clamp_min(90.0))[None] - torch.log2(centres)[:, None]          # octaves above a centre
    below = torch.cat([torch.log2(centres[1:] / centres[:-1]), torch.ones(1)])              # to the next centre
    above = torch.cat([torch.ones(1), below[:-1]])
    share = torch.where(place >= 0, 1 - place / below[:, None], 1 + place / above[:, None]).clamp(0, 1)
    share[0, hertz < centres[0]] = 1.0
    share[-1, hertz > centres[-1]] = 1.0
    return share / share.sum(0)


class Attacks(nn.Module):
    """Vocoded mid and side (N, 2, 1024 (T - 1)) and their log-mel (N, T, 256) -> the same with its attacks."""

    def __init__(self, width=32, bands=256):
        super().__init__()
        self.embed = nn.Conv1d(bands, 2 * width, 3, padding=1)
        self.around = nn.Conv1d(2 * width, 2 * width, 5, padding=2)
        self.upsample = nn.Conv1d(2 * width, FRAMES * width // 2, 1)
        self.envelope = nn.Conv1d(BANDS, width, 9, padding=4)
        self.join = nn.Conv1d(width + width // 2, width, 1)
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 5, padding=2 * step, dilation=step) for step in DILATIONS)
        self.out = nn.Conv1d(width, BANDS, 5, padding=2)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.register_buffer("shares", shares(), persistent=False)
        self.register_buffer("strength", torch.tensor(STRENGTH)[:, None], persistent=False)
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)

    def spectrum(self, sound):
        """Complex STFT (..., 129, frames) of sounds (..., samples); frame j is centred on sample 128 j."""
        flat = torch.stft(sound.flatten(0, -2), N_FFT, HOP, window=self.window, pad_mode="constant",
                          return_complex=True)
        return flat.unflatten(0, sound.shape[:-1])

    def levels(self, power):
        """Natural log of amplitude in bands (N, BANDS, frames) of a power spectrum (N, 129, frames)."""
        return 0.5 * torch.log(self.shares / self.shares.sum(1, keepdim=True) @ power + FLOOR)

    def gains(self, levels, log_mel):
        """Natural log of the gains (N, BANDS, frames) from the envelopes of mid and the mel (N, T, 256)."""
        x = (log_mel.transpose(1, 2) + 4.6) / 3.0
        x = F.gelu(self.around(F.gelu(self.embed(x))))
        x = self.upsample(x)                                                    # (N, 8 C, T) -> (N, C, 8 T)
        x = x.unflatten(1, (-1, FRAMES)).transpose(2, 3).flatten(2)[..., :levels.shape[-1]]
        x = F.pad(x, (0, levels.shape[-1] - x.shape[-1]))
        x = self.join(torch.cat([self.envelope((levels + 3.0) / 3.0), x], dim=1))
        for layer in self.layers:
            x = x + layer(F.gelu(x))
        return LARGEST * torch.tanh(self.out(F.gelu(x)))

    def forward(self, sound, log_mel):
        samples = sound.shape[-1]
        spectrum = self.spectrum(F.pad(sound, (0, -samples % HOP)))
        gains = self.strength * self.gains(self.levels(spectrum[:, 0].abs().square()), log_mel)
        scale = torch.exp(self.shares.T @ gains)                                # (N, 129, frames)
        torch.view_as_real(spectrum).mul_(scale[:, None, ..., None])
        sound = inverse_stft(spectrum.flatten(0, -3), self.window, HOP).unflatten(0, spectrum.shape[:-2])
        return sound[..., :samples]
