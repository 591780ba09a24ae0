"""The Blender side is imported as `baton.blender_addon`, so that its relative imports reach `core.contract`."""
from models.lab.mount import mount

mount()
