"""The repository as the package `baton`, as Blender sees the installed extension: for tests, benches and the demo."""
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def mount():
    """Make `baton.blender_addon` and `baton.core.contract` importable; the extension's own `__init__` does not run."""
    if "baton" not in sys.modules:
        package = types.ModuleType("baton")
        package.__path__ = [str(ROOT)]
        sys.modules["baton"] = package
