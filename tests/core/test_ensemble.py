"""core.body.ensemble: unison, mirrored, canon, own seeds, places."""
import numpy as np
import pytest

from core.body.ensemble import MODES, SHAPES, about_start, delayed, group, places
from core.errors import BadInput
from models.lab.studio.dancer import dance
from models.lab.studio.plan import make_plan


@pytest.fixture(scope="module")
def motion():
    return dance(make_plan("dance", 5, genre="house", duration=5.0)).moved(0.5, after=(1.0, 2.0))


def test_unison_is_the_same_dance_at_other_places(motion):
    dancers = group([motion], "unison", 4, spacing=1.2)
    gaps = [dancer.root[:, :2] - motion.root[:, :2] for dancer in dancers]
    assert all(np.allclose(gap, gap[0], atol=1e-5) for gap in gaps)
    assert [round(float(gap[0, 0]), 3) for gap in gaps] == [0, 1.2, -1.2, 2.4]
    assert all(np.array_equal(dancer.rotations, motion.rotations) for dancer in dancers)


def test_every_second_one_is_a_mirror_image_from_the_same_start(motion):
    image = about_start(motion)
    assert np.allclose(image.root[0], motion.root[0], atol=1e-5) and abs(image.heading(0) - motion.heading(0)) < 1e-3
    assert np.abs(about_start(image).positions() - motion.positions()).max() < 1e-3
    dancers = group([motion], "mirrored", 3, spacing=0.0)
    assert np.abs(dancers[1].positions() - image.positions()).max() < 1e-4
    assert np.allclose(dancers[2].root, motion.root, atol=1e-5)


def test_a_canon_follows_a_bar_behind(motion):
    dancers = group([motion], "canon", 3, spacing=2.0, delay=1.0)
    assert np.array_equal(dancers[2].rotations[60:], motion.rotations[:-60])
    assert len(delayed(motion, 99.0)) == len(motion)


def test_own_seeds_need_as_many_dances(motion):
    assert np.array_equal(group([motion, motion.mirrored()], "own", 2)[1].rotations, motion.mirrored().rotations)
    with pytest.raises(BadInput, match="variations"):
        group([motion], "own", 2)
    with pytest.raises(BadInput, match="9 dancers"):
        group([motion], "unison", 9)
    with pytest.raises(BadInput, match="round"):
        group([motion], "round", 2)


@pytest.mark.parametrize("shape", SHAPES)
def test_dancers_keep_their_distance(shape):
    for count in range(2, 9):
        spots = places(count, 1.5, shape)
        apart = np.linalg.norm(spots[:, None] - spots[None], axis=-1) + np.eye(count) * 9
        assert apart.min() > 1.49 and np.allclose(spots[0], 0)
    assert len(MODES) == 4
