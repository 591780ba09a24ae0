"""Stage 2: the cross-modality linear transformer (paper, "Cross-Modality Linear Transformer"; after MotionDiffuse).

Attention is the efficient, linear kind: queries are soft-maxed over their channels, keys over time, so a layer costs
O(T d^2). Music enters twice: as memory of a cross-attention and, frame by frame, as style beside the noise level.
"""
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from models.conductor.encoder import MusicEncoder
from models.conductor.unet import UNet
from models.layers import Stylisation, TimeEmbedding
from models.layers.local import near

MASKED = -1e6


def sinusoidal(position, width):
    """(...,) positions -> (..., width) sines and cosines, any length: nothing is learned, so it extrapolates."""
    half = width // 2
    frequency = torch.exp(-math.log(10_000.0) * torch.arange(half, device=position.device) / half)
    angle = position[..., None].float() * frequency
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


class LinearAttention(nn.Module):
    """Efficient attention; `memory=None` attends to x itself. mask: (B, T) True where memory frames are valid."""

    def __init__(self, width, heads, style, memory_width=None):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.memory_norm = nn.LayerNorm(memory_width) if memory_width else None
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(memory_width or width, 2 * width)
        self.style = Stylisation(style, width)

    def forward(self, x, active, mask, context=None):
        """x (B, T, width); active: style (B, T or 1, S) after SiLU; context: of a memory, x's own without one."""
        h = self.norm(x)
        q = self.query(h).unflatten(-1, (self.heads, -1)).softmax(-1).transpose(1, 2)      # (B, H, T, d)
        y = q @ (self._context(h, mask) if context is None else context)
        return x + self.style.modulated(y.transpose(1, 2).flatten(2), active)

    def context(self, memory, mask):
        """(B, H, d, d) of a memory (B, T, S): the same at every noise level."""
        return self._context(self.memory_norm(memory), mask)

    def _context(self, source, mask):
        k, v = self.key_value(source).chunk(2, dim=-1)
        if mask is not None:
            k, v = k + MASKED * ~mask[..., None], v * mask[..., None]
        k = k.float().softmax(1).to(v.dtype)                                   # over time
        k, v = (values.unflatten(-1, (self.heads, -1)).transpose(1, 2) for values in (k, v))
        return k.transpose(-1, -2) @ v


class FeedForward(nn.Module):
    """Two linear maps with GELU and no norm before; kernel > 1 adds a depth-wise convolution over time between."""

    def __init__(self, width, hidden, style, kernel=1, dropout=0.0):
        super().__init__()
        self.first, self.second = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.local = nn.Conv1d(hidden, hidden, kernel, padding=kernel // 2, groups=hidden) if kernel > 1 else None
        self.dropout = nn.Dropout(dropout)
        self.style = Stylisation(style, width)

    def forward(self, x, active, mask):
        h = self.first(x)
        if self.local is not None:
            h = h + near(self.local, h if mask is None else h * mask[..., None])
        return x + self.style.modulated(self.second(self.dropout(F.gelu(h))), active)


class Layer(nn.Module):
    """Self-attention, cross-attention to the music, feed-forward; each followed by a stylisation."""

    def __init__(self, c):
        super().__init__()
        self.self_attention = LinearAttention(c.width, c.heads, c.style)
        self.cross_attention = LinearAttention(c.width, c.heads, c.style, memory_width=c.style)
        self.feed_forward = FeedForward(c.width, c.ffn, c.style, c.kernel, c.dropout)

    def forward(self, x, active, mask, context):
        """context: of the music (`heard`)."""
        x = self.self_attention(x, active, mask)
        x = self.cross_attention(x, active, mask, context)
        return self.feed_forward(x, active, mask)

    def heard(self, memory, mask):
        """What the layer takes from the music whatever the noise level."""
        return self.cross_attention.context(memory, mask)


@dataclass(frozen=True)
class Heard:
    """A condition as the denoiser has it at every noise level.

    memory (B, N, S), or (1, 1, S) where it is the null token everywhere; start (B or 1, N, width); mask (B, N) or None:
    all valid; contexts: of the layers.
    """

    memory: torch.Tensor
    start: torch.Tensor
    mask: torch.Tensor | None
    contexts: list


class Denoiser(nn.Module):
    """x_t (B, T, C) standardised motion, t (B,) timesteps, condition (B, T, K) -> prediction (B, T, C).

    null: (B,) True where the learned null token replaces the condition. mask: (B, T) True on valid frames.
    Buffers `mean`, `std` (C,) and `pose` (147,) are statistics of the training split; they travel with the weights.
    """

    def __init__(self, config):
        super().__init__()
        self.config = c = config
        others = c.condition_size - c.encoder.features
        self.music_size = c.encoder.features
        self.register_buffer("mean", torch.zeros(c.channels))
        self.register_buffer("std", torch.ones(c.channels))
        self.register_buffer("pose", torch.zeros(147))
        self.encoder = MusicEncoder(c.encoder) if c.encoder_trained == "scratch" else None
        self.music_in = nn.Linear(self.music_size, self.music_size)
        self.other_in = nn.Linear(others, c.style) if others else None
        self.condition_in = nn.Linear(self.music_size * c.patch, c.style)
        self.patch_other = nn.Linear(c.style * c.patch, c.style) if self.other_in is not None else None
        self.null = nn.Parameter(torch.randn(c.style) * 0.02)
        self.time = TimeEmbedding(c.style)
        self.motion_in = nn.Linear(c.channels * c.patch, c.width)
        self.input_condition = nn.Linear(c.style, c.width) if c.condition_at_input else None
        self.layers = nn.ModuleList([UNet(c)] if c.trunk == "unet" else [Layer(c) for _ in range(c.layers)])
        self.out = nn.Linear(c.width, c.channels * c.patch)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def embed(self, condition, null):
        """Condition (B, T, K) -> (B, T/patch, style)."""
        patch = self.config.patch
        music = self.music_in(condition[..., :self.music_size])
        music = self.condition_in(music.unflatten(1, (-1, patch)).flatten(2))
        if self.other_in is not None:
            other = F.silu(self.other_in(condition[..., self.music_size:]))
            music = music + self.patch_other(other.unflatten(1, (-1, patch)).flatten(2))
        return torch.where(null[:, None, None], self.null.to(music.dtype), music)

    def hear(self, condition, null, mask=None):
        """`Heard` of a condition (B, T, K): made once for all steps of a sampling."""
        c, pad = self.config, -condition.shape[1] % self.config.patch
        condition = F.pad(condition, (0, 0, 0, pad))
        tokens = None if mask is None else F.pad(mask, (0, pad)).unflatten(1, (-1, c.patch)).any(2)         # (B, N)
        memory = self.embed(condition, null)                                   # (B, N, style)
        start = sinusoidal(torch.arange(memory.shape[1], device=memory.device), c.width)
        if self.input_condition is not None:
            start = start + self.input_condition(memory)
        return Heard(memory, start, tokens, [layer.heard(memory, tokens) for layer in self.layers])

    def hear_nothing(self, frames):
        """`Heard` of no condition, for rows of so many frames: one token, as all are alike."""
        c = self.config
        memory = self.null[None, None]
        start = sinusoidal(torch.arange(-(-frames // c.patch), device=memory.device), c.width)[None]
        if self.input_condition is not None:
            start = start + self.input_condition(memory)
        return Heard(memory, start, None, [layer.heard(memory, None) for layer in self.layers])

    def forward(self, x, t, condition, null, mask=None):
        return self.denoise(x, t, self.hear(condition, null, mask))

    def denoise(self, x, t, heard):
        """`forward` with a condition that was heard before."""
        c, frames = self.config, x.shape[1]
        x = F.pad(x, (0, 0, 0, -frames % c.patch))
        active = F.silu(heard.memory + self.time(t)[:, None])        # one style per frame, as published; after SiLU
        h = self.motion_in(x.unflatten(1, (-1, c.patch)).flatten(2)) + heard.start             # (B, N, width)
        for layer, context in zip(self.layers, heard.contexts):
            h = layer(h, active, heard.mask, context)
        return self.out(h).unflatten(2, (c.patch, -1)).flatten(1, 2)[:, :frames]
