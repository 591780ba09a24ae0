"""A take begins by steps from whatever the rig does: no foot faster than a metre a second, no jump; legs may be left
alone."""
import numpy as np
import pytest

from core.body.legs import Feet, feet_of, hang
from core.body.motion import rest_motion
from core.body.rotations import axis_angle_to_matrix, geodesic
from core.retarget import LOWER_BODY, Options, from_smpl, to_smpl
from core.retarget.rest import align_rest
from core.retarget.swing_in import swing_in
from tests.core import rigs

TAKE = Options(place="motion")


def stand(seconds=6.0, width=0.12):
    """A `Motion` that stands on two feet and moves one arm."""
    motion = rest_motion(int(seconds * 30))
    motion.root[:, 2] = 0.93
    count = len(motion)
    motion.rotations[:, 17] = axis_angle_to_matrix(np.stack([np.zeros(count), np.zeros(count),
                                                             0.5 + 0.4 * np.sin(np.arange(count) / 5)], -1))
    feet = Feet.from_vector(feet_of(motion))
    feet.ball[:, 0, 0], feet.ball[:, 1, 0] = width, -width
    feet.ball[:, :, 1] = -0.10
    return hang(motion, feet)


def pose_of(kind):
    """One frame as a `Motion`: a leg raised high, a wide lunge of a dance, feet crossed and turned."""
    motion = stand(0.2)
    feet = Feet.from_vector(feet_of(motion))
    if kind == "raised leg":
        feet.ball[:, 0] += [0.05, -0.35, 0.45]
    elif kind == "lunge":
        motion.root[:, 2] -= 0.20
        feet.ball[:, 0] += [0.25, -0.25, 0.0]
        feet.ball[:, 1] += [-0.15, 0.25, 0.0]
        feet.pitch[:, 1] = 0.4
    else:
        feet.ball[:, 0] += [-0.12, -0.15, 0.0]
        feet.yaw += 0.8
    return hang(motion, feet)


def feet_places(rig, poses):
    scale = align_rest(rig).scale
    return np.stack([rig.to_world(poses[:, rig.index[rig.bone_map[joint]], :3, 3]) * scale
                     for joint in ("left_ankle", "right_ankle")], axis=1)


def turned(angle, axis=(1.0, 0.0, 0.0), height=0.08, arms=-1.2, hips=(0.0, 0.0), knees=(0.0, 0.0), spread=0.0):
    """The rest pose turned by `angle` about a world axis, arms raised, hips and knees bent by so many radians, its
    lowest joint `height` m over the floor."""
    motion = rest_motion(3)
    motion.rotations[:, 0] = axis_angle_to_matrix(np.array(axis) * angle) @ motion.rotations[0, 0]
    for side, sign in ((0, 1.0), (1, -1.0)):
        motion.rotations[:, 16 + side] = axis_angle_to_matrix(np.array([0.0, 0.0, sign * arms]))
        motion.rotations[:, 1 + side] = axis_angle_to_matrix(np.array([-hips[side], 0.0, sign * spread]))
        motion.rotations[:, 4 + side] = axis_angle_to_matrix(np.array([knees[side], 0.0, 0.0]))
    motion.root[:, 2] += height - motion.positions()[0, :, 2].min()
    return motion


EXTREME = {
    "headstand": turned(np.pi), "handstand": turned(np.pi - 0.15, arms=1.45, height=0.05),
    "handstand sideways": turned(2.8, (0.0, 1.0, 0.0), 0.05, 1.45, (0.2, 0.2), spread=0.5),
    "freeze on one hand": turned(2.3, (0.7, 0.7, 0.0), 0.05, 0.8, (1.3, 0.2), (1.2, 0.3)),
    "on the back": turned(-np.pi / 2), "on the back, legs up": turned(-np.pi / 2, hips=(1.5, 1.5)),
    "face down": turned(np.pi / 2), "shoulder stand": turned(-2.8),
    "jump's top": turned(0.2, height=0.6, arms=0.6, hips=(0.6, -0.4), knees=(1.0, 1.2)),
    "somersault": turned(np.pi, height=0.5, hips=(1.6, 1.6), knees=(2.0, 2.0)),
    "sitting": turned(-0.1, height=0.06, hips=(1.5, 1.5))}


@pytest.mark.parametrize("kind", ["raised leg", "lunge", "crossed"])
@pytest.mark.parametrize("make", [rigs.rigify_rig, rigs.mixamo_rig])
def test_feet_step_into_the_take(kind, make):
    rig = make()
    here = rigs.evaluate(rig, from_smpl(pose_of(kind), rig, TAKE))[:1]
    take = stand()
    plain = feet_places(rig, rigs.evaluate(rig, from_smpl(take, rig, Options(), poses=here)))
    made = from_smpl(take, rig, Options(blend_in=0.4), poses=here)
    places = feet_places(rig, rigs.evaluate(rig, made))
    fps = 1 / np.diff(made.times).mean()
    speed = np.linalg.norm(np.diff(places, axis=0), axis=-1) * fps
    assert speed.max() <= 1.0
    assert np.abs(places[0] - feet_places(rig, here)[0]).max() < 0.01                # it begins where the rig is
    assert np.abs(places[-1] - plain[-1]).max() < 0.01                             # and ends as the take does
    moving = speed > 0.15
    assert not moving.all(1).any() or moving.all(1).mean() < 0.03                  # one foot after the other


@pytest.mark.parametrize("kind", EXTREME)
@pytest.mark.parametrize("make", [rigs.rigify_rig, rigs.mixamo_rig])
def test_no_foot_is_thrown_from_any_pose(kind, make):
    rig, take = make(), stand(12.0)
    here = rigs.evaluate(rig, from_smpl(EXTREME[kind], rig, TAKE))[:1]
    plain, places = (feet_places(rig, rigs.evaluate(rig, from_smpl(take, rig, options, poses=here)))
                     for options in (Options(), Options(blend_in=0.4)))
    speed = np.linalg.norm(np.diff(places, axis=0), axis=-1) * 30
    assert speed.max() <= 1.0
    assert np.abs(places[0] - feet_places(rig, here)[0]).max() < 0.01                # it begins where the rig is
    assert np.abs(places[-1] - plain[-1]).max() < 0.01                             # and ends as the take does
    assert places[..., 2].min() > 0                                                # no foot goes through the floor
    assert not (speed[180:] > 0.05).any()                                          # and in six seconds it is there


def test_a_body_that_is_upside_down_turns_over_as_one_and_becomes_the_take():
    take, limit = stand(10.0), 0.92
    spin = np.linspace(0, 5 * np.pi, len(take))                                     # a take that turns round and round
    take.rotations[:, 0] = axis_angle_to_matrix(np.outer(spin, [0, 0, 1])) @ take.rotations[:, 0]
    made, span = swing_in(take, EXTREME["headstand"], 0.4, limit)
    ends = int(span * 30) + 1
    assert 2.0 < span < 6.0
    assert np.array_equal(made.rotations[ends:], take.rotations[ends:])
    assert np.array_equal(made.root[ends:], take.root[ends:])
    legs, arms = [1, 2, 4, 5], [16, 17, 18]
    assert np.allclose(made.rotations[0][[0, *legs]], EXTREME["headstand"].rotations[0][[0, *legs]], atol=1e-5)
    assert np.array_equal(made.rotations[:, arms], take.rotations[:, arms])
    turned_by = geodesic(made.rotations[1:], made.rotations[:-1])
    assert turned_by[:, 0].max() < 4 * geodesic(take.rotations[1:, 0], take.rotations[:-1, 0]).max()
    farther, longer = swing_in(stand(10.0), EXTREME["handstand"], 0.4, limit / 2)
    assert longer > 1.8 * swing_in(stand(10.0), EXTREME["handstand"], 0.4, limit)[1]
    for kind in ("face down", "on the back", "sitting"):
        assert swing_in(stand(10.0), EXTREME[kind], 0.4, limit)[0].positions()[:, [7, 8, 10, 11], 2].min() > -0.01
    assert len(farther) == 300 and swing_in(take, take, 0.4, limit)[1] == 0.4


def test_a_take_that_starts_where_the_rig_stands_makes_no_step():
    rig = rigs.rigify_rig()
    here = rigs.evaluate(rig, from_smpl(stand(0.2), rig, TAKE))[:1]
    places = feet_places(rig, rigs.evaluate(rig, from_smpl(stand(), rig, Options(blend_in=0.4), poses=here)))
    assert np.ptp(places, axis=0).max() < 0.02


def test_legs_off_keys_neither_legs_nor_pelvis():
    rig = rigs.rigify_rig()
    whole, upper = (from_smpl(stand(1.0), rig, Options(legs=legs)) for legs in (True, False))
    lower = {rig.bone_map[joint] for joint in LOWER_BODY if joint in rig.bone_map}
    assert lower <= set(whole.rotations) and not lower & set(upper.rotations) and not upper.locations
    assert set(whole.rotations) - set(upper.rotations) == lower
    for bone in set(upper.rotations):
        np.testing.assert_allclose(upper.rotations[bone], whole.rotations[bone])
    assert to_smpl(rig, rigs.evaluate(rig, whole), whole.times).duration == pytest.approx(1.0, abs=0.05)
