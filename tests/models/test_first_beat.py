"""A beat on the first sample is found, silence has none, and two claps are no pulse."""
import numpy as np
import pytest

from core import checkpoints
from core.audio import Audio
from core.pipelines.beats import find_beats
from core.rhythm.beats import Beats
from core.rhythm.sounding import heard, sounding

RATE = 22_050


def clicks(times, seconds):
    sound, t = np.zeros(int(seconds * RATE), dtype=np.float32), np.arange(RATE // 20) / RATE
    click = 0.7 * np.sin(2 * np.pi * 1000 * t) * np.exp(-60 * t)
    for time in times:
        first = round(time * RATE)
        count = min(len(click), len(sound) - first)
        sound[first:first + count] += click[:count]
    return Audio(sound, RATE)


@pytest.fixture
def trained():
    if checkpoints.find("rhythm", "music", required=False) is None:
        pytest.skip("no weights here")


@pytest.mark.parametrize("tempo", ["auto", "follow"])
@pytest.mark.parametrize("bpm", [97.0, 120.0])
def test_a_beat_on_the_first_sample(trained, tempo, bpm):
    beats = find_beats(clicks(np.arange(0, 12, 60 / bpm), 12), tempo=tempo)
    assert 0 <= beats.times[0] < 0.04 and beats.times[1] == pytest.approx(60 / bpm, abs=0.04)
    assert all(at >= 0 for at, _ in beats.extra["tempo"]["sections"])


def test_silence_before_the_music_has_no_beats(trained):
    notes = []
    beats = find_beats(clicks(np.arange(6, 18, 0.5), 21), notify=notes.append)
    assert beats.times[0] == pytest.approx(6.0, abs=0.05) and beats.times[-1] < 18
    assert len(notes) == 1 and "after 6.0 s of silence" in notes[0]


@pytest.mark.parametrize("times", [(), (5.0,), (5.0, 9.0)])
def test_a_click_or_two_are_no_beat(trained, times):
    notes = []
    assert len(find_beats(clicks(times, 16), notify=notes.append)) == 0
    assert len(notes) == 1 and "No clear beat" in notes[0]


def test_silence_is_not_advised_what_was_chosen(trained):
    notes = []
    assert len(find_beats(clicks((), 8), tempo="steady", notify=notes.append)) == 0
    assert len(notes) == 1 and "Steady" not in notes[0] and "Nothing is heard" in notes[0]


def test_what_is_heard():
    audio = clicks(np.arange(2, 6, 0.5), 8)
    assert not sounding(audio)[:195].any() and sounding(audio)[200:205].all()
    grid = Beats(np.arange(0, 8, 0.5), np.arange(16) % 4 + 1, bars=np.full(16, 4))
    found = heard(grid, audio, lambda sentence: None)
    assert found.times.tolist() == np.arange(2, 6, 0.5).tolist() and len(found.bars) == 8
    assert found.positions.tolist() == grid.positions[4:12].tolist()
    pause = clicks([*np.arange(0, 3, 0.5), *np.arange(6, 8, 0.5)], 8)
    assert len(heard(grid, pause, lambda sentence: None)) == 16, "a pause inside is counted through"
    assert len(heard(grid, Audio(np.zeros(8 * RATE), RATE), lambda sentence: None)) == 0
