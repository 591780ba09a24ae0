"""The diffusion transformers eps_a(z_a, t, z_m) and eps_m(z_m, t, z_a): one class, two instances with weights of
their own.

The other modality's latents enter twice: frame by frame, added to the latents they belong to, and as tokens. The
sequence is [t; condition; latents]; positions are seconds on the common clock (rotary), so any length goes through.
"""
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional as F

from models.conditions import Conditions
from models.layers import Attention, Downsample, ResBlock, TimeEmbedding, Upsample
from models.momu.config import DOWNSAMPLE, LATENT_RATE, RHYTHM_CHANNELS
from models.motion.representation import Standard
from models.music_ldm.timbre import Timbre

SCALES = 3                      # time scales of the U-Net


@dataclass
class Condition(Conditions):
    """A batch of conditions; what is not given is zero and flagged as unknown. The tempo goes with the rhythm.

    Guidance is to amplify what is asked for, not every piece's mix: the code stays.

    other (B, 64, L) standardised latents of the other modality, other_known (B,) 0 or 1; rhythm (B, 20, L) curve
    under each latent; tempo (B, 2) log2(bpm / 120) and 1 where known; style (B, genres) one-hot or zeros; code (B,
    K + 1), last 1 where known.
    """

    other: torch.Tensor
    other_known: torch.Tensor
    rhythm: torch.Tensor
    tempo: torch.Tensor
    style: torch.Tensor
    code: torch.Tensor
    together = {"other": ("other", "other_known"), "rhythm": ("rhythm", "tempo"), "style": ("style",),
                "code": ("code",)}
    stays = ("code",)

    def alone(self):
        """Without the other modality."""
        return self.dropped(other=torch.ones(len(self.other), dtype=torch.bool, device=self.other.device))

    def given(self, other):
        """With these latents (B, 64, L) of the other modality."""
        return Condition(other, torch.ones_like(self.other_known), self.rhythm, self.tempo, self.style, self.code)


class Block(nn.Module):
    """Self-attention and a convolutional feed-forward layer, both scaled, shifted and gated by t (adaLN, Peebles &
    Xie 2023)."""

    def __init__(self, config):
        super().__init__()
        width, kernel = config.width, config.kernel
        self.norms = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.attention = Attention(width, config.heads, zero_init=False)
        self.expand = nn.Conv1d(width, config.hidden, kernel, padding=kernel // 2)
        self.contract = nn.Linear(config.hidden, width)
        self.dropout = nn.Dropout(config.dropout)
        self.modulation = nn.Parameter(torch.randn(6, width) * 0.02)

    def forward(self, x, seconds, mask, embedded):
        """x (B, N, width), seconds (N,), mask (B, N) bool or None, embedded (B, 6, width) -> (B, N, width)."""
        shift1, scale1, gate1, shift2, scale2, gate2 = (embedded + self.modulation)[:, :, None].unbind(1)
        y = self.norms[0](x) * (1 + scale1) + shift1
        x = x + gate1 * self.dropout(self.attention(y, seconds=seconds, mask=mask))
        y = self.norms[1](x) * (1 + scale2) + shift2
        if mask is not None:
            y = y * mask[..., None]  # what lies beyond a crop's end does not reach into it
        y = self.expand(y.transpose(1, 2)).transpose(1, 2)
        return x + gate2 * self.contract(self.dropout(F.gelu(y)))


class DiT(nn.Module):
    """eps, x0 or v of standardised latents x (B, 64, L) at timestep t (B,) under a `Condition`."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        width, genres = config.width, len(config.genres)
        self.own, self.other = Standard(config.latent), Standard(config.latent)  # of what it makes, of what it is given
        self.time = TimeEmbedding(width)
        self.style = nn.Linear(genres + 2 + 1, width)
        self.code = Timbre(config.code, genres, width) if config.code else None
        self.input = nn.Conv1d(config.latent, width, 5, padding=2)
        self.other_frames = nn.Conv1d(config.latent, width, 5, padding=2) if config.frame_wise else None
        self.rhythm = nn.Conv1d(RHYTHM_CHANNELS * DOWNSAMPLE, width, 3, padding=1) if config.rhythm else None
        self.other_tokens = nn.Conv1d(config.latent, width, 2 * config.pool - 1, config.pool, config.pool - 1)
        self.kind = nn.Parameter(torch.randn(3, width) * 0.02)      # t, condition, latents
        self.modulation = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.last = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, config.latent)
        for layer in (self.modulation, self.last, self.output):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def standardise(self, latents):
        """Latents (B, 64, L) of what it makes, as their VAE gives them -> zero mean and unit spread per channel."""
        return self.own(latents.transpose(1, -1)).transpose(1, -1)

    def restore(self, latents):
        """Inverse of `standardise`."""
        return self.own.restore(latents.transpose(1, -1)).transpose(1, -1)

    def embedding(self, t, condition):
        """What holds for the whole crop, (B, width): time, style, tempo, code."""
        config, embedding = self.config, self.time(t)
        if config.style or config.rhythm:
            said = [condition.style * float(config.style), condition.tempo * float(config.rhythm),
                    condition.other_known[:, None]]
            embedding = embedding + self.style(torch.cat(said, dim=-1))
        return embedding if self.code is None else embedding + self.code(condition.code)

    def frames(self, x, condition):
        """What holds frame by frame, (B, width, L): the noisy latents, the other modality's, the rhythm."""
        frames = self.input(x)
        if self.other_frames is not None:
            frames = frames + self.other_frames(condition.other) * condition.other_known[:, None, None]
        return frames if self.rhythm is None else frames + self.rhythm(condition.rhythm)

    def forward(self, x, t, condition, mask=None):
        """x (B, 64, L), t (B,) long, mask (B, L) bool (True where the crop is) or None -> (B, 64, L)."""
        config, length = self.config, x.shape[-1]
        known = condition.other_known[:, None]
        if mask is not None:
            condition = Condition(condition.other * mask[:, None], condition.other_known, condition.rhythm,
                                  condition.tempo, condition.style, condition.code)
        embedding, frames = self.embedding(t, condition), self.frames(x, condition)
        tokens = self.other_tokens(condition.other).transpose(1, 2) * known[..., None]
        clock = (torch.arange(length, device=x.device) + 0.5) / LATENT_RATE
        seconds = torch.cat([clock[:1], clock[::config.pool], clock])
        y = torch.cat([embedding[:, None] + self.kind[0], tokens + self.kind[1], frames.transpose(1, 2) + self.kind[2]],
                      dim=1)
        if mask is not None:
            mask = torch.cat([torch.ones_like(mask[:, :1]), mask[:, ::config.pool], mask], dim=1)
        embedding = F.silu(embedding)
        embedded = self.modulation(embedding).unflatten(-1, (6, -1))
        for block in self.blocks:
            y = block(y, seconds, mask, embedded)
        scale, shift = self.last(embedding)[:, None].chunk(2, dim=-1)
        y = self.norm(y[:, -length:]) * (1 + scale) + shift
        return self.output(y).transpose(1, 2)


class UNet(DiT):
    """The ablation's denoiser: the same conditions, but residual convolutions over three time scales in the place of
    attention; the other modality comes in frame by frame alone."""

    def __init__(self, config):
        super().__init__(replace(config, depth=0, frame_wise=True))
        self.config, width = config, config.width
        self.levels = nn.ModuleList(nn.ModuleList(ResBlock(1, width, embedding_width=width, dropout=config.dropout,
                                                           norm="channel") for _ in range(config.depth))
                                    for _ in range(2 * SCALES - 1))
        self.down = nn.ModuleList(Downsample(1, width) for _ in range(SCALES - 1))
        self.up = nn.ModuleList(Upsample(1, width) for _ in range(SCALES - 1))

    def forward(self, x, t, condition, mask=None):
        """As `DiT`'s."""
        embedding, y, kept = self.embedding(t, condition), self.frames(x, condition), []
        for level, blocks in enumerate(self.levels):
            if level >= SCALES:
                skip = kept.pop()
                y = self.up[level - SCALES](y, size=skip.shape[-1:]) + skip
            for block in blocks:
                y = block(y if mask is None or y.shape[-1] != mask.shape[-1] else y * mask[:, None], embedding)
            if level < SCALES - 1:
                kept.append(y)
                y = self.down[level](y)
        scale, shift = self.last(F.silu(embedding))[:, None].chunk(2, dim=-1)
        return self.output(self.norm(y.transpose(1, 2)) * (1 + scale) + shift).transpose(1, 2)


def denoiser(config):
    """The network of a `DiTConfig`, not trained."""
    return {"transformer": DiT, "unet": UNet}[config.kind](config)
