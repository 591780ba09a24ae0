"""The shipped dancer, where its checkpoints are: it follows beats, stands on its feet, and its seeds and styles
differ."""
import numpy as np
import pytest
import torch
from dance_fixtures import clicks

from core import checkpoints
from core.contract import GENRES
from core.rhythm.beats import Beats
from models.dance_cascade.config import STYLES
from models.lab.evaluation.dance_cascade import scoring
from models.lab.evaluation.dance_cascade.evaluate import half_beat_later

pytestmark = pytest.mark.skipif(not checkpoints.has("dance_cascade", ("encoder", "base", "super_resolution")),
                                reason="the dancer's checkpoints are not here")
TIMES = np.arange(0.25, 12.0, 60 / 116)
BEATS = Beats(TIMES, np.arange(len(TIMES)) % 4 + 1)


@pytest.fixture(scope="module")
def dancer():
    torch.set_num_threads(1)
    from models.dance_cascade.pipeline import Dancer
    return Dancer.load()


@pytest.fixture(scope="module")
def dances(dancer):
    sound = clicks(TIMES, 12.0)
    return {genre: dancer.generate(sound, beats=BEATS, genre=genre, seed=1)[0] for genre in ("house", "salsa", "waack")}


def test_it_follows_the_beats_it_is_given(dancer, dances):
    right = scoring.alignment([dances["house"]], [BEATS])
    late = half_beat_later(BEATS)
    moved = scoring.alignment([dancer.generate(clicks(TIMES, 12.0), beats=late, genre="house", seed=1)[0]], [late])
    wrong = scoring.alignment([dances["house"]], [late])
    assert min(right["lift_lagged"], moved["lift_lagged"]) > 0.4 and right["lift"] > wrong["lift"] + 0.2


def test_the_default_guidance_takes_one_pass_of_the_network_that_was_taught_it(dancer):
    config = dancer.base.config
    assert dancer.base.taught == (config.guidance_scale, config.beat_guidance)


def test_feet_floor_and_liveliness(dances):
    for motion in dances.values():
        row = scoring.quality([motion])
        assert row["slide_cm"] < 2.0 and row["below_floor_cm"] < 1.0 and row["joint_speed"] > 0.15
        assert 0.6 < np.median(motion.root[:, 2]) < 1.05


def test_styles_and_seeds_differ(dancer, dances):
    other = dancer.generate(clicks(TIMES, 12.0), beats=BEATS, genre="house", seed=2)[0]
    assert scoring.seed_distance([(dances["house"], other)]) > 0.05
    assert scoring.seed_distance([(dances["house"], dances["salsa"])]) > 0.05 and len(STYLES) == 16


def test_the_recipe_tells_the_style_that_was_chosen():
    from core import pipelines
    dancing = pipelines.open_pipeline("dance_cascade", None, "cpu")
    sound = clicks(TIMES, 4.0)
    made = dancing.generate(sound, beats=BEATS.within(0.0, 4.0), steps=2, seed=3)
    chosen = made.recipe["settings"]["genre"]
    assert chosen in GENRES and "genre_audio" in made.recipe["checkpoints"]
    again = dancing.generate(sound, beats=BEATS.within(0.0, 4.0), steps=2, seed=3, genre=chosen)
    assert np.array_equal(again.motion.rotations, made.motion.rotations) and again.recipe["settings"]["genre"] == chosen
