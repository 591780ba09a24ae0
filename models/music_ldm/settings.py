"""What `MusicLDM.generate` is asked."""
from dataclasses import dataclass

from core.audio import Audio
from models.diffusion.settings import SamplingSettings


@dataclass(frozen=True)
class Settings(SamplingSettings):
    """genre: slug or None. loop: the end joins the beginning. keep: (samples (2, M) at 48 kHz, start, stop): that take,
    made anew between the two seconds only. like: `Audio` whose timbre the music is to have, not one drawn by the seed;
    a kept take has its own. vocoder: learned or griffin_lim. guidance_interval: shares of the noise, from 1 down, in
    which guidance acts; guidance_rescale: as models/diffusion/guidance.py.
    """

    guidance_scale: float = 1.6
    steps: int = 10
    genre: str | None = None
    loop: bool = False
    like: Audio | None = None
    sampler: str = "dpmpp_2m"
    vocoder: str = "learned"
    guidance_interval: tuple = (0.0, 1.0)
    guidance_rescale: float = 0.0
