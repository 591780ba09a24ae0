"""What every model is asked, and what every sampler is asked besides; a system's own settings are a dataclass upon one
of these.
"""
from collections.abc import Callable
from dataclasses import dataclass, replace

from core.rhythm.beats import Beats


@dataclass(frozen=True)
class CallSettings:
    """duration in seconds, None: as long as the condition. beats: `Beats` in seconds of the passage, None: left to the
    model. variations: takes of the seeds seed, seed + 1, ... keep: what stays of an earlier take, as the system says.
    batch: rows of one network call, None: the system's own number; it bounds the memory. notify(sentence): tells the
    user, or None. on_first(samples): is given the first seconds of a long take's sound while the rest is made, or None.
    """

    seed: int = 0
    variations: int = 1
    duration: float | None = None
    beats: Beats | None = None
    keep: tuple | None = None
    batch: int | None = None
    notify: Callable | None = None
    on_first: Callable | None = None

    @classmethod
    def of(cls, given=None, **changes):
        """From an object with these attributes (as a pipeline gives it), then `changes` by name; None is the default.

        Raises TypeError for a setting that the system has not.
        """
        values = {name: value for name, value in vars(given).items() if value is not None} if given is not None else {}
        return replace(cls(**values), **changes)


@dataclass(frozen=True)
class SamplingSettings(CallSettings):
    """guidance_scale, steps: None is the system's own."""

    guidance_scale: float | None = None
    steps: int | None = None
