"""A job: what is asked of the worker, how the scene is read for it and how its result is written."""
import itertools
from dataclasses import dataclass, field
from pathlib import Path

_numbers = itertools.count(1)


@dataclass
class Job:
    """One request. It holds names and session uids, never bpy references.

    kind, params: of the worker message. prepare(folder): generator yielding fractions while it reads the scene; it
    may return a dict that is merged into params. apply(result, folder): writes the result into the scene, returns a
    sentence. watched: `Ref`s that must live on. title: for the panel and the undo step.
    """

    kind: str
    title: str
    params: dict
    prepare: object
    apply: object
    watched: tuple = ()
    undo: bool = True
    id: str = field(default_factory=lambda: f"job{next(_numbers)}")
    state: str = "preparing"  # preparing, waiting, running, applying, done, failed, cancelled
    phase: str = "Reading"
    detail: str = ""
    fraction: float | None = 0.0
    eta: float | None = None
    message: str = ""
    trace: str = ""
    warnings: list = field(default_factory=list)
    result: dict | None = None
    folder: Path | None = None
    cancel_at: float | None = None
    written: object = None  # the `Block` of its result, `done` once that stands in the scene
    on_end: object = None

    @property
    def over(self):
        return self.state in {"done", "failed", "cancelled"}
