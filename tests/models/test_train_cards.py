"""What a training asks of a card, without one: which is its own, and that no step waits for it."""
import pytest

torch = pytest.importorskip("torch")

from core.errors import BadInput  # noqa: E402
from models.training.batches import open_batches  # noqa: E402
from models.training.processes import Group  # noqa: E402
from tests.models.toy_task import Toy, run  # noqa: E402


def test_a_card_is_the_processs_own_before_the_processes_meet(monkeypatch):
    """And what they say to each other waits for no card."""
    done, said, cards = [], [], [True]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cards[0])
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: done.append(str(device)))
    for name, act in {"is_initialized": lambda: False,
                      "init_process_group": lambda backend, timeout: done.append(backend),
                      "new_group": lambda backend, timeout: done.append(backend) or "hosts",
                      "all_reduce": lambda tensor, op, group: said.append((tensor.device.type, group)),
                      "barrier": lambda group: said.append(("barrier", group))}.items():
        monkeypatch.setattr(torch.distributed, name, act)
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    for asked in ("cuda", None):
        group = Group(asked)
        assert group.device == torch.device("cuda", 1) and done == ["cuda:1", "nccl", "gloo"]
        assert group.agree(0.5, False) == (0.5, False) and group.wait() is None
        assert said == [("cpu", "hosts"), ("barrier", "hosts")]
        done.clear(), said.clear()
    assert Group("cpu").talk is None and done == ["gloo"]
    cards[0] = False
    with pytest.raises(BadInput, match="no CUDA"):
        Group("cuda")


def test_a_run_goes_on_on_an_older_card(tmp_path, monkeypatch):
    """Begun where gradients need no scale, resumed in fp16, and back again."""
    from models.training import optimise
    _, first = run(tmp_path / "run", steps=4)
    assert first["scaler"] == {}
    monkeypatch.setattr(optimise, "precision", lambda task, device: torch.float16)
    _, second = run(tmp_path / "run", steps=8, resume=True)
    assert second["step"] == 8 and second["scaler"]["scale"] > 0
    monkeypatch.setattr(optimise, "precision", lambda task, device: None)
    assert run(tmp_path / "run", steps=10, resume=True)[1]["step"] == 10


def test_batches_that_are_read_ahead_wait_for_no_step(monkeypatch):
    pinned, places = [], []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(1) or tensor)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: places.append(device))
    for device, wanted in ((torch.device("cpu"), 0), (torch.device("cuda", 1), 2)):
        batches = open_batches(Toy(), 0, 1, device, 0)
        assert set(batches.next()) == {"x", "y"}
        batches.close()
        assert (len(pinned) >= wanted if wanted else not pinned) and len(places) == (wanted > 0)
