"""Who plays, heard: a temporal convolutional network from the mel of the sound and the side that it comes from to the
first two channels of `models.conductor.focus`.

Where a recording tells left from right, players are where they sound; in mono they are where an orchestra has them.
"""
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from core import checkpoints
from models.conductor.features import SIDE_BANDS
from models.conductor.focus import CUE, LEAD, YAW, focus_channels

RISE = 3                        # frames over which a band has become louder
PAST, GAP = 45, 4               # frames that what sounds is held against, and how long before it they end
# What is heard lies nearer to its mean than who plays: 1.3 (real scores) to 1.5 times (the studio) on the valid split.
SPREAD, FARTHEST = 1.4, 1.3     # the latter over `YAW`
ENTRIES = 4.0                   # how much more an entry counts in the loss than who has the melody
CHUNK = 30 * 60                 # frames heard at once


@dataclass(frozen=True)
class PlayersConfig:
    """The network and the crops it is trained on."""

    bands: int = 64                 # of the mel
    width: int = 96
    kernel: int = 5
    blocks: int = 6                 # dilations 1, 2, 4 ...: 4.2 s on each side
    dropout: float = 0.15           # of whole channels
    window: int = 420               # frames of a crop
    mono: float = 0.2               # share of the crops without sides
    swapped: float = 0.15           # with left and right exchanged, and players too: the ear decides, not the timbre
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05


PLAYERS = {"release": PlayersConfig(), "tiny": PlayersConfig(width=16, blocks=3, window=60, batch=4)}


class Block(nn.Module):
    """x + pointwise(gelu(dilated(x / its root mean square))) of (B, C, T)."""

    def __init__(self, width, kernel, dilation, dropout):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width, 1))
        self.dilated = nn.Conv1d(width, width, kernel, padding=kernel // 2 * dilation, dilation=dilation)
        self.drop, self.pointwise = nn.Dropout1d(dropout), nn.Conv1d(width, width, 1)

    def forward(self, x):
        normed = x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-6) * self.gain       # over channels alone
        return x + self.pointwise(self.drop(F.gelu(self.dilated(normed))))


class Players(nn.Module):
    """mel (B, T, 64) in 0..1, side (B, T, 16) in -1..1, left positive -> (B, T, 2): yaw times weight, weight."""

    def __init__(self, config):
        super().__init__()
        self.config = c = config
        self.inlet = nn.Conv1d(2 * c.bands + 5 * SIDE_BANDS, c.width, c.kernel, padding=c.kernel // 2)
        self.blocks = nn.ModuleList(Block(c.width, c.kernel, 2 ** i, c.dropout) for i in range(c.blocks))
        self.head = nn.Conv1d(c.width, 2, 1)

    def forward(self, mel, side):
        rise = F.pad(F.relu(mel[:, RISE:] - mel[:, :-RISE]), (0, 0, RISE, 0))
        pooled = lambda values: values.unflatten(-1, (SIDE_BANDS, -1)).mean(-1)         # noqa: E731
        new = pooled(F.relu(mel - _before(mel)))
        x = torch.cat([2 * mel - 1, 4 * rise, side, side * pooled(mel), 8 * side * pooled(rise), 4 * new,
                       8 * side * new], -1)
        x = self.inlet(x.transpose(1, 2))
        for block in self.blocks:
            x = block(x)
        return self.head(x).transpose(1, 2)


def _before(mel):
    """(B, T, bands): mean of the `PAST` frames that end `GAP` before each; of what there is near the beginning."""
    total = F.pad(mel.float().cumsum(1), (0, 0, 1, 0))
    frame = torch.arange(mel.shape[1], device=mel.device)
    last = (frame - GAP).clamp(min=1)
    first = (last - PAST).clamp(min=0)
    return ((total[:, last] - total[:, first]) / (last - first)[:, None]).to(mel.dtype)


def players_loss(network, mel, side, target, mask):
    """(mean squared error of yaw times weight and of weight, {name: value}); target (B, T, 2 or more), mask (B, T)."""
    weight = mask * (1 + ENTRIES * (target[..., 1] - LEAD) / (CUE - LEAD))
    error = (network(mel, side).float() - target[..., :2]) ** 2 * weight[..., None]
    parts = error.sum((0, 1)) / weight.sum().clamp(min=1)
    return parts.sum(), {"yaw": parts[0].detach(), "weight": parts[1].detach()}


@torch.no_grad()
def who_plays(network, mel, side):
    """(T, 3) float32 of `models.conductor.focus` of a whole track; mel (T, 64), side (T, 16) arrays."""
    device, rows = next(network.parameters()).device, []
    reach = 2 * 2 ** network.config.blocks * (network.config.kernel // 2) + PAST + GAP
    mel, side = (torch.from_numpy(np.ascontiguousarray(values)).float().to(device)[None] for values in (mel, side))
    for first in range(0, mel.shape[1], CHUNK):
        low, high = max(0, first - reach), min(mel.shape[1], first + CHUNK + reach)
        found = network(mel[:, low:high], side[:, low:high])[0].float()
        rows.append(found[first - low:min(first + CHUNK, mel.shape[1]) - low])
    found = torch.cat(rows).cpu().numpy() if rows else np.zeros((0, 2), np.float32)
    weight = np.clip(found[:, 1], LEAD, CUE)
    side = found[:, 0] / weight
    middle = float(side.mean()) if len(side) else 0.0
    return focus_channels(YAW * np.clip(middle + SPREAD * (side - middle), -FARTHEST, FARTHEST), weight)


def load_players(folders=None, run=""):
    """The network of a training run, or of the checkpoint found in `folders`. Raises NoCheckpoint."""
    if run:
        # a developer's own run; released weights need no training code
        from models.training.run_folder import RunFolder
        config, state = RunFolder(run).read_config()["config"], RunFolder(run).average()
    else:
        found = checkpoints.find("conductor", "players", folders)
        config, state = found.config, checkpoints.load_state(found)
    network = Players(PlayersConfig(**config))
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)
