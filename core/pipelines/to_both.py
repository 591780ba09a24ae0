"""Nothing but a style, a tempo and a length -> sound and motion at once, on the same beats."""
import numpy as np

from core.contract.systems import System
from core.errors import BadInput, Cancelled
from core.pipelines import base
from core.pipelines.base import Result, asked_tempo, genre_range, genre_tempo, regular_beats, share
from core.pipelines.to_motion import aligned, body_beats, kept_ranges
from core.pipelines.to_sound import delivered, heard_beats

SIDES = ("sound", "motion", "both")
STYLE_STREAM = 3                # of a seed's random numbers: the noise has others


class Pipeline(base.Pipeline):
    """To both. The model's `generate(None, settings)` gives [(samples (2,N) at 48 kHz,
    Motion), ...], N = 48000 duration.

    The length is the setting `duration`. Where no style is asked for, the seed draws one, which the recipe tells: a
    style has its tempo, and without beats there would be no music.
    keep: (samples (2,N) at 48 kHz, Motion, start, stop, side): these seconds are made anew of the side "sound",
    "motion" or "both"; all else stays. The model is given (samples, Motion, [(from, to), ...] that stay of the sound,
    the same of the motion); a whole side that stays is one range over all of it.
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
        bpm = asked_tempo(ask.values)[1] if beats is None else beats.tempo_bpm
        if "genre" in ask.values and ask.values["genre"] is None:
            ask.values["genre"] = drawn_style(self.system, ask.values.get("seed", 0), bpm)
        if beats is not None:
            return beats, "user"
        usual = genre_tempo(ask.values.get("genre"))
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


def drawn_style(system: System, seed: int, bpm: float | None) -> object:
    """A style of the system's setting `genre`, drawn by the seed among those in which the tempo is usual, or among all
    where none is; None where the setting has none but Any."""
    styles = [item.value for item in system.settings["genre"].items if item.value is not None]
    if bpm is not None:
        ranges = {style: genre_range(style) for style in styles}
        usual = [style for style in styles if ranges[style] and ranges[style][0] <= bpm <= ranges[style][1]]
        styles = usual or styles
    return styles[int(np.random.default_rng([seed, STYLE_STREAM]).integers(len(styles)))] if styles else None
