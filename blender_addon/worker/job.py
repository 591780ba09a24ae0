"""A job from the click to its end, and what is said where Baton itself is at fault."""
import itertools
import math
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from . import replies

LOST_SECONDS = 10.0  # the worker has had the job so long and says that it works on something else
MOST_WARNINGS = 50
_numbers = itertools.count(1)
FAULT = "{}: Baton met a fault of its own, and the file is as before; Copy Report in Baton's preferences tells more"
faults = deque(maxlen=5)  # tracebacks of what Baton did not foresee, for Copy Report


def fault(title, trace):
    """Note the traceback of a fault of Baton's own; the sentence for the user."""
    faults.append(f"{title}:\n{trace}")
    return FAULT.format(title)


@dataclass
class Job:
    """One request. It holds names and session uids, never bpy references.

    kind, params: of the worker message. prepare(folder): generator yielding fractions while it reads the scene; it
    may return a dict that is merged into params. build(result, folder): generator yielding fractions while it makes
    what takes long of the result, changing nothing of the scene; then None, and closed it drops what apply did not use.
    apply(result, folder): writes it, returns a sentence.
    watched: `Ref`s that must live on. title: for the panel and the undo step.
    """

    kind: str
    title: str
    params: dict
    prepare: object
    apply: object
    watched: tuple = ()
    undo: bool = True
    stamp: object = None  # a function: how what the job works on stands, compared after an undo; None: what it watches
    stamped: object = None  # what it gave when the job began
    rates: object = None  # the frame rates of its scenes then
    build: object = None
    id: str = field(default_factory=lambda: f"job{next(_numbers)}")
    state: str = "preparing"  # preparing, waiting, running, checking, building, applying, done, failed, cancelled
    phase: str = "Reading"
    detail: str = ""
    heard: bool = False  # the first seconds of its sound lie in its folder
    fraction: float | None = 0.0
    eta: float | None = None
    message: str = ""
    trace: str = ""
    warnings: list = field(default_factory=list)
    result: dict | None = None
    folder: Path | None = None
    cancel_at: float | None = None
    written: object = None  # the `Block` of its result, `done` once that stands in the scene
    aborted: bool = False  # its scene is gone, or Baton is: nothing is to follow it
    on_end: object = None
    starts: int = 0  # workers that were started for it
    since: float = 0.0  # when the worker was given it
    lost_at: float | None = None  # since when the worker has said that it works on something else

    @property
    def over(self):
        return self.state in {"done", "failed", "cancelled"}

    def progress(self, message):
        """What the worker says of how far it is, as far as it can be shown."""
        self.phase, self.detail = (replies.text(message.get(name), 120) for name in ("phase", "detail"))
        self.fraction = replies.number(message.get("fraction"), 0.0, 1.0)
        self.eta = replies.number(message.get("eta"), 0.0, math.inf)
        if self.cancel_at is not None:
            self.detail = "Cancelling"

    @property
    def first_sound(self):
        """The file of the first seconds of a long take that is still being made, or None."""
        path = self.folder / "first.wav" if self.heard and self.folder and not self.over else None
        return path if path is not None and path.is_file() and not path.is_symlink() else None

    def shown(self):
        """What the panel says of how far it is; equal where that looks the same."""
        return (self.id, self.state, self.phase, self.detail, self.heard, None if self.fraction is None else
                round(self.fraction, 2), None if self.eta is None else round(self.eta))

    def warn(self, sentence):
        """A warning of the worker's."""
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(replies.text(sentence, 500))

    def lost(self, at, busy):
        """Whether a worker that lives works on something else and so will never answer. at, busy: its last sign of life
        and what it says it works on. Its answer may be on its way, so that only the second such sign counts."""
        if at - self.since < LOST_SECONDS or busy == self.id:
            self.lost_at = None
        elif self.lost_at is None:
            self.lost_at = at
        return self.lost_at is not None and at > self.lost_at
