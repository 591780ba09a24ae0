"""The evaluation of MoMu: its figures tell pairs from mixed-up ones, and a small run goes through."""
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from momu_fixtures import momu_folder, trained_momu  # noqa: F401

from models.lab.evaluation.momu import evaluate, figures, parts, report
from models.lab.evaluation.momu.records import peak_mib

torch = pytest.importorskip("torch")


def record(bpm, jitter, seed):
    """A record of a piece whose music and body keep `bpm`, within `jitter` seconds."""
    rng = np.random.default_rng(seed)
    times = np.arange(rng.uniform(0, 0.4), 20.0, 60 / bpm)
    return {"bpm": bpm, "seconds": 20.0, "times": times.tolist(),
            "heard": (times + rng.normal(0, jitter, len(times))).tolist(), "seen": times.tolist()}


def test_agreement_is_high_for_pairs_and_low_for_mixed_ones():
    records = [record(bpm, 0.01, seed) for seed, bpm in enumerate((90, 97, 104, 111, 118, 126))]
    found = figures.agreement(records, "heard", "seen")
    assert found["f1"] > 0.98 and found["mixed"] < 0.5 and found["shifted"] < 0.5
    apart = [{**a, "seen": b["seen"]} for a, b in zip(records, records[1:] + records[:1])]
    assert figures.agreement(apart, "heard", "seen")["f1"] < 0.5


def test_tempo_counts_octaves_apart():
    records = [record(100, 0.0, 1), {**record(100, 0.0, 2), "heard": record(200, 0.0, 2)["heard"]}, record(100, 0.0, 3)]
    records[2]["heard"] = []
    found = figures.tempo(records, "heard")
    assert found["within_3_percent"] == pytest.approx(1 / 3) and found["at_half_or_double"] == pytest.approx(2 / 3)


def test_retrieval_finds_what_is_there_and_nothing_else():
    """Latents that are the same on both sides are all found; unrelated ones at chance."""
    heads = parts.ContrastHeads(parts.MotionVAEConfig(heads=False))

    def side(seed):
        return [(torch.randn(1, 64, 200, generator=torch.Generator().manual_seed(seed + i)),
                 torch.arange(0, 160, 10)[None])
                for i in range(16)]
    same = parts.retrieval(side(0), side(0), heads, 5)
    assert same["same_piece"]["motion_to_music"] == 1.0 and same["other_pieces"]["music_to_motion"] == 1.0
    apart = parts.retrieval(side(0), side(500), heads, 5)
    assert abs(apart["same_piece"]["motion_to_music"] - 1 / 16) < 0.06


def test_the_peak_of_a_piece_is_not_that_of_who_asked_for_it():
    """A process of its own does not begin at the peak of the one that started it."""
    ballast = np.ones(40_000_000)
    words = "from models.lab.evaluation.momu.records import peak_mib; print(peak_mib())"
    alone = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True,
                           cwd=Path(report.__file__).parents[4])
    assert 1 < float(alone.stdout) < peak_mib() - 0.8 * ballast.nbytes / 2 ** 20


def test_rows_without_beats(momu_folder, trained_momu, tmp_path):                       # noqa: F811
    """Every row is made on the corpus' validation pieces, and the reader makes a difference."""
    words = ["--seconds", "2", "--checkpoints", str(momu_folder), "--cache", str(tmp_path / "cache"), "--few", "2",
             "--out", str(tmp_path / "out.json"), "--only", "unheard", "--corpus", str(trained_momu[0])]
    assert evaluate.main(words) == 0
    rows = json.loads((tmp_path / "out.json").read_text())["unheard"]
    assert len(rows) == 6 and all(row["pieces"] == 2 and 0 <= row["F1"] <= 1 for row in rows.values())
    assert "Without beats" in report.markdown({"unheard": rows})


def test_a_small_run_goes_through_and_goes_on(momu_folder, tmp_path, capsys):           # noqa: F811
    words = ["--count", "2", "--seconds", "3", "--checkpoints", str(momu_folder), "--cache", str(tmp_path / "cache"),
             "--out", str(tmp_path / "out.json"), "--only", "vae", "joint"]
    assert evaluate.main(words) == 0
    results = json.loads((tmp_path / "out.json").read_text())
    assert results["vae"]["studio"]["joint_cm"] > 0
    assert 0 <= results["joint"]["joint"]["music_body_network"]["f1"] <= 1
    made = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    assert evaluate.main(words) == 0
    assert made == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    text = report.markdown(results)
    assert "| joint |" in text and "Motion VAE" in text and text in capsys.readouterr().out
