"""Alignment stage: music and motion encoders that meet in one space, by InfoNCE through a two-layer adapter.

The paper keeps Wav2CLIP and MotionCLIP frozen and trains the adapter alone; both are third-party weights, so here two
small convolutional encoders of our own are trained with it. Norms are per frame: an encoder gives the same answer on
a crop as on the whole track, at any length.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

from models.dance_cascade.config import BANDS, MEL_FPS
from models.layers import ResBlock, conv_nd
from models.motion.representation import CHANNELS, Standard


class MusicEncoder(nn.Module):
    """Log-mel (B, M, 64) in 0..1 at 30 Hz -> (B, M, embedding) at 30 Hz, each frame of length sqrt(embedding)."""

    def __init__(self, config):
        super().__init__()
        self.first = conv_nd(1, BANDS, config.width, config.kernel)
        self.blocks = nn.ModuleList(ResBlock(1, config.width, kernel=config.kernel, norm="channel")
                                    for _ in range(config.blocks))
        self.adapter = nn.Sequential(nn.Linear(config.width, config.adapter), nn.GELU(),
                                     nn.Linear(config.adapter, config.embedding))

    def forward(self, mel):
        x = self.first((mel.transpose(1, 2) - 0.5) * 4)
        for block in self.blocks:
            x = block(x)
        return unit(self.adapter(F.silu(x).transpose(1, 2)))


class MotionEncoder(nn.Module):
    """Motion vectors (B, T, 152) at `motion_fps` -> (B, T, embedding), each frame of length sqrt(embedding)."""

    def __init__(self, config):
        super().__init__()
        self.standard = Standard(CHANNELS)
        self.first = conv_nd(1, CHANNELS, config.motion_width, config.kernel)
        self.blocks = nn.ModuleList(ResBlock(1, config.motion_width, kernel=config.kernel, norm="channel")
                                    for _ in range(config.motion_blocks))
        self.out = nn.Linear(config.motion_width, config.embedding)

    def forward(self, vectors):
        x = self.first(self.standard(vectors).clamp(-5, 5).transpose(1, 2))
        for block in self.blocks:
            x = block(x)
        return unit(self.out(F.silu(x).transpose(1, 2)))


def unit(x):
    """(..., C) scaled to length sqrt(C), so that each channel is about 1."""
    return F.normalize(x.float(), dim=-1) * math.sqrt(x.shape[-1])


class Aligner(nn.Module):
    """Both encoders. `similarity` compares every music with every motion of a batch."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.music, self.motion = MusicEncoder(config), MotionEncoder(config)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(config.temperature)))

    def embed(self, mel, vectors):
        """Unit vectors (B, T, E) of music, averaged to the motion's rate, and of motion; or (B, 1, E), the clip's, with
        pool "clip"."""
        music = F.avg_pool1d(self.music(mel).transpose(1, 2), MEL_FPS // self.config.motion_fps).transpose(1, 2)
        motion = self.motion(vectors)
        if self.config.pool == "clip":
            music, motion = music.mean(1, keepdim=True), motion.mean(1, keepdim=True)
        return F.normalize(music, dim=-1), F.normalize(motion, dim=-1)

    def similarity(self, mel, vectors):
        """(B, B) cosine of music i and motion j, mean over time."""
        music, motion = self.embed(mel, vectors)
        return torch.einsum("ite,jte->ij", music, motion) / music.shape[1]


def info_nce(similarity, scale):
    """(loss, accuracy music -> motion, accuracy motion -> music) of a (B, B) similarity (van den Oord et al. 2018, eq.
    4)."""
    logits, label = similarity.float() * scale, torch.arange(len(similarity), device=similarity.device)
    loss = (F.cross_entropy(logits, label) + F.cross_entropy(logits.T, label)) / 2
    with torch.no_grad():
        right = [(side.argmax(1) == label).float().mean() for side in (logits, logits.T)]
    return loss, *right


@torch.no_grad()
def encode_music(encoder, mel, chunk=1800, margin=90):
    """Embedding (M, E) float32 of a whole track's mel (M, 64), in chunks with a margin: any length in bounded
    memory."""
    pieces = []
    for first in range(0, len(mel), chunk):
        low, high = max(0, first - margin), min(len(mel), first + chunk + margin)
        pieces.append(encoder(mel[None, low:high])[0, first - low:first - low + min(chunk, len(mel) - first)].float())
    return torch.cat(pieces) if pieces else mel.new_zeros(0, encoder.adapter[2].out_features)
