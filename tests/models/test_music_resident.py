"""The U-Net's windows from a flat corpus: the features of numpy, the beats of the piece, and a training that learns."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from core.audio.mel import FRAME_RATE  # noqa: E402
from models.lab.studio.build import item_plan  # noqa: E402
from models.lab.studio.dancer import dance  # noqa: E402
from models.music_ldm.config import TINY  # noqa: E402
from models.music_ldm.features import motion_features  # noqa: E402
from models.music_ldm.resident import FlatWindows, torch_motion_features  # noqa: E402
from models.music_ldm.train import task  # noqa: E402
from models.training.flat import Flat, FlatWriter  # noqa: E402
from models.training.loop import train  # noqa: E402
from models.training.shards import pack_motion  # noqa: E402


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("flat"), np.random.default_rng(0)
    writer = FlatWriter(folder)
    writer.scales["latent"] = {"mean": [0.5] * 8, "scale": [0.1] * 8}
    for split, seed in (("train", 5), ("train", 6), ("valid", 800_005)):
        plan = item_plan("dance", seed, 14.0)
        motion = pack_motion(dance(plan))
        latents = int(14.0 * FRAME_RATE) // 4
        writer.add({"id": f"dance-{seed}", "kind": "dance", "split": split, "seed": seed, "genre": plan.genre,
                    "source": "studio",
                    "beat_confidence": 1.0, "beats": np.stack([plan.times, plan.positions], 1).tolist()},
                   {"rot6d": motion["motion_rot6d"].reshape(-1, 144), "root": motion["motion_root"],
                    "latent": rng.integers(-40, 40, (latents, 8)).astype(np.int8),
                    "profile": rng.normal(size=(1, 96)).astype(np.float32)})
    writer.close()
    return folder


@pytest.mark.parametrize("centred", [True, False])
def test_features_equal_those_of_numpy(centred):
    motion = dance(item_plan("dance", 5, 4.0))
    expected = motion_features(motion.rotations[None, 10:], motion.root[None, 10:], centred=centred)
    rotations, root = torch.from_numpy(motion.rotations[None, 10:]), torch.from_numpy(motion.root[None, 10:])
    found = torch_motion_features(rotations, root, centred=centred).numpy()
    assert np.abs(found - expected)[..., :288].max() < 1e-4
    # A float's arc cosine near 1 is known to 3e-4 rad, which is 0.01 rad/s at 30 frames a second.
    assert np.abs(found - expected)[..., 288:].max() < 0.03


def test_windows_are_of_one_moment(flat):
    data = FlatWindows(Flat(flat), "train", TINY)
    data.resident("cpu")
    batch = data.batch(3, torch.Generator().manual_seed(1))
    again = data.batch(3, torch.Generator().manual_seed(1))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert batch["latent_mean"].shape == (4, 8, 64) and batch["rhythm"].shape == (4, 5, 256)
    assert batch["motion"].shape[1:] == (data.motion_frames, 360)
    assert (batch["offset"] <= 0).all() and (batch["offset"] > -1 / 30).all()
    peaks = batch["rhythm"][:, 0].amax(1)
    assert (peaks > 0.5).all()                               # every window of six seconds has beats
    assert batch["genre"].sum(1).eq(1).all()


def test_it_trains_on_a_flat_corpus(flat, tmp_path):
    overrides = {"latent_mean": [0.5] * 8, "latent_std": [4.0] * 8}
    rows = train(task("denoiser", "tiny", **overrides), tmp_path / "run", flat, tmp_path / "cache", system="music_ldm",
                 part="denoiser", config_name="tiny", steps=8, log_every=4, validations=1, device="cpu",
                 report=lambda text: None)
    assert any("valid_loss" in row for row in rows) and all(np.isfinite(row["loss"]) for row in rows if "loss" in row)
