"""What both sides of the process wall share: lists as data, and a few pure functions.
Standard library and relative imports only.

Blender's side imports it as a part of the extension, the worker as `core.contract`: nothing stands twice.
"""
import json
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]                # of the installed extension, or of the repository


@cache
def load(name: str) -> dict | list:
    """Return the parsed `core/contract/<name>.json`; treat the result as read-only."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


SKELETON = load("skeleton")
JOINTS = SKELETON["joints"]
PARENTS = SKELETON["parents"]
REQUIRED_JOINTS = frozenset(SKELETON["required"])
REPRESENTATION_VERSION = SKELETON["representation_version"]
GENRES = [g["slug"] for g in load("genres")]
METRES = (2, 3, 4, 5, 6, 7, 9, 12)      # beats in a bar that a network can name
PLAIN_METRES = (2, 3, 4, 6)             # those of them without uneven groups: what the studio composes in
COMPOUND = (6, 9, 12)                   # those whose beats fall into threes: the next slower level is every third beat
MOTION_FILES = (".bvh", ".npz", ".pkl", ".pt", ".pth")
SCENE_FILES = (".fbx", ".glb", ".gltf", ".usd", ".usda", ".usdc", ".usdz", ".dae", ".abc", ".blend", ".vrm")
MOTION_SUFFIXES = (*MOTION_FILES, *(f"{suffix}.gz" for suffix in MOTION_FILES))
