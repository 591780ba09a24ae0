"""Which style a dance gets where none is asked for: one of the ten genres that the music may be, drawn by the seed.

The genre is heard by the classifier that also judges generated music (`models/genre`, trained on the studio's songs
alone). A dance of no style in particular is in no beat in particular, so one is always chosen, and it is told.
"""
import numpy as np

from core.contract import GENRES

PASSAGE, PASSAGES = 10.0, 6                 # s of a passage that is judged; so many at most, evenly spread
DOUBT = 0.5                                 # power of the judge's probabilities: it is too sure of recorded music
LEAST = 0.2                                 # of the most likely genre's weight: rarer ones are not drawn


def heard(judge, audio):
    """(10,) probabilities of `GENRES`: the mean over passages of a `core.audio.Audio`."""
    room = max(0.0, audio.duration - PASSAGE)
    count = min(PASSAGES, 1 + int(room / PASSAGE))
    starts = np.linspace(0.0, room, count) if count > 1 else [room / 2]
    parts = [audio.slice(start, min(start + PASSAGE, audio.duration)) for start in starts]
    return np.mean([judge(part.samples, part.rate) for part in parts], axis=0)


def plausible(probabilities):
    """(10,) weights that sum to 1: probabilities, doubted; genres that are far less likely than the first have none."""
    weight = np.clip(np.asarray(probabilities, float), 1e-9, 1.0) ** DOUBT
    weight[weight < LEAST * weight.max()] = 0.0
    return weight / weight.sum()


def chosen(probabilities, seed):
    """The genre that a seed draws."""
    return GENRES[np.random.default_rng([seed, 11]).choice(len(GENRES), p=plausible(probabilities))]
