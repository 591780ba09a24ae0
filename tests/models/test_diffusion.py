"""Samplers against diffusers, parameterisations, guidance, windows, masked replacement."""
import math

import pytest

torch = pytest.importorskip("torch")

from models.diffusion import SAMPLERS, Inpaint, Schedule, guided, window_starts, windowed  # noqa: E402

BETAS = {"linear": ("linear", 1e-4, 0.02), "scaled_linear": ("scaled_linear", 0.00085, 0.012),
         "cosine": ("squaredcos_cap_v2", 1e-4, 0.02)}
KIND = {"eps": "epsilon", "x0": "sample", "v": "v_prediction"}


def toy_network(x, t):
    """Smooth, time dependent, and not linear in x."""
    return torch.tanh(x * (0.3 + t.reshape(-1, 1, 1) / 1500.0)) - 0.1 * x.roll(1, -1)


def diffusers_sample(kind, name, prediction, steps, x, spacing):
    diffusers = pytest.importorskip("diffusers")
    schedule, low, high = BETAS[name]
    common = dict(num_train_timesteps=1000, beta_schedule=schedule, beta_start=low, beta_end=high,
                  prediction_type=KIND[prediction], timestep_spacing=spacing)
    if kind == "ddpm":
        scheduler = diffusers.DDPMScheduler(clip_sample=False, variance_type="fixed_small", **common)
    elif kind == "ddim":
        scheduler = diffusers.DDIMScheduler(clip_sample=False, set_alpha_to_one=True, steps_offset=0, **common)
    else:
        scheduler = diffusers.DPMSolverMultistepScheduler(solver_order=2, algorithm_type="dpmsolver++",
                                                          final_sigmas_type="zero", **common)
    scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(7)
    for t in scheduler.timesteps:
        extra = {} if kind == "dpmpp_2m" else {"generator": generator}
        if kind == "ddim":
            extra["eta"] = 0.5
        output = toy_network(x, torch.full((len(x),), int(t)))
        x = scheduler.step(output, t, x, **extra).prev_sample
    return x


@pytest.mark.parametrize("kind, spacing", [("ddpm", "leading"), ("ddim", "leading"), ("ddim", "trailing"),
                                           ("dpmpp_2m", "linspace")])
@pytest.mark.parametrize("prediction", ["eps", "x0", "v"])
@pytest.mark.parametrize("name", ["linear", "scaled_linear", "cosine"])
@pytest.mark.parametrize("steps", [10, 50])
def test_samplers_equal_diffusers(kind, spacing, prediction, name, steps):
    schedule = Schedule(name, prediction)
    x = torch.randn(2, 3, 16, generator=torch.Generator().manual_seed(1))
    times = schedule.timesteps(steps, spacing)
    options = {"eta": 0.5} if kind == "ddim" else {}
    generator = torch.Generator().manual_seed(7)
    mine = SAMPLERS[kind](schedule.denoiser(toy_network), x, schedule, times, generator=generator, **options)
    theirs = diffusers_sample(kind, name, prediction, steps, x, spacing)
    assert torch.isfinite(mine).all()
    # relative to the values' own size: eps at the far end of a cosine schedule multiplies float32 rounding by 1 / alpha
    assert (mine - theirs).abs().max() <= 1e-4 * max(1.0, float(theirs.abs().max()))


@pytest.mark.parametrize("prediction", ["eps", "x0", "v"])
def test_target_and_x0_are_inverse(prediction):
    schedule = Schedule("cosine", prediction)
    generator = torch.Generator().manual_seed(0)
    x0, noise = torch.randn(2, 4, 5, 6, generator=generator)
    for t in (0, 300, 900):
        times = torch.full((4,), t)
        x = schedule.add_noise(x0, noise, times)
        back = schedule.to_x0(schedule.target(x0, noise, times), x, times)
        assert torch.allclose(back, x0, atol=2e-3)
        alpha, sigma = schedule.alpha_sigma(t)
        assert math.isclose(alpha**2 + sigma**2, 1.0, rel_tol=1e-9)


@pytest.mark.parametrize("kind", sorted(SAMPLERS))
def test_samplers_reach_the_posterior_of_a_gaussian(kind):
    """With the exact denoiser of N(2, 0.5^2) every sampler must return that distribution."""
    schedule = Schedule("cosine", "x0")

    def exact(x, t):
        alpha, sigma = schedule.alpha_sigma(t)
        gain = alpha * 0.25 / (alpha**2 * 0.25 + sigma**2)
        return 2.0 + gain * (x - alpha * 2.0)
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(4000, 1, generator=generator)
    out = SAMPLERS[kind](exact, x, schedule, schedule.timesteps(100), generator=generator)
    assert abs(float(out.mean()) - 2.0) < 0.03 and abs(float(out.std()) - 0.5) < 0.03


def test_zero_snr_starts_from_pure_noise_and_refuses_eps():
    schedule = Schedule("scaled_linear", "v", zero_snr=True)
    assert schedule.alpha_sigma(999) == (0.0, 1.0)
    x = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))
    for sampler in SAMPLERS.values():
        assert torch.isfinite(sampler(schedule.denoiser(toy_network), x, schedule, schedule.timesteps(10))).all()
    with pytest.raises(ValueError, match="zero_snr"):
        Schedule("linear", "eps", zero_snr=True)


def test_guidance_scale_interval_and_rescale():
    cond, base = (lambda x, t: x * 0 + 3.0 * torch.sign(x)), (lambda x, t: x * 0 + torch.sign(x))
    x = torch.tensor([[1.0, -1.0, 1.0, -1.0]])
    assert torch.equal(guided(cond, base, 0.0)(x, 500), base(x, 500))
    assert torch.equal(guided(cond, base, 1.0)(x, 500), cond(x, 500))
    assert torch.allclose(guided(cond, base, 2.0)(x, 500), 5.0 * x)
    assert torch.equal(guided(cond, base, 2.0, interval=(0.1, 0.4))(x, 500), cond(x, 500))
    assert torch.allclose(guided(cond, base, 2.0, rescale=1.0)(x, 500), 3.0 * x, atol=1e-5)
    once = guided(cond, None, 2.0, both=lambda x, t: (cond(x, t), base(x, t)), interval=(0.1, 1.0))
    assert torch.allclose(once(x, 500), 5.0 * x) and torch.equal(once(x, 50),
                                                                 cond(x, 50)), "one pass, only where both are asked"


def test_on_step_counts_and_can_cancel():
    schedule, seen = Schedule(), []

    def stop(number, total):
        seen.append((number, total))
        if number == 2:
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        SAMPLERS["ddim"](schedule.denoiser(toy_network), torch.randn(1, 2, 8), schedule, schedule.timesteps(5),
                         on_step=stop)
    assert seen == [(0, 5), (1, 5), (2, 5)]


@pytest.mark.parametrize("length, loop", [(64, False), (65, False), (200, False), (200, True), (30, True), (64, True)])
def test_windows_cover_and_blend_to_the_identity(length, loop):
    """Windows of a denoiser that answers its input give the input back, on any length, ring or line, in small
    batches."""
    starts = window_starts(length, 64, 16, loop)
    covered = {place % length for start in starts for place in range(start, start + 64)}
    assert covered == set(range(length)) and (loop or max(starts) + 64 == length)
    asked = []

    def identity(pieces, t, variation, number):
        asked.append(len(pieces))
        return pieces
    x = torch.randn(2, 3, length)
    assert torch.allclose(windowed(identity, length, 64, 16, loop, batch=3)(x, 10), x, atol=1e-5)
    assert max(asked) <= 3 and sum(asked) == 2 * len(starts)


def test_windows_blend_neighbours_without_a_step():
    """Window k answers the constant k: the canvas must climb, by no more than one ramp's slope per frame."""
    def numbered(pieces, t, variation, number):
        return torch.stack([torch.full_like(piece, float(k)) for piece, k in zip(pieces, number)])
    out = windowed(numbered, 160, 64, 16)(torch.zeros(1, 1, 160), 0)[0, 0]
    assert out[0] == 0 and out[-1] == 2 and (out.diff() >= -1e-6).all() and out.diff().max() < 0.15
    ring = windowed(numbered, 144, 64, 16, loop=True)(torch.zeros(1, 1, 144), 0)[0, 0]
    assert abs(float(ring[0] - ring[-1])) < 0.3          # the ring's end joins its start by the same kind of ramp


def test_short_canvas_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        window_starts(40, 64, 16)


@pytest.mark.parametrize("kind", sorted(SAMPLERS))
def test_inpainting_keeps_the_known_part_and_joins_the_rest(kind):
    """Exact denoiser of a constant sequence with unknown level: what is regenerated must take the known level."""
    schedule = Schedule("cosine", "x0")
    generator = torch.Generator().manual_seed(5)

    def level(x, t):
        alpha, sigma = schedule.alpha_sigma(t)
        n = x.shape[-1]
        return (alpha * x.sum(-1, keepdim=True) / (alpha**2 * n + sigma**2)).expand_as(x)
    known = torch.full((8, 1, 32), 1.7)
    mask = torch.zeros(32)
    mask[:24] = 1
    task = Inpaint(known, mask, schedule, generator)
    x = torch.randn(known.shape, generator=generator)
    out = SAMPLERS[kind](task.wrap(level), x, schedule, schedule.timesteps(40), generator=generator,
                         project=task.project)
    assert torch.equal(out[..., :24], known[..., :24])
    assert (out[..., 24:].mean(-1) - 1.7).abs().mean() < 0.3
