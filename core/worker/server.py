"""The worker's loop. Main thread: the job. Reader thread: stdin, cancel, end of file.
Heartbeat thread: a sign of life."""
import argparse
import faulthandler
import json
import os
import platform
import queue
import signal
import sys
import threading
import traceback
from pathlib import Path

from core import cancelling
from core.contract.protocol import PROTOCOL, code_hash, version
from core.errors import BadInput, BatonError, Cancelled, OutOfMemory
from core.worker.interrupt import Interrupt
from core.worker.progress import Progress
from core.worker.protocol import Writer, parse

HEARTBEAT_SECONDS = 2.0
IDLE_SECONDS = 900.0
CANCELLED = "error", {"code": Cancelled.code, "message": "Cancelled.", "trace": None}


class Context:
    """What a job gets: kind, folder (Path or None), params (dict), progress(phase, fraction, detail), should_cancel(),
    log(level, text), first() once first.wav lies in the folder."""

    def __init__(self, job, kind, folder, params, writer):
        self.job, self.kind, self.folder, self.params = job, kind, folder, params
        self.cancelled = threading.Event()
        self.interrupt = None                      # while the job runs
        self.progress = Progress(lambda **fields: writer.send("progress", job, **fields))
        self.log = lambda level, text: writer.send("log", job, level=level, text=text)
        self.first = lambda: writer.send("first", job)

    def should_cancel(self):
        """True once the user has asked to stop."""
        return self.cancelled.is_set()

    def check_cancel(self):
        """Raise Cancelled if the user has asked to stop."""
        if self.should_cancel():
            raise Cancelled


class Server:
    """One job at a time out of `kinds`: {kind: function(Context) -> JSON-ready dict}.

    warm_up(stop), if any, runs once after the hello, while the other side prepares its first job; it returns soon after
    stop() turns true, which a waiting job makes it do.
    """

    def __init__(self, reader, writer, kinds, idle=IDLE_SECONDS, heartbeat=HEARTBEAT_SECONDS, warm_up=None):
        self._reader, self._writer, self._kinds = reader, Writer(writer), kinds
        self._idle, self._heartbeat, self._warm_up = idle, heartbeat, warm_up
        self._jobs = queue.SimpleQueue()
        self._current, self._lock = None, threading.Lock()

    def run(self):
        """Say hello and serve. Returns 0 after `quit` or idle time; end of stdin ends the process from the reader."""
        self._writer.send("hello", None, protocol=PROTOCOL, code=code_hash(), pid=os.getpid(),
                          python=platform.python_version(), version=version())
        for target in (self._read, self._beat):
            threading.Thread(target=target, daemon=True).start()
        if self._warm_up is not None:              # on this thread: a job never meets a half-imported module
            self._warm_up(lambda: not self._jobs.empty())
        while True:
            try:
                context = self._jobs.get(timeout=self._idle)
            except queue.Empty:
                with self._lock:                   # a job may have come in at the last moment
                    if self._current is not None:
                        continue
                print(f"idle for {self._idle:g} s: the worker ends", file=sys.stderr, flush=True)
                return 0
            if context is None:
                return 0
            outcome = self._outcome(context)
            with self._lock:                       # free before the answer goes out: the next job may follow at once
                self._current = None
            kind, fields = outcome
            self._writer.send(kind, context.job, **fields)

    def _outcome(self, context):
        """What `_run_job` gives, wherever a cancel strikes."""
        context.interrupt, outcome = Interrupt(), None
        if context.should_cancel():                # it came before the job had begun
            return CANCELLED
        while True:
            try:
                outcome = self._run_job(context) if outcome is None else outcome
                context.interrupt.end()
                return outcome
            except Cancelled:
                outcome = CANCELLED

    def _run_job(self, context):
        try:
            with cancelling.watch(context.should_cancel):
                result = self._kinds[context.kind](context)
            json.dumps(result, allow_nan=False)    # what cannot be sent must fail here, inside the job
            return "done", {"result": result}
        except BatonError as error:
            if error.__cause__ is not None:        # what a parser said, for whoever asks
                traceback.print_exception(error.__cause__, file=sys.stderr)
            return "error", {"code": error.code, "message": str(error), "trace": None}
        except MemoryError:
            error = OutOfMemory("There is not enough memory for this job; choose a shorter range or fewer variations.")
            return "error", {"code": error.code, "message": str(error), "trace": traceback.format_exc()}
        except Exception:  # noqa: BLE001 - the wall: a defect ends the job with a message, not the worker
            trace = traceback.format_exc()
            print(trace, file=sys.stderr, flush=True)
            return "error", {"code": "internal", "trace": trace,
                             "message": "Baton has met a fault of its own; the worker's log has the details."}

    # ------------------------------------------------------------------------------------ other threads

    def _read(self):
        for line in self._reader:
            if not line.strip():
                continue
            try:
                self._handle(parse(line))
            except ValueError as error:
                self._writer.send("error", None, code="protocol", message=f"The worker was sent {error}.", trace=None)
        leave()                                    # the other side is gone: end at once, whatever runs

    def _handle(self, message):
        kind, job = message["type"], message.get("job")
        if kind == "job":
            self._accept(message)
        elif kind == "cancel":
            with self._lock:
                if self._current is not None and self._current.job == job and not self._current.should_cancel():
                    self._current.cancelled.set()
                    if self._current.interrupt is not None:
                        self._current.interrupt.stop()
        elif kind == "ping":
            self._send_heartbeat()
        elif kind == "quit":
            with self._lock:
                busy = self._current is not None
            if busy:
                leave()
            self._jobs.put(None)

    def _accept(self, message):
        job = message["job"]
        try:
            context = self._context(message)
        except BadInput as error:
            self._writer.send("error", job, code=error.code, message=str(error), trace=None)
            return
        with self._lock:
            busy = self._current.job if self._current is not None else None
            if busy is None:
                self._current = context
        if busy is not None:
            self._writer.send("error", job, code="bad_input", trace=None,
                              message=f"The worker is busy with job {busy}; wait for it or cancel it.")
            return
        self._jobs.put(context)

    def _context(self, message):
        kind, folder = message.get("kind"), message.get("folder")
        if not isinstance(kind, str) or kind not in self._kinds:
            raise BadInput(f"The worker has no job kind {kind!r}; it has {', '.join(sorted(self._kinds))}.")
        if folder is not None and not (isinstance(folder, str) and Path(folder).is_dir()):
            raise BadInput(f"The job's folder {folder} does not exist.")
        params = message.get("params") or {}
        if not isinstance(params, dict):
            raise BadInput("The job's params are not a JSON object.")
        return Context(message["job"], kind, Path(folder) if folder is not None else None, params, self._writer)

    def _beat(self):
        pause = threading.Event()
        while not pause.wait(self._heartbeat):
            self._send_heartbeat()

    def _send_heartbeat(self):
        with self._lock:
            busy = self._current.job if self._current is not None else None
        self._writer.send("heartbeat", None, busy=busy)


def leave():
    """End the process now; native code in the job's thread is not waited for."""
    sys.stderr.flush()
    os._exit(0)


def serve(reader, writer, kinds, arguments=(), warm_up=None):
    """Run a `Server` with command-line options. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="core.worker", description="Baton's worker; speaks JSON lines on its pipes.")
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, help="seconds without a job before it ends")
    parser.add_argument("--heartbeat", type=float, default=HEARTBEAT_SECONDS, help="seconds between heartbeats")
    options = parser.parse_args(list(arguments))
    if sys.stderr is not None:
        faulthandler.enable(sys.stderr)            # a crash in native code leaves its stack in the log
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)   # Ctrl+C in Blender's terminal is for Blender
    return Server(reader, writer, kinds, options.idle, options.heartbeat, warm_up).run()
