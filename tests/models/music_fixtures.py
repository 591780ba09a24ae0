"""Noise pieces, and a tiny music model trained on them, for the tests of models.music_ldm."""
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from once import once  # noqa: E402

from core.body.motion import Motion, rest_motion  # noqa: E402
from core.body.rotations import axis_angle_to_matrix  # noqa: E402
from core.contract import GENRES  # noqa: E402
from models.music_ldm.pipeline import MusicLDM  # noqa: E402
from models.training.shards import pack_motion, write_shard  # noqa: E402

SECONDS = 12.0
torch.set_num_threads(1)


def moving_motion(frames, seed=0):
    """Smooth, random, turning and travelling motion."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None] / 30
    phase, rate = rng.uniform(0, 6, (1, 24, 3)), rng.uniform(0.3, 2, (1, 24, 3))
    angles = rng.normal(0, 0.4, (1, 24, 3)) * np.sin(2 * np.pi * rate * time + phase)
    rest = rest_motion(frames)
    rotations = rest.rotations @ axis_angle_to_matrix(angles)
    turn = axis_angle_to_matrix(np.stack([np.zeros(frames), np.zeros(frames), 0.5 * np.arange(frames) / 30], axis=1))
    rotations[:, 0] = turn @ rotations[:, 0]
    root = rest.root + np.stack([np.arange(frames) / 60, np.arange(frames) / 90, 0 * np.arange(frames)], axis=1)
    return Motion(rotations.astype(np.float32), root.astype(np.float32))


def noise_item(number, split):
    """A piece of bursts on its beats, with motion."""
    rng = np.random.default_rng(number)
    times = np.arange(0.2, SECONDS, 60 / rng.uniform(90, 130))
    sound = 0.01 * rng.normal(size=int(SECONDS * 48_000))
    for time in times:
        first = int(time * 48_000)
        burst = np.exp(-np.arange(8000) / 1500) * rng.normal(size=8000) * 0.4
        sound[first:first + 8000] += burst[:len(sound) - first]
    beats = np.stack([times, np.arange(len(times)) % 4 + 1], axis=1).astype(np.float32)
    meta = {"id": f"noise-{number}", "kind": "dance", "split": split, "seed": number, "genre": GENRES[number % 10],
            "metre": 4, "bpm": 100.0, "duration": SECONDS, "source": "noise", "beat_confidence": 1.0, "lead": 0.0}
    audio = np.stack([sound, sound], axis=1).clip(-1, 1) * 32_767
    return meta, {"audio": audio.astype(np.int16), "beats": beats,
                  **pack_motion(moving_motion(int(SECONDS * 30), number))}


@pytest.fixture(scope="module")
@once
def trained(tmp_path_factory):
    """Corpus of noise -> tiny VAE -> tiny denoiser -> exported checkpoints; returns the folders."""
    from models.training.export import export
    from models.training.loop import train
    from models.training.task import make_task
    root = tmp_path_factory.mktemp("music")
    splits = ["train"] * 5 + ["valid"] * 2
    write_shard(root / "corpus" / "noise.safetensors", [noise_item(k, split) for k, split in enumerate(splits)])
    quiet = dict(system="music_ldm", config_name="tiny", report=lambda text: None, device="cpu", validations=1,
                 log_every=5)
    vae = make_task("music_ldm", "vae", "tiny", {"adversarial_from": 0.3})
    rows = train(vae, root / "vae", root / "corpus", root / "cache", part="vae", steps=16, **quiet)
    assert {"critic", "matching", "l1", "kl", "valid_log_mel_l1", "valid_sharpness"} <= {key for row in rows
                                                                                         for key in row}
    denoiser = make_task("music_ldm", "denoiser", "tiny", {"vae": str(root / "vae")})
    rows = train(denoiser, root / "denoiser", root / "corpus", root / "cache", part="denoiser", steps=12, **quiet)
    assert all(math.isfinite(value) for row in rows for value in row.values())
    for part in ("vae", "denoiser"):
        export(root / part, f"music_ldm-{part}", root / "checkpoints")
    return root


@pytest.fixture(scope="module")
def model(trained):
    return MusicLDM.load(trained / "checkpoints", vocoder="griffin_lim")


# ---------------------------------------------------------------------------------------------- mel
