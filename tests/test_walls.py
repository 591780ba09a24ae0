"""The three walls of the house, and no import cycles: read from the source, nothing is imported."""
import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BLENDER_ONLY = {"bpy", "mathutils", "bmesh", "gpu", "gpu_extras", "blf", "bl_ui", "aud", "bpy_extras", "addon_utils", "_bpy",
                "bl_operators"}
ADDON_MAY = BLENDER_ONLY | {"numpy"} | set(sys.stdlib_module_names)


def files(package):
    return sorted((ROOT / package).rglob("*.py"))


def imports(path, top_level=False):
    """(module, level) of each import in a file; top_level leaves out those inside functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    lazy = set()
    if top_level:
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lazy |= {id(n) for n in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in lazy:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, 0
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level
            if node.level == 0:
                for alias in node.names:
                    yield f"{node.module}.{alias.name}", 0


def test_addon_imports_only_blender_numpy_and_itself():
    bad = [(str(p.relative_to(ROOT)), m) for p in files("blender_addon") for m, level in imports(p)
           if level == 0 and m.split(".")[0] not in ADDON_MAY]
    assert not bad, f"blender_addon may not import these: {bad}"


def test_core_and_models_never_import_blender():
    bad = [(str(p.relative_to(ROOT)), m) for room in ("core", "models") for p in files(room) for m, level in imports(p)
           if m.split(".")[0] in BLENDER_ONLY | {"blender_addon", "tests"}]
    assert not bad, f"core and models may not import these: {bad}"


def module_name(path):
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def graph():
    paths = {module_name(p): p for room in ("core", "models", "blender_addon") for p in files(room)}
    edges = {}
    for name, path in paths.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        found = set()
        for module, level in imports(path, top_level=True):
            if level:
                base = package.split(".")[: len(package.split(".")) - level + 1]
                module = ".".join(base + ([module] if module else []))
            while module and module not in paths:
                module = module.rpartition(".")[0]
            # A package's own __init__ is implied by naming a sibling in it; that is no arrow of its own.
            if module and module != name and not name.startswith(module + "."):
                found.add(module)
        edges[name] = found
    return edges


def test_no_import_cycle():
    edges, done, path = graph(), set(), []

    def visit(name):
        if name in path:
            raise AssertionError("import cycle: " + " -> ".join(path[path.index(name):] + [name]))
        if name in done:
            return
        path.append(name)
        for other in sorted(edges[name]):
            visit(other)
        path.pop()
        done.add(name)

    for name in sorted(edges):
        visit(name)


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
