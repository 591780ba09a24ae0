"""The conductor's height: nearly straight knees that still give, feet that stay, a body that rises as one piece."""
import numpy as np

from core.body.ictus import ictus_times
from core.body.legs import Feet, feet_of, hang
from core.body.motion import Motion
from models.conductor.controls import HANDS, LEFT_ARM, RIGHT_ARM, below_shoulders, power, within_speed
from models.conductor.stance import knee_bends, upright
from models.lab.metrics.motion import foot_slide
from models.lab.studio.conducted import conducting_plan
from models.lab.studio.conductor import conduct


def low(seed, by=0.005):
    """A conductor who stands too low, and what hangs his legs anew."""
    motion, _ = conduct(conducting_plan(seed, 10.0))
    feet = Feet.from_vector(feet_of(motion))

    def solved(moved):
        return hang(moved, feet)
    root = motion.root.copy()
    root[:, 2] -= by
    return solved(Motion(motion.rotations, root, motion.fps)), solved


def test_bent_knees_are_straightened_and_give_with_the_beat():
    for seed in (0, 3):
        motion, solved = low(seed)
        made = upright(motion, solved)
        before, after = np.degrees(knee_bends(motion)), np.degrees(knee_bends(made))
        assert before.mean() > 28 and 9 < after.mean() < 0.6 * before.mean() and after.min() >= 3
        assert after.std(0).mean() > 0.5 * before.std(0).mean()
        feet = made.positions()[:, [10, 11]] - motion.positions()[:, [10, 11]]
        assert np.abs(feet).max() < 0.005 and foot_slide(made.positions(), 30)[0] < 0.01
        # All that is not a leg is raised as one piece.
        trunk = [0, 3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]
        raised = made.positions()[:, trunk] - motion.positions()[:, trunk]
        assert np.abs(raised - (made.root - motion.root)[:, None]).max() < 1e-4 and np.ptp(raised[..., :2]) < 0.005
        beat = np.diff(motion.root[:, 2]), np.diff(made.root[:, 2])
        assert np.corrcoef(*beat)[0, 1] > 0.8


def test_who_stands_still_rests_on_soft_knees():
    motion, _ = low(3)
    still = Motion(np.repeat(motion.rotations[:1], 90, 0), np.repeat(motion.root[:1], 90, 0), motion.fps)
    feet = Feet.from_vector(feet_of(still))
    made = upright(still, lambda moved: hang(moved, feet))
    assert np.ptp(made.root, axis=0).max() < 1e-5 and 11 < np.degrees(knee_bends(made)).min() < 14


def test_where_a_height_is_kept_it_is_not_raised():
    motion, solved = low(0)
    held = np.zeros(len(motion))
    held[100:200] = 1
    made = upright(motion, solved, held)
    assert np.abs(made.root[145:155, 2] - motion.root[145:155, 2]).max() < 1e-4
    assert (made.root[:40, 2] - motion.root[:40, 2]).min() > 0.01


def test_a_hand_that_is_too_fast_makes_a_smaller_stroke_at_the_same_time():
    motion, _ = conduct(conducting_plan(3, 10.0))
    pose = motion.slice(0, 1).to_vector()[0]
    speeds = np.linalg.norm(np.diff(motion.positions()[:, HANDS], axis=0), axis=-1) * motion.fps
    limit = 0.96 * float(speeds.max())
    made = within_speed(motion, pose, limit)
    after = np.linalg.norm(np.diff(made.positions()[:, HANDS], axis=0), axis=-1) * motion.fps
    assert after.max() <= limit
    fast = np.flatnonzero((speeds > limit - 0.3).any(1))
    far = np.abs(np.arange(len(motion))[:, None] - fast).min(1) > 20
    assert far.sum() > 100 and np.array_equal(made.rotations[far], motion.rotations[far])
    assert np.abs(made.rotations - motion.rotations).max() > 0.01
    assert np.abs(ictus_times(made) - ictus_times(motion)).max() < 0.02
    assert within_speed(motion, pose, 99.0) is motion
    much = within_speed(motion, pose, 0.6 * float(speeds.max()))
    assert np.linalg.norm(np.diff(much.positions()[:, HANDS], axis=0), axis=-1).max() * 30 <= 0.6 * speeds.max() + 0.02


def test_a_stroke_that_lifts_the_elbow_above_the_shoulder_is_made_smaller():
    motion, _ = conduct(conducting_plan(3, 10.0))
    pose, base = motion.slice(0, 1).to_vector()[0], motion.rotations[:1]
    large = motion.rotations.copy()
    for arm in (LEFT_ARM, RIGHT_ARM):
        joints = list(arm)
        large[:, joints] = base[:, joints] @ power(base[:, joints].swapaxes(-1, -2) @ large[:, joints], 2.0)
    motion = type(motion)(large.astype(np.float32), motion.root, motion.fps)

    def above(made):
        places = made.positions()
        return (places[:, [18, 19], 2] > places[:, [16, 17], 2]).any(1)
    made = below_shoulders(motion, pose)
    assert above(motion).mean() > 0.02 and above(made).mean() < 0.25 * above(motion).mean()
    far = np.abs(np.arange(len(motion))[:, None] - np.flatnonzero(above(motion))).min(1) > 80
    assert np.array_equal(made.rotations[far], motion.rotations[far])
    assert below_shoulders(made.slice(0, 2), pose).rotations.shape == (2, 24, 3, 3)
