"""Small files that ask for much: each is a result or a sentence within 1 GiB of memory and 5 s of the processor."""
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="each trial is a forked process")
READ = """
import json, sys
from core.motion_files import read_motion
from tests.faults.sandbox import trial
import core.motion_files.bvh, core.motion_files.amass, core.retarget
path, options = sys.argv[1], json.loads(sys.argv[2])
print(json.dumps(trial(lambda: read_motion(path, **options))))
"""


def read(path, **options):
    """(how it ended, detail) of reading a motion file in the sandbox, in a small process that forks."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run([sys.executable, "-c", READ, str(path), json.dumps(options)], cwd=ROOT, capture_output=True,
                          text=True, env={**os.environ, **threads})
    assert done.returncode == 0, done.stderr
    return tuple(json.loads(done.stdout))


@pytest.fixture
def bvh(tmp_path):
    """The text of a small BVH."""
    from core.motion_files import write_bvh
    from tests.faults.motion_readers import small_motion
    write_bvh(tmp_path / "small.bvh", small_motion())
    return (tmp_path / "small.bvh").read_text()


@pytest.mark.parametrize("time", ["60", "61", "3600", "1e9", "0.0001", "1e-9"])
def test_frame_times(tmp_path, bvh, time):
    (tmp_path / "m.bvh").write_text(bvh.replace("Frame Time: 0.03333333", f"Frame Time: {time}"))
    assert read(tmp_path / "m.bvh")[0] in ("result", "sentence")


def test_a_small_file_that_unpacks_to_ten_gigabytes(tmp_path, bvh):
    member = gzip.compress(b"0 " * (32 << 20), 9)
    packed = tmp_path / "m.bvh.gz"
    packed.write_bytes(gzip.compress(bvh.encode()) + member * 160)
    assert packed.stat().st_size < 12 << 20
    how, words = read(packed)
    assert how == "sentence" and "more than 256 MB" in words


@pytest.mark.parametrize("count", [300, 20_000])
@pytest.mark.parametrize("deep", [True, False])
@pytest.mark.parametrize("equal", [True, False])
def test_many_joints(tmp_path, count, deep, equal):
    joint = "JOINT {}\n{{\nOFFSET 0 1 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n{}"
    names = ["x" if equal else f"x{number}" for number in range(count)]
    body = "".join(joint.format(name, "" if deep else "}\n") for name in names) + ("}\n" * count if deep else "")
    rows = "\n".join(["0 " * 3 * (count + 1)] * 2)
    head = "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
    (tmp_path / "m.bvh").write_text(f"{head}{body}}}\nMOTION\nFrames: 2\nFrame Time: 0.03\n{rows}\n")
    assert read(tmp_path / "m.bvh")[0] == "sentence"


def test_a_rig_of_many_bones_is_ordered_at_once():
    import time

    from core.retarget.rig import bone_order
    count, began = 20_000, time.process_time()
    chain = [(str(number), str(number + 1) if number + 1 < count else None) for number in range(count)]
    assert bone_order(chain) == list(range(count))[::-1] and time.process_time() - began < 2.0


def test_a_passage_is_cut_before_it_is_computed(tmp_path, bvh):
    """An hour at 30 fps; a second of it is asked for. Its frames are those of the whole."""
    import numpy as np

    from core.motion_files import read_motion
    head, rows = bvh.split("Frame Time: 0.03333333\n")
    rows = rows.strip().splitlines()
    times = 400
    long = tmp_path / "long.bvh"
    long.write_text(head.replace(f"Frames: {len(rows)}", f"Frames: {times * len(rows)}") + "Frame Time: 0.03333333\n"
                    + "\n".join(rows * times) + "\n")
    assert read(long, start=300.0, duration=1.0)[0] == "result"
    part, whole = read_motion(long, start=300.0, duration=1.0), read_motion(long)
    gap = whole.slice(9000, 9030)
    assert len(part) == 30 and np.abs(part.rotations - gap.rotations).max() < 1e-3
    assert np.abs(part.root - gap.root).max() < 1e-2
