"""The steady grid, and the choice between it and beats followed one by one."""
import numpy as np
import pytest

from core.errors import BadInput
from core.rhythm import tempo
from core.rhythm.beats import Beats, rhythm_curve
from core.rhythm.decoder import decode
from core.rhythm.steady import Evidence, Grid, Section, drifting, straight
from models.lab.metrics.beat_align import beat_f1_70ms

FPS = 30.0


def activations(times, seconds, rng=None, noise=0.0, strength=1.0):
    """What a network would say of beats at `times`, with smooth noise of the given size in its phase."""
    curve = rhythm_curve(times, [], int(seconds * FPS), FPS)
    out = np.concatenate([0.9 * curve[:, :1], np.zeros((len(curve), 1)), curve[:, 2:4]], axis=1) * strength
    if noise:
        rough = rng.normal(size=(len(out), 2))
        smooth = np.stack([np.convolve(column, np.hanning(15), mode="same") for column in rough.T], 1)
        out[:, 2:] += noise * smooth / smooth.std()
        out[:, 0] = np.clip(out[:, 0] * 0.5 + 0.2 * np.abs(rng.normal(size=len(out))), 0, 1)
        out[:, 2:] /= np.maximum(np.linalg.norm(out[:, 2:], axis=1, keepdims=True), 1.0)
    return out


@pytest.mark.parametrize("bpm", [52.0, 97.3, 165.4, 201.0])
def test_one_tempo_is_found_to_a_tenth_of_a_beat_a_minute(bpm):
    times = 0.31 + np.arange(int(40 * bpm / 60)) * 60 / bpm
    grid = straight(Evidence(activations(times, 40), FPS))
    assert abs(grid.bpm - bpm) < 0.1 and grid.strength > 0.85
    assert np.abs(grid.beats()[:, None] - times[3:-3][None]).min(0).max() < 0.02


def test_noise_that_pulls_the_decoder_about_does_not_pull_the_grid():
    rng = np.random.default_rng(3)
    times = 0.2 + np.arange(int(30 * 165 / 60)) * 60 / 165
    noisy = activations(times, 30, rng, noise=1.0, strength=0.5)
    followed = tempo.find(noisy, FPS, part="body", mode="follow")
    chosen = tempo.find(noisy, FPS, part="body")
    assert chosen.extra["tempo"]["chosen"] == "steady"
    assert beat_f1_70ms(chosen.times, times) > 0.97 > beat_f1_70ms(followed.times, times)
    spread = np.diff(chosen.times).std() / np.diff(chosen.times).mean()
    assert spread < 0.005


def test_a_tempo_that_creeps_is_followed_by_the_drifting_grid():
    times = np.cumsum(60 / np.linspace(90, 112, 80))
    seconds = times[-1] + 0.5
    found = tempo.find(activations(times, seconds), FPS, part="music")
    assert found.extra["tempo"]["chosen"] == "drifting" and beat_f1_70ms(found.times, times) > 0.97
    assert len(found.extra["tempo"]["sections"]) == 1


def test_beats_of_an_ensemble_are_leaned_to_where_they_are_heard():
    index = np.arange(60)
    grid = 0.4 + 0.5 * index
    played = grid + 0.09 * np.sin(2 * np.pi * index / 14)
    heard = np.sort(np.concatenate([np.delete(played, [7, 30, 31]), played[20:25] + 0.24]))     # missed, extra
    moved = tempo.leaned(grid, heard)
    assert len(moved) == len(grid) and (np.diff(moved) > 0).all()
    assert np.abs(moved - played).max() < 0.04 < 0.08 < np.abs(grid - played).max()
    assert (tempo.leaned(grid, heard[:1]) == grid).all() and len(tempo.leaned(grid[:0], heard)) == 0


def test_a_drifting_grid_of_music_leans_and_that_of_a_body_does_not(monkeypatch):
    index = np.arange(80)
    times = np.cumsum(60 / np.linspace(88, 108, 80)) + 0.045 * np.sin(2 * np.pi * index / 6.2)
    seen = activations(times, times[-1] + 0.5, strength=0.55)
    found = {part: tempo.find(seen, FPS, part=part) for part in ("music", "body")}
    monkeypatch.setattr(tempo, "LEANING", ())
    stiff = tempo.find(seen, FPS, part="music")
    assert found["music"].extra["tempo"]["chosen"] == stiff.extra["tempo"]["chosen"] == "drifting"
    off = {name: np.abs(b.times[:, None] - times[None]).min(1).mean() for name, b in {**found, "stiff": stiff}.items()}
    assert off["music"] < 0.8 * off["stiff"]
    assert np.array_equal(found["body"].times, tempo.find(seen, FPS, part="body").times)


def test_beats_stay_at_the_level_of_their_guide():
    times = 0.3 + np.arange(80) * 60 / 160
    seen = activations(times, times[-1] + 0.5)
    seen[:, 2:] = 0.0                                                               # both levels are as good
    for step, bpm in ((1, 160), (2, 80)):
        found = decode(seen, FPS, guide=times[::step] + 0.01)
        assert abs(found.tempo_bpm - bpm) < 2


def test_two_songs_cut_together_are_two_sections():
    first, second = np.arange(0.2, 25, 60 / 96), np.arange(25.1, 50, 60 / 128)
    times = np.concatenate([first, second])
    grid = drifting(Evidence(activations(times, 50), FPS))
    assert [round(section.bpm) for section in grid.sections] == [96, 128]
    assert abs(grid.sections[1].start - 25) <= 1.5
    assert beat_f1_70ms(grid.beats(), times) > 0.95


@pytest.mark.parametrize(("tempi", "brought"), [((60.0, 124.0), (60.0, 62.0)), ((120.0, 63.0), (120.0, 126.0)),
                                                ((100.0, 150.0), (100.0, 150.0))])
def test_sections_at_two_levels_are_brought_to_one(tempi, brought):
    """More than 1.8 times the tempo from one section to the next is one tempo, read at two levels."""
    edges = ((0.0, 30.0), (30.0, 50.0))
    sections = tuple(Section(np.array(edge), np.array(edge) * bpm / 60) for edge, bpm in zip(edges, tempi))
    found = tempo.one_level(Grid(sections, 0.8, 0.8))
    assert [section.bpm for section in found.sections] == pytest.approx(brought)


def test_a_dance_to_two_songs_is_no_dance_without_a_beat():
    """Over the cut neither tempo is strong; each half is."""
    rng = np.random.default_rng(5)
    times = np.concatenate([np.arange(0.2, 13, 60 / 182.4), np.arange(13.1, 35, 60 / 160.3)])
    found = tempo.find(activations(times, 35, rng, noise=1.0, strength=0.6), FPS, part="body")
    assert [round(bpm) for _, bpm in found.extra["tempo"]["sections"]] == [182, 160]
    assert beat_f1_70ms(found.times, times) > 0.95
    # One who strays by less than another song would is held to one tempo.
    times = np.concatenate([np.arange(0.2, 15, 60 / 165), np.arange(15.1, 32, 60 / 168)])
    found = tempo.find(activations(times, 32, rng, noise=1.0, strength=0.6), FPS, part="body")
    assert len(found.extra["tempo"]["sections"]) == 1


def test_rubato_from_beat_to_beat_is_followed():
    rng = np.random.default_rng(0)
    times = np.cumsum(0.55 * np.exp(0.22 * rng.normal(size=60)))
    found = tempo.find(activations(times, times[-1] + 0.5), FPS, part="music")
    assert found.extra["tempo"]["chosen"] == "follow" and beat_f1_70ms(found.times, times) > 0.85


def test_the_users_modes():
    times = 0.4 + np.arange(80) * 60 / 120.5
    seen = activations(times, 40)
    assert tempo.find(seen, FPS, part="body", mode="fixed", bpm=120).tempo_bpm == pytest.approx(120.5, abs=0.2)
    assert tempo.find(seen, FPS, part="body", mode="fixed", bpm=60).tempo_bpm == pytest.approx(60.25, abs=0.2)
    assert tempo.find(seen, FPS, part="body", mode="follow").extra["tempo"]["chosen"] == "follow"
    own = Beats([1.0, 2.0, 3.0], [1, 2, 3], 3)
    assert tempo.find(seen, FPS, part="body", beats=own).times.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(BadInput, match="fixed tempo"):
        tempo.find(seen, FPS, part="body", mode="fixed")
    with pytest.raises(BadInput, match="markers"):
        tempo.find(seen, FPS, part="body", mode="markers")


@pytest.mark.parametrize("bpm", [71.0, 90.0, 100.0, 133.0])
def test_a_given_tempo_is_kept_where_no_beat_is_clear(bpm):
    seen = activations([], 12, np.random.default_rng(1), noise=0.1)
    assert tempo.find(seen, FPS, part="music", mode="fixed", bpm=bpm).tempo_bpm == pytest.approx(bpm, abs=0.51)
    clear = activations(0.3 + np.arange(100) * 60 / (1.02 * bpm), 12)
    refined = tempo.find(clear, FPS, part="music", mode="fixed", bpm=bpm).tempo_bpm
    assert refined == pytest.approx(1.02 * bpm, abs=0.4)


def test_the_level_comes_to_lie_in_the_usual_range():
    times = 0.4 + np.arange(100) * 60 / 160
    seen = activations(times, 37)
    seen[:, 1] = rhythm_curve(times, times[1::4], len(seen), FPS)[:, 1]      # downbeats at odd places: those must stay
    assert tempo.find(seen, FPS, part="music", usual=(50, 150)).tempo_bpm == pytest.approx(160, abs=0.3)     # soft ends
    halved = tempo.find(seen, FPS, part="music", usual=(50, 140))
    assert halved.tempo_bpm == pytest.approx(80, abs=0.2)
    assert halved.extra["tempo"]["sections"][0][1] == pytest.approx(80, abs=0.2)        # on the level of the beats
    assert np.abs(halved.times[:, None] - times[1::4][None]).min(0).max() < 0.05
    assert tempo.find(seen, FPS, part="music", usual=(150, 180)).tempo_bpm == pytest.approx(160, abs=0.3)
    assert tempo.find(seen, FPS, part="music", usual=(300, 340)).tempo_bpm == pytest.approx(320, abs=0.6)


def test_bars_of_an_odd_number_are_not_halved():
    times = 0.4 + np.arange(100) * 60 / 180
    seen = activations(times, 34)

    def bars(metre):
        return lambda found: (np.where(np.arange(len(found)) % metre == 0, 3.0, -3.0), {3: -4.0, 4: -4.0, metre: 0.0})
    for metre, bpm in ((3, 180), (4, 90), (6, 180), (9, 180)):
        found = tempo.find(seen, FPS, part="music", usual=(50, 140), bars=bars(metre))
        assert found.metre in (metre, metre // 2) and found.tempo_bpm == pytest.approx(bpm, abs=0.5)
    asked = tempo.find(seen, FPS, part="music", usual=(50, 140), bars=bars(3), mode="fixed", bpm=90)
    assert asked.tempo_bpm == pytest.approx(90, abs=0.5)                   # what the user fixes is kept


def test_nothing_to_go_by_gives_no_beats():
    assert len(tempo.find(np.zeros((1, 4)), FPS, part="body")) == 0


def test_a_body_that_is_hardly_heard_gets_a_grid_and_not_its_doubts():
    rng = np.random.default_rng(3)
    steps = np.cumsum(rng.choice([-1, 1], 11) * rng.uniform(0.1, 0.25, 11))
    octaves = np.interp(np.arange(600), np.arange(0, 660, 60), steps)
    turn = np.cumsum(160 * np.exp(octaves - octaves.mean()) / 60 / FPS)
    phase = 0.3 * np.stack([np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)], 1) + rng.normal(0, 0.35, (600, 2))
    phase /= np.maximum(np.linalg.norm(phase, axis=1, keepdims=True), 1.0)
    beat = 0.1 + 0.25 * np.exp(-0.5 * ((turn - np.round(turn)) / 0.08) ** 2)
    weak = np.concatenate([beat[:, None], 0.3 * beat[:, None], phase], 1)
    options = {"part": "body", "asked": "traveller"}
    followed = np.diff(tempo.find(weak, FPS, mode="follow", **options).times)
    found = tempo.find(weak, FPS, **options)
    assert followed.std() / followed.mean() > 0.15 and found.extra["tempo"]["chosen"] == "steady"
    assert np.diff(found.times).std() < 1e-6
