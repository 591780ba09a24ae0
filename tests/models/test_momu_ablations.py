"""The ablations' command goes through on tiny networks, goes on where it stopped, has the paper's rows; its U-Net is
one, its spectrum without a mel comes back."""
import json

import numpy as np
import pytest
from momu_fixtures import trained_momu  # noqa: F401

from core.audio.mel import log_mel
from models.lab.evaluation.momu import ablations
from models.lab.evaluation.momu.components import Components
from models.lab.packs.small import linear_rows, linear_to_mel
from models.momu.config import DiTConfig
from models.momu.network import DiT, UNet, denoiser
from models.training.flat import Flat, FlatWriter

torch = pytest.importorskip("torch")


def test_the_command_goes_through_and_goes_on(trained_momu, tmp_path, capsys):          # noqa: F811
    words = ["--corpus", str(trained_momu[0]), "--out", str(tmp_path), "--steps", "2", "--count", "2", "--seconds",
             "2", "--tiny", "--only"]
    assert ablations.main([*words, "cross"]) == 0
    assert ablations.main([*words, "directional vectors"]) == 0
    rows = json.loads((tmp_path / "ablations.json").read_text())["rows"]
    assert list(rows) == ["cross", "joint", "joint, any length", "directional vectors"]
    assert {"F1 music / body", "mixed", "tempo heard", "joint cm"} <= set(rows["directional vectors"])
    assert "directional vectors" in capsys.readouterr().out
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    assert ablations.main([*words, "cross", "directional vectors"]) == 0
    assert made == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}


def test_every_row_of_the_paper_is_there():
    rows = {*ablations.ROWS, *(mode for modes in ablations.MODES.values() for mode in modes)}
    assert {"directional vectors", "no mel", "no contrast", "no transformer", "joint", "joint, any length",
            "cross"} <= rows


def test_losses_alone_do_not_stand_for_scores():
    """A row that was trained with `--count 0` is scored when pieces are asked for."""
    scored = {"columns": {"joint cm": 2.0, "pieces": 4}}
    done = {"cross": {"columns": {"joint cm": 2.0}}, "no mel": scored}
    assert not ablations.lacking(done, "cross", 0)
    assert ablations.lacking(done, "cross", 4) and not ablations.lacking(done, "no mel", 4)
    assert ablations.lacking(done, "no contrast", 0)
    done["cross"] = scored
    assert ablations.lacking(done, "cross", 4), "its joint pieces are not made"


def test_a_spectrum_of_bands_of_one_width_becomes_a_mel():
    """Of noise, which is alike in neighbouring bins, the mel that it stands for; bass is what it cannot tell."""
    sound = np.random.default_rng(0).normal(0, 0.1, 44_100).astype(np.float32)
    rows, mel = linear_rows(sound), log_mel(sound)
    assert rows.shape == mel.shape and np.abs(linear_to_mel(rows) - mel)[4:-4, 100:].mean() < 0.15


def test_components_come_back_and_make_a_corpus(tmp_path):
    rng, writer = np.random.default_rng(1), FlatWriter(tmp_path / "flat")
    mixed = rng.normal(size=(20, 1024))                                     # twenty numbers tell a patch
    for number, split in enumerate(("train", "train", "valid")):
        patches = rng.normal(size=(60, 20)) @ mixed / 5 - 3
        still = {"rot6d": np.zeros((120, 144), np.int16), "root": np.zeros((120, 3), np.float32),
                 "profile": np.zeros((1, 96), np.float32)}
        writer.add({"id": str(number), "split": split, "beats": []},
                   {**still, "linear": patches.reshape(-1, 256).astype(np.float32)})
    writer.close()
    flat = Flat(tmp_path / "flat")
    components = Components("linear", flat)
    components.to_mel = lambda rows: rows
    rows = np.array(flat.rows(flat.items[1], "linear"))
    latents = components.encode(rows)
    back = components.decode(latents)
    assert latents.shape == (60, 64) and np.abs(back - np.maximum(rows, np.log(1e-4))).max() < 0.01
    components.corpus(flat, tmp_path / "out")
    found = Flat(tmp_path / "out")
    kept = found.rows(found.items[1], "latent") * np.float32(found.scales["latent"]["scale"])
    assert np.abs(kept[:, :20] - latents[:, :20]).max() < 0.05 and found.items[2]["split"] == "valid"


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
