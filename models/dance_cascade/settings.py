"""What the dancer can be asked for."""
from dataclasses import dataclass
from typing import Any

from models.diffusion.settings import SamplingSettings
from models.motion.settings import DanceSettings


@dataclass(frozen=True)
class Settings(DanceSettings, SamplingSettings):
    """Settings of a call, on those of every dance and every sampler (steps are the base's; the super-resolution takes
    half as many).

    genre       one of `config.STYLES`; None: one of the ten genres, by music and seed (`choice`)
    energy      0.5 is as the corpus; a number or an even curve over the passage; None: as the music, around the seed's
                own
    style_guidance  how much the dance is drawn to how its style stands and moves; None: 1, 0: the style token alone
    beat_guidance   how much more than the rest of the condition the beats weigh; None: the checkpoint's
    features    an earlier `Dancer.analyse(audio)`
    """

    beat_guidance: float | None = None
    style_guidance: float | None = None
    sampler: str | None = None
    features: Any = None
