"""Motion files as other programs write them: the same motion in every dialect of text, rows, rates, axes and names."""
import gzip
import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from core.body.kinematics import forward_kinematics
from core.body.motion import Motion
from core.body.rotations import ROOT_TO_BLENDER, matrix_to_axis_angle
from core.body.unpickle import load_numpy_pickle
from core.errors import BadInput
from core.motion_files import read_motion
from core.motion_files.bvh import format_bvh
from core.motion_files.rates import rate_of_time
from core.motion_files.text import words_of

CASES = Path(__file__).resolve().parents[3] / "shared" / "data" / "cases"


def turned(a, b):
    """Largest difference of global joint rotations, degrees, facing aside."""
    n = min(len(a), len(b))
    one, two = (forward_kinematics(m.rotations[:n], m.root[:n])[1] for m in (a.canonical(), b.canonical()))
    trace = np.einsum("tjab,tjab->tj", one, two)
    return float(np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))).max())


def rows_changed(text, change):
    head, rows = text.split("MOTION")
    lines = rows.strip().split("\n")
    return head + "MOTION\n" + "\n".join(lines[:2] + change(lines[2:]))


DIALECTS = {
    "mark": lambda t: b"\xef\xbb\xbf" + t.encode(), "utf16": lambda t: t.encode("utf-16"),
    "utf16 without mark": lambda t: t.encode("utf-16-le"), "old Macs": lambda t: t.replace("\n", "\r").encode(),
    "Windows": lambda t: t.replace("\n", "\r\n").encode(), "Japanese names": lambda t: t.replace(
        "left_hand", "左手").encode("shift_jis"),
    "decimal commas": lambda t: t.replace(".", ",").encode(), "braces": lambda t: t.replace("\n{", " {").encode(),
    "comments": lambda t: ("# made by hand\n" + t.replace("HIERARCHY", "HIERARCHY // here")).encode(),
    "no colon": lambda t: t.replace("Frame Time:", "Frame Time").encode(),
    "no space": lambda t: t.replace("Frame Time: ", "Frame Time:").encode(),
    "glued": lambda t: rows_changed(t, lambda rows: [row.replace(" -", "-") for row in rows]).encode(),
    "one line": lambda t: rows_changed(t, lambda rows: [" ".join(rows)]).encode(),
    "tail": lambda t: t.encode() + b"\0\0\nend of file\n",
    "milliseconds": lambda t: t.replace("0.03333333", "33.333").encode(),
    "rate": lambda t: t.replace("0.03333333", "30").encode(),
    "semicolons": lambda t: rows_changed(t, lambda rows: [row.replace(" ", "; ") + ";" for row in rows]).encode(),
    "numbered": lambda t: rows_changed(t, lambda rows: [f"{at + 1} {row}" for at, row in enumerate(rows)]).encode(),
    "numbered with colons": lambda t: rows_changed(
        t, lambda rows: [f"{at}: {row}" for at, row in enumerate(rows)]).encode(),
    "fraction": lambda t: t.replace("0.03333333", "1/30").encode(),
    "spaced fraction": lambda t: t.replace("0.03333333", "2 / 60").encode(),
    "comments between rows": lambda t: rows_changed(
        t, lambda rows: [*rows[:40], "# part two", "// 3", *rows[40:]]).encode(),
    "text between rows": lambda t: rows_changed(t, lambda rows: [*rows[:40], "frame 41", *rows[40:]]).encode(),
    "minus signs": lambda t: rows_changed(t, lambda rows: [row.replace("-", "\u2212") for row in rows]).encode(),
    "scales": lambda t: rows_changed(
        t.replace("6 Xposition Yposition Zposition", "9 Xscale Yscale Zscale Xposition Yposition Zposition"),
        lambda rows: [f"1 1 1 {row}" for row in rows]).encode(),
    "exponents": lambda t: t.replace("0.03333333", "3.333333e-2").encode(),
    "rounded": lambda t: t.replace("0.03333333", "0.033").encode(),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_same_motion_in_every_dialect(tmp_path, motion, text, dialect):
    path = tmp_path / "clip.bvh"
    path.write_bytes(DIALECTS[dialect](text))
    read = read_motion(path)
    assert read.fps == 30 and len(read) == len(motion) and turned(read, motion) < 0.1


def test_short_gaps_are_filled_and_said_and_long_ones_refused(tmp_path, motion, text):
    path, notes = tmp_path / "clip.bvh", []
    path.write_text(rows_changed(text, lambda rows: [
        *rows[:40], rows[40][:50], "1.#IND " + rows[41].split(" ", 1)[1], *rows[42:]]))
    read = read_motion(path, notify=notes.append)
    assert len(read) == len(motion) and turned(read, motion) < 25 and "row 41" in notes[0] and "2 such rows" in notes[0]
    assert np.abs(read.rotations[50:] - motion.rotations[50:]).max() < 1e-3         # nothing is shifted
    path.write_text(rows_changed(text, lambda rows: rows[:40] + [row[:50] for row in rows[40:46]] + rows[46:]))
    with pytest.raises(BadInput, match="row 41 has .* numbers for 75 channels"):
        read_motion(path)
    path.write_text(text.replace("Frames: 90", "Frames: 99"))
    notes.clear()
    assert len(read_motion(path, notify=notes.append)) == 90 and "99" in notes[0]


def test_angles_are_filled_in_by_the_shorter_way(tmp_path, motion, text):
    """And a bad first row holds the second, so that all others stay where they are in time."""
    path = tmp_path / "clip.bvh"

    def turned_on(rows):
        cells = [row.split() for row in rows]
        for at, row in enumerate(cells):
            row[5] = str(float(row[5]) + (360 if at > 40 else 0))
        return [cells[0][0], *(" ".join(row) for row in cells[1:40]), "1 2 3", *(" ".join(row) for row in cells[41:])]
    path.write_text(rows_changed(text, turned_on))
    read = read_motion(path)
    assert len(read) == len(motion) and np.abs(read.rotations[1:40] - motion.rotations[1:40]).max() < 1e-3
    assert np.abs(read.rotations[40, 0] - motion.rotations[40, 0]).max() < 0.05


def test_a_frame_time_that_is_next_to_nothing_is_a_sentence(tmp_path, text):
    (tmp_path / "clip.bvh").write_text(text.replace("0.03333333", "1e-300"))
    with pytest.raises(BadInput, match="frames a second"):
        read_motion(tmp_path / "clip.bvh")


def test_channels_of_an_end_site_move_no_joint(tmp_path, motion, text):
    site = text.index("End Site")
    brace = text.index("}", site)
    changed = text[:brace] + "CHANNELS 3 Zrotation Xrotation Yrotation\n" + text[brace:]
    before = text[:site].count("CHANNELS") * 3 + 3           # columns of the joints up to there
    path = tmp_path / "clip.bvh"
    path.write_text(rows_changed(changed, lambda rows: [" ".join(
        row.split()[:before] + ["77", "88", "99"] + row.split()[before:]) for row in rows]))
    assert turned(read_motion(path), motion) < 0.1


@pytest.mark.parametrize("seconds,digits,rate", [(1 / 60, 8, 60), (0.016667, 6, 60), (0.0417, 4, 23.976), (0.04, 2, 25),
                                                 (0.008333, 6, 120),
                                                 (30.0, 0, 30), (33.333, 3, 30), (16.667, 3, 60),
                                                 (0.0123, 4, 1 / 0.0123)])
def test_rates(seconds, digits, rate):
    assert rate_of_time(seconds, "clip", digits) == pytest.approx(rate, rel=1e-6)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), 60.0 * 7, 1e-5])
def test_rates_outside_of_reason_are_sentences(seconds):
    with pytest.raises(BadInput, match="frames a second"):
        rate_of_time(seconds, "clip")


def test_words_of_numbers():
    assert words_of("1,5 -2,25 3") == ["1.5", "-2.25", "3"] and words_of("1.5, 2.5,3.5") == ["1.5", "2.5", "3.5"]
    assert words_of("1.0-2.5 1e-5-3 -1.#IND") == ["1.0", "-2.5", "1e-5", "-3", "-1.#IND"]


def smpl(motion, turn):
    """SMPL parameters in a world turned by `turn`."""
    rotations = motion.rotations.copy()
    rotations[:, 0] = turn @ rotations[:, 0]
    return matrix_to_axis_angle(rotations), (motion.root @ turn.T).astype(np.float32)


@pytest.mark.parametrize("turn", [np.eye(3), ROOT_TO_BLENDER.T, ROOT_TO_BLENDER, np.diag([1.0, -1.0, -1.0])])
@pytest.mark.parametrize("names", [("poses", "trans"), ("fullpose", "transl"), ("global_orient body_pose", "transl")])
def test_smpl_dialects_and_the_way_up(tmp_path, motion, turn, names):
    poses, trans = smpl(motion, turn)
    keys = names[0].split()
    held = {keys[0]: poses} if len(keys) == 1 else {keys[0]: poses[:, 0], keys[1]: poses[:, 1:]}
    np.savez(tmp_path / "clip.npz", **held, **{names[1]: trans}, mocap_framerate=30.0,
             gender=np.array(["male"], dtype=object))
    read = read_motion(tmp_path / "clip.npz")
    assert turned(read, motion) < 0.2 and 0.7 < read.root[:, 2].mean() < 1.0


def test_floor_moves_stand_on_their_floor_and_what_lies_is_asked_about(tmp_path, motion):
    """Upright at start and end, upside down between: the floor tells. Lying all the time: a notice, and --up."""
    over = Motion(motion.rotations.copy(), motion.root.copy(), motion.fps)
    flip = np.diag([1.0, -1.0, -1.0])
    over.rotations[20:70, 0] = flip @ over.rotations[20:70, 0]
    low = over.positions()[:, :, 2].min(axis=1)
    over.root[:, 2] -= low
    poses, trans = smpl(over, ROOT_TO_BLENDER.T)
    np.savez(tmp_path / "floor.npz", poses=poses, trans=trans, mocap_framerate=30.0)
    assert turned(read_motion(tmp_path / "floor.npz"), over) < 0.2
    poses, trans = smpl(motion, np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]) @ ROOT_TO_BLENDER.T)
    np.savez(tmp_path / "asked.npz", poses=poses, trans=trans, mocap_framerate=30.0)
    lying = read_motion(tmp_path / "asked.npz", up="z")
    assert abs(lying.positions()[:, 15, 2] - lying.positions()[:, 7, 2]).mean() < 1.6
    with pytest.raises(BadInput, match="Up is one of"):
        read_motion(tmp_path / "asked.npz", up="w")


def test_a_motion_that_speaks_against_its_rest_is_believed_and_said(tmp_path, motion):
    """A rest that stands along y, a dance that stands along z: a file of two minds, or somebody who lies."""
    over = motion.rotations.copy()
    turn = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=np.float32)
    over[:, 0] = turn @ over[:, 0]
    path, notes = tmp_path / "clip.bvh", []
    path.write_text(format_bvh(Motion(over, (motion.root @ turn.T).astype(np.float32), motion.fps)))
    assert turned(read_motion(path, notify=notes.append), motion) < 0.1
    assert len(notes) == 1 and "stands along y" in notes[0] and "--up y" in notes[0]
    notes.clear()
    assert turned(read_motion(path, up="y", notify=notes.append), motion) > 60.0 and not notes


class Evil:
    """What a file must not be able to have built."""

    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return self.parts


@pytest.mark.parametrize("build", [
    lambda: Evil(np.ndarray, ((2,), "O", b"\x10" * 16)), lambda: Evil(np.ndarray, ((2,), "f8", b"\x10" * 16)),
    lambda: Evil(np.dtype, ("O",)), lambda: Evil(np.dtype, ([("a", "f8")],)), lambda: Evil(eval, ("1",)),
    lambda: np.array([object()], dtype=object), lambda: np.zeros(2, dtype=[("a", "f8")])])
def test_no_constructor_of_numpy_is_reachable_from_a_pickle(build):
    with pytest.raises(BadInput, match="not a pickle of plain arrays"):
        load_numpy_pickle(pickle.dumps({"smpl_poses": build()}), "clip.pkl")


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_every_protocol_is_read(protocol):
    data = {"a": np.arange(12.0).reshape(3, 4), "f": np.asfortranarray(np.ones((2, 3), np.int16)), "s": np.float32(2.5),
            "text": "name", "list": [1, (2.0, None)], "b": np.array([True, False]), "big": np.arange(3, dtype=">f4")}
    held = load_numpy_pickle(pickle.dumps(data, protocol), "clip.pkl")
    assert np.array_equal(held["a"], data["a"]) and np.array_equal(held["f"], data["f"]) and held["s"] == 2.5
    assert held["list"] == [1, (2.0, None)] and held["b"].tolist() == [True, False] and held["big"].tolist() == [0, 1,
                                                                                                                 2]


def test_nested_pickles_are_refused_before_they_are_built():
    deep = b"\x80\x02" + b"N" + b"\x85" * 100_000 + b"."     # 100,000 tuples in each other
    with pytest.raises(BadInput, match="nested"):
        load_numpy_pickle(deep, "clip.pkl")


def test_bounds_come_before_allocation(tmp_path, text):
    with pytest.raises(BadInput, match="more than 2000 joints"):
        joints = "HIERARCHY\nROOT a\n{\n" + "JOINT b\n{\n}\n" * 3000 + "}\nMOTION\nFrames: 1\nFrame Time: 0.03\n0\n"
        (tmp_path / "many.bvh").write_text(joints)
        read_motion(tmp_path / "many.bvh")
    with pytest.raises(BadInput, match="deep"):
        (tmp_path / "deep.bvh").write_text("HIERARCHY\n" + "ROOT a\n{\n" * 900
                                           + "MOTION\nFrames: 1\nFrame Time: 0.03\n0\n")
        read_motion(tmp_path / "deep.bvh")
    (tmp_path / "slow.bvh").write_text(text.replace("0.03333333", "60000"))
    with pytest.raises(BadInput, match="frames a second"):
        read_motion(tmp_path / "slow.bvh")


@pytest.mark.parametrize("kind", ["bvh", "npz", "pkl"])
def test_mutations_end_in_a_motion_or_a_sentence(tmp_path, motion, text, kind):
    rng = np.random.default_rng(5)
    short = motion.slice(0, 12)
    if kind == "bvh":
        data = format_bvh(short).encode()
    elif kind == "npz":
        buffer = io.BytesIO()
        np.savez(buffer, poses=smpl(short, np.eye(3))[0], trans=short.root, mocap_framerate=30.0)
        data = buffer.getvalue()
    else:
        poses, trans = smpl(short, np.eye(3))
        held = {"smpl_poses": poses.reshape(len(short), -1), "smpl_trans": trans, "smpl_scaling": np.array([1.0])}
        data = pickle.dumps(held, 2)
    for number in range(60):
        broken = bytearray(data)
        for _ in range(int(rng.integers(1, 6))):
            at = int(rng.integers(len(broken)))
            how = int(rng.integers(4))
            if how == 0:
                broken[at] = int(rng.integers(256))
            elif how == 1:
                del broken[at:at + int(rng.integers(1, 60))]
            elif how == 2:
                broken[at:at] = broken[at:at + int(rng.integers(1, 60))]
            else:
                broken[at:at + 4] = b"-9e9" if kind == "bvh" else b"\xff\xff\xff\x7f"
        path = tmp_path / f"{number}.{kind}"
        path.write_bytes(bytes(broken))
        try:
            read_motion(path)
        except BadInput as error:
            assert "\n" not in str(error) and len(str(error)) < 400


READ = """bom utf16 comma comma_ft brace_same_line nospace_ft nocolon comment fewer more last_row_cut glued_numbers
        nan_one trailing ft_fps ft_33ms ft_0p033 amass_frametime yup_npz ydown rest_zup_motion_yup fullpose smpl_keys \
poses_T_24_3
        amass_object_gender rokoko_header along_x_zup along_y along_z lafan_like allpos_zero_offset""".split()


@pytest.mark.skipif(not CASES.is_dir(), reason="no cases beside the repository")
@pytest.mark.parametrize("case", READ)
def test_cases(case):
    path = next((CASES / case).glob("case.*"))
    plain = read_motion(CASES / "plain" / "case.bvh.gz")
    read = read_motion(path)
    assert turned(read, plain) < 3.0 and 0.7 < read.root[:, 2].mean() < 1.05


@pytest.mark.skipif(not CASES.is_dir(), reason="no cases beside the repository")
@pytest.mark.parametrize("case,bone", [("zero_hand_offset", "hand"), ("zero_hip_offset", "LeftHip")])
def test_cases_without_a_joint(case, bone):
    """These skeletons lack the third spine bone, so that the chest's own turn is not in the file, which is said; all
    else is."""
    notes = []
    read = read_motion(CASES / case / "case.bvh.gz", notify=notes.append)
    plain = read_motion(CASES / "plain" / "case.bvh.gz")
    one, two = (forward_kinematics(m.rotations, m.root)[1] for m in (read, plain))
    angles = np.degrees(np.arccos(np.clip((np.einsum("tjab,tjab->tj", one, two) - 1) / 2, -1, 1))).max(axis=0)
    assert np.delete(angles, 9).max() < 3.0 and "spine3" in notes[0] and "case.bvh.gz" in notes[1] and bone in notes[1]


def test_gzip_of_a_dialect(tmp_path, motion, text):
    (tmp_path / "clip.bvh.gz").write_bytes(gzip.compress(text.encode("utf-16")))
    assert turned(read_motion(tmp_path / "clip.bvh.gz"), motion) < 0.1
