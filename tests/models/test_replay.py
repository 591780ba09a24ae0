"""Recorded calls of networks, with a recording that computes on the CPU in the place of a CUDA graph: what goes in is
found and replaced, shapes are told apart, and what cannot be recorded is called plainly."""
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from core.audio import Audio
from core.body.motion import rest_motion
from core.contract import systems as registry
from core.pipelines import device as devices
from core.pipelines import open_pipeline
from core.rhythm.beats import Beats
from models.layers import replay
from models.layers.recording import filled


@dataclass
class Told:
    level: torch.Tensor
    more: list
    nothing: None = None


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.calls = torch.nn.Linear(3, 3), 0

    def forward(self, x, told, said):
        self.calls += 1
        return self.layer(x * told.level + told.more[0]) * said["scale"]


class OnCpu:
    """As a CUDA graph it works in the tensors it was recorded with, and writes each answer over the last."""

    def __init__(self, function, inputs, tensors, pool=None):
        self.inputs = [tensor.clone() for tensor in tensors]
        self.given, self.function = filled(inputs, iter(self.inputs)), function
        self.output, self.plays, self.pool = function(self.given), 0, None

    def play(self, tensors):
        self.plays += 1
        for mine, given in zip(self.inputs, tensors, strict=True):
            mine.copy_(given)
        self.output.copy_(self.function(self.given))
        return self.output.clone()


@pytest.fixture
def recorded(monkeypatch):
    """Calls are recorded on the CPU."""
    monkeypatch.setattr(replay, "on", True)
    monkeypatch.setattr(replay, "can_record", lambda device: not torch.is_grad_enabled())
    monkeypatch.setattr(replay, "Recording", OnCpu)
    yield replay._of
    replay.forget()


def asked(rows, seed):
    generator = torch.Generator().manual_seed(seed)
    some = lambda: torch.randn(rows, 3, generator=generator)                       # noqa: E731
    return some(), Told(some(), [some()]), {"scale": some()}


def test_later_calls_of_a_shape_are_played(recorded):
    network, kept = Network(), []
    with torch.no_grad():
        for seed in range(5):
            for rows in (2, 4):
                kept.append((replay.call(network, *asked(rows, seed), half=False), network(*asked(rows, seed))))
        assert all(torch.equal(answer, plain) for answer, plain in kept), "and no answer is written over later"
        made = list(recorded[network].made.values())
        assert [one.plays for one in made] == [4, 4]
        for rows in range(5, 5 + 2 * replay.MOST):
            replay.call(network, *asked(rows, 0), half=False)
    assert len(recorded[network].made) == replay.MOST


def test_weights_elsewhere_gradients_and_other_modes_are_told_apart(recorded):
    network = Network()
    for _ in range(3):
        answer = replay.call(network, *asked(2, 0), half=False)
    assert answer.requires_grad and network not in recorded
    with torch.inference_mode():
        for _ in range(3):
            replay.call(network, *asked(2, 0), half=False)
        network.layer.weight.data = network.layer.weight.data * 2              # as a network that was moved
        assert torch.equal(replay.call(network, *asked(2, 0), half=False), network(*asked(2, 0)))
    with torch.no_grad():
        replay.call(network, *asked(2, 0), half=False)
    assert len(recorded[network].made) == 3


def test_a_full_card_gets_the_memory_of_recordings_back(recorded):
    network = Network()
    with torch.no_grad():
        for _ in range(2):
            replay.call(network, *asked(2, 0), half=False)
    assert network in recorded
    devices.release("cpu")
    assert network not in recorded


def test_what_cannot_be_recorded_is_called(recorded, monkeypatch, caplog):
    def refused(*_):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")
    monkeypatch.setattr(replay, "Recording", refused)
    network = Network()
    with torch.no_grad():
        for seed in range(4):
            assert torch.equal(replay.call(network, *asked(2, seed), half=False), network(*asked(2, seed)))
    assert len(caplog.records) == 1 and "not recorded" in caplog.text and "more" not in caplog.text


def test_a_processor_records_nothing(monkeypatch):
    monkeypatch.setattr(replay, "on", True)
    network = Network()
    with torch.no_grad():
        for seed in range(3):
            assert torch.equal(replay.call(network, *asked(2, seed), half=False), network(*asked(2, seed)))
    assert network not in replay._of and network.calls == 6


@pytest.mark.parametrize("name", ["music_ldm", "conductor", "dance_cascade", "momu_both"])
def test_a_system_makes_the_same_of_recorded_calls(recorded, monkeypatch, name):
    system, seconds = registry.find(name), 6.0
    times = np.arange(int(seconds * 48_000)) / 48_000
    tone = (0.5 * np.sin(2 * np.pi * 220 * times) * np.exp(-20 * (times % 0.5))).astype(np.float32)
    given = {"motion": rest_motion(int(30 * seconds)), "sound": Audio(np.stack([tone, tone]), 48_000)}
    beats = Beats(np.arange(0, seconds, 0.5), np.arange(12) % 4 + 1, 4)
    words = {"genre": "house"} if "genre" in system.settings else {}
    pipeline = open_pipeline(name, None, "cpu", lambda sentence: None)

    def made():
        return pipeline.generate(given.get(system.source), duration=seconds, beats=beats, steps=4, **words)
    played = made()
    assert any(one is not None and one.plays for kept in recorded.values() for one in kept.made.values())
    monkeypatch.setattr(replay, "on", False)
    plain = made()
    if plain.audio is not None:
        assert np.array_equal(played.audio, plain.audio)
    if plain.motion is not None:
        assert np.array_equal(played.motion.rotations, plain.motion.rotations)
        assert np.array_equal(played.motion.root, plain.motion.root)
