"""models.motion.contacts and smoothing: feet stay put, nothing sinks, joins do not jump, nothing else changes."""
import numpy as np
import pytest
import torch

from core.body.motion import Motion, rest_motion
from core.body.rotations import axis_angle_to_matrix, geodesic
from models.lab.studio.dancer import dance
from models.lab.studio.plan import make_plan
from models.motion.contacts import LIMITS, above_floor, clean, grounded, limited, locked, slide_metres
from models.motion.representation import foot_contacts
from models.motion.smoothing import continued, joined, looped, runs


@pytest.fixture(scope="module")
def motion():
    torch.set_num_threads(1)
    return dance(make_plan("dance", 4, genre="house", duration=6.0)).resampled(60.0)


def contacts_of(motion):
    return foot_contacts(torch.from_numpy(motion.positions()), motion.fps).numpy()


def test_no_correction_changes_nothing(motion):
    high = Motion(motion.rotations, motion.root + np.array([0, 0, 1.0], np.float32), motion.fps)
    same = locked(high, np.zeros((len(motion), 4)))
    assert np.abs(same.rotations - motion.rotations).max() < 1e-3 and np.array_equal(same.root, high.root)


def test_creeping_feet_are_locked(motion):
    contacts = contacts_of(motion)
    creep = np.cumsum(np.full((len(motion), 1), 0.15 / motion.fps) * [1.0, 0.5, 0.0], axis=0)     # 15 cm a second
    sliding = Motion(motion.rotations, (motion.root + creep).astype(np.float32), motion.fps)
    before = slide_metres(sliding.positions(), contacts, motion.fps)
    after = slide_metres(clean(sliding, contacts).positions(), contacts, motion.fps)
    assert np.percentile(before, 90) > 0.03 and np.percentile(after, 90) < 0.012 and after.mean() < before.mean() / 3
    step = np.diff(clean(sliding, contacts).positions(), n=2, axis=0)
    assert np.abs(step).max() < np.abs(np.diff(motion.positions(), n=2, axis=0)).max() + 0.03      # no pops


def standing_and_turning(degrees):
    """Two seconds of a body that turns about z with its legs straight, at 60 fps."""
    still, turn = rest_motion(120, 60.0), np.radians(degrees) * (0.5 - 0.5 * np.cos(np.arange(120) / 119 * np.pi))
    rotations = still.rotations.copy()
    rotations[:, 0] = axis_angle_to_matrix(np.outer(turn, [0.0, 0.0, 1.0])) @ rotations[:, 0]
    return Motion(rotations, still.root, 60.0)


def test_a_flat_foot_does_not_turn_under_the_weight():
    """Heel and toe stay where both stand, nothing pops; a pirouette is meant and stays."""
    creeping, planted = standing_and_turning(24), np.ones((120, 4))
    cleaned = clean(creeping, planted)
    assert slide_metres(creeping.positions(), planted, 60.0).min() > 0.03
    assert slide_metres(cleaned.positions(), planted, 60.0).max() < 0.01
    assert np.abs(np.diff(cleaned.positions(), n=2, axis=0)).max() < 0.002
    turned = clean(standing_and_turning(144), planted).positions()
    assert np.linalg.norm(turned[-1, 10, :2] - turned[0, 10, :2]) > 0.1


def test_a_foot_below_the_floor_is_lifted():
    still = rest_motion(60, 60.0)
    sunk = Motion(still.rotations, still.root - np.array([0, 0, 0.05], np.float32), 60.0)
    up = clean(sunk, np.ones((60, 4)))
    assert up.positions()[:, [10, 11], 2].min() > 0.015
    assert np.abs(up.positions()[:, 15] - sunk.positions()[:, 15]).max() < 0.09  # the head hardly moved: the knees gave


def test_hands_below_the_floor_raise_the_body():
    still = rest_motion(60, 60.0)
    low = Motion(still.rotations, still.root - np.array([0, 0, 1.4], np.float32), 60.0)
    assert above_floor(low).positions()[:, [20, 21], 2].min() >= 0.029
    assert above_floor(still) is still


def test_who_floats_is_let_down_and_who_jumps_is_not():
    """Two seconds 6 cm over the floor are no jump; half a second 30 cm up is one."""
    still, t = rest_motion(240, 60.0), np.arange(240) / 60
    floating = np.where(t > 2.0, 0.06, 0.0)
    jump = np.where((t > 0.7) & (t < 1.2), 0.3 * np.sin(np.pi * (t - 0.7) / 0.5), 0.0)
    up = Motion(still.rotations, still.root + np.outer(floating + jump, [0, 0, 1]).astype(np.float32), 60.0)
    height = grounded(up).root[:, 2] - still.root[:, 2]
    assert height[180:].max() < 0.01 and np.abs(height[:90] - jump[:90]).max() < 0.001 and height.min() > -1e-4
    assert grounded(still) is still


def test_joints_beyond_their_limit_come_back():
    still = rest_motion(4, 60.0)
    rotations = still.rotations.copy()
    rotations[:, 15] = axis_angle_to_matrix(np.array([0.0, np.radians(120), 0.0]))
    turned = limited(Motion(rotations, still.root, 60.0))
    assert np.allclose(np.degrees(geodesic(turned.rotations[:, 15], np.eye(3))), LIMITS[15], atol=0.1)
    assert limited(still) is still


def test_a_join_goes_on_from_pose_and_speed(motion):
    before, after = motion.slice(60, 90), motion.slice(200, 320).moved(0.3, after=(0.5, 0.2))
    eased = continued(after, before)
    whole = np.concatenate([before.positions(), eased.positions()])
    jump = np.linalg.norm(np.diff(whole, axis=0), axis=-1).max(axis=1)
    assert jump[len(before) - 1] < 2.0 * max(jump[len(before) - 5:len(before) - 1].max(), 0.02)
    assert np.abs(eased.rotations[60:] - after.rotations[60:]).max() < 1e-6


def test_kept_frames_are_exact(motion):
    mask = np.zeros(len(motion), bool)
    mask[:100] = mask[250:] = True
    other = motion.mirrored()
    result = joined(other, motion, mask)
    assert np.array_equal(result.rotations[mask], motion.rotations[mask]) and np.array_equal(result.root[mask],
                                                                                             motion.root[mask])
    jump = np.linalg.norm(np.diff(result.positions(), axis=0), axis=-1).max(axis=1)
    assert jump[[99, 249]].max() < 0.12
    assert runs(mask) == [(0, 100), (250, len(motion))]


def test_a_loop_comes_round(motion):
    around = looped(motion)
    jump = np.linalg.norm(around.positions()[0] - around.positions()[-1], axis=-1).max()
    assert jump < 0.06 and len(around) == len(motion)


def test_flickering_contacts_make_no_twitches(motion):
    """Recordings jitter, so their contacts flicker from frame to frame; the knees must not follow."""
    contacts = contacts_of(motion)
    contacts[::2] *= 0.6
    raised = Motion(motion.rotations, motion.root + np.array([0, 0, 0.02], np.float32), motion.fps)
    jolt = lambda moved: np.linalg.norm(np.diff(moved.positions(), n=2, axis=0), axis=-1).max()      # noqa: E731
    assert jolt(clean(raised, contacts)) < jolt(raised) + 0.015
