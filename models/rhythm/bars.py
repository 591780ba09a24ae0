"""Bars of music: which beats are downbeats, by a network over beats instead of frames (after Krebs, Boeck, Dorfer and
Widmer 2016, "Downbeat tracking using beat synchronous features and recurrent neural networks"; here convolutions).

Each beat is described by what sounds in it: timbre and onsets of its quarters, bass and harmony of its halves, and how
like it is to the beats one to sixteen before, which tells a new chord or a returning pattern in any key. One pattern of
a bar looks the same at any speed; beside it stand the tempo and the onsets at the thirds of a beat, because a beat in
three parts is one of two to a bar (6/8) more often than one of four.
"""
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from core.contract import COMPOUND, PLAIN_METRES
from models.rhythm.config import MUSIC_BANDS, MUSIC_FPS, MUSIC_RATE
from models.rhythm.network import ChannelNorm, DilatedBlock

CHROMA_FFT = 8192               # samples at 22,050 Hz: 0.37 s, semitones apart from about 80 Hz up
CHROMA_FPS = 10.0
BASS, CHORD = (28, 52), (52, 88)            # MIDI pitches: 41-165 Hz and 165-1319 Hz
POOLED = 16                     # bands of the mel, five pooled to one
QUARTERS = 4                    # parts of a beat
LAGS = (1, 2, 3, 4, 6, 8)       # beats
FAR_LAGS = (12, 16)             # of phrases: bars of two repeat at 8 beats, bars of four at 16
ODD_LAGS = (5, 7, 9)            # bars of five, seven and nine
THIRDS_POOLED = 4               # bands in which onsets are looked for at the thirds of a beat
FIRST_CHANNELS = 2 * POOLED * QUARTERS + 2 * 24 + 3 * len(LAGS)         # all that the first checkpoints see
SECOND_CHANNELS = FIRST_CHANNELS + 3 * len(FAR_LAGS) + 2 * THIRDS_POOLED + 1        # and the next ones
BAR_CHANNELS = SECOND_CHANNELS + 3 * len(ODD_LAGS)
PITCHED = slice(2 * POOLED * QUARTERS, 2 * POOLED * QUARTERS + 48)      # four times twelve pitch classes


def chroma(mono):
    """(T, 24) float32 at 10 Hz of mono sound at 22,050 Hz: 12 classes of the bass, 12 above; each half of norm at most
    1."""
    wave = torch.from_numpy(np.ascontiguousarray(mono, dtype=np.float32))
    hop = int(MUSIC_RATE / CHROMA_FPS)
    count = len(wave) // hop + 1
    wave = torch.nn.functional.pad(wave, (CHROMA_FFT // 2, CHROMA_FFT))
    window, filters = torch.hann_window(CHROMA_FFT), torch.from_numpy(_pitch_filters())
    rows = []
    for first in range(0, count, 600):                          # a minute at a time
        piece = wave[first * hop: (min(count, first + 600) - 1) * hop + CHROMA_FFT]
        spectrum = torch.stft(piece, CHROMA_FFT, hop, window=window, center=False, return_complex=True).abs()
        rows.append((filters @ spectrum[:filters.shape[1]].sqrt()).T)
    folded = torch.cat(rows)[:count]
    halves = folded.reshape(len(folded), 2, 12)
    size = halves.norm(dim=-1, keepdim=True)
    loud = size.mean(dim=0, keepdim=True)
    return (halves / (size + 0.1 * loud + 1e-6)).reshape(len(folded), 24).numpy()


def _pitch_filters():
    """(24, bins) weights of each bin for each class of bass and chord: a bell a third of a semitone wide."""
    top = int(np.ceil(1400.0 * CHROMA_FFT / MUSIC_RATE))
    pitch = 69 + 12 * np.log2(np.maximum(np.arange(top), 0.5) * MUSIC_RATE / CHROMA_FFT / 440.0)
    out = np.zeros((24, top), dtype=np.float32)
    for row, (low, high) in ((0, BASS), (12, CHORD)):
        for note in range(low, high):
            out[row + note % 12] += np.exp(-0.5 * ((pitch - note) / 0.35) ** 2)
    return out


def _means(values, edges):
    """(E - 1, C) means of rows (T, C) between consecutive fractional row numbers `edges` (E,)."""
    total = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0, dtype=np.float64)])
    edges = np.clip(edges, 0, len(values))
    low = np.floor(edges).astype(int)
    high = np.minimum(low + 1, len(values))
    at = total[low] + (edges - low)[:, None] * (total[high] - total[low])
    span = np.maximum(np.diff(edges), 1e-3)[:, None]
    return np.diff(at, axis=0) / span


def bar_features(mel, harmony, times):
    """(B, BAR_CHANNELS) float32: one row a beat.

    mel: (T, 80) of `features.log_mel`; harmony: (T', 24) of `chroma`; times: (B,) beats in seconds from the first
    frame.
    """
    times, mel = np.asarray(times, dtype=np.float64), np.asarray(mel, dtype=np.float64)
    count = len(times)
    if count < 2:
        return np.zeros((count, BAR_CHANNELS), dtype=np.float32)
    ends = np.append(times, 2 * times[-1] - times[-2])
    grid = np.interp(np.arange(QUARTERS * count + 1) / QUARTERS, np.arange(count + 1), ends)
    bands = mel.reshape(len(mel), POOLED, MUSIC_BANDS // POOLED).mean(-1)
    level = _means(bands - bands.mean(0), grid * MUSIC_FPS)                             # (4 B, 16)
    rise = np.maximum(np.diff(bands, axis=0, prepend=bands[:1]), 0)
    onset = 3.0 * 5.0 * _means(rise, (np.stack([grid[:-1] - 0.05, grid[:-1] + 0.05], 1) * MUSIC_FPS).reshape(-1))[::2]
    halves = _means(np.asarray(harmony, dtype=np.float64), grid[::2] * CHROMA_FPS + 0.5).reshape(count, 48)
    timbre = np.concatenate([level.reshape(count, -1), onset.reshape(count, -1)], axis=1)
    views = (timbre, halves.reshape(count, 2, 2, 12)[:, :, 0].reshape(count, -1),
             halves.reshape(count, 2, 2, 12)[:, :, 1].reshape(count, -1))
    likeness, odd = ([_likeness(view - view.mean(0), lag) for lags in each for view in views for lag in lags]
                     for each in ((LAGS, FAR_LAGS), (ODD_LAGS,)))
    tempo = np.log2(np.maximum(np.gradient(ends)[:count], 0.05) / 0.5)
    return np.concatenate([timbre, 2.0 * halves, np.stack(likeness, axis=1), _thirds(rise, ends), tempo[:, None],
                           np.stack(odd, axis=1)], axis=1).astype(np.float32)


def _thirds(rise, ends):
    """(B, 2 * THIRDS_POOLED) onsets at the thirds of each beat; rise: (T, POOLED); ends: (B + 1,) seconds."""
    count = len(ends) - 1
    places = np.interp((np.arange(count)[:, None] + np.array([1, 2]) / 3).reshape(-1), np.arange(count + 1), ends)
    few = rise.reshape(len(rise), THIRDS_POOLED, -1).mean(-1)
    edges = np.stack([places - 0.04, places + 0.04], 1).reshape(-1) * MUSIC_FPS
    return 15.0 * _means(few, edges)[::2].reshape(count, -1)


def _likeness(rows, lag):
    """Cosine (B,) of each row with the one `lag` before; 0 where there is none."""
    out = np.zeros(len(rows))
    if lag < len(rows):
        a, b = rows[lag:], rows[:-lag]
        out[lag:] = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) + 1e-6)
    return out


@dataclass(frozen=True)
class BarsConfig:
    """The bar network and its batches."""

    kind: str = "bars"
    in_channels: int = BAR_CHANNELS
    width: int = 64             # channels of the trunk
    kernel: int = 3             # taps
    blocks: int = 8
    cycle: int = 4              # dilations 1, 2, 4, 8, and again: 31 beats of context on each side
    dropout: float = 0.25
    window: int = 48            # beats of a training crop
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    metre_weight: float = 0.3
    keep: float = 0.0           # share of the released network's word in the targets of all but recorded pieces ...
                                # ... and those in six, nine and twelve, which former networks hardly named
    balance: float = 0.0        # 0: metres as often as they are; 1: each as often as any other
    metres: tuple = PLAIN_METRES        # that it can name: the first checkpoints' four; `release` names `METRES`


SURE, SURER = 0.5, 0.8          # share of bars of six, nine and twelve in the second network's view


class BarNetwork(nn.Module):
    """Rows (N, B, BAR_CHANNELS) and which are beats (N, B) -> (N, B, 1 + metres): log-odds of a downbeat, logits of
    the metres."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.stem = nn.Conv1d(config.in_channels + 1, config.width, 3, padding=1)
        self.blocks = nn.ModuleList(DilatedBlock(config.width, config.kernel, 2 ** (i % config.cycle), config.dropout)
                                    for i in range(config.blocks))
        self.norm = ChannelNorm(config.width)
        self.head = nn.Conv1d(config.width, 1 + len(config.metres), 1)

    def forward(self, rows, known):
        rows = rows[..., :self.config.in_channels]
        x = torch.cat([rows * known[..., None], known[..., None]], dim=-1).transpose(1, 2)
        x = self.stem(x)
        for block in self.blocks:
            x = block(x) * known[:, None]
        return self.head(self.norm(x)).transpose(1, 2)


def compound_bars(metres, heard, other_metres, other):
    """Whether bars of six, nine or twelve are believed: outputs (B, 1 + metres) of both bar networks for one piece."""
    named = metres[int(heard[:, 1:].log_softmax(-1).mean(0).argmax())]
    chance = other[:, 1:].softmax(-1).mean(0)
    share = float(chance[[metre in COMPOUND for metre in other_metres]].sum())
    if named == 3 and other_metres[int(chance.argmax())] not in (9, 12):
        return False
    return share > (SURER if named == 3 else SURE)


def bar_evidence(network, mel, harmony, threes=None):
    """A function times (B,) -> (log-odds of a downbeat (B,), {metre: mean log probability}), for
    `core.rhythm.decoder`.

    threes: a second network that decides alone where it is likelier than not in its view that bars have six, nine or
    twelve beats. Where `network` hears bars of three it must be surer, and they must be nine or twelve: two bars of a
    waltz are no six. Elsewhere `network` decides.
    """
    def evidence(times):
        rows = torch.from_numpy(bar_features(mel, harmony, times))[None]
        known, chosen = torch.ones(rows.shape[:2]), network
        with torch.inference_mode():
            out = network(rows, known)[0]
            if threes is not None and len(out):
                other = threes(rows, known)[0]
                if compound_bars(network.config.metres, out, threes.config.metres, other):
                    out, chosen = other, threes
        metre = out[:, 1:].log_softmax(-1).mean(0) if len(out) else torch.zeros(len(chosen.config.metres))
        return out[:, 0].double().numpy(), {m: float(value) for m, value in zip(chosen.config.metres, metre)}
    return evidence
