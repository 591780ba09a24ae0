"""Maps for the rhythmic contrast that see some seconds: a small temporal convolution network a side over what a beat
reader (`timing.py`) makes of the latents, or over the latents themselves.

A window of half a second holds one beat or none. What tells it from others of its tempo is where it lies in the beat
and in the bar, and that is heard over some seconds. The readers were trained by the beats of the pieces and are frozen
here, as both VAEs are; the maps are trained by the contrast alone.
"""
import torch
from torch import nn
from torch.nn import functional as F

from models.diffusion.loss import normal, uniform
from models.layers import make_norm
from models.momu.config import DOWNSAMPLE
from models.momu.contrast import contrast_loss, draw_starts, found_among, level_windows, negatives, pool_windows
from models.momu.directogram import front_view, kinematic_amplitude
from models.momu.losses import body, over_floor
from models.motion.representation import Standard


@torch.no_grad()
def given(latents, reader):
    """What a map is given of latents (B, 64, L) as their VAE gives them: the features of a `BeatReader`, (B, width, L),
    or the latents themselves without a reader."""
    return latents if reader is None else reader.features(reader.standardise(latents))


class TemporalMap(nn.Module):
    """What `given` gives, (B, C, L) -> (B, 64, L).

    Nothing is padded inside: the first and last `config.reach` places are zero, and no window may lie there. Both sides
    would tell a window by its distance from the ends of the piece otherwise. Norms are of one place each, for the same
    reason.
    """

    def __init__(self, config):
        super().__init__()
        width = config.width
        self.own = Standard(config.channels)
        self.input = nn.Conv1d(config.channels, width, config.kernel)
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 3, dilation=gap) for gap in config.dilations)
        self.mixes = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in config.dilations)
        self.norms = nn.ModuleList(make_norm("channel", width) for _ in config.dilations)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Conv1d(width, config.latent, 1)
        self.reach = config.reach

    def standardise(self, seen):
        """(B, C, L) -> zero mean and unit spread per channel."""
        return self.own(seen.transpose(1, 2)).transpose(1, 2)

    def scores(self, x):
        """Of standardised channels (B, C, L), where they are fully seen: (B, 64, L - 2 reach)."""
        x = self.input(self.dropout(x))
        for layer, mix, norm in zip(self.layers, self.mixes, self.norms):
            gap = layer.dilation[0]
            x = x[..., gap:-gap] + mix(self.dropout(F.gelu(layer(norm(x)))))
        return self.output(self.dropout(F.gelu(x)))

    def forward(self, seen):
        """The map, zero at its ends."""
        return F.pad(self.scores(self.standardise(seen)), (self.reach, self.reach))


class ContrastMaps(nn.ModuleDict):
    """`music` maps the music's latents, `motion` the motion's."""

    def __init__(self, config):
        super().__init__({"music": TemporalMap(config), "motion": TemporalMap(config)})


def windows_of(model, batch, config, generator, noise=0.0):
    """Pooled windows of a batch of `PairedCrops`: music and motion (B, N, 64), first latents and levels (B, N).

    noise: most of it added to standardised channels, in training.
    """
    count, _, length = batch["motion"].shape
    starts = draw_starts(count, config.windows, length - 2 * config.reach, config.window, generator, generator.device)
    starts, pooled = starts.to(batch["level"].device), {}
    for name, net in model.items():
        x = net.standardise(batch[name])
        if noise:
            amount = uniform((count, 1, 1), generator, x.device) * noise
            x = x + amount * normal(x.shape, generator, x.device)
        pooled[name] = pool_windows(net.scores(x), starts, config.window)
    levels = level_windows(batch["level"], starts + config.reach, config.window)
    return pooled["music"], pooled["motion"], starts, levels


def map_loss(model, batch, config, generator, noise=0.0):
    """(loss, values): the bidirectional contrast of the windows of a batch of `PairedCrops`."""
    music, motion, starts, levels = windows_of(model, batch, config, generator, noise)
    mask = negatives(starts, levels, config.window, config.rhythm_gap)
    loss, hit = contrast_loss(music.flatten(0, 1), motion.flatten(0, 1), mask, config.tau)
    return loss, {"contrast": loss.detach(), "hit": hit}


@torch.no_grad()
def found_of(model, batch, config):
    """Shares of the windows, side by side, of a batch of `PairedCrops` that are found among those of the same crop and
    among the other crops, both directions together."""
    length, count = batch["motion"].shape[-1], len(batch["motion"])
    starts = torch.arange(config.reach, length - config.reach - config.window + 1, config.window).expand(count, -1)
    starts = starts.to(batch["level"].device)
    music, motion = (pool_windows(model[name](batch[name]), starts, config.window) for name in ("music", "motion"))
    return tuple(sum(shares.values()) / 2 for shares in found_among(music, motion))


@torch.no_grad()
def of_pieces(pieces, motion, readers, config):
    """What the crops are cut from, placed as `LatentCrops` places it: {"motion" (2, rows, C), "music" (rows, C)
    float16, "level" (rows,) kinematic amplitude, of 1 at most in each piece}. motion: of `encode_motion`."""
    device, rows = pieces.device, len(pieces.latent)
    out = {"motion": torch.zeros((2, rows, config.channels), dtype=torch.float16, device=device),
           "music": torch.zeros((rows, config.channels), dtype=torch.float16, device=device),
           "level": torch.zeros(rows, device=device)}
    for number, (first, count) in enumerate(pieces.spans):
        some, place = torch.tensor([number], device=device), slice(first, first + count)
        heard = pieces.music(some, torch.zeros_like(some), count).transpose(1, 2)
        moved = motion[:, place].float().transpose(1, 2)
        for name, latents in (("music", heard), ("motion", moved)):
            seen = given(latents, None if readers is None else readers[name]).transpose(1, 2).half()
            out[name][..., place, :] = seen if name == "motion" else seen[0]
        vectors = pieces.motion(some, torch.zeros_like(some), count * DOWNSAMPLE)
        joints = front_view(over_floor(vectors, body(vectors)))
        out["level"][place] = kinematic_amplitude(joints, config.bins, config.overlap)[0].unflatten(
            -1, (count, DOWNSAMPLE)).amax(-1)
    return out
