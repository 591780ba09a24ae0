"""The Blender side is imported as `baton.blender_addon`, so that its relative imports reach `core.contract`."""
import os
from pathlib import Path

from models.lab.mount import mount

mount()

worker = os.environ.get("PYTEST_XDIST_WORKER")
if worker:  # each process of tests has preferences of its own and leaves the other cores to the others
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if "BLENDER_USER_RESOURCES" in os.environ:
        own = Path(os.environ["BLENDER_USER_RESOURCES"]) / worker
        own.mkdir(parents=True, exist_ok=True)
        os.environ["BLENDER_USER_RESOURCES"] = str(own)
