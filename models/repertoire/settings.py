"""What a dance of real moves can be asked for."""
from dataclasses import dataclass
from typing import Any

from models.diffusion.settings import CallSettings
from models.motion.settings import DanceSettings


@dataclass(frozen=True)
class Settings(DanceSettings, CallSettings):
    """Settings of a call, on those of every dance.

    folder, actions   [`core.motion_files.moves.Move`] of a folder or of the user's actions; None: Baton's own moves
    genre       a style of the shipped moves, None: what suits the tempo
    energy      None: as the music
    """

    folder: Any = None
    actions: Any = None
