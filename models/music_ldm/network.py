"""The denoising U-Net (Tan et al. 2023, sections 3.2-3.3, 4.2): three down and three up levels of residual blocks with
cross-attention to the motion-genre condition; one class for pictures of latents (`paper`) and sequences of latents
(`release`).
"""
from dataclasses import dataclass

import torch
from torch import nn

from core.body.kinematics import FPS
from models.conditions import Conditions
from models.layers import Attention, Downsample, FeedForward, ResBlock, TimeEmbedding, Upsample, conv_nd, make_norm
from models.motion.representation import Standard
from models.music_ldm.config import MOTION_CHANNELS, RHYTHM_CHANNELS
from models.music_ldm.timbre import Timbre


@dataclass
class Condition(Conditions):
    """A batch of window conditions; everything that is not given is zero and flagged as unknown.

    Guidance is to amplify what the body asks for; it would drive every piece's mix beyond what its genre has: the
    timbre stays.

    motion (B, M, 360) features at 30 fps; motion_known (B,) 0 or 1; offset (B,) seconds from window start to motion
    frame 0;
    genre (B, 10) one-hot or zeros; rhythm (B, 5, F) curve at the mel frame rate, F mel frames, all zero where unknown;
    timbre (B, K + 1) code of the piece (`timbre.py`), last 1 where known (K may be 0).
    """

    motion: torch.Tensor
    motion_known: torch.Tensor
    offset: torch.Tensor
    genre: torch.Tensor
    rhythm: torch.Tensor
    timbre: torch.Tensor
    together = {"motion": ("motion", "motion_known"), "rhythm": ("rhythm",), "genre": ("genre",), "timbre": ("timbre",)}
    stays = ("timbre",)


@dataclass
class Encoded:
    """What the U-Net needs of a condition, computed once per window: tokens (B, M, C) at `seconds` (B, M), vector (B,
    E) or None, rhythm (B, 5 d, L) or None, d mel frames per latent frame."""

    tokens: torch.Tensor
    seconds: torch.Tensor
    vector: torch.Tensor | None
    rhythm: torch.Tensor | None

    def rows(self, index):
        """The rows `index` as a new batch."""
        return Encoded(*(None if value is None else value[index] for value in vars(self).values()))

    def with_vector(self, more):
        """With `more` (B, E) added to the vector."""
        return Encoded(self.tokens, self.seconds, self.vector + more, self.rhythm)


class ConditionEncoder(nn.Module):
    """Condition -> Encoded. With config.memory 0 the tokens are the paper's c: every frame's 360 + 10 standardised
    features."""

    def __init__(self, config, embedding_width):
        super().__init__()
        self.config = config
        self.motion = Standard(MOTION_CHANNELS, (config.motion_mean, config.motion_std))
        self.stride = round(FPS / config.motion_rate)
        genres = len(config.genres)
        if config.memory:
            width = config.memory
            self.frames = nn.Sequential(nn.Conv1d(MOTION_CHANNELS + 1 + genres, width, 5, padding=2),
                                        ResBlock(1, width),
                                        nn.Conv1d(width, width, 2 * self.stride - 1, self.stride, self.stride - 1),
                                        ResBlock(1, width), ResBlock(1, width))
            self.tokens_out = nn.LayerNorm(width)
            self.genre = nn.Linear(genres + 2, embedding_width)
        self.timbre = Timbre(config.timbre, genres, embedding_width) if config.timbre else None

    def forward(self, condition):
        known = condition.motion_known[:, None, None]
        motion = self.motion(condition.motion)
        motion = (motion.clamp(0, 1) if self.config.scale == "minmax" else motion) * known
        frames = motion.shape[1]
        genre = condition.genre[:, None].expand(-1, frames, -1)
        seconds = condition.offset[:, None] + torch.arange(frames, device=motion.device) / FPS
        rhythm, vector = None, None
        if self.config.rhythm:
            rhythm = fold(condition.rhythm, self.config.downsample)
        if not self.config.memory:
            return Encoded(torch.cat([motion, genre], dim=-1), seconds, vector, rhythm)
        x = torch.cat([motion, known.expand(-1, frames, -1), genre], dim=-1).transpose(1, 2)
        tokens = self.tokens_out(self.frames(x).transpose(1, 2))
        has_rhythm = condition.rhythm[:, -1].amax(dim=-1, keepdim=True) * float(self.config.rhythm)
        vector = self.genre(torch.cat([condition.genre, known[:, 0], has_rhythm], dim=-1))
        if self.timbre is not None:
            vector = vector + self.timbre(condition.timbre)
        return Encoded(tokens, seconds[:, ::self.stride], vector, rhythm)


def fold(curve, factor):
    """(B, C, L factor) -> (B, C factor, L): the samples under one latent frame become its channels; nothing is averaged
    away."""
    return curve.unflatten(-1, (-1, factor)).permute(0, 1, 3, 2).flatten(1, 2)


class CrossBlock(nn.Module):
    """ResBlock, then (self-attention,) cross-attention to the condition tokens and feed-forward among latents as
    tokens."""

    def __init__(self, config, in_channels, width, embedding_width, memory_width, self_attention, cross=True):
        """cross False: the residual block alone."""
        super().__init__()
        self.res = ResBlock(config.dims, in_channels, width, embedding_width=embedding_width)
        rotary, self.attends = config.rotary, cross
        if not cross:
            return
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.self_attention = Attention(width, config.heads, rotary=rotary or None) if self_attention else None
        self.cross = Attention(width, config.heads, memory_width, rotary=rotary or None)
        self.feed = FeedForward(width, 2 * width)

    def forward(self, x, embedding, encoded, seconds):
        """x (B, in, ..., L); seconds (L,) of its columns -> (B, width, ..., L)."""
        x = self.res(x, embedding)
        if not self.attends:
            return x
        shape = x.shape[2:]
        clock = seconds.expand(shape).reshape(-1)
        y = x.flatten(2).transpose(1, 2)
        if self.self_attention is not None:
            y = y + self.self_attention(self.norms[0](y), seconds=clock)
        y = y + self.cross(self.norms[1](y), encoded.tokens, clock, encoded.seconds)
        y = y + self.feed(self.norms[2](y))
        return y.transpose(1, 2).unflatten(2, shape)


class UNet(nn.Module):
    """eps / x0 / v of standardised latents x (B, latent, L) or (B, latent, H, L) at timestep t (B,) under a condition.

    `encode` the condition once, then call with the result at every step.
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        widths, dims = config.widths, config.dims
        embedding = 2 * widths[0]
        memory = config.memory or MOTION_CHANNELS + len(config.genres)
        self.own = Standard(config.latent, (config.latent_mean, config.latent_std))
        self.time = TimeEmbedding(embedding)
        self.condition = ConditionEncoder(config, embedding)
        extra = RHYTHM_CHANNELS * config.downsample if config.rhythm else 0
        self.input = conv_nd(dims, config.latent + extra, widths[0], 3)

        def block(inputs, level):
            return CrossBlock(config, inputs, widths[level], embedding, memory, level >= config.self_attention_from,
                              level < config.cross_levels)

        self.down, self.shrink, self.up, self.grow = (nn.ModuleList() for _ in range(4))
        for level, width in enumerate(widths):
            self.down.append(nn.ModuleList(block(width, level) for _ in range(config.blocks)))
            last = level + 1 == len(widths)
            self.shrink.append(nn.Identity() if last else Downsample(dims, width, widths[level + 1]))
        deepest = len(widths) - 1
        attending = min(deepest, config.cross_levels - 1)           # the middle attends whatever its level does
        self.middle = nn.ModuleList([CrossBlock(config, widths[deepest], widths[deepest], embedding, memory,
                                                attending >= config.self_attention_from) for _ in range(2)])
        for level in reversed(range(len(widths))):
            self.up.append(nn.ModuleList(block(2 * widths[level], level) for _ in range(config.blocks)))
            self.grow.append(Upsample(dims, widths[level], widths[level - 1]) if level else nn.Identity())
        self.output = nn.Sequential(make_norm("group", widths[0]), nn.SiLU(),
                                    conv_nd(dims, widths[0], config.latent, 3))
        nn.init.zeros_(self.output[2].weight)
        nn.init.zeros_(self.output[2].bias)

    def standardise(self, latent):
        """Latents (B, C, ...) as the VAE gives them -> zero mean and unit spread per channel."""
        return self.own(latent.transpose(1, -1)).transpose(1, -1)

    def restore(self, latent):
        """Inverse of `standardise`."""
        return self.own.restore(latent.transpose(1, -1)).transpose(1, -1)

    def encode(self, condition):
        """Condition -> Encoded."""
        return self.condition(condition)

    def forward(self, x, t, encoded):
        embedding = self.time(t)
        if encoded.vector is not None:
            embedding = embedding + encoded.vector
        step = self.config.seconds_per_latent                        # the middle of latent frame j, in seconds
        seconds = [(torch.arange(x.shape[-1], device=x.device) + 0.5) * step - 0.5 * step / self.config.downsample]
        for _ in self.config.widths[1:]:
            seconds.append(seconds[-1][::2])  # a strided convolution is centred on every second frame
        if encoded.rhythm is not None:
            rhythm = encoded.rhythm.to(x.dtype)
            rhythm = rhythm if x.dim() == 3 else rhythm[:, :, None].expand(-1, -1, x.shape[2], -1)
            x = torch.cat([x, rhythm], dim=1)
        x, skips = self.input(x), []
        for level, (blocks, shrink) in enumerate(zip(self.down, self.shrink)):
            for block in blocks:
                x = block(x, embedding, encoded, seconds[level])
                skips.append(x)
            x = shrink(x)
        for block in self.middle:
            x = block(x, embedding, encoded, seconds[-1])
        for number, (blocks, grow) in enumerate(zip(self.up, self.grow)):
            level = len(self.up) - 1 - number
            for block in blocks:
                x = block(torch.cat([x, skips.pop()], dim=1), embedding, encoded, seconds[level])
            x = grow(x, skips[-1].shape[2:]) if level else x
        return self.output(x)


def batch_condition(batch, timbre=None):
    """The Condition of a batch; `timbre` of the network that it is for turns profiles into codes."""
    known = torch.ones_like(batch["offset"])[:, None]
    code = 0 * known if timbre is None else torch.cat([timbre.code(batch["profile"]), known], dim=1)
    return Condition(batch["motion"], batch["motion_known"], batch["offset"], batch["genre"], batch["rhythm"], code)
