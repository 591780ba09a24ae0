"""What the three entries are asked."""
from dataclasses import dataclass

from core.audio import Audio
from models.diffusion.settings import SamplingSettings


@dataclass(frozen=True)
class Settings(SamplingSettings):
    """genre: slug or None. loop: the end joins the beginning. like: `Audio` whose mix the music is to have (to
    sound and to both). start (s): where in the track the passage begins (to motion). tidy: planted feet stay,
    nothing sinks into the floor. together_from: T_c / T of cross-guidance, 0 apart .. 1 together from the first
    step (to both).

    keep: to sound (samples (2, M) at 48 kHz, start, stop): that take, made anew between the two seconds only; to
    motion (`Motion`, [(from, to), ...]): what stays, in seconds, where it is; to both (samples, `Motion`, ranges
    that stay of the sound, of the motion).
    """

    guidance_scale: float = 1.5
    steps: int = 16
    genre: str | None = None
    loop: bool = False
    like: Audio | None = None
    start: float = 0.0
    tidy: bool = True
    together_from: float = 0.5
    sampler: str = "dpmpp_2m"
