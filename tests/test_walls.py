"""The walls of the house and the floors of its rooms: read from the source."""
import subprocess
import sys
from pathlib import Path

import pytest

from models.lab import rooms

ROOT = Path(__file__).resolve().parents[1]
BLENDER_ONLY = {"bpy", "mathutils", "bmesh", "gpu", "gpu_extras", "blf", "bl_ui", "aud", "bpy_extras", "addon_utils",
                "_bpy", "bl_operators"}
ADDON_MAY = BLENDER_ONLY | {"numpy"} | set(sys.stdlib_module_names)


def files(package):
    return sorted((ROOT / package).rglob("*.py"))


MODULES = rooms.modules()


def imports(path):
    return rooms.imports(path, MODULES)


def inside(name, package):
    return name == package or name.startswith(package + ".")


def test_the_reader_of_imports_sees_every_kind(tmp_path):
    """`from . import x`, `from .x import name`, imports in functions: the walls are only as good as this."""
    path = ROOT / "blender_addon" / "flows" / "beats.py"
    seen = dict(imports(path))
    assert seen["blender_addon.scene.bone_map"] and seen["blender_addon.worker.manager"], "a module, or a name of one"
    assert "numpy" in seen and not seen["numpy"]
    assert ("core.pipelines.beats", False) in set(imports(ROOT / "core" / "cli" / "beats.py")), "inside a function"


def test_addon_imports_only_blender_numpy_itself_and_the_contract():
    bad = [(str(p.relative_to(ROOT)), m) for p in files("blender_addon") for m, relative in imports(p)
           if not (inside(m, "blender_addon") or inside(m, "core.contract") if relative
                   else m.split(".")[0] in ADDON_MAY)]
    assert not bad, f"blender_addon may not import these: {bad}"


def test_contract_imports_only_the_standard_library_and_itself():
    """Both sides load it: Blender's under the extension's name, where `core` does not exist; so its own imports are
    relative."""
    bad = [(str(p.relative_to(ROOT)), m) for p in files("core/contract") for m, relative in imports(p)
           if not (inside(m, "core.contract") if relative else m.split(".")[0] in sys.stdlib_module_names)]
    assert not bad, f"core/contract may not import these: {bad}"


def test_core_and_models_never_import_blender():
    bad = [(str(p.relative_to(ROOT)), m) for room in ("core", "models") for p in files(room) for m, _ in imports(p)
           if m.split(".")[0] in BLENDER_ONLY | {"blender_addon", "tests"}]
    assert not bad, f"core and models may not import these: {bad}"


def test_no_import_cycle():
    assert rooms.circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"], "the search finds one"
    found = rooms.circle(rooms.graph(MODULES))
    assert found is None, "import cycle: " + " -> ".join(found)


def test_rooms_lie_on_floors():
    """No import runs back up from a room to one that stands on it."""
    found = rooms.circle(rooms.rooms(rooms.graph(MODULES)))
    assert found is None, "rooms import each other: " + " -> ".join(found)


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("models.") and m.split(".")[2:] == ["pipeline"]]
                         + ["models.rhythm.detect", "core.pipelines.beats", "core.worker.jobs"])
def test_inference_imports_no_training(module):
    """What a user runs loads nothing of the lab or of training, and no module that trains."""
    code = (f"import sys, {module}\n"
            "bad = [m for m in sys.modules if m.startswith(('models.lab', 'models.training'))\n"
            "       or m.endswith(('.train', '_train'))]\n"
            "sys.exit(', '.join(bad) or 0)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{module} imports {done.stderr}"


def test_worker_says_hello_without_torch():
    """What the worker imports before its first message must not pull torch, librosa or scipy's weight in."""
    code = ("import sys; sys.argv=['x']; import core.worker.main; sys.exit('torch' in sys.modules or 'librosa' in "
            "sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_job_of_the_panel_waits_for_a_compiler():
    """librosa's transforms are compiled by numba on first use in a fresh environment, ten seconds and more: what worker
    jobs need of mels is computed without it, and the music path also without scipy.signal, half a second to import."""
    code = ("import sys, numpy as np, torch\n"
            "from core.audio import mel, loudness\n"
            "from models.rhythm.features import to_mono\n"
            "from models.conductor.features import mel_frames\n"
            "import core.retarget, core.rhythm.alignment, core.pipelines.to_sound\n"
            "import models.music_ldm.pipeline, models.rhythm.detect\n"
            "x = np.sin(np.arange(48_000) / 20).astype(np.float32)\n"
            "mel.log_mel(x), mel_frames(x), to_mono(x, 48_000), loudness.deliver(np.stack([x, x]), 48_000)\n"
            "sys.exit(', '.join({'numba', 'librosa', 'scipy.signal'} & set(sys.modules)) or 0)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_file_is_endless():
    long = [(str(p.relative_to(ROOT)), n) for room in ("core", "models", "blender_addon", "tests") for p in files(room)
            if (n := len(p.read_text(encoding="utf-8").splitlines())) > 400]
    assert not long, f"split these files: {long}"
