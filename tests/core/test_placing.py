"""A take that keeps a part of what the rig does lies where that part lies, whatever the rig's first frame shows."""
from dataclasses import replace

import numpy as np
import pytest

from core.body.rotations import axis_angle_to_matrix
from core.retarget import Options, from_smpl, to_smpl
from core.retarget.placing import Stays
from tests.core import rigs

TAKE = Options(place="motion")


def t_pose_first(rig, poses):
    """The poses with a T-pose before them, at the world's origin and turned by 80 degrees."""
    turn = np.eye(4)
    turn[:3, :3] = axis_angle_to_matrix(np.array([0.0, 0, 1.4]))
    into = np.linalg.inv(rig.matrix_world) @ turn @ rig.matrix_world
    return np.concatenate([(into @ rig.rest)[None], poses[1:]])


@pytest.mark.parametrize("make", [rigs.mixamo_rig, rigs.rigify_rig, rigs.small_rig])
@pytest.mark.parametrize("flash", [False, True])
def test_what_stays_decides_the_place(make, flash):
    rig = make()
    motion = rigs.stepping()[0].moved(0.7, after=(1.5, -0.8))
    poses = rigs.evaluate(rig, from_smpl(motion, rig, replace(TAKE, fps=30.0)))
    poses = t_pose_first(rig, poses) if flash else poses
    times = np.arange(len(poses)) / 30
    present = to_smpl(rig, poses, times)
    # What a model gives: the same dance somewhere else, as its own frame of reference has it.
    made = present.moved(-2.0, after=(0.4, 3.0))
    stays = Stays(present, ((2.0, 4.0),))
    again = rigs.evaluate(rig, from_smpl(made, rig, replace(Options(), fps=30.0), poses, stays))
    count = min(len(again), len(poses))
    one, two = (rig.to_world(shown[60:min(120, count), :, :3, 3]) for shown in (again, poses))
    gap = np.linalg.norm(one - two, axis=-1)
    mapped = [rig.index[bone] for bone in rig.bone_map.values()]
    assert gap[:, mapped].max() < 0.03, "metres; the first frame's place and facing count for nothing"
