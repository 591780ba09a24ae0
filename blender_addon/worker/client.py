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
from ...core.contract.files import reason
from ...core.contract.holding import held_from_birth, unlink_unless_held
from ...core.contract.protocol import PROTOCOL

HELLO_SECONDS = 30.0
SILENT_SECONDS = 60.0  # without a heartbeat; it comes every 2 s
ASLEEP_SECONDS = 10.0  # nobody has asked for so long: this computer may have slept
LOG_LINES = 12
KEPT_LOGS = 3
MOST_LINE = 4 << 20  # bytes of a message; half an hour's beats, eight times over, are 1 MB
MOST_MESSAGES = 100  # of one look: the next look takes the rest
MOST_WAITING = 5000  # then the worker waits

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
        for old in _by_age(self.folder.glob("worker-*.log"))[:-KEPT_LOGS]:
            unlink_unless_held(old)
        # One log a process: the last words of one must not be overwritten by the next.
        self.log_path = self.folder / f"worker-{time.time_ns():x}-{os.getpid()}-{next(_numbers)}.log"
        self.hello = None
        self.busy = (0.0, None)  # when the worker last said what it works on, and what it said
        self._inbox = queue.Queue(MOST_WAITING)
        self._outbox = queue.Queue()
        self._started = self._last_sign = self._asked = time.monotonic()
        self._log = held_from_birth(self.log_path, 0o600)         # held by the worker, too: it inherits the file
        try:
            self._process = subprocess.Popen(
                [self.python, "-s", str(self.root / "core" / "worker" / "main.py"), "--idle", f"{idle_seconds:g}"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, cwd=self.folder,
                env=clean_environment(), **no_window())
        except (OSError, ValueError) as error:  # ValueError: a name with a null character
            self._close_log()
            why = reason(error) if isinstance(error, OSError) else "its name is not allowed here"
            raise WorkerError(f"The worker's Python {self.python!r} cannot be started: {why}; check it in the "
                              "preferences of Baton.") from error
        for target in (self._read, self._write):
            threading.Thread(target=target, name=f"baton-worker{target.__name__}", daemon=True).start()

    @property
    def pid(self):
        return self._process.pid

    @property
    def alive(self):
        return self._process.poll() is None

    def send(self, message):
        """Queue one message; a dead worker shows up as an `exit` message, not here. Raises WorkerError for a value that
        a message cannot hold."""
        try:
            line = json.dumps(message, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n"
        except (TypeError, ValueError, RecursionError) as error:
            raise WorkerError(f"A setting of this job holds what cannot be sent to the worker ({error}); put it right "
                              "and try again.") from error
        self._outbox.put(line)

    def messages(self, timeout=0.0):
        """All messages that have arrived, oldest first; waits up to `timeout` seconds for the first.

        Besides the protocol's own there are `{"type": "exit", "code", "log"}` (process ended) and
        `{"type": "garbage", "text"}` (a line that is no message). Raises WorkerError where the `hello` is late or of
        another protocol, and where the worker gives no sign of life.
        """
        out = []
        try:
            out.append(self._inbox.get(timeout=timeout) if timeout > 0 else self._inbox.get_nowait())
            while len(out) < MOST_MESSAGES:
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

    def kill(self, wait=5.0):
        """End the process at once; waits up to `wait` seconds until it is gone."""
        if self.alive:
            self._process.kill()
        self._outbox.put(None)
        try:
            self._process.wait(wait)
        except subprocess.TimeoutExpired:
            pass  # stuck in the kernel; nothing more can be done from here

    def _read(self):
        while line := self._process.stdout.readline(MOST_LINE):
            if not line.strip():
                continue
            message = _parsed(line)
            self._last_sign = time.monotonic()
            if message["type"] == "heartbeat":  # nobody reads while there is no job: they would pile up
                self.busy = (self._last_sign, message.get("busy"))
                continue
            self._put(message)
            if message["type"] == "garbage":  # what follows it is no better
                break
        self._process.stdout.close()
        code = self._process.wait()
        self._outbox.put(None)  # the writing thread ends with the process, and so do pipes and log
        self._close_log()
        self._put({"type": "exit", "job": None, "code": code, "log": self.log_tail()})

    def _put(self, message):
        """Into the inbox; while it is full and nobody empties it the worker waits, and a dead one is not waited for."""
        while True:
            try:
                self._inbox.put(message, timeout=1.0)
                return
            except queue.Full:
                if not self.alive:
                    return

    def _write(self):
        stream = self._process.stdin
        while (line := self._outbox.get()) is not None:
            try:
                stream.write(line)
                stream.flush()
            except (OSError, ValueError):
                break  # the reader thread reports the end of the process
        try:
            stream.close()
        except OSError:
            pass

    def _close_log(self):
        self._log.close()


def _parsed(line):
    """The message of a line; one of type "garbage" where it is none."""
    text = line.decode("utf-8", "replace")
    try:
        message = json.loads(text) if line.endswith(b"\n") or len(line) < MOST_LINE else None
        if isinstance(message["type"], str):
            return message
    except (ValueError, TypeError, KeyError, RecursionError):
        pass  # what it is instead is said below
    return {"type": "garbage", "job": None, "text": text[:300].strip()}
