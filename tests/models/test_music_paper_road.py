"""The paper's music model from end to end, at a tiny size: a VAE of slices, a denoiser on its latents, a sound."""
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from core.errors import BadInput  # noqa: E402
from models.music_ldm import config as configs  # noqa: E402
from models.music_ldm.data import FEATURES, latent_name  # noqa: E402
from models.music_ldm.denoiser_train import Windows  # noqa: E402
from models.music_ldm.features import face_forward, motion_features, to_image  # noqa: E402
from models.music_ldm.network import UNet  # noqa: E402
from models.music_ldm.pipeline import MusicLDM  # noqa: E402
from models.music_ldm.resident import with_motion  # noqa: E402
from models.music_ldm.vae import load_vae  # noqa: E402
from models.training.export import export  # noqa: E402
from models.training.loop import main as train_main  # noqa: E402
from models.training.shards import write_shard  # noqa: E402
from tests.models.music_fixtures import moving_motion, noise_item  # noqa: E402

KINDS = {"tiny-paper": "text", "tiny-paper-code": "code"}


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    """A corpus, its cache, a VAE and a denoiser of each kind, trained for a few steps by the command line."""
    root = tmp_path_factory.mktemp("paper")
    splits = ["train"] * 3 + ["valid"]
    write_shard(root / "corpus" / "noise.safetensors", [noise_item(k, split) for k, split in enumerate(splits)])
    common = ["--corpus", str(root / "corpus"), "--cache", str(root / "cache"), "--steps", "2", "--validations", "1",
              "--device", "cpu", "--threads", "1"]
    assert train_main(["music_ldm", "vae", "--config", "tiny-paper", "--out", str(root / "vae"), *common]) == 0
    for name, short in KINDS.items():
        assert train_main(["music_ldm", "denoiser", "--config", name, "--out", str(root / short),
                           "--set", f"vae={root / 'vae'}", *common]) == 0
    return root


def windows(road, short):
    run = json.loads((road / short / "config.json").read_text())["config"]
    config = configs.DenoiserConfig(**run)
    fingerprint = load_vae(road / "vae")[1]
    return config, fingerprint, Windows(road / "cache", "train", config, fingerprint)


def test_the_vae_sees_slices_in_use_as_in_training(road):
    """A slice's latents are those of that slice alone, under its own maximum, and windows are slices."""
    config, fingerprint, found = windows(road, "text")
    vae, _ = load_vae(road / "vae")
    assert vae.config.frames == config.mel_frames == configs.VAE_PAPER.frames == configs.PAPER.mel_frames
    piece = FEATURES.open(road / "cache", "train", lambda piece: True)[0]
    latents = np.asarray(piece.array(latent_name(fingerprint, config)), np.float32)
    slices = piece.count("mel") // config.mel_frames
    assert len(latents) == slices * config.window
    mel = np.asarray(piece.array("mel", config.mel_frames, 2 * config.mel_frames), np.float32)
    assert to_image(mel).max() == pytest.approx(1.0)
    with torch.no_grad():
        alone = torch.cat(vae.encode(torch.from_numpy(to_image(mel))[None]), dim=1)[0].movedim(-1, 0).numpy()
    assert np.abs(latents[config.window:2 * config.window] - alone).max() < 0.05           # bf16
    rng = np.random.default_rng(0)
    assert {found.start(piece, rng) % config.window for piece in found.pieces for _ in range(20)} == {0}


@pytest.mark.parametrize("short", KINDS.values())
def test_it_makes_sound(road, tmp_path, short):
    for part, name in (("vae", "vae"), (short, "denoiser")):
        export(road / part, f"music_ldm-{name}", tmp_path)
    model = MusicLDM.load(tmp_path, vocoder="griffin_lim")
    took = dict(steps=2, sampler="ddim", guidance_scale=1.0, genre="house")
    whole = model.generate(moving_motion(150), duration=5.0, **took)[0]
    assert whole.shape == (2, 240_000) and np.isfinite(whole).all() and np.abs(whole).max() > 0
    assert model.generate(moving_motion(360), duration=12.0, **took)[0].shape == (2, 576_000)      # beyond a slice


def test_another_length_than_the_vae_was_trained_on_is_refused(road, tmp_path, capsys):
    assert train_main(["music_ldm", "denoiser", "--config", "tiny-paper", "--out", str(tmp_path / "run"), "--corpus",
                       str(road / "corpus"), "--cache", str(road / "cache"), "--steps", "1", "--set", "mel_frames=256",
                       "--set", "window=32", "--set", f"vae={road / 'vae'}"]) == 2
    assert "trained on 224 mel frames and these windows have 256" in capsys.readouterr().err


def test_the_codes_condition_stays_where_the_clip_has_it(road):
    config, _, found = windows(road, "code")
    assert (config.centred, config.scale, config.drop_all, config.betas) == (False, "minmax", 0.0, (0.95, 0.999))
    motion = moving_motion(40).moved(0.7, after=(3.0, 1.0))
    here = motion_features(motion.rotations, motion.root, centred=False)
    assert here[0, 0] == pytest.approx(motion.root[0, 0], abs=1e-5)
    rotations, root = face_forward(motion.rotations, motion.root)
    assert np.allclose(motion_features(motion.rotations, motion.root), motion_features(rotations, root, centred=False),
                       atol=1e-5)
    net = UNet(config)
    batch = with_motion(found[0], config)["motion"]
    seen = net.condition.motion(batch).clamp(0, 1)
    assert float(seen.min()) >= 0 and float(seen.max()) <= 1 and float(seen.std()) > 0.05


def test_the_codes_configuration_is_the_codes():
    config = configs.PAPER_CODE
    with torch.device("meta"):
        net = UNet(config)
    assert config.widths == (128, 256, 512, 512) and config.schedule == "linear" and config.prediction == "eps"
    assert [net.down[level][0].attends for level in range(4)] == [True, True, True, False]
    assert net.down[0][0].self_attention is not None and len(net.down[0]) == 2
    assert sum(parameter.numel() for parameter in net.parameters()) > 80e6
    with pytest.raises(ValueError, match="standard or minmax"):
        configs.DenoiserConfig(scale="log")


def test_flat_corpora_are_for_the_released_kind(tmp_path):
    from models.training.flat import FlatWriter
    from models.training.task import make_task
    FlatWriter(tmp_path).close()
    with pytest.raises(BadInput, match="corpus of shards"):
        make_task("music_ldm", "denoiser", "tiny-paper").prepare(tmp_path, tmp_path / "cache", lambda *_: None)
