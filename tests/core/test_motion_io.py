"""Motion files: each reader on files written here, T-pose flash, wrong rates, one sentence for bad files."""
import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest

from core.body.motion import rest_motion
from core.body.rotations import ROOT_TO_BLENDER, geodesic, matrix_to_axis_angle
from core.contract import JOINTS
from core.errors import BadInput
from core.motion_files import read_motion, write_bvh, write_npz
from core.motion_files.aist import parse_name
from core.motion_files.bvh import format_bvh
from core.motion_files.bvh_text import parse_bvh
from tests.core.rigs import stepping

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "motion"


@pytest.fixture(scope="module")
def dance():
    return stepping(seconds=3.0)[0]


def close(a, b, degrees=0.1, metres=0.003):
    assert len(a) == len(b)
    assert np.degrees(geodesic(a.rotations, b.rotations)).max() < degrees
    assert np.abs(a.root - b.root).max() < metres


@pytest.mark.parametrize("name", ["dance.bvh", "dance.bvh.gz"])
def test_bvh_there_and_back(tmp_path, dance, name):
    write_bvh(tmp_path / name, dance)
    assert parse_bvh(format_bvh(dance)).names[0] == "pelvis"
    close(read_motion(tmp_path / name), dance)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_npz_there_and_back(tmp_path, dance):
    write_npz(tmp_path / "dance.npz", dance)
    held = np.load(tmp_path / "dance.npz")
    assert held["poses"].shape == (90, 72) and held["trans"].shape == (90, 3) and held["mocap_framerate"] == 30
    close(read_motion(tmp_path / "dance.npz"), dance)


@pytest.mark.parametrize("key", ["mocap_framerate", "mocap_frame_rate"])
def test_amass(tmp_path, dance, key):
    """SMPL-H poses (156), 60 fps, another origin: hands stay flat, the standing feet come to the floor."""
    poses = np.zeros((90, 156))
    poses[:, :66] = matrix_to_axis_angle(dance.rotations).reshape(90, 72)[:, :66]
    poses[:, 66:] = 0.7                                                     # fingers
    np.savez(tmp_path / "a.npz", poses=poses, trans=dance.root + [0, 0, 0.37], **{key: 60.0}, betas=np.zeros(16),
             gender="neutral")
    motion = read_motion(tmp_path / "a.npz")
    assert len(motion) == 45 and motion.fps == 30
    assert np.abs(motion.root - dance.root[::2]).max() < 0.01
    assert np.allclose(motion.rotations[:, 22:], np.eye(3), atol=1e-6)
    assert len(read_motion(tmp_path / "a.npz", fps=30)) == 90


def aist_file(path, dance, **extra):
    rotations = dance.rotations.copy()
    rotations[:, 0] = ROOT_TO_BLENDER.T @ rotations[:, 0]
    data = {"smpl_poses": matrix_to_axis_angle(rotations).reshape(len(dance), 72).astype(np.float64),
            "smpl_trans": (dance.root @ ROOT_TO_BLENDER) * 93.0, "smpl_scaling": np.array([93.0]), **extra}
    path.write_bytes(pickle.dumps(data, protocol=2))


def test_aist(tmp_path, dance):
    path = tmp_path / "gBR_sBM_cAll_d04_mBR0_ch01.pkl"
    aist_file(path, dance)
    close(read_motion(path, fps=30), dance, metres=0.01)
    assert len(read_motion(path)) == 45                                     # 60 fps by definition
    assert parse_name(path.name)["bpm"] == 80 and parse_name(path.name)["genre"] == "break"
    assert parse_name("gHO_sFM_cAll_d20_mHO3_ch11.pkl")["bpm"] == 125
    assert parse_name("dance.pkl") is None


class Evil:
    def __reduce__(self):
        return print, ("ran",)


def test_pickles_cannot_run_code(tmp_path, dance, capsys):
    aist_file(tmp_path / "evil.pkl", dance, more=Evil())
    with pytest.raises(BadInput, match="print"):
        read_motion(tmp_path / "evil.pkl")
    assert "ran" not in capsys.readouterr().out


def test_passage_and_rate(tmp_path, dance):
    write_bvh(tmp_path / "d.bvh", dance)
    part = read_motion(tmp_path / "d.bvh", start=1.0, duration=0.5)
    assert len(part) == 15
    assert np.degrees(geodesic(part.rotations, dance.rotations[30:45])).max() < 0.1
    assert len(read_motion(tmp_path / "d.bvh", fps=60)) == 45
    with pytest.raises(BadInput, match="nothing is left"):
        read_motion(tmp_path / "d.bvh", start=20)
    with pytest.raises(BadInput, match="0.02 s holds no two frames"):
        read_motion(tmp_path / "d.bvh", duration=0.02)


@pytest.mark.parametrize("write, name", [(write_bvh, "d.bvh"), (write_npz, "d.npz")])
def test_what_cannot_be_written_says_why_and_where(tmp_path, dance, write, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput) as caught:
        write(tmp_path / "file" / name, dance)
    assert str(caught.value) == (f"The motion cannot be written to {tmp_path / 'file' / name} (a file lies where a "
                                 "folder should be); choose another folder.")


@pytest.mark.parametrize("blend", [0, 4])
def test_tpose_flash_is_ignored(tmp_path, dance, blend):
    """A calibration frame (alone, or blended out of) is replaced by the first real pose; a clip without one is kept."""
    dance = type(dance)(dance.rotations.copy(), dance.root, dance.fps)
    arms = [JOINTS.index("left_shoulder"), JOINTS.index("right_shoulder")]
    from core.body.rotations import axis_angle_to_matrix
    for joint, sign in zip(arms, (-1, 1)):
        dance.rotations[:, joint] = axis_angle_to_matrix(np.array([0, 0, sign * 1.3])) @ dance.rotations[:, joint]
    flash = rest_motion(1 + blend)
    mixed = dance.rotations.copy()
    mixed[:1 + blend] = flash.rotations
    for k in range(1, 1 + blend):
        delta = matrix_to_axis_angle(np.swapaxes(flash.rotations[k], -1, -2) @ dance.rotations[k])
        mixed[k] = flash.rotations[k] @ axis_angle_to_matrix(delta * k / (1 + blend))
    write_bvh(tmp_path / "flash.bvh", type(dance)(mixed, dance.root, 30.0))
    write_bvh(tmp_path / "clean.bvh", dance)
    read, clean = read_motion(tmp_path / "flash.bvh"), read_motion(tmp_path / "clean.bvh")
    assert len(read) == len(dance)
    assert np.degrees(geodesic(read.rotations[6:], dance.rotations[6:])).max() < 0.1
    assert np.degrees(geodesic(read.rotations[:6], read.rotations[6:7])).max() < 0.1
    assert np.degrees(geodesic(clean.rotations[0], clean.rotations[6])).max() > 0.5


def edited(dance, change):
    lines = format_bvh(dance.slice(0, 4)).splitlines()
    return "\n".join(change(lines))


@pytest.mark.parametrize("change, words", [
    (lambda lines: [line.replace("left_knee", "blob") for line in lines], "left_knee"),
    (lambda lines: lines[:-3] + ["nan " + line.split(" ", 1)[1] for line in lines[-3:]], "row 2 holds something that "
     "is not a"),
    (lambda lines: lines[:-3], "single frame"),
    (lambda lines: lines[:-4], "no motion"),
    (lambda lines: lines[:-3] + [line[:40] for line in lines[-3:]], "row 2 has 5 numbers for 75 channels"),
    (lambda lines: lines[5:9], "not a readable BVH"),
])
def test_bad_bvh(tmp_path, dance, change, words):
    (tmp_path / "bad.bvh").write_text(edited(dance, change))
    with pytest.raises(BadInput, match=words) as caught:
        read_motion(tmp_path / "bad.bvh")
    assert "\n" not in str(caught.value)


def test_bad_files(tmp_path):
    (tmp_path / "empty.bvh").write_bytes(b"")
    (tmp_path / "broken.bvh.gz").write_bytes(gzip.compress(b"HIERARCHY")[:-4])
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "a.fbx").write_text("hello")
    np.savez(tmp_path / "nan.npz", poses=np.full((9, 72), np.nan), trans=np.zeros((9, 3)), mocap_framerate=30.0)
    for name, words in (("empty.bvh", "is empty"), ("broken.bvh.gz", "cannot be read"),
                        ("text.npz", "not a readable npz"), ("a.fbx", "is a scene"), ("nan.npz", "not numbers"),
                        ("absent.bvh", "cannot be read")):
        with pytest.raises(BadInput, match=words):
            read_motion(tmp_path / name)


@pytest.mark.skipif(not DATA.is_dir(), reason="no capture data beside the repository")
def test_capture():
    """A CMU clip: T-pose flash gone, feet near the floor, limbs as in the file's own skeleton."""
    from core.motion_files.bvh import bvh_rig
    path = DATA / "cmu_salsa" / "10.bvh.gz"
    motion = read_motion(path, fps=60)
    step = np.degrees(geodesic(motion.rotations[1:], motion.rotations[:-1])).max(axis=1)
    assert step[:4].max() < 2 * np.percentile(step, 95)
    positions = motion.positions()
    assert 0 < np.percentile(positions[:, [10, 11], 2].min(axis=1), 10) < 0.05
    rig, poses = bvh_rig(parse_bvh(gzip.decompress(path.read_bytes()).decode()))
    poses = poses[::2]
    for a, b in (("left_hip", "left_knee"), ("right_knee", "right_ankle"), ("left_elbow", "left_wrist")):
        heads = [rig.to_world(poses[:, rig.index[rig.bone_map[j]], :3, 3]) for j in (a, b)]
        source = (heads[1] - heads[0])[6:len(motion)]
        ours = (positions[:, JOINTS.index(b)] - positions[:, JOINTS.index(a)])[6:len(heads[0])]
        cosine = (source * ours).sum(-1) / np.linalg.norm(source, axis=-1) / np.linalg.norm(ours, axis=-1)
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 1.0
