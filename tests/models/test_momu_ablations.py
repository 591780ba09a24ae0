"""The ablations' command goes through on tiny networks, goes on where it stopped, and its U-Net is one."""
import json

import pytest
from momu_fixtures import trained_momu  # noqa: F401

from models.lab.evaluation.momu import ablations
from models.momu.config import DiTConfig
from models.momu.network import DiT, UNet, denoiser

torch = pytest.importorskip("torch")


def test_the_command_goes_through_and_goes_on(trained_momu, tmp_path, capsys):          # noqa: F811
    words = ["--corpus", str(trained_momu[0]), "--out", str(tmp_path), "--steps", "2", "--count", "2", "--seconds",
             "2", "--tiny"]
    assert ablations.main(words) == 0
    rows = json.loads((tmp_path / "ablations.json").read_text())["rows"]
    assert list(rows) == ["cross", "joint", "joint, any length", "no contrast", "no transformer"]
    assert "no contrast" in capsys.readouterr().out
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    assert ablations.main(words) == 0
    assert made == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}


@pytest.mark.parametrize("length", [24, 37])
def test_the_u_net_takes_any_length_and_all_conditions(length):
    from test_momu_timing import condition
    config = DiTConfig(kind="unet", width=16, depth=1, heads=2, hidden=16, code=0)
    torch.manual_seed(0)
    network = denoiser(config).eval()
    assert type(network) is UNet and type(denoiser(DiTConfig(width=16, depth=1, heads=2, hidden=16))) is DiT
    with torch.no_grad():
        network.output.weight.normal_()
        x, t = torch.randn(2, 64, length), torch.tensor([3, 700])
        known, unknown = network(x, t, condition(length=length)), network(x, t, condition(length=length, other=0.0))
    assert known.shape == x.shape and not torch.allclose(known, unknown)
