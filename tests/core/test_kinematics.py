"""Forward kinematics against smplx's own function; canonical skeleton; motion operations."""
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from core.body.kinematics import OFFSETS, forward_kinematics, local_from_global
from core.body.motion import Motion, rest_motion
from core.body.rotations import geodesic
from core.contract import JOINTS, PARENTS, SKELETON
from core.errors import BadInput


@pytest.fixture
def pose():
    """(rotations (6,24,3,3), root (6,3))."""
    rotations = Rotation.random(6 * 24, random_state=2).as_matrix().reshape(6, 24, 3, 3).astype(np.float32)
    return rotations, np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)


def test_equal_to_smplx(pose):
    lbs = pytest.importorskip("smplx.lbs")
    rotations, root = pose
    rest = np.zeros((24, 3), dtype=np.float32)
    for joint in range(1, 24):
        rest[joint] = rest[PARENTS[joint]] + OFFSETS[joint]
    joints = torch.tensor(rest).expand(len(root), -1, -1)
    theirs, transforms = lbs.batch_rigid_transform(torch.tensor(rotations), joints, torch.tensor(PARENTS))
    positions, turns = forward_kinematics(rotations, root)
    assert np.abs(positions - (theirs.numpy() + root[:, None])).max() < 1e-5
    assert np.abs(turns @ rest[:, :, None] + transforms[..., :3, 3:].numpy() - theirs.numpy()[..., None]).max() < 1e-5


def test_torch_is_numpy_and_differentiable(pose):
    rotations, root = (torch.tensor(part, requires_grad=True) for part in pose)
    positions, turns = forward_kinematics(rotations, root)
    expected = forward_kinematics(*pose)
    assert np.abs(positions.detach().numpy() - expected[0]).max() < 1e-5
    assert np.abs(turns.detach().numpy() - expected[1]).max() < 1e-5
    positions.sum().backward()
    assert torch.isfinite(rotations.grad).all() and rotations.grad.abs().max() > 0


def test_local_from_global(pose):
    turns = forward_kinematics(*pose)[1]
    assert np.abs(local_from_global(turns) - pose[0]).max() < 1e-5
    assert np.abs(local_from_global(torch.tensor(turns)).numpy() - pose[0]).max() < 1e-5


def test_rest_pose_stands_on_the_floor_facing_minus_y():
    positions = rest_motion(1).positions()[0]
    at = {name: positions[number] for number, name in enumerate(JOINTS)}
    assert at["left_hip"][0] > 0 > at["right_hip"][0]
    assert at["left_foot"][1] < at["left_ankle"][1]                       # toes forward
    assert at["left_foot"][2] == pytest.approx(0.02, abs=1e-6) and at["left_ankle"][2] == pytest.approx(0.08, abs=1e-6)
    assert at["pelvis"][2] == pytest.approx(SKELETON["hip_height_m"]) and at["head"][2] > 1.5


def test_skeleton_is_symmetric():
    mirror = SKELETON["mirror"]
    assert np.allclose(OFFSETS[mirror] * [-1, 1, 1], OFFSETS)
    assert [mirror[m] for m in mirror] == list(range(24))
    for joint, name in enumerate(JOINTS):
        assert JOINTS[mirror[joint]] == name.replace("left", "%").replace("right", "left").replace("%", "right")


def test_vector_there_and_back(pose):
    motion = Motion(*pose)
    vector = motion.to_vector()
    assert vector.shape == (6, 147) and np.array_equal(vector[:, :3], motion.root)
    assert np.abs(Motion.from_vector(vector).rotations - motion.rotations).max() < 1e-5
    with pytest.raises(BadInput, match="24"):
        Motion(pose[0][:, :22], pose[1])


def test_mirrored_positions_are_mirrored(pose):
    motion = Motion(*pose)
    assert np.abs(motion.mirrored().positions() - motion.positions()[:, SKELETON["mirror"]] * [-1, 1, 1]).max() < 1e-5
    assert np.abs(motion.mirrored().mirrored().rotations - motion.rotations).max() < 1e-6


def test_canonical_keeps_the_shape(pose):
    motion = Motion(*pose)
    canonical = motion.canonical(2)
    assert np.abs(canonical.root[2, :2]).max() < 1e-6 and abs(canonical.heading(2)) < 1e-5
    assert np.abs(canonical.root[:, 2] - motion.root[:, 2]).max() < 1e-5
    def shape(m):
        return np.linalg.norm(m.positions()[:, :, None] - m.positions()[:, None], axis=-1)
    assert np.abs(shape(canonical) - shape(motion)).max() < 1e-4
    turned = np.swapaxes(motion.rotations[:, 0], -1, -2) @ canonical.rotations[:, 0]
    assert turned.shape == (6, 3, 3)


def test_resampled_keeps_times(pose):
    motion = rest_motion(31)
    turns = Rotation.from_rotvec(np.outer(np.arange(31) / 30, [0, 0, 2.0])).as_matrix().astype(np.float32)
    motion = Motion(np.concatenate([turns[:, None] @ motion.rotations[:, :1], motion.rotations[:, 1:]], axis=1),
                    motion.root)
    faster = motion.resampled(120)
    assert faster.fps == 120 and len(faster) == 121
    assert np.degrees(geodesic(faster.rotations[::4], motion.rotations)).max() < 0.1
    whole = faster.resampled(30)                    # every fourth frame, nothing turned on the way
    assert np.array_equal(whole.rotations, faster.rotations[::4]) and np.array_equal(whole.root, faster.root[::4])
    assert np.degrees(geodesic(motion.resampled(24).resampled(30).rotations[:24], motion.rotations[:24])).max() < 0.1
