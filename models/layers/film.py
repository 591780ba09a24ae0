"""Feature-wise modulation by a condition vector (Perez et al. 2018) and the blocks made of it."""
import torch
import torch.nn.functional as F
from torch import nn


class FiLM(nn.Module):
    """x (B, N, width), condition (B, C) or per frame (B, N, C) -> x (1 + scale) + shift; starts as the identity."""

    def __init__(self, condition_width, width):
        super().__init__()
        self.project = nn.Sequential(nn.SiLU(), nn.Linear(condition_width, 2 * width))
        nn.init.zeros_(self.project[1].weight)
        nn.init.zeros_(self.project[1].bias)
        self.register_buffer("identity", torch.cat([torch.ones(width), torch.zeros(width)]), persistent=False)

    def forward(self, x, condition):
        return self.modulated(x, self.project[0](condition if condition.dim() == x.dim() else condition[:, None]))

    def modulated(self, x, active):
        """`forward` of a condition (B, N or 1, C) that has been through SiLU: layers that share one need it once."""
        linear = self.project[1]
        scale, shift = F.linear(active, linear.weight, linear.bias + self.identity).chunk(2, dim=-1)
        return torch.addcmul(shift, x, scale)


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
        return self.out(F.silu(self.film(self.norm(y), condition)))

    def modulated(self, y, active):
        """`forward` of a condition (B, N or 1, C) that has been through SiLU."""
        return self.out(F.silu(self.film.modulated(self.norm(y), active)))


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
