"""Phrases that can be danced to a stretch of music: which move, from which of its beats, how many, mirrored or not."""

from dataclasses import dataclass

import numpy as np

from models.repertoire.label import LIMIT, accents, drawn, starts

RATIOS = (1.0, 2.0, 0.5)  # beats of the move to a beat of the music: as danced, or at double or half time
MARGIN = 1e-6
NAMES = ("clip", "first", "last", "start", "stop", "ratio", "rate", "mirror", "energy", "accent", "style", "offbar",
         "still")


@dataclass
class Phrases:
    """Arrays (K,): clip; first, last: beats of the clip; start, stop: their seconds; ratio; rate: seconds of move to a
    second of music; mirror; energy: rank 0..1 among the library's; accent: how clearly the body stops on the beats,
    0..1; style: place in the library's; offbar: cost of not beginning on a downbeat;
    still: share of it in which the body waits.
    """

    clip: np.ndarray
    first: np.ndarray
    last: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    ratio: np.ndarray
    rate: np.ndarray
    mirror: np.ndarray
    energy: np.ndarray
    accent: np.ndarray
    style: np.ndarray
    offbar: np.ndarray
    still: np.ndarray
    stretched: bool = False

    def __len__(self):
        return len(self.clip)


class Book:
    """The phrases of a library: beats drawn to accents once, then asked for each length and tempo."""

    def __init__(self, library, metre=4, draw=True):
        """draw: beats are drawn to accents; those that were told stay as they are."""
        self.library, self.metre = library, metre
        self.places, self.accent, self.begin = [], [], []
        for clip in library.clips:
            curve, times = accents(clip.motion), clip.beats.times
            places = {1.0: drawn(times, curve, clip.motion.fps)}
            for parity in (0, 1):  # at double time every second beat meets one of the music
                some, level = drawn(times[parity::2], curve, clip.motion.fps)
                index = np.arange(len(times))
                places[2.0, parity] = (
                    np.interp(index, index[parity::2], some),
                    np.interp(index, index[parity::2], level),
                )
            if clip.sure or not draw:
                at = np.interp(times, np.arange(len(curve)) / clip.motion.fps, curve)
                places = {key: (times, at) for key in places}
            self.places.append({key: np.clip(value[0], 0, clip.motion.duration) for key, value in places.items()})
            self.accent.append({key: value[1] for key, value in places.items()})
            self.begin.append(starts(clip.beats, metre))
        self.styles, self.tables = library.styles, {}
        self.ranks = np.sort(self._all_energies())

    def _all_energies(self):
        out = [np.zeros(0)]
        for number, clip in enumerate(self.library.clips):
            times = clip.beats.times
            if len(times) > 4:
                out.append(self.library.energy(np.full(len(times) - 4, number), times[:-4], times[4:]))
        return np.concatenate(out)

    def knots(self, phrases, index, beats):
        """(seconds of the move (n + 1,)) at the n + 1 beats of the music that phrase `index` covers."""
        clip, ratio, first = int(phrases.clip[index]), float(phrases.ratio[index]), int(phrases.first[index])
        places = self.places[clip][(2.0, first % 2) if ratio == 2.0 else 1.0]
        return np.interp(first + ratio * np.arange(beats + 1), np.arange(len(places)), places)

    def table(self, count):
        """`Table` of everything that can be danced to `count` beats of music, at any tempo; kept."""
        if count not in self.tables:
            parts = []
            for number, clip in enumerate(self.library.clips):
                for ratio in RATIOS:
                    beats = count * ratio
                    if beats == int(beats):
                        begin = np.arange(max(0, len(clip.beats) - int(beats)))
                        parts += [self._of_clip(number, ratio, begin, begin + int(beats))] if len(begin) else []
            self.tables[count] = Table(self.library, _joined(parts))
        return self.tables[count]

    def _of_clip(self, number, ratio, first, last):
        twice = ratio == 2.0
        start, stop, accent = (np.zeros(len(first)) for _ in range(3))
        for parity in (0, 1) if twice else (0,):
            mine = first % 2 == parity if twice else slice(None)
            key = (2.0, parity) if twice else 1.0
            places = self.places[number][key]
            start[mine], stop[mine] = places[first[mine]], places[last[mine]]
            level = np.concatenate(
                [[0.0], np.cumsum(self.accent[number][key] * (np.arange(len(places)) % 2 == parity if twice else 1))]
            )
            accent[mine] = (level[last[mine]] - level[first[mine]]) / np.maximum(
                (last - first)[mine] / (2 if twice else 1), 1
            )
        energy = self.library.energy(np.full(len(first), number), start, stop)
        still = self.library.stillness(np.full(len(first), number), start, stop)
        style = np.full(len(first), self.styles.index(self.library.clips[number].style))
        both = lambda values: np.repeat(values, 2)  # noqa: E731
        return Phrases(
            both(np.full(len(first), number)),
            both(first),
            both(last),
            both(start),
            both(stop),
            both(np.full(len(first), ratio)),
            both(stop - start),
            np.tile([False, True], len(first)),
            both(energy),
            both(accent),
            both(style),
            both(self.begin[number][first]),
            both(still),
        )


class Table:
    """Phrases for a number of beats at no tempo in particular: `rate` is still seconds of the move, `energy` m/s; with
    looks at both ends (K, D) and the way gone (K, 2), (K,).
    """

    def __init__(self, library, phrases):
        self.phrases = phrases
        if len(phrases):
            self.begins, self.ends = (
                library.looks(phrases.clip, at, phrases.mirror) for at in (phrases.start, phrases.stop)
            )
            self.way, self.spin = library.travel(phrases.clip, phrases.start, phrases.stop, phrases.mirror)

    def fitting(self, seconds, ranks):
        """(`Phrases` within `LIMIT` of their own tempo in so many seconds of music, the nearest where none is; their
        rows).
        """
        if not len(self.phrases):
            return self.phrases, np.zeros(0, int)
        rate = self.phrases.rate / seconds
        away = np.abs(np.log(np.maximum(rate, 1e-6)))
        fits = np.flatnonzero(np.abs(rate - 1) <= LIMIT + MARGIN)
        stretched = not len(fits)
        if stretched:
            fits = np.flatnonzero(away <= away.min() + np.log1p(LIMIT / 4))
        found = _taken(self.phrases, fits)
        found.rate, found.stretched = rate[fits], stretched
        found.energy = np.searchsorted(ranks, found.energy * found.rate) / max(len(ranks), 1)
        return found, fits


def _joined(parts):
    kinds = dict(zip(NAMES, (int, int, int, float, float, float, float, bool, float, float, int, float, float)))
    return Phrases(
        *(
            np.concatenate([getattr(part, name) for part in parts]) if parts else np.zeros(0, kind)
            for name, kind in kinds.items()
        )
    )


def _taken(phrases, keep):
    return Phrases(*(getattr(phrases, name)[keep] for name in NAMES))
