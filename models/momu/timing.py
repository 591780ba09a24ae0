"""What one modality's latents say of the beat: a small reader a side, latents -> rhythm curve and tempo.

The transformers follow a rhythm curve and hardly learn to find the beat in the other side's latents by themselves. The
readers find it there and say it in the curve's words; they are trained apart, by the beats of the pieces. They are
temporal convolutions with growing dilation, as beat trackers are (Davies and Boeck 2019).
"""
import hashlib

import torch
from torch import nn
from torch.nn import functional as F

from models.momu.config import DOWNSAMPLE, RHYTHM_CHANNELS, TimingConfig
from models.momu.network import Condition
from models.momu.weights import weights_of
from models.motion.representation import Standard

READ = 4                        # numbers a frame: beat, downbeat, cosine and sine of the phase
KNOWN = 4                       # channel of the curve that says that it is known
WEIGHTS = {"beat": 1.0, "downbeat": 0.5, "phase": 1.0, "tempo": 1.0}


class BeatReader(nn.Module):
    """Latents (B, 64, L) as their VAE gives them -> rhythm curve under each latent (B, 20, L) and log2(bpm / 120)
    (B,)."""

    def __init__(self, config):
        super().__init__()
        width = config.width
        self.own = Standard(config.latent)
        self.input = nn.Conv1d(config.latent, width, 5, padding=2)
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 3, padding=gap, dilation=gap) for gap in config.dilations)
        self.mixes = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in config.dilations)
        self.norms = nn.ModuleList(nn.GroupNorm(1, width) for _ in config.dilations)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Conv1d(width, READ * DOWNSAMPLE, 1)
        self.tempo = nn.Linear(2 * width, 1)

    def standardise(self, latents):
        """Latents (B, 64, L) -> zero mean and unit spread per channel."""
        return self.own(latents.transpose(1, 2)).transpose(1, 2)

    def features(self, x):
        """What is read in standardised latents (B, 64, L) before it is said: (B, width, L)."""
        x = self.input(x)
        for layer, mix, norm in zip(self.layers, self.mixes, self.norms):
            x = x + mix(self.dropout(F.gelu(layer(norm(x)))))
        return x

    @property
    def reach(self):
        """Latents on either side that a feature sees (its norms see the whole passage)."""
        return self.input.kernel_size[0] // 2 + sum(layer.dilation[0] for layer in self.layers)

    def scores(self, x):
        """Of standardised latents: beat and downbeat logits, cosine and sine (B, 4, 4, L), and the tempo (B,)."""
        x = self.features(x)
        pooled = torch.cat([x.mean(-1), x.amax(-1)], dim=1)
        return self.output(F.gelu(x)).unflatten(1, (READ, DOWNSAMPLE)), self.tempo(pooled)[:, 0]

    def forward(self, latents):
        """The curve (B, 20, L), phase of length 1 and known throughout, and the tempo (B,)."""
        scores, tempo = self.scores(self.standardise(latents))
        bumps, phase = torch.sigmoid(scores[:, :2]), F.normalize(scores[:, 2:], dim=1)
        curve = torch.cat([bumps, phase, torch.ones_like(bumps[:, :1])], dim=1)
        return curve.flatten(1, 2), tempo


class Readers(nn.ModuleDict):
    """`music` reads the music's latents, `motion` the motion's."""

    def __init__(self, config):
        super().__init__({"music": BeatReader(config), "motion": BeatReader(config)})


def load_readers(source):
    """The trained `Readers` in evaluation mode of a run folder or an exported .safetensors file. Raises BadInput."""
    config, state = weights_of(source, "pair of beat readers", "timing")
    readers = Readers(TimingConfig(**config)).eval().requires_grad_(False)
    readers.load_state_dict(state)
    return readers


def print_of(vae):
    """What tells one network's weights from another's, such as a motion VAE's: 16 hexadecimal digits of their hash as
    they are stored."""
    digest = hashlib.sha256()
    for _, value in sorted(vae.state_dict().items()):
        digest.update(value.detach().cpu().half().numpy().tobytes())
    return digest.hexdigest()[:16]


def told(condition, reader, network):
    """The `Condition` of a transformer with the beat that `reader` finds in the other modality, where that is known and
    the rhythm is not."""
    raw = network.other.restore(condition.other.transpose(1, 2)).transpose(1, 2)
    curve, tempo = reader(raw)
    lacking = condition.other_known * (1 - condition.tempo[:, 1])
    rhythm = condition.rhythm + lacking[:, None, None] * curve
    found = torch.stack([tempo, torch.ones_like(tempo)], dim=1)
    return Condition(condition.other, condition.other_known, rhythm, condition.tempo + lacking[:, None] * found,
                     condition.style, condition.code)


def reading_loss(reader, x, rhythm, tempo, mask):
    """(loss, values) of a reader: x (B, 64, L) standardised latents, rhythm (B, 20, L) the true curve, tempo (B, 2),
    mask (B, L) bool. Only where the curve is known counts."""
    scores, found = reader.scores(x)
    curve = rhythm.unflatten(1, (RHYTHM_CHANNELS, DOWNSAMPLE))
    inside = (curve[:, KNOWN] > 0.5) & mask[:, None]                                            # (B, 4, L)
    count = inside.sum().clamp(min=1)
    parts = {}
    for name, channel in (("beat", 0), ("downbeat", 1)):
        miss = F.binary_cross_entropy_with_logits(scores[:, channel], curve[:, channel], reduction="none")
        parts[name] = (miss * inside).sum() / count
    phase = F.normalize(scores[:, 2:], dim=1)
    parts["phase"] = ((1 - (phase * curve[:, 2:4]).sum(1)) * inside).sum() / count
    known = tempo[:, 1]
    parts["tempo"] = ((found - tempo[:, 0]).abs() * known).sum() / known.sum().clamp(min=1)
    loss = sum(WEIGHTS[name] * value for name, value in parts.items())
    return loss, {name: value.detach() for name, value in parts.items()}
