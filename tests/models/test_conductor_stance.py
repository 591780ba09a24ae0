"""The conductor's height: nearly straight knees that still give, feet that stay, a body that rises as one piece."""
import numpy as np

from core.body.legs import Feet, feet_of, hang
from core.body.motion import Motion
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
