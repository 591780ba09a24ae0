"""Soft endings are bowed to; loud ones that ring on, and music that goes on, are not."""
import numpy as np
import pytest

from core.body.kinematics import forward_kinematics
from core.body.motion import rest_motion
from models.conductor.ending import DEEPEST, bowed, bows, ends


def levels(*parts):
    """A track's level (T, 2) from (seconds, level at their end) after a beginning at 0.8."""
    times = np.cumsum([0.0] + [seconds for seconds, _ in parts])
    loud = np.interp(np.arange(int(times[-1] * 30)) / 30, times, [0.8] + [value for _, value in parts])
    return np.repeat(loud[:, None], 2, axis=1)


@pytest.mark.parametrize("parts, least, most", [
    (((20, 0.8), (6, 0.45), (4, 0.4)), 0.8, 1.0),       # it dies away
    (((20, 0.8), (4, 0.62), (4, 0.62)), 0.2, 0.8),
    (((24, 0.9), (1.5, 0.0), (3, 0.0)), 0.0, 0.0),      # a loud last chord rings on
    (((30, 0.9),), 0.0, 0.0),                           # the recording is cut
    (((20, 0.8), (0.1, 0.4), (10, 0.4)), 0.8, 1.0)])
def test_the_head_bows_to_a_soft_ending_only(parts, least, most):
    level = levels(*parts)
    angle = bows(level, 0, len(level))
    assert least * DEEPEST <= angle[-1] <= most * DEEPEST and not angle[:-100].any()
    assert np.abs(np.diff(angle)).max() * 30 < 0.6                              # rad/s: no nod
    assert np.allclose(bows(level, 300, 60), angle[300:360])                    # a passage of it
    assert len(bows(level, len(level) - 10, 50)) == 50


def test_the_head_rises_for_the_next_movement():
    level = levels((20, 0.8), (6, 0.45), (4, 0.4), (0.1, 0.0), (3, 0.0), (0.1, 0.8), (20, 0.8))
    (end, following), (last, none) = ends(level)
    assert 3 < (following - end) / 30 < 3.4 and last == len(level) - 1 and none == len(level)
    angle = bows(level, 0, len(level))
    assert angle[end] > 0.8 * DEEPEST and not angle[following:].any()
    assert not bows(np.zeros((90, 2)), 0, 90).any() and ends(np.zeros((90, 2))) == []


def test_a_bow_is_of_the_head_and_the_trunk_joins_it():
    motion = rest_motion(3)
    made = bowed(motion, np.array([0.0, 0.1, 0.3]))
    places, turns = forward_kinematics(made.rotations, made.root)
    down = np.arcsin(-turns[:, 15, 2, 2])
    assert np.allclose(down - down[0], [0.0, 0.115, 0.345], atol=0.01)
    assert np.array_equal(made.rotations[0], motion.rotations[0])
    trunk = places[:, 12] - places[:, 3]
    lean = np.arctan2(-trunk[:, 1], trunk[:, 2])                                # forward is -y
    assert 0.05 < lean[2] - lean[0] < 0.12                                      # rad, of 0.3
    assert np.abs(places[2, :12] - motion.positions()[2, :12]).max() < 0.04     # pelvis and legs stay
    assert bowed(motion, np.zeros(3)) is motion
