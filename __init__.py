"""Baton, a Blender extension: motion into music, music into motion."""
from .blender_addon import register, unregister  # noqa: F401
