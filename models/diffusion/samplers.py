"""Samplers as pure functions: sampler(denoise, x, schedule, timesteps, ...) -> x0.

denoise     (x, t int) -> x0, see models/diffusion/__init__.py
x           (B, ...) standard normal noise
timesteps   descending ints from `Schedule.timesteps`
generator   CPU torch.Generator, or a list of one per row of x (rows then do not depend on their neighbours), for noise
project     optional (x, t) -> x applied to the start and after each step, t the level x now has (-1: clean): masked
            replacement
on_step     optional (number, total), called before each denoiser call; what it raises ends the sampling (progress,
            cancel)
"""
import math

import torch


def normal(like, generator=None):
    """Standard normal noise of `like`'s shape from one generator, or row by row from a list of them."""
    if isinstance(generator, (list, tuple)):
        return torch.stack([torch.randn(like.shape[1:], generator=each) for each in generator]).to(like)
    return torch.randn(like.shape, generator=generator).to(like)


def _walk(timesteps, on_step):
    """Pairs (t, next t); the last next is -1, the clean end."""
    for number, (t, after) in enumerate(zip(timesteps, [*timesteps[1:], -1])):
        if on_step is not None:
            on_step(number, len(timesteps))
        yield t, after


@torch.no_grad()
def ddpm(denoise, x, schedule, timesteps, *, generator=None, project=None, on_step=None):
    """Ancestral sampling, fixed-small variance (Ho et al. 2020, eq. 6-7), respaced where timesteps are fewer than T."""
    x = project(x, timesteps[0]) if project else x
    for t, after in _walk(timesteps, on_step):
        (alpha, sigma), (alpha_s, sigma_s) = schedule.alpha_sigma(t), schedule.alpha_sigma(after)
        x0 = denoise(x, t)
        step = (alpha / alpha_s) ** 2                                # bar alpha_t / bar alpha_s
        beta = 1 - step
        mean = (alpha_s * beta * x0 + math.sqrt(step) * sigma_s**2 * x) / sigma**2
        x = mean
        if after >= 0:
            x = x + math.sqrt(beta) * sigma_s / sigma * normal(x, generator)
        x = project(x, after) if project else x
    return x


@torch.no_grad()
def ddim(denoise, x, schedule, timesteps, *, eta=0.0, generator=None, project=None, on_step=None):
    """Song et al. 2021, eq. 12 and 16; eta 0 deterministic, 1 as noisy as ddpm."""
    x = project(x, timesteps[0]) if project else x
    for t, after in _walk(timesteps, on_step):
        (alpha, sigma), (alpha_s, sigma_s) = schedule.alpha_sigma(t), schedule.alpha_sigma(after)
        x0 = denoise(x, t)
        eps = (x - alpha * x0) / sigma
        spread = eta * sigma_s / sigma * math.sqrt(max(0.0, 1 - (alpha / alpha_s) ** 2))
        x = alpha_s * x0 + math.sqrt(max(0.0, sigma_s**2 - spread**2)) * eps
        if eta > 0 and after >= 0:
            x = x + spread * normal(x, generator)
        x = project(x, after) if project else x
    return x


@torch.no_grad()
def dpmpp_2m(denoise, x, schedule, timesteps, *, generator=None, project=None, on_step=None):
    """DPM-Solver++(2M), Lu et al. 2022, algorithm 2; first order at the first and the last step. Deterministic."""
    x = project(x, timesteps[0]) if project else x
    last_x0, last_h = None, None
    for t, after in _walk(timesteps, on_step):
        (alpha, sigma), (alpha_s, sigma_s) = schedule.alpha_sigma(t), schedule.alpha_sigma(after)
        x0 = denoise(x, t)
        if after < 0:
            x = x0
        elif alpha < 1e-8:  # zero-SNR start: lambda is -infinity, take one DDIM step
            x = alpha_s * x0 + sigma_s * x
            last_x0 = None
        else:
            h = math.log(alpha_s / sigma_s) - math.log(alpha / sigma)      # step in lambda = log(alpha / sigma)
            slope = x0 if last_x0 is None else x0 + (x0 - last_x0) * (h / (2 * last_h))
            x = sigma_s / sigma * x - alpha_s * math.expm1(-h) * slope
            last_x0, last_h = x0, h
        x = project(x, after) if project else x
    return x


SAMPLERS = {"ddpm": ddpm, "ddim": ddim, "dpmpp_2m": dpmpp_2m}
