"""The beat network: a temporal convolutional network over frames (after Davies and Boeck 2019, "Temporal convolutional
networks for musical audio beat tracking"), with beat, downbeat and phase at every frame; one class for body and
music."""
import torch
import torch.nn.functional as F
from torch import nn


class ChannelNorm(nn.Module):
    """Root-mean-square norm over channels of (N, C, T): no statistics over time, so any length behaves alike."""

    def __init__(self, channels):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-6) * self.gain


class DilatedBlock(nn.Module):
    """x + pointwise(gelu(dilated(norm(x))))."""

    def __init__(self, channels, kernel, dilation, dropout):
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.dilated = nn.Conv1d(channels, channels, kernel, padding=kernel // 2 * dilation, dilation=dilation)
        self.drop = nn.Dropout1d(dropout)
        self.pointwise = nn.Conv1d(channels, channels, 1)
        nn.init.zeros_(self.pointwise.weight)
        nn.init.zeros_(self.pointwise.bias)

    def forward(self, x):
        return x + self.pointwise(self.drop(F.gelu(self.dilated(self.norm(x)))))


def seen_by(config, features):
    """What a network of that configuration sees of features (N, T, C): (N, C, T); of music its rise too, (N, 2C, T)."""
    x = features.transpose(1, 2)
    if config.kind == "music":
        x = (x + 3.5) / 2.0  # natural log of the mel: about zero mean, unit variance
        rise = F.relu(x[..., 1:] - x[..., :-1])
        x = torch.cat([x, F.pad(rise, (1, 0))], dim=1)
    return x


class BeatNetwork(nn.Module):
    """Features (N, T, C) -> (N, T, 4): logits of beat and downbeat, then phase cos and sin (0 on the beat)."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        width = config.width
        # Music gets its own rise in time beside it: onsets are rises.
        factor = 2 if config.kind == "music" else 1
        self.stem = nn.Conv1d(config.in_channels * factor, width, 5, padding=2)
        self.stem_norm = ChannelNorm(width)
        self.stem_mix = nn.Conv1d(width, width, 3, padding=1)
        self.blocks = nn.ModuleList(DilatedBlock(width, config.kernel, 2 ** i, config.dropout)
                                    for i in range(config.blocks))
        self.norm = ChannelNorm(width)
        self.head = nn.Conv1d(width, 4, 1)
        with torch.no_grad():
            self.head.bias.copy_(torch.tensor([-2.0, -3.0, 0.0, 0.0]))

    @property
    def reach(self):
        """Frames of context on each side that can change an output."""
        return 4 + sum(self.config.kernel // 2 * 2 ** i for i in range(self.config.blocks))

    def forward(self, features):
        x = seen_by(self.config, features)
        x = self.stem_mix(F.gelu(self.stem_norm(self.stem(x))))     # (N, width, T)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)).transpose(1, 2)              # (N, T, 4)


def activations(output):
    """(..., 4) network output -> (..., 4): probabilities of beat and downbeat, phase cos and sin no longer than 1."""
    output = output.float()
    phase = output[..., 2:]
    length = phase.norm(dim=-1, keepdim=True).clamp_min(1.0)
    return torch.cat([output[..., :2].sigmoid(), phase / length], dim=-1)
