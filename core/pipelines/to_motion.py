"""Music -> conducting: sound, its beats, the conductor model, a motion with its recipe and alignment."""
import time

import numpy as np

from core.audio import Audio
from core.body.motion import Motion
from core.contract import load
from core.errors import BadInput
from core.pipelines import device as devices
from core.pipelines.base import PipelineBase, Result, check_settings, find_parts, make_recipe, never, share, silent
from core.pipelines.beats import check_level, check_metre, check_tempo, given_or_found
from core.rhythm.beats import Beats
from core.rhythm.tempo import CONDUCTED

STAYS = ("outside", "inside")
RECORD = next(record for record in load("systems") if record["entry"] == "conduct")


class Pipeline(PipelineBase):
    """Music to conducting."""

    system, model = "conductor", "Conductor"

    def generate_variations(self, condition, *, genre=None, guidance_scale=None, steps=None, seed=0, duration=None,
                            beats=None, bpm=None, tempo=None, level="normal", metre=None, lead=None, amplitude=1.0,
                            left_hand=1.0, mirror=False, variations=1, keep=None, source=None, progress=silent,
                            should_cancel=never):
        """`variations` results with seeds seed, seed + 1, ...

        condition: `Audio`, the passage from its second 0 on. duration (s): all of it when None. beats: `Beats` in seconds
        of the passage, or None to find them (near bpm, if given; tempo: see `find_beats`; level: half, normal or double
        time). metre: 2, 3, 4, 6, "auto". lead: seconds of motion before sound, None by tempo. amplitude 0..2, left_hand 0
        (mirrors the right) .. 1, mirror: baton in the left hand.
        keep: (Motion of the passage, start, stop[, stays]): the present motion; stays "outside": only these seconds are made
        anew, "inside": only these seconds stay. genre has no meaning here.
        Raises BadInput, NoCheckpoint, OutOfMemory, Cancelled.
        """
        started = time.perf_counter()
        if not isinstance(condition, Audio):
            raise BadInput("Conducting needs sound; give an audio file.")
        duration = condition.duration if duration is None else min(float(duration), condition.duration)
        scale, steps = check_settings(RECORD, guidance_scale=guidance_scale, steps=steps, seed=seed,
                                      variations=variations, duration=duration)
        metre, (_, bpm), level = check_metre(metre), check_tempo(tempo, bpm), check_level(level)
        _within("amplitude", amplitude, 0.0, 2.0)
        _within("left-hand independence", left_hand, 0.0, 1.0)
        if lead is not None:
            _within("lead in seconds", lead, -0.5, 0.5)
        progress("Loading", 0.0)
        found = find_parts(RECORD, self.folders, self.notify)
        device = devices.resolve(self.wanted)
        condition = condition.slice(0.0, duration)
        beats, beats_from = given_or_found(condition, beats, duration=duration, bpm=bpm, tempo=tempo, level=level,
                                           usual=CONDUCTED, metre=metre, folders=self.folders,
                                           progress=share(progress, 0.03, 0.10),
                                           should_cancel=should_cancel)
        kept, heading, middle = _kept_ranges(keep, duration)
        settings = dict(seed=seed, guidance_scale=scale, steps=steps, beats=beats if len(beats) > 1 else None, metre=metre,
                        lead=lead, amplitude=amplitude, left_hand=left_hand, mirror=mirror, variations=variations,
                        duration=duration, keep=kept, should_cancel=should_cancel,
                        progress=share(progress, 0.12, 0.95))
        motions, device = devices.with_fallback(
            lambda where, small: self._run(condition, where, small, settings), device, self.notify)
        wall = time.perf_counter() - started
        lead = self._lead(beats) if lead is None else lead
        out = []
        for number, motion in enumerate(motions):
            recipe = make_recipe(
                RECORD, self.folders, found, beats=beats, beats_from=beats_from, source=source, seed=seed + number,
                guidance_scale=scale, steps=steps, duration=duration, bpm=bpm, tempo=tempo or "auto", level=level,
                metre=metre or "auto",
                lead=round(lead, 4), amplitude=amplitude, left_hand=left_hand, mirror=mirror,
                keep=None if keep is None else dict(zip(("start", "stop", "stays"), keep[1:])))
            if kept is not None:
                motion = motion.moved(heading, after=middle)
            strokes = _strokes(motion, mirror)
            out.append(Result(recipe, beats, motion=motion, device=devices.describe(device), wall=wall, body_beats=strokes,
                              music_beats=beats, alignment=_alignment(strokes, beats, lead, duration)))
        progress("Sampling", 1.0)
        return out

    @staticmethod
    def _lead(beats):
        from models.conductor.pipeline import default_lead
        return default_lead(beats)


def _kept_ranges(keep, duration):
    """(what the model keeps: (Motion, [(from, to), ...]) or None, heading, middle) of a request.

    The model conducts about xy = 0, facing -y: there the kept part is put on average, and heading (radians) and middle
    (x, y) take the result back to where the motion was.
    """
    if keep is None:
        return None, 0.0, (0.0, 0.0)
    motion, start, stop, stays = (*keep, "outside")[:4]
    if stays not in STAYS:
        raise BadInput(f"What stays of a motion is {' or '.join(STAYS)} the range, not {stays!r}.")
    if not 0 <= start < stop <= duration + 1e-6:
        raise BadInput(f"The range to {'make anew' if stays == 'outside' else 'keep'}, {start:g} to {stop:g} s, does not lie "
                       f"within the {duration:.2f} s passage.")
    ranges = [(low, high) for low, high in ((0.0, start), (stop, duration)) if high - low > 1e-6]
    if stays == "inside":
        ranges = [(start, min(stop, duration))]
    if not ranges:
        return None, 0.0, (0.0, 0.0)
    motion = _held(motion, duration)
    times = np.arange(len(motion)) / motion.fps
    inside = np.any([(times >= low) & (times <= high) for low, high in ranges], axis=0)
    if not inside.any():
        raise BadInput(f"The motion to keep lasts {motion.duration:.1f} s and ends before the range that stays.")
    forward = motion.rotations[inside, 0, :, 2].mean(axis=0)
    heading, middle = float(np.arctan2(forward[0], -forward[1])), motion.root[inside, :2].mean(axis=0)
    return (motion.moved(-heading, before=-middle), ranges), heading, middle


def _held(motion, duration, most=0.5):
    """The motion with its last frame held to `duration`: samples of an action end a frame before the passage does."""
    missing = int(round(duration * motion.fps)) - len(motion)
    if not 0 < missing <= most * motion.fps:
        return motion
    return Motion(np.concatenate([motion.rotations, motion.rotations[-1:].repeat(missing, axis=0)]),
                  np.concatenate([motion.root, motion.root[-1:].repeat(missing, axis=0)]), motion.fps)


def _within(what, value, low, high):
    if not low <= value <= high:
        raise BadInput(f"The {what} of {value:g} is out of range; choose {low:g} to {high:g}.")


def _strokes(motion, mirror):
    """`Beats` of the ictus of the baton hand, positions unknown."""
    from core.body.ictus import ictus_times
    times = ictus_times(motion, left=mirror)
    return Beats(times, np.zeros(len(times), dtype=int))


def _alignment(strokes, beats, lead, duration):
    """Strokes, moved later by the lead they were asked for, against the music's beats."""
    from core.rhythm.alignment import alignment
    if len(beats) < 2:
        return None
    return alignment(strokes.times + lead, beats.within(0.0, duration).times, duration)
