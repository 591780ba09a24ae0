"""Fixtures for real bpy. Blender's user folder is a temporary one; everything is unregistered before exit, because
left-over classes make some bpy wheels crash or hang when Python ends."""
import os
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
os.environ.setdefault("BLENDER_USER_RESOURCES", tempfile.mkdtemp(prefix="baton-user-"))
os.environ.setdefault("OMP_NUM_THREADS", "1")
if "BATON_WORKER_PYTHON" not in os.environ:
    dev = ROOT / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    os.environ["BATON_WORKER_PYTHON"] = str(dev if dev.is_file() else sys.executable)

bpy = pytest.importorskip("bpy")

from baton import blender_addon  # noqa: E402
from baton.blender_addon.worker import manager as jobs  # noqa: E402
from tests.blender import scenes  # noqa: E402


@pytest.fixture(scope="session")
def registered():
    blender_addon.register()
    yield
    blender_addon.unregister()


@pytest.fixture
def blender(registered):
    """An empty file at 30 fps; a job left over by a test ends here."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 30, 1.0
    bpy.context.preferences.edit.undo_steps = 32
    yield bpy
    jobs.manager.abort("test over")
    jobs.manager.last = None
    jobs.manager.busy.clear()
    jobs.faults.clear()


@pytest.fixture
def manager(blender):
    """The manager of jobs without a worker, before and after."""
    jobs.manager.stop_worker()
    yield jobs.manager
    jobs.manager.stop_worker()


@pytest.fixture(scope="session")
def has_sound(registered):
    """The 4.2 wheels are built without Audaspace: strips cannot be made there."""
    path = Path(tempfile.mkdtemp()) / "probe.wav"
    scenes.write_wav(path, 0.2)
    editor = bpy.context.scene.sequence_editor_create()
    strips = getattr(editor, "strips", None)
    strips = editor.sequences if strips is None else strips
    try:
        strips.new_sound("probe", str(path), 1, 1)
    except RuntimeError:
        return False
    return True


@pytest.fixture
def sound(has_sound):
    if not has_sound:
        pytest.skip("this bpy is built without sound (4.2 wheel)")


@pytest.fixture(scope="session")
def checkpoints():
    """Skips where no checkpoint is in the repository."""
    index = ROOT / "checkpoints" / "index.json"
    if not index.is_file():
        pytest.skip("checkpoints/index.json is absent: no trained weights here")
    import json
    return {(row["system"], row["part"]) for row in json.loads(index.read_text())["entries"]}
