"""Captured dances as a corpus: rate, floor, rests that lie down, glitches, beats, splits; on small files written
here."""
import json

import numpy as np
import pytest

from core.body.kinematics import OFFSETS, forward_kinematics
from core.body.motion import Motion
from core.body.rotations import ROOT_TO_BLENDER, matrix_to_euler
from core.contract import JOINTS, PARENTS
from core.errors import BadInput
from core.motion_files import write_bvh
from models.lab.loaders import captures
from models.training.flat import Flat
from tests.core.rigs import stepping

DANCE = stepping(seconds=6.0)[0]


def release(folder, name="cmu_salsa", clip="01", motion=DANCE, beats=None, **facts):
    """A release's folder with one clip, its facts in the manifest and, where given, its beats."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    path = folder / name / f"{clip}.bvh"
    write_bvh(path, motion)
    if beats is not None:
        np.savetxt(path.with_name(f"{clip}.beats.txt"), beats)
    (folder / "manifest.json").write_text(json.dumps({f"{name}/{clip}.bvh": facts} if facts else {}), encoding="utf-8")
    return path


def along_x(path, motion):
    """The motion as a BVH whose bones all lie along x at rest, as some exporters write: each joint's axes turn with
    it."""
    _, turns = forward_kinematics(motion.rotations, motion.root)
    turns = ROOT_TO_BLENDER.T @ turns
    children = {joint: [c for c, parent in enumerate(PARENTS) if parent == joint] for joint in range(24)}
    rest, offsets = np.tile(np.eye(3), (24, 1, 1)), OFFSETS.astype(float).copy()
    for joint in range(1, 24):
        way = OFFSETS[children[joint][0]] if children[joint] else OFFSETS[joint]
        first = way / np.linalg.norm(way)
        side = np.cross([0.3, 0.5, 0.8], first)
        side /= np.linalg.norm(side)
        rest[joint] = np.stack([first, side, np.cross(first, side)], 1)
    lines, order = ["HIERARCHY"], []
    for joint in range(1, 24):
        offsets[joint] = rest[PARENTS[joint]].T @ OFFSETS[joint]

    def write(joint, indent):
        order.append(joint)
        lines.append(f"{indent}{'JOINT' if joint else 'ROOT'} {JOINTS[joint]}")
        lines.append(f"{indent}{{")
        offset = offsets[joint] * 100 if joint else np.zeros(3)
        lines.append(f"{indent}OFFSET {offset[0]} {offset[1]} {offset[2]}")
        place = "6 Xposition Yposition Zposition" if joint == 0 else "3"
        lines.append(f"{indent}CHANNELS {place} Zrotation Xrotation Yrotation")
        for child in children[joint]:
            write(child, indent + " ")
        if not children[joint]:
            lines.extend([f"{indent}End Site", f"{indent}{{", f"{indent}OFFSET 5 0 0", f"{indent}}}"])
        lines.append(f"{indent}}}")
    write(0, "")
    turned = turns @ rest
    local = np.stack([turned[:, j] if j == 0 else turned[:, PARENTS[j]].swapaxes(1, 2) @ turned[:, j]
                      for j in range(24)], 1)
    angles = np.degrees(matrix_to_euler(local, "ZXY"))[:, order].reshape(len(motion), -1)
    rows = np.concatenate([motion.root @ ROOT_TO_BLENDER * 100, angles], 1)
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / motion.fps}"]
    lines += [" ".join(f"{value:.5f}" for value in row) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")


def test_the_true_rate_and_the_floor(tmp_path):
    floating = Motion(DANCE.rotations, DANCE.root + np.array([0, 0, 0.3], np.float32), 120.0)
    capture = captures.read_capture(release(tmp_path, motion=floating, fps=30), beats=False)
    assert capture.motion.fps == 60 and capture.motion.duration == pytest.approx(DANCE.duration - captures.DROPPED,
                                                                                 abs=0.06)
    toes = capture.motion.positions()[:, [10, 11], 2].min(1)
    assert np.percentile(toes, 5) == pytest.approx(0.02, abs=0.01)
    assert capture.style == "salsa" and capture.split == "train" and capture.dance


def test_a_rest_that_lies_down_is_read_standing(tmp_path):
    """Bones along x at rest: the body is that of the plain file all the same; today's reader alone lays it down."""
    path = tmp_path / "cmu_breakdance" / "85_03.bvh"
    along_x(path, DANCE)
    capture = captures.read_capture(path, beats=False)
    plain = captures.read_capture(release(tmp_path, clip="02", fps=30), beats=False)
    found, true = (one.motion.positions() - one.motion.root[:, None] for one in (capture, plain))
    count = min(len(found), len(true))
    assert np.abs(found[:count, [15, 7, 8, 20, 21]] - true[:count, [15, 7, 8, 20, 21]]).mean() < 0.06
    assert np.median(capture.motion.positions()[:, 15, 2]) > 1.3


def test_glitches_are_left_out(tmp_path):
    capture = captures.read_capture(release(tmp_path, fps=30, bad_frames=[[80, 84]]), beats=False)
    assert len(capture.good) == 2
    (_, stop), (start, _) = capture.good
    assert stop / 60 + captures.DROPPED <= 80 / 30 and start / 60 + captures.DROPPED >= 84 / 30
    jump = Motion(DANCE.rotations, DANCE.root.copy(), 30.0)
    jump.root[90:] += 1.0                                                       # a metre in one frame
    assert len(captures.read_capture(release(tmp_path, motion=jump, fps=30), beats=False).good) == 2


def test_given_beats_and_a_flat_corpus(tmp_path):
    release(tmp_path / "in", clip="05", beats=[0.5, 1.0, 1.5, 2.0, 2.5], fps=30)
    release(tmp_path / "in", clip="01", beats=[0.5, 1.0, 1.5, 2.0, 2.5], fps=30)
    assert captures.main([str(tmp_path / "in"), str(tmp_path / "out")]) == 0
    flat = Flat(tmp_path / "out", kind="dance")
    assert {item["clip"]: item["split"] for item in flat.items} == {"cmu_salsa/01": "train", "cmu_salsa/05": "test"}
    item = flat.items[0]
    beats = np.array(item["beats"])
    np.testing.assert_allclose(np.diff(beats[:, 0]), 0.5, atol=1e-3)                    # continued to the end
    np.testing.assert_allclose(beats[0, 0] % 0.5, 0.5 - captures.DROPPED, atol=2e-3)
    assert set(beats[:, 1]) == {1, 2, 3, 4} and len(beats) >= 10 and len(item["sha256"]) == 64
    thirty, sixty = flat.rows(item, "root"), flat.rows(item, "root60")
    np.testing.assert_allclose(thirty, sixty[::2][:len(thirty)], atol=1e-5)


def test_an_empty_folder_is_said_to_be_one(tmp_path, capsys):
    with pytest.raises(BadInput, match="lie under"):
        captures.capture_files(tmp_path)
    assert captures.main([str(tmp_path), str(tmp_path / "out")]) != 0
    assert not (tmp_path / "out").exists() and "lie under" in capsys.readouterr().err
