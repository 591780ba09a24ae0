"""The larger beat network: any length alike, sight that ends, and a tiny run that is exported, found and heard."""
import dataclasses

import numpy as np
import pytest
import torch

from rhythm_fixtures import corpus  # noqa: F401

from core import checkpoints
from models.rhythm import detect
from models.rhythm.config import RhythmConfig, rhythm_config
from models.rhythm.network import BeatNetwork
from models.rhythm.wide import SightedAttention, WideNetwork, beat_network

TINY = rhythm_config("music", "tiny-wide")


def shaken(config, seed=0):
    """A network none of whose layers is a no-op."""
    torch.manual_seed(seed)
    network = beat_network(config).eval()
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return network


def test_configurations_of_before_make_the_smaller_network():
    kept = {key: value for key, value in rhythm_config("music").to_json().items()
            if key not in ("layers", "wide", "pace", "heads", "sight")}
    assert type(beat_network(RhythmConfig(**kept))) is BeatNetwork
    assert type(beat_network(TINY)) is WideNetwork
    count = sum(p.numel() for p in beat_network(rhythm_config("music", "wide")).parameters())
    assert 2.5e6 < count < 3.2e6


@pytest.mark.parametrize("frames", [2, 3, 193, 1501])
def test_chunks_show_no_seam(monkeypatch, frames):
    network, features = shaken(TINY), torch.from_numpy(np.random.default_rng(1).normal(
        -3, 2, (frames, 80)).astype(np.float32))
    whole = detect.network_output(network, features)
    assert whole.shape == (frames, 4)
    monkeypatch.setattr(detect, "CHUNK", 400)
    assert network.reach % TINY.pace == 0
    assert (detect.network_output(network, features) - whole).abs().max() < 1e-5


def test_nothing_beyond_its_reach_is_heard():
    network = shaken(dataclasses.replace(TINY, layers=1, sight=8))
    features = torch.randn(1, 800, 80)
    changed = features.clone()
    changed[:, 400] += 3.0
    moved = (network(changed) - network(features)).abs().amax(-1)[0].nonzero()[:, 0]
    assert 30 < 400 - moved.min() <= network.reach and 30 < moved.max() - 400 <= network.reach


def test_attention_in_blocks_is_that_of_the_whole():
    torch.manual_seed(2)
    layer = SightedAttention(16, 2, sight=5, seconds=0.08, dropout=0.0)
    layer.out.weight.data.normal_()
    x = torch.randn(2, 16, 23)
    q, k, v = layer.inner(layer.norm(x)).unflatten(1, (3, 2, -1)).transpose(-1, -2).unbind(1)
    clock = torch.arange(23)
    q, k = layer.rotary(q, clock * 0.08), layer.rotary(k, clock * 0.08)
    scores = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
    scores = scores.masked_fill((clock[:, None] - clock).abs() > 5, float("-inf"))
    y = (scores.softmax(-1) @ v).transpose(-1, -2).flatten(1, 2)
    assert torch.allclose(layer(x), x + layer.out(y), atol=1e-5)


def test_a_tiny_run_is_exported_found_and_heard(corpus, tmp_path):  # noqa: F811
    from models.training.export import export
    from models.training.loop import train
    from models.training.task import make_task
    rows = train(make_task("rhythm", "music", "tiny-wide"), tmp_path / "run", corpus, tmp_path / "cache",
                 system="rhythm", part="music", config_name="tiny-wide", steps=24, device="cpu", log_every=4,
                 validations=1, report=lambda text: None)
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < losses[0]
    written = export(tmp_path / "run", "rhythm-wide", tmp_path / "checkpoints", part="wide")
    assert written.config["layers"] == 3
    found = checkpoints.find("rhythm", "wide", tmp_path / "checkpoints")
    network = detect.load_network("wide", tmp_path / "checkpoints")
    assert found.sha256 == written.sha256 and type(network) is WideNetwork
    assert detect.run_network(network, torch.zeros(100, 80)).shape == (100, 4)
