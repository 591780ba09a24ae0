"""The zip: built and validated by Blender's own tool, installed, and driven from elsewhere with a decoy in the way."""
import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("bpy")

import build  # noqa: E402
from models.lab import rooms  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
DEV = Path(os.environ.get("BATON_WORKER_PYTHON", sys.executable))


def run_tool(*arguments):
    """Blender's own extension tool, which comes with the bpy wheel."""
    site = Path(sysconfig.get_paths()["purelib"])
    tool = next(site.glob("bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    done = subprocess.run([sys.executable, str(tool), *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The zip of `build.py package`, from the same staging."""
    stage, out = tmp_path_factory.mktemp("stage") / "extension", tmp_path_factory.mktemp("dist")
    build.stage_extension(stage)
    run_tool("build", "--source-dir", stage, "--output-dir", out)
    return next(out.glob("*.zip"))


@pytest.fixture(scope="module")
def worker_python(tmp_path_factory):
    """An environment that sees the development packages, with a decoy `models` and `core` of its own."""
    folder = tmp_path_factory.mktemp("runtime")
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    find = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    own = Path(subprocess.check_output([python, "-c", find], text=True).strip())
    dev = subprocess.check_output([DEV, "-c", find], text=True).strip()
    (own / "dev.pth").write_text(dev + "\n")
    for name in ("models", "core"):
        (own / name).mkdir()
        (own / name / "__init__.py").write_text(f"raise ImportError('the decoy {name} was imported')\n")
    return python


def test_contents(package):
    with zipfile.ZipFile(package) as file:
        names = file.namelist()
        manifest = tomllib.loads(file.read("blender_manifest.toml").decode())
        assert file.read("__init__.py") == (ROOT / "__init__.py").read_bytes()
        for name in names:
            if name.endswith((".py", ".json")):
                assert file.read(name) == (ROOT / name).read_bytes(), f"{name} was rewritten"
    tops = {name.split("/")[0] for name in names}
    assert tops <= {"blender_manifest.toml", "__init__.py", "LICENSE", "blender_addon", "core", "models", "checkpoints"}
    assert {"core/worker/main.py", "core/contract/runtime-lock.txt", "blender_addon/__init__.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".whl"))]
    assert manifest["id"] == "baton" and manifest["blender_version_min"] == "4.2.0"
    assert manifest["license"] == ["SPDX:GPL-3.0-or-later"] and set(manifest["permissions"]) == {"network", "files"}
    assert package.name == f"baton-{manifest['version']}.zip"


def test_the_zip_holds_what_runs_and_nothing_that_only_trains(package):
    """By one rule; and whatever a module in the zip imports is in the zip, but for a developer's own training runs."""
    with zipfile.ZipFile(package) as file:
        names = set(file.namelist())
    modules = {name for name in names if name.endswith(".py")}
    for absent in ("models/lab/demo.py", "models/training/loop.py", "models/music_ldm/train.py",
                   "models/conductor/losses.py", "blender_addon/demo_scene.py"):
        assert (ROOT / absent).is_file() and absent not in names
    for present in ("models/music_ldm/pipeline.py", "models/conductor/pipeline.py", "models/rhythm/detect.py",
                    "core/cli/beats.py"):
        assert present in names
    known, lacking = rooms.modules(), {}
    for name in modules:
        for needed, _ in rooms.imports(ROOT / name, known):
            if needed in known and known[needed].relative_to(ROOT).as_posix() not in names:
                lacking.setdefault(needed, name)
    allowed = {"models.training.run_folder"}
    assert set(lacking) <= allowed, f"the zip lacks {lacking}"


def test_blender_finds_it_valid(package):
    run_tool("validate", package)


def test_installed_and_driven(package, worker_python, tmp_path):
    index = ROOT / "checkpoints" / "index.json"
    have = {row["system"] for row in json.loads(index.read_text())["entries"]} if index.is_file() else set()
    what = [name for name, system in (("music", "music_ldm"), ("conduct", "conductor")) if {system, "rhythm"} <= have]
    environment = {key: value for key, value in os.environ.items() if key not in ("BATON_WORKER_PYTHON", "PYTHONPATH")}
    decoy = tmp_path / "cwd" / "models"
    decoy.mkdir(parents=True)
    (decoy / "__init__.py").write_text("raise ImportError('the decoy of the working folder was imported')\n")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "package" / "drive_installed.py"), str(package), str(worker_python),
         str(tmp_path), *what], cwd=tmp_path / "cwd", capture_output=True, text=True, timeout=600,
        env={**environment, "BLENDER_USER_RESOURCES": str(tmp_path / "user"), "OMP_NUM_THREADS": "1"})
    report = json.loads((tmp_path / "report.json").read_text())
    assert done.returncode == 0, report.get("error", "") + done.stdout[-3000:] + done.stderr[-3000:]
    assert report["grey_without_runtime"] and report["gone"] and report["written_inside"] == []
    assert report["installed"].startswith(str(tmp_path / "user"))
    assert Path(report["doctor"]["root"]) == Path(report["installed"]), "the worker ran from the installed zip"
    assert report["bones"]["left_hip"] == "xx_left_thigh_jnt"
    if "music" in what:
        assert Path(report["music"]).parent == tmp_path / "baton" and Path(report["music"]).stat().st_size > 100_000
    if "conduct" in what:
        assert report["conduct"][0] == 1
