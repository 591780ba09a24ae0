"""The search: bar by bar, the phrases whose sum of costs is low. Beam search, since variety depends on all that was
danced before.

Costs are in units of a bad join (a tenth of a metre between joints on the way from one move into the next is one unit).
"""

from dataclasses import dataclass, field

import numpy as np

from core.errors import BadInput, Cancelled
from models.repertoire.label import LIMIT

BEAM, BRANCH = 48, 6  # rows kept at each bar; followers that one row may have
JOIN = 10.0  # a metre of difference
WARP = 0.4  # at the limit of the time warp; beyond it grows with the square
HALF = 0.5  # danced at half or double time
DOUBT = 0.6  # of a move whose beats are unsure
ENERGY = 5.0  # wrong by the whole range
ACCENT = 4.0  # no accent on any beat
STYLE, STYLE_AT_SECTION = 3.0, 0.8
AGAIN = 3.5  # the same phrase as the one before; it fades with every bar
FADE = 0.93
RECENT = 24  # phrases that count as danced already
OVERLAP = 8.0  # beats: phrases begun nearer than that share some of it
SAME_MUSIC = 0.6  # the same music again, later in the song: the same phrase is welcome
ON = (0.0, 0.3, 1.0, 2.0, 3.0)  # going on with the same move for that many phrases
SHORT = 0.5  # one bar instead of two: joins are then twice as many
HOME = 0.25  # a metre beyond `ROOM` from where the dancer should be
ROOM = {False: 2.0, True: 0.4}  # m around it: free, in place
WAITING, ENOUGH = 6.0, 0.15  # all of a phrase stood still; the share that is a pause, not a wait
NOISE = 0.45  # what the seed adds, standard deviation


@dataclass
class Wish:
    """What is asked of a dance. energy: None as the music, or 0..1. home: function of seconds -> (x, y) m where the
    dancer should be, or None; tight: it should stay close. entry, leave: looks (1, D) before and after, leave: at
    second `end`. begin: second where the dance begins; round: it must end as it begins.
    """

    energy: float | None = None
    home: object = None
    tight: bool = False
    entry: np.ndarray | None = None
    leave: np.ndarray | None = None
    begin: float = 0.0
    end: float = 0.0
    round: bool = False


@dataclass
class Row:
    """One way through the music so far."""

    cost: float = 0.0
    picks: list = field(default_factory=list)  # (bar, span, phrases, index)
    end: np.ndarray | None = None  # looks (D,) at its end
    place: np.ndarray = field(default_factory=lambda: np.zeros(2))
    turn: float = 0.0
    on: int = 0


class Search:
    """Over a `phrases.Book` and `music.Bars`."""

    def __init__(self, book, bars, wish, seed, style=None):
        self.book, self.bars, self.wish, self.style = book, bars, wish, style
        self.library = book.library
        self.random = np.random.default_rng([seed, 7])
        self.known = {}

    def run(self, should_cancel=lambda: False, progress=None):
        """[(bar, span, phrases, index)] of the best row. Raises BadInput where no move is long enough, Cancelled."""
        count = len(self.bars)
        pools = [[] for _ in range(count + 1)]
        pools[0] = [Row()]
        for bar in range(count):
            if should_cancel():
                raise Cancelled
            if progress is not None:
                progress("Choosing Moves", bar / count, f"{bar + 1}/{count}")
            rows = sorted(pools[bar], key=lambda row: row.cost)[:BEAM]
            pools[bar] = []
            for span in (2, 1):
                if rows and bar + span <= count:
                    pools[bar + span] += self._extended(rows, bar, span)
        if not pools[count]:
            raise BadInput("None of the moves is long enough for a bar of this music; give longer moves, or "
                           "markers that set their beats.")
        return min(pools[count], key=lambda row: row.cost + self._closing(row)).picks

    def _options(self, bar, span):
        """(phrases, `Table`, their rows in it, costs that depend on nothing before) of `span` bars from `bar` on."""
        times = self.bars.times(bar, span)
        key = span, len(times), round(float(times[-1] - times[0]), 2)
        if key not in self.known:
            table = self.book.table(len(times) - 1)
            phrases, rows = table.fitting(key[2], self.book.ranks)
            self.known[key] = phrases, table, rows, self._fixed(phrases, span)
        return self.known[key]

    def _fixed(self, phrases, span):
        sure = np.array([clip.beats.confidence for clip in self.library.clips] or [0.0])
        warp = ((phrases.rate - 1) / LIMIT) ** 2
        # Who asks for a calm dance may have one that waits; quiet music alone is no reason to stand about.
        waiting = WAITING if self.wish.energy is None else WAITING * min(1.0, 4 * self.wish.energy)
        return (
            WARP * warp
            + phrases.offbar
            + waiting * np.maximum(phrases.still - ENOUGH, 0)
            + HALF * (phrases.ratio != 1)
            + ACCENT * (1 - phrases.accent)
            + SHORT * (span == 1)
            + DOUBT * (1 - np.clip(sure[phrases.clip], 0, 1))
        )

    def _extended(self, rows, bar, span):
        phrases, table, taken, fixed = self._options(bar, span)
        if not len(phrases):
            return []
        wanted = self.bars.energy[bar : bar + span].mean() if self.wish.energy is None else self.wish.energy
        own = fixed + ENERGY * np.abs(phrases.energy - wanted) + NOISE * self.random.standard_normal(len(phrases))
        if bar == 0:
            own = own + self._meeting(phrases, 0, self.wish.begin, self.wish.entry)
        if bar + span == len(self.bars):
            own = own + self._meeting(phrases, bar, self.wish.end, self.wish.leave)
        gaps = None
        if rows[0].picks:
            gaps = JOIN * _distances(np.stack([row.end for row in rows]), table.begins[taken])
        goal = None if self.wish.home is None else np.asarray(self.wish.home(float(self.bars.times(bar, span)[-1])))
        way, spin = table.way[taken], table.spin[taken]
        out = []
        for number, row in enumerate(rows):
            cost, on = row.cost + own, np.zeros(len(phrases), int)
            if row.picks:
                cost = cost + gaps[number] + self._after(row, bar, phrases, on)
            cos, sin = np.cos(row.turn), np.sin(row.turn)
            place = row.place + np.stack([cos * way[:, 0] - sin * way[:, 1], sin * way[:, 0] + cos * way[:, 1]], axis=1)
            if goal is not None:
                away = np.linalg.norm(place - goal, axis=1) - ROOM[self.wish.tight]
                cost = cost + HOME * (6.0 if self.wish.tight else 1.0) * np.maximum(away, 0)
            for index in np.argpartition(cost, min(BRANCH, len(cost) - 1))[:BRANCH]:
                out.append(
                    Row(
                        float(cost[index]),
                        [*row.picks, (bar, span, phrases, int(index))],
                        table.ends[taken[index]],
                        place[index],
                        float(row.turn + spin[index]),
                        int(on[index]),
                    )
                )
        return out

    def _after(self, row, bar, phrases, on):
        """Cost (K,) of each phrase after what a row has danced; `on` (K,) is filled with how long the move then goes
        on.
        """
        _, _, before, last = row.picks[-1]
        at_section = self.bars.section[bar]
        goes_on = (
            (phrases.clip == before.clip[last])
            & (phrases.first == before.last[last])
            & (phrases.mirror == before.mirror[last])
            & (phrases.ratio == before.ratio[last])
        )
        on[goes_on] = row.on + 1
        cost = np.where(goes_on, ON[min(row.on + 1, len(ON) - 1)] + 1.0 * at_section, 0.0)
        cost = cost + (phrases.style != before.style[last]) * (STYLE_AT_SECTION if at_section else STYLE)
        recent = row.picks[-RECENT:]
        clip, first = (
            np.array([getattr(danced, name)[index] for _, _, danced, index in recent]) for name in ("clip", "first")
        )
        when = np.array([pick[0] for pick in recent])
        weight = np.where(self.bars.alike[bar, when], -SAME_MUSIC, AGAIN * FADE ** (bar - when - 1))
        share = np.maximum(0.0, 1 - np.abs(phrases.first - first[:, None]) / OVERLAP)
        near = (phrases.clip == clip[:, None]) * np.where(weight[:, None] < 0, share > 0.9, share)
        return cost + weight @ near

    def _meeting(self, phrases, bar, second, look):
        """Cost (K,) of coming from, or going on to, a body that looks like `look` (1, D) at a second of the music."""
        if look is None:
            return 0.0
        return (
            JOIN
            * _distances(look, self.library.looks(phrases.clip, self._inside(phrases, bar, second), phrases.mirror))[0]
        )

    def _inside(self, phrases, bar, second):
        """(K,) seconds of the moves at a second of the music."""
        return phrases.start + (second - self.bars.grid[self.bars.edges[bar]]) * phrases.rate

    def _closing(self, row):
        """Cost of the way from the end back to the beginning."""
        if not self.wish.round:
            return 0.0
        looks = []
        for (bar, _, phrases, index), second in ((row.picks[0], self.wish.begin), (row.picks[-1], self.wish.end)):
            at = self._inside(phrases, bar, second)[[index]]
            looks.append(self.library.looks(phrases.clip[[index]], at, phrases.mirror[[index]]))
        return JOIN * float(np.sqrt(((looks[0] - looks[1]) ** 2).sum()))


def _distances(some, others):
    """(H, K) metres between looks (H, D) and (K, D)."""
    square = (some**2).sum(1)[:, None] + (others**2).sum(1)[None] - 2 * some @ others.T
    return np.sqrt(np.maximum(square, 0))
