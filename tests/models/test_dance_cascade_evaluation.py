"""models.lab.evaluation.dance_cascade on a tiny dancer: every row is there, the exposing rows are what they say."""
import json

import numpy as np
import pytest
from dance_fixtures import clicks, dancer, one_thread, write_corpus  # noqa: F401

from core.audio import Audio
from core.body.motion import Motion
from core.body.rotations import axis_angle_to_matrix
from core.rhythm.beats import Beats
from models.lab.evaluation.dance_cascade import ablations, bodies, evaluate, ranges, scoring
from models.lab.evaluation.kept_dances import KeptDances, read_dance, write_dance
from models.lab.evaluation.tables import sampling_networks, scrambled
from models.lab.packs import temper
from models.lab.studio.dancer import dance
from models.lab.studio.plan import make_plan
from models.motion.smoothing import reversed_in_time


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


def test_rhythm_rows(dancer, pieces, monkeypatch, tmp_path):
    monkeypatch.setattr(evaluate, "predicted", lambda piece: piece.beats)
    told, kept, intact = [], KeptDances(tmp_path), dancer.base.network
    rows, made = evaluate.rhythm_rows(dancer, pieces, 2, told.append, kept=kept)
    assert dancer.base.network is intact and len(list(tmp_path.glob("*/*.npz"))) == 3 * 3 + 5 * 2
    monkeypatch.setattr(dancer, "generate", None)                       # a second call makes nothing
    again, _ = evaluate.rhythm_rows(dancer, pieces, 2, told.append, kept=kept)
    assert again == rows
    told = told[:len(rows)]
    assert {"studio's dance", "model, another piece's dance", "scrambled weights", "model, no rhythm",
            "style token alone", "next piece's genre asked for"} <= set(rows)
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


def test_a_dance_that_swells_with_the_music_is_told_from_one_that_does_not():
    """Sound and body louder in the second half; the same body reversed goes against it."""
    t = np.arange(600) / 30
    wild = 0.1 + 0.9 * (t > 10)
    rotations = np.tile(np.eye(3, dtype=np.float32), (600, 24, 1, 1))
    rotations[:, 16] = rotations[:, 17] = axis_angle_to_matrix(np.outer(wild * np.sin(6 * t), [0.0, 0.0, 1.0]))
    motion = Motion(rotations.astype(np.float32), np.tile(np.float32([0, 0, 1]), (600, 1)), 30.0)
    sound = clicks(np.arange(0.25, 20.0, 0.5), 20.0)
    sound = Audio(sound.samples * np.where(np.arange(sound.samples.shape[1]) > 10 * sound.rate, 1.0, 0.1), sound.rate)
    assert bodies.swelling(motion, sound) > 0.7 > -0.7 > bodies.swelling(reversed_in_time(motion), sound)
    rows = bodies.energy_rows({"model": [motion, reversed_in_time(motion)]}, [sound, sound])
    assert abs(rows["model"]["own music"]) < 0.05


def test_joints_bones_and_the_mean_pose(dancer):
    still = bodies.mean_pose(dancer.base.network, 30)
    assert np.abs(np.diff(still.positions(), axis=0)).max() < 1e-6 and still.root[0, 2] > 0.5
    row = bodies.joints_and_bones([still])
    assert row["beyond limits"] == 0.0 and row["bones_mm"] < 0.01
    bent = still.rotations.copy()
    bent[10:, 15] = axis_angle_to_matrix(np.array([np.radians(120.0), 0.0, 0.0]))
    assert bodies.joints_and_bones([Motion(bent, still.root, 60.0)])["beyond limits"] == pytest.approx(2 / 3)


def test_ablations_are_read_from_logs(tmp_path):
    (tmp_path / "ablation-base.log.jsonl").write_text(json.dumps({"step": 9, "valid_reconstruction": 0.5}) + "\n")
    assert evaluate.ablation_rows(tmp_path) == {"ablation-base": {"reconstruction": 0.5, "step": 9.0}}


def test_ablations_train_what_is_not_finished(tmp_path, pieces, monkeypatch):
    """Two configurations of one step each; the same command again trains nothing, more steps go on and are scored
    anew."""
    write_corpus(tmp_path / "c" / "train", [0], "train")
    write_corpus(tmp_path / "c" / "valid", [800_000], "valid")
    small = dict(width=32, heads=2, ffn=32, condition=16, layers=1, window=30, overlap=8, batch=2, music_size=8)
    names, said = ["ablation-no-music", "ablation-no-rhythm"], []
    asked = dict(names=names, overrides={**small, "music": "none"}, say=said.append)
    rows = ablations.run(tmp_path / "c", tmp_path / "runs", 1, **asked)
    assert set(rows) == set(names) and all(row["step"] == 1 for row in rows.values())
    said.clear()
    assert ablations.run(tmp_path / "c", tmp_path / "runs", 1, **asked) == rows and not said
    more = ablations.run(tmp_path / "c", tmp_path / "runs", 2, **{**asked, "names": names[:1]})
    assert more[names[0]]["step"] == 2 and more[names[1]] == rows[names[1]]
    monkeypatch.setattr(scoring, "studio_pieces", lambda count: pieces[:count])
    first = ablations.scored(tmp_path / "runs", 2, said.append)
    assert list(first) == names and {"lift", "fid_k", "slide_cm", "reconstruction"} <= set(first[names[0]])
    said.clear()
    assert ablations.scored(tmp_path / "runs", 2, said.append) == first and not said
    ablations.run(tmp_path / "c", tmp_path / "runs", 3, **{**asked, "names": names[:1]})
    assert not (tmp_path / "runs" / names[0] / evaluate.SCORES).exists()
    rows = ["ablation-base", "ablation-base-another-seed"]
    assert len(ablations.configurations()) == 11 and list(ablations.queue())[:2] == rows


def test_a_kept_dance_is_the_dance(pieces, tmp_path):
    motion = pieces[0].motion
    write_dance(tmp_path / "row" / "0000.npz", motion)
    again = read_dance(tmp_path / "row" / "0000.npz")
    assert np.abs(again.rotations - motion.rotations).max() < 1e-6 and np.array_equal(again.root, motion.root)
    assert again.fps == motion.fps and not list(tmp_path.glob("row/*.part"))
    kept, made = KeptDances(), []
    kept("row", 0, lambda: made.append(1))
    kept("row", 0, lambda: made.append(1))
    assert len(made) == 2, "without a folder nothing is kept"


def test_scrambled_is_for_the_block_alone(dancer):
    before = {name: parameter.clone() for name, parameter in dancer.base.network.named_parameters()}
    assert [name for _, name in sampling_networks(dancer)] == ["network"]
    with pytest.raises(KeyError), scrambled(dancer, 1) as other:
        inside = dict(other.base.network.named_parameters())
        name = next(name for name, parameter in before.items() if parameter.dim() > 1 and parameter.numel() > 100)
        assert not inside[name].equal(before[name]) and inside[name].sum().isclose(before[name].sum(), atol=1e-2)
        raise KeyError
    assert all(parameter.equal(before[name]) for name, parameter in dancer.base.network.named_parameters())


def test_styles_beside_their_own_dancers(pieces):
    dances = ranges.by_genre([piece.motion for piece in pieces], pieces)
    slow = [Motion(piece.motion.rotations, piece.motion.root, 3.0) for piece in pieces]
    row = ranges.range_rows(dances, dances)["house"]
    assert row["joint speed"] == row["own joint speed"] and row["jerk within"] >= 0.6
    late = ranges.range_rows({"house": slow, "krump": slow}, dances)
    assert set(late) == {"house"} and late["house"]["joint speed within"] == 0.0
    assert late["house"]["joint speed"] < 0.15 * row["joint speed"]


def test_rows_beside_the_studio(pieces):
    """Of dances that last as long as a passage does."""
    own = [piece.motion.slice(0, 300) for piece in pieces]
    wild = [Motion(motion.rotations[::2].repeat(2, axis=0), motion.root, 30.0) for motion in own]
    rows = evaluate.studio_rows({"studio's dance": own * 2, "model, true rhythm": own * 2, "repertoire": wild * 2},
                                lambda text: None)
    assert set(rows) == {"studio's dance", "model, true rhythm", "repertoire"}
    assert rows["model, true rhythm"]["clips"] == 6 and rows["studio's dance"]["clips"] == 3
    assert rows["model, true rhythm"]["fid_k"] < 1e-6 < rows["repertoire"]["fid_k"]


def test_what_is_too_wild_is_asked_for_less():
    import torch
    own = np.array([[1.0, 300.0], [1.2, 400.0], [0.8, 200.0]])
    assert not temper.too_wild(own, own) and temper.too_wild(own * [1.0, 2.0], own)
    changed, (middle, fast) = temper.tempered(torch.zeros(3, 5), own * [0.9, 1.5], own)
    assert middle == 0.0 and fast == pytest.approx(-2 * np.log(1.5)), "what is too calm is not made wilder"
    assert changed[0].eq(0).all() and changed[1].eq(0).all() and torch.allclose(changed[2], torch.tensor(fast))
    assert temper.tempered(torch.zeros(3, 5), own * 9, own)[1] == (-temper.MOST, -temper.MOST)


def test_styles_are_tempered_where_their_dances_are_wilder_than_people(pieces):
    """A dancer who dances everything twice as fast as these people: what has enough people is asked for less, and
    nothing else changes."""
    from types import SimpleNamespace

    from models.dance_cascade.config import STYLES
    from models.dance_cascade.styles import Styles
    fast = [Motion(piece.motion.rotations, piece.motion.root, 60.0) for piece in pieces]
    dancer = SimpleNamespace(styles=Styles(), generate=lambda audio, seed, **asked: [fast[seed % len(fast)]])
    passages = scoring.passages([piece.motion for piece in pieces], 1.0)
    own = {"salsa": passages, "indian": passages[:temper.LEAST_PASSAGES - 1],
           "modern": [Motion(part.rotations, part.root, 120.0) for part in passages]}
    moved = temper.temper(dancer, own, pieces, say=lambda text: None)
    assert set(moved) == {"salsa"} and all(-temper.MOST <= band < 0 for band in moved["salsa"])
    changed = dancer.styles.scale.flatten(1).any(1).nonzero()[:, 0].tolist()
    assert changed == [STYLES.index("salsa")]
