"""Embedding of the diffusion timestep."""
import math

import torch
from torch import nn


class TimeEmbedding(nn.Module):
    """t (B,) -> (B, width): sines and cosines of 1..10,000 periods (Ho et al. 2020, appendix B), then a two-layer
    MLP."""

    def __init__(self, width, frequencies=128):
        super().__init__()
        half = frequencies // 2
        self.register_buffer("frequency", torch.exp(-math.log(10_000) * torch.arange(half) / half), persistent=False)
        self.mlp = nn.Sequential(nn.Linear(2 * half, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t):
        angle = t.float()[:, None] * self.frequency
        return self.mlp(torch.cat([angle.cos(), angle.sin()], dim=-1))
