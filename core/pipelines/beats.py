"""Beats of a body or of music, as the pipelines, the worker and the command line find them."""
from collections.abc import Callable

from core import checkpoints
from core.audio import Audio
from core.body.motion import Motion
from core.checkpoints import Folders
from core.contract import systems as registry
from core.errors import BadInput, Cancelled
from core.pipelines.base import never, silent
from core.rhythm.beats import Beats
from core.rhythm.sounding import heard


def find_beats(condition: Motion | Audio, *, bpm: float | None = None, tempo: str | float | None = None,
               metre: int | None = None, beats: Beats | None = None, level: str = "normal",
               usual: tuple[float, float] | None = None, folders: Folders = None,
               progress: Callable = silent, should_cancel: Callable[[], bool] = never,
               notify: Callable[[str], None] = lambda sentence: None) -> Beats:
    """`Beats` (s from the start) of an `Audio` or a `Motion`. Raises BadInput, NoCheckpoint, Cancelled.

    tempo: "auto" (None), "steady", "follow" or the tempo to keep in BPM; bpm: a tempo to stay near. beats: the user's
    own, whose bars are to be found. level: "half", "normal" or "double" time. usual: (low, high) BPM of the level that
    is wanted.
    `extra["tempo"]` of the result says what was chosen, see `core.rhythm.tempo.find`. notify(sentence) hears warnings.
    """
    bpm, metre, level, tempo = (_checked(*pair) for pair in (("bpm", bpm), ("metre", metre), ("level", level),
                                                             ("tempo", tempo)))
    mode, bpm = (tempo, bpm) if isinstance(tempo, str) else ("fixed", tempo)
    mode, metre = "auto" if mode == "markers" else mode, None if metre == "auto" else metre
    progress("Detecting Beats", 0.0)
    if should_cancel():
        raise Cancelled
    checkpoints.find("rhythm", "music" if isinstance(condition, Audio) else "body", folders, warn=notify)
    from models.rhythm.detect import detect_body_beats, detect_music_beats
    options = dict(mode=mode, bpm=bpm, metre=metre, beats=beats, level=level, usual=usual, folders=folders)
    if isinstance(condition, Audio):
        found = detect_music_beats(condition.mono(), condition.rate, **options)
        if beats is None and mode != "fixed":
            found = heard(found, condition, notify)
    else:
        found = detect_body_beats(condition, **options)
    if should_cancel():
        raise Cancelled
    if found.extra.get("tempo", {}).get("chosen") == "none":
        notify("No clear beat was found, so none is set; if there is one, give its tempo in BPM or choose the tempo "
               "Steady." if mode == "auto" and bpm is None else "Nothing is heard that could have a beat, so none is "
               "set.")
    progress("Detecting Beats", 1.0)
    return found


def _checked(name, value):
    try:
        return registry.setting(name).check(value)
    except registry.Refused as error:
        raise BadInput(str(error)) from error


def given_or_found(condition: Motion | Audio | None, beats: Beats | None, *, duration: float, level: str = "normal",
                   **options) -> tuple[Beats | None, str]:
    """(beats, "user" or "predicted"): the user's own, their bars found where not given; else found in the condition.

    level (half, normal or double time) is for beats that are found: the user's own are on the level meant.
    """
    if beats is None:
        return find_beats(condition, level=level, **options), "predicted"
    if not isinstance(beats, Beats):
        raise TypeError("beats must be core.rhythm.beats.Beats")
    inside = beats.within(0.0, duration)
    if len(inside) < 2:
        raise BadInput(f"Only {len(inside)} of the {len(beats)} given beats lie within the passage of {duration:.2f} "
                       "s; give at least two, in seconds from its start.")
    if condition is not None and not beats.positions.any():
        beats = find_beats(condition, beats=beats, **options)
    return beats, "user"
