"""The add-on's end of the worker process. No bpy here: scripts and tests use it as it is.

One line of UTF-8 JSON is one message, on the worker's stdin and stdout (docs/contracts.md, Worker messages). Reader
threads only fill a queue; whoever owns the client empties it from the main thread with `messages()`.
"""
import itertools
import json
import os
import queue
import subprocess
import threading
import time
from pathlib import Path

from ...core.contract.environment import clean_environment, no_window
from ...core.contract.files import create
from ...core.contract.holding import hold, unlink_unless_held
from ...core.contract.protocol import PROTOCOL

HELLO_SECONDS = 30.0
SILENT_SECONDS = 60.0  # without a heartbeat; it comes every 2 s
ASLEEP_SECONDS = 10.0  # nobody has asked for so long: this computer may have slept
LOG_LINES = 12


_numbers = itertools.count(1)


def _by_age(paths):
    """Oldest first; those that somebody else deletes meanwhile are left out."""
    found = []
    for path in paths:
        try:
            found.append((path.stat().st_mtime, str(path), path))
        except OSError:
            continue
    return [path for _, _, path in sorted(found)]


class WorkerError(Exception):
    """The worker cannot be started or talked to; the text is one sentence for the user."""


class WorkerClient:
    """A running worker process.

    python: its interpreter; root: folder that holds `core`; folder: where the log goes and the process stands;
    idle_seconds: it ends by itself after so long without a job. Raises WorkerError where it cannot start.
    """

    def __init__(self, python, root, folder, idle_seconds=900.0):
        self.python, self.root, self.folder = str(python), Path(root), Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in _by_age(self.folder.glob("worker-*.log"))[:-3]:
            unlink_unless_held(old)
        # One log a process: the last words of one must not be overwritten by the next.
        self.log_path = self.folder / f"worker-{time.time_ns():x}-{os.getpid()}-{next(_numbers)}.log"
        self.hello = None
        self._inbox = queue.Queue()
        self._outbox = queue.Queue()
        self._started = self._last_sign = self._asked = time.monotonic()
        self._log = hold(create(self.log_path, 0o600))          # held by the worker, too: it inherits the file
        try:
            self._process = subprocess.Popen(
                [self.python, "-s", str(self.root / "core" / "worker" / "main.py"), "--idle", f"{idle_seconds:g}"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, cwd=self.folder,
                env=clean_environment(), **no_window())
        except OSError as error:
            self._log.close()
            raise WorkerError(f"The worker's Python {self.python} cannot be started ({error.strerror or error}); "
                              "check it in the preferences of Baton.") from error
        for target in (self._read, self._write):
            threading.Thread(target=target, name=f"baton-worker{target.__name__}", daemon=True).start()

    @property
    def pid(self):
        return self._process.pid

    @property
    def alive(self):
        return self._process.poll() is None

    def send(self, message):
        """Queue one message; a dead worker shows up as an `exit` message, not here."""
        self._outbox.put(message)

    def messages(self, timeout=0.0):
        """All messages that have arrived, oldest first; waits up to `timeout` seconds for the first.

        Besides the protocol's own there are `{"type": "exit", "code", "log"}` (process ended) and
        `{"type": "garbage", "text"}` (a line that is no message). Raises WorkerError where the `hello` is late or of
        another protocol, and where the worker gives no sign of life.
        """
        out = []
        try:
            out.append(self._inbox.get(timeout=timeout) if timeout > 0 else self._inbox.get_nowait())
            while True:
                out.append(self._inbox.get_nowait())
        except queue.Empty:
            pass
        for message in out:
            if message["type"] == "hello":
                self._check_hello(message)
        if self.hello is None and self.alive and time.monotonic() - self._started > HELLO_SECONDS:
            self.kill()
            raise WorkerError(f"The worker did not answer within {HELLO_SECONDS:.0f} s; its log is {self.log_path}.")
        self._check_life()
        return out

    def _check_life(self):
        now, asked = time.monotonic(), self._asked
        self._asked = now
        if now - asked > ASLEEP_SECONDS:
            self._last_sign = now
        if self.hello is not None and self.alive and now - self._last_sign > SILENT_SECONDS:
            self.kill()
            raise WorkerError(f"The worker gave no sign of life for {SILENT_SECONDS:.0f} s and was ended; try again.")

    def _check_hello(self, message):
        if message.get("protocol") != PROTOCOL:
            self.kill()
            raise WorkerError(f"The worker speaks protocol {message.get('protocol')}, this add-on {PROTOCOL}; "
                              "restart Blender or install the extension again.")
        self.hello = message

    def log_tail(self, lines=LOG_LINES):
        """Last lines of the worker's log."""
        try:
            text = self.log_path.read_bytes()[-8000:].decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.strip().splitlines()[-lines:])

    def quit(self, wait=2.0):
        """Ask the process to end, then make it."""
        self.send({"type": "quit", "job": None})
        self._outbox.put(None)
        try:
            self._process.wait(wait)
        except subprocess.TimeoutExpired:
            self.kill()
        self._log.close()

    def kill(self):
        """End the process at once."""
        if self.alive:
            self._process.kill()
        self._outbox.put(None)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            pass  # stuck in the kernel; nothing more can be done from here

    def _read(self):
        for line in self._process.stdout:
            text = line.decode("utf-8", "replace").strip()
            if not text:
                continue
            try:
                message = json.loads(text)
                if not isinstance(message.get("type"), str):
                    raise ValueError("no type")
            except (ValueError, AttributeError):
                message = {"type": "garbage", "job": None, "text": text[:300]}
            self._last_sign = time.monotonic()
            if message["type"] != "heartbeat":  # nobody reads while there is no job: they would pile up
                self._inbox.put(message)
        code = self._process.wait()
        self._inbox.put({"type": "exit", "job": None, "code": code, "log": self.log_tail()})

    def _write(self):
        stream = self._process.stdin
        while True:
            message = self._outbox.get()
            if message is None:
                break
            try:
                stream.write(json.dumps(message, ensure_ascii=False).encode("utf-8") + b"\n")
                stream.flush()
            except (OSError, ValueError):
                break  # the reader thread reports the end of the process
        try:
            stream.close()
        except OSError:
            pass
