"""One denoiser of the cascade at work: noise in, un-normalised vectors out, on a canvas of any length."""
import torch

from models.dance_cascade.config import RATIO
from models.dance_cascade.features import downsampled, smooth_upsampled, upsampled, without_rhythm
from models.diffusion.canvas import Layout, guided_apart, guided_windows, noise, sample
from models.diffusion.schedule import Schedule
from models.layers import replay
from models.layers.precision import native_weights


class Stage:
    """One denoiser of the cascade on its canvas."""

    def __init__(self, config, network, device, guided=None):
        """network: a `Denoiser`, or a function that opens it, which is called once it is needed; guided: (config,
        network) that was taught this one's guided answers, or None."""
        self.config, self.device, self._network, self._open = config, device, None, network
        self.guided, self.taught = None, None
        if guided is not None:
            self.guided = self._ready(guided[1])
            self.taught = guided[0].guidance_scale, guided[0].beat_guidance
        if isinstance(network, torch.nn.Module):
            self.network = self._ready(network)
        self.schedule = Schedule(config.schedule, "x0", config.timesteps)
        some = self.guided if self.guided is not None else self.network         # both hold the same units
        self.standard, self.energy = some.standard, some.energy

    @property
    def network(self):
        """The denoiser; where another was taught its guided answers it is opened for other scales alone."""
        if self._network is None:
            self._network = self._ready(self._open())
        return self._network

    @network.setter
    def network(self, network):
        self._network = network

    def _ready(self, network):
        network = network.to(self.device).eval().requires_grad_(False)
        # An encoder of its own is called without autocast; FiLM adds to its biases.
        return network if network.encoder is not None else native_weights(network, self.device, biases=False)

    def sample(self, condition, x, generators, *, steps, scale, base=None, ratio=RATIO, loop=False, course=None,
               known=None, on_step=None, sampler=None, batch=None, beat_scale=0.0, pull=None):
        """Un-normalised vectors (V, T, 152).

        condition: (frames (V, T, K) or, for all alike, (1, T, K), style index or -1); x: noise (V, 152, T); base (V, T
        / ratio, 152) un-normalised, what the super-resolution refines; course: `Course` or None; known: (vectors (T,
        152), mask (T,) bool) that stay, or None; beat_scale: guidance by the rhythm alone, on top of `scale`, both in
        one pass where a network was taught them; pull: (un-normalised estimate (V, T, 152), share of the noise 0..1)
        -> estimate, or None.
        """
        c, device, standard = self.config, self.device, self.standard
        layout = Layout.of(x.shape[-1], c.window, c.overlap, loop, batch or Layout.batch)
        places, (frames, style) = layout.places(device), condition
        frames, low = frames.to(device).expand(len(x), -1, -1), None
        if base is not None:
            around = torch.cat([base, base[:, :1]], dim=1) if loop else base
            low = standard(upsampled(around, layout.length, ratio).to(device)).transpose(1, 2)
            low = (low + c.low_noise_sampling * noise(generators, low.shape[1:], device)).transpose(1, 2)

        def network(pieces, times, variations, numbers, null, beatless=None):
            heard = frames[variations[:, None], places[numbers]]
            if beatless is not None:
                heard = torch.where(beatless[:, None, None], deaf[variations[:, None], places[numbers]], heard)
            told = {"frames": heard,
                    "style": torch.full((len(pieces),), style, dtype=torch.long, device=device)}
            if low is not None:
                told["low"] = low[variations[:, None], places[numbers]]
                told["low_noise"] = torch.full((len(pieces),), float(c.low_noise_sampling), device=device)
            return replay.call(asked, pieces.transpose(1, 2), times, told, null).float().transpose(1, 2)

        deaf = without_rhythm(c, frames)
        at_once = self.taught == (scale, beat_scale)
        asked = self.guided if at_once else self.network
        denoise = guided_apart(network, layout, self.schedule, scale, beat_scale) \
            if beat_scale and c.rhythm and not at_once else \
            guided_windows(network, layout, self.schedule, 1.0 if at_once else scale)
        if base is not None:
            denoise = self._anchored(denoise, base.to(device), ratio, loop)
        if pull is not None:
            denoise = self._pulled(denoise, pull)
        if course is not None and not course.free:
            denoise = self._bent(denoise, course)
        kept = None
        if known is not None:
            kept = standard(known[0].to(device)).T[None], known[1].to(device).float()[None, None]
        x = sample(denoise, x.to(device), self.schedule, steps, sampler=sampler or c.sampler, generators=generators,
                   kept=kept, on_step=on_step)
        return standard.restore(x.transpose(1, 2)).cpu()

    def _anchored(self, denoise, base, ratio, loop):
        """The denoiser whose estimate, taken down to the base's rate, is the base: only detail is added, no accent
        smoothed away.

        Iterative latent variable refinement (Choi et al. 2021, eq. 8). Without it the released super-resolution costs a
        sixth of the speed and two thirds of the alignment with the beats.
        """
        standard = self.standard

        def anchored(x, t):
            vectors = standard.restore(denoise(x, t).transpose(1, 2))
            missing = base - downsampled(vectors, ratio)[:, :base.shape[1]]
            return standard(vectors + smooth_upsampled(missing, vectors.shape[1], ratio, loop)).transpose(1, 2)
        return anchored

    def _pulled(self, denoise, pull):
        """The denoiser whose estimate is drawn towards a style."""
        standard = self.standard

        def pulled(x, t):
            vectors = standard.restore(denoise(x, t).transpose(1, 2))
            return standard(pull(vectors, t / self.schedule.steps)).transpose(1, 2)
        return pulled

    def _bent(self, denoise, course):
        """The denoiser whose estimate obeys the course."""
        standard = self.standard

        def bent(x, t):
            vectors = standard.restore(denoise(x, t).transpose(1, 2))
            return standard(course.bend(vectors)).transpose(1, 2)
        return bent
