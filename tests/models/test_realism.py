"""The judge of realism and the texture it judges: sees a planted difference, falls to chance where there is none."""
import numpy as np
import pytest

from models.lab.evaluation import realism
from models.lab.evaluation.liveliness import liveliness, spread_degrees, turns_a_minute
from models.lab.studio.dancer import dance
from models.lab.studio.dancer_feet import FARTHEST, LEFT_BEHIND, Step, kept_near
from models.lab.studio.plan import make_plan
from models.lab.studio.texture import CHANNELS, WIDTH, library, mirrored, texture


@pytest.fixture(scope="module")
def dances():
    return [dance(make_plan("dance", seed, genre="house", duration=8.0)) for seed in range(16)]


def test_the_judge_sees_what_is_there_and_nothing_else(dances):
    """Half of one set against the other half is at chance; the same with the detail smoothed away is told at once."""
    one, other = (realism.table_of(half, range(8)) for half in (dances[:8], dances[8:]))
    assert realism.separation(one, other)["accuracy"] < 0.66
    planted = realism.table_of([realism.blurred(motion) for motion in dances[8:]], range(8))
    assert realism.separation(one, planted)["accuracy"] > 0.9


def test_windows_do_not_depend_on_where_the_dancer_stands_and_faces(dances):
    moved = dances[0].moved(turn=1.3, after=(2.0, -1.0))
    one, two = (realism.features(*realism.windows(motion)) for motion in (dances[0], moved))
    np.testing.assert_allclose(one, two, atol=0.02)


def test_both_sides_are_matched_in_speed():
    rng = np.random.default_rng(0)
    speeds = np.concatenate([rng.lognormal(0, 0.4, 400), rng.lognormal(0.5, 0.4, 300)])
    labels = np.repeat([0, 1], [400, 300])
    kept = realism.speed_matched(speeds, labels, rng)
    means = [np.log(speeds[kept][labels[kept] == side]).mean() for side in (0, 1)]
    assert abs(means[0] - means[1]) < 0.06 and len(kept) > 300


def test_spreads_and_turns_are_what_they_say():
    angles = np.radians(30) * np.sin(np.arange(300) * 2 * np.pi / 60)
    c, s, o = np.cos(angles), np.sin(angles), np.zeros(300)
    wave = np.stack([np.stack([c, -s, o], -1), np.stack([s, c, o], -1), np.stack([o, o, o + 1], -1)], -2)
    assert spread_degrees(wave) == pytest.approx(30 / np.sqrt(2), abs=0.2)
    spin = np.arange(300) / 30 * 2 * np.pi * 0.5                                            # half a turn a second
    c, s = np.cos(spin), np.sin(spin)
    turning = np.stack([np.stack([c, o, s], -1), np.stack([s, o, -c], -1), np.stack([o, o + 1, o], -1)], -2)
    assert turns_a_minute(turning) == pytest.approx(30, rel=0.1)


def test_the_dancer_is_as_alive_as_people_are():
    """The floors of corpus.md 5: half-alive dancers had 12, 15, 5 degrees and 1.5 turns a minute."""
    rows = [liveliness(dance(make_plan("dance", seed, genre=genre, duration=16.0)))
            for genre in ("break", "lock", "house", "street-jazz") for seed in (1, 2)]
    median = {key: np.median([row[key] for row in rows]) for key in rows[0]}
    assert median["spine"] > 13 and median["head"] > 22 and median["wrists"] > 12 and median["turns_per_minute"] > 3


def test_texture_is_steady_in_time_and_a_mirror_undoes_itself():
    runs, tempo, styles = library()
    assert runs.shape[2] == WIDTH == sum(width for _, width in CHANNELS) and len(tempo) == len(styles) == len(runs)
    np.testing.assert_allclose(mirrored(mirrored(runs[0])), runs[0])
    counts = np.linspace(-2, 60, 1800)
    one, two = (texture(np.random.default_rng(5), counts, 118.0, (1, 1, 1, 1)) for _ in (0, 1))
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])
        assert np.isfinite(one[name]).all()
        rates = np.abs(np.diff(one[name].reshape(len(counts), -1), axis=0)).max(0)
        assert rates.max() < 1.5                                                            # no jumps where runs join


def test_no_foot_is_left_behind_or_too_far_out():
    def facing(time):
        return 0.8 * np.asarray(time)

    def centre(time):
        return np.stack([0.3 * np.asarray(time), 0 * np.asarray(time)], -1)
    steps = [Step(1.0, 0, "s", 1.6, 0.0, 0.4, 0.07), Step(2.0, 1, "s", 1.2, 0.0, 0.4, 0.07)]
    out = kept_near(steps, np.arange(0.25, 8.0, 0.5), facing, centre, 0.14, lambda time: True)
    assert len(out) > len(steps) + 6                                     # the dancer goes on, and takes both feet along
    place = {}
    for step in out:
        angle, (x, z) = facing(step.time), centre(step.time)
        c, s = np.cos(angle), np.sin(angle)
        place[step.foot] = np.array([c * step.x + s * step.z + x, -s * step.x + c * step.z + z])
        if len(place) == 2:
            assert np.linalg.norm(place[0] - place[1]) < FARTHEST + LEFT_BEHIND
    assert np.linalg.norm(place[0] - centre(8.0)) < 0.8 and np.linalg.norm(place[1] - centre(8.0)) < 0.8
