"""Who moves without a beat is told none, and who dances keeps it."""
import numpy as np
import pytest

from core.body.motion import Motion, rest_motion
from core.rhythm import tempo
from models.lab.evaluation.beatless import FPS, fidgets, gesticulation, noise, sways
from models.lab.studio.dancer import dance
from models.lab.studio.plan import make_plan
from models.rhythm.bodies import LEGS, rests, travels
from models.rhythm.detect import detect_body_beats


def told(body):
    return detect_body_beats(body).extra["tempo"]["chosen"] != "none"


@pytest.mark.parametrize("make", [gesticulation, noise])
def test_half_a_minute_without_a_beat(make):
    """By chance a body of these still finds one in some of the seeds (docs/results.md)."""
    assert sum(told(make(np.random.default_rng([seed, len(make.__name__)]), 30.0)) for seed in range(3)) <= 1


def test_gestures_are_told_no_beat_and_arms_that_dance_keep_theirs():
    """Hips and legs are still in both: six seconds of gestures by chance have one in an eighth of the seeds."""
    assert rests(gesticulation(np.random.default_rng(5), 6.0))
    for seconds in (6.0, 12.0):
        assert sum(told(gesticulation(np.random.default_rng([seed, 13]), seconds)) for seed in range(8)) <= 2
    whole = dance(make_plan("dance", 301, genre="pop", duration=6.0))
    turns = whole.rotations.copy()
    turns[:, LEGS] = rest_motion(1).rotations[:, LEGS]
    arms = Motion(turns, np.repeat(rest_motion(1).root, len(whole), axis=0), whole.fps)
    assert not rests(whole) and rests(arms) and told(arms)


def test_idle_and_short():
    assert not told(fidgets(np.random.default_rng(1), 12.0))


@pytest.mark.parametrize("genre,seed", [("krump", 4), ("ballet-jazz", 8)])
def test_dances_keep_their_beats(genre, seed):
    assert told(dance(make_plan("dance", seed, genre=genre, duration=12.0)))


def test_who_carries_the_weight_about_is_asked_less():
    """A long dance of a weak beat keeps it; the same sways on the spot are told none."""
    for seed in range(3):
        body = noise(np.random.default_rng([seed, 5]), 30.0)
        time = np.arange(len(body)) / FPS
        path = np.stack([0.5 * np.sin(time), 0.4 * np.cos(1.3 * time), 0 * time], axis=1)
        assert not travels(body)
        carried = Motion(body.rotations, (body.root + path).astype(np.float32), FPS)
        assert travels(carried) and told(carried)


def test_the_longer_a_passage_the_more_is_asked():
    short, middle, long = (tempo.pulse("body", seconds) for seconds in (3.0, 9.0, 60.0))
    assert all(a < b <= c for a, b, c in zip(short, middle, long))
    assert tempo.pulse("music", 6.0)[0] > tempo.pulse("music", 12.0)[0] > tempo.pulse("music", 300.0)[0]


def test_bodies_without_a_beat_are_bodies():
    for make in (gesticulation, noise, fidgets, sways):
        body = make(np.random.default_rng(3), 6.0)
        assert len(body) == 6 * FPS and np.isfinite(body.rotations).all() and np.isfinite(body.root).all()
        assert np.allclose(np.linalg.det(body.rotations), 1.0, atol=1e-3)
