"""A training run on disk: config.json, checkpoint.pt (to resume), best.pt (the averaged weights that validated best),
log.jsonl, loss.png. torch and numpy only."""
import dataclasses
import json
from pathlib import Path

import torch

from core.contract import REPRESENTATION_VERSION
from core.contract.files import replacing, write_text
from core.errors import BadInput


class RunFolder:
    """Paths and atomic writes of one run."""

    def __init__(self, path):
        self.path = Path(path)
        self.config_path, self.checkpoint_path = self.path / "config.json", self.path / "checkpoint.pt"
        self.best_path = self.path / "best.pt"
        self.log_path, self.plot_path = self.path / "log.jsonl", self.path / "loss.png"

    def write_config(self, system, part, config_name, config):
        """config: the task's dataclass, as it is after `prepare`."""
        self.path.mkdir(parents=True, exist_ok=True)
        data = {"system": system, "part": part, "config_name": config_name, "config": dataclasses.asdict(config),
                "representation_version": REPRESENTATION_VERSION}
        write_text(self.config_path, json.dumps(data, indent=1) + "\n")

    def read_config(self):
        """The dict of `write_config`. Raises BadInput when the folder holds no run of this representation."""
        try:
            data = json.loads(self.config_path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInput(f"{self.path} holds no training run ({error}).") from error
        if data["representation_version"] != REPRESENTATION_VERSION:
            raise BadInput(f"The run {self.path} is of representation {data['representation_version']}, this Baton "
                           f"uses {REPRESENTATION_VERSION}; train again.")
        return data

    def write_checkpoint(self, state):
        """state: a dict of tensors, numbers, strings, lists and dicts."""
        with replacing(self.checkpoint_path) as temporary:
            torch.save(state, temporary)

    def write_best(self, state):
        """state: as `write_checkpoint`, with the averaged weights as "ema"."""
        with replacing(self.best_path) as temporary:
            torch.save(state, temporary)

    def read_checkpoint(self):
        """The state last written, on the CPU. Raises BadInput when there is none."""
        return _read(self.checkpoint_path)

    def read_average(self, last=False):
        """The state that holds the run's averaged weights as "ema": the best by validation, or the last where a run
        kept no best or `last` is true. On the CPU. Raises BadInput when there is none."""
        return _read(self.checkpoint_path if last or not self.best_path.is_file() else self.best_path)

    def average(self, prefix=""):
        """{name: tensor} of the averaged weights whose names begin with `prefix`, which is taken off."""
        weights = self.read_average()["ema"]
        return {name[len(prefix):]: value for name, value in weights.items() if name.startswith(prefix)}

    def log(self, **row):
        """Append one JSON line."""
        with open(self.log_path, "a", encoding="utf-8") as handle:
            handle.write(json.dumps(row) + "\n")

    def rows(self):
        """The logged rows so far."""
        if not self.log_path.is_file():
            return []
        return [json.loads(line) for line in self.log_path.read_text(encoding="utf-8").splitlines() if line]

    def plot(self):
        """Write loss.png from the log: a panel per logged name. False where matplotlib is not installed or nothing is
        logged."""
        rows = self.rows()
        names = sorted({name for row in rows for name in row} - {"step", "minutes", "lr", "steps_per_second"})
        if not names:
            return False
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError:
            return False
        columns = min(4, len(names))
        lines = -(-len(names) // columns)
        figure = Figure(figsize=(4 * columns, 2.6 * lines), layout="constrained")
        FigureCanvasAgg(figure)
        for number, name in enumerate(names):
            axes = figure.add_subplot(lines, columns, number + 1)
            points = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
            axes.plot(*zip(*points), linewidth=1, marker="." if len(points) < 40 else None)
            axes.set_title(name, fontsize=9)
            axes.tick_params(labelsize=7)
            if min(value for _, value in points) > 0:
                axes.set_yscale("log")
        figure.supxlabel("step", fontsize=8)
        with replacing(self.plot_path) as temporary:
            figure.savefig(temporary, dpi=90, format="png")
        return True


def _read(path):
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError) as error:
        raise BadInput(f"{path} cannot be read ({error}).") from error
