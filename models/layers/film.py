"""Feature-wise modulation by a condition vector (Perez et al. 2018) and the blocks made of it."""
import torch
from torch import nn


class FiLM(nn.Module):
    """x (B, N, width), condition (B, C) or per frame (B, N, C) -> x (1 + scale) + shift; starts as the identity."""

    def __init__(self, condition_width, width):
        super().__init__()
        self.project = nn.Sequential(nn.SiLU(), nn.Linear(condition_width, 2 * width))
        nn.init.zeros_(self.project[1].weight)
        nn.init.zeros_(self.project[1].bias)

    def forward(self, x, condition):
        scale, shift = self.project(condition if condition.dim() == x.dim() else condition[:, None]).chunk(2, dim=-1)
        return x * (1 + scale) + shift


class Stylisation(nn.Module):
    """y' = W0(SiLU(FiLM(LN(y), condition))), W0 starting at zero: the stylisation block of MotionDiffuse (Zhang et al.
    2022)."""

    def __init__(self, condition_width, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.film = FiLM(condition_width, width)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, y, condition):
        return self.out(torch.nn.functional.silu(self.film(self.norm(y), condition)))


class FeedForward(nn.Module):
    """(B, N, width) -> same: linear, GELU, linear (zero-initialised where asked)."""

    def __init__(self, width, hidden, dropout=0.0, zero_init=True):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width))
        if zero_init:
            nn.init.zeros_(self.net[3].weight)
            nn.init.zeros_(self.net[3].bias)

    def forward(self, x):
        return self.net(x)
