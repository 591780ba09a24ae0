"""Several jobs, one after the other: the next begins when the one before has ended. One line of progress for all.

A cancelled or aborted job ends the queue, a failed one does not: what it lacked is said at the end.
"""
import traceback

from ..errors import Cancelled, UserError
from . import manager as jobs


class Queue:
    """makers: functions without arguments that give a `Job`; each is called when its turn has come."""

    def __init__(self):
        self.clear()

    def clear(self):
        """Nothing waits any more."""
        self.waiting, self.total, self.begun, self.said, self.failed, self.warnings = [], 0, 0, [], [], []

    @property
    def number(self):
        """(which one runs, of how many); (0, 0) where there is no queue."""
        return (self.begun, self.total) if self.total > 1 else (0, 0)

    def start(self, makers):
        """Begin and return the first job at once. Raises UserError where that cannot begin."""
        self._load(makers)
        try:
            return self._next()
        except UserError:
            self.clear()
            raise

    def run_blocking(self, makers):
        """Run all to their end; returns (sentence, warnings). Raises UserError where one failed, or Cancelled."""
        self._load(makers)
        try:
            while self.waiting:
                self.begun += 1
                try:
                    job = jobs.manager.run_blocking(self.waiting.pop(0)())
                except UserError as error:
                    if self.total == 1:
                        raise
                    self.failed.append(str(error))
                else:
                    self.said.append(job.message)
                    self.warnings += job.warnings
            if self.failed:
                raise UserError(self.summary())
            return self.summary(), self.warnings
        except Cancelled as error:
            raise Cancelled(self.summary(str(error))) from error
        finally:
            self.clear()

    def _load(self, makers):
        if jobs.manager.job is not None:
            raise UserError("Baton is working already; wait or press Cancel.")
        self.clear()
        self.waiting, self.total = list(makers), len(makers)

    def _next(self):
        self.begun += 1
        job = self.waiting.pop(0)()
        job.on_end = self._ended
        jobs.manager.start(job)
        return job

    def _ended(self, job):
        if self.total <= 1:
            self.clear()
            return
        (self.said if job.state == "done" else self.failed).append(job.message)
        self.warnings += job.warnings
        if job.state == "cancelled" or job.aborted:
            self.waiting = []
        while self.waiting:
            try:
                self._next()
                return
            except UserError as error:                          # it could not even begin
                self.failed.append(str(error))
            except Exception:  # noqa: BLE001  a fault of Baton's own is that job's; the others have their turn
                self.failed.append(jobs.fault(job.title, traceback.format_exc()))
        ended = job.message if job.state == "cancelled" else ""
        job.message, job.warnings = self.summary(ended), list(self.warnings)
        job.state = job.state if job.state == "cancelled" else "failed" if self.failed else "done"
        self.clear()

    def summary(self, ended=""):
        """What became of all of them, in a sentence or two."""
        if self.total <= 1:
            return (self.said or self.failed or [ended])[0]
        done = f"{len(self.said)} of {self.total} done"
        parts = (done, ended, *self.failed, *(() if self.failed or ended else self.said))
        return ". ".join(part.rstrip(".") for part in parts if part)


queue = Queue()
