"""The rows: what is made of each passage, and the record of what is heard in it."""
import copy
from dataclasses import dataclass

import numpy as np
import torch

from core.body.motion import rest_motion
from models.lab.evaluation.music_ldm.scoring import sounding_features, to_tracker
from models.lab.evaluation.tables import scramble
from models.lab.metrics import onset_flags
from models.lab.metrics.beat_align import music_beats_librosa
from models.training.shards import AUDIO_RATE

DENOISERS = ("denoiser", "music_dit")       # what samples the music of a system is called by one of these names
DEFAULT_GENRE = "house"                     # asked for where a passage has none


@dataclass(frozen=True)
class Row:
    """A row: `source` is model, real or click; rhythm: true (the passage's own beats), predicted (from the body) or
    none."""

    name: str
    source: str = "model"
    rhythm: str = "predicted"
    scrambled: bool = False


ROWS = (Row("real audio", "real"), Row("true rhythm", rhythm="true"), Row("predicted rhythm"),
        Row("without rhythm", rhythm="none"), Row("scrambled weights", scrambled=True), Row("click track", "click"))


class Maker:
    """Makes the sound of a row for a passage with one system of the registry, kept loaded."""

    def __init__(self, system, folders=None, **settings):
        """settings: of the system, e.g. steps, guidance_scale. Raises BadInput for a system that makes no sound of
        motion."""
        from core.errors import BadInput
        from core.pipelines import find, open_pipeline
        row = find(system)
        if (row.source, row.to) != ("motion", "sound"):
            raise BadInput(f"{row.label} makes no music from motion; name a system that does.")
        self.row, self.folders, self.settings = row, folders, settings
        self.pipeline = open_pipeline(system, folders, "cpu", lambda sentence: None)
        self.intact = None

    def can(self, row):
        """Whether this system has the row: weights are scrambled where the denoiser is known."""
        return not row.scrambled or self._denoiser() is not None

    def _model(self):
        """The loaded networks; the pipeline loads them at its first use, and keeps those."""
        if not self.pipeline._models:
            words = {"genre": DEFAULT_GENRE} if "genre" in self.row.settings else {}
            self.pipeline.generate(rest_motion(60), steps=1, **words)
        return next(iter(self.pipeline._models.values()))

    def _denoiser(self):
        return next((name for name in DENOISERS if hasattr(self._model(), name)), None)

    def __call__(self, row, passage, number):
        """(2, N) at 48 kHz, or None where a passage has nothing for the row."""
        if row.source == "real":
            return passage.sound
        if row.source == "click":
            return np.stack([onset_flags.click_track(passage.seconds, AUDIO_RATE)] * 2)
        if row.rhythm == "true" and passage.beats is None:
            return None
        settings, name = {**self.settings, "seed": 1000 * number}, self._denoiser()
        if "genre" in self.row.settings:
            settings["genre"] = passage.genre or DEFAULT_GENRE
        if self.intact is None and name:
            self.intact = getattr(self._model(), name)
        try:
            if row.scrambled:
                with torch.no_grad():
                    setattr(self._model(), name, scramble(copy.deepcopy(self.intact), number))
            return self._sound(row, passage, settings)
        finally:
            if name:
                setattr(self._model(), name, self.intact)

    def _sound(self, row, passage, settings):
        if row.rhythm == "none":                # not through the pipeline, which would look for beats
            from types import SimpleNamespace

            from core.pipelines.base import checked
            values = checked(self.row, settings)
            mine = {name: value for name, value in values.items() if self.row.settings[name].by == "model"}
            asked = SimpleNamespace(**mine, duration=passage.seconds, beats=None, keep=None, batch=None)
            return np.asarray(self._model().generate(passage.motion, asked, progress=lambda *_: None,
                                                     should_cancel=lambda: False)[0])
        return self.pipeline.generate(passage.motion, beats=passage.beats if row.rhythm == "true" else None,
                                      **settings).audio


def record(sound, judge):
    """What is heard in a sound (2, N) at 48 kHz: beats (s), onset flags of both definitions, log-mel statistics, the
    judge's probabilities and embedding."""
    from models.genre.features import audio_features
    mono, seconds = to_tracker(sound), sound.shape[1] / AUDIO_RATE
    flags = {style: onset_flags.second_flags(onset_flags.onset_times(mono, style), seconds)
             for style in onset_flags.ONSET_ARGUMENTS}
    with torch.inference_mode():
        embedding = judge.network.embed(torch.from_numpy(audio_features(sound, AUDIO_RATE))[None])
        probabilities = judge.network.head(embedding)[0].softmax(0).numpy()
    return {"beats": music_beats_librosa(mono, 22_050), "flags": flags, "features": np.array(sounding_features(mono)),
            "embedding": embedding[0].numpy(), "probabilities": probabilities}
