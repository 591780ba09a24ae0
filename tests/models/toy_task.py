"""A small regression task for the tests of the training loop; run as a script under torchrun it trains with two
processes."""
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch  # noqa: E402
from torch import nn  # noqa: E402

from models.training.loop import train  # noqa: E402
from models.training.task import Task  # noqa: E402


@dataclass
class ToyConfig:
    width: int = 8
    mean: list = field(default_factory=list)


class Toy(Task):
    """Learn y = A x; `merge` joins that many consecutive batches into one, `broken` batches hold NaN."""

    lr, weight_decay, autocast, warmup = 1e-2, 0.0, False, 0.01

    def __init__(self, config=None, merge=1, broken=()):
        super().__init__(config or ToyConfig())
        self.merge, self.broken = merge, broken

    def prepare(self, corpus, cache, progress):
        self.config.mean = [0.5]
        progress(1.0, "nothing")

    def build(self):
        torch.manual_seed(3)
        return nn.Sequential(nn.Linear(self.config.width, 16), nn.Tanh(), nn.Linear(16, 4))

    def dataset(self, cache, split):
        return self

    def __getitem__(self, index):
        parts = [self._one(index * self.merge + k) for k in range(self.merge)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _one(self, index):
        x = torch.randn(16, self.config.width, generator=torch.Generator().manual_seed(index))
        mix = torch.randn(self.config.width, 4, generator=torch.Generator().manual_seed(99))
        return {"x": x, "y": x @ mix * (float("nan") if index in self.broken else 1.0)}

    def loss(self, model, batch, generator):
        loss = (model(batch["x"]) - batch["y"]).square().mean()
        return loss, {"squared": loss.detach()}

    def validate(self, model, cache):
        return {"squared": float((model(self._one(10_000)["x"]) - self._one(10_000)["y"]).square().mean())}


def run(out, task=None, steps=40, **options):
    """Train the toy quietly on the CPU; returns (rows, final state)."""
    options = {"report": lambda text: None, "device": "cpu", "log_every": 1, **options}
    rows = train(task or Toy(), out, "corpus", "cache", system="toy", part="toy", config_name="toy", steps=steps,
                 **options)
    return rows, torch.load(Path(out) / "checkpoint.pt", weights_only=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    import os
    _, state = run(sys.argv[1], steps=12)
    torch.distributed.barrier()
    torch.save(state["model"], Path(sys.argv[1]) / f"seen_by_{os.environ['RANK']}.pt")
    torch.distributed.destroy_process_group()
