"""What every dance can be asked for, whoever makes it."""
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class DanceSettings:
    """Goes before a system's own settings of a call.

    start       s, where in the music the passage begins
    genre       a style of the system's, None: unknown
    energy      0 calm .. 1 wild, None: as the system has it
    in_place, path  the dancer stays, or follows a polyline (K, 2 or 3) in metres from where it starts
    loop        the end leads to the beginning
    grow        `Motion` just before the passage, up to 2 s of it (one frame: a pose), that the dance grows out of
    mirror      left and right exchanged
    feet        clean contacts at the end
    keep        (of `CallSettings`) (`Motion` of the passage, [(from, to), ...] in seconds): these ranges stay
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
