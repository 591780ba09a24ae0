"""Motion -> sound: a body, its beats, any system of the direction,
sound at delivery loudness with its recipe and alignment."""
import numpy as np

from core import checkpoints
from core.audio import DELIVERY_RATE, Audio
from core.body.motion import Motion
from core.errors import BadInput, Cancelled
from core.pipelines import base
from core.pipelines.base import Result, asked_tempo, genre_range, genre_tempo, regular_beats, share
from core.pipelines.beats import given_or_found
from core.rhythm.beats import Beats

LEAST_CONFIDENCE = 0.1          # of beats found in a body: standing still gives 0.05, the captures at hand 0.27-0.9


class Pipeline(base.Pipeline):
    """Motion to sound.

    condition: `Motion`, the passage, or None: genre (and bpm or beats) alone, without either at the genre's usual
    tempo.
    keep: (samples (2,N) at 48 kHz, start, stop): only these seconds of that take are made anew.
    """

    def _condition(self, motion, duration, values):
        if motion is not None and not isinstance(motion, Motion):
            raise BadInput("Music is made from motion; give a motion file or an animated armature.")
        if motion is None:
            if duration is None:
                raise BadInput("Without a motion the length of the music must be given.")
            return None, float(duration)
        if duration is None:
            return motion, motion.duration
        if duration > motion.duration + 1.0 / motion.fps:
            raise BadInput(f"The motion lasts {motion.duration:.2f} s, music of {duration:.2f} s was asked for; "
                           "choose a shorter length.")
        return motion.slice(0, max(2, int(round(duration * motion.fps)))), float(duration)

    def _find_beats(self, ask, beats, progress):
        genre, tempo, bpm = ask.values.get("genre"), *asked_tempo(ask.values)
        if beats is not None or ask.condition is not None:
            found, come_from = given_or_found(
                ask.condition, beats, duration=ask.duration, bpm=bpm, tempo=tempo, level=ask.values.get("level"),
                usual=genre_range(genre), folders=self.folders, progress=progress, should_cancel=ask.should_cancel)
        else:
            found, come_from = (regular_beats(bpm, ask.duration), "tempo") if bpm else (None, "none")
        unclear = found is None or len(found) < 2 or (come_from == "predicted" and found.confidence < LEAST_CONFIDENCE)
        known = bpm or genre_tempo(genre)
        if unclear and genre is not None and known is not None:            # without beats there would be no pulse
            found, come_from = regular_beats(known, ask.duration), "tempo" if bpm else "genre"
            if ask.condition is not None:
                self.notify(f"No clear beats were found in the motion; the music keeps {found.tempo_bpm:.0f} BPM, "
                            f"{'as asked' if bpm else f'usual for {genre}'}.")
        return found, come_from

    def _settings(self, ask):
        settings = super()._settings(ask)
        if ask.on_first is not None:
            settings.on_first = lambda samples: ask.on_first(delivered(samples, ask.values, None))
        return settings

    def _kept(self, ask):
        return ask.keep

    def _results(self, sounds, ask):
        progress, out = share(ask.progress, 0.93, 1.0), []
        keep = None if ask.keep is None else {"start": ask.keep[1], "stop": ask.keep[2]}
        for number, samples in enumerate(sounds):
            if ask.should_cancel():
                raise Cancelled
            progress("Writing", number / len(sounds), f"{number + 1}/{len(sounds)}")
            samples = delivered(samples, ask.values, ask.keep is not None)
            heard = heard_beats(self, samples, ask.beats)
            out.append(Result(self.recipe(ask, number, keep), ask.beats, audio=samples, body_beats=ask.beats,
                              music_beats=heard,
                              alignment=None if heard is None else aligned(ask.beats, heard, ask.duration)))
        return out


def delivered(samples: np.ndarray, values: dict, kept: object) -> np.ndarray:
    """Samples (2,N) at the loudness asked for; of a take that is kept in part only the peaks are limited."""
    from core.audio.loudness import CEILING_DBTP, deliver, limit
    if kept:
        return limit(samples, DELIVERY_RATE, CEILING_DBTP, values.get("loop", False))
    return deliver(samples, DELIVERY_RATE, values.get("loudness"), loop=values.get("loop", False))


def heard_beats(pipeline: base.Pipeline, samples: np.ndarray, beats: Beats | None) -> Beats | None:
    """Beats that the music network finds in the sound; None without it or without beats to compare them with."""
    if beats is None or len(beats) < 2 or checkpoints.find("rhythm", "music", pipeline.folders, required=False,
                                                           warn=pipeline.notify) is None:
        return None
    from models.rhythm.detect import detect_music_beats
    return detect_music_beats(Audio(samples, DELIVERY_RATE).mono(), DELIVERY_RATE, folders=pipeline.folders)


def aligned(body: Beats | None, heard: Beats | None, duration: float) -> dict | None:
    """The body's beats against those heard in the sound: score, chance, f1 ... over the passage."""
    from core.rhythm.alignment import alignment
    return alignment(body.within(0.0, duration).times, heard.within(0.0, duration).times, duration)
