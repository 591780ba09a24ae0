"""Recorded music with beats that are trusted in places: passages, downbeats, and no lesson from the rest."""
import json

import numpy as np
import pytest
import torch

from core.errors import BadInput
from core.rhythm.beats import rhythm_curve
from models.lab.rhythm.recorded import bar_pieces, build, main, passages, pieces, positions
from models.rhythm.config import rhythm_config
from models.rhythm.network import activations
from models.rhythm.resident import FlatCrops
from models.training.flat import Flat, FlatWriter
from models.training.task import make_task


def test_spans_that_nearly_meet_are_one_passage():
    found = passages([[30, 50], [0, 12], [100, 140]], 120.0, margin=10.0)
    assert found == [(0.0, 60.0, [[0.0, 12.0], [30.0, 50.0]]), (90.0, 120.0, [[100.0, 120.0]])]


def test_downbeats_are_beats_near_them_and_unknown_without():
    beats = [0.5, 1.0, 1.5, 2.0]
    assert positions(beats, [0.51, 1.49])[:, 1].tolist() == [1, 2, 1, 2]
    assert positions(beats, None)[:, 1].tolist() == [0, 0, 0, 0]


def label(spans):
    return {"beats": np.arange(0.25, 60, 0.5).tolist(), "spans": spans}


def test_a_passage_keeps_its_own_clock_and_only_beats_that_are_trusted():
    mel = np.zeros((3001, 80), np.uint8)
    (meta, arrays), = pieces(mel, label([[20, 30], [58, 59]]), {"id": "a", "split": "train"})
    assert meta["duration"] == pytest.approx(30.0, abs=0.05) and len(arrays["logmel"]) == 1501
    assert meta["trusted"] == [[10.0, 20.0]] and meta["kind"] == "recorded"
    assert meta["beats"][0] == [10.25, 0] and meta["beats"][-1] == [19.75, 0]


def test_nothing_is_learned_outside_of_the_trusted_spans(tmp_path):
    writer = FlatWriter(tmp_path)
    mel = np.zeros((1001, 80), np.uint8)
    for meta, arrays in pieces(mel, label([[0, 6], [12, 18]]), {"id": "a", "split": "valid"}):
        writer.add(meta, arrays)
    writer.close()
    crops = FlatCrops(rhythm_config("music", "tiny"), tmp_path, "valid")
    crops.resident("cpu")
    turn = crops.turn.numpy()
    clock = np.arange(len(turn)) / 50
    gap = (clock > 6.01) & (clock < 11.99)
    assert np.isnan(turn[gap]).all() and np.isnan(turn[clock > 18.01]).all()
    assert not np.isnan(turn[(clock > 0.3) & (clock < 5.9)]).any()
    place = torch.arange(len(turn) - 1)[None]
    curve = crops._curve(place, torch.zeros_like(place, dtype=torch.float32), torch.ones_like(place, dtype=torch.bool))
    beats = curve[0, :, 0].numpy()
    # The beat nearest each edge of a span lies 0.25 s away: no bump of the target may stand on the edge itself.
    edge = np.abs(clock[:-1, None] - np.array([6.0, 12.0, 18.0])).min(1) < 0.1
    assert curve[0, gap[:-1], 4].max() == 0 and beats[edge].max() < 0.2 and beats.max() > 0.9


def test_packages_are_split_as_a_whole(tmp_path, monkeypatch):
    silent = np.zeros((1001, 80), np.uint8)
    monkeypatch.setattr("models.lab.rhythm.recorded.features", lambda path, seconds, kept: silent)
    labels = {f"{package}/{n}.ogg": label([[1, 15]]) for package in ("one", "two") for n in range(2)}
    found = build(tmp_path / "out", labels, tmp_path, ["two"])
    assert found == {"one": [2, 28.0], "two": [2, 28.0]}
    split = {(item["package"], item["split"]) for item in Flat(tmp_path / "out").items}
    assert split == {("one", "train"), ("two", "valid")}
    with pytest.raises(BadInput, match="--root"):
        build(tmp_path / "out", {"/elsewhere/a.ogg": label([[1, 15]])}, tmp_path)


def test_labels_that_are_none_are_refused_in_a_sentence(tmp_path, capsys):
    (tmp_path / "labels.json").write_text(json.dumps([])[:1])
    assert main([str(tmp_path / "out"), "--labels", str(tmp_path / "labels.json"), "--root", str(tmp_path)]) != 0
    assert "holds no labels" in capsys.readouterr().err


def test_bars_are_learned_from_spans_whose_metre_is_told():
    told = {**label([[20, 40], [45, 49]]), "downbeats": np.arange(0.25, 60, 1.5).tolist(), "metre": 3}
    mel, harmony = np.arange(3001)[:, None].repeat(80, 1), np.arange(601)[:, None].repeat(24, 1)
    (meta, arrays), = bar_pieces(mel, harmony, told, {"id": "a", "split": "train"})        # eight beats are too few
    # Both features begin at the same instant, a second before the first beat that is known.
    assert arrays["logmel"][0, 0] / 50 == arrays["chroma"][0, 0] / 10 == 19.0
    assert meta["metre"] == 3 and meta["beats"][0] == [1.25, 2] and meta["beats"][2] == [2.25, 1]
    assert [position for _, position in meta["beats"]].count(1) == 13
    assert bar_pieces(mel, harmony, label([[20, 40]]), {"id": "a"}) == []


def test_training_on_keeps_what_the_released_network_says_of_rendered_music():
    mine = make_task("rhythm", "music", "tiny", {"keep": 1.0, "dropout": 0.0})
    torch.manual_seed(0)
    model = mine.build().train()
    mine.adopt(model, model.state_dict())
    batch = {"mel": torch.randn(2, 192, 80), "weight": torch.ones(2), "downbeat_weight": torch.ones(2),
             "curve": torch.from_numpy(rhythm_curve(np.arange(0.3, 4, 0.5), [], 192, 50.0))[None].repeat(2, 1, 1)}
    kept = {name: mine._kept(batch["mel"], {**batch, "recorded": torch.tensor([name == "recorded"] * 2)})
            for name in ("rendered", "recorded")}
    assert torch.equal(kept["recorded"], batch["curve"])
    assert torch.allclose(kept["rendered"][..., :4], activations(model(batch["mel"])).detach(), atol=1e-5)
    assert torch.equal(kept["rendered"][..., 4], batch["curve"][..., 4])
    with pytest.raises(BadInput, match="--from-released"):
        mine.teacher = None
        mine.loss(model, {**batch, "recorded": torch.tensor([False, True])}, torch.Generator().manual_seed(0))
