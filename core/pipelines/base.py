"""What both directions share: the result and its recipe, limits, progress shares, seeds; and the frame of a pipeline."""
import importlib
from dataclasses import dataclass

import numpy as np

from core import checkpoints
from core.contract import GENRES, REPRESENTATION_VERSION, load
from core.errors import BadInput
from core.pipelines import device as devices
from core.rhythm.beats import Beats

RECIPE_FORMAT = 1
MAX_SEED = 2**31 - 1


@dataclass
class Result:
    """One variation. audio (2,N) float32 at 48 kHz or motion (`Motion`); beats used; recipe (JSON-ready); alignment.

    body_beats, music_beats: the `Beats` that the alignment compared, as a picture shows them (seconds; None where unknown).
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

    @property
    def seconds(self):
        """Length of the result."""
        return self.audio.shape[-1] / 48_000 if self.audio is not None else self.motion.duration


class PipelineBase:
    """Opened once, used many times from one thread. notify(sentence) hears warnings for the user.

    A pipeline names its `system` and the `model` class of `models/<system>/pipeline.py`, and has `generate_variations`.
    """

    system = model = None

    def __init__(self, folders=None, device="auto", notify=lambda sentence: None):
        self.folders, self.wanted, self.notify = folders, device, notify
        self._models = {}

    def generate(self, condition, **options):
        """One `Result`; options as `generate_variations`."""
        return self.generate_variations(condition, **{**options, "variations": 1})[0]

    def _run(self, condition, device, small, settings):
        """What the model makes of the condition; only the device used last keeps its networks."""
        module = importlib.import_module(f"models.{self.system}.pipeline")
        if device not in self._models:
            self._models = {device: getattr(module, self.model).load(self.folders, device)}
        with devices.fewer_at_once(module, small):
            return self._models[device].generate(condition, **settings)


def silent(phase, fraction=None, detail=""):
    """A progress callback that tells nobody."""


def never():
    """A should_cancel that never does."""
    return False


def share(progress, low, high):
    """A progress callback for a part of the job: its fractions 0..1 become low..high of the whole."""
    def part(phase, fraction=None, detail=""):
        progress(phase, None if fraction is None else low + (high - low) * fraction, detail)
    return part


def check_settings(record, *, guidance_scale, steps, seed, variations, duration, genre=None):
    """Fill in defaults and refuse what cannot be: (guidance_scale, steps). Raises BadInput with one sentence."""
    guidance = record["guidance_scale"]
    guidance_scale = guidance["default"] if guidance_scale is None else float(guidance_scale)
    if not guidance["min"] <= guidance_scale <= guidance["max"]:
        raise BadInput(f"A guidance scale of {guidance_scale:g} is out of range; "
                       f"choose {guidance['min']:g} to {guidance['max']:g}.")
    steps = resolve_steps(record, steps)
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed <= MAX_SEED:
        raise BadInput(f"The seed {seed!r} is not a whole number from 0 to {MAX_SEED}.")
    if not 1 <= variations <= record["variations"]:
        raise BadInput(f"{variations} variations are out of range; choose 1 to {record['variations']}.")
    low, high = record["seconds"]["min"], record["seconds"]["max"]
    if not low <= duration <= high + 1e-6:
        raise BadInput(f"The passage lasts {_time(duration)}; {record['label']} takes {low:g} s to {high / 60:g} min, "
                       f"choose a {'longer' if duration < low else 'shorter'} range.")
    if genre is not None and genre not in GENRES:
        raise BadInput(f"The genre {genre!r} is unknown; choose one of {', '.join(GENRES)}.")
    return guidance_scale, steps


def resolve_steps(record, steps):
    """Steps as a number: None is Normal, a quality name is looked up."""
    table = record["steps"]
    if steps is None:
        return table["normal"]
    if isinstance(steps, str) and steps in table and steps != "max":
        return table[steps]
    try:
        number = int(steps)
    except (TypeError, ValueError):
        number = 0
    if not 1 <= number <= table["max"]:
        raise BadInput(f"{steps!r} sampling steps are out of range; choose 1 to {table['max']}, draft, normal or fine.")
    return number


def _time(seconds):
    if seconds < 120:
        return f"{seconds:.2f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def genre_slug(name):
    """The slug of a genre given as slug, label or AIST code, whatever the case; None and "any" are None. Raises BadInput."""
    if name is None or name == "any":
        return None
    wanted = str(name).strip().lower().replace(" ", "-").replace("_", "-")
    for genre in load("genres"):
        if wanted in (genre["slug"], genre["aist"].lower(), genre["label"].lower().replace(" ", "-")):
            return genre["slug"]
    raise BadInput(f"The genre {name!r} is unknown; choose one of {', '.join(GENRES)}.")


def regular_beats(bpm, duration, metre=4, first=0.0):
    """A steady grid of beats over the passage, a downbeat first. Raises BadInput for an unusable tempo."""
    if not 30 <= bpm <= 300:
        raise BadInput(f"A tempo of {bpm:g} BPM is out of range; choose 30 to 300.")
    times = np.arange(first, duration, 60.0 / bpm)
    return Beats(times, np.arange(len(times)) % metre + 1, metre)


def make_recipe(record, folders, found, *, beats, beats_from, source, **settings):
    """The JSON-ready account of how a result came to be; Redo and the files carry it.

    found: {part: Checkpoint}; settings: guidance_scale, steps, seed, duration and the entry's own.
    """
    return {"format": RECIPE_FORMAT, "entry": record["entry"], "system": record["system"],
            "representation_version": REPRESENTATION_VERSION,
            "checkpoints": {part: {"name": made.name, "sha256": made.sha256, "listed": made.listed}
                            for part, made in found.items()},
            "settings": settings, "source": source or {}, "beats_from": beats_from,
            "beats": beats.to_json() if beats is not None else None}


def find_parts(record, folders, notify):
    """{part: Checkpoint} of everything the entry needs, rhythm network included. Raises NoCheckpoint."""
    found = {part: checkpoints.find(record["system"], part, folders, warn=notify) for part in record["parts"]}
    found["rhythm_" + record["rhythm"]] = checkpoints.find("rhythm", record["rhythm"], folders, warn=notify)
    return found
