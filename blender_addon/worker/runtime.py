"""Makes the worker's Python environment of Blender's own Python, in the extension's user folder. No bpy here.

A stamp with the hash of the lock is written last, so a half-made environment is completed by the next run and never
trusted. Blender's interpreter itself is only run, never written to.
"""
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

from ...core.contract import environment
from ...core.contract.environment import SetupError, no_window, python_of
from ...core.contract.files import reason
from ...core.contract.holding import Held, alone

SUPPORTED = ((3, 11), (3, 14))
CHECK = "import torch, librosa, soundfile, numpy"
STAMP = "ready.json"
LOOK_SECONDS = 1.0
# Gigabytes (downloaded, stored) by which build of PyTorch; the README and the preferences say the same.
SIZES = {"cpu": (0.4, 1.4), "cuda": (3, 5)}
AGAIN = "press Set Up Runtime again"


def lock_hash(lock):
    return hashlib.sha256(Path(lock).read_bytes()).hexdigest()


def ready_python(folder):
    """Interpreter of a finished environment in `folder`, or None."""
    stamp, python = Path(folder) / STAMP, python_of(Path(folder) / "env")
    return python if stamp.is_file() and python.is_file() else None


def is_current(folder, lock):
    """True where the finished environment was made from this very lock."""
    return environment.stamped(Path(folder) / STAMP).get("lock") == lock_hash(lock)


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
    found, tried = environment.find_python(candidates() if search is None else search, *SUPPORTED)
    if found is None:
        raise SetupError("No Python 3.11 to 3.13 was found beside Blender; name one under Python in the preferences "
                         f"(tried: {', '.join(tried) or 'nothing'}).")
    return found


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
    used, nothing is ever built and each file must have the lock's hash; constraints: text of what may come beside it;
    backend: "cpu", "cuda" or "pypi" (as the index offers it); extras: further requirements.
    """

    def __init__(self, folder, lock, *, wheels=None, backend="cpu", extras=(), constraints="", check=CHECK,
                 search=None):
        self.constraints = constraints
        self.folder, self.lock, self.wheels = Path(folder), Path(lock), wheels
        self.backend, self.extras, self.check, self.search = backend, tuple(extras), check, search
        self.fraction, self.step, self.lines, self.error, self.done = 0.0, "", [], "", False
        self.cancelled = False
        self._process, self._begun = None, 0
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
        head = [f"Baton runtime in {self.folder}", f"platform {sys.platform}, Blender's Python "
                f"{sys.version.split()[0]}",
                f"state: {'done' if self.done else self.error or ('cancelled' if self.cancelled else 'running')}", ""]
        return "\n".join(head + self.lines)

    # --- on the thread ---

    def _run(self):
        started = time.monotonic()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with alone(self.folder / "setup.lock"):
                self._make()
            self.fraction, self.step, self.done = 1.0, "Ready", True
            self.lines.append(f"ready after {time.monotonic() - started:.0f} s")
        except Held:
            self.error = "Another Blender is setting up this runtime; wait until it has ended, then look again."
            self.lines.append(self.error)
        except SetupError as error:
            self.error = "Cancelled" if self.cancelled else str(error)
            self.lines.append(self.error)
        except OSError as error:
            self.error = f"The folder {self.folder} cannot be written: {reason(error)}; {AGAIN}."
            self.lines.append(self.error)
        except Exception:  # noqa: BLE001  the thread's end: what went wrong is for the report
            self.error = "Baton met a fault of its own while it set up the runtime; Copy Report tells more."
            self.lines.append(traceback.format_exc())

    def _make(self):
        backend = {"cpu": "cpu" if sys.platform == "linux" else None, "cuda": "auto"}.get(self.backend)
        lock = self.lock.read_text(encoding="utf-8") + "\n".join(["", *self.extras, ""])
        over = threading.Event()
        threading.Thread(target=self._look, args=(over,), name="baton-setup-look", daemon=True).start()
        try:
            environment.Maker(
                folder=self.folder / "env", tools=self.folder / "uv", stamp=self.folder / STAMP, lock=lock,
                check=self.check, mark={"lock": lock_hash(self.lock), "backend": self.backend},
                base=lambda: find_python(self.search), run=self._call,
                words=lambda: "\n".join(self.lines[self._begun:][-60:]), say=self._say, backend=backend,
                wheels=self.wheels, binary=True, constraints=self.constraints, again=AGAIN).make()
        finally:
            over.set()

    def _look(self, over):
        """While packages are fetched and unpacked uv says nothing:
        the space that the disk loses tells how far it is."""
        low, free = None, 0
        while not over.wait(LOOK_SECONDS):
            if self.step != "Packages":
                continue
            now = shutil.disk_usage(self.folder).free
            low, free = (self.fraction, now) if low is None else (low, free)
            taken = (free - now) / (SIZES.get(self.backend, SIZES["cpu"])[1] * 1e9)
            self.fraction = max(self.fraction, low + (0.9 - low) * min(1.0, max(0.0, taken)))

    def _say(self, step, fraction):
        self.step, self.fraction = step, fraction

    def _call(self, command, variables):
        """Run one command, its words to `lines`; returns the exit status. Raises SetupError when cancelled."""
        self._begun = len(self.lines)
        if self.cancelled:
            raise SetupError("Cancelled")
        command = [str(part) for part in command]
        self.lines.append("$ " + " ".join(command))
        try:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                             encoding="utf-8", errors="replace", stdin=subprocess.DEVNULL,
                                             env=variables, start_new_session=sys.platform != "win32",
                                             **no_window())
        except OSError as error:
            self.lines.append(str(error))
            return 127
        if self.cancelled:  # pressed just before the process began
            end_tree(self._process)
        for line in self._process.stdout:
            self.lines.append(line.rstrip())
        status = self._process.wait()
        if self.cancelled:
            raise SetupError("Cancelled")
        return status
