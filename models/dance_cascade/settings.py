"""What a dance can be asked for."""
from dataclasses import dataclass
from typing import Any

from models.diffusion.settings import SamplingSettings


@dataclass(frozen=True)
class Settings(SamplingSettings):
    """Settings of a call, on those that every sampler has (steps are the base's; the super-resolution takes half as
    many).

    start       s, where in the music the passage begins
    genre       one of `config.STYLES`, None: unknown
    energy      0 calm .. 0.5 as the corpus .. 1 wild, a number or an even curve over the passage; None: 0.5
    in_place, path  the dancer stays, or follows a polyline (K, 2 or 3) in metres from where it starts
    loop        the end leads to the beginning
    grow        `Motion` just before the passage, up to 2 s of it (one frame: a pose), that the dance grows out of
    keep        (`Motion` of the passage, [(from, to), ...] in seconds): these ranges stay
    mirror      left and right exchanged
    feet        clean contacts after sampling
    features    an earlier `Dancer.analyse(audio)`
    """

    start: float = 0.0
    genre: str | None = None
    energy: Any = None
    in_place: bool = False
    path: Any = None
    loop: bool = False
    grow: Any = None
    mirror: bool = False
    feet: bool = True
    sampler: str | None = None
    features: Any = None
