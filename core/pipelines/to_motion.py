"""Sound -> motion: music, its beats, any system of the direction, a motion with its recipe and alignment."""
from types import SimpleNamespace

import numpy as np

from core.audio import Audio
from core.body.motion import Motion
from core.errors import BadInput
from core.pipelines import base
from core.pipelines.base import Result, asked_tempo
from core.pipelines.beats import given_or_found
from core.rhythm.beats import Beats

STAYS = ("outside", "inside")
SLACK_SECONDS = 1e-3            # ends of ranges are rounded, and sounds end on whole samples


class Pipeline(base.Pipeline):
    """Sound to motion.

    condition: `Audio`, the passage from its second 0 on.
    keep: (Motion of the passage, start, stop[, stays]): the present motion; stays "outside": only these seconds are
    made anew, "inside": only these seconds stay. The model is given (Motion, [(from, to), ...]): the ranges that stay,
    where they are.
    performers: how many dance at once, each from where it stands, as the setting `formation` says;
    then there is one variation.
    """

    def _settings(self, ask):
        settings = super()._settings(ask)
        if ask.performers > 1:
            if not ask.performers <= self.system.performers or ask.keep is not None:
                raise BadInput(f"{self.system.label} makes {self.system.performers} at most perform at once, and a "
                               "range anew for one performer at a time.")
            settings.variations = ask.performers if ask.values.get("formation") == "own" else 1
        return settings

    def _condition(self, audio, duration, values):
        if not isinstance(audio, Audio):
            raise BadInput(f"{self.system.label} needs sound; give an audio file.")
        duration = audio.duration if duration is None else min(float(duration), audio.duration)
        return audio.slice(0.0, duration), duration

    def _find_beats(self, ask, beats, progress):
        tempo, bpm = asked_tempo(ask.values)
        return given_or_found(ask.condition, beats, duration=ask.duration, bpm=bpm, tempo=tempo,
                              level=ask.values.get("level"), metre=ask.values.get("metre"),
                              usual=self.system.usual_bpm, folders=self.folders, progress=progress,
                              should_cancel=ask.should_cancel, notify=self.notify)

    def _kept(self, ask):
        return None if ask.keep is None else kept_ranges(*ask.keep, duration=ask.duration)

    def _results(self, motions, ask):
        keep = None if ask.keep is None else dict(zip(("start", "stop", "stays"), ask.keep[1:]))
        shown, out = ask.beats, []
        if hasattr(self.model, "shown_beats") and ask.clear is not None:
            shown = self.model.shown_beats(ask.settings)
        groups = [[motion] for motion in motions] if ask.performers == 1 else [together(motions, ask)]
        for number, (motion, *others) in enumerate(groups):
            body, lead = body_beats(self, motion, ask.settings)
            out.append(Result(self.recipe(ask, number, keep), ask.beats, motion=motion, others=others, body_beats=body,
                              music_beats=shown, alignment=aligned(body, lead, shown, ask.duration)))
        return out


def together(motions: list[Motion], ask: SimpleNamespace) -> list[Motion]:
    """A motion for each performer out of what was made; in a canon each begins a bar after the one before."""
    from core.body.ensemble import group
    beats = ask.clear
    bar = 2.0 if beats is None else beats.metre * 60.0 / beats.tempo_bpm
    return group(motions, ask.values.get("formation") or "unison", ask.performers, spacing=0.0, delay=bar)


def body_beats(pipeline: base.Pipeline, motion: Motion, settings: dict) -> tuple[Beats | None, float]:
    """(Beats of a motion or None, seconds it is meant to be ahead of the sound),
    as its system finds them or the body network."""
    if hasattr(pipeline.model, "body_beats"):
        return pipeline.model.body_beats(motion, settings)
    from core import checkpoints
    if checkpoints.find("rhythm", "body", pipeline.folders, required=False, warn=pipeline.notify) is None:
        return None, 0.0
    from models.rhythm.detect import detect_body_beats
    return detect_body_beats(motion, folders=pipeline.folders), 0.0


def aligned(body: Beats | None, lead: float, beats: Beats | None, duration: float) -> dict | None:
    """The body's beats, moved later by the lead they were asked for, against the music's;
    None where either is unknown."""
    from core.rhythm.alignment import alignment
    if body is None or beats is None or len(beats) < 2:
        return None
    return alignment(body.times + lead, beats.within(0.0, duration).times, duration)


def kept_ranges(motion: Motion | None, start: float, stop: float, stays: str = "outside", *,
                duration: float) -> tuple[Motion, list[tuple[float, float]]] | None:
    """(the motion, at least `duration` long; [(from, to), ...] in seconds that stay) of a request,
    or None: nothing stays."""
    if stays not in STAYS:
        raise BadInput(f"What stays of a motion is {' or '.join(STAYS)} the range, not {stays!r}.")
    if not 0 <= start < stop <= duration + SLACK_SECONDS:
        raise BadInput(f"The range to {'make anew' if stays == 'outside' else 'keep'}, {start:g} to {stop:g} s, does "
                       f"not lie within the {duration:.2f} s passage.")
    stop = min(stop, duration)
    ranges = [(low, high) for low, high in ((0.0, start), (stop, duration)) if high - low > SLACK_SECONDS]
    if stays == "inside":
        ranges = [(start, stop)]
    if not ranges:
        return None
    motion = held(motion, duration)
    if all(low * motion.fps > len(motion) - 1 for low, _ in ranges):
        raise BadInput(f"The motion to keep lasts {motion.duration:.1f} s and ends before the range that stays.")
    return motion, ranges


def held(motion: Motion, duration: float, most: float = 0.5) -> Motion:
    """The motion with its last frame held to `duration`: samples of an action end a frame before the passage does."""
    missing = int(round(duration * motion.fps)) - len(motion)
    if not 0 < missing <= most * motion.fps:
        return motion
    return Motion(np.concatenate([motion.rotations, motion.rotations[-1:].repeat(missing, axis=0)]),
                  np.concatenate([motion.root, motion.root[-1:].repeat(missing, axis=0)]), motion.fps)
