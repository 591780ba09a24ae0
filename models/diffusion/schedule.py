"""Noise schedules and the eps / x0 / v parameterisations (Ho et al. 2020; Salimans & Ho 2022)."""
import math

import torch

PREDICTIONS = ("eps", "x0", "v")


def _betas(name, steps):
    """Float64 betas (T,) of the usual schedules."""
    if name == "linear":                                             # Ho et al. 2020, section 4
        return torch.linspace(1e-4, 0.02, steps, dtype=torch.float64)
    if name == "scaled_linear":                                      # Rombach et al. 2022 (latent diffusion)
        return torch.linspace(0.00085**0.5, 0.012**0.5, steps, dtype=torch.float64) ** 2
    if name == "cosine":                                             # Nichol & Dhariwal 2021, eq. 17
        def bar(u):
            return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2
        return torch.tensor([min(1 - bar((i + 1) / steps) / bar(i / steps), 0.999) for i in range(steps)],
                            dtype=torch.float64)
    raise ValueError(f"schedule is linear, scaled_linear or cosine, not {name!r}")


class Schedule:
    """A variance-preserving chain x_t = alpha_t x_0 + sigma_t eps, t = 0..T-1 (0 the cleanest).

    name        linear | scaled_linear | cosine
    prediction  what the network's output means: eps | x0 | v, with v = alpha eps - sigma x_0
    steps       T
    zero_snr    rescale so that the last step is pure noise (Lin et al. 2023, algorithm 1); then use v or x0
    """

    def __init__(self, name="cosine", prediction="v", steps=1000, zero_snr=False):
        if prediction not in PREDICTIONS:
            raise ValueError(f"prediction is one of {PREDICTIONS}, not {prediction!r}")
        self.name, self.prediction, self.steps = name, prediction, steps
        root = torch.cumprod(1 - _betas(name, steps), 0).sqrt()
        if zero_snr:
            if prediction == "eps":
                raise ValueError("eps says nothing about x0 at zero signal; use prediction v or x0 with zero_snr")
            root = (root - root[-1]) * root[0] / (root[0] - root[-1])
        self.alphas_bar = root**2                                    # (T,) float64, the paper's bar alpha_t
        self._bars, self._placed = self.alphas_bar.tolist(), {}

    def _bar(self, t):
        """bar alpha_t (B,) float64 of a long tensor t; the table goes to t's device once."""
        if t.device not in self._placed:
            self._placed[t.device] = self.alphas_bar.to(t.device)
        return self._placed[t.device][t]

    def alpha_sigma(self, t):
        """alpha_t, sigma_t: floats for an int t (t = -1 is the clean end: 1, 0); float32 tensors (B,) for a long tensor
        t."""
        if isinstance(t, int):
            bar = 1.0 if t < 0 else self._bars[t]
            return math.sqrt(bar), math.sqrt(1.0 - bar)
        bar = self._bar(t)
        return bar.sqrt().float(), (1.0 - bar).sqrt().float()

    def timesteps(self, count, spacing="trailing"):
        """`count` descending ints. trailing starts at T-1 (Lin et al. 2023, table 2); leading ends at 0; linspace does
        both."""
        if not 1 <= count <= self.steps:
            raise ValueError(f"between 1 and {self.steps} sampling steps, not {count}")
        if spacing == "trailing":
            times = [round(self.steps * (1 - i / count)) - 1 for i in range(count)]
        elif spacing == "leading":
            times = [(self.steps // count) * i for i in reversed(range(count))]
        elif spacing == "linspace":
            times = [round((self.steps - 1) * (1 - i / count)) for i in range(count)]
        else:
            raise ValueError(f"spacing is trailing, leading or linspace, not {spacing!r}")
        return times

    def add_noise(self, x0, noise, t):
        """q(x_t | x_0), Ho et al. eq. 4. x0, noise (B, ...); t int or long (B,)."""
        alpha, sigma = self._shaped(t, x0)
        return alpha * x0 + sigma * noise

    def target(self, x0, noise, t):
        """What the network should answer for (x0, noise, t)."""
        if self.prediction == "eps":
            return noise
        if self.prediction == "x0":
            return x0
        alpha, sigma = self._shaped(t, x0)
        return alpha * noise - sigma * x0

    def to_x0(self, output, x, t):
        """x_0 from the network's output at (x, t)."""
        if self.prediction == "x0":
            return output
        alpha, sigma = self._shaped(t, x)
        if self.prediction == "eps":
            return (x - sigma * output) / alpha
        return alpha * x - sigma * output

    def denoiser(self, network):
        """The function (x, t int) -> x0 of a network called as network(x, t long (B,)); float32 out."""
        def denoise(x, t):
            times = torch.full((len(x),), t, dtype=torch.long, device=x.device)
            return self.to_x0(network(x, times).float(), x, t)
        return denoise

    def loss_weight(self, t, min_snr_gamma=None):
        """Per-item weight (B,) of the squared error of `target`: 1, or min-SNR-gamma (Hang et al. 2023, section
        3.4)."""
        if min_snr_gamma is None:
            return torch.ones(len(t), device=t.device)
        bar = self._bar(t).float()
        snr = bar / (1 - bar).clamp(min=1e-8)
        clipped = snr.clamp(max=min_snr_gamma)
        return clipped / {"eps": snr, "x0": torch.ones_like(snr), "v": snr + 1}[self.prediction].clamp(min=1e-8)

    def _shaped(self, t, like):
        alpha, sigma = self.alpha_sigma(t)
        if isinstance(t, int):
            return alpha, sigma
        shape = (-1,) + (1,) * (like.dim() - 1)
        return alpha.reshape(shape), sigma.reshape(shape)
