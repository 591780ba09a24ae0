"""A flat corpus of random bodies and noise latents, and tiny MoMu networks trained on it, for the tests of
models.momu."""
import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from music_fixtures import moving_motion  # noqa: E402
from once import once  # noqa: E402

from core.body.rotations import matrix_to_6d  # noqa: E402
from core.contract import GENRES  # noqa: E402
from models.momu.config import LATENT_RATE  # noqa: E402
from models.training.flat import FlatWriter  # noqa: E402
from models.training.loop import train  # noqa: E402
from models.training.task import make_task  # noqa: E402

SECONDS = 8.0
PARTS = ("motion_vae", "music_dit", "motion_dit", "timing", "contrast")


def noise_piece(number, split):
    """(meta, arrays) of a random body with noise latents that swell on the beat."""
    rng = np.random.default_rng(number)
    motion = moving_motion(int(SECONDS * 30), number)
    times = np.arange(0.2, SECONDS - 0.2, 60 / rng.uniform(90, 130))
    latents = rng.normal(0, 20, (int(SECONDS * LATENT_RATE), 64))
    latents[(times * LATENT_RATE).astype(int)] += 30
    beats = [[round(float(time), 4), index % 4 + 1] for index, time in enumerate(times)]
    meta = {"id": f"noise-{number}", "kind": "dance", "split": split, "seed": number, "genre": GENRES[number % 10],
            "style": GENRES[number % 10], "source": "studio" if number % 3 else "capture", "beat_confidence": 1.0,
            "metre": 4, "duration": SECONDS, "lead": 0.0, "beats": beats}
    sixd = np.round(matrix_to_6d(motion.rotations).reshape(len(motion), 144) * 32767).astype(np.int16)
    profile = rng.normal(0, 1, (1, 96)).astype(np.float32)
    return meta, {"rot6d": sixd, "root": motion.root, "latent": latents.clip(-127, 127).astype(np.int8),
                  "profile": profile}


def write_corpus(folder):
    """A flat corpus of eight training and two validation pieces."""
    writer = FlatWriter(folder)
    writer.scales["latent"] = {"mean": [0.0] * 64, "scale": [0.05] * 64}
    for number in range(10):
        writer.add(*noise_piece(number, "train" if number < 8 else "valid"))
    writer.close()
    return folder


@pytest.fixture(scope="module")
@once
def trained_momu(tmp_path_factory):
    """(corpus folder, {part: run folder}): the parts, each trained for a few steps in the paper's order."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("momu")
    corpus, runs = write_corpus(folder / "flat"), {}
    for part in PARTS:
        runs[part] = folder / part
        overrides = {} if part == "motion_vae" else {"motion_vae": str(runs["motion_vae"])}
        if part == "contrast":
            overrides["timing"] = str(runs["timing"])
        train(make_task("momu", part, "tiny", overrides), runs[part], corpus, folder / "cache", system="momu",
              part=part,
              config_name="tiny", steps=6, validations=1, log_every=2, device="cpu", report=lambda text: None)
    return corpus, runs


@pytest.fixture(scope="module")
@once
def momu_folder(trained_momu, tmp_path_factory):
    """A folder of exported checkpoints: the tiny MoMu, and a music VAE and a vocoder of random weights."""
    from core import checkpoints
    from models.music_ldm.config import VAEConfig
    from models.music_ldm.vae import VAE
    from models.music_ldm.vocoder import Vocoder, VocoderConfig
    from models.training.export import export
    folder = tmp_path_factory.mktemp("momu-checkpoints")
    for part, run in trained_momu[1].items():
        export(run, f"momu-{part}", folder)
    torch.manual_seed(0)
    config = VAEConfig(linear=True, widths=(16, 16, 16), blocks=1, latent=64, mel_mean=[-5.0] * 256)
    vocoder = VocoderConfig(width=16, blocks=1, upper_width=16, upper_blocks=1)
    made = (("vae", VAE(config), dataclasses.asdict(config)), ("vocoder", Vocoder(vocoder), vocoder.to_json()))
    for part, network, values in made:
        checkpoints.save(folder, name=f"music_ldm-{part}", system="music_ldm", part=part, config=values,
                         state_dict=network.state_dict(), card_text="tiny", licence="none")
    return folder
