"""models.lab.evaluation.dance_cascade on a tiny dancer: every row is there, the exposing rows are what they say."""
import json

import numpy as np
import pytest
from dance_fixtures import clicks, dancer, one_thread, write_corpus  # noqa: F401

from core.rhythm.beats import Beats
from models.lab.evaluation.dance_cascade import evaluate, scoring
from models.lab.studio.dancer import dance
from models.lab.studio.plan import make_plan


@pytest.fixture(scope="module")
def pieces():
    out = []
    for seed in (900_000, 900_001, 900_002):
        plan = make_plan("dance", seed, genre="house", duration=12.0)
        out.append(scoring.Piece(clicks(plan.times, 12.0, seed), dance(plan), plan.beats, "house", str(seed)))
    return out


def test_alignment_is_above_the_null_for_the_right_pair_only(pieces):
    true = [piece.beats for piece in pieces]
    right = scoring.alignment([piece.motion for piece in pieces], true)
    late = scoring.alignment([piece.motion for piece in pieces], [evaluate.half_beat_later(beats) for beats in true])
    assert right["lift"] > 0.15 and late["lift"] < right["lift"] - 0.15 and right["lift_lagged"] >= right["lift"] - 0.05
    shifted = evaluate.half_beat_later(Beats([0.0, 1.0, 2.0], [1, 2, 3]))
    assert shifted.times.tolist() == [0.5, 1.5, 2.5]


def test_rhythm_rows(dancer, pieces, monkeypatch):
    monkeypatch.setattr(evaluate, "predicted", lambda found: [piece.beats for piece in found])
    told = []
    rows, made = evaluate.rhythm_rows(dancer, pieces, 2, told.append)
    assert {"studio's dance", "model, another piece's dance", "scrambled weights", "model, no rhythm"} <= set(rows)
    assert rows["studio's dance"]["lift"] > rows["scrambled weights"]["lift"] and len(told) == len(rows)
    assert np.array_equal(made["model, true rhythm"][1].root, made["model, another piece's dance"][0].root)
    assert "lift" in evaluate.report({"table": rows})


def test_rows_against_captures(dancer, pieces, tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    write_corpus(tmp_path / "clips", range(900_010, 900_014), "test", 12.0, captured=True, style="salsa")
    monkeypatch.setattr(evaluate, "told_apart", lambda sets, groups, say: {"x": {"accuracy": 0.5}})
    real = scoring.captures(tmp_path / "clips")
    assert len(real) == 4 and real[0][1] == "salsa" and len(real[0][0]) == 600
    made = {"model, true rhythm": [p.motion for p in pieces], "studio's dance": [p.motion for p in pieces]}
    rows, told = evaluate.capture_rows(dancer, pieces, made, tmp_path / "clips", lambda text: None)
    assert rows["standing"]["fid_k"] > 0 and rows["standing"]["joint_speed"] < 1e-6 and told["x"]["accuracy"] == 0.5
    assert rows["studio's dance"]["slide_cm"] < 3 and rows["studio's dance"]["below_floor_cm"] < 3


def test_ablations_are_read_from_logs(tmp_path):
    (tmp_path / "ablation-base.log.jsonl").write_text(json.dumps({"step": 9, "valid_reconstruction": 0.5}) + "\n")
    assert evaluate.ablation_rows(tmp_path) == {"ablation-base": {"reconstruction": 0.5, "step": 9.0}}
