"""The training loop: it learns, resumes exactly, averages, survives NaN, runs on two processes, exports."""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from core import checkpoints  # noqa: E402
from core.errors import BadInput, BatonError  # noqa: E402
from models.layers import Attention, FiLM, ResBlock, Rotary, Stylisation, TimeEmbedding  # noqa: E402
from models.training import export as export_module  # noqa: E402
from models.training.loop import default_cache  # noqa: E402
from models.training.optimise import Ema, learning_rate  # noqa: E402
from models.training.run_folder import RunFolder  # noqa: E402
from models.training.task import make_task, parse_overrides, pick_config  # noqa: E402

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from toy_task import Toy, ToyConfig, run  # noqa: E402


def test_it_learns_and_writes_its_run(tmp_path):
    rows, state = run(tmp_path / "run", steps=150)
    losses = [row["loss"] for row in rows if "loss" in row]
    assert np.mean(losses[-10:]) < 0.35 * np.mean(losses[:10])
    valid = [row["valid_squared"] for row in rows if "valid_squared" in row]
    assert len(valid) >= 8 and valid[-1] < 0.5 * valid[0]
    assert state["step"] == 150
    assert json.loads((tmp_path / "run" / "config.json").read_text())["config"] == {"width": 8, "mean": [0.5]}
    pytest.importorskip("matplotlib")
    assert (tmp_path / "run" / "loss.png").read_bytes()[:4] == b"\x89PNG"
    assert not list((tmp_path / "run").glob("*.part"))


def test_resume_continues_as_if_never_stopped(tmp_path, monkeypatch):
    _, whole = run(tmp_path / "whole", steps=30)
    task = Toy()
    real, calls = task.loss, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 13:
            os.kill(os.getpid(), __import__("signal").SIGTERM)
        return real(*arguments)
    task.loss = interrupted
    _, half = run(tmp_path / "halves", task, steps=30)
    assert half["step"] == 13
    _, joined = run(tmp_path / "halves", steps=30, resume=True)
    assert joined["step"] == 30
    for kind in ("model", "ema"):
        for name, value in whole[kind].items():
            assert torch.allclose(value, joined[kind][name], atol=1e-6), name


def test_an_existing_run_is_not_overwritten_and_a_budget_is_needed(tmp_path):
    run(tmp_path / "run", steps=2)
    with pytest.raises(BadInput, match="--resume"):
        run(tmp_path / "run", steps=2)
    with pytest.raises(BadInput, match="budget"):
        run(tmp_path / "other", steps=None)


def test_a_bad_batch_is_skipped_and_a_diverged_run_ends_with_a_sentence(tmp_path):
    rows, state = run(tmp_path / "run", Toy(broken=(3, 4)), steps=20)
    assert all(torch.isfinite(value).all() for value in state["ema"].values())
    assert len([row for row in rows if "loss" in row]) == 18
    with pytest.raises(BatonError, match="diverged"):
        run(tmp_path / "other", Toy(broken=range(100)), steps=60)


def test_a_card_without_bf16_trains_in_fp16_with_scaled_gradients(tmp_path, monkeypatch):
    """Here on the CPU: the scale travels with the checkpoint, a bad batch lowers it and is skipped."""
    from models.training import optimise
    monkeypatch.setattr(optimise, "precision", lambda task, device: torch.float16)
    rows, state = run(tmp_path / "run", Toy(broken=(40,)), steps=150)
    losses = [row["loss"] for row in rows if "loss" in row]
    assert np.mean(losses[-10:]) < 0.35 * np.mean(losses[:10])
    scale = state["scaler"]["scale"]
    assert 256 <= scale < 65_536                                        # halved at least by the bad batch
    assert all(torch.isfinite(value).all() for value in state["ema"].values())
    _, more = run(tmp_path / "run", steps=151, resume=True)
    assert more["scaler"]["scale"] == scale


def test_precision_is_the_devices(monkeypatch):
    from models.training import optimise
    task, card = Toy(), torch.device("cuda")
    assert optimise.precision(task, card) is None and optimise.precision(task, torch.device("cpu")) is None
    task.autocast = True
    for able, wanted in (((9, 0), torch.bfloat16), ((7, 5), torch.float16), ((6, 1), None)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None, able=able: able)
        assert optimise.precision(task, card) is wanted
    for able, wanted in ((True, torch.bfloat16), (False, None)):        # in software bf16 takes ten times as long
        monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda able=able: able)
        assert optimise.precision(task, torch.device("cpu")) is wanted


def test_learning_rate_follows_the_budget():
    task = Toy()
    task.warmup = 0.1
    rates = [learning_rate(task, f) for f in (0.0, 0.05, 0.1, 0.5, 1.0)]
    assert rates[0] < rates[1] < rates[2] == task.lr > rates[3] > rates[4] == pytest.approx(task.lr * task.final_lr)


def test_ema_is_the_average_of_the_weights_seen():
    model = torch.nn.Linear(1, 1, bias=False)
    ema, expected = Ema(model, 0.5), float(model.weight.detach())
    for step in range(6):
        with torch.no_grad():
            model.weight.fill_(float(step))
        ema.update(model, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    assert float(ema.model.weight) == pytest.approx(expected, rel=1e-6)


@pytest.mark.skipif(sys.platform == "win32", reason="gloo over torchrun is tested on Linux and macOS")
def test_two_processes_equal_one_with_twice_the_batch(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=0",
                    "--standalone",
                    str(HERE / "toy_task.py"), str(tmp_path / "two")], check=True, timeout=120, env=environment,
                   capture_output=True)
    first, second = (torch.load(tmp_path / "two" / f"seen_by_{rank}.pt", weights_only=True) for rank in (0, 1))
    _, one = run(tmp_path / "one", Toy(merge=2), steps=12)
    for name, value in one["model"].items():
        assert torch.equal(first[name], second[name])
        assert torch.allclose(value, first[name], atol=1e-5), name


def test_export_writes_a_checkpoint_that_loads(tmp_path, monkeypatch):
    _, state = run(tmp_path / "run", steps=5)
    monkeypatch.setattr(export_module, "make_task", lambda *arguments: Toy(ToyConfig(**arguments[3])))
    written = export_module.export(tmp_path / "run", "toy", tmp_path / "checkpoints", notes="- made of noise",
                                   dtype="float32")
    found = checkpoints.find("toy", "toy", tmp_path / "checkpoints")
    assert found.sha256 == written.sha256 and found.config == {"width": 8, "mean": [0.5]} and found.extra["steps"] == 5
    loaded = checkpoints.load_state(found)
    assert all(torch.equal(loaded[name], value) for name, value in state["ema"].items())
    assert "made of noise" in (tmp_path / "checkpoints" / "toy.md").read_text()


class Overfitting(Toy):
    """Validates best at the third of its validations, and worse from then on."""

    scores = (4.0, 3.0, 1.0, 2.0, 5.0, 6.0, 7.0, 8.0)

    def __init__(self, config=None):
        super().__init__(config)
        self.seen = []

    def validate(self, model, cache):
        self.seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return {"squared": self.scores[len(self.seen) - 1]}

    def error(self, values):
        return values["squared"]


def test_the_weights_that_validate_best_are_kept_and_exported(tmp_path, monkeypatch):
    task = Overfitting()
    _, state = run(tmp_path / "run", task, steps=80)
    best = RunFolder(tmp_path / "run").read_average()
    assert best["step"] == 30 and state["step"] == 80 and best["scores"] == {"valid_squared": 1.0}
    monkeypatch.setattr(export_module, "make_task", lambda *arguments: Overfitting(ToyConfig(**arguments[3])))
    for last, weights, step in ((False, task.seen[2], 30), (True, state["ema"], 80)):
        words = [str(tmp_path / "run"), "toy", "--checkpoints", str(tmp_path / f"out-{last}"), "--dtype", "float32"]
        assert export_module.main(words + ["--last"] * last) == 0
        found = checkpoints.find("toy", "toy", tmp_path / f"out-{last}")
        assert found.extra["steps"] == step and found.extra["scores"]["valid_squared"] == (8.0 if last else 1.0)
        loaded = checkpoints.load_state(found)
        assert all(torch.equal(loaded[name], value) for name, value in weights.items()), last
    assert all(torch.equal(RunFolder(tmp_path / "run").average("0.")[name], task.seen[2][f"0.{name}"])
               for name in ("weight", "bias"))


def test_weights_on_the_way_from_the_released_ones_are_exported(tmp_path, monkeypatch):
    run(tmp_path / "run", steps=4)
    monkeypatch.setattr(export_module, "make_task", lambda *arguments: Toy(ToyConfig(**arguments[3])))

    def export(**more):
        return checkpoints.load_state(export_module.export(tmp_path / "run", "toy", tmp_path / "out", dtype="float32",
                                                           **more))
    with pytest.raises(BatonError):
        export(share=0.5)                       # nothing is released yet
    whole = export()
    zeros = {name: torch.zeros_like(value) for name, value in whole.items()}
    record = checkpoints.find("toy", "toy", tmp_path / "out")
    checkpoints.save(tmp_path / "out", name="toy", system="toy", part="toy", config=record.config, state_dict=zeros,
                     card_text="# toy", licence="GPL-3.0-or-later", dtype="float32")
    quarter = export(share=0.25)
    assert all(torch.allclose(quarter[name], 0.25 * value) for name, value in whole.items())
    for share in (0.0, 1.5):
        with pytest.raises(BadInput, match="share"):
            export(share=share)


def test_a_resumed_run_still_knows_its_best(tmp_path):
    run(tmp_path / "run", Overfitting(), steps=40, validations=4)
    assert RunFolder(tmp_path / "run").read_average()["step"] == 30
    later = Overfitting()
    later.scores = (1.5, 1.2, 0.5, 9.0, 9.0, 9.0)
    run(tmp_path / "run", later, steps=60, validations=6, resume=True)
    assert later.scores[:2] > (1.0, 1.0) and RunFolder(tmp_path / "run").read_average()["error"] == 0.5
    for name in ("checkpoint.pt", "log.jsonl"):
        (tmp_path / "run" / name).unlink()
    run(tmp_path / "run", Toy(), steps=2)                       # another run in this folder: the best of before is gone
    assert RunFolder(tmp_path / "run").read_average()["step"] == 2 and not (tmp_path / "run" / "best.pt").exists()


def test_a_run_can_start_from_released_weights(tmp_path):
    _, first = run(tmp_path / "first", steps=60)
    _, again = run(tmp_path / "again", steps=1, released=first["ema"])
    for name, value in first["ema"].items():
        if value.is_floating_point():                          # one step moves the average by a thousandth of the step
            assert torch.allclose(again["ema"][name], value, atol=1e-4), name
            assert torch.allclose(again["model"][name], value, atol=0.02), name
    _, resumed = run(tmp_path / "again", steps=2, resume=True)  # the average still knows what it started from
    _, whole = run(tmp_path / "whole", steps=2, released=first["ema"])
    for name, value in whole["ema"].items():
        assert torch.allclose(resumed["ema"][name], value, atol=1e-4), name
    with pytest.raises(BadInput, match="do not fit"):
        run(tmp_path / "other", Toy(ToyConfig(width=9)), steps=1, released=first["ema"])


def test_names_are_checked(tmp_path):
    with pytest.raises(BadInput, match="no system"):
        make_task("nonsense", "vae")
    configs = {"vae": {"release": ToyConfig()}}
    assert pick_config(configs, "vae", "release", {"width": 3}).width == 3
    for part, name, extra, word in (("x", "release", {}, "part"), ("vae", "x", {}, "configuration"),
                                    ("vae", "release", {"x": 1}, "setting")):
        with pytest.raises(BadInput, match=word):
            pick_config(configs, part, name, extra)
    assert parse_overrides(["a=1", "b=x/y", "c=true"]) == {"a": 1, "b": "x/y", "c": True}
    assert default_cache("corpus/dance", "music_ldm") == Path("corpus/dance.cache/music_ldm")


def test_rotary_attention_depends_on_time_differences_only():
    torch.manual_seed(0)
    attention = Attention(32, 4, memory_width=16, zero_init=False)
    x, memory = torch.randn(2, 10, 32), torch.randn(2, 7, 16)
    here, there = torch.arange(10) / 10.77, torch.arange(7) / 10.0
    a = attention(x, memory, here, there)
    assert torch.allclose(a, attention(x, memory, here + 3.3, there + 3.3), atol=1e-4)
    assert not torch.allclose(a, attention(x, memory, here, there + 0.3), atol=1e-3)
    mask = torch.ones(2, 7, dtype=torch.bool)
    mask[:, 5:] = False
    assert torch.allclose(attention(x, memory, here, there, mask), attention(x, memory[:, :5], here, there[:5]),
                          atol=1e-5)
    rotary = Rotary(8)
    y = torch.randn(1, 1, 5, 8)
    assert torch.allclose(rotary(y, torch.arange(5.0)).norm(dim=-1), y.norm(dim=-1), atol=1e-5)


def test_conditioned_layers_start_as_identities_and_use_their_condition():
    torch.manual_seed(0)
    x, c = torch.randn(2, 6, 8), torch.randn(2, 5)
    assert torch.equal(FiLM(5, 8)(x, c), x)
    assert torch.equal(Stylisation(5, 8)(x, c), torch.zeros_like(x))
    for dims, shape in ((1, (2, 8, 6)), (2, (2, 8, 6, 4))):
        block = ResBlock(dims, 8, embedding_width=5)
        y = torch.randn(shape)
        assert torch.equal(block(y, c), y)
        torch.nn.init.normal_(block.conv2.weight)
        assert not torch.allclose(block(y, c), block(y, 2 * c))
    assert TimeEmbedding(12)(torch.tensor([0, 999])).shape == (2, 12)


def test_a_dataset_on_the_device_makes_its_batches_there(tmp_path):
    class Here:
        """y = 2 x of random rows of a table that `resident` puts on the device."""

        def resident(self, device):
            self.table = torch.randn(100, 4, generator=torch.Generator().manual_seed(0)).to(device)

        def batch(self, index, generator):
            rows = torch.randint(100, (16,), generator=generator, device=self.table.device)
            return {"x": self.table[rows], "y": 2 * self.table[rows]}

    class HereTask(Toy):
        lr = 0.05

        def build(self):
            return torch.nn.Linear(4, 4)

        def dataset(self, cache, split):
            return Here()

        def loss(self, model, batch, generator):
            assert generator.device == batch["x"].device
            loss = (model(batch["x"]) - batch["y"]).square().mean()
            return loss, {"squared": loss}

        def validate(self, model, cache):
            return {}
    rows, state = run(tmp_path / "run", HereTask(), steps=200)
    assert rows[-1]["squared"] < 0.01 * rows[0]["squared"]
    _, half = run(tmp_path / "half", HereTask(), steps=10)
    _, again = run(tmp_path / "again", HereTask(), steps=10)
    assert all(torch.equal(half["model"][name], again["model"][name]) for name in half["model"])


def test_a_late_stop_signal_does_not_cost_the_last_checkpoint(tmp_path):
    task = Toy()
    real, asked = task.validate, []

    def interrupted(model, cache):
        asked.append(1)
        if len(asked) == 8:                                  # seven on the way; the eighth is after the last step
            os.kill(os.getpid(), __import__("signal").SIGTERM)
        return real(model, cache)
    task.validate = interrupted
    _, state = run(tmp_path / "run", task, steps=40)
    assert state["step"] == 40 and len(asked) == 8
