"""Loss of the beat networks: weighted cross-entropy on widened beats plus squared error of the phase."""
import torch.nn.functional as F

from models.layers.placed import constant

BEAT_POSITIVE = 2.0             # weight of beat frames: they are about a sixth of all
DOWNBEAT_POSITIVE = 4.0


def rhythm_loss(output, curve, weight, downbeat_weight, *, phase_scale=1.0, downbeat_scale=0.7):
    """Loss and its parts.

    output: (N, T, 4) of `BeatNetwork`; curve: (N, T, 5) of `core.rhythm.beats.rhythm_curve` (Gaussian bumps as soft
    targets, unknown frames are left out); weight, downbeat_weight: (N,) trust in a clip's beats and in its downbeats,
    0..1.
    Returns (scalar, {"beat", "downbeat", "phase"}).
    """
    output = output.float()
    known = curve[..., 4] * weight[:, None]
    known_down = curve[..., 4] * downbeat_weight[:, None]

    def mean(value, mask):
        return (value * mask).sum() / mask.sum().clamp_min(1.0)

    beats, downbeats = (constant(weight, output.device) for weight in (BEAT_POSITIVE, DOWNBEAT_POSITIVE))
    beat = mean(F.binary_cross_entropy_with_logits(
        output[..., 0], curve[..., 0], reduction="none", pos_weight=beats), known)
    downbeat = mean(F.binary_cross_entropy_with_logits(
        output[..., 1], curve[..., 1], reduction="none", pos_weight=downbeats), known_down)
    phase = mean((output[..., 2:] - curve[..., 2:4]).square().sum(-1), known)
    total = beat + downbeat_scale * downbeat + phase_scale * phase
    return total, {"beat": beat.detach(), "downbeat": downbeat.detach(), "phase": phase.detach()}
