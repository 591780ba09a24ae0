"""Beat networks trained on flat corpora: crops made on the device, their curves, and tiny runs to the end."""
import numpy as np
import pytest
import torch

from core.errors import BadInput
from core.rhythm.beats import rhythm_curve
from models.lab.packs.coarse import LEVELS, coarsened
from models.rhythm.bars import BarsConfig
from models.rhythm.config import LOGMEL_LOWEST, LOGMEL_STEP, rhythm_config
from models.rhythm.resident import FlatBars, FlatCrops, in_eighths, logmel_of, rounding
from models.training.flat import Flat, FlatWriter
from models.training.loop import train
from models.training.task import make_task

SECONDS = 20.0


def clicks(bpm, lead=0.3, metre=4):
    times = np.arange(lead, SECONDS - 0.2, 60.0 / bpm)
    return [[round(float(t), 4), i % metre + 1] for i, t in enumerate(times)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two folders: pieces whose log-mel jumps on each beat, and bodies that sway once a beat."""
    folder, rng = tmp_path_factory.mktemp("flat"), np.random.default_rng(0)
    music, bodies = FlatWriter(folder / "music"), FlatWriter(folder / "bodies")
    for number, bpm in enumerate((96, 112, 128, 144)):
        split = "valid" if number == 3 else "train"
        beats = clicks(bpm, metre=3 if number % 2 else 4)
        curve = rhythm_curve([t for t, _ in beats], [t for t, p in beats if p == 1], int(SECONDS * 50) + 1, 50.0)
        mel = LOGMEL_LOWEST + 2 + 4 * curve[:, :1] + 2 * curve[:, 1:2] + rng.normal(0, 0.2, (len(curve), 80))
        meta = {"id": f"m{number}", "kind": "form", "split": split, "seed": number, "source": "render",
                "duration": SECONDS, "beats": beats, "metre": 3 if number % 2 else 4, "beat_confidence": 1.0}
        music.add(meta, {"logmel": np.round((mel - LOGMEL_LOWEST) / LOGMEL_STEP).astype(np.uint8),
                         "chroma": rng.integers(0, 31, (int(SECONDS * 10) + 1, 24)).astype(np.uint8)})
        rot6d = np.tile(np.array([1, 0, 0, 0, 1, 0], np.float32) * 32767, (int(SECONDS * 30), 24)).astype(np.int16)
        root = np.zeros((len(rot6d), 3), np.float32)
        root[:, 2] = 0.95 + 0.05 * np.cos(2 * np.pi * (np.arange(len(root)) / 30 - 0.3) * bpm / 60)
        bodies.add({**meta, "id": f"b{number}", "kind": "dance", "source": "studio"}, {"rot6d": rot6d, "root": root})
    music.close()
    bodies.close()
    return folder


def test_slow_compound_time_is_learned_from_its_eighths_too(corpus):
    beats = np.stack([np.arange(12) * 1.2, (np.arange(12) + 1) % 3 + 1], 1)
    meta, eighths = in_eighths({"metre": 3, "written": "9/8"}, beats)
    assert meta["metre"] == 9 and len(eighths) == 34 and np.allclose(np.diff(eighths[:, 0]), 0.4)
    assert eighths[:9, 1].tolist() == [4, 5, 6, 7, 8, 9, 1, 2, 3] and eighths[6, 0] == beats[2, 0]
    fast = beats * (0.5, 1)
    assert in_eighths({"metre": 3, "written": "9/8"}, fast) is in_eighths({"metre": 3, "written": "3/4"}, beats) is None
    assert in_eighths({"metre": 3}, beats) is in_eighths({"metre": 9, "written": "9/8"}, beats) is None


def test_rare_metres_are_drawn_as_often_as_common_ones_where_asked(corpus):
    drawn = {}
    for balance in (0.0, 1.0):
        bars = FlatBars(BarsConfig(batch=600, window=24, balance=balance), corpus / "music", "train")
        bars.resident("cpu")
        metres = bars.batch(0, torch.Generator().manual_seed(3))["metre"]
        drawn[balance] = float((metres == 1).float().mean())            # three
    assert abs(drawn[0.0] - 1 / 3) < 0.07 and abs(drawn[1.0] - 1 / 2) < 0.07


@pytest.mark.parametrize("part", ["music", "body"])
def test_a_crop_knows_its_beats(corpus, part):
    config = rhythm_config(part, "tiny")
    crops = FlatCrops(config, corpus, "valid")
    crops.resident("cpu")
    batch = crops.batch(0, torch.Generator().manual_seed(1))
    curve = batch["curve"]
    assert curve.shape == (config.batch, config.window, 5) and (curve[..., 4] == 1).all()
    if part == "music":                                     # the sound says where its beats are
        loud = batch["mel"].mean(-1)
        for row in range(config.batch):
            assert np.corrcoef(loud[row], curve[row, :, 0] + 0.5 * curve[row, :, 1])[0, 1] > 0.95
    else:
        sway = batch["root"][..., 2] - 0.95
        assert np.corrcoef(sway.flatten(), curve[..., 2].flatten())[0, 1] > 0.98


def test_coarse_log_mels_teach_the_same_beats(corpus, tmp_path):
    assert coarsened([corpus / "music"], tmp_path / "coarse") == 4
    flat = Flat(tmp_path / "coarse")
    assert flat.rows(flat.items[0], "logmel").max() < len(LEVELS) and not flat.has(flat.items[0], "chroma")
    fine, rough = (FlatCrops(rhythm_config("music", "tiny"), place, "train")
                   for place in (corpus / "music", flat.folder))
    for crops in (fine, rough):
        crops.resident("cpu")
    one, two = (crops.batch(0, torch.Generator().manual_seed(3)) for crops in (fine, rough))
    assert torch.equal(one["curve"], two["curve"])
    away = (one["mel"] - two["mel"]).abs() / LOGMEL_STEP
    assert 0.5 < away.max() <= 8.0 and away.mean() < 2.5        # rounded by up to 3.5, noise by as much
    between = (two["mel"] - LOGMEL_LOWEST) / LOGMEL_STEP
    gaps = torch.from_numpy(np.diff(np.unique(between.numpy().round(1))))
    assert gaps.max() < 1.0                                     # the noise leaves no step unheard


def test_a_coarse_log_mel_is_heard_as_the_fine_one(corpus, tmp_path):
    coarsened([corpus / "music"], tmp_path / "coarse")
    fine, rough = Flat(corpus / "music"), Flat(tmp_path / "coarse")
    for item, twin in zip(fine.items, rough.items):
        away = np.abs(logmel_of(fine, item) - logmel_of(rough, twin)) / LOGMEL_STEP
        assert away.max() <= 3.5 + 1e-3 and away.mean() < 1.5


@pytest.mark.parametrize("levels,widths", [(None, [1, 1, 1]), ([1, 3, 9], [1.5, 4.0, 3.5])])
def test_noise_is_as_wide_as_what_was_rounded(levels, widths):
    known = rounding(None if levels is None else np.array(levels, np.uint8))
    assert known[levels or [1, 3, 9]].tolist() == widths


def test_training_crops_sway_and_their_beats_go_along(corpus):
    crops = FlatCrops(rhythm_config("body", "tiny"), corpus, "train")
    crops.resident("cpu")
    first = crops.batch(0, torch.Generator().manual_seed(5))
    again = crops.batch(0, torch.Generator().manual_seed(5))
    assert torch.equal(first["curve"], again["curve"]) and torch.equal(first["root"], again["root"])
    known = first["curve"][..., 4] > 0
    sway = first["root"][..., 2] - 0.95
    assert np.corrcoef(sway[known], first["curve"][..., 2][known])[0, 1] > 0.97


def test_beats_without_bars_teach_no_downbeats(tmp_path):
    writer = FlatWriter(tmp_path)
    beats = [[t, 0] for t, _ in clicks(100)]
    writer.add({"id": "a", "kind": "score", "split": "train", "source": "render", "duration": SECONDS, "beats": beats,
                "metre": 0}, {"logmel": np.zeros((1001, 80), np.uint8), "chroma": np.zeros((201, 24), np.uint8)})
    writer.close()
    crops = FlatCrops(rhythm_config("music", "tiny"), tmp_path, "train")
    crops.resident("cpu")
    assert (crops.batch(0, torch.Generator().manual_seed(0))["downbeat_weight"] == 0).all()
    with pytest.raises(BadInput, match="bars"):
        FlatBars(make_task("rhythm", "bars", "tiny").config, tmp_path, "train")


@pytest.mark.parametrize("part", ["music", "body", "bars"])
def test_a_tiny_run_learns_from_a_flat_corpus(corpus, tmp_path, part):
    rows = train(make_task("rhythm", part, "tiny"), tmp_path / "run", corpus, tmp_path / "cache", system="rhythm",
                 part=part,
                 config_name="tiny", steps=24, device="cpu", log_every=4, validations=1, report=lambda text: None)
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < losses[0]
    assert any(key.startswith("valid_") for row in rows for key in row)
