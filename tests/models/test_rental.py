"""A rental rehearsed: trainings begun, stopped by the clock, gone on with, exported, bundled, joined."""
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

pytest.importorskip("torch")

from core import checkpoints  # noqa: E402
from core.errors import BadInput  # noqa: E402
from models.lab.studio.build import make_item  # noqa: E402
from models.training import rental  # noqa: E402
from models.training.shards import write_shard  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


def test_a_plan_trains_exports_and_bundles(tmp_path):
    corpus = tmp_path / "corpus"
    for split, seed in (("train", 1), ("valid", 800_001)):
        write_shard(corpus / f"dance-{split}.safetensors", [make_item("dance", seed, 12.0, audio=False)])
    words = ["rhythm", "body", "--corpus", str(corpus), "--config", "tiny", "--threads", "1", "--minutes", "{minutes}",
             "--steps", "4", "--validations", "1", "--out"]
    plan = {"seconds": 420, "jobs": [
        {"name": "one", "argv": [*words, str(tmp_path / "one")], "until": 400, "export": "rhythm-body"},
        {"name": "broken", "argv": ["rhythm", "nothing", *words[2:], str(tmp_path / "bad")], "until": 400},
        {"name": "never", "argv": [*words, str(tmp_path / "never")], "until": 400, "after": ["broken"]}]}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    done = subprocess.run([sys.executable, "-m", "models.training.rental", str(tmp_path / "plan.json"), "--out",
                           str(tmp_path / "out"), "--bundle", str(tmp_path / "home")], cwd=ROOT, capture_output=True,
                          text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=450)
    assert done.returncode == 1 and "broken status 2" in done.stdout, done.stdout + done.stderr
    assert "end   one status 0" in done.stdout and "broken failed" in (tmp_path / "out" / "logs"
                                                                       / "never.log").read_text()
    pieces = sorted((tmp_path / "home").glob("bundle.tar.*"))
    (tmp_path / "joined.tar").write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    with tarfile.open(tmp_path / "joined.tar") as archive:
        archive.extractall(tmp_path / "joined", filter="data")
    found = checkpoints.find("rhythm", "body", tmp_path / "joined" / "checkpoints")
    assert found.path.parent == tmp_path / "joined" / "checkpoints" and checkpoints.load_state(found)


def test_a_job_that_does_not_stop_is_ended(tmp_path, monkeypatch):
    (tmp_path / "stubborn.py").write_text("import signal, time\n"
                                          "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(rental, "GRACE", 0.5)
    states = rental.run({"seconds": 5, "jobs": [{"name": "s", "module": "stubborn", "argv": [], "until": 1.5}]},
                        tmp_path / "out")
    assert states == {"s": -9}


def test_a_plan_that_is_called_again_goes_on(tmp_path, monkeypatch):
    """The minutes of a run count over all its resumes."""
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "checkpoint.pt").touch()
    (tmp_path / "begun" / "log.jsonl").write_text('{"step": 3, "minutes": 2.0}\n{"step": 4, "minutes": 2.5}\n')
    started = []
    monkeypatch.setattr(rental.subprocess, "Popen", lambda words, **_: started.append(words))
    for name in ("begun", "new"):
        argv = ["rhythm", "body", "--minutes", "{minutes}", "--out", str(tmp_path / name)]
        rental.Job({"name": name, "argv": argv, "until": 60 + rental.MARGIN}, tmp_path).start(0.0)
    begun, new = started
    assert begun[-1] == "--resume" and "3.500" in begun
    assert "--resume" not in new and "1.000" in new


def test_a_plan_for_one_system():
    """Each of the four has a command of its own in docs/developers.md."""
    plan = json.loads((ROOT / "docs" / "rental-plan.json").read_text())
    page = (ROOT / "docs" / "developers.md").read_text()
    for name, wanted in {"dance": {"join", "dance-encoder", "dance-base", "dance-sr"},
                         "momu": {"join", "momu-motion_vae", "momu-music_dit", "momu-motion_dit"},
                         "music": {"join", "music"}, "conductor": {"conductor-encoder", "conductor-denoiser"}}.items():
        only = rental.chosen(plan, [name])
        assert {job["name"] for job in only["jobs"]} == wanted and f"--only {name}" in page
        folders = {spec["folder"] for spec in only["unpack"]}
        assert {need for job in only["jobs"] for need in job["after"]} <= folders | wanted
        assert ("work/clips" in folders) == ("work/captures" in folders)
    with pytest.raises(BadInput, match="no job nothing"):
        rental.chosen(plan, ["nothing"])


def test_large_results_travel_in_small_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(rental, "PIECE", 50_000)
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "weights").write_bytes(os.urandom(180_000))
    assert rental.bundle(tmp_path / "big", tmp_path / "home") == 4
    assert all(piece.stat().st_size <= 50_000 for piece in (tmp_path / "home").iterdir())
