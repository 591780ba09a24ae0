"""Writes the extension's zip with Blender's own extension tool: `python -m tests.package.make_zip --out dist`.

The zip has the repository's own names and nothing rewritten: manifest, the two-line __init__.py, licence,
`blender_addon`, `core`, `models`, `checkpoints`.
"""
import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = ("blender_manifest.toml", "__init__.py", "LICENSE")
FOLDERS = ("blender_addon", "core", "models", "checkpoints")
LEAVE_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "*.part", ".*")


def extension_tool():
    """Path of Blender's `blender_ext.py`, which comes with the bpy wheel."""
    spec = importlib.util.find_spec("bpy")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    found = sorted(folder.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py")) if folder else []
    if not found:
        raise SystemExit("Blender's extension tool was not found: the bpy wheel is not installed here.")
    return found[-1]


def run_tool(*arguments):
    """Run the tool; its words are shown only when it fails."""
    done = subprocess.run([sys.executable, str(extension_tool()), *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"blender_ext.py {arguments[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def make_zip(out, root=ROOT):
    """Stage, build and validate; returns the path of `out`/baton-X.Y.Z.zip."""
    out = Path(out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    manifest = tomllib.loads((root / "blender_manifest.toml").read_text(encoding="utf-8"))
    path = out / f"{manifest['id']}-{manifest['version']}.zip"
    with tempfile.TemporaryDirectory() as stage:
        source, built = Path(stage) / "source", Path(stage) / "built"
        source.mkdir()
        built.mkdir()
        for name in FILES:
            shutil.copy2(root / name, source / name)
        for name in FOLDERS:
            shutil.copytree(root / name, source / name, ignore=LEAVE_OUT)
        run_tool("build", "--source-dir", source, "--output-dir", built)
        made = next(built.glob("*.zip"))
        run_tool("validate", made)
        part = path.with_suffix(".part")
        shutil.copyfile(made, part)
        part.replace(path)
    return path


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="dist", help="folder for the zip (default dist)")
    path = make_zip(parser.parse_args(argv).out)
    print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
