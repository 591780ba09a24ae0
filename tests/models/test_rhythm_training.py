"""The beat networks from shards to scores: features, a short training, a checkpoint, detection; on a bare machine
too."""
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from rhythm_fixtures import bouncing, corpus, drums, grid  # noqa: F401

from core.body.motion import Motion
from core.rhythm.alignment import beat_f1_70ms
from models.rhythm.data import FEATURES
from models.rhythm.detect import (
    detect_body_beats,
    detect_music_beats,
)
from models.rhythm.train import task

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("part", ["body", "music"])
def test_tiny_run_to_detected_beats(part, corpus, tmp_path):
    """Shards -> cache -> a few seconds of training -> checkpoint -> detection on a tempo and a clip never seen."""
    from models.training.export import export
    from models.training.loop import train
    torch.set_num_threads(1)
    rows = train(task(part, "tiny", learning_rate=5e-3), tmp_path / "run", corpus, tmp_path / "cache", system="rhythm",
                 part=part, config_name="tiny", steps=130, validations=0, report=lambda text: None)
    assert rows[-2]["loss"] < rows[0]["loss"]
    export(tmp_path / "run", f"rhythm-{part}", tmp_path / "checkpoints")
    times, positions = grid(108, 20, first=0.37)
    if part == "body":
        motion = bouncing(times, 20, seed=77)
        detect = lambda **o: detect_body_beats(motion, folders=tmp_path / "checkpoints", **o)  # noqa: E731
    else:
        sound = drums(times, positions, 20, seed=77, rate=44_100)
        detect = lambda **o: detect_music_beats(sound, 44_100, folders=tmp_path / "checkpoints", **o)  # noqa: E731
    found = detect()
    assert beat_f1_70ms(found.times, times) > 0.9
    assert beat_f1_70ms(detect(start=3.0).times, times + 3) > 0.9
    assert abs(detect(bpm=54).tempo_bpm - 54) < 4
    if part == "body":
        rolled = Motion(np.roll(motion.rotations, 8, 0), np.roll(motion.root, 8, 0))
        moved = detect_body_beats(rolled, folders=tmp_path / "checkpoints")
        assert beat_f1_70ms(moved.times, times + 8 / 30) > 0.85


BARE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("scipy", "librosa", "soundfile", "soxr", "matplotlib", "bpy"):
            raise ModuleNotFoundError(f"{name} is not on this machine", name=name)
sys.meta_path.insert(0, Absent())
"""


@pytest.mark.parametrize("part", ["body", "music"])
def test_training_needs_torch_numpy_and_safetensors_only(part, corpus, tmp_path):
    """Steps and validation of a cached corpus on a machine without scipy, librosa, soundfile and soxr."""
    FEATURES[part].prepare(corpus, tmp_path / "cache")
    code = BARE + "from models.training.loop import main; sys.exit(main(sys.argv[1:]))"
    folders = ["--corpus", corpus, "--cache", tmp_path / "cache", "--out", tmp_path / "run"]
    done = subprocess.run([sys.executable, "-c", code, "rhythm", part, *map(str, folders), "--config", "tiny",
                           "--steps", "2", "--threads", "1"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "valid_f1_dance" in (tmp_path / "run" / "log.jsonl").read_text()


def test_tasks_of_all_systems_are_built_without_scipy():
    code = BARE + """
from models.training.task import make_task
for system, part in [("conductor", "encoder"), ("conductor", "denoiser"), ("rhythm", "bars"), ("genre", "audio"),
                     ("genre", "motion"), ("music_ldm", "vae"), ("music_ldm", "denoiser"), ("music_ldm", "vocoder")]:
    make_task(system, part)
import models.training.loop, models.training.export
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_evaluation_scores_what_is_found(corpus, tmp_path, monkeypatch):
    """With the truth in place of the networks every row is perfect where it should be, and only there."""
    from core.rhythm.beats import Beats
    from models.lab.evaluation import rhythm as module
    items = module.test_items(corpus, "dance", 5)
    written = items[0][0].array(items[0][1], "beats").astype(float)
    truth = Beats(written[:, 0], written[:, 1], 4)
    monkeypatch.setattr(module, "detect_body_beats", lambda motion, **options: truth)
    monkeypatch.setattr(module, "detect_music_beats", lambda samples, rate, **options: truth.half_time())
    rows = module.body_rows(items, None)
    assert rows["studio"]["f1"] == rows["studio"]["downbeat_f1"] == 1.0
    assert rows["rolled_half_beat"]["f1_unrolled_truth"] == 1.0 and rows["rolled_half_beat"]["f1_rolled_truth"] < 0.1
    music = module.music_rows(items, None)
    assert music["network"]["f1"] < 0.7 and music["network"]["any_level"] == 1.0
    assert set(music["network"]["levels"]) <= {"half_even", "half_odd"}
    motion = bouncing(written[:, 0], 14)
    moved, seconds = module.half_beat_roll(motion, written[:, 0])
    assert abs(seconds - np.median(np.diff(written[:, 0])) / 2) <= 0.5 / 30 + 1e-6
    assert np.allclose(moved.root[int(round(seconds * 30))], motion.root[0])
    result = {"body_dance": rows, "body_conducting": rows, "music_dance": music, "music_orchestra": music}
    text = module.table(result)
    assert "0.950" in text and "music, studio dance" in text and "Real tracks" not in text
