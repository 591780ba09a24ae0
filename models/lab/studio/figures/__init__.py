"""The dancers' vocabulary as data: arm poses, step patterns and ten genres."""
from models.lab.studio.figures.genres import GENRE_FIGURES, Genre
from models.lab.studio.figures.poses import ARM_POSES

__all__ = ["ARM_POSES", "GENRE_FIGURES", "Genre"]
