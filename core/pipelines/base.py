"""What all directions share: the result and its recipe, settings, progress shares; and the frame of a pipeline.

A system's class is `load(folders, device)` and `generate(condition, settings, *, progress, should_cancel) -> list`, one
entry a variation. `settings` has an attribute for each setting of its row that is the model's, and what the frame adds:
`duration` (s), `beats` (`Beats` of the passage or None), `keep` (as the direction says) and `batch` (rows of one
network call; None: its own).
It may have functions that need no instance: `settle(settings) -> settings` fills in what follows from the beats, before
sampling; `body_beats(motion, settings) -> (Beats, lead in seconds)` finds the beats of its motion;
`shown_beats(settings) -> Beats` says which of the music's beats its motion shows.
"""
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

from core import checkpoints
from core.audio import Audio
from core.body.motion import Motion
from core.checkpoints import Folders
from core.contract import REPRESENTATION_VERSION, load
from core.contract import systems as registry
from core.contract.systems import System
from core.errors import BadInput, NoCheckpoint
from core.pipelines import device as devices
from core.pipelines.media import described, read_media
from core.rhythm.beats import Beats

RECIPE_FORMAT = 2
DOES_NOT_FIT = "A checkpoint does not fit the network of {}; install the checkpoints of this version."


@dataclass
class Result:
    """One variation: audio (2,N) float32 at 48 kHz, motion (`Motion`), or both; the beats used, a JSON-ready recipe.

    others: motions of further performers, where there are several. body_beats, music_beats: the `Beats` that the
    alignment compared, as a picture shows them (seconds; None where unknown).
    """

    recipe: dict
    beats: Beats | None
    audio: np.ndarray | None = None
    motion: object | None = None
    alignment: dict | None = None
    device: str = "cpu"
    wall: float = 0.0
    body_beats: Beats | None = None
    music_beats: Beats | None = None
    others: list = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Length of the result."""
        return self.audio.shape[-1] / 48_000 if self.audio is not None else self.motion.duration


def silent(phase: str, fraction: float | None = None, detail: str = ""):
    """A progress callback that tells nobody."""


def never() -> bool:
    """A should_cancel that never does."""
    return False


def share(progress: Callable, low: float, high: float) -> Callable:
    """A progress callback for a part of the job: its fractions 0..1 become low..high of the whole."""
    def part(phase, fraction=None, detail=""):
        progress(phase, None if fraction is None else low + (high - low) * fraction, detail)
    return part


@dataclass
class Ask:
    """One call: what is made of what. values: the row's checked settings, media read; found: {part: Checkpoint}."""

    condition: object
    duration: float
    values: dict
    keep: object = None
    source: dict | None = None
    progress: object = silent
    should_cancel: object = never
    beats: Beats | None = None
    beats_from: str = "none"
    found: dict = field(default_factory=dict)
    device: str = "cpu"
    settings: SimpleNamespace | None = None
    performers: int = 1
    on_first: Callable | None = None

    @property
    def clear(self) -> Beats | None:
        """The beats where there are enough to be any use to a model."""
        return self.beats if self.beats is not None and len(self.beats) > 1 else None


class Pipeline:
    """The frame of a direction around one system: opened once, used many times from one thread.

    notify(sentence) hears warnings for the user. A direction has `_condition`, `_find_beats`, `_kept` and `_results`.
    """

    def __init__(self, system: System, model: type, folders=None, device="auto", notify=lambda sentence: None):
        self.system, self.model, self.folders, self.wanted, self.notify = system, model, folders, device, notify
        self._models = {}

    def generate(self, condition: Motion | Audio | None = None, **options) -> Result:
        """One `Result`; options as `generate_variations`."""
        return self.generate_variations(condition, **{**options, "variations": 1})[0]

    def generate_variations(self, condition: Motion | Audio | None = None, *, duration: float | None = None,
                            beats: Beats | None = None, keep: tuple | None = None, on_first: Callable | None = None,
                            performers: int = 1, source: dict | None = None, progress: Callable = silent,
                            should_cancel: Callable[[], bool] = never, **params) -> list[Result]:
        """`variations` results with seeds seed, seed + 1, ...

        condition: what the direction goes from; duration (s): all of it when None. beats: `Beats` in seconds of the
        passage, or None to find them. keep, performers: as the direction says. on_first(samples (2, N) at 48 kHz): the
        first seconds of long sound while the rest is made, where the system can. source: for the recipe. params: the
        system's settings, each with the default of its row. Raises BadInput, NoCheckpoint, OutOfMemory, Cancelled.
        """
        started = time.perf_counter()
        values = read_media(self.system, checked(self.system, params), self.notify)
        if values.get("tempo") == "markers" and beats is None:
            raise BadInput("The tempo Markers needs beats to follow; give them, or choose another tempo.")
        condition, duration = self._condition(condition, duration, values)
        check_seconds(self.system, duration)
        ask = Ask(condition, duration, values, keep, source, progress, should_cancel, performers=performers,
                  on_first=on_first)
        progress("Loading", 0.0)
        ask.found, wanted = find_parts(self.system, self.folders, self.notify), devices.resolve(self.wanted)
        ask.beats, ask.beats_from = self._find_beats(ask, beats, share(progress, 0.02, 0.08))
        ask.settings = self._settings(ask)
        made, ask.device = devices.with_fallback(lambda where, small: self._run(ask, where, small), wanted, self.notify)
        results = self._results(made, ask)
        for result in results:
            result.wall, result.device = time.perf_counter() - started, devices.describe(ask.device)
        progress("Writing", 1.0)
        return results

    def _settings(self, ask):
        """What the model is asked; recorded values are those it settles on."""
        mine = {name: value for name, value in ask.values.items() if self.system.settings[name].by == "model"}
        settings = SimpleNamespace(**mine, duration=ask.duration, beats=ask.clear, keep=self._kept(ask), batch=None,
                                   notify=self.notify)
        if hasattr(self.model, "settle"):
            settings = self.model.settle(settings)
            ask.values.update({name: getattr(settings, name) for name in mine})
        return settings

    def _run(self, ask, device, small):
        """What the model makes; only the device used last keeps its networks."""
        key = (device, tuple(sorted(made.sha256 for made in ask.found.values())))
        if key not in self._models:                 # a file that was replaced meanwhile is loaded anew
            devices.prepare(device)
            self._models = {key: self._load(device)}
        model, settings = self._models[key], SimpleNamespace(**{**vars(ask.settings), "batch": 1 if small else None})
        if hasattr(model, "choose"):                # what is left to the model, and is told in the recipe
            choices = model.choose(ask.condition, settings)
            vars(settings).update(choices)
            ask.values.update(choices)
        return model.generate(ask.condition, settings, should_cancel=ask.should_cancel,
                              progress=share(ask.progress, 0.08, 0.93))

    def _load(self, device):
        try:
            return self.model.load(self.folders, device)
        except (KeyError, TypeError, ValueError) as error:
            raise NoCheckpoint(DOES_NOT_FIT.format(self.system.label)) from error
        except RuntimeError as error:               # what torch says of weights of other shapes, among much else
            if "state_dict" not in str(error):
                raise
            raise NoCheckpoint(DOES_NOT_FIT.format(self.system.label)) from error

    def recipe(self, ask: Ask, number: int, keep: dict | None) -> dict:
        """The JSON-ready account of how variation `number` came to be; Redo and the files carry it."""
        settings = {**ask.values, "seed": ask.values["seed"] + number} if "seed" in ask.values else ask.values
        settings = registry.effective(self.system, {name: described(value) for name, value in settings.items()})
        return {"format": RECIPE_FORMAT, "system": self.system.name, "representation_version": REPRESENTATION_VERSION,
                "checkpoints": {part: {"name": made.name, "sha256": made.sha256, "listed": made.listed}
                                for part, made in ask.found.items()},
                "settings": {**settings, "duration": ask.duration, "keep": keep}, "source": ask.source or {},
                "beats_from": ask.beats_from, "beats": ask.beats.to_json() if ask.beats is not None else None}


# ---------------------------------------------------------------------------------------------- settings

def checked(system: System, params: dict) -> dict:
    """Settings with their defaults filled in, enums as values. Raises BadInput with one sentence."""
    try:
        return registry.check(system, params)
    except registry.Refused as error:
        raise BadInput(str(error)) from error


def check_seconds(system: System, duration: float):
    """Raises BadInput for a passage that is too short or too long for the system."""
    low, high = system.seconds
    if not low <= duration <= high + 1e-6:
        raise BadInput(f"The passage lasts {_time(duration)}; {system.label} takes {low:g} s to {high / 60:g} min, "
                       f"choose a {'longer' if duration < low else 'shorter'} range.")


def _time(seconds):
    if seconds < 120:
        return f"{seconds:.2f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def find_parts(system: System, folders: Folders, notify: Callable[[str], None]) -> dict:
    """{part: Checkpoint} of everything the system needs, rhythm network included. Raises NoCheckpoint."""
    return {name: checkpoints.find(*need, folders, warn=notify) for name, need in system.needs.items()}


# ---------------------------------------------------------------------------------------------- genres, steady beats

def asked_tempo(values: dict) -> tuple[str | float, float | None]:
    """(tempo, bpm) of checked settings as `find_beats` takes them: a mode or a tempo to keep,
    and a tempo to stay near or None.

    "fixed" keeps the bpm beside it; with "markers" the beats are given, so nothing is looked for. The values are
    changed to what is returned, which is what the recipe tells.
    """
    tempo, bpm = values.get("tempo", "auto"), values.get("bpm")
    if tempo == "fixed":
        if bpm is None:
            raise BadInput("A fixed tempo needs its beats per minute; give the tempo too.")
        tempo = bpm
    tempo = "auto" if tempo == "markers" else tempo
    if not isinstance(tempo, str):
        bpm = float(tempo)
    if "tempo" in values:
        values.update(tempo=tempo, bpm=bpm)
    return tempo, bpm


def genre_range(genre: str | None) -> tuple[float, float] | None:
    """(low, high) beats per minute that are usual for a genre; None where that is not known."""
    return next((tuple(row["bpm"]) for row in load("genres") if row["slug"] == genre), None)


def genre_tempo(genre: str | None) -> float | None:
    """Beats per minute in the middle of what is usual for a genre; None where that is not known."""
    usual = genre_range(genre)
    return usual and sum(usual) / 2


def regular_beats(bpm: float, duration: float, metre: int = 4, first: float = 0.0) -> Beats:
    """A steady grid of beats over the passage, a downbeat first. Raises BadInput for an unusable tempo."""
    if not 30 <= bpm <= 300:
        raise BadInput(f"A tempo of {bpm:g} BPM is out of range; choose 30 to 300.")
    times = np.arange(first, duration, 60.0 / bpm)
    return Beats(times, np.arange(len(times)) % metre + 1, metre)
