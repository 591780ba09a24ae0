"""A U-Net in place of the denoiser's transformer layers: what the paper's successors use, at the same size.

Convolutions over time at three rates, with the noise level and the music of each frame as style (averaged where frames
are). There is no attention: two seconds and more are reached by the coarse rates alone.
"""
import torch
import torch.nn.functional as F
from torch import nn

from models.layers import Stylisation

RATES = 3                           # full, half and quarter


class Block(nn.Module):
    """(B, N, C) -> the same: norm, SiLU, convolution over 3 tokens; then a stylisation, which starts at zero."""

    def __init__(self, width, style):
        super().__init__()
        self.norm, self.conv = nn.LayerNorm(width), nn.Conv1d(width, width, 3, padding=1)
        self.style = Stylisation(style, width)

    def forward(self, x, active, mask):
        y = F.silu(self.norm(x))
        y = y if mask is None else y * mask[..., None]
        return x + self.style.modulated(self.conv(y.transpose(1, 2)).transpose(1, 2), active)


class UNet(nn.Module):
    """Tokens (B, N, width), style (B, N, S) after SiLU, mask (B, N) True where valid or None -> (B, N, width)."""

    def __init__(self, c):
        super().__init__()
        self.down = nn.ModuleList(Block(c.width, c.style) for _ in range(RATES))
        self.middle = Block(c.width, c.style)
        self.joined = nn.ModuleList(nn.Linear(2 * c.width, c.width) for _ in range(RATES - 1))
        self.up = nn.ModuleList(Block(c.width, c.style) for _ in range(RATES - 1))

    def heard(self, memory, mask):
        """Nothing: the style holds the music."""

    def forward(self, x, active, mask, context):
        styles, masks, kept = [active], [mask], []
        for block in self.down[:-1]:
            kept.append(block(x, styles[-1], masks[-1]))
            x = halved(kept[-1], masks[-1])
            styles.append(halved(styles[-1], masks[-1]))
            masks.append(mask if mask is None else halved(masks[-1][..., None].to(x), masks[-1])[..., 0] > 0)
        x = self.middle(self.down[-1](x, styles[-1], masks[-1]), styles[-1], masks[-1])
        for rate in reversed(range(len(kept))):
            wide = x.repeat_interleave(2, dim=1)[:, :kept[rate].shape[1]]
            x = self.joined[rate](torch.cat([kept[rate], wide], dim=-1))
            x = self.up[rate](x, styles[rate], masks[rate])
        return x


def halved(values, mask):
    """(B, N, C) -> (B, N/2 rounded up, C): means of two neighbours, of the valid one where the other is not."""
    weight = torch.ones_like(values[..., :1]) if mask is None else mask[..., None].to(values)
    both = F.avg_pool1d(F.pad((values * weight).transpose(1, 2), (0, values.shape[1] % 2)), 2)
    share = F.avg_pool1d(F.pad(weight.transpose(1, 2), (0, values.shape[1] % 2)), 2)
    return (both / share.clamp(min=0.5)).transpose(1, 2)
