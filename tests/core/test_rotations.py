"""Rotations: there and back in every form, against scipy or the definition; numpy and torch alike."""
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from core.body import rotations as r


@pytest.fixture
def matrices():
    return Rotation.random(60, random_state=1).as_matrix().reshape(5, 12, 3, 3).astype(np.float32)


def test_6d_is_the_first_two_columns(matrices):
    sixd = r.matrix_to_6d(matrices)
    assert np.array_equal(sixd, np.concatenate([matrices[..., 0], matrices[..., 1]], axis=-1))
    assert np.abs(r.sixd_to_matrix(sixd) - matrices).max() < 1e-6


def test_6d_of_anything_is_a_rotation(matrices):
    noise = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    made = r.sixd_to_matrix(noise)
    assert np.abs(made @ np.swapaxes(made, -1, -2) - np.eye(3)).max() < 1e-5
    assert np.allclose(np.linalg.det(made), 1, atol=1e-5)
    assert np.isfinite(r.sixd_to_matrix(np.zeros((1, 6), dtype=np.float32))).all()


def test_torch_is_numpy(matrices):
    noise = np.random.default_rng(0).normal(size=(4, 7, 6)).astype(np.float32)
    assert np.abs(r.sixd_to_matrix(torch.tensor(noise)).numpy() - r.sixd_to_matrix(noise)).max() < 1e-5
    assert np.array_equal(r.matrix_to_6d(torch.tensor(matrices)).numpy(), r.matrix_to_6d(matrices))


def test_axis_angle(matrices):
    assert np.abs(r.axis_angle_to_matrix(r.matrix_to_axis_angle(matrices)) - matrices).max() < 1e-5
    assert np.allclose(r.axis_angle_to_matrix(np.array([0, 0, np.pi / 2])) @ [1, 0, 0], [0, 1, 0], atol=1e-6)


def test_rotation_vectors_are_those_of_scipy():
    """Of every size up to half a turn, about every axis, rounded to single precision; of what is no rotation, the
    nearest one's."""
    rng = np.random.default_rng(3)
    axes = np.concatenate([rng.normal(size=(400, 3)), np.eye(3), -np.eye(3)])
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    for size in (0.0, 1e-7, 1e-4, 0.01, 1.0, 2.5, np.pi - 1e-3):
        vectors = axes * size
        made = Rotation.from_rotvec(vectors).as_matrix()
        assert np.abs(r.matrix_to_axis_angle(made) - vectors).max() < 2e-6
        rounded = made.astype(np.float32)
        wanted = Rotation.from_matrix(rounded).as_rotvec()
        assert np.abs(r.matrix_to_axis_angle(rounded) - wanted).max() < (1e-5 if size < 3 else 5e-4)
    squeezed = Rotation.random(20, random_state=2).as_matrix() @ np.diag([1.0, 1.3, 0.8])
    assert np.allclose(r.matrix_to_axis_angle(squeezed), Rotation.from_matrix(squeezed).as_rotvec(), atol=1e-5)
    mixed = np.concatenate([squeezed, np.eye(3)[None]])
    assert np.allclose(r.matrix_to_axis_angle(mixed)[-1], 0)
    assert r.matrix_to_axis_angle(np.zeros((0, 3, 3))).shape == (0, 3)


@pytest.mark.parametrize("order", ["ZXY", "XYZ", "YXZ"])
def test_euler_first_letter_is_outermost(matrices, order):
    angles = np.radians([[20.0, -30.0, 40.0]])
    single = [Rotation.from_euler(axis.lower(), angle).as_matrix() for axis, angle in zip(order, angles[0])]
    assert np.allclose(r.euler_to_matrix(angles, order)[0], single[0] @ single[1] @ single[2], atol=1e-6)
    assert np.abs(r.euler_to_matrix(r.matrix_to_euler(matrices, order), order) - matrices).max() < 1e-5


def test_quaternions(matrices):
    q = r.matrix_to_quaternion(matrices)
    assert np.abs(r.quaternion_to_matrix(q) - matrices).max() < 1e-5
    assert np.allclose(r.quaternion_to_matrix(np.array([np.cos(0.5), 0, 0, np.sin(0.5)])),
                       r.axis_angle_to_matrix(np.array([0, 0, 1.0])), atol=1e-6)


def test_unrolled_quaternions_never_jump():
    time = np.linspace(0, 12, 300)
    q = r.matrix_to_quaternion(r.axis_angle_to_matrix(np.stack([time, 0 * time, 0.2 * time], -1)))[:, None]
    smooth = r.unroll_quaternions(q)
    assert (np.abs(np.diff(q, axis=0)).max() > 1) and np.abs(np.diff(smooth, axis=0)).max() < 0.1
    assert np.abs(np.abs(smooth) - np.abs(q)).max() < 1e-6


def test_geodesic(matrices):
    turn = r.axis_angle_to_matrix(np.array([0.3, 0.0, 0.0]))
    assert np.allclose(r.geodesic(matrices, matrices @ turn), 0.3, atol=1e-3)


def test_root_turn_makes_z_up_facing_minus_y():
    assert np.allclose(r.ROOT_TO_BLENDER @ [0, 1, 0], [0, 0, 1]) and np.allclose(r.ROOT_TO_BLENDER @ [0, 0, 1],
                                                                                 [0, -1, 0])
