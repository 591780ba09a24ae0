"""Named conditions: what is dropped is unknown, flags included; what guidance keeps; random dropping for training."""
from dataclasses import dataclass

import pytest

torch = pytest.importorskip("torch")

from models.conditions import Conditions  # noqa: E402


@dataclass
class Told(Conditions):
    body: torch.Tensor
    body_known: torch.Tensor
    offset: torch.Tensor
    style: torch.Tensor
    mix: torch.Tensor
    together = {"body": ("body", "body_known"), "style": ("style",), "mix": ("mix",)}
    stays = ("mix",)


def told(count):
    return Told(torch.ones(count, 5, 3), torch.ones(count), torch.full((count,), 0.3), torch.ones(count, 4),
                torch.ones(count, 2))


def test_a_dropped_condition_takes_its_flag_with_it_and_nothing_else():
    drop = torch.tensor([True, False, True])
    found = told(3).dropped(body=drop, style=None)
    assert found.body.flatten(1).sum(1).tolist() == [0, 15, 0] and found.body_known.tolist() == [0, 1, 0]
    assert torch.equal(found.style, torch.ones(3, 4)) and torch.equal(found.offset, torch.full((3,), 0.3))
    with pytest.raises(KeyError):
        told(3).dropped(face=drop)


def test_the_unconditional_twin_keeps_what_stays():
    found = told(2).none()
    assert not found.body.any() and not found.style.any() and found.mix.all() and found.offset.all()


def test_random_dropping_has_the_asked_shares():
    count = 20_000
    found = told(count).at_random(torch.Generator().manual_seed(0), 0.2, body=0.25, style=0.0, mix=0.5)
    gone = {name: 1 - float(getattr(found, name).flatten(1).amax(1).mean()) for name in ("body", "style", "mix")}
    assert gone["body"] == pytest.approx(0.2 + 0.8 * 0.25, abs=0.02) and gone["style"] == pytest.approx(0.2, abs=0.02)
    assert gone["mix"] == pytest.approx(0.5, abs=0.02), "what stays under guidance has a chance of its own only"
    both = (found.body_known == 0) & (found.style.amax(1) == 0)
    assert float(both.float().mean()) == pytest.approx(0.2, abs=0.02), "together, where everything goes"
    assert torch.equal(found.body_known, found.body.flatten(1).amax(1))


def test_rows_and_batches():
    rows = told(3).dropped(style=torch.tensor([True, False, False])).rows([2, 0])
    assert len(rows) == 2 and rows.style.amax(1).tolist() == [1, 0]
    assert len(rows.cat(told(3), told(1))) == 6 and rows.to("cpu").body.shape == (2, 5, 3)
