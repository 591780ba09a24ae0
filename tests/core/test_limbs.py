"""Limbs that start and stop on a grid vouch for its tempo where no single beat is clear."""
import numpy as np
import pytest

from core.rhythm import tempo
from core.rhythm.limbs import Limbs, vouched

FPS = 30.0


def strokes(seconds, starts, rng, joints=24):
    """Positions (T, J, 3) of joints that each move to a new place at their own `starts(joint)` (s), within 0.25 s."""
    time = np.arange(int(seconds * FPS)) / FPS
    places = np.zeros((len(time), joints, 3))
    for joint in range(joints):
        for start in starts(joint):
            part = np.clip((time - start) / 0.25, 0, 1)[:, None]
            places[:, joint] += rng.normal(0, 0.15, 3) * part ** 2 * (3 - 2 * part)
    return places


def dance(bpm, seconds, rng):
    """Each joint moves on two of three beats, at a place of its own within them."""
    beats = np.arange(0.2, seconds, 60.0 / bpm)
    return strokes(seconds, lambda joint: (beats + rng.uniform(0, 0.5))[rng.random(len(beats)) < 0.67], rng)


def gestures(seconds, rng):
    return strokes(seconds, lambda joint: np.sort(rng.uniform(0, seconds, int(seconds))), rng)


@pytest.mark.parametrize("bpm", [82.0, 95.0, 123.5])
def test_the_tempo_of_strokes_with_phases_of_their_own(bpm):
    found, height = Limbs(dance(bpm, 40.0, np.random.default_rng(3)), FPS).best(60, 160)
    assert found == pytest.approx(bpm, abs=0.25) and vouched(height, 40.0)


@pytest.mark.parametrize("seconds", [8.0, 20.0, 40.0])
def test_strokes_without_a_grid_vouch_for_nothing(seconds):
    for seed in range(4):
        height = Limbs(gestures(seconds, np.random.default_rng(seed)), FPS).best(60, 200)[1]
        assert not vouched(height, seconds)


def doubtful(bpm, seconds, rng):
    """Activations that hardly know the beat: noise, and a little of the phase."""
    time = np.arange(int(seconds * FPS)) / FPS
    turn = 2 * np.pi * (time - 0.2) * bpm / 60.0
    seen = np.clip(0.25 + 0.15 * rng.standard_normal((len(time), 4)), 0, 1)
    seen[:, 2:] = 0.45 * rng.standard_normal((len(time), 2)) + 0.22 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return np.clip(seen, -1, 1)


def test_a_beat_is_found_by_limbs_where_the_network_is_in_doubt():
    rng, bpm, seconds = np.random.default_rng(5), 95.0, 60.0
    seen, limbs = doubtful(bpm, seconds, rng), Limbs(dance(bpm, seconds, rng), FPS)
    found = tempo.find(seen, FPS, part="body", limbs=limbs)
    level = found.extra["tempo"]["bpm"] / bpm           # these strokes end half a beat after they start
    assert found.extra["tempo"]["chosen"] == "steady" and min(abs(level - 1), abs(level - 2)) < 0.002
    period = 60 / (bpm * round(level))
    away = np.abs((found.times - 0.2 + period / 2) % period - period / 2)
    assert away.max() < 0.07, "the phase is the network's"
    assert tempo.find(seen, FPS, part="body").extra["tempo"]["chosen"] == "none", "without limbs there is no beat"
    still = Limbs(gestures(seconds, rng), FPS)
    assert tempo.find(seen, FPS, part="body", limbs=still).extra["tempo"]["chosen"] == "none"


def test_a_network_that_is_sure_is_left_alone():
    rng, seconds = np.random.default_rng(6), 40.0
    time = np.arange(int(seconds * FPS)) / FPS
    turn = 2 * np.pi * time * 120.0 / 60.0
    seen = np.stack([np.cos(turn) > 0.9, 0 * turn, np.cos(turn), np.sin(turn)], axis=1).astype(float)
    found = tempo.find(seen, FPS, part="body", limbs=Limbs(dance(95.0, seconds, rng), FPS))
    assert found.extra["tempo"]["bpm"] == pytest.approx(120.0, abs=0.2)


@pytest.mark.parametrize("bpm", [50.0, 230.0])
def test_a_tempo_that_the_user_names_beyond_what_limbs_are_asked_for(bpm):
    rng, seconds = np.random.default_rng(7), 40.0
    limbs = Limbs(dance(120.0, seconds, rng), FPS)
    found = tempo.find(doubtful(120.0, seconds, rng), FPS, part="body", bpm=bpm, limbs=limbs)
    assert len(found) and abs(found.tempo_bpm / bpm - 1) < 0.2
