"""Multi-head attention whose rotary positions are seconds, so that sequences of different rates share one clock.

With index positions a latent at 10.8 Hz and a motion token at 10 Hz would have to learn which belong together. Rotating
queries and keys by their time in seconds (RoFormer, Su et al. 2021, eq. 34, time for index) makes the score depend on
the time difference.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

SMALL = 128 * 128           # queries x keys up to which plain products are used on a CPU


class Rotary(nn.Module):
    """Rotation of head channels by time. Periods run geometrically from `shortest` to `longest` seconds."""

    def __init__(self, head_width, shortest=0.1, longest=60.0):
        super().__init__()
        count = head_width // 2
        periods = torch.exp(torch.linspace(math.log(shortest), math.log(longest), count))
        self.register_buffer("frequency", 2 * math.pi / periods, persistent=False)

    def forward(self, x, seconds):
        """x (B, heads, N, head_width), seconds (N,) or (B, N) -> rotated x."""
        angle = seconds.float()[..., None] * self.frequency                    # (N, D/2) or (B, N, D/2)
        if angle.dim() == 3:
            angle = angle[:, None]                                             # (B, 1, N, D/2)
        cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


def attend(q, k, v, mask=None):
    """softmax(q k^T / sqrt(d)) v for (B, heads, N, d), (B, heads, M, d) twice; mask bool, True where seen, or None.

    On a CPU torch's fused kernel needs four times as long as three plain products on the short sequences we train on
    (measured: 64 x 60, bf16, forward and backward); the fused one is kept for long sequences, where it saves memory,
    and for GPUs.
    """
    if q.device.type == "cpu" and q.shape[-2] * k.shape[-2] <= SMALL:
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        return scores.softmax(-1).to(v.dtype) @ v
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


class Attention(nn.Module):
    """Self-attention (no memory) or cross-attention, softmax over keys.

    width         channels of the queries and the output; memory_width: channels of keys and values (default width)
    heads         width must divide by 2 * heads
    rotary        a `Rotary` for both sides, or None for no positions
    zero_init     start as no-op (output projection 0)
    """

    def __init__(self, width, heads, memory_width=None, rotary=True, zero_init=True):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(memory_width or width, 2 * width, bias=False)
        self.out = nn.Linear(width, width)
        self.rotary = Rotary(width // heads) if rotary is True else rotary
        if zero_init:
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def forward(self, x, memory=None, seconds=None, memory_seconds=None, mask=None):
        """x (B, N, width); memory (B, M, memory_width) or None; seconds (N,) or (B, N), memory_seconds likewise for M;
        mask bool (B, M), True where a key may be seen. Returns (B, N, width)."""
        memory, memory_seconds = (x, seconds) if memory is None else (memory, memory_seconds)
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # noqa: E731  (B, heads, N, width / heads)
        q, (k, v) = split(self.query(x)), (split(y) for y in self.key_value(memory).chunk(2, dim=-1))
        if self.rotary is not None and seconds is not None:
            q, k = self.rotary(q, seconds), self.rotary(k, memory_seconds)
        mask = None if mask is None else mask[:, None, None, :]
        y = attend(q, k, v, mask)
        return self.out(y.transpose(1, 2).flatten(2))
