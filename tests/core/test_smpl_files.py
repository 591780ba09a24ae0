"""SMPL motions as the field's tools save them: joblib, torch, several people, accounts in the world and in the
camera."""
import os

import joblib
import numpy as np
import pytest
import torch

from core.body.rotations import matrix_to_axis_angle
from core.body.unpickle import load_numpy_pickle
from core.errors import BadInput
from core.motion_files import read_motion
from tests.core.test_motion_dialects import turned


@pytest.fixture(scope="module")
def smpl(motion):
    return {"poses": matrix_to_axis_angle(motion.rotations).reshape(len(motion), 72), "trans": motion.root.copy()}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_joblib_in_all_its_forms(tmp_path, protocol, compress):
    path, rng = tmp_path / "a.pkl", np.random.default_rng(0)
    data = {"a": rng.normal(size=(5, 3)), "b": np.asfortranarray(rng.normal(size=(4, 3)).astype("f4")),
            7: {"c": np.arange(3)},
            "big": np.arange(4, dtype=">f8"), "none": np.zeros((0, 3)), "word": "x", "number": np.float32(2.5)}
    joblib.dump(data, path, compress=compress, protocol=protocol)
    held = load_numpy_pickle(path.read_bytes(), "a.pkl")
    assert list(held) == list(data) and held["word"] == "x" and held["number"] == 2.5
    assert all(np.array_equal(held[key], data[key]) for key in ("a", "b", "big", "none"))
    assert np.array_equal(held[7]["c"], data[7]["c"])


class Evil:
    def __reduce__(self):
        return os.system, ("exit 1",)


@pytest.mark.parametrize("held", [{"a": np.zeros(3), "b": Evil()}, {"a": np.array([Evil()], dtype=object)}])
def test_joblib_runs_nothing(tmp_path, held):
    joblib.dump(held, tmp_path / "a.pkl")
    with pytest.raises(BadInput, match="Baton does not open it"):
        load_numpy_pickle((tmp_path / "a.pkl").read_bytes(), "a.pkl")


def test_damaged_joblib_ends_in_a_sentence(tmp_path, smpl):
    joblib.dump(smpl, tmp_path / "a.pkl")
    data = (tmp_path / "a.pkl").read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(60):
        broken = bytearray(data[:rng.integers(10, len(data))])
        for place in rng.integers(0, min(len(broken), 400), 3):
            broken[place] = rng.integers(0, 256)
        try:
            load_numpy_pickle(bytes(broken), "a.pkl")
        except BadInput as error:
            assert "\n" not in str(error)


def test_a_motion_by_joblib(tmp_path, motion, smpl):
    """People by number, in the camera and in the world, as WHAM saves them."""
    camera = {"pose": smpl["poses"][::-1].copy(), "trans": smpl["trans"][::-1].copy(), "pose_world": smpl["poses"],
              "trans_world": smpl["trans"], "verts": np.zeros((2, 10, 3))}
    path, notes = tmp_path / "a.pkl", []
    joblib.dump({0: camera, 3: {"pose": smpl["poses"] * 0.5, "trans": smpl["trans"]}}, path)
    assert turned(read_motion(path, fps=30, notify=notes.append), motion) < 0.1
    assert "2 motions: 0, 3" in notes[0] and "--root 3" in notes[0]
    assert turned(read_motion(path, fps=30, root="3"), motion) > 5
    with pytest.raises(BadInput, match="no 'x'; it holds 0, 3"):
        read_motion(path, root="x")


@pytest.mark.parametrize("suffix", ["pt", "pth"])
def test_tensors_by_torch(tmp_path, motion, smpl, suffix):
    """GVHMR's form: an account in the world beside one in the camera, tensors in single precision."""
    poses, trans = (torch.tensor(smpl[key], dtype=torch.float32) for key in ("poses", "trans"))
    path = tmp_path / f"a.{suffix}"
    torch.save({"smpl_params_incam": {"global_orient": poses[:, :3] * 0, "body_pose": poses[:, 3:66], "transl": trans},
                "smpl_params_global": {"global_orient": poses[:, :3], "body_pose": poses[:, 3:66], "transl": trans},
                "K_fullimg": torch.eye(3)}, path)
    read = read_motion(path)
    assert len(read) == len(motion) and turned(read, motion) < 15          # hands are not among the 22 joints
    matrices = torch.tensor(motion.rotations, dtype=torch.float32)
    torch.save({"global_orient": matrices[:, :1], "body_pose": matrices[:, 1:], "transl": trans}, path)
    assert turned(read_motion(path), motion) < 0.1


def test_torch_files_that_hold_objects_are_refused(tmp_path):
    torch.save({"poses": Evil()}, tmp_path / "a.pt")
    with pytest.raises(BadInput, match="other things than tensors"):
        read_motion(tmp_path / "a.pt")
