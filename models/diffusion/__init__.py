"""Diffusion, shared by every system: a schedule, three parameterisations, three samplers, guidance, windows, one
canvas.

Everything that samples works on one thing: a *denoiser*, a function `denoise(x, t) -> x0` of the noisy array
x (B, ...) and the integer timestep t. `schedule.denoiser(network)` makes one from a network that predicts eps, x0 or v;
`guided`, `windowed` and `Inpaint` wrap denoisers; the samplers of `SAMPLERS` call them.

    schedule = Schedule("cosine", prediction="v")
    denoise = guided(schedule.denoiser(conditional), schedule.denoiser(unconditional), scale=2.5)
    x0 = dpmpp_2m(denoise, torch.randn(shape), schedule, schedule.timesteps(20))

`canvas` puts these together for passages of any length, with kept ranges, progress and cancel; `loss` is what training
draws.
"""
from models.diffusion.guidance import guided
from models.diffusion.samplers import SAMPLERS, ddim, ddpm, dpmpp_2m
from models.diffusion.schedule import Schedule
from models.diffusion.windows import Inpaint, window_starts, windowed

__all__ = ["SAMPLERS", "Inpaint", "Schedule", "ddim", "ddpm", "dpmpp_2m", "guided", "window_starts", "windowed"]
