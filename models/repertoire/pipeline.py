"""Music in, real moves out: `MyMoves.load(folders).generate(audio, ...)` -> list of `core.body.motion.Motion` at 60
fps.

Nothing is trained. Phrases of captured moves are chosen bar by bar (`search`), warped so that their beats fall on the
song's and joined (`perform`); then the course on the floor is bent to what is asked, kept ranges are put back exactly,
and feet are locked.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch

from core import checkpoints
from core.audio import Audio
from core.body.motion import Motion
from core.checkpoints import Folders
from core.errors import BadInput, NoCheckpoint
from models.motion import kept
from models.motion.contacts import clean
from models.motion.course import Course, resampled_path
from models.motion.representation import decode, encode, foot_contacts
from models.motion.smoothing import joined, looped, runs
from models.repertoire.label import LIMIT, label
from models.repertoire.library import Library, from_arrays, looks_of_motion
from models.repertoire.music import bars_of, steady
from models.repertoire.perform import perform, pieces_of
from models.repertoire.phrases import Book
from models.repertoire.search import Search, Wish
from models.repertoire.settings import Settings

FPS = 60
SHORTEST_SECONDS = 1.0
PLAIN_BPM = (80.0, 160.0)  # of moves danced to sound without beats: their own tempo at this level
MOVES = 4  # seconds of moves below which there is nothing to choose from


class MyMoves:
    """The shipped moves, loaded; `generate` may be called many times and from one thread."""

    def __init__(self, library, folders=None):
        """library: of the shipped moves. folders: of checkpoints, for the network that finds beats in the user's own
        moves.
        """
        self.library, self.folders, self.sha256 = library, folders, None
        self._books, self._styles = {}, {}

    @classmethod
    def load(cls, folders: Folders = None, device: str = "cpu") -> "MyMoves":
        """The released (or `folders`') moves; the device is not needed. Raises NoCheckpoint."""
        found = checkpoints.find("repertoire", "moves", folders)
        state = {name: tensor.numpy() for name, tensor in checkpoints.load_state(found).items()}
        try:
            model = cls(from_arrays(state, found.config), folders)
        except (KeyError, ValueError) as error:
            raise NoCheckpoint(
                f"The moves {found.path} cannot be read ({error}); install the checkpoints again."
            ) from error
        model.sha256 = found.sha256
        return model

    def generate(self, audio: Audio | None, settings: Settings | None = None, *, progress: Callable | None = None,
                 should_cancel: Callable[[], bool] | None = None, **changes) -> list[Motion]:
        """`variations` dances (seeds seed, seed + 1, ...), `Motion` at 60 fps, to seconds start .. start + duration of
        the music.

        audio: `core.audio.Audio`. settings, changes: of `models.repertoire.settings.Settings`. Raises BadInput;
        Cancelled once `should_cancel()` is true, asked at every bar.
        """
        asked = Settings.of(settings, **changes)
        left = audio.duration - asked.start
        duration = left if asked.duration is None else asked.duration
        if duration > left + 0.05 or duration < SHORTEST_SECONDS:
            raise BadInput(
                f"The passage lasts {max(duration, 0):.2f} s and {max(left, 0):.2f} s of music are left; "
                f"choose at least {SHORTEST_SECONDS:g} s within it."
            )
        library = self.moves(asked)
        beats = (
            asked.beats if asked.beats is not None and len(asked.beats) > 1 else steady(usual_tempo(library), duration)
        )
        book = self._book(library, beats.metre)
        bars = bars_of(audio.slice(asked.start, asked.start + duration), beats, duration)
        passage = Passage(book, bars, asked, int(round(duration * FPS)))
        return [
            passage.dance(asked.seed + number, should_cancel or never, _share(progress, number, asked.variations))
            for number in range(asked.variations)
        ]

    def moves(self, asked):
        """The `Library` that a request means. Raises BadInput where it holds nothing to dance with."""
        given = asked.folder if asked.folder is not None else asked.actions
        if given is not None:
            return own_library(tuple(given), self.folders, asked.notify or (lambda sentence: None))
        if asked.genre is None:
            return self.library
        if asked.genre not in self._styles:
            library = self.library.of(style=asked.genre)
            if not len(library):
                raise BadInput(
                    f"The style {asked.genre!r} is unknown; choose one of {', '.join(self.library.styles)}.")
            self._styles[asked.genre] = library
        return self._styles[asked.genre]

    def _book(self, library, metre):
        key = id(library), metre
        if key not in self._books:
            self._books = {**dict(list(self._books.items())[-3:]), key: (library, Book(library, metre))}
        return self._books[key][1]


def never():
    """A should_cancel that never does."""
    return False


def _share(progress, number, count):
    """The progress of dance `number` of `count` as part of the whole; None without anybody to tell."""
    if progress is None:
        return None
    return lambda phase, part, text: progress(phase, (number + 0.8 * part) / count, text)


@lru_cache(maxsize=128)  # a minute of moves is a few megabytes
def _labelled(move, folders):
    return tuple(label(move, folders=None if folders is None else list(folders)))


def own_library(moves, folders=None, notify=lambda sentence: None):
    """The `Library` of a tuple of moves, those without a beat told and left out. Raises BadInput where none is left."""
    key = None if folders is None else tuple(map(str, checkpoints.as_folders(folders)))
    clips, silent = [], []
    for move in moves:
        found = _labelled(move, key)
        clips += found
        silent += [] if found else [move.name]
    if sum(clip.motion.duration for clip in clips) < MOVES:
        raise BadInput(
            f"No beat was found in the moves ({', '.join(silent[:3]) or 'too short'}); give longer ones, or set their "
            "beats with markers."
        )
    if silent:
        notify(f"No beat was found in {', '.join(silent[:5])}; these moves are left out. Markers can set their beats.")
    return _library_of(tuple(clips))


@lru_cache(maxsize=2)
def _library_of(clips):
    return Library(clips)


def usual_tempo(library):
    """Beats a minute of the middle of a library's moves, at the level of `PLAIN_BPM`."""
    tempo = float(np.median([clip.beats.tempo_bpm for clip in library.clips for _ in range(len(clip.beats))]))
    while tempo > PLAIN_BPM[1]:
        tempo /= 2
    while tempo < PLAIN_BPM[0]:
        tempo *= 2
    return tempo


class Passage:
    """One passage of music and what is asked of its dances."""

    def __init__(self, book, bars, asked, frames):
        self.book, self.bars, self.asked = book, bars, asked
        self.kept, self.before = kept.known_of(asked, frames, FPS)
        self.frames = frames + self.before
        self.course = Course(
            FPS, asked.in_place, asked.path, asked.loop, self.kept and self.kept.course(1), self.before
        )

    def dance(self, seed, should_cancel, progress):
        """One `Motion`."""
        motion, lifts = self._chosen(seed, should_cancel, progress)
        if progress is not None:
            progress("Choosing Moves", 1.0, "")
        turn, place = self.course.solve(
            encode(torch.from_numpy(motion.rotations), torch.from_numpy(motion.root), FPS)[None]
        )
        vector = encode(torch.from_numpy(motion.rotations), torch.from_numpy(motion.root), FPS)
        rotations, root = decode(vector, FPS, turn[0], place[0])
        motion = self._with_kept(
            Motion(rotations.numpy().astype(np.float32), root.numpy().astype(np.float32), float(FPS))
        )
        if self.asked.loop:
            motion = looped(motion)
        if self.asked.feet:
            motion = self._with_kept(footed(motion, lifts))
        motion = motion.mirrored() if self.asked.mirror else motion
        return motion.slice(self.before, self.frames)

    def _with_kept(self, motion):
        return motion if self.kept is None else joined(motion, self.kept.motion, self.kept.mask)

    def _chosen(self, seed, should_cancel, progress):
        """(`Motion` of all frames, lifts (T, 2)): chosen moves in the free runs of frames, the kept ones elsewhere."""
        if self.kept is None:
            return self._run(0, self.frames, seed, should_cancel, progress)
        rotations, root, lifts = (
            self.kept.motion.rotations.copy(),
            self.kept.motion.root.copy(),
            np.zeros((self.frames, 2)),
        )
        for start, stop in runs(~self.kept.mask):
            motion, raised = self._run(start, stop, seed, should_cancel, progress)
            rotations[start:stop], root[start:stop], lifts[start:stop] = motion.rotations, motion.root, raised
        return Motion(rotations, root, float(FPS)), lifts

    def _run(self, start, stop, seed, should_cancel, progress):
        begin, end = (start - self.before) / FPS, (stop - self.before) / FPS
        bars = part_of(self.bars, begin, end)
        wish = Wish(
            energy=self.asked.energy,
            home=self._home(start),
            tight=self.asked.in_place or self.asked.path is not None,
            begin=begin,
            end=end,
            round=self.asked.loop,
        )
        if start > 0:
            wish.entry = looks_of_motion(self.kept.motion.slice(0, start), start - 1)
        if stop < self.frames:
            wish.leave = looks_of_motion(self.kept.motion, stop)
        search = Search(self.book, bars, wish, seed)
        picks = search.run(should_cancel, progress)
        if any(phrases.stretched for _, _, phrases, _ in picks) and self.asked.notify is not None:
            rate = [float(phrases.rate[index]) for _, _, phrases, index in picks]
            most = max(rate, key=lambda value: abs(np.log(value)))
            self.asked.notify(
                f"No moves are within {LIMIT:.0%} of this tempo, so some are played at {most:.0%} of their speed; give "
                "moves of other tempi, or change the tempo."
            )
        motion, lifts, _ = perform(pieces_of(picks, self.book, bars), begin, stop - start, FPS)
        return motion, lifts

    def _home(self, start):
        """Where the dancer should be at a second of the music, in the axes of where the run begins."""
        if self.asked.path is None:
            return lambda second: (0.0, 0.0)
        frames = self.frames - self.before
        walked = resampled_path(torch.as_tensor(self.asked.path, dtype=torch.float32)[:, :2], frames).numpy()
        turn = 0.0 if self.kept is None or start == 0 else -float(self.kept.turn[start - 1])
        cos, sin = np.cos(turn), np.sin(turn)
        first = walked[min(max(start - self.before, 0), frames - 1)]

        def home(second):
            x, y = walked[min(max(int(second * FPS), 0), frames - 1)] - first
            return cos * x - sin * y, sin * x + cos * y

        return home


def part_of(bars, begin, end):
    """The `Bars` that seconds begin .. end lie in."""
    low = max(0, int(np.searchsorted(bars.grid[bars.edges], begin + 1e-6, side="right")) - 1)
    high = min(len(bars), int(np.searchsorted(bars.grid[bars.edges], end - 1e-6)))
    high = max(high, low + 1)
    return type(bars)(
        bars.grid,
        bars.edges[low : high + 1],
        bars.energy[low:high],
        bars.alike[low:high, low:high],
        bars.section[low:high],
        bars.metre,
    )


def footed(motion, lifts):
    """The motion with planted feet locked, and feet that join two places lifted over the floor."""
    contacts = foot_contacts(torch.from_numpy(np.ascontiguousarray(motion.positions())), motion.fps).numpy()
    raised = lifts > 0.01
    contacts = np.where(np.repeat(raised, 2, axis=1), 0.0, contacts)
    return clean(motion, contacts, lifts)
