"""The studio's dancers: beats in the body, planted feet, knees and joints, genres apart."""
import json
from dataclasses import replace

import numpy as np
import pytest

from core.body.ik import two_bone
from core.body.rotations import geodesic
from core.contract import GENRES
from core.rhythm.alignment import beat_f1_70ms
from models.lab.metrics.beat_align import align_report, kinematic_beats_bailando
from models.lab.metrics.motion import foot_slide
from models.lab.studio.conducted import conducting_plan
from models.lab.studio.figures import GENRE_FIGURES
from models.lab.studio.ik import interpolate_keys, quintic, smooth_below
from models.lab.studio.kinematic_beats import motion_beats
from models.lab.studio.motion import conduct, dance
from models.lab.studio.overlap import overlap_share
from models.lab.studio.plan import make_plan, plan_from_json
from models.lab.studio.stills import facing_viewer

SECONDS = 12.0


@pytest.fixture(scope="module")
def dances():
    plans = [make_plan("dance", seed, genre=genre, duration=SECONDS) for genre in GENRES for seed in (1, 4)]
    return [(plan, dance(plan)) for plan in plans]


def test_two_bone_reaches_its_target_and_bends_to_the_pole():
    rng = np.random.default_rng(0)
    target = rng.normal(size=(50, 3))
    target *= rng.uniform(0.2, 0.49, (50, 1)) / np.linalg.norm(target, axis=1, keepdims=True)
    pole = np.tile([0.3, -0.5, -0.8], (50, 1))
    a, b = np.array([0.26, 0, -0.01]), np.array([0.25, 0, 0])
    upper, lower, end = two_bone(np.zeros((50, 3)), target, pole, a, b, (0, -1, 0))
    elbow = upper @ a
    np.testing.assert_allclose(elbow + lower @ b, target, atol=1e-9)
    np.testing.assert_allclose(end, target, atol=1e-9)
    np.testing.assert_allclose(upper @ upper.swapaxes(1, 2), np.tile(np.eye(3), (50, 1, 1)), atol=1e-9)
    axis = target / np.linalg.norm(target, axis=1, keepdims=True)
    aside = elbow - (elbow * axis).sum(1, keepdims=True) * axis
    assert ((aside * pole).sum(1) > -1e-9).all()


def test_moves_arrive_on_their_keys_at_rest():
    times = np.linspace(0, 2, 2001)
    curve = interpolate_keys(times, np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, -1.0]), dwell=0.3)
    assert curve[1000] == pytest.approx(1.0) and curve[250] == 0.0
    assert np.abs(np.gradient(curve, times))[1000] < 1e-3
    assert quintic(0.5) == pytest.approx(0.5)
    limit = np.abs(np.sin(times * 5))
    assert (smooth_below(limit, 20) <= limit + 1e-12).all()


def test_same_plan_same_motion_and_seeds_differ():
    for kind, perform in (("dance", dance), ("conducting", lambda plan: conduct(plan)[0])):
        first, again = perform(make_plan(kind, 3, duration=6.0)), perform(make_plan(kind, 3, duration=6.0))
        np.testing.assert_array_equal(first.rotations, again.rotations)
        other = perform(make_plan(kind, 4, duration=6.0))
        assert geodesic(first.rotations, other.rotations).mean() > 0.02


def test_dancers_feet_stay_planted_above_the_floor(dances):
    for plan, motion in dances:
        positions = motion.positions()
        assert len(motion) == round(plan.duration * 30) and np.isfinite(positions).all()
        assert foot_slide(positions, 30)[0] <= 0.02, plan.genre
        assert positions[..., 2].min() > 0.0, plan.genre
        toes = positions[:, [10, 11], 2]
        hands = positions[:, [20, 21], 2]
        assert ((toes.min(1) < 0.03) | (hands.min(1) < 0.07)).mean() > 0.9           # somebody stands on something


def test_dancers_do_not_run_through_themselves(dances):
    for plan, motion in dances:
        assert overlap_share(motion.positions()) < 0.20, plan.genre
    assert np.mean([overlap_share(motion.positions()) for _, motion in dances]) < 0.05
    crossed = dances[0][1].positions().copy()
    crossed[:, 22] = crossed[:, 3]                                   # a forearm through the trunk is seen
    assert overlap_share(crossed) > 0.9


def test_dancers_stop_on_their_beats(dances):
    """Kinematic beats of the metrics lie on the written beats, well above those of the same clip rolled round."""
    lifts = {}
    for plan, motion in dances:
        found = kinematic_beats_bailando(motion.positions(), motion.fps)
        lifts.setdefault(plan.genre, []).append(align_report(plan.times, found, motion.duration, shifts=41)["lift"])
    assert np.mean(list(lifts.values())) > 0.4 and min(np.mean(values) for values in lifts.values()) > 0.1


def test_floor_work_stands_on_the_floor():
    """Each figure: planted hands and feet stay where they are, nothing is below the floor, and the dancer is down."""
    for genre in ("break", "krump"):
        figures = GENRE_FIGURES[genre]
        for floor in figures.floor:
            plan = make_plan("dance", 21, genre=genre, duration=SECONDS)
            with pytest.MonkeyPatch.context() as patch:
                patch.setitem(GENRE_FIGURES, genre, replace(figures, floor=(floor,), floor_chance=9.0))
                positions = dance(plan).positions()
            assert positions[..., 2].min() > 0.0 and foot_slide(positions, 30)[0] <= 0.02
            low = (positions[:, [20, 21], 2] < 0.061) & (positions[:, [16, 17], 2] < 0.8)
            assert low.any(1).mean() > 0.08
            still = np.linalg.norm(np.diff(positions[:, [20, 21]], axis=0), axis=-1)[low[1:] & low[:-1]]
            assert np.percentile(still, 95) < 0.005
            assert positions[:, [12, 15], 2].min() < 0.75                  # metres, neck or head


def test_dancers_joints_do_not_snap(dances):
    for plan, motion in dances:
        speed = geodesic(motion.rotations[1:], motion.rotations[:-1]) * 30
        assert np.percentile(speed, 99.9) < 30, plan.genre


def test_knees_point_forward(dances):
    """No knee folds backwards or across: the shin never bends the wrong way in the thigh's own frame."""
    for plan, motion in dances:
        for knee in (4, 5):
            bend = motion.rotations[:, knee]
            assert np.arctan2(bend[:, 2, 1], bend[:, 1, 1]).min() > -0.05, plan.genre


def test_beats_can_be_read_off_the_dancers_body(dances):
    """An estimator that knows no studio finds the written beats; rolled by half a beat it does not."""
    scores, rolled = [], []
    for plan, motion in dances:
        found = motion_beats(motion).times
        scores.append(beat_f1_70ms(found, plan.times))
        rolled.append(beat_f1_70ms(found, plan.times + 30 / plan.bpm))
    assert np.mean(scores) > 0.8 and np.mean(scores) > np.mean(rolled) + 0.3


def test_genres_move_differently(dances):
    """Nearest neighbour in a handful of statistics: the other dancer of the same genre is closer than chance says.
    Every pose faces the viewer, for dancers turn."""
    features = []
    for _, motion in dances:
        relative = facing_viewer(motion.positions())
        relative = relative - relative[:, :1]
        speed = np.linalg.norm(np.diff(relative, axis=0), axis=-1)
        features.append(np.concatenate([relative.mean(0).ravel(), relative.std(0).ravel(), 5 * speed.mean(0),
                                        [3 * motion.root[:, 2].mean(), 3 * motion.root[:, 2].std()]]))
    features = np.array(features)
    distance = np.linalg.norm(features[:, None] - features[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    nearest = distance.argmin(1)
    hits = sum(dances[i][0].genre == dances[j][0].genre for i, j in enumerate(nearest))
    assert hits >= 6                                                 # of 20; chance is about 1


def test_a_plan_comes_back_from_json():
    plan = conducting_plan(12, duration=20.0)
    again = plan_from_json(json.loads(json.dumps(plan.to_json())))
    assert again.sections == plan.sections and again.cues == plan.cues
    np.testing.assert_allclose(again.times, plan.times, atol=1e-5)
    first, other = (conduct(plan, variant)[0] for variant in (0, 1))
    assert geodesic(first.rotations, other.rotations).mean() > 0.02               # another conductor of the same piece
