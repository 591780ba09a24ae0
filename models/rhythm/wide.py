"""A larger beat network of about the same cost: most of its weights work at a quarter of the frames.

Onsets are heard at every frame; which of them are beats, and at which level, is told by a trunk at 12.5 Hz whose layers
attend over ten seconds on either side (after Foscarin et al. 2024, "Beat this! Accurate beat tracking without DBN
postprocessing", and Beltagy et al. 2020, "Longformer", for attention of limited sight), and its word is brought back to
the frames. Input, output and any length as of `models.rhythm.network.BeatNetwork`.
"""
import torch
import torch.nn.functional as F
from torch import nn

from models.layers.attention import Rotary, attend
from models.rhythm.network import BeatNetwork, ChannelNorm, DilatedBlock, seen_by


class SightedAttention(nn.Module):
    """x + attention of each place to those at most `sight` places away; x (N, C, S)."""

    def __init__(self, channels, heads, sight, seconds, dropout):
        """seconds: time from one place to the next."""
        super().__init__()
        self.heads, self.sight, self.seconds = heads, sight, seconds
        self.norm = ChannelNorm(channels)
        self.inner = nn.Conv1d(channels, 3 * channels, 1, bias=False)
        self.rotary = Rotary(channels // heads, shortest=2 * seconds)
        self.drop = nn.Dropout1d(dropout)
        self.out = nn.Conv1d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x):
        count, channels, places = x.shape
        sight = self.sight
        blocks = -(-places // sight)                # of queries; their keys are the blocks before, at and after them
        room = blocks * sight - places
        split = self.inner(self.norm(x)).unflatten(1, (3, self.heads, -1)).transpose(-1, -2)  # (N, 3, heads, S, d)
        index = torch.arange(places, device=x.device)
        q, k = (self.rotary(part, index * self.seconds) for part in (split[:, 0], split[:, 1]))
        q = F.pad(q, (0, 0, 0, room)).unflatten(2, (blocks, sight)).transpose(1, 2)           # (N, blocks, heads, ...)
        k, v = (F.pad(part, (0, 0, sight, room + sight)).unfold(2, 3 * sight, sight).permute(0, 2, 1, 4, 3)
                for part in (k, split[:, 2]))
        here = torch.arange(blocks * sight, device=x.device).reshape(blocks, sight, 1)
        there = here[:, :1] - sight + torch.arange(3 * sight, device=x.device)
        near = ((here - there).abs() <= sight) & (there >= 0) & (there < places)              # (blocks, sight, 3 sight)
        near = near[None].expand(count, -1, -1, -1).flatten(0, 1)[:, None]                    # the same for all heads
        y = attend(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), near)                   # (N blocks, heads, ...)
        y = y.unflatten(0, (count, blocks)).transpose(1, 2).flatten(2, 3)[:, :, :places]      # (N, heads, S, d)
        return x + self.out(self.drop(y.transpose(-1, -2).flatten(1, 2)))


class WideNetwork(nn.Module):
    """Features (N, T, C) -> (N, T, 4), as `BeatNetwork`."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        width, wide, pace = config.width, config.wide, config.pace
        factor = 2 if config.kind == "music" else 1
        self.stem = nn.Conv1d(config.in_channels * factor, width, 5, padding=2)
        self.stem_norm = ChannelNorm(width)
        self.stem_mix = nn.Conv1d(width, width, 3, padding=1)
        self.before = self._blocks(width, config.blocks)
        self.down = nn.Conv1d(width, wide, pace, stride=pace)
        self.trunk = nn.ModuleList()
        for layer in range(config.layers):
            self.trunk.append(DilatedBlock(wide, config.kernel, 2 ** layer, config.dropout))
            self.trunk.append(SightedAttention(wide, config.heads, config.sight, pace / config.fps, config.dropout))
        self.trunk_norm = ChannelNorm(wide)
        self.up = nn.Conv1d(wide, width * pace, 1)
        self.after = self._blocks(width, config.blocks)
        self.norm = ChannelNorm(width)
        self.head = nn.Conv1d(width, 4, 1)
        with torch.no_grad():
            self.head.bias.copy_(torch.tensor([-2.0, -3.0, 0.0, 0.0]))

    def _blocks(self, width, count):
        config = self.config
        return nn.ModuleList(DilatedBlock(width, config.kernel, 2 ** i, config.dropout) for i in range(count))

    @property
    def reach(self):
        """Frames of context on each side that can change an output: a whole number of places of the trunk, so that
        chunks begin where these do."""
        config = self.config
        slow = 1 + sum(config.kernel // 2 * 2 ** i + config.sight for i in range(config.layers))
        fast = 4 + 2 * sum(config.kernel // 2 * 2 ** i for i in range(config.blocks))
        return (slow - (-fast // config.pace)) * config.pace

    def forward(self, features):
        x = seen_by(self.config, features)
        x = self.stem_mix(F.gelu(self.stem_norm(self.stem(x))))     # (N, width, T)
        for block in self.before:
            x = block(x)
        frames, pace = x.shape[-1], self.config.pace
        slow = self.down(F.pad(x, (0, -frames % pace)))             # (N, wide, ceil(T / pace))
        for layer in self.trunk:
            slow = layer(slow)
        told = self.up(self.trunk_norm(slow)).unflatten(1, (-1, pace)).transpose(-1, -2).flatten(2)
        x = x + told[..., :frames]
        for block in self.after:
            x = block(x)
        return self.head(self.norm(x)).transpose(1, 2)              # (N, T, 4)


def beat_network(config):
    """A fresh network of a `RhythmConfig`: the larger one where it has layers of a trunk."""
    return WideNetwork(config) if config.layers else BeatNetwork(config)
