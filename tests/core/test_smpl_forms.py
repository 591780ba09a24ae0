"""What else SMPL tools write: other units, other forms of rotations, places of joints beside them."""
import pickle

import numpy as np
import pytest

from core.body.rotations import matrix_to_axis_angle
from core.errors import BadInput
from core.motion_files import read_motion
from tests.core.test_motion_dialects import turned


@pytest.fixture(scope="module")
def poses(motion):
    return matrix_to_axis_angle(motion.rotations).astype(np.float64)


@pytest.mark.parametrize("factor,unit", [(100.0, "centimetres"), (1000.0, "millimetres")])
def test_a_translation_in_other_units_is_told_by_the_feet(tmp_path, motion, poses, factor, unit):
    notes = []
    np.savez(tmp_path / "clip.npz", poses=poses.reshape(-1, 72), trans=motion.root * factor, fps=30)
    read = read_motion(tmp_path / "clip.npz", notify=notes.append)
    assert turned(read, motion) < 0.1 and np.ptp(read.root - motion.root, axis=0).max() < 0.02
    assert any(unit in note for note in notes)


def test_who_dances_far_away_stays_there(tmp_path, motion, poses):
    notes = []
    np.savez(tmp_path / "clip.npz", poses=poses.reshape(-1, 72), trans=motion.root + [300.0, 0, 0], fps=30)
    assert read_motion(tmp_path / "clip.npz", notify=notes.append).root[:, 0].min() > 290 and not notes


def test_places_of_joints_are_no_rotations(tmp_path, motion, poses):
    """EDGE's `full_pose` beside `smpl_poses`."""
    held = {"full_pose": np.zeros((len(motion), 24, 3)), "smpl_poses": poses.reshape(-1, 72),
            "smpl_trans": motion.root.astype(np.float64)}
    (tmp_path / "clip.pkl").write_bytes(pickle.dumps(held))
    assert turned(read_motion(tmp_path / "clip.pkl"), motion) < 0.1


def test_matrices_of_trackers(tmp_path, motion):
    held = {"pred_rotmat": motion.rotations, "pred_trans": motion.root[:, None]}
    (tmp_path / "clip.pkl").write_bytes(pickle.dumps(held))
    assert turned(read_motion(tmp_path / "clip.pkl"), motion) < 0.1


@pytest.mark.parametrize("form,word", [(lambda p: np.zeros((len(p), 24, 4)), "quaternions"),
                                       (lambda p: np.zeros((len(p), 24, 6)), "six numbers"),
                                       (lambda p: np.degrees(p), "degrees")])
def test_other_forms_of_rotations_are_named(tmp_path, motion, poses, form, word):
    np.savez(tmp_path / "clip.npz", poses=form(poses), trans=motion.root, fps=30)
    with pytest.raises(BadInput, match=word):
        read_motion(tmp_path / "clip.npz")


def test_a_batch_of_one_is_that_one(tmp_path, motion, poses):
    np.savez(tmp_path / "clip.npz", poses=poses.reshape(1, -1, 72), trans=motion.root[None], fps=30)
    assert turned(read_motion(tmp_path / "clip.npz"), motion) < 0.1
    np.savez(tmp_path / "other.npz", global_orient=poses[None, :, :1], body_pose=poses[None, :, 1:],
             transl=motion.root[None], fps=30)
    assert turned(read_motion(tmp_path / "other.npz"), motion) < 0.1


def test_people_in_a_list_are_numbered(tmp_path, motion, poses):
    notes, other = [], {"poses": np.zeros((len(motion), 72)), "trans": motion.root.astype(np.float64)}
    (tmp_path / "clip.pkl").write_bytes(pickle.dumps([other, {"poses": poses.reshape(-1, 72),
                                                              "trans": motion.root.astype(np.float64)}]))
    read = read_motion(tmp_path / "clip.pkl", root="1", up="z", notify=notes.append)
    assert turned(read, motion) < 0.1
    read_motion(tmp_path / "clip.pkl", up="z", notify=notes.append)
    assert "--root 1" in notes[0]
