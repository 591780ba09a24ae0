"""Residual convolution blocks for one (time) or two (frequency, time) dimensions."""
import torch
from torch import nn
from torch.nn import functional as F


def conv_nd(dims, in_channels, out_channels, kernel, stride=1, padding=None):
    """nn.Conv1d or nn.Conv2d; padding keeps the size of an odd kernel at stride 1."""
    kind = {1: nn.Conv1d, 2: nn.Conv2d}[dims]
    return kind(in_channels, out_channels, kernel, stride, kernel // 2 if padding is None else padding)


def _groups(channels, most=32):
    return next(g for g in range(min(most, channels), 0, -1) if channels % g == 0)


class ChannelNorm(nn.Module):
    """RMS norm over the channels of each frame (B, C, ...). No statistics over time, so a convolutional network with it
    gives the same answer on a crop as on the whole passage (away from the ends), whatever the length."""

    def __init__(self, channels):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        scale = torch.rsqrt(x.float().square().mean(1, keepdim=True) + 1e-6).to(x.dtype)
        return x * scale * self.gain.to(x.dtype).reshape(-1, *(1,) * (x.dim() - 2))


def make_norm(kind, channels):
    """group: GroupNorm of up to 32 groups, for windows of fixed size; channel: `ChannelNorm`, for passages of any
    length."""
    return nn.GroupNorm(_groups(channels), channels) if kind == "group" else ChannelNorm(channels)


class ResBlock(nn.Module):
    """norm-SiLU-conv twice with a skip; an embedding, if any, scales and shifts in between (Dhariwal & Nichol 2021,
    section 3).

    dims 1: (B, C, T); dims 2: (B, C, H, W). embedding_width 0: no condition. norm: see `make_norm`. The second
    convolution starts at zero.
    """

    def __init__(self, dims, in_channels, out_channels=None, kernel=3, embedding_width=0, dropout=0.0, norm="group"):
        super().__init__()
        out_channels = out_channels or in_channels
        self.norm1 = make_norm(norm, in_channels)
        self.conv1 = conv_nd(dims, in_channels, out_channels, kernel)
        self.norm2 = make_norm(norm, out_channels)
        self.conv2 = conv_nd(dims, out_channels, out_channels, kernel)
        self.embed = nn.Linear(embedding_width, 2 * out_channels) if embedding_width else None
        self.dropout = nn.Dropout(dropout)
        same = in_channels == out_channels
        self.skip = nn.Identity() if same else conv_nd(dims, in_channels, out_channels, 1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x, embedding=None):
        """x (B, in, ...), embedding (B, E) -> (B, out, ...)."""
        y = self.norm2(self.conv1(F.silu(self.norm1(x))))
        if self.embed is not None:
            scale, shift = self.embed(F.silu(embedding)).unflatten(-1, (-1,) + (1,) * (y.dim() - 2)).chunk(2, dim=1)
            y = y * (1 + scale) + shift
        return self.skip(x) + self.conv2(self.dropout(F.silu(y)))


class Downsample(nn.Module):
    """Halves every spatial axis by a strided convolution; odd sizes round up."""

    def __init__(self, dims, in_channels, out_channels=None):
        super().__init__()
        self.conv = conv_nd(dims, in_channels, out_channels or in_channels, 3, stride=2, padding=1)

    def forward(self, x):
        return self.conv(x)


class Upsample(nn.Module):
    """Doubles every spatial axis (nearest) and convolves; `size` cuts the result to that of a skip connection."""

    def __init__(self, dims, in_channels, out_channels=None):
        super().__init__()
        self.conv = conv_nd(dims, in_channels, out_channels or in_channels, 3)

    def forward(self, x, size=None):
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        if size is not None:
            x = x[(..., *(slice(0, n) for n in size))]
        return self.conv(x)
