"""A small convolutional classifier over time."""
import torch
from torch import nn

from core.contract import GENRES


class GenreNetwork(nn.Module):
    """(B, T, C) features -> (B, 10) logits; T at least 2 ** blocks frames."""

    def __init__(self, config):
        super().__init__()
        layers, width = [], config.channels
        for _ in range(config.blocks):
            layers += [nn.Conv1d(width, config.width, 5, padding=2), nn.GroupNorm(8, config.width), nn.GELU(),
                       nn.Conv1d(config.width, config.width, 5, padding=2, dilation=1), nn.GroupNorm(8, config.width),
                       nn.GELU(), nn.MaxPool1d(2)]
            width = config.width
        self.trunk = nn.Sequential(*layers)
        self.drop = nn.Dropout(config.dropout)
        self.head = nn.Linear(2 * config.width, len(GENRES))

    def embed(self, features):
        """(B, T, C) features -> (B, 2 width): mean and maximum over time, what the last layer sees."""
        x = self.trunk(features.transpose(1, 2))                # (B, W, T / 2^blocks)
        return torch.cat([x.mean(2), x.amax(2)], 1)

    def forward(self, features):
        return self.head(self.drop(self.embed(features)))
