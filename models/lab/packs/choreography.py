"""Real moves on studio songs' beats, as a few lines of JSON from which the motion is performed again.

A flat item carries the music's features and its `moves`: which beats of which clip, on which beats of the song. The
motion follows from them and from the shipped moves (recordings that may be trained on alone), exactly.
"""
import numpy as np

from core.body.motion import Motion
from models.lab.evaluation.rule_dancer import RuleDancer
from models.repertoire.music import bars_of
from models.repertoire.perform import Piece, perform, warp
from models.repertoire.pipeline import FPS, footed
from models.repertoire.search import Search, Wish

_dancers = []


def dancer():
    """The `RuleDancer`, loaded once."""
    if not _dancers:
        _dancers.append(RuleDancer.load())
    return _dancers[0]


def choreograph(who, audio, beats, duration, seed, style=None):
    """[row], JSON-ready: {"clip", "mirror", "song": beat times in s, "move": seconds of the clip at them}.

    Raises BadInput.
    """
    library = who.library if style is None else who.library.of(style=style)
    book = who._book(library, beats.metre)
    bars = bars_of(audio, beats, duration)
    picks = Search(book, bars, Wish(home=lambda second: (0.0, 0.0), end=duration), seed).run()
    rows = []
    for bar, span, phrases, index in picks:
        times = bars.times(bar, span)
        clip = book.library.clips[int(phrases.clip[index])]
        rows.append({"clip": clip.name, "mirror": bool(phrases.mirror[index]),
                     "song": np.round(times, 4).tolist(),
                     "move": np.round(book.knots(phrases, index, len(times) - 1), 4).tolist()})
    return rows


def performed(who, rows, duration):
    """The `Motion` at 60 fps of `choreograph`'s rows. Raises KeyError for a clip that is not there."""
    clips = {clip.name: clip for clip in who.library.clips}
    pieces = [Piece(clips[row["clip"]], row["mirror"], row["song"][0], row["song"][-1],
                    warp(np.array(row["song"]), np.array(row["move"]))) for row in rows]
    motion, lifts, _ = perform(pieces, 0.0, int(round(duration * FPS)), FPS)
    return footed(motion, lifts)


def style_of(who, rows):
    """The style that most of the song is danced in."""
    styles = {clip.name: clip.style for clip in who.library.clips}
    seconds = {}
    for row in rows:
        style = styles[row["clip"]]
        seconds[style] = seconds.get(style, 0.0) + row["song"][-1] - row["song"][0]
    return max(seconds, key=seconds.get)


def motion_arrays(item):
    """Arrays of an item with `moves`: motion at 30 and 60 fps, as a flat corpus holds it."""
    from models.training.shards import pack_motion
    motion, arrays = performed(dancer(), item["moves"], item["duration"]), {}
    for stride, ending in ((2, ""), (1, "60")):
        packed = pack_motion(Motion(motion.rotations[::stride], motion.root[::stride], FPS / stride))
        arrays["rot6d" + ending] = packed["motion_rot6d"].reshape(-1, 144)
        arrays["root" + ending] = packed["motion_root"]
    return arrays
