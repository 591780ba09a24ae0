"""SMPL body models on tiny files written here: shape parameters, official pickle contents, import with a skeleton."""
import pickle
import sys
import types

import numpy as np
import pytest

from core.body.kinematics import OFFSETS, forward_kinematics
from core.body.rotations import matrix_to_axis_angle
from core.body.smpl_body import find_model, load_body
from core.contract import PARENTS
from core.errors import BadInput
from core.motion_files import read_motion
from tests.core.rigs import stepping

pytest.importorskip("smplx")
TALL = 1.2


def tiny_model():
    """A body of 24 points, one at each joint of the canonical skeleton; beta 0 makes it 10 % larger, beta 1 shifts
    x."""
    rest = np.zeros((24, 3))
    for joint in range(1, 24):
        rest[joint] = rest[PARENTS[joint]] + OFFSETS[joint]
    rest += [0.0, -0.2, 0.03]                                     # SMPL's pelvis is not at the origin
    shapes = np.zeros((24, 3, 10))
    shapes[..., 0], shapes[:, 0, 1] = rest * 0.1, 1.0
    return {"v_template": rest, "shapedirs": shapes, "J_regressor": np.eye(24), "weights": np.eye(24),
            "kintree_table": np.array([[2 ** 32 - 1, *PARENTS[1:]], range(24)], dtype=np.int64),
            "f": np.array([[0, 1, 2]], dtype=np.uint32), "posedirs": np.zeros((24, 3, 207))}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "smpl").mkdir()
    np.savez(tmp_path / "smpl" / "SMPL_NEUTRAL.npz", **tiny_model())
    return tmp_path


def test_betas_shape_the_skeleton(folder):
    mean, large = load_body(folder), load_body(folder, [1.0, 0.5])
    assert np.allclose(mean.joints, tiny_model()["v_template"], atol=1e-6)
    assert np.allclose(large.joints, mean.joints * 1.1 + [0.5, 0, 0], atol=1e-6)
    assert mean.skeleton.shape == (24, 3) and mean.parents[0] == -1 and mean.names[:2] == ["pelvis", "left_hip"]


def test_body_for_the_add_on(folder, tmp_path):
    load_body(folder).save(tmp_path / "body.npz")
    held = np.load(tmp_path / "body.npz")
    assert held["vertices"].shape == (24, 3) and held["weights"].shape == (24, 24) and held["names"][15] == "head"


def test_official_pickles(tmp_path, monkeypatch):
    """chumpy arrays and sparse matrices are read as data, without these libraries and without running anything."""
    chumpy = types.ModuleType("chumpy.ch")

    class Ch:
        def __init__(self, x):
            self.x = x
    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    chumpy.Ch = Ch
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    monkeypatch.setitem(sys.modules, "chumpy.ch", chumpy)
    from scipy.sparse import csc_matrix
    data = tiny_model()
    data |= {"J_regressor": csc_matrix(data["J_regressor"]), "shapedirs": Ch(data["shapedirs"])}
    (tmp_path / "SMPL_MALE.pkl").write_bytes(pickle.dumps(data, protocol=2))
    monkeypatch.undo()
    body = load_body(tmp_path, [1.0], "male")
    assert np.allclose(body.joints, tiny_model()["v_template"] * 1.1, atol=1e-6)


def test_missing_and_damaged_models(tmp_path, folder):
    with pytest.raises(BadInput, match="No SMPL_FEMALE"):
        load_body(folder, gender="female")
    with pytest.raises(BadInput, match="preferences"):
        find_model("")
    with pytest.raises(BadInput, match="no neutral dog"):
        find_model(folder, kind="dog")
    np.savez(tmp_path / "SMPLX_NEUTRAL.npz", v_template=np.zeros((3, 3)))
    with pytest.raises(BadInput, match="lacks shapedirs"):
        load_body(tmp_path, kind="smplx")

    class Evil:
        def __reduce__(self):
            return eval, ("1",)
    (tmp_path / "SMPL_MALE.pkl").write_bytes(pickle.dumps({"v_template": Evil()}))
    with pytest.raises(BadInput, match="eval"):
        load_body(tmp_path, gender="male")


def test_import_with_the_performers_skeleton(folder, tmp_path):
    """A performer 20 % taller walks 20 % farther; with the betas the canonical motion is the same as ever."""
    dance, _ = stepping(seconds=3.0)
    rest = tiny_model()["v_template"] * TALL
    _, _ = forward_kinematics(dance.rotations, dance.root)
    poses = np.zeros((90, 72))
    poses[:] = matrix_to_axis_angle(dance.rotations).reshape(90, 72)
    trans = dance.root * TALL - rest[0]
    np.savez(tmp_path / "tall.npz", poses=poses, trans=trans, mocap_framerate=30.0, betas=np.array([2.0]),
             gender="neutral")
    right = read_motion(tmp_path / "tall.npz", smpl_models=folder)
    assert np.abs(right.root - dance.root).max() < 0.01
    wrong = read_motion(tmp_path / "tall.npz")
    assert np.abs(np.ptp(wrong.root, axis=0) / np.ptp(dance.root, axis=0) - TALL).max() < 0.05
    with pytest.raises(BadInput, match="SMPL_NEUTRAL"):
        read_motion(tmp_path / "tall.npz", smpl_models=tmp_path / "nothing")
