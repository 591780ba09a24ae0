"""The denoiser of both stages: a transformer over frames whose condition joins frame by frame.

DiffDance's transformer attends to the music. What is aligned in time need not be searched for: in `release` the music
embedding, the beats and the energy of a frame modulate that frame (FiLM), as the noise level and the style do all
frames.
"""
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import nn

from models.dance_cascade.config import RELEASE_ENCODER, STYLES
from models.dance_cascade.encoder import MusicEncoder
from models.layers import Attention, FiLM, TimeEmbedding
from models.layers.local import near
from models.motion.representation import CHANNELS, Standard


class LocalFeedForward(nn.Module):
    """(B, N, width) -> same: linear, depth-wise convolution over tokens, GELU, linear."""

    def __init__(self, width, hidden, kernel, dropout):
        super().__init__()
        self.first, self.second = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.local = nn.Conv1d(hidden, hidden, kernel, padding=kernel // 2, groups=hidden) if kernel > 1 else None
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x, mask):
        h = self.first(x)
        if self.local is not None:
            h = h + near(self.local, h if mask is None else h * mask[..., None])
        return self.second(self.dropout(F.gelu(h)))


class Layer(nn.Module):
    """Self-attention, cross-attention to the music where configured, feed-forward; FiLM on the norm before each."""

    def __init__(self, c):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(c.width, elementwise_affine=False) for _ in range(2 + c.attention))
        self.films = nn.ModuleList(FiLM(c.condition, c.width) for _ in range(2 + c.attention))
        self.attention = Attention(c.width, c.heads)
        self.cross = Attention(c.width, c.heads, memory_width=c.condition) if c.attention else None
        self.feed_forward = LocalFeedForward(c.width, c.ffn, c.kernel, c.dropout)
        self.dropout = nn.Dropout(c.dropout)

    def forward(self, x, condition, memory, seconds, mask):
        """x (B, N, width), condition through SiLU and memory (B, N, condition), seconds (N,), mask (B, N) or None."""
        h = self.films[0].modulated(self.norms[0](x), condition)
        x = x + self.dropout(self.attention(h, seconds=seconds, mask=mask))
        if self.cross is not None:
            h = self.films[2].modulated(self.norms[2](x), condition)
            x = x + self.dropout(self.cross(h, memory, seconds, seconds, mask))
        return x + self.dropout(self.feed_forward(self.films[1].modulated(self.norms[1](x), condition), mask))


class Denoiser(nn.Module):
    """Noisy standardised motion x (B, T, 152) and timesteps t (B,) -> x0.

    condition   {"frames": (B, T, K) of `features.assemble`, "style": (B,) index into STYLES or -1 for unknown,
                 "low": (B, T, 152) standardised base, up-sampled, "low_noise": (B,) sigma it was given (both with
                 `low`)}
    null        (B,) bool: all of it but `low` is replaced by a learned vector
    mask        (B, T) bool, True on valid frames; None: all
    Buffers: `standard` mean and std of the channels; `rotation_limit` (24,); `energy` (2,) mean and std of log energy;
    `pose` (152,) the mean vector of the training split.
    """

    def __init__(self, config):
        super().__init__()
        self.config = c = config
        self.standard = Standard(CHANNELS)
        self.register_buffer("rotation_limit", torch.ones(24))
        self.register_buffer("energy", torch.tensor([0.0, 1.0]))
        self.register_buffer("pose", torch.zeros(CHANNELS))
        self.music_size = c.music_size if c.music != "none" else 0
        scratch = replace(RELEASE_ENCODER, embedding=c.music_size)
        self.encoder = MusicEncoder(scratch) if c.music == "scratch" else None      # trained along
        others = c.condition_size - self.music_size
        self.music_in = nn.Linear(self.music_size, c.condition) if self.music_size else None
        self.other_in = nn.Sequential(nn.Linear(others, c.condition), nn.SiLU(),
                                      nn.Linear(c.condition, c.condition)) if others else None
        self.null = nn.Parameter(torch.randn(c.condition) * 0.02)
        self.styles = nn.Embedding(len(STYLES) + 1, c.condition) if c.style else None
        self.time = TimeEmbedding(c.condition)
        self.low_level = TimeEmbedding(c.condition) if c.low else None
        self.motion_in = nn.Linear(CHANNELS * (1 + c.low) * c.patch, c.width)
        self.condition_in = nn.Linear(c.condition, c.width)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.layers))
        self.norm = nn.LayerNorm(c.width)
        self.out = nn.Linear(c.width, CHANNELS * c.patch)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def embed(self, condition, null):
        """(music (B, N, condition), others (B, N, condition)) per token; null rows hold the learned vector once."""
        c, frames = self.config, condition["frames"]
        pooled = frames.unflatten(1, (-1, c.patch)).mean(2) if c.patch > 1 else frames
        zero = pooled.new_zeros(pooled.shape[:2] + (c.condition,))
        music = self.music_in(pooled[..., :self.music_size]) if self.music_in is not None else zero
        other = self.other_in(pooled[..., self.music_size:]) if self.other_in is not None else zero
        if self.styles is not None:
            other = other + self.styles(condition["style"] + 1)[:, None]
        gone = null[:, None, None]
        return torch.where(gone, zero.to(music.dtype), music), torch.where(gone, self.null.to(other.dtype), other)

    def forward(self, x, t, condition, null, mask=None):
        c, frames = self.config, x.shape[1]
        if c.low:
            x = torch.cat([x, condition["low"].to(x.dtype)], dim=-1)
        pad = -frames % c.patch
        if pad:
            x = F.pad(x, (0, 0, 0, pad))
            condition = {**condition, "frames": F.pad(condition["frames"], (0, 0, 0, pad))}
            mask = F.pad(torch.ones(x.shape[0], frames, dtype=torch.bool, device=x.device) if mask is None else mask,
                         (0, pad))
        if mask is not None:
            x = x * mask[..., None]
            mask = mask.unflatten(1, (-1, c.patch)).any(2)                     # (B, N)
        music, other = self.embed(condition, null)
        level = self.time(t * (1000.0 / c.timesteps))
        if c.low:
            level = level + self.low_level(condition["low_noise"] * 1000.0)
        film = other + level[:, None]                                          # (B, N, condition)
        if not c.attention:
            film = film + music
        h = self.motion_in(x.unflatten(1, (-1, c.patch)).flatten(2) if c.patch > 1 else x)
        h = h + self.condition_in(film if c.attention else music + other)
        seconds = torch.arange(h.shape[1], device=h.device) * (c.patch / c.fps)
        active = F.silu(film)
        for layer in self.layers:
            h = layer(h, active, music + level[:, None], seconds, mask)
        out = self.out(self.norm(h))
        return (out.unflatten(2, (c.patch, -1)).flatten(1, 2) if c.patch > 1 else out)[:, :frames]
