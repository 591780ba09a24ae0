"""A take begins by steps from whatever the rig does: no foot faster than a metre a second, no jump; legs may be left
alone."""
import numpy as np
import pytest

from core.body.legs import Feet, feet_of, hang
from core.body.motion import rest_motion
from core.body.rotations import axis_angle_to_matrix
from core.retarget import LOWER_BODY, Options, from_smpl, to_smpl
from core.retarget.rest import align_rest
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
