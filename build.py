#!/usr/bin/env python3
"""Everything a developer or a curious user runs: demo, test, faults, package, train, evaluate, bench.

Standard library only. The first call makes `.venv` from the development lock; an interrupted set-up is
completed by the next call.
"""
import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from core.contract import environment
from core.contract.environment import SetupError, clean_environment, python_of
from models.lab import rooms

ROOT = Path(__file__).resolve().parent
DEV_LOCK = ROOT / "requirements-dev.txt"
RUNTIME_LOCK = ROOT / "core" / "contract" / "runtime-lock.txt"
LTS_BPY = "4.2.23"                       # the oldest supported Blender; tested in an environment of its own
DEBIAN_LIBRARIES = ("libgl1 libegl1 libgl1-mesa-dri libxkbcommon0 libsm6 libice6 libxi6 libxrender1 libxfixes3 "
                    "libx11-6 libgomp1")


def say(text):
    print(f"[baton] {text}", flush=True)


def find_python311():
    """A Python 3.11 to make the environment with (the bpy wheel exists for no other). Raises SetupError."""
    search = [sys.executable] + [shutil.which(name) for name in ("python3.11", "python3", "python")]
    found, _ = environment.find_python(search, (3, 11), (3, 12))
    if found is None:
        raise SetupError("Baton's development environment needs Python 3.11 and found none; install it "
                         "(Debian: apt-get install python3.11 python3.11-venv) and run this command again.")
    return found


def ensure_environment(folder, lock_text, check, **more):
    """Make `folder` an environment that holds exactly lock_text's packages; return its Python.

    A stamp with the lock's hash is written last, so a half-made environment is completed, never trusted.
    `check` is Python code that must run in it; more: of `environment.Maker`. Raises SetupError.
    """
    folder = Path(folder)
    python, stamp, made = python_of(folder), folder / "baton-ready.json", ROOT / ".build"
    digest = hashlib.sha256((lock_text + check).encode()).hexdigest()
    if python.exists() and environment.stamped(stamp).get("lock") == digest:
        return python
    made.mkdir(exist_ok=True)
    log = made / "environment.log"

    def call(command, variables):
        with open(log, "w", encoding="utf-8") as file:
            return subprocess.run([str(word) for word in command], stdout=file, stderr=subprocess.STDOUT, env=variables,
                                  cwd=ROOT).returncode
    say(f"making {folder.name} (a few minutes the first time) ...")
    return environment.Maker(
        folder=folder, tools=made / "uv", stamp=stamp, mark={"lock": digest}, lock=lock_text, check=check,
        base=find_python311,
        run=call, words=lambda: log.read_text(encoding="utf-8", errors="replace"), say=lambda step, fraction: None,
        libraries=f"on Debian or Ubuntu: apt-get install {DEBIAN_LIBRARIES}", **more).make()


def dev_python():
    return ensure_environment(ROOT / ".venv", DEV_LOCK.read_text(), "import bpy, torch, librosa, soundfile, numpy")


def lts_python():
    """Blender 4.2 LTS beside the current one: bpy, numpy and pytest with xdist, nothing else."""
    wanted = ("numpy", "pytest", "pytest-xdist", "execnet", "iniconfig", "packaging", "pluggy", "pygments", "requests",
              "urllib3", "idna", "certifi", "charset-normalizer", "cython", "zstandard")
    lines = [line for line in DEV_LOCK.read_text().splitlines() if line.split("==")[0].lower() in wanted]
    return ensure_environment(ROOT / ".venv-lts", "\n".join(lines + [f"bpy=={LTS_BPY}"]) + "\n", "import bpy, numpy, "
                              "pytest")


def runtime_python():
    """The worker's environment alone, from the runtime lock, as Set Up Runtime makes it."""
    return ensure_environment(ROOT / ".venv-runtime", RUNTIME_LOCK.read_text(),
                              "import torch, librosa, soundfile, numpy", binary=True,
                              constraints=RUNTIME_LOCK.with_name("runtime-constraints.txt").read_text())


def run(command, **extra):
    """Run a child from the repository root and return its exit status."""
    return subprocess.run([str(c) for c in command], cwd=ROOT, env={**clean_environment(), **extra}).returncode


def command_demo(args, rest):
    """Both jobs on the command line, then the scene in Blender."""
    python, out = dev_python(), Path(args.out).resolve()
    command = [python, "-m", "models.lab.demo", "--out", out]
    for name in ("motion", "audio"):
        if getattr(args, name):
            command += [f"--{name}", Path(getattr(args, name)).resolve()]
    status = run(command + rest)
    if status == 0:
        say("building the scene in Blender ...")
        scene = ("import sys; from models.lab.mount import mount; mount(); "
                 "from baton.blender_addon.demo_scene import main; sys.exit(main())")
        status = run([python, "-c", scene, "--folder", out], BLENDER_USER_RESOURCES=str(out / ".blender"))
        shutil.rmtree(out / ".blender", ignore_errors=True)
    if status == 0:
        say(f"done: open {out / 'demo.blend'}; pictures: {out / 'preview.png'}, {out / 'scene.png'}")
    return status


def command_test(args, rest):
    """Suite in bpy 5.0, the Blender tests again in 4.2 LTS, and with --runtime the command line on the runtime lock."""
    dev = dev_python()
    if args.runtime:
        python = runtime_python()
        piece = "core/assets/demo_piece.ogg"
        return run([python, "-m", "core", "doctor"]) or run([python, "-m", "core", "beats", piece, "--json"])
    lts = None if args.no_lts else lts_python()
    (ROOT / ".build" / "user").mkdir(parents=True, exist_ok=True)
    extra = {"BLENDER_USER_RESOURCES": str(ROOT / ".build" / "user"), "BATON_WORKER_PYTHON": str(dev)}
    # A file's tests stay together, because they share what is slow to make. A process that a crash ends is not
    # replaced: with one that is, pytest-xdist waits for ever at the end.
    spread = ["-n", "auto", "--maxprocesses", "4", "--dist", "loadfile", "--max-worker-restart", "0"]
    statuses = [run([dev, "-m", "pytest", *(rest or [*spread, "tests"])], **extra)]
    if lts and not rest:
        say(f"the Blender tests again in bpy {LTS_BPY} ...")
        command = [lts, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "1", "--max-worker-restart", "0"]
        statuses.append(each_file(command, ROOT / "tests" / "blender", extra))
    return max(statuses)


def each_file(command, folder, extra):
    """The worst status of a command on each test file of a folder, as many at once as there are cores.

    Blender 4.2 at times ends a process that has been through many files, in the update of a view layer: each file has
    a process of its own there, below one that lives on, because 4.2 also ends badly after all is done. 5: a file
    without tests for this Blender.
    """
    files = sorted(folder.glob("test_*.py"))
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        statuses = dict(zip(files, pool.map(lambda path: run([*command, path.relative_to(ROOT)], **extra), files)))
    bad = [path.name for path, status in statuses.items() if status not in (0, 5)]
    say(f"{len(files) - len(bad)} of {len(files)} test files pass" + (f"; not {', '.join(bad)}" if bad else ""))
    return max((abs(status) for status in statuses.values() if status not in (0, 5)), default=0)


ZIP_CONTENT = ("blender_manifest.toml", "__init__.py", "LICENSE", "blender_addon", "core", "models", "checkpoints")


NO_PART_OF_IT = ("models/lab", "models/training", "blender_addon/demo_scene.py")


def shipped(path):
    """Whether a path lies in what the extension is made of."""
    name = path.relative_to(ROOT).as_posix()
    return not any(name == left or name.startswith(left + "/") for left in NO_PART_OF_IT)


def needed_models():
    """The Python files of `models` that something a user runs reaches by imports: core, the add-on, a system's
    pipeline."""
    start = [path for room in ("core", "blender_addon") for path in (ROOT / room).rglob("*.py")]
    start += (ROOT / "models").glob("*/pipeline.py")
    reached = rooms.reached(start, rooms.modules(), stop=lambda path: not shipped(path))
    return {path for path in reached if path.relative_to(ROOT).parts[0] == "models"}


def stage_extension(folder):
    """Copy what belongs into the zip to `folder`, under the repository's own names.

    One rule leaves out what only making and judging models needs: of `models` a Python file goes in where something
    that a user runs reaches it by imports; NO_PART_OF_IT never does.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    needed = needed_models()

    def left_out(where, names):
        paths = [(name, Path(where) / name) for name in names]
        return {name for name, path in paths if name == "__pycache__" or path.suffix in (".pyc", ".part")
                or not shipped(path)
                or (path.suffix == ".py" and path.relative_to(ROOT).parts[0] == "models" and path not in needed)}
    for name in ZIP_CONTENT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=left_out)
        else:
            shutil.copy2(source, folder / name)
    for empty in sorted((path for path in (folder / "models").rglob("*") if path.is_dir()), reverse=True):
        if not any(empty.iterdir()):
            empty.rmdir()


def command_package(args, rest):
    """dist/baton-X.Y.Z.zip, built and validated with Blender's own extension tool."""
    python, stage, out = dev_python(), ROOT / ".build" / "extension", Path(args.out).resolve()
    find = ("import glob, sysconfig; site = sysconfig.get_paths()['purelib']; "
            "print(glob.glob(site + '/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py')[0])")
    tool = subprocess.run([str(python), "-c", find], capture_output=True, text=True, check=True).stdout.strip()
    stage_extension(stage)
    out.mkdir(parents=True, exist_ok=True)
    status = run([python, tool, "build", "--source-dir", stage, "--output-dir", out])
    if status == 0:
        made = max(out.glob("baton-*.zip"), key=lambda path: path.stat().st_mtime)
        status = run([python, tool, "validate", made])
        say(f"{made} {made.stat().st_size / 1e6:.1f} MB")
    return status


def command_train(args, rest):
    if not rest:
        say("name a system and a part, e.g.: build.py train music_ldm vae --corpus DIR --out RUN  (see "
            "docs/developers.md)")
        return 2
    if rest[0] in ("corpus", "--corpus"):
        return run([dev_python(), "-m", "models.lab.studio.build", *rest[1:]])
    if rest[0] == "--motion":               # music made to recorded clips
        return run([dev_python(), "-m", "models.lab.studio.build", *rest])
    if rest[0] in ("import", "--data"):     # aistpp:DIR, amass:DIR, bvh:DIR, cm100:DIR, paired:DIR into shards
        return run([dev_python(), "-m", "models.lab.loaders", *rest[1:]])
    return run([dev_python(), "-m", "models.training.loop", *rest])


def command_evaluate(args, rest):
    """A system by the name of a row or of its folder, or the beats and the studio behind them."""
    return run([dev_python(), "-m", "models.lab.evaluation", *rest])


def command_faults(args, rest):
    """Seeded faults against the whole: files, folders, replies, processes, and exceptions wherever a result is
    written."""
    return run([dev_python(), "-m", "tests.faults", *rest])


def command_rate(args, rest):
    """A blind rating sheet: material, the page, its results."""
    return run([dev_python(), "-m", "models.lab.rate", *rest])


def command_bench(args, rest):
    return run([dev_python(), "-m", "tests.bench", *rest])


def main(argv=None):
    parser = argparse.ArgumentParser(prog="build.py", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="what every system makes of a dance or a piece, in a .blend")
    demo.add_argument("--out", default="demo-out", help="folder for the results (default demo-out)")
    demo.add_argument("--motion", help="your own motion: BVH, AMASS npz or AIST++ pkl")
    demo.add_argument("--audio", help="your own piece of music")
    test = commands.add_parser("test", help="the whole test suite; further words go to pytest")
    test.add_argument("--no-lts", action="store_true", help="skip the second pass in Blender 4.2 LTS")
    test.add_argument("--runtime", action="store_true", help="only: install the runtime lock on its own and run the "
                      "command line")
    commands.add_parser("faults", help="seeded faults and a table of how they end: [CAMPAIGN ...] --seed N --trials M "
                        "--out DIR")
    package = commands.add_parser("package", help="write dist/baton-X.Y.Z.zip")
    package.add_argument("--out", default="dist", help="folder for the zip (default dist)")
    commands.add_parser("train", help="make a corpus or train a part")
    commands.add_parser("evaluate", help="score a system with the rows that expose it")
    commands.add_parser("rate", help="a blind rating sheet in the browser: make, serve, results", add_help=False)
    commands.add_parser("bench", help="measure speeds")
    args, rest = parser.parse_known_args(argv)
    if rest[:1] == ["--"]:
        rest = rest[1:]
    try:
        return globals()[f"command_{args.command}"](args, rest)
    except SetupError as error:
        say(str(error))
        return 3
    except KeyboardInterrupt:
        say("stopped; run the same command again to go on")
        return 130


if __name__ == "__main__":
    sys.exit(main())
