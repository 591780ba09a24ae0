"""The one manager that runs jobs, from the click to the result.

It is driven by `tick`, a persistent timer, and by `run_blocking` for scripts and `--background`:
both call the same `poll`.
"""
import sys
import time
import traceback
from functools import partial

import bpy

from ..errors import Cancelled, UserError, on_disk
from ..scene import compat, draft, stamp, usable
from ..scene.stats import timed
from . import job_folder
from . import options as prefs
from .answers import Answers
from .busy import Busy
from .client import WorkerError
from .job import Job, fault, faults
from .owner import WorkerOwner
from .pacing import Pace
from .writing import Writer

__all__ = ["Job", "Manager", "fault", "faults", "manager", "shutdown", "tick"]

TICK_SECONDS = 0.1
BUSY = ("preparing", "building", "applying")  # with Blender's own time: the next step comes at once
CANCEL_SECONDS = 1.5  # then the worker is ended
START_SECONDS = 60.0  # of the thread that starts it; the client looks after its hello
MOST_STARTS = 2  # of a worker, for one job


def _stamp(job):
    """How what a job works on stands."""
    if job.stamp is not None:
        return job.stamp()
    things = [ref.get() for ref in job.watched]
    return [*(stamp.of_rig(thing) for thing in things if getattr(thing, "pose", None) is not None),
            *(stamp.of_scene(thing) for thing in things if hasattr(thing, "render"))]


def _rates(job):
    """Frame rates of the scenes that a job works on."""
    return [stamp.of_scene(scene) for scene in (ref.find() for ref in job.watched) if hasattr(scene, "render")]


class Manager(WorkerOwner, Answers, Writer):
    """At most one job, at most one worker."""

    def __init__(self):
        super().__init__()
        self.job = None
        self.last = None  # the job that ended last, for its message
        self.unplaced = None  # a job whose sound is made but could not be put where it belongs: Save Take As
        self.busy = Busy()  # "render", "save": inserting waits
        self._steps = None
        self._active_left = 0.0
        self._checking = None  # a look at the worker's answer

    # --- what operators call ---

    def start(self, job):
        """Begin `job` and return at once. Raises UserError while another is running."""
        if self.job is not None:
            raise UserError("Baton is working already; wait or press Cancel.")
        job.folder = job_folder.make(job.id)
        try:
            job.stamped, job.rates = _stamp(job), _rates(job)
            self.job, self.last = job, None
            self._steps = job.prepare(job.folder)
            self._start_worker()
            if not bpy.app.timers.is_registered(tick):
                bpy.app.timers.register(tick, first_interval=0.0, persistent=True)
        except BaseException:                                   # it never began: nothing of it stays
            self.job = self._steps = None
            job_folder.clear(job.folder)
            raise

    def run_blocking(self, job):
        """Run `job` to its end, for scripts and `--background`. Returns it; raises UserError or Cancelled."""
        self.start(job)
        try:
            while not job.over:
                self.poll(timeout=0.05)
        except BaseException:                                   # Ctrl-C among them
            self.abort(f"{job.title} was interrupted")
            raise
        if job.state == "cancelled":
            raise Cancelled(job.message)
        if job.state == "failed":
            raise UserError(job.message)
        return job

    def tell(self, sentence):
        """Show a sentence where the message of the last job stands; a running job's progress is not covered."""
        self.last = Job("note", "", {}, None, None, undo=False, state="done", message=sentence)
        compat.tag_redraw_all()

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
        self.job.aborted = True
        if self.job.state == "running" and self._client is not None:
            self._client.send({"type": "cancel", "job": self.job.id})
        self._end("failed", sentence)

    def after_undo(self):
        """An undo or redo has passed over the file: the job goes on where what it works on is as it was."""
        job = self.job
        if job is None:
            return
        self._watch(job)
        if self.job is None:
            return
        try:
            now = _stamp(job)
        except (UserError, ReferenceError, AttributeError, KeyError):
            now = "gone"
        if now != job.stamped:
            self.abort("Undo has changed what the job works on: it was ended; start it again")
        elif job.state == "preparing":                          # what was read so far holds references that are dead
            self._steps.close()
            job_folder.empty(job.folder)
            self._steps = job.prepare(job.folder)
        elif job.state in ("building", "applying") and self._steps is not None:
            self._steps.close()                                 # what was built may have gone with the undo
            self._done(job, job.result)

    def stop_worker(self):
        """End the worker process, if any, and the job that waits for it;
        one that is still starting is ended by its own thread."""
        if self.job is not None and self.job.state in ("waiting", "running"):
            self.abort("The worker was stopped, and the job with it")
        self._retire()

    def renew_worker(self):
        """The next job gets a new worker; one that has a job finishes it first."""
        if self.job is None:
            self._retire()
        else:
            self._client_key = None

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
            if job.state == "preparing" and not self._playback():
                self._prepare(job)
            if self.job is job and job.state == "waiting":
                self._submit(job)
            if self.job is job and job.state == "running":
                self._look_for_lost(job)
            if self.job is job and job.state == "checking":
                self._take_checked(job, timeout)
            if self.job is job and job.state == "building" and not self._blender_busy():
                self._build(job)
            elif self.job is job and job.state == "applying" and not self._blender_busy():
                self._apply(job)
            if self.job is job and job.cancel_at and time.monotonic() - job.cancel_at > CANCEL_SECONDS:
                self._kill_worker()
                self._end("cancelled", "Cancelled; the worker did not answer and was ended")
        except (UserError, WorkerError) as error:
            self._end("failed", str(error))
        except Exception:  # noqa: BLE001  whatever went wrong, the job must not stay for ever
            trace = traceback.format_exc()
            self._watch(job)                                    # a handler of somebody's deleted what was worked on
            if self.job is not job:
                return
            print(trace, file=sys.stderr)
            self._fault(job, trace)

    def _fault(self, job, trace):
        """Baton itself is at fault: one sentence, and the traceback with the worker's last words for the report."""
        words = self._client.log_tail(40) if self._client is not None else ""
        job.trace = trace
        self._end("failed", fault(job.title, f"{trace}\n{words}".strip()))

    def _messages(self, timeout):
        if self._client is None:
            if timeout and self._starting is not None:
                self._starting.join(timeout)
            return []
        return self._client.messages(timeout if self.job is not None and self.job.state not in BUSY else 0.0)

    def _watch(self, job):
        for ref in job.watched:
            if ref.find() is None:
                self.abort(f"{ref.name} was deleted during the job: it was ended.")
                return
        if job.rates not in (None, _rates(job)):                 # its seconds would fall on other frames
            self.abort("The frame rate was changed during the job: it was ended; start it again")

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
        if self._starting is not None and self._starting.is_alive():
            if time.monotonic() - self._begun > START_SECONDS:
                self._let_go()
                raise WorkerError(f"The worker could not be started within {START_SECONDS:.0f} s; try again, or "
                                  "restart Blender.")
            return
        client = self._client
        if client is None or not client.alive:              # it ended while the scene was read, or never began
            if job.starts >= MOST_STARTS:
                raise WorkerError("The worker ends as soon as it is started; press Check in the preferences of Baton.")
            self._start_worker()
            return
        if client.hello is None or self._expected is None:
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
        options = prefs.get()
        common = {"device": options.device.lower(), "checkpoints": options.checkpoints or None}
        client.send({"type": "job", "job": job.id, "kind": job.kind, "folder": str(job.folder),
                     "params": {**job.params, **common}})
        job.state, self._active, job.since = "running", job.id, time.monotonic()

    def _look_for_lost(self, job):
        if self._client is not None and job.lost(*self._client.busy):
            self._kill_worker()
            raise WorkerError("The worker has lost the job and was ended; try again.")

    def works(self):
        """Whether the next poll does something of the job with Blender's own time."""
        return (self.job is not None and self.job.state in BUSY and not usable.playing() and not self.busy.now())

    def _playback(self):
        """A playback moves what is read and written: both wait until it stops."""
        return self._waiting(usable.playing(), "Waiting for the playback to stop")

    def _waiting(self, wait, sentence):
        if wait:
            self.job.detail = sentence
        elif self.job.detail == sentence:
            self.job.detail = ""
        return wait

    def _blender_busy(self):
        return self._playback() or self._waiting(self.busy.now(), "Waiting for Blender")

    def _note_left(self):
        self._active_left = time.monotonic()

    def _end(self, state, sentence):
        job, steps = self.job, self._steps
        if job is None:
            return
        if job.written is not None and job.written.done:        # nothing that comes after makes a failure of it
            state, sentence = "done", job.message
        # What is to follow is gathered while the job is still there: a fault here is one of the job, which ends again.
        tasks = [self._note_left, *([steps.close] if steps is not None else []), draft.sweep]
        if job.folder is not None and job is not self.unplaced:
            tasks.append(partial(job_folder.clear, job.folder))
        if job.on_end is not None:
            tasks.append(partial(job.on_end, job))
        job.state, job.message, job.fraction, job.eta = state, sentence, None, None
        self.job, self.last, self._steps, self._checking = None, job, None, None
        for task in (*tasks, compat.tag_redraw_all):
            try:
                task()
            except Exception:  # noqa: BLE001  it has ended already: what follows must not miss its turn
                fault(job.title, traceback.format_exc())


manager = Manager()
pace = Pace()


@timed
def tick():
    """The timer: polls while there is a job, then stops itself."""
    if manager.job is None:
        return None
    until = pace.until()
    manager.poll()
    while manager.works() and pace.clock() < until:
        manager.poll()
    job = manager.job
    pace.end(job and job.shown())
    if job is None:
        return None
    return 0.0 if job.state in BUSY else TICK_SECONDS


def shutdown():
    """End job, timer and worker: the add-on is disabled or Blender quits."""
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    manager.shutdown()
