"""Makes and completes a Python environment that holds exactly a lock's packages, with `uv`. Standard library only.

build.py makes the development environments with it, Set Up Runtime in Blender's preferences the worker's. uv itself is
a package: it is installed once with pip into a small environment of its own (`tools`). A stamp is written last, so a
half-made environment is completed by the next run and never trusted.
"""
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from .files import write_text

UV_LOCK = Path(__file__).resolve().parent / "uv-lock.txt"
BENDING = {"VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES"}
UV_PIN = "uv==0.13.9"            # as uv-lock.txt has it
TORCH_BUILDS = UV_LOCK.with_name("torch-builds.txt")    # PyTorch's own index has builds of its own; these are known
OLDER_CUDA = "cu126"            # runs on every card up to Hopper, with every driver of the last years
NETWORK = ("Temporary failure in name resolution", "NewConnectionError", "Connection refused", "ConnectTimeoutError",
           "Network is unreachable", "No address associated", "getaddrinfo failed", "ProxyError", "Read timed out",
           "dns error", "error sending request", "tcp connect error")
# Settings of pip that uv does not read, and how it is told of them.
OF_PIP = {"index-url": "--index-url", "extra-index-url": "--extra-index-url", "find-links": "--find-links"}


class SetupError(Exception):
    """Set-up cannot go on; the text is one sentence with what helps."""


def python_of(environment: Path) -> Path:
    """The interpreter inside an environment."""
    return Path(environment) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def clean_environment() -> dict[str, str]:
    """The user's environment variables without those that would change how a child runs: libraries put before its own,
    and whatever tells a Python where to look, what to run first or how to run."""
    def bends(name):
        return name.upper() in BENDING or name.upper().startswith("PYTHON")
    return {**{key: value for key, value in os.environ.items() if not bends(key)}, "PYTHONUTF8": "1"}


def no_window() -> dict:
    """Popen arguments that keep Windows from opening a console."""
    return {"creationflags": subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" else {}


def version_of(candidate: Path | str) -> tuple[int, int] | None:
    """(major, minor) that a program says of itself as a Python, or None: names lie, running it does not."""
    try:
        done = subprocess.run([str(candidate), "-I", "-c", "import sys; print('py', *sys.version_info[:2])"],
                              capture_output=True, text=True, timeout=20, env=clean_environment(), **no_window())
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.fullmatch(r"py (\d+) (\d+)", done.stdout.strip())
    return (int(found[1]), int(found[2])) if found and done.returncode == 0 else None


def find_python(search: Iterable[Path | str], low: tuple[int, int],
                high: tuple[int, int]) -> tuple[Path | None, list[str]]:
    """(the first program of `search` that runs as a Python from `low` to before `high`, or None; what was tried)."""
    tried = []
    for candidate in filter(None, search):
        if str(candidate) in tried or not Path(candidate).is_file():
            continue
        tried.append(str(candidate))
        version = version_of(candidate)
        if version is not None and low <= version < high:
            return Path(candidate), tried
    return None, tried


def stamped(stamp: Path) -> dict:
    """What a stamp says; {} where there is none that can be read."""
    try:
        data = json.loads(Path(stamp).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


@dataclass
class Maker:
    """How one environment is made.

    folder: the environment; tools: the folder of uv's own; stamp: its file; mark: what is written into it, as JSON.
    lock: text of the requirements, all with their versions; constraints: versions, with hashes, of what the lock's
    packages may want beside it. check: Python code that must run in the finished environment.
    base(): the Python to make it of, or SetupError. run(command, variables): runs it and returns its exit status;
    words(): what that said. say(step, fraction of the whole): how far it is.
    backend: of PyTorch, "cpu" or "auto"; None: as the package index has it. wheels: a folder of wheels; then no network
    is used. binary: nothing is built, so that no source package runs code of its own.
    again, libraries: for the sentences: what to do once the cause is out of the way,
    and how the system's libraries are installed.
    """

    folder: Path
    tools: Path
    stamp: Path
    mark: dict
    lock: str
    check: str
    base: Callable
    run: Callable
    words: Callable
    say: Callable
    backend: str | None = None
    wheels: Path | None = None
    binary: bool = False
    constraints: str = ""
    again: str = "run this command again"
    libraries: str = ""

    def make(self) -> Path:
        """The environment's Python. Raises SetupError."""
        self.folder, self.tools = Path(self.folder), Path(self.tools)
        Path(self.stamp).unlink(missing_ok=True)
        self.say("Tools", 0.02)
        uv = [python_of(self.tools), "-I", "-m", "uv"]
        if version_of(uv[0]) is None or self.run([*uv, "--version"], clean_environment()) != 0:
            self._get_uv(uv[0])
        python = python_of(self.folder)
        self.say("Environment", 0.05)
        if version_of(python) is None and self.run([*uv, "venv", "--clear", "--python", self.base(), self.folder],
                                                   clean_environment()) != 0:
            raise SetupError(f"uv could not make the environment {self.folder}: {last_line(self.words())}; "
                             f"{self.again}.")
        self.say("Packages", 0.1)
        self._install(uv, python)
        self.say("Check", 0.95)
        if self.run([python, "-I", "-c", self.check], clean_environment()) != 0:
            raise SetupError(self._why_it_does_not_work())
        write_text(self.stamp, json.dumps(self.mark))
        return python

    def _get_uv(self, python):
        """uv into an environment of its own, by the pip that comes with Python."""
        base = self.base()
        if self.run([base, "-I", "-m", "venv", "--clear", self.tools], clean_environment()) != 0:
            package = re.search(r"apt(?:-get)? install (python[\w.]*-venv)", self.words())
            if package:                             # Debian keeps ensurepip in a package of its own
                raise SetupError(f"The system's Python lacks a part: run apt-get install {package[1]} as the "
                                 f"administrator, then {self.again}.")
            raise SetupError(f"{base} could not make a virtual environment ({last_line(self.words())}); {self.again}.")
        pip = [python, "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        offline = ["--no-index", "--find-links", self.wheels] if self.wheels else []
        exact = ["--require-hashes", "--only-binary", ":all:", "--no-deps", "-r", UV_LOCK]
        if self.run([*pip, *offline, *exact], clean_environment()) != 0:
            if self.wheels and not altered(self.words()):
                raise SetupError(f"The folder of wheels {self.wheels} holds no uv, which installs the others: put it "
                                 f"there too (pip download {UV_PIN}), then {self.again}.")
            raise SetupError(why(self.words(), self.again))

    def _install(self, uv, python):
        """Exactly the lock.

        Not `uv pip sync`: what PyTorch needs beside itself differs from system to system, so that it is in no lock.
        """
        start = self.folder.name.strip(".")
        lock, others, held = (self.tools / f"{start}-{name}.txt" for name in ("lock", "other-builds", "constraints"))
        write_text(lock, self.lock)
        write_text(others, with_builds(self.lock, TORCH_BUILDS.read_text(encoding="utf-8")))
        write_text(held, self.constraints)
        command = [*uv, "pip", "install", "--exact", "--python", python]
        command += ["--no-build"] if self.binary else []
        asked = [] if self.wheels else self._as_pip_would()
        # Where this computer is set to take packages from elsewhere, PyTorch's builds there may be its own.
        exactly = ["-r", others if asked else lock, *(["-c", held] if self.constraints else [])]
        command += ["--no-index", "--find-links", self.wheels] if self.wheels else asked
        variables = {**clean_environment(), "UV_CACHE_DIR": str(self.tools / "cache"), "UV_NO_PROGRESS": "1",
                     "UV_NO_CONFIG": "1"}
        status = 1
        if self.backend and not self.wheels:
            of_pytorch = [*command, "-r", others, "--torch-backend"]
            status = self.run([*of_pytorch, self.backend], variables)
            if status != 0 and unknown_cuda(self.words()):
                status = self.run([*of_pytorch, OLDER_CUDA], variables)
        if status != 0 and not (self.backend and no_space(self.words())):
            # PyTorch's own index is another server, which a network may block, or has a build that is not known here:
            # that of the package index serves too.
            status = self.run([*command, *exactly], variables)
        if status != 0:
            raise SetupError(why(self.words(), self.again))
        shutil.rmtree(self.tools / "cache", ignore_errors=True)

    def _as_pip_would(self):
        """Options that make uv ask the indexes that pip is set to ask on this computer."""
        asked = subprocess.run([str(python_of(self.tools)), "-m", "pip", "config", "list"], capture_output=True,
                               text=True, env=clean_environment(), **no_window())
        found, words = {}, []
        for name, value in re.findall(r"(?m)^\S*\.([\w-]+)='(.*)'$", asked.stdout.replace(":env:", "env")):
            found.setdefault(name, value)           # variables of the environment come first and win
        for name, option in OF_PIP.items():
            for value in found.get(name, "").split():
                words += [option, value]
        if found.get("no-index", "").lower() in ("1", "true", "yes"):
            words.append("--no-index")
        if "--extra-index-url" in words:            # to pip all indexes are equal
            words += ["--index-strategy", "unsafe-best-match"]
        return words

    def _why_it_does_not_work(self):
        said = last_line(self.words())
        if ".so" in said and "cannot open shared object" in said:
            library = said.split(": ")[1] if ": " in said else said
            return f"A system library is missing ({library}); {self.libraries or 'install it'}, then {self.again}."
        return f"The environment {self.folder} was made but does not work: {said}; {self.again}."


def last_line(words: str) -> str:
    """The last line of what a program said, for a sentence."""
    lines = [line.strip() for line in words.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def with_builds(lock: str, builds: str) -> str:
    """The lock's text where torch may be one of the builds listed, too. builds: a line each, file and SHA-256."""
    known = re.findall(r"(?m)^\S+\.whl ([0-9a-f]{64})\b", builds)
    more = "".join(f" \\\n    --hash=sha256:{digest}" for digest in known)
    return re.sub(r"(?m)^(torch==[^\\\n]*?)(?= *\\\n +--hash)", lambda found: found[1] + more, lock)


def unknown_cuda(words: str) -> bool:
    """Whether a build of PyTorch for a graphics card was refused because its hash is not known."""
    return altered(words) and re.search(r"torch==[\d.]+\+cu\d", words) is not None


def altered(words: str) -> bool:
    """Whether a file was not the one that the lock names."""
    return "ash mismatch" in words or "DO NOT MATCH THE HASHES" in words


def no_space(words: str) -> bool:
    """Whether a full disk was the reason."""
    return "No space left on device" in words or "os error 28" in words


def why(words: str, again: str) -> str:
    """One sentence for what pip's or uv's last words say went wrong."""
    if no_space(words):
        return f"The disk is full; the environment needs about 2 GB (with CUDA 6 GB): free some space, then {again}."
    if altered(words):
        found = re.findall(r"ash mismatch for `?([\w.-]+)", words) or re.findall(r"(?m)^\s+([\w.-]+==[\w.+-]+)", words)
        what = f"of {found[-1]} " if found else ""
        return (f"A file {what}is not the one that Baton's lock names: it is damaged or was altered; remove it or "
                f"download it again, then {again}.")
    if any(sign in words for sign in NETWORK):
        return ("The packages cannot be downloaded: no network, or it blocks the package index; connect (or set "
                f"PIP_INDEX_URL to a mirror), then {again}, it goes on where it stopped.")
    missing = (re.findall(r"No matching distribution found for (\S+)", words)
               or re.findall(r"you\s+require\s+([\w.-]+==[\w.+-]+)", words))
    if missing:
        return f"The package {missing[-1].rstrip(',.')} was not found for this Python; the report has the details."
    return f"The packages could not be installed: {last_line(words)}; the report tells more."
