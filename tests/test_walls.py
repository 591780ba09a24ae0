"""The walls of the house and the floors of its rooms: read from the source."""
import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLENDER_ONLY = {"bpy", "mathutils", "bmesh", "gpu", "gpu_extras", "blf", "bl_ui", "aud", "bpy_extras", "addon_utils", "_bpy",
                "bl_operators"}
ADDON_MAY = BLENDER_ONLY | {"numpy"} | set(sys.stdlib_module_names)
# Imports between rooms that still run back up; meant to become empty.
BACK_UP = {("models.training", "models.lab"), ("models.training", "models.music_ldm"), ("models.music_ldm", "models.lab"),
           ("blender_addon.flows", "blender_addon.ui")}


def files(package):
    return sorted((ROOT / package).rglob("*.py"))


def module_name(path):
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(p): p for room in ("core", "models", "blender_addon") for p in files(room)}


def imports(path):
    """(absolute module name, whether it is written relatively) of each import in a file, those inside functions included.

    `from . import a` names the module a; `from x import name` names x where `name` is no module.
    """
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, False
        elif isinstance(node, ast.ImportFrom):
            above = package[:len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield (f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base), bool(node.level)


def inside(name, package):
    return name == package or name.startswith(package + ".")


def test_the_reader_of_imports_sees_every_kind(tmp_path):
    """`from . import x`, `from .x import name`, imports in functions: the walls are only as good as this."""
    path = ROOT / "blender_addon" / "flows" / "beats.py"
    seen = dict(imports(path))
    assert seen["blender_addon.scene.bone_map"] and seen["blender_addon.worker.manager"], "from .. import a module, or a name of one"
    assert "numpy" in seen and not seen["numpy"]
    assert ("core.pipelines.beats", False) in set(imports(ROOT / "core" / "cli" / "beats.py")), "inside a function"


def test_addon_imports_only_blender_numpy_itself_and_the_contract():
    bad = [(str(p.relative_to(ROOT)), m) for p in files("blender_addon") for m, relative in imports(p)
           if not (inside(m, "blender_addon") or inside(m, "core.contract") if relative else m.split(".")[0] in ADDON_MAY)]
    assert not bad, f"blender_addon may not import these: {bad}"


def test_contract_imports_only_the_standard_library_and_itself():
    """Both sides load it: Blender's under the extension's name, where `core` does not exist; so its own imports are relative."""
    bad = [(str(p.relative_to(ROOT)), m) for p in files("core/contract") for m, relative in imports(p)
           if not (inside(m, "core.contract") if relative else m.split(".")[0] in sys.stdlib_module_names)]
    assert not bad, f"core/contract may not import these: {bad}"


def test_core_and_models_never_import_blender():
    bad = [(str(p.relative_to(ROOT)), m) for room in ("core", "models") for p in files(room) for m, _ in imports(p)
           if m.split(".")[0] in BLENDER_ONLY | {"blender_addon", "tests"}]
    assert not bad, f"core and models may not import these: {bad}"


def graph():
    """{module: the modules of ours it imports}. That a module needs its own packages is no arrow."""
    return {name: {m for m, _ in imports(path) if m in MODULES and m != name and not name.startswith(m + ".")}
            for name, path in MODULES.items()}


def circle(edges):
    """A circle of the graph {node: nodes} as a list, or None."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        path.append(node)
        for other in sorted(edges.get(node, ())):
            found = visit(other)
            if found:
                return found
        path.pop()
        done.add(node)
        return None

    return next(filter(None, map(visit, sorted(edges))), None)


def test_no_import_cycle():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"], "the search finds one"
    found = circle(graph())
    assert found is None, "import cycle: " + " -> ".join(found)


def room(name):
    """The room of a module: a folder of core, models or blender_addon; all of models/lab is one."""
    return ".".join(name.split(".")[:2])


def rooms():
    """{room: the rooms it imports from}, without what is allowed to run back up for now."""
    edges = {}
    for name, others in graph().items():
        edges.setdefault(room(name), set()).update(room(m) for m in others if room(m) != room(name)
                                                   and (room(name), room(m)) not in BACK_UP)
    return edges


def test_rooms_lie_on_floors():
    """No import runs back up from a room to one that stands on it."""
    found = circle(rooms())
    assert found is None, "rooms import each other: " + " -> ".join(found)


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("models.") and m.count(".") == 2 and m.endswith(".pipeline")]
                         + ["models.rhythm.detect", "core.pipelines.beats", "core.worker.jobs"])
def test_inference_imports_no_training(module):
    """What a user runs loads nothing of the lab or of training, and no module that trains."""
    code = (f"import sys, {module}\n"
            "bad = [m for m in sys.modules if m.startswith(('models.lab', 'models.training')) or m.endswith(('.train', '_train'))]\n"
            "sys.exit(', '.join(bad) or 0)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{module} imports {done.stderr}"


def test_worker_says_hello_without_torch():
    """What the worker imports before its first message must not pull torch, librosa or scipy's weight in."""
    code = "import sys; sys.argv=['x']; import core.worker.main; sys.exit('torch' in sys.modules or 'librosa' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_job_of_the_panel_waits_for_a_compiler():
    """librosa's transforms are compiled by numba on first use in a fresh environment, ten seconds and more: what worker jobs
    need of mels is computed without it, and the music path also without scipy.signal, half a second to import."""
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
