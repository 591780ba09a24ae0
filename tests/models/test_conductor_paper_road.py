"""The published conductor from end to end on files like those of ConductorMotion100: import, both stages, a motion on
the command line, scores."""
import json

import numpy as np
import pytest

from core.body.ictus import ictus_times
from core.cli import main as cli
from core.errors import BadInput
from core.motion_files import read_motion
from core.rhythm.alignment import beat_f1_70ms
from models.conductor.features import keypoints13, mel_frames, mono
from models.conductor.lift import lifted
from models.lab.evaluation.keypoints import evaluate as keypoints
from models.lab.loaders.__main__ import main as import_main
from models.lab.studio.conductor import conduct
from models.lab.studio.plan import make_plan
from models.training.export import export
from models.training.loop import main as train_main
from tests.models.conductor_fixtures import RATE, clicks, one_thread  # noqa: F401


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    """The published folders, made by the studio; the corpus, both runs and the checkpoints that came of them."""
    folder = tmp_path_factory.mktemp("cm100")
    for split, seeds in (("train", range(3)), ("val", (10, 11)), ("test", (20, 21, 22))):
        for seed in seeds:
            plan = make_plan("conducting", seed, duration=9.0)
            place = folder / "published" / split / str(seed)
            place.mkdir(parents=True)
            np.save(place / "mel.npy", mel_frames(mono(clicks(plan), RATE)))
            np.save(place / "motion.npy", keypoints13(conduct(plan)[0]))
    assert import_main([f"cm100:{folder / 'published'}", "--out", str(folder / "corpus")]) == 0
    common = ["--corpus", str(folder / "corpus"), "--steps", "3", "--validations", "1", "--device", "cpu"]
    assert train_main(["conductor", "encoder", "--config", "tiny", "--out", str(folder / "encoder"), *common]) == 0
    assert train_main(["conductor", "denoiser", "--config", "tiny-paper", "--out", str(folder / "denoiser"),
                       "--set", f"stage1={folder / 'encoder'}", *common]) == 0
    for part in ("encoder", "denoiser"):
        export(folder / part, f"paper-{part}", folder / "checkpoints")
    return folder


def test_the_command_line_conducts_with_it(road, tmp_path):
    import soundfile
    sound = np.asarray(clicks(make_plan("conducting", 5, duration=6.0)))
    soundfile.write(tmp_path / "piece.wav", sound, RATE)
    assert cli(["conduct", "--audio", str(tmp_path / "piece.wav"), "--out", str(tmp_path / "take.bvh"), "--quiet",
                "--device", "cpu", "--checkpoints", str(road / "checkpoints")]) == 0
    motion = read_motion(tmp_path / "take.bvh")
    assert abs(motion.duration - 6.0) < 0.1 and np.isfinite(motion.rotations).all()
    feet = motion.positions()[:, [10, 11]]
    assert np.abs(feet - feet[:1]).max() < 0.02                         # it stands
    assert motion.positions()[:, 15, 2].min() > 1.2


def test_it_is_scored_in_both_forms(road, tmp_path):
    out = tmp_path / "results.json"
    assert keypoints.main(["--corpus", str(road / "corpus"), "--checkpoints", str(road / "checkpoints"), "--seconds",
                           "8.6", "--steps", "2", "--out", str(out), "--docs", str(tmp_path / "page.md")]) == 0
    results = json.loads(out.read_text())
    rows = results["rows"]
    assert rows["corpus"]["mse"] == 0 and rows["corpus"]["sdp_percent"] == pytest.approx(100)
    assert abs(rows["corpus"]["fgd"]) < 1e-3 < rows["model, scrambled weights"]["fgd"]
    assert rows["mean pose"]["sdp_percent"] == pytest.approx(0, abs=1e-3)
    assert rows["corpus, another piece's motion"]["mse"] > 0
    assert all({"bc", "bc_mismatched", "bc_chance", "bc_as_published"} <= set(row) for row in rows.values())
    assert 0 < rows["corpus"]["bc"] <= 1
    assert {"easy", "hard", "super-hard"} <= set(results["stage1"])
    assert "model, scrambled weights" in (tmp_path / "page.md").read_text()
    assert all(np.isfinite(value) for row in rows.values() for value in row.values() if value is not None)


def test_beats_are_heard_in_a_published_mel():
    plan = make_plan("conducting", 3, duration=12.0)
    heard = keypoints.heard_beats(mel_frames(mono(clicks(plan), RATE)))
    assert beat_f1_70ms(heard, plan.times) > 0.8
    still = np.zeros((2, 300, 13, 2), np.float32)
    assert keypoints.consistency(still, [heard, heard])["bc"] == 0.0


def test_bodies_cannot_be_trained_on_key_points(road, tmp_path, capsys):
    assert train_main(["conductor", "denoiser", "--config", "first", "--out", str(tmp_path / "run"), "--steps", "1",
                       "--corpus", str(road / "corpus"), "--set", f"stage1={road / 'encoder'}"]) == 2
    assert "--config paper" in capsys.readouterr().err


def test_what_has_no_key_points_is_refused(road, tmp_path, capsys):
    assert keypoints.main(["--corpus", str(road / "corpus"), "--seconds", "5"]) == 2           # the shipped conductor
    assert keypoints.main(["--corpus", str(road / "corpus"), "--checkpoints", str(road / "checkpoints"),
                           "--seconds", "60"]) == 2
    said = capsys.readouterr().err
    assert "moves a body" in said and "0 pieces of key points of 60 s" in said
    with pytest.raises(BadInput):
        keypoints.pieces(road / "corpus", "test", 60.0, 5)


@pytest.mark.parametrize("seed", [0, 2, 4])
def test_lifted_key_points_are_the_motion_they_were_seen_of(seed):
    motion, _ = conduct(make_plan("conducting", seed, duration=8.0))
    points = keypoints13(motion)
    body = lifted(points)
    assert np.linalg.norm(keypoints13(body) - points, axis=-1).mean() < 0.02            # a tenth of the shoulders
    assert beat_f1_70ms(ictus_times(body), ictus_times(motion)) > 0.95
    hands = [(m.positions() - m.positions()[:, :1])[:, [20, 21]] for m in (motion, body)]
    assert np.linalg.norm(hands[0] - hands[1], axis=-1).mean() < 0.10                   # with a depth no picture has
    assert np.abs(np.linalg.det(body.rotations) - 1).max() < 1e-4


def test_another_shape_is_refused():
    with pytest.raises(ValueError, match="13, 2"):
        lifted(np.zeros((4, 17, 2)))
