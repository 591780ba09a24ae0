"""What a dance of real moves can be asked for."""

from dataclasses import dataclass
from typing import Any

from models.diffusion.settings import CallSettings


@dataclass(frozen=True)
class Settings(CallSettings):
    """Settings of a call.

    start       s, where in the music the passage begins
    folder, actions   [`core.motion_files.moves.Move`] of a folder or of the user's actions; None: Baton's own moves
    genre       a style of the shipped moves, None: what suits the tempo
    energy      0 calm .. 1 wild; None: as the music
    in_place, path  the dancer stays, or follows a polyline (K, 2 or 3) in metres from where it starts
    loop        the end leads to the beginning
    grow        `Motion` just before the passage, up to 2 s of it (one frame: a pose), that the dance grows out of
    mirror      left and right exchanged
    feet        clean contacts at the end
    keep        (`Motion` of the passage, [(from, to), ...] in seconds): these ranges stay
    """

    start: float = 0.0
    folder: Any = None
    actions: Any = None
    genre: str | None = None
    energy: float | None = None
    in_place: bool = False
    path: Any = None
    loop: bool = False
    grow: Any = None
    mirror: bool = False
    feet: bool = True
