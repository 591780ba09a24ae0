"""Stage 1: M2S-Net. A music encoder and a motion encoder trained to tell matching pairs from mismatched ones.

Architecture of Diffusion-Conductor's contrastive stage (arXiv 2306.10065, first stage), itself that of
VirtualConductor: 2D convolutions on the mel, an ST-GCN on the 13 key points, a small head that judges each frame.
"""
import torch
import torch.nn.functional as F
from torch import nn

from core import checkpoints
from models.conductor.config import FPS, encoder_config

# COCO 0-12: nose, eyes, ears, shoulders, elbows, wrists, hips; nose-shoulder stands in for the neck.
EDGES = ((0, 1), (0, 2), (1, 3), (2, 4), (0, 5), (0, 6), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12),
         (11, 12))
KEYPOINTS = 13


class ResidualConv2d(nn.Module):
    """3x3 convolution, batch norm, ReLU; identity added where shapes agree."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect")
        self.norm = nn.BatchNorm2d(outputs)
        self.skip = inputs == outputs

    def forward(self, x):
        y = F.relu(self.norm(self.conv(x)))
        return x + y if self.skip else y


class Context(nn.Module):
    """Features (B, C, T) -> (B, C, T): residual temporal convolutions of 5 frames with growing dilation, then each
    frame's features at mean 0, variance 1. Lets a frame know where in the beat and bar it lies, which single chords do
    not tell.
    """

    def __init__(self, channels, dilations):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Sequential(
            nn.Conv1d(channels, 2 * channels, 5, padding=2 * d, dilation=d), nn.BatchNorm1d(2 * channels), nn.ReLU(),
            nn.Conv1d(2 * channels, channels, 1), nn.BatchNorm1d(channels)) for d in dilations)

    def forward(self, x):
        for block in self.blocks:
            x = x + block(x)
        return F.layer_norm(x.transpose(1, 2).float(), (x.shape[1],)).transpose(1, 2) if len(self.blocks) else x


class MusicEncoder(nn.Module):
    """Mel (B, T, bands) in [0, 1] at 90 or 30 Hz -> features (B, T30, C) at 30 Hz."""

    def __init__(self, config):
        super().__init__()
        a, b, c = config.music_widths
        self.per_frame = config.mel_rate // FPS
        self.blocks = nn.Sequential(
            ResidualConv2d(1, a), ResidualConv2d(a, a), ResidualConv2d(a, a),
            nn.MaxPool2d(5, stride=(1, 2), padding=2),
            ResidualConv2d(a, b), ResidualConv2d(b, b),
            nn.MaxPool2d(5, stride=(self.per_frame, 2), padding=2),
            ResidualConv2d(b, c), ResidualConv2d(c, c),
            nn.MaxPool2d(3, stride=(1, 2), padding=1))
        self.head = nn.Conv1d(c * (config.bands // 8), config.features, 1)
        self.norm = nn.BatchNorm1d(config.features)
        self.context = Context(config.features, config.context)

    def forward(self, mel):
        x = self.blocks(mel[:, None])                              # (B, c, T30, bands/8)
        x = x.permute(0, 1, 3, 2).flatten(1, 2)                    # (B, c*bands/8, T30)
        return self.context(self.norm(self.head(x))).transpose(1, 2)             # (B, T30, C)


class GraphBlock(nn.Module):
    """One ST-GCN block: graph convolution over joints, then a temporal convolution of 3 frames."""

    def __init__(self, inputs, outputs, adjacency, residual=True):
        super().__init__()
        self.register_buffer("adjacency", adjacency)
        self.importance = nn.Parameter(torch.ones_like(adjacency))  # learnable edge weights
        self.spatial = nn.Conv2d(inputs, outputs, 1)
        self.temporal = nn.Sequential(nn.BatchNorm2d(outputs), nn.ReLU(),
                                      nn.Conv2d(outputs, outputs, (3, 1), padding=(1, 0)), nn.BatchNorm2d(outputs))
        self.residual = residual

    def forward(self, x):                                          # (B, C, T, J)
        y = self.spatial(x) @ (self.adjacency * self.importance)
        y = self.temporal(y)
        return F.relu(y + x if self.residual else y)


def adjacency(edges=EDGES, joints=KEYPOINTS):
    """Uniform labelling, hop 1: neighbours and self, columns normalised by degree; (J, J)."""
    a = torch.eye(joints)
    for i, j in edges:
        a[i, j] = a[j, i] = 1.0
    return a / a.sum(0, keepdim=True)


class MotionEncoder(nn.Module):
    """Key points (B, T30, 13, 2) in the picture -> features (B, T30, C)."""

    def __init__(self, config):
        super().__init__()
        graph, width = adjacency(), config.motion_width
        self.input_norm = nn.BatchNorm1d(KEYPOINTS * 2)
        self.blocks = nn.ModuleList(GraphBlock(2 if i == 0 else width, width, graph, residual=i > 0)
                                    for i in range(config.motion_blocks))
        self.head = nn.Conv1d(KEYPOINTS * width, config.features, 1)
        self.norm = nn.BatchNorm1d(config.features)
        self.context = Context(config.features, config.context)

    def forward(self, keypoints):
        x = self.input_norm(keypoints.flatten(2).transpose(1, 2))  # (B, 26, T)
        x = x.unflatten(1, (KEYPOINTS, 2)).permute(0, 2, 3, 1)     # (B, 2, T, 13)
        for block in self.blocks:
            x = block(x)
        x = x.permute(0, 3, 1, 2).flatten(1, 2)                    # (B, 13*width, T)
        return self.context(self.norm(self.head(x))).transpose(1, 2)


class M2SNet(nn.Module):
    """Both encoders and the head that judges whether they belong together."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.music, self.motion = MusicEncoder(config), MotionEncoder(config)
        width = config.features
        self.head = nn.Sequential(nn.Conv1d(2 * width, width, 1), nn.ReLU(), nn.Conv1d(width, width, 1), nn.ReLU(),
                                  nn.Conv1d(width, 1, 1))
        for module in self.modules():
            if isinstance(module, (nn.Conv1d, nn.Conv2d)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def judge(self, music, motion):
        """Features (B, T, C) twice -> probability (B,) of belonging together: sigmoid per frame, mean over time."""
        frames = min(music.shape[1], motion.shape[1])
        both = torch.cat([music[:, :frames], motion[:, :frames]], dim=2).transpose(1, 2)
        return torch.sigmoid(self.head(both)[:, 0].float()).mean(1)

    def forward(self, mel, keypoints):
        return self.judge(self.music(mel), self.motion(keypoints))


class Frozen(nn.Module):
    """A module that never trains: no gradients, always in eval mode, so batch-norm statistics cannot drift.

    The published code freezes parameters only, and `train()` on the whole model moves the statistics.
    """

    def __init__(self, module):
        super().__init__()
        self.module = module.requires_grad_(False).eval()

    def train(self, mode=True):
        """Keeps eval mode whatever `mode` is."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, *inputs):
        return self.module(*inputs)


@torch.no_grad()
def encode_music(encoder, mel, chunk_seconds=60, margin_seconds=3):
    """Features (T30, C) of a whole track's mel (T, bands), in chunks of bounded memory with exact overlap.

    The margin covers the encoder's receptive field (< 0.5 s, with context < 2 s), so chunked and whole results agree
    away from edges.
    """
    rate = getattr(encoder, "module", encoder).per_frame
    frames = len(mel) // rate
    step, margin, pieces = chunk_seconds * 30, margin_seconds * 30, []
    for start in range(0, frames, step):
        low, high = max(0, start - margin), min(frames, start + step + margin)
        if high - low < 2:                                         # reflection padding needs two frames
            low = max(0, high - 2)
        features = encoder(mel[None, low * rate:high * rate].float())[0]
        pieces.append(features[start - low:min(start + step, frames) - low])
    return torch.cat(pieces) if pieces else mel.new_zeros(0, encoder_width(encoder))


def encoder_width(encoder):
    """Channels of a (possibly frozen) music encoder's features."""
    return getattr(encoder, "module", encoder).head.out_channels


def load_stage1(source="", folders=None):
    """(EncoderConfig, M2SNet) of a run folder, or of the checkpoint found in `folders` when `source` is empty."""
    if source:
        # a developer's own run; released weights need no training code
        from models.training.run_folder import RunFolder
        run = RunFolder(source)
        config, state = encoder_config(run.read_config()["config"]), run.average()
    else:
        found = checkpoints.find("conductor", "encoder", folders)
        config, state = encoder_config(found.config), checkpoints.load_state(found)
    net = M2SNet(config)
    net.load_state_dict(state)
    return config, net.eval().requires_grad_(False)
