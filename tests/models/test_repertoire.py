"""models.repertoire: labels, the file of moves, phrases within the warp, joins without a jump, beats on beats."""
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from core.audio import Audio
from core.body.motion import Motion, rest_motion
from core.contract import systems as registry
from core.errors import BadInput, Cancelled
from core.motion_files import write_bvh
from core.motion_files.moves import Move, read_moves
from core.rhythm.beats import Beats
from models.lab.studio.dancer import dance
from models.lab.studio.plan import make_plan
from models.motion.contacts import slide_metres
from models.repertoire.label import LIMIT, REACH, accents, drawn, label
from models.repertoire.library import Clip, Library, from_arrays, looks_of_motion, to_arrays
from models.repertoire.music import bars_of, continued
from models.repertoire.perform import ACCENT, accented, perform, pieces_of, warp
from models.repertoire.phrases import Book
from models.repertoire.pipeline import MyMoves, own_library, part_of
from models.repertoire.search import Search, Wish

BPM = 112.0
TIMES = np.arange(0.3, 24.0, 60 / BPM)
BEATS = Beats(TIMES, np.arange(len(TIMES)) % 4 + 1)


def clicks(seconds=24.0, rate=22_050):
    samples = np.zeros(int(seconds * rate), np.float32)
    for time in TIMES[TIMES < seconds]:
        start = int(time * rate)
        samples[start:start + 400] += np.sin(np.arange(400) / 5) * np.exp(-np.arange(400) / 80)
    return Audio(np.stack([samples, samples]), rate)


@pytest.fixture(scope="module")
def library():
    clips = []
    for seed, genre in enumerate(("house", "pop", "lock", "break")):
        plan = make_plan("dance", 20 + seed, genre=genre, duration=20.0)
        clips.append(Clip(f"clip-{genre}", genre, dance(plan), plan.beats, "train", False, f"recording-{genre}"))
    return Library(clips)


@pytest.fixture(scope="module")
def model(library):
    return MyMoves(library)


def jumps(motion):
    """(T-1,) largest joint move in metres from frame to frame."""
    return np.linalg.norm(np.diff(motion.positions(), axis=0), axis=-1).max(axis=1)


def test_a_library_comes_back_from_its_file(library):
    arrays, config = to_arrays(library)
    again = from_arrays(arrays, config)
    for one, other in zip(library.clips, again.clips):
        assert one.name == other.name and np.allclose(one.beats.times, other.beats.times, atol=1e-4)
        assert np.abs(one.motion.positions() - other.motion.positions()).max() < 0.002
    raw = sum(clip.motion.rotations.nbytes for clip in library.clips)
    assert sum(array.nbytes for array in arrays.values()) < raw / 12
    with pytest.raises(ValueError, match="format"):
        from_arrays(arrays, {**config, "format": 9})


def test_clips_are_read_between_frames_without_kinks(library):
    clip = library.clips[0]
    rotations, root = clip.at(np.arange(len(clip.motion)) / clip.motion.fps)
    assert np.abs(rotations - clip.motion.rotations).max() < 1e-3 and np.abs(root - clip.motion.root).max() < 1e-5
    mirrored = library.looks([0], [3.0], [True])
    assert np.allclose(mirrored, looks_of_motion(clip.motion.mirrored(), 180), atol=0.02)


def test_beats_are_drawn_to_accents_within_the_warp():
    """A body that stops 60 ms after each beat of its label: places move there, never further than the warp allows."""
    times = np.arange(0.5, 9.5, 0.5)
    t = np.arange(300) / 30
    speed = 1 - np.exp(-0.5 * (((t[:, None] - times - 0.06) / 0.05) ** 2)).sum(1)
    motion = rest_motion(300)
    root = motion.root.copy()
    root[:, 0] = np.cumsum(speed) / 30
    moved, level = drawn(times, accents(Motion(motion.rotations, root, 30.0)), 30.0)
    assert np.abs(moved - times - 0.06).max() < 0.025 and level.min() > 0.4
    rng = np.random.default_rng(0)
    moved, _ = drawn(times, rng.random(300), 30.0)
    assert np.abs(moved - times).max() <= REACH + 1e-9
    close, _ = drawn(times / 2, rng.random(300), 30.0)                   # beats a quarter of a second apart
    assert np.abs(close - times / 2).max() <= 0.1 + 1e-9
    change = np.diff(moved) / np.diff(times)
    assert change.min() >= 1 - LIMIT - 1e-6 and change.max() <= 1 + LIMIT + 1e-6


def test_phrases_keep_to_the_warp_and_say_when_they_cannot(library):
    book = Book(library)
    for bpm in (100.0, 118.0):
        times = np.arange(9) * 60 / bpm
        found, _ = book.table(8).fitting(float(times[-1]), book.ranks)
        assert len(found) and not found.stretched
        assert np.abs(found.rate - 1).max() <= LIMIT + 1e-4
    slow = Library([replace(library.clips[0], beats=Beats(np.arange(0.2, 19.0, 0.5), np.zeros(38, int)))])
    found, _ = Book(slow).table(8).fitting(8 * 60 / 85.0, np.ones(1))
    assert found.stretched, "120 BPM is no octave of 85"


def test_moves_slow_down_on_the_beat():
    """Every beat stays where it is, no instant moves by more than 0.04 of a beat, and time never runs backwards."""
    times, at = np.array([0.0, 0.5, 1.1, 1.6]), np.linspace(-0.2, 1.8, 2001)
    plain, slowed = warp(times, times + 3.0, 0.0), warp(times, times + 3.0)
    assert np.allclose(slowed(times), times + 3.0) and np.allclose(accented(times, times, ACCENT), times)
    assert np.abs(slowed(at) - plain(at))[(at >= 0) & (at <= 1.6)].max() < 0.041 * 0.6
    rate = np.gradient(slowed(at), at)
    assert rate.min() > 0 and rate[np.abs(at - 0.5).argmin()] < 0.8 and rate[np.abs(at - 0.8).argmin()] > 1.2


def test_bars_cover_the_passage_and_know_their_energy():
    times, down = continued(Beats(TIMES, np.arange(len(TIMES)) % 3 + 1, 3), 24.0)
    assert times[0] <= 0 and times[-1] >= 24.0 and down[0] and down[-1]
    assert set(np.diff(np.flatnonzero(down))) == {3}
    audio = clicks()
    loud = Audio(audio.samples * np.linspace(0.05, 1.0, audio.samples.shape[1], dtype=np.float32), audio.rate)
    bars = bars_of(loud, BEATS, 24.0)
    assert bars.energy[-3:].mean() > bars.energy[:3].mean() + 0.2
    assert bars.grid[bars.edges[0]] <= 0 <= bars.grid[bars.edges[1]] and bars.grid[bars.edges[-1]] >= 24.0 - 1e-6
    two = bars_of(None, Beats(TIMES, np.arange(len(TIMES)) % 2 + 1, 2), 24.0)
    assert set(np.diff(two.edges)) == {4}, "two bars of a two are danced as one of a four"
    part = part_of(bars, 5.0, 11.0)
    assert part.grid[part.edges[0]] <= 5.0 and part.grid[part.edges[-1]] >= 11.0 and len(part.alike) == len(part)


def test_the_beats_of_the_moves_fall_on_the_beats_of_the_song(library):
    """Exactly: the seconds of a move at the song's beats are the places of its own beats."""
    bars = bars_of(clicks(), BEATS, 24.0)
    book = Book(library)
    picks = Search(book, bars, Wish(end=24.0), 3).run()
    assert [pick[0] for pick in picks[1:]] == [a + s for a, s, _, _ in picks[:-1]], "phrases follow without a gap"
    for piece, (bar, span, phrases, index) in zip(pieces_of(picks, book, bars), picks):
        clip, ratio = int(phrases.clip[index]), phrases.ratio[index]
        places = book.places[clip][(2.0, phrases.first[index] % 2) if ratio == 2.0 else 1.0]
        met = np.interp(piece.moment(bars.times(bar, span)), places, np.arange(len(places)))
        wanted = phrases.first[index] + ratio * np.arange(len(met))
        assert np.abs(met - wanted).max() < 1e-6
    motion, _, seams = perform(pieces_of(picks, book, bars), 0.0, 24 * 60)
    step = jumps(motion)
    near = np.concatenate([step[max(0, int(s * 60) - 2):int(s * 60) + 3] for s in seams])
    assert len(seams) >= 4 and near.max() < 1.3 * np.percentile(step, 99.5), "no jump where phrases meet"


def test_seeds_lengths_energy_and_variations(model, library):
    audio = clicks()
    one, two = model.generate(audio, beats=BEATS, seed=3, variations=2)
    again = model.generate(audio, beats=BEATS, seed=4)[0]
    assert len(one) == 1440 and one.fps == 60 and np.array_equal(two.rotations, again.rotations)
    assert np.abs(one.rotations - two.rotations).max() > 0.2
    short = model.generate(audio, beats=BEATS, start=2.0, duration=1.5)[0]
    assert len(short) == 90
    assert len(model.generate(audio, duration=5.0)[0]) == 300, "without beats, at the tempo of the moves"
    waltz = Beats(TIMES, np.arange(len(TIMES)) % 3 + 1, 3)
    assert len(model.generate(audio, beats=waltz)[0]) == 1440
    styled = model.moves(SimpleNamespace(folder=None, actions=None, genre="pop"))
    assert styled.styles == ["pop"]
    for words, changes in (("unknown", {"genre": "tango"}), ("at least", {"duration": 0.2}),
                           ("are left", {"duration": 60.0})):
        with pytest.raises(BadInput, match=words):
            model.generate(audio, beats=BEATS, **changes)


def test_feet_stay_and_nothing_sinks(model):
    from models.lab.evaluation.dance_cascade.scoring import planted
    motion = model.generate(clicks(), beats=BEATS, seed=5)[0]
    slides = slide_metres(motion.positions(), planted(motion), motion.fps)
    assert np.mean(slides) < 0.015 and motion.positions()[..., 2].min() > -0.011


def test_in_place_along_a_path_and_round(model):
    audio = clicks()
    stays = model.generate(audio, beats=BEATS, in_place=True, feet=False)[0]
    assert np.abs(stays.root[:, :2]).max() < 0.6
    walks = model.generate(audio, beats=BEATS, path=[(0, 0), (3, 0), (3, 2)], feet=False)[0]
    assert np.linalg.norm(walks.root[-1, :2] - walks.root[0, :2] - [3, 2]) < 0.5
    loop = model.generate(audio, beats=BEATS, loop=True, duration=len(TIMES[TIMES < 17]) // 8 * 8 * 60 / BPM)[0]
    last = np.linalg.norm(loop.positions()[0] - loop.positions()[-1], axis=-1).max()
    assert last < 3 * np.percentile(jumps(loop), 95)


def test_kept_ranges_are_exact_and_dances_grow_out_of_motion(model):
    audio, plan = clicks(), make_plan("dance", 5, genre="house", duration=24.0)
    studio = dance(plan).moved(0.6, after=(2.0, 1.0)).resampled(60.0)
    motion = model.generate(audio, beats=BEATS, keep=(studio, [(0.0, 8.0), (16.0, 24.0)]))[0]
    for start, stop in ((0, 480), (960, len(studio))):
        assert np.array_equal(motion.rotations[start:stop], studio.rotations[start:stop])
        assert np.array_equal(motion.root[start:stop], studio.root[start:stop])
    assert np.abs(motion.rotations[600:900] - studio.rotations[600:900]).max() > 0.05
    assert jumps(motion)[[478, 479, 480, 958, 959, 960]].max() < 0.12
    seed = studio.slice(100, 190)
    grown = model.generate(audio, beats=BEATS, grow=seed, duration=6.0)[0]
    whole = Motion(np.concatenate([seed.rotations[-1:], grown.rotations]), np.concatenate([seed.root[-1:], grown.root]),
                   60.0)
    assert len(grown) == 360 and jumps(whole)[0] < 0.06


def test_cancel_and_progress(model):
    answers = iter([False, False, True])
    with pytest.raises(Cancelled):
        model.generate(clicks(), beats=BEATS, should_cancel=lambda: next(answers))
    told = []
    model.generate(clicks(), beats=BEATS, variations=2, progress=lambda phase, part, text: told.append(part))
    assert told == sorted(told) and told[-1] < 1


def test_ones_own_moves_with_marked_and_with_found_beats(library, tmp_path):
    clip = library.clips[0]
    marked = own_library((Move("jig", clip.motion, Beats(clip.beats.times, clip.beats.positions)),))
    assert marked.clips[0].sure and np.allclose(marked.clips[0].beats.times, clip.beats.times)
    book = Book(marked)
    assert np.array_equal(book.places[0][1.0], clip.beats.times), "what was told is not moved"
    with pytest.raises(BadInput, match="[Nn]o beat"):
        own_library((Move("still", rest_motion(20)),))
    write_bvh(tmp_path / "jig.bvh", clip.motion)
    lines = (f"{t:.3f} {p}" for t, p in zip(clip.beats.times, clip.beats.positions))
    (tmp_path / "jig.beats.txt").write_text("\n".join(lines))
    (tmp_path / "broken.bvh").write_text("HIERARCHY\n")
    told = []
    moves = read_moves(tmp_path, told.append)
    assert [move.name for move in moves] == ["jig"] and len(told) == 1 and "broken.bvh" in told[0]
    assert read_moves(tmp_path, told.append)[0] is moves[0], "kept while the file is the same"
    assert np.allclose(moves[0].beats.times, clip.beats.times, atol=1e-3)
    (tmp_path / "empty").mkdir()
    for words, folder in (("No motion files", tmp_path / "empty"), ("not there", tmp_path / "nowhere")):
        with pytest.raises(BadInput, match=words):
            read_moves(folder)


def test_a_dance_is_made_of_the_users_moves_alone(library, model):
    from models.repertoire.pipeline import usual_tempo
    moves = [Move("one", library.clips[0].motion, library.clips[0].beats)]
    told = []
    motion = model.generate(clicks(), beats=BEATS, folder=moves, notify=told.append)[0]
    assert len(motion) == 1440 and not told
    fast = Beats(np.arange(0.2, 24, 60 / 150), np.arange(60) % 4 + 1)
    model.generate(clicks(), beats=fast, actions=moves, notify=told.append)
    tempo = usual_tempo(own_library(tuple(moves)))
    assert min(abs(150 / tempo * ratio - 1) for ratio in (0.5, 1, 2)) > LIMIT
    assert len(told) == 1 and "of their speed" in told[0]


@pytest.mark.parametrize("seconds", [12.0])
def test_found_beats_of_a_move_are_its_steady_grid(library, seconds):
    """By the shipped network, as a user's unmarked move is labelled."""
    from core import checkpoints
    if checkpoints.find("rhythm", "body", required=False) is None:
        pytest.skip("no body network")
    clip = library.clips[0]
    found = label(Move("jig", clip.motion.slice(0, int(seconds * 60))))[0]
    assert not found.sure and np.diff(found.beats.times).std() < 0.02
    assert min(abs(np.log2(found.beats.tempo_bpm / clip.beats.tempo_bpm) - k) for k in (-1, 0, 1)) < 0.06


def test_the_row_names_what_the_model_takes():
    from dataclasses import fields

    from models.repertoire.settings import Settings
    row = registry.systems()["my_moves"]
    known = {field.name for field in fields(Settings)}
    assert {name for name, setting in row.settings.items() if setting.by == "model"} <= known
    assert row.settings["folder"].flag == "--moves" and row.settings["actions"].needed
