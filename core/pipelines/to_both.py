"""Nothing but a style, a tempo and a length -> sound and motion at once, on the same beats."""
from core.errors import BadInput, Cancelled
from core.pipelines import base
from core.pipelines.base import Result, asked_tempo, genre_tempo, regular_beats, share
from core.pipelines.to_motion import aligned, body_beats, kept_ranges
from core.pipelines.to_sound import delivered, heard_beats

SIDES = ("sound", "motion", "both")


class Pipeline(base.Pipeline):
    """To both. The model's `generate(None, settings)` gives [(samples (2,N) at 48 kHz,
    Motion), ...], N = 48000 duration.

    The length is the setting `duration`. keep: (samples (2,N) at 48 kHz, Motion, start, stop, side): these seconds are
    made anew of the side "sound", "motion" or "both"; all else stays. The model is given (samples, Motion, [(from, to),
    ...] that stay of the sound, the same of the motion); a whole side that stays is one range over all of it.
    """

    def _condition(self, condition, duration, values):
        if condition is not None:
            raise BadInput(f"{self.system.label} is made from its settings alone; it takes no sound and no motion.")
        return None, float(values["duration"] if duration is None else duration)

    def _find_beats(self, ask, beats, progress):
        if beats is not None:
            inside = beats.within(0.0, ask.duration)
            if len(inside) < 2:
                raise BadInput(f"Only {len(inside)} of the {len(beats)} given beats lie within the {ask.duration:.2f} "
                               "s to be made; give at least two, in seconds from the start.")
            return beats, "user"
        bpm, usual = asked_tempo(ask.values)[1], genre_tempo(ask.values.get("genre"))
        if bpm is None and usual is None:
            return None, "none"
        return regular_beats(bpm or usual, ask.duration), "tempo" if bpm else "genre"

    def _kept(self, ask):
        if ask.keep is None:
            return None
        samples, motion, start, stop, side = ask.keep
        if side not in SIDES:
            raise BadInput(f"What is made anew is the {' or '.join(SIDES)}, not {side!r}.")
        whole = [(0.0, ask.duration)]
        found = kept_ranges(motion, start, stop, duration=ask.duration)
        motion, ranges = (motion, []) if found is None else found
        return samples, motion, whole if side == "motion" else ranges, whole if side == "sound" else ranges

    def _results(self, made, ask):
        progress, out = share(ask.progress, 0.93, 1.0), []
        keep = None if ask.keep is None else dict(zip(("start", "stop", "side"), ask.keep[2:]))
        for number, (samples, motion) in enumerate(made):
            if ask.should_cancel():
                raise Cancelled
            progress("Writing", number / len(made), f"{number + 1}/{len(made)}")
            samples = delivered(samples, ask.values, ask.keep is not None)
            body, lead = body_beats(self, motion, ask.settings)
            heard = heard_beats(self, samples, ask.beats)
            out.append(Result(self.recipe(ask, number, keep), ask.beats, audio=samples, motion=motion, body_beats=body,
                              music_beats=heard, alignment=aligned(body, lead, heard, ask.duration)))
        return out
