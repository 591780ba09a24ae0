"""From the worker's answer to the scene: what takes long is built in slices, then all is written in one step."""
from contextlib import contextmanager

from ...core.contract.files import reason
from ..errors import DiskError, UserError
from ..scene.stats import stall
from ..scene.whole import later, whole
from . import job_folder


class Writer:
    """What the manager does with a result. It has `job`, `last`, `unplaced`, `_steps` and `_end`."""

    def _done(self, job, result):
        """The worker has answered: what takes long is made of it first, where the job has such a thing."""
        job.result, job.phase, job.fraction = result, "Writing", 0.0
        job.state, self._steps = "applying" if job.build is None else "building", None

    def _build(self, job):
        with self._writing(job):
            self._steps = self._steps or job.build(job.result, job.folder)
            job.fraction = next(self._steps)
        if job.fraction is None:
            job.state = "applying"                              # the end of the job closes what it built, if unused

    @contextmanager
    def _writing(self, job):
        """What goes wrong with a disk is a sentence, and the take of a generation waits for another try."""
        try:
            yield
        except OSError as error:
            raise DiskError(f"{job.title}: the result cannot be read or written: {reason(error)}") from error
        except DiskError:
            if job.kind == "generate":
                self.drop_unplaced()
                self.unplaced = job
            raise

    def _apply(self, job):
        step = f"Baton: {job.title}" if job.undo else None
        with self._writing(job), stall("write"), whole((ref.find() for ref in job.watched), step) as block:
            job.written = block
            job.message = job.apply(job.result, job.folder) or f"{job.title}: done"
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
