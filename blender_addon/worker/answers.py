"""What the worker's messages do to the running job."""
from . import replies
from .checking import Checking
from .job import faults


class Answers:
    """Whoever derives from it has `job`, `_end`, `_fault`, `_done` and what `WorkerOwner` has."""

    def _receive(self, message):
        kind, job = message["type"], self.job
        if kind in {"done", "error"}:
            if message.get("job") != self._active:
                self._kill_worker()
                if job is not None and job.state in {"waiting", "running"}:
                    self._end("failed", "The worker answered for another job and was ended; try again.")
                return
            self._active = None
        if kind == "exit":
            fresh = self._client is None or self._client.hello is None
            self._active = self._client = None
            if job is not None and (job.state == "running" or job.state == "waiting" and fresh):
                log = message.get("log", "").strip()
                job.trace = log
                faults.append(f"{job.title}: the worker ended\n{log}")
                last = log.splitlines()[-1] if log else f"exit code {message['code']}"
                self._end("failed", f"The worker ended: try again, or press Check in the preferences ({last})")
            return
        if kind == "garbage":
            self._kill_worker()
            if job is not None and not job.over:
                self._end("failed", f"The worker sent something that is no message: {message['text'][:80]!r}.")
            return
        if job is None or message.get("job") != job.id:
            return
        if kind == "progress":
            job.progress(message)
        elif kind == "first":
            job.heard = job.folder is not None and replies.is_sound(job.folder / "first.wav")
        elif kind == "log" and message.get("level") == "warning":
            job.warn(message.get("text"))
        elif kind == "done":
            if job.cancel_at is not None:
                self._end("cancelled", "Cancelled")
                return
            job.state, job.phase, job.fraction, job.eta = "checking", "Writing", 1.0, None
            self._checking = Checking(job.kind, message.get("result"), job.folder)
        elif kind == "error":
            if message.get("code") == "cancelled":
                self._end("cancelled", "Cancelled")
            else:
                trace = replies.text(message.get("trace"), 20_000)
                if message.get("code") == "internal":
                    self._fault(job, trace)
                else:
                    job.trace = trace
                    self._end("failed", replies.text(message.get("message"), 2000) or "The worker failed; try again.")

    def _take_checked(self, job, timeout):
        found = self._checking.taken(timeout)
        if isinstance(found, str):
            self._fault(job, found)
        elif found is not None:
            self._done(job, found)
            job.warnings += found["warnings"]
