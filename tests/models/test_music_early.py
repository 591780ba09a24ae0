"""The first seconds of a long take: heard before the rest is made, and what the take then begins with."""
import numpy as np
import pytest

from core.audio import Audio
from core.audio.mel import log_mel, model_mono
from core.errors import Cancelled
from models.music_ldm.early import HEARD_SECONDS, LONG_SECONDS, joined
from tests.models.music_fixtures import model, moving_motion, trained  # noqa: F401

SECONDS, RATE = LONG_SECONDS + 4.0, 48_000
ASKED = dict(genre="house", duration=SECONDS, steps=2, seed=3)


@pytest.fixture(scope="module")
def motion():
    return moving_motion(int(SECONDS * 30))


def test_what_is_heard_early_is_what_the_take_begins_with(model, motion):  # noqa: F811
    heard, told = [], []
    takes = model.generate(motion, **ASKED, variations=2, on_first=lambda samples: heard.append((samples, len(told))),
                           progress=lambda phase, fraction=None, detail="": told.append(fraction))
    (first, when), = heard
    assert first.shape == (2, int(HEARD_SECONDS * RATE)) and 0 < when < len(told) - 2       # before the rest
    assert [take.shape for take in takes] == [(2, int(SECONDS * RATE))] * 2
    assert told == sorted(told) and told[-1] == 1.0
    # Griffin-Lim finds other phases for another length: the mels are compared, half a second from the join.
    mels = [log_mel(model_mono(Audio(part[:, RATE:9 * RATE], RATE))).ravel() for part in (first, *takes)]
    alike, other = (np.abs(mels[0] - mel).mean() for mel in mels[1:])
    assert alike < 0.25 and alike < 0.5 * other


def test_the_same_seed_gives_the_same_again(model, motion):  # noqa: F811
    twice = [model.generate(motion, **ASKED, on_first=lambda samples: None)[0] for _ in range(2)]
    assert np.array_equal(*twice)


@pytest.mark.parametrize("changes", [{"duration": LONG_SECONDS}, {"loop": True}, {"on_first": None}])
def test_it_is_for_long_takes_that_are_made_whole(model, motion, changes):  # noqa: F811
    heard = []
    asked = {**ASKED, "on_first": heard.append, **changes}
    take = model.generate(motion, **asked)[0]
    assert heard == [] and np.array_equal(take, model.generate(motion, **{**asked, "on_first": None})[0])


def test_cancel_is_heard_while_the_beginning_is_made(model, motion):  # noqa: F811
    asked, heard = [], []
    with pytest.raises(Cancelled):
        model.generate(motion, **ASKED, on_first=heard.append, should_cancel=lambda: asked.append(1) or len(asked) > 3)
    assert heard == []


def test_what_was_heard_is_not_made_twice(model, motion):  # noqa: F811
    """A take costs at most one window more a step than one without an early beginning, and begins with what was
    heard."""
    rows, heard = [], []
    hook = model.denoiser.register_forward_pre_hook(lambda network, given: rows.append(len(given[0])))
    try:
        model.generate(motion, **ASKED)
        plain, rows[:] = sum(rows), []
        take = model.generate(motion, **ASKED, on_first=heard.append)[0]
    finally:
        hook.remove()
    assert sum(rows) <= plain + 2 * ASKED["steps"] + 2          # each step with and without guidance; an encoding
    assert np.array_equal(heard[0][:, :8 * RATE], take[:, :8 * RATE])


def test_the_join_keeps_the_level():
    """Of sounds that are alike and of sounds that are not."""
    rng = np.random.default_rng(1)
    for alike in (True, False):
        first = rng.standard_normal((2, 12 * RATE)).astype(np.float32)
        rest = first[:, 7 * RATE:] if alike else rng.standard_normal((2, 9 * RATE)).astype(np.float32)
        whole = joined(first, rest, 7 * RATE, RATE)
        assert whole.shape[1] == 7 * RATE + rest.shape[1]
        level = np.sqrt((whole.reshape(2, -1, RATE // 20) ** 2).mean(axis=(0, 2)))
        assert level.min() > 0.9 and level.max() < 1.1
