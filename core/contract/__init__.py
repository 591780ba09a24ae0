"""Lists that every side of Baton reads as data, so that nothing is listed twice.

Standard library only: the Blender add-on loads the same JSON files by path.
"""
import json
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


@cache
def load(name):
    """Return the parsed `core/contract/<name>.json`; treat the result as read-only."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


SKELETON = load("skeleton")
JOINTS = SKELETON["joints"]
PARENTS = SKELETON["parents"]
REPRESENTATION_VERSION = SKELETON["representation_version"]
GENRES = [g["slug"] for g in load("genres")]
