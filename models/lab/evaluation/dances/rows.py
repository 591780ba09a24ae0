"""The rows: what is made of each passage, music to its dance or a dance to its music, and the record of what is heard
in it."""
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch

from core.audio import Audio
from core.body.motion import rest_motion
from core.errors import BadInput
from models.lab.evaluation.music_ldm.scoring import sounding_features, to_tracker
from models.lab.evaluation.tables import sampling_networks, scrambled
from models.lab.metrics import onset_flags
from models.lab.metrics.beat_align import music_beats_librosa
from models.training.shards import AUDIO_RATE

DEFAULT_GENRE = "house"                     # asked for where a passage has none
WARM_SECONDS = 4.0


@dataclass(frozen=True)
class Row:
    """A row: `source` is model, real, click or still; rhythm: true (the passage's own beats), predicted (found in what
    the system is given) or none."""

    name: str
    source: str = "model"
    rhythm: str = "predicted"
    scrambled: bool = False


ROWS = (Row("real audio", "real"), Row("true rhythm", rhythm="true"), Row("predicted rhythm"),
        Row("without rhythm", rhythm="none"), Row("scrambled weights", scrambled=True), Row("click track", "click"))
DANCE_ROWS = (Row("real dance", "real"), *ROWS[1:-1], Row("standing still", "still"))


class Maker:
    """Makes the sound, or the dance, of a row for a passage with one system of the registry, kept loaded. dances: it
    makes dances."""

    def __init__(self, system, folders=None, **settings):
        """settings: of the system, e.g. steps, guidance_scale. Raises BadInput for a system that makes neither sound of
        motion nor motion of sound."""
        from core.pipelines import find, open_pipeline
        row = find(system)
        if (row.source, row.to) not in (("motion", "sound"), ("sound", "motion")):
            raise BadInput(f"{row.label} makes no music to dances and no dances to music; name a system that does.")
        self.row, self.folders, self.settings, self.dances = row, folders, settings, row.to == "motion"
        self.pipeline = open_pipeline(system, folders, "cpu", lambda sentence: None)

    @property
    def rows(self):
        """The rows of its direction."""
        return DANCE_ROWS if self.dances else ROWS

    def can(self, row):
        """Whether this system has the row: weights are scrambled where the denoiser is known."""
        return not row.scrambled or bool(sampling_networks(self._model()))

    def _model(self):
        """The loaded networks; the pipeline loads them at its first use, and keeps those."""
        if not self.pipeline._models:
            words = {"genre": DEFAULT_GENRE, "steps": 1}
            clicks = np.stack([onset_flags.click_track(WARM_SECONDS, AUDIO_RATE)] * 2)
            self.pipeline.generate(Audio(clicks, AUDIO_RATE) if self.dances else rest_motion(60),
                                   **{name: value for name, value in words.items() if name in self.row.settings})
        return next(iter(self.pipeline._models.values()))

    def __call__(self, row, passage, number):
        """(2, N) at 48 kHz or a `Motion`, or None where a passage has nothing for the row."""
        if row.source == "real":
            return passage.motion if self.dances else passage.sound
        if row.source == "still":
            return rest_motion(len(passage.motion))
        if row.source == "click":
            return np.stack([onset_flags.click_track(passage.seconds, AUDIO_RATE)] * 2)
        if (row.rhythm == "true" and passage.beats is None) or (self.dances and passage.sound is None):
            return None
        settings = {**self.settings, "seed": 1000 * number}
        if "genre" in self.row.settings:
            known = {item.value for item in self.row.settings["genre"].items}
            settings["genre"] = passage.genre if passage.genre in known else None if self.dances else DEFAULT_GENRE
        with scrambled(self._model(), number) if row.scrambled else nullcontext():
            return self._made(row, passage, settings)

    def _made(self, row, passage, settings):
        given = Audio(passage.sound, AUDIO_RATE) if self.dances else passage.motion
        if row.rhythm == "none":                # not through the pipeline, which would look for beats
            from types import SimpleNamespace

            from core.pipelines.base import checked
            values = checked(self.row, settings)
            mine = {name: value for name, value in values.items() if self.row.settings[name].by == "model"}
            asked = SimpleNamespace(**mine, duration=passage.seconds, beats=None, keep=None, batch=None)
            made = self._model().generate(given, asked, progress=lambda *_: None, should_cancel=lambda: False)[0]
            return made if self.dances else np.asarray(made)
        result = self.pipeline.generate(given, beats=passage.beats if row.rhythm == "true" else None, **settings)
        return result.motion if self.dances else result.audio


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
