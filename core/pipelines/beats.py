"""Beats of a body or of music, as the pipelines, the worker and the command line find them."""
from core import checkpoints
from core.audio import Audio
from core.errors import BadInput, Cancelled
from core.pipelines.base import never, silent
from core.rhythm.beats import Beats

METRES = (2, 3, 4, 6)
LEVELS = ("half", "normal", "double")
TEMPI = ("auto", "steady", "follow")


def check_metre(metre):
    """None for None and "auto", else the number. Raises BadInput."""
    if metre in (None, "auto", ""):
        return None
    try:
        number = int(metre)
    except (TypeError, ValueError):
        number = 0
    if number not in METRES:
        raise BadInput(f"The metre {metre!r} is none of auto, {', '.join(map(str, METRES))}.")
    return number


def check_bpm(bpm):
    """None for None, else the tempo as a float. Raises BadInput."""
    if bpm is None:
        return None
    if not 30 <= float(bpm) <= 300:
        raise BadInput(f"A tempo of {float(bpm):g} BPM is out of range; choose 30 to 300.")
    return float(bpm)


def check_tempo(tempo, bpm=None):
    """(mode, bpm) of what a user says: tempo None, auto, steady or follow, with bpm to stay near or None; or a number to keep.

    Raises BadInput.
    """
    if tempo in (None, ""):
        return "auto", check_bpm(bpm)
    if tempo in TEMPI:
        return tempo, check_bpm(bpm)
    try:
        return "fixed", check_bpm(float(tempo))
    except (TypeError, ValueError):
        raise BadInput(f"The tempo {tempo!r} is none of {', '.join(TEMPI)} or a number of beats per minute.") from None


def check_level(level):
    """None and a level as the level. Raises BadInput."""
    if level not in (None, *LEVELS):
        raise BadInput(f"The beat level {level!r} is unknown; choose {', '.join(LEVELS)}.")
    return level or "normal"


def find_beats(condition, *, bpm=None, tempo=None, metre=None, beats=None, level="normal", usual=None, folders=None,
               progress=silent, should_cancel=never, notify=lambda sentence: None):
    """`Beats` (s from the start) of an `Audio` or a `Motion`. Raises BadInput, NoCheckpoint, Cancelled.

    tempo: "auto" (None), "steady", "follow" or the tempo to keep in BPM; bpm: a tempo to stay near. beats: the user's own,
    whose bars are to be found. level: "half", "normal" or "double" time. usual: (low, high) BPM of the level that is wanted.
    `extra["tempo"]` of the result says what was chosen, see `core.rhythm.tempo.find`. notify(sentence) hears warnings.
    """
    (mode, bpm), metre, level = check_tempo(tempo, bpm), check_metre(metre), check_level(level)
    progress("Detecting Beats", 0.0)
    if should_cancel():
        raise Cancelled
    checkpoints.find("rhythm", "music" if isinstance(condition, Audio) else "body", folders, warn=notify)
    from models.rhythm.detect import detect_body_beats, detect_music_beats
    options = dict(mode=mode, bpm=bpm, metre=metre, beats=beats, level=level, usual=usual, folders=folders)
    if isinstance(condition, Audio):
        found = detect_music_beats(condition.mono(), condition.rate, **options)
    else:
        found = detect_body_beats(condition, **options)
    if should_cancel():
        raise Cancelled
    progress("Detecting Beats", 1.0)
    return found


def given_or_found(condition, beats, *, duration, level="normal", **options):
    """(beats, "user" or "predicted"): the user's own, their bars found where not given; else found in the condition.

    level (half, normal or double time) is for beats that are found: the user's own are on the level meant.
    """
    if beats is None:
        return find_beats(condition, level=level, **options), "predicted"
    if not isinstance(beats, Beats):
        raise TypeError("beats must be core.rhythm.beats.Beats")
    inside = beats.within(0.0, duration)
    if len(inside) < 2:
        raise BadInput(f"Only {len(inside)} of the {len(beats)} given beats lie within the passage of {duration:.2f} s; "
                       "give at least two, in seconds from its start.")
    if condition is not None and not beats.positions.any():
        beats = find_beats(condition, beats=beats, **options)
    return beats, "user"
