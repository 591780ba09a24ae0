"""Makes the worker's Python environment: a venv of Blender's own Python in the extension's user folder. No bpy here.

A stamp with the hash of the lock is written last, so a half-made environment is completed by the next run and never
trusted. Blender's interpreter itself is only run, never written to.
"""
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from ...core.contract.files import write_text
from .client import clean_environment, no_window
from .pip_progress import PipProgress

SUPPORTED = ((3, 11), (3, 14))
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CHECK = "import torch, librosa, soundfile, numpy"
STAMP = "ready.json"
PIP = "pip>=24.1"
LOOK_SECONDS = 1.0
RAW = re.compile(r"Progress \d+ of \d+")


class SetupError(Exception):
    """Set-up cannot go on; the text is one sentence."""


def python_of(environment):
    """The interpreter inside a venv."""
    return Path(environment) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def site_of(environment):
    """The folder of packages inside a venv."""
    return next(Path(environment).glob("lib/python*/site-packages"), Path(environment) / "Lib" / "site-packages")


def lock_hash(lock):
    return hashlib.sha256(Path(lock).read_bytes()).hexdigest()


def ready_python(folder):
    """Interpreter of a finished environment in `folder`, or None."""
    stamp, python = Path(folder) / STAMP, python_of(Path(folder) / "env")
    return python if stamp.is_file() and python.is_file() else None


def is_current(folder, lock):
    """True where the finished environment was made from this very lock."""
    try:
        return json.loads((Path(folder) / STAMP).read_text(encoding="utf-8"))["lock"] == lock_hash(lock)
    except (OSError, ValueError, KeyError):
        return False


def version_of(candidate):
    """(major, minor) that a program says of itself as a Python, or None: names lie, running it does not."""
    try:
        done = subprocess.run([str(candidate), "-I", "-c", "import sys; print('py', *sys.version_info[:2])"],
                              capture_output=True, text=True, timeout=20, env=clean_environment(), **no_window())
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.fullmatch(r"py (\d+) (\d+)", done.stdout.strip())
    return (int(found[1]), int(found[2])) if found and done.returncode == 0 else None


def candidates():
    """Programs that may be Blender's Python, the likeliest first."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for prefix in dict.fromkeys((sys.prefix, sys.base_prefix, sys.exec_prefix)):
        for place in (f"bin/{name}", "bin/python3", "bin/python", "bin/python.exe", "python.exe"):
            yield Path(prefix) / place
    for path in (getattr(sys, "_base_executable", None), sys.executable, shutil.which(name), shutil.which("python3")):
        if path:
            yield Path(path)


def find_python(search=None):
    """The first candidate that runs as a supported Python. Raises SetupError naming what was tried."""
    tried = []
    for candidate in search if search is not None else candidates():
        if str(candidate) in tried or not candidate.is_file():
            continue
        tried.append(str(candidate))
        version = version_of(candidate)
        if version is not None and SUPPORTED[0] <= version < SUPPORTED[1]:
            return candidate
    raise SetupError("No Python 3.11 to 3.13 was found beside Blender; name one under Python in the preferences "
                     f"(tried: {', '.join(tried) or 'nothing'}).")


def end_tree(process):
    """End a process with its children: venv and pip start further ones, which would go on holding the pipe."""
    try:
        if sys.platform == "win32":
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True, **no_window())
        else:
            os.killpg(process.pid, signal.SIGTERM)
    except OSError:
        process.terminate()


class RuntimeSetup:
    """The set-up on a thread of its own: `fraction`, `step`, `lines`, `error` and `done` are read by the panel.

    folder: where the environment goes; lock: requirements file; wheels: folder of wheels, then the network is not
    used; backend: "cpu", "cuda" or "pypi" (as the index offers it); extras: further requirements.
    """

    def __init__(self, folder, lock, *, wheels=None, backend="cpu", extras=(), check=CHECK, search=None):
        self.folder, self.lock, self.wheels = Path(folder), Path(lock), wheels
        self.backend, self.extras, self.check, self.search = backend, tuple(extras), check, search
        self.fraction, self.step, self.lines, self.error, self.done = 0.0, "", [], "", False
        self.cancelled = False
        self._process = None
        self._thread = threading.Thread(target=self._run, name="baton-setup", daemon=True)

    def start(self):
        self._thread.start()
        return self

    @property
    def running(self):
        return self._thread.is_alive()

    def join(self, timeout=None):
        self._thread.join(timeout)

    def cancel(self):
        """Stop; what was installed stays for the next run to complete."""
        self.cancelled = True
        process = self._process
        if process is not None and process.poll() is None:
            end_tree(process)

    def report(self):
        """Everything that was run and said, for the clipboard."""
        head = [f"Baton runtime in {self.folder}", f"platform {sys.platform}, Blender's Python {sys.version.split()[0]}",
                f"state: {'done' if self.done else self.error or ('cancelled' if self.cancelled else 'running')}", ""]
        return "\n".join(head + self.lines)

    # --- on the thread ---

    def _run(self):
        started = time.monotonic()
        try:
            self._make()
            self.fraction, self.step, self.done = 1.0, "Ready", True
            self.lines.append(f"ready after {time.monotonic() - started:.0f} s")
        except SetupError as error:
            self.error = "Cancelled" if self.cancelled else str(error)
            self.lines.append(self.error)
        except OSError as error:
            self.error = f"The folder {self.folder} cannot be written: {error.strerror or error}."
            self.lines.append(self.error)

    def _make(self):
        environment = self.folder / "env"
        python = python_of(environment)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / STAMP).unlink(missing_ok=True)
        self._say("Environment", 0.02)
        if version_of(python) is None or self._call([python, "-m", "pip", "--version"]) != 0:
            base = find_python(self.search)
            if self._call([base, "-m", "venv", "--clear", environment]) != 0:
                package = re.search(r"apt(?:-get)? install (python[\w.]*-venv)", "\n".join(self.lines[-20:]))
                if package:  # a Blender of Debian or Ubuntu uses the system's Python
                    raise SetupError(f"The system's Python lacks a part: run apt-get install {package[1]} as the administrator, "
                                     "then press Set Up Runtime again.")
                raise SetupError(f"{base} could not make a virtual environment; the report has its words.")
        names = re.findall(r"(?m)^([A-Za-z0-9._-]+)==", self.lock.read_text(encoding="utf-8"))
        pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        if self.wheels:
            self._install([*pip, "--no-index", "--find-links", self.wheels, "-r", self.lock, *self.extras], names)
        elif self.backend == "cuda":
            self._install([*pip, "uv"], ["uv"], top=0.1)
            self._install([python, "-m", "uv", "pip", "install", "--python", python, "--torch-backend=auto", "-r", self.lock,
                           *self.extras], names)
        else:
            raw = self._raw_progress(python)
            if self.backend == "cpu" and sys.platform == "linux":
                self._torch_for_the_processor([*pip, *raw])
            self._install([*pip, *raw, "-r", self.lock, *self.extras], names)
        self._say("Check", 0.95)
        if self._call([python, "-c", self.check]) != 0:
            raise SetupError("The environment was made but does not work; the report tells what failed.")
        write_text(self.folder / STAMP, json.dumps({"lock": lock_hash(self.lock), "backend": self.backend}))

    def _raw_progress(self, python):
        """The option that makes pip tell the bytes of a download, where the pip at hand knows it (24.1)."""
        known = self._call([python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet",
                            "--retries", "1", PIP])
        return ["--progress-bar", "raw"] if known == 0 else []

    def _torch_for_the_processor(self, pip):
        """PyTorch alone from PyTorch's own index, whose processor build is a tenth of the usual one on Linux.

        Nothing else comes from there; where it cannot be reached, the lock's own build serves.
        """
        found = re.search(r"(?m)^torch==([\w.]+)\s*$", self.lock.read_text(encoding="utf-8"))
        if found is None:
            return
        try:
            self._install([*pip, "--no-deps", "--retries", "1", "--index-url", CPU_INDEX, f"torch=={found[1]}+cpu"], ["torch"],
                          top=0.5)
        except SetupError:
            if self.cancelled:
                raise
            self.lines.append(f"{CPU_INDEX} could not be used: the usual, larger build of PyTorch is installed instead")

    def _install(self, command, names, top=0.9):
        self._say("Download", max(self.fraction, 0.05))
        low, begun, progress = self.fraction, len(self.lines), PipProgress(names)

        def read(line):
            progress.read(line)
            self.fraction = low + (top - low) * progress.fraction
            self.step = progress.step or self.step
        over = threading.Event()

        def look():
            while not over.wait(LOOK_SECONDS):
                progress.look(site_of(self.folder / "env"))
                self.fraction = max(self.fraction, low + (top - low) * progress.fraction)
        threading.Thread(target=look, name="baton-setup-look", daemon=True).start()
        try:
            status = self._call(command, read)
        finally:
            over.set()
        if status != 0:
            raise SetupError(why("\n".join(self.lines[begun:][-60:])))
        self.fraction = max(self.fraction, top)

    def _say(self, step, fraction):
        self.step, self.fraction = step, fraction

    def _call(self, command, read=None):
        """Run one command, its words to `lines`; returns the exit status. Raises SetupError when cancelled."""
        if self.cancelled:
            raise SetupError("Cancelled")
        command = [str(part) for part in command]
        self.lines.append("$ " + " ".join(command))
        try:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                             encoding="utf-8", errors="replace", stdin=subprocess.DEVNULL,
                                             env=clean_environment(), start_new_session=sys.platform != "win32",
                                             **no_window())
        except OSError as error:
            self.lines.append(str(error))
            return 127
        if self.cancelled:  # pressed just before the process began
            end_tree(self._process)
        for line in self._process.stdout:
            if not RAW.fullmatch(line.strip()):  # the bytes of a download move the bar, the report does not need them
                self.lines.append(line.rstrip())
            if read is not None:
                read(line)
        status = self._process.wait()
        if self.cancelled:
            raise SetupError("Cancelled")
        return status


def why(log):
    """One sentence for what pip's last words say went wrong."""
    network = ("Temporary failure in name resolution", "NewConnectionError", "Connection refused", "ConnectTimeoutError",
               "Network is unreachable", "getaddrinfo failed", "ProxyError", "Read timed out")
    if any(sign in log for sign in network):
        return "The packages cannot be downloaded: no network; press Set Up Runtime again later, it goes on where it stopped."
    if "No space left on device" in log:
        return "The disk is full; the runtime needs about 2 GB (CUDA 6 GB)."
    missing = re.findall(r"No matching distribution found for (\S+)", log)
    if missing:
        return f"The package {missing[-1]} was not found for this Python; the report has the details."
    return "The packages could not be installed; the report tells what failed."
