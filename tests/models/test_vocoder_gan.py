"""The vocoder's training against discriminators: the project's mel, both sides learn, the released weights go on."""
import numpy as np
import pytest
import torch

from core import checkpoints
from core.audio import Audio
from core.audio.mel import log_mel
from core.errors import BadInput
from models.music_ldm import sound_pack
from models.music_ldm.config import VAEConfig
from models.music_ldm.discriminators import Discriminators, critic_loss, generator_losses
from models.music_ldm.train import task as music_task
from models.music_ldm.vae import VAE
from models.music_ldm.vocoder import MEL_HOP, RATE, Vocoder, VocoderConfig, load_vocoder
from models.music_ldm.vocoder_gan import EDGE, DeviceMel, MelLoss, ResidentSounds, grow, load_weights
from models.music_ldm.vocoder_train import CONFIGS
from models.training.loop import train
from models.training.run_folder import RunFolder

SIZES = dict(width=24, blocks=1, upper_width=24, upper_blocks=1, crop=8, margin=4, batch=2, judges=4, periods=(2, 3),
             alone=6)


def music(seconds, rate, seed=0):
    """Two plucked notes a second over noise bursts, (2, N)."""
    rng, time = np.random.default_rng(seed), np.arange(int(seconds * rate)) / rate
    pitch = 220 * 2 ** (rng.integers(0, 12, int(seconds * 2) + 1)[(time * 2).astype(int)] / 12)
    tone = 0.3 * np.exp(-6 * (time % 0.5)) * np.sin(2 * np.pi * np.cumsum(pitch) / rate)
    hat = 0.1 * np.exp(-40 * (time % 0.25)) * rng.normal(size=len(time))
    return np.stack([tone + hat, tone - 0.5 * hat]).astype(np.float32)


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    pytest.importorskip("soundfile")
    path = tmp_path_factory.mktemp("pack") / "sounds.zip"
    items = [({"id": f"a{n}", "split": "valid" if n == 3 else "train", "genre": "house", "scale": 0.5},
              sound_pack.encode(2 * music(3, 48_000, n))) for n in range(4)]
    sound_pack.write_pack(path, items)
    return path


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A folder with a tiny vocoder and a tiny VAE, as files of exported weights."""
    folder = tmp_path_factory.mktemp("released")
    torch.manual_seed(0)
    vocoder = VocoderConfig(**SIZES)
    vae = VAEConfig(widths=(16, 16, 16), blocks=1, latent=8, mel_mean=[-4.0] * 256)
    for name, network, config in (("vocoder", Vocoder(vocoder), vocoder.to_json()), ("vae", VAE(vae), vars(vae))):
        checkpoints.save(folder, name=f"music_ldm-{name}", system="music_ldm", part=name, config=config,
                         state_dict=network.state_dict(), card_text="", licence="GPL-3.0-or-later", dtype="float32")
    return folder


def settings(released, **more):
    return {**SIZES, "adversarial": 1.0, "sharpen": str(released / "music_ldm-vocoder.safetensors"),
            "vae": str(released / "music_ldm-vae.safetensors"), **more}


def test_judges_learn_in_bf16_as_in_float32():
    """On a processor with channels last, the dilated convolutions had gradients that were not finite."""
    torch.manual_seed(0)
    judges, (found, true) = Discriminators(24, (2,)), torch.randn(2, 2, 2, 16_384)
    gradients = []
    for half in (False, True):
        judges.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            critic_loss(judges, found, true)[0].backward()
        gradients.append([parameter.grad.clone() for parameter in judges.parameters()])
    for exact, rough in zip(*gradients):
        assert torch.isfinite(rough).all() and (rough - exact).norm() < 0.3 * exact.norm() + 1e-5


def test_mel_on_the_device_is_the_projects_mel():
    sound = music(3, RATE)
    mono = sound.mean(0)
    frames = 40
    mine = DeviceMel()(torch.from_numpy(mono)[None], frames)[0].numpy()
    resampled = Audio(mono, RATE).resampled(RATE // 2).mono()
    true = log_mel(resampled)[EDGE // MEL_HOP:EDGE // MEL_HOP + frames]
    assert mine.shape == true.shape and np.abs(mine - true).mean() < 0.005 and np.abs(mine - true)[:, :250].max() < 0.1


def test_a_pack_keeps_the_sound(pack, tmp_path):
    metas, sounds = zip(*sound_pack.read_pack(pack, "train"))
    assert len(sounds) == 3 and metas[1]["id"] == "a1"
    true = Audio(music(3, 48_000, 1), 48_000).resampled(RATE).samples
    first = int(sound_pack.TRIM * RATE)
    true = true[:, first:first + sounds[1].shape[1]]
    assert ((sounds[1] - true) ** 2).sum() < 0.02 * (true ** 2).sum()                # 17 dB at the codec's rate
    assert np.abs(log_mel(sounds[1].mean(0)) - log_mel(true.mean(0))).mean() < 0.2
    with pytest.raises(BadInput):
        sound_pack.read_pack(pack, "test")
    (tmp_path / "no.zip").write_bytes(b"no")
    with pytest.raises(BadInput):
        sound_pack.read_pack(tmp_path / "no.zip", "train")


def test_crops_are_mel_and_sound_of_one_moment(pack):
    config = VocoderConfig(**{**SIZES, "batch": 6})
    crops = ResidentSounds(config, pack, "train")
    crops.resident(torch.device("cpu"))
    speeds = set()
    for index in range(6):
        batch = crops.batch(index, torch.Generator().manual_seed(index))
        again = crops.batch(index, torch.Generator().manual_seed(index))
        assert all(torch.equal(batch[name], again[name]) for name in batch)
        assert batch["mel"].shape == (6, 16, 256) and batch["sound"].shape == (6, 2, 8 * MEL_HOP)
        for mel, sound in zip(batch["mel"], batch["sound"]):
            mono = Audio(sound[0].numpy(), RATE).resampled(RATE // 2).mono()
            found = log_mel(mono)[2:-3]
            assert np.abs(found - mel.numpy()[6:6 + len(found)]).mean() < 0.03
        speeds.add(float(np.random.default_rng([7, index]).random()))
    assert len(speeds) == 6


def test_each_side_leaves_the_other_alone():
    torch.manual_seed(0)
    judges = Discriminators(4, (2, 3), (512, 256), (8, 8))
    found, true = (torch.randn(2, 2, 8192) * 0.1 for _ in range(2))
    found.requires_grad_(True)
    critic_loss(judges, found, true)[0].backward()
    assert found.grad is None and all(p.grad is not None for p in judges.parameters())
    judges.zero_grad(set_to_none=True)
    sum(generator_losses(judges, found, true)).backward()
    assert float(found.grad.abs().sum()) > 0 and all(p.grad is None for p in judges.parameters())


def test_mel_loss_is_a_distance():
    loss = MelLoss()
    sound = torch.from_numpy(music(1, RATE))
    assert float(loss(sound, sound)) == 0
    late = torch.roll(sound, 200, dims=1)
    assert 0 < float(loss(sound, sound + 0.001 * torch.randn_like(sound))) and float(loss(sound, late)) > 0.05


def test_a_deeper_vocoder_begins_as_the_released_one():
    torch.manual_seed(0)
    small = Vocoder(VocoderConfig(**SIZES))
    deep = Vocoder(VocoderConfig(**{**SIZES, "blocks": 3, "upper_blocks": 2}))
    grow(deep, small.state_dict())
    mel = torch.randn(1, 20, 256)
    assert torch.allclose(small(mel), deep(mel), atol=1e-5)
    with pytest.raises(BadInput):
        grow(Vocoder(VocoderConfig(**{**SIZES, "width": 32})), small.state_dict())
    with pytest.raises(BadInput):
        grow(Vocoder(VocoderConfig(**SIZES)), deep.state_dict())


def test_it_trains_on_from_a_vocoder_that_has_attacks(tmp_path):
    sharp = VocoderConfig(**SIZES, attacks=8)
    checkpoints.save(tmp_path, name="music_ldm-vocoder", system="music_ldm", part="vocoder", config=sharp.to_json(),
                     state_dict=Vocoder(sharp).state_dict(), card_text="", licence="GPL-3.0-or-later")
    weights = load_weights(tmp_path / "music_ldm-vocoder.safetensors")
    grow(Vocoder(VocoderConfig(**SIZES)), weights)
    shipped = CONFIGS["vocoder"]["adversarial"]
    grow(Vocoder(shipped), load_weights(shipped.sharpen))


def test_a_run_teaches_both_sides_resumes_and_is_released(pack, released, tmp_path):
    torch.set_num_threads(1)

    def run(steps, resume=False):
        task = music_task("vocoder", "adversarial", **settings(released, blocks=2, learning_rate=1e-3,
                                                               decoded_from=0.6))
        rows = train(task, tmp_path / "run", pack, tmp_path / "cache", system="music_ldm", part="vocoder", seed=1,
                     config_name="adversarial", steps=steps, resume=resume, validations=1, log_every=5,
                     report=lambda text: None)
        return task, rows
    _, rows = run(30)
    assert "mel" not in rows[0] and rows[0]["critic"] > 0                       # the discriminators' own first steps
    critic = [row["critic"] for row in rows if "critic" in row]
    assert critic[-1] < critic[0]
    before = RunFolder(tmp_path / "run").read_checkpoint()
    task, rows = run(36, resume=True)
    after = RunFolder(tmp_path / "run").read_checkpoint()
    assert before["step"] == 30 and after["step"] == 36 and rows[-1]["valid_decoded_mel"] > 0
    changed = [name for name in before["model"] if not torch.equal(before["model"][name], after["model"][name])]
    assert any(name.startswith("vocoder.") for name in changed) and any(name.startswith("judges.") for name in changed)
    config, state = task.export(after["ema"])
    assert config["sharpen"] == config["vae"] == ""
    checkpoints.save(tmp_path / "out", name="music_ldm-vocoder", system="music_ldm", part="vocoder", config=config,
                     state_dict=state, card_text="", licence="GPL-3.0-or-later")
    network, _ = load_vocoder(tmp_path / "out")
    assert len(network.trunk) == 2 and torch.isfinite(network(torch.randn(1, 20, 256))).all()


def test_what_is_missing_is_said(pack, tmp_path):
    for more in ({"sharpen": ""}, {"sharpen": str(tmp_path / "no.safetensors")}):
        task = music_task("vocoder", "adversarial", **{**SIZES, "vae": "x", **more})
        with pytest.raises(BadInput):
            task.prepare(pack, tmp_path, None)
            task.build()


def test_the_shipped_sizes_fit():
    config = CONFIGS["vocoder"]["adversarial"]
    assert sum(p.numel() for p in Vocoder(config).parameters()) < 9e6
