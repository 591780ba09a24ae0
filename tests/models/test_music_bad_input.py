"""What cannot become music gets one clear sentence from the pipeline: what, where, what to do. And torchrun on two
processes."""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "core"))

from music_fixtures import moving_motion, noise_item  # noqa: E402
from tiny import save_music, save_rhythm  # noqa: E402

from core import pipelines  # noqa: E402
from core.body.motion import Motion, rest_motion  # noqa: E402
from core.errors import BadInput  # noqa: E402
from core.retarget.rig import Rig  # noqa: E402
from models.training.shards import write_shard  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    save_rhythm(folder)
    save_music(folder)
    return pipelines.open_pipeline("music", folder, "cpu")


def broken_motion():
    motion = moving_motion(60)
    motion.rotations[40, 3] = np.nan
    return motion


def lost_motion():
    motion = moving_motion(60)
    motion.root[7] = np.inf
    return motion


HOURS = 4 * 3600.0
CASES = {
    "empty action": (lambda: Motion(np.zeros((0, 24, 3, 3)), np.zeros((0, 3))), {}, "0.00 s|frames"),
    "one frame": (lambda: rest_motion(1), {}, "frames|0.0[0-9] s"),
    "NaN keys": (broken_motion, {}, "NaN|not numbers"),
    "infinite root": (lost_motion, {}, "NaN|infinite|not numbers"),
    "unknown genre": (lambda: moving_motion(60), {"genre": "polka"}, "polka.*choose"),
    "zero-length strip": (lambda: moving_motion(60), {"duration": 0.0}, "0.00 s.*longer"),
    "longer than the motion": (lambda: moving_motion(60), {"duration": 9.0}, "2.00 s.*shorter"),
    "four hours": (lambda: None, {"duration": HOURS, "genre": "pop"}, "4.0 h.*shorter"),
    "not a motion": (lambda: "dance.bvh", {}, "motion file"),
    "a range outside": (lambda: moving_motion(60), {"keep": (np.zeros((2, 96_000), np.float32), 1.5, 9.0)}, "range"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_sentence(music, case):
    condition, options, words = CASES[case]
    with pytest.raises(BadInput, match=words) as caught:
        music.generate(condition(), **{"steps": 1, "genre": "house", **options})
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text and len(text) < 220 and "Traceback" not in text


def test_no_matching_bones_are_named():
    with pytest.raises(BadInput, match="lacks pelvis.*assign these bones"):
        Rig(["Bone", "Bone.001"], [-1, 0], np.stack([np.eye(4)] * 2), np.zeros((2, 3)), np.eye(4), {})


@pytest.mark.skipif(sys.platform == "win32", reason="gloo over torchrun is tested on Linux and macOS")
def test_torchrun_trains_the_vae_on_two_processes(tmp_path):
    """The real command of the music model, two CPU processes over gloo: one run folder, both took part."""
    write_shard(tmp_path / "corpus" / "noise.safetensors",
                [noise_item(k, split) for k, split in enumerate(["train"] * 3 + ["valid"])])
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=0", "--standalone",
               "-m",
               "models.training.loop", "music_ldm", "vae", "--config", "tiny", "--corpus", str(tmp_path / "corpus"),
               "--out", str(tmp_path / "run"), "--steps", "4", "--threads", "1", "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=HERE.parents[1], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "2 process(es)" in done.stdout and "rank 0: step 4" in done.stdout and "rank 1: step 4" in done.stdout
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 4 and all(np.isfinite(value) for row in rows for value in row.values())
    from models.training.run_folder import RunFolder
    assert RunFolder(tmp_path / "run").read_checkpoint()["step"] == 4
