"""The one manager that runs jobs, from the click to the result.

It is driven by `tick`, a persistent timer, and by `run_blocking` for scripts and `--background`: both call the same
`poll`.
"""
import threading
import time
import traceback
from collections import deque

import bpy

from ...core import contract
from ...core.contract.files import reason
from ...core.contract.protocol import code_hash
from ..errors import Cancelled, DiskError, UserError, on_disk
from ..scene import compat
from ..scene.stats import stall, timed
from ..scene.whole import later, whole
from . import job_folder
from . import options as prefs
from .client import WorkerClient, WorkerError
from .job import Job

__all__ = ["Job", "Manager", "manager", "shutdown", "tick"]

TICK_SECONDS = 0.1
CANCEL_SECONDS = 4.0  # then the worker is ended
FAULT = "{}: Baton met a fault of its own, and the file is as before; Copy Report in Baton's preferences tells more"


class Manager:
    """At most one job, at most one worker."""

    def __init__(self):
        self.job = None
        self.last = None  # the job that ended last, for its message
        self.unplaced = None  # a job whose sound is made but could not be put where it belongs: Save Take As
        self.busy = set()  # "render", "save": inserting waits
        self._client = None
        self._client_key = None
        self._starting = None
        self._expected = None
        self._generation = 0  # of the starting thread whose worker counts
        self._handover = threading.Lock()  # between that thread and whoever makes it stale
        self._hello_job = None
        self._start_failure = None
        self._steps = None
        self._active = None  # id of the job the worker has, until it answers
        self._active_left = 0.0

    @property
    def worker_alive(self):
        return self._client is not None and self._client.alive

    # --- what operators call ---

    def start(self, job):
        """Begin `job` and return at once. Raises UserError while another is running."""
        if self.job is not None:
            raise UserError("Baton is working already; wait or press Cancel.")
        job.folder = job_folder.make(job.id)
        self.job, self.last = job, None
        self._steps = job.prepare(job.folder)
        self._start_worker()
        if not bpy.app.timers.is_registered(tick):
            bpy.app.timers.register(tick, first_interval=0.0, persistent=True)

    def run_blocking(self, job):
        """Run `job` to its end, for scripts and `--background`. Returns it; raises UserError or Cancelled."""
        self.start(job)
        while not job.over:
            self.poll(timeout=0.05)
        if job.state == "cancelled":
            raise Cancelled(job.message)
        if job.state == "failed":
            raise UserError(job.message)
        return job

    def cancel(self):
        """Ask the running job to stop: its end is seen at the next polls."""
        job = self.job
        if job is None or job.cancel_at is not None:
            return
        job.cancel_at = time.monotonic()
        job.detail = "Cancelling"
        if job.state == "running" and self._client is not None:
            self._client.send({"type": "cancel", "job": job.id})
        else:
            self._end("cancelled", "Cancelled")

    def abort(self, sentence):
        """End the running job with a message: its scene is gone or has changed under it."""
        if self.job is None:
            return
        if self.job.state == "running" and self._client is not None:
            self._client.send({"type": "cancel", "job": self.job.id})
        self._end("failed", sentence)

    def stop_worker(self):
        """End the worker process, if any; one that is still starting is ended by its own thread."""
        client = self._let_go()
        if client is not None:
            threading.Thread(target=client.quit, daemon=True).start()

    def shutdown(self):
        """End job and worker for good; waits up to a second for the worker to go."""
        self.abort("Baton was disabled")
        self.drop_unplaced()
        client = self._let_go()
        if client is not None:
            client.quit(wait=1.0)

    # --- polling ---

    def poll(self, timeout=0.0):
        """Advance the job by one step. Waits up to `timeout` seconds for the worker."""
        job = self.job
        try:
            for message in self._messages(timeout):
                self._receive(message)
            if self.job is None:
                return
            self._watch(job)
            if job.state == "preparing":
                self._prepare(job)
            if self.job is job and job.state == "waiting":
                self._submit(job)
            if self.job is job and job.state == "applying" and not self._blender_busy():
                self._apply(job)
            if self.job is job and job.cancel_at and time.monotonic() - job.cancel_at > CANCEL_SECONDS:
                self._kill_worker()
                self._end("cancelled", "Cancelled; the worker did not answer and was ended")
        except (UserError, WorkerError) as error:
            self._end("failed", str(error))
        except Exception:
            # Whatever went wrong, the job must not stay for ever; the traceback still reaches the console.
            job.trace = traceback.format_exc()
            self._end("failed", fault(job.title, job.trace))
            raise

    def _messages(self, timeout):
        if self._client is None:
            if timeout and self._starting is not None:
                self._starting.join(timeout)
            return []
        return self._client.messages(timeout if self.job is not None and self.job.state != "preparing" else 0.0)

    def _watch(self, job):
        for ref in job.watched:
            if ref.find() is None:
                self.abort(f"{ref.name} was deleted during the job: it was ended.")
                return

    def _prepare(self, job):
        try:
            with on_disk("The job's temporary folder", job.folder, "make room there and try again"):
                job.fraction = next(self._steps)
            job.phase = "Reading"
        except StopIteration as stop:
            job.params.update(stop.value or {})
            job.state, job.phase, job.fraction = "waiting", "Loading", None
        except Cancelled:
            self._end("cancelled", "Cancelled")

    def _submit(self, job):
        if self._start_failure is not None:
            error, self._start_failure = self._start_failure, None
            raise error
        client = self._client
        if client is None or client.hello is None or self._expected is None:
            return
        if client.hello.get("code") != self._expected:
            fresh = self._hello_job == job.id
            self._kill_worker()
            if fresh:
                raise WorkerError("The worker runs other code than this extension; install the extension again.")
            self._start_worker()
            return
        if self._active is not None:  # a cancelled job that has not let go yet
            if time.monotonic() - self._active_left > CANCEL_SECONDS:
                self._kill_worker()
                self._start_worker()
            return
        job_folder.seal(job.folder)
        job.state, self._active = "running", job.id
        options = prefs.get()
        common = {"device": options.device.lower(), "checkpoints": options.checkpoints or None}
        client.send({"type": "job", "job": job.id, "kind": job.kind, "folder": str(job.folder),
                     "params": {**job.params, **common}})

    def _receive(self, message):
        kind, job = message["type"], self.job
        if kind in {"done", "error"} and message.get("job") == self._active:
            self._active = None
        if kind == "exit":
            self._active = None
            self._client = None
            if job is not None and job.state in {"waiting", "running"}:
                log = message.get("log", "").strip()
                job.trace = log
                last = log.splitlines()[-1] if log else f"exit code {message['code']}"
                self._end("failed", f"The worker ended unexpectedly ({last}); try again, or press Check in the "
                          f"preferences")
            return
        if kind == "garbage":
            self._kill_worker()
            if job is not None and not job.over:
                self._end("failed", f"The worker sent something that is no message: {message['text'][:80]!r}.")
            return
        if job is None or message.get("job") != job.id:
            return
        if kind == "progress":
            job.phase, job.detail = message.get("phase", ""), message.get("detail", "")
            job.fraction, job.eta = message.get("fraction"), message.get("eta")
            if job.cancel_at is not None:
                job.detail = "Cancelling"
        elif kind == "log" and message.get("level") == "warning":
            job.warnings.append(message.get("text", ""))
        elif kind == "done":
            if job.cancel_at is not None:
                self._end("cancelled", "Cancelled")
                return
            job.result, job.state, job.phase, job.fraction = message.get("result") or {}, "applying", "Writing", 1.0
            job.warnings += job.result.get("warnings") or []
        elif kind == "error":
            if message.get("code") == "cancelled":
                self._end("cancelled", "Cancelled")
            else:
                job.trace = message.get("trace") or ""
                self._end("failed", message.get("message", "The worker failed."))

    def _blender_busy(self):
        running = any(bpy.app.is_job_running(name) for name in ("RENDER", "OBJECT_BAKE", "COMPOSITE"))
        if running or self.busy:
            self.job.detail = "Waiting for Blender"
            return True
        return False

    def _apply(self, job):
        step = f"Baton: {job.title}" if job.undo else None
        try:
            with stall("write"), whole((ref.find() for ref in job.watched), step) as block:
                job.written = block
                job.message = job.apply(job.result, job.folder) or f"{job.title}: done"
        except OSError as error:
            raise DiskError(f"{job.title}: the result cannot be read or written: {reason(error)}") from error
        except DiskError:
            if job.kind == "generate":
                self.drop_unplaced()
                self.unplaced = job
            raise
        self._end("done", job.message)

    def place_again(self):
        """Write the result whose sound could not be placed once more, whole or not at all; returns its sentence."""
        job = self.unplaced
        if job is None:
            raise UserError("There is no take that waits to be saved")
        for ref in job.watched:
            ref.get()
        with whole(ref.find() for ref in job.watched):
            sentence = job.apply(job.result, job.folder)
            later(self._placed)
        return sentence

    def _placed(self):
        if self.last is self.unplaced:
            self.last = None
        self.drop_unplaced()

    def drop_unplaced(self):
        """Forget the take that waits to be saved."""
        job, self.unplaced = self.unplaced, None
        if job is not None:
            job_folder.clear(job.folder)

    def _end(self, state, sentence):
        job, self.job = self.job, None
        if job is None:
            return
        if job.written is not None and job.written.done:        # nothing that comes after makes a failure of it
            state, sentence = "done", job.message
        job.state, job.message, job.fraction, job.eta = state, sentence, None, None
        self.last = job
        steps, self._steps = self._steps, None
        if steps is not None:
            steps.close()
        self._active_left = time.monotonic()
        if job.folder is not None and job is not self.unplaced:
            job_folder.clear(job.folder)
        if job.on_end is not None:
            job.on_end(job)
        compat.tag_redraw_all()

    # --- the worker ---

    def _start_worker(self):
        """Start or reuse the process. Hashing and Popen happen on a thread: they would cost a frame."""
        python = prefs.worker_python()
        if not python:
            self._end("failed", prefs.NO_PYTHON)
            raise UserError(prefs.NO_PYTHON)
        key = (str(python), str(contract.ROOT))
        self._expected, self._start_failure = None, None
        reuse = self._client if self._client is not None and self._client.alive and self._client_key == key else None
        if reuse is None:
            self.stop_worker()
        if reuse is None:
            self._hello_job = self.job.id
        folder = prefs.log_folder()
        idle = prefs.get().idle_minutes * 60

        self._generation += 1
        generation, root, places = self._generation, contract.ROOT, job_folder.places()

        def work():
            expected, client, failure = code_hash(root), None, None
            if reuse is None:
                job_folder.sweep(places)
                try:
                    with on_disk("The folder of the worker's log", folder, "make room there or remove what lies there"):
                        client = WorkerClient(python, root, folder, idle_seconds=idle)
                except (WorkerError, DiskError) as error:
                    failure = error
            with self._handover:
                stale = generation != self._generation  # a later start or a stop has overtaken this one
                if not stale and client is not None:
                    self._client, self._client_key = client, key
                if not stale:
                    self._expected, self._start_failure = expected, failure
            if stale and client is not None:
                client.kill()

        self._starting = threading.Thread(target=work, name="baton-start", daemon=True)
        self._starting.start()

    def _let_go(self):
        """Forget the worker, also one that is still starting; returns the client to end, or None."""
        with self._handover:
            self._generation += 1
            client, self._client, self._client_key, self._active = self._client, None, None, None
        return client

    def _kill_worker(self):
        client, self._client, self._client_key, self._active = self._client, None, None, None
        if client is not None:
            client.kill()


manager = Manager()
faults = deque(maxlen=5)  # tracebacks of what Baton did not foresee, for Copy Report


def fault(title, trace):
    """Note the traceback of a fault of Baton's own; the sentence for the user."""
    faults.append(f"{title}:\n{trace}")
    return FAULT.format(title)


@timed
def tick():
    """The timer: polls while there is a job, then stops itself."""
    if manager.job is None:
        return None
    manager.poll()
    compat.tag_redraw_all()
    job = manager.job
    if job is None:
        return None
    return 0.0 if job.state == "preparing" else TICK_SECONDS


def shutdown():
    """End job, timer and worker: the add-on is disabled or Blender quits."""
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    manager.shutdown()
