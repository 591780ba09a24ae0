"""Denoisers of one side under the other, and of both at once by cross-guidance.

    t >= T_c   each side by itself (its guidance acts on rhythm, tempo and style)
    t <  T_c   z^_a = x0 estimate of eps_a(z_a(t), t, 0), z^_m alike; then each side's guided step under the
    *other's* estimate

The two states are one array of twice the channels, on one schedule: every sampler, window and mask of
`models/diffusion` serves both.
"""
import torch

from models.layers import replay
from models.momu.network import Condition
from models.momu.timing import told


class Side:
    """One transformer on a canvas: x0 estimates of windows of its latents under conditions."""

    def __init__(self, network, schedule, canvas, codes=None, other=None, reader=None):
        """codes (V, K + 1) of the variations, or None; other (64, length) or (V, 64, length) latents of the other
        modality, standardised as `network.other` does, or None; reader: `timing.BeatReader` of the other modality,
        asked where the canvas has no beats, or None."""
        self.network, self.schedule, self.canvas = network, schedule, canvas
        self.reader = None if canvas.tempo[1] else reader
        self.device = next(network.parameters()).device
        self.places = canvas.places(self.device)
        self.codes = None if codes is None else codes.to(self.device)
        self.other = None if other is None else other.to(self.device)
        self.rhythm, self.tempo, self.style = (v.to(self.device) for v in (canvas.rhythm, canvas.tempo, canvas.style))

    def condition(self, variations, numbers):
        """The `Condition` of window `numbers[i]` of variation `variations[i]`, (N,) long."""
        count, places = len(numbers), self.places[numbers]
        rhythm = self.rhythm[:, places].transpose(0, 1)
        known = torch.ones(count, device=self.device)
        code = known[:, None] if self.codes is None else self.codes[variations]
        if self.other is None:
            other, known = torch.zeros(count, self.network.config.latent, places.shape[1],
                                       device=self.device), known * 0
        elif self.other.dim() == 3:
            other = self.other.transpose(1, 2)[variations[:, None], places].transpose(1, 2)
        else:
            other = self.other[:, places].transpose(0, 1)
        made = Condition(other, known, rhythm, self.tempo.expand(count, -1), self.style.expand(count, -1), code)
        return made if self.reader is None else told(made, self.reader, self.network)

    def x0(self, x, t, condition):
        """x0 estimate of windows x (N, 64, W) at timestep t (int)."""
        times = torch.full((len(x),), t, dtype=torch.long, device=x.device)
        output = replay.call(self.network, x, times, condition)
        return self.schedule.to_x0(output.float(), x, t)

    def guided(self, x, t, condition, scale):
        """Classifier-free guidance: none + scale (condition - none)."""
        if scale == 1:
            return self.x0(x, t, condition)
        if scale == 0:
            return self.x0(x, t, condition.none())
        plain, none = self.x0(torch.cat([x, x]), t, condition.cat(condition.none())).chunk(2)
        return none + scale * (plain - none)

    def as_other(self, x0, network):
        """x0 of this side as the `other` of another network: from this one's units to those."""
        raw = self.network.own.restore(x0.transpose(1, 2))
        return network.other(raw).transpose(1, 2)


def single(side, scale, on_window=lambda: None):
    """Denoiser of windows of one side under what its canvas and `side.other` say, for `models.diffusion.windowed`."""
    def denoise(x, t, variations, numbers):
        on_window()
        return side.guided(x, t, side.condition(variations, numbers), scale)
    return denoise


def cross_guided(music, motion, scale, together_from, known=None, on_window=lambda: None):
    """Denoiser of windows (N, 128, W), music above motion, for `models.diffusion.windowed`.

    together_from: T_c / T; 0 never (two independent pieces), 1 from the first step on. known: (values (128,
    length), mask likewise) of a take of which only a range is made anew: each side's estimate agrees with it before
    the other sees it.
    """
    half, steps = music.network.config.latent, music.schedule.steps

    def fixed(estimate, places, rows):
        if known is None:
            return estimate
        values, mask = (part[rows][:, places].transpose(0, 1) for part in known)
        return mask * values + (1 - mask) * estimate

    def denoise(x, t, variations, numbers):
        on_window()
        a, m = x[:, :half], x[:, half:]
        for_a, for_m = music.condition(variations, numbers).alone(), motion.condition(variations, numbers).alone()
        if t >= together_from * steps:
            return torch.cat([music.guided(a, t, for_a, scale), motion.guided(m, t, for_m, scale)], dim=1)
        places = music.places[numbers]
        own_a, own_m = music.x0(a, t, for_a), motion.x0(m, t, for_m)
        seen = motion.as_other(fixed(own_m, places, slice(half, None)), music.network)
        heard = music.as_other(fixed(own_a, places, slice(0, half)), motion.network)
        return torch.cat([music.guided(a, t, for_a.given(seen), scale), motion.guided(m, t, for_m.given(heard), scale)],
                         dim=1)
    return denoise
