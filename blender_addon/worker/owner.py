"""The worker process as the manager has it: started on a thread, taken over, let go, ended."""
import threading
import time

from ...core import contract
from ...core.contract.files import reason
from ...core.contract.protocol import code_hash
from ..errors import UserError, on_disk
from . import job_folder
from . import options as prefs
from .client import WorkerClient, WorkerError

KILL_SECONDS = 0.25


class WorkerOwner:
    """At most one worker. Whoever derives from it has `job` and `_end`."""

    def __init__(self):
        self._client = None
        self._client_key = None
        self._starting = None
        self._expected = None
        self._generation = 0  # of the starting thread whose worker counts
        self._handover = threading.Lock()  # between that thread and whoever makes it stale
        self._hello_job = None
        self._start_failure = None
        self._active = None  # id of the job the worker has, until it answers
        self._begun = 0.0  # when the starting thread began

    @property
    def worker_alive(self):
        return self._client is not None and self._client.alive

    @property
    def begun(self):
        """Whether a worker was started in this session."""
        return self._begun > 0.0

    def begin_early(self):
        """Start the worker before any job, once a session. Raises OSError where its log folder cannot be made."""
        if self.job is None and not self.begun and prefs.worker_python():
            self._begun = time.monotonic()                     # also where it fails: drawing must not try it for ever
            self._start_worker()

    def _retire(self):
        client = self._let_go()
        if client is not None:
            threading.Thread(target=client.quit, daemon=True).start()

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
            self._retire()
            self._hello_job = self.job and self.job.id
            if self.job is not None:
                self.job.starts += 1
        folder, idle = prefs.log_folder(), prefs.get().idle_minutes * 60
        self._generation += 1
        generation, root, places = self._generation, contract.ROOT, job_folder.places()

        def work():
            expected, client, failure = None, None, None
            try:
                expected = _hash_of(root)
                if reuse is None:
                    job_folder.sweep(places)
                    with on_disk("The folder of the worker's log", folder, "make room there or remove what lies there"):
                        client = WorkerClient(python, root, folder, idle_seconds=idle)
            except Exception as error:  # noqa: BLE001  a start that fails ends the job, however it fails
                failure = error
            with self._handover:
                stale = generation != self._generation  # a later start or a stop has overtaken this one
                if not stale and client is not None:
                    self._client, self._client_key = client, key
                if not stale:
                    self._expected, self._start_failure = expected, failure
            if stale and client is not None:
                client.kill()

        self._begun = time.monotonic()
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
            client.kill(wait=KILL_SECONDS)


def _hash_of(root):
    try:
        return code_hash(root)
    except OSError as error:
        raise WorkerError(f"Baton's own files cannot be read ({reason(error)}); install the extension "
                          "again.") from error
