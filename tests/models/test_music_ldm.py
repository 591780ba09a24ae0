"""The music model: mel, features, VAE, U-Net, training to generation on noise, windows, loops, ranges, errors."""
import dataclasses
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from core.audio import mel as mels  # noqa: E402
from core.beats import Beats  # noqa: E402
from core.contract import GENRES  # noqa: E402
from core.errors import BadInput, Cancelled, NoCheckpoint  # noqa: E402
from core.motion import Motion, rest_motion  # noqa: E402
from core.rotations import axis_angle_to_matrix  # noqa: E402
from models.data.shards import pack_motion, write_shard  # noqa: E402
from models.diffusion import Schedule  # noqa: E402
from models.music_ldm import config as configs  # noqa: E402
from models.music_ldm import features  # noqa: E402
from models.music_ldm.losses import adversarial, diffusion_loss  # noqa: E402
from models.music_ldm.network import Condition, UNet, fold  # noqa: E402
from models.music_ldm.passage import Passage  # noqa: E402
from models.music_ldm.pipeline import MusicLDM, image_to_log_mel, splice  # noqa: E402
from models.music_ldm.train import principal_components  # noqa: E402
from models.music_ldm.train_denoiser import Windows, batch_condition, load_vae, restore, standardise  # noqa: E402
from models.music_ldm.vae import VAE, Discriminator  # noqa: E402

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
    meta = {"id": f"noise-{number}", "kind": "dance", "split": split, "seed": number, "genre": GENRES[number % 10], "metre": 4,
            "bpm": 100.0, "duration": SECONDS, "source": "noise", "beat_confidence": 1.0, "lead": 0.0}
    audio = np.stack([sound, sound], axis=1).clip(-1, 1) * 32_767
    return meta, {"audio": audio.astype(np.int16), "beats": beats, **pack_motion(moving_motion(int(SECONDS * 30), number))}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Corpus of noise -> tiny VAE -> tiny denoiser -> exported checkpoints; returns the folders."""
    from models.export import export
    from models.task import make_task
    from models.train import train
    root = tmp_path_factory.mktemp("music")
    splits = ["train"] * 5 + ["valid"] * 2
    write_shard(root / "corpus" / "noise.safetensors", [noise_item(k, split) for k, split in enumerate(splits)])
    quiet = dict(system="music_ldm", config_name="tiny", report=lambda text: None, device="cpu", validations=1, log_every=5)
    vae = make_task("music_ldm", "vae", "tiny", {"adversarial_from": 0.3})
    rows = train(vae, root / "vae", root / "corpus", root / "cache", part="vae", steps=16, **quiet)
    assert {"critic", "matching", "l1", "kl", "valid_log_mel_l1", "valid_sharpness"} <= {key for row in rows for key in row}
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

def test_mel_frames_are_centred_on_their_instants():
    sound = np.zeros(mels.RATE * 2, np.float32)
    sound[int(1.2 * mels.RATE)] = 1.0
    mel = mels.log_mel(sound)
    assert mel.shape == (1 + len(sound) // 512, 256) and mel.dtype == np.float32
    assert abs(mel.mean(axis=1).argmax() / mels.FRAME_RATE - 1.2) < 0.5 / mels.FRAME_RATE + 1e-6
    assert mel.min() == pytest.approx(math.log(mels.FLOOR))


def test_level_of_the_sounding_part_and_silence():
    rng = np.random.default_rng(0)
    sound = np.concatenate([0.01 * rng.normal(size=22_050), np.zeros(22_050)]).astype(np.float32)
    out, gain = mels.levelled(sound)
    assert np.sqrt((out[:22_050] ** 2).mean()) == pytest.approx(mels.LEVEL_RMS, rel=0.02) and gain == pytest.approx(10, rel=0.05)
    assert mels.levelled(np.zeros(1000, np.float32))[1] == 1.0


def test_griffin_lim_gives_the_mel_back():
    rng = np.random.default_rng(0)
    time = np.arange(mels.RATE) / mels.RATE
    sound = 0.3 * np.sin(2 * np.pi * 440 * time) + 0.05 * rng.normal(size=len(time))
    mel = mels.log_mel(sound)
    again = mels.log_mel(mels.griffin_lim(mel))
    assert np.abs(again[:len(mel) - 1] - mel[:-1]).mean() < 0.4 and again.mean(axis=0).argmax() == mel.mean(axis=0).argmax()


# ---------------------------------------------------------------------------------------------- features

def test_motion_features_are_those_of_the_paper():
    motion = moving_motion(60)
    f = features.motion_features(motion.rotations, motion.root)
    assert f.shape == (60, 360) == (60, configs.MOTION_CHANNELS) and configs.MOTION_CHANNELS + len(GENRES) == 370
    canonical = motion.canonical()
    positions = canonical.positions()
    assert np.allclose(f[:, :72].reshape(60, 24, 3), positions, atol=1e-4)
    assert np.allclose(f[:, 72:216].reshape(60, 24, 6)[:, 1:], canonical.to_vector()[:, 3:].reshape(60, 24, 6)[:, 1:], atol=1e-5)
    velocity = (positions[2:] - positions[:-2]) * 15
    assert np.allclose(f[1:-1, 216:288].reshape(58, 24, 3), velocity, atol=1e-3)
    spin = axis_angle_to_matrix(np.array([0, 0.2 / 30, 0]) * np.arange(60)[:, None])
    rotations = rest_motion(60).rotations
    rotations[:, 16] = spin
    w = features.motion_features(rotations, motion.root)[:, 288:].reshape(60, 24, 3)
    assert np.allclose(w[:, 16], [0, 0.2, 0], atol=1e-3) and np.allclose(np.delete(w, 16, axis=1), 0, atol=1e-3)


def test_features_do_not_depend_on_where_the_dancer_stands_or_faces():
    motion = moving_motion(40)
    turn = axis_angle_to_matrix(np.array([0, 0, 1.1]))
    rotations = motion.rotations.copy()
    rotations[:, 0] = turn @ rotations[:, 0]
    moved = (motion.root @ turn.T + [3.0, -2.0, 0.0]).astype(np.float32)
    here, there = features.motion_features(motion.rotations, motion.root), features.motion_features(rotations, moved)
    assert np.allclose(here, there, atol=2e-3)


def test_mirror_is_the_motions_own():
    motion = moving_motion(10)
    rotations, root = features.mirrored(motion.rotations, motion.root)
    assert np.allclose(rotations, motion.mirrored().rotations) and np.allclose(root, motion.mirrored().root)


def test_unknown_genre_is_named():
    assert features.genre_index(None) == -1 and features.genre_index("house") == GENRES.index("house")
    with pytest.raises(BadInput, match="polka"):
        features.genre_index("polka")


def test_fold_keeps_every_sample_in_its_latent_frame():
    curve = torch.arange(16.0).reshape(1, 2, 8)
    folded = fold(curve, 4)
    assert folded.shape == (1, 8, 2)
    assert folded[0, :, 0].tolist() == [0, 1, 2, 3, 8, 9, 10, 11] and folded[0, :, 1].tolist() == [4, 5, 6, 7, 12, 13, 14, 15]


# ---------------------------------------------------------------------------------------------- VAE

def random_vae(**changes):
    torch.manual_seed(0)
    vae = VAE(dataclasses.replace(configs.VAE_TINY, **changes)).eval()
    for parameter in vae.parameters():                           # zero-initialised layers would hide mistakes
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.1)
    return vae


@pytest.mark.parametrize("changes, shape", [({}, (2, 8, 16)), ({"linear": False}, (2, 8, 16)),
                                            ({"dims": 2, "widths": (8, 8, 8, 8), "latent": 1, "linear": False}, (2, 1, 32, 8))])
def test_vae_shapes_of_both_kinds(changes, shape):
    vae = random_vae(**changes)
    mel = torch.randn(2, 64, 256)
    mean, log_variance = vae.encode(mel)
    assert mean.shape == log_variance.shape == shape and vae.decode(mean).shape == mel.shape
    assert vae(mel, torch.Generator().manual_seed(0))[0].shape == vae.standardise(mel).shape
    assert torch.allclose(vae.restore(vae.standardise(mel)), mel, atol=1e-5)


@torch.no_grad()
def test_release_vae_gives_the_same_on_a_crop_as_on_the_whole_and_in_chunks():
    vae = random_vae(widths=(16, 24, 32), blocks=2)
    mel = torch.randn(1, 800, 256)
    whole = vae.encode(mel)[0]
    crop = vae.encode(mel[:, 200:600])[0]
    assert torch.allclose(whole[..., 50 + vae.reach:150 - vae.reach], crop[..., vae.reach:-vae.reach], atol=1e-4)
    latent = torch.randn(1, 8, 150)
    assert torch.allclose(vae.decode_long(latent, chunk=40), vae.decode(latent), atol=1e-4)
    ring = vae.decode_long(latent, chunk=40, loop=True)
    rolled = vae.decode_long(latent.roll(30, -1), chunk=64, loop=True)
    assert ring.shape == (1, 600, 256) and torch.allclose(ring.roll(120, 1), rolled, atol=1e-4)


@torch.no_grad()
def test_the_linear_start_is_a_principal_component_analysis():
    """Before any training a VAE with the linear path reconstructs as the components do, with whitened latents."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(6, 256)) * np.array([8, 4, 2, 1, 0.5, 0.2])[:, None]
    mel = np.repeat(rng.normal(size=(500, 6)), 4, axis=0) @ mixing + 0.05 * rng.normal(size=(2000, 256))
    cache = type("Cache", (), {"items": [0], "mel": lambda self, item: mel.astype(np.float32)})()
    config = dataclasses.replace(configs.VAE_TINY, mel_mean=mel.mean(0).tolist(), mel_std=float(mel.std()))
    basis, variances = principal_components(cache, config)
    assert torch.allclose(basis.T @ basis, torch.eye(8), atol=1e-4)
    vae = VAE(config)
    vae.start_linear(basis, variances)
    x = torch.from_numpy(mel.astype(np.float32))[None]
    mean, log_variance = vae.encode(x)
    patches = vae.standardise(x).transpose(1, 2).reshape(500, 1024)
    wanted = (patches @ basis @ basis.T).reshape(1, 2000, 256).transpose(1, 2)
    assert torch.allclose(vae.synthesise(mean), wanted, atol=1e-3)
    assert torch.allclose(mean[0, :6].std(dim=1), torch.ones(6), atol=0.1) and float(log_variance.max()) < -4
    assert float((vae.decode(mean) - x).abs().mean()) < 0.1 * float(x.abs().mean())


def test_adversarial_terms_reach_only_their_own_side():
    torch.manual_seed(0)
    critic, target = Discriminator(4), torch.randn(2, 256, 16)
    output = (target + 0.1 * torch.randn_like(target)).requires_grad_()
    base = dataclasses.replace(configs.VAE_TINY, adversarial=0.0, matching=0.0)
    adversarial(critic, output, target, base)[0].backward()      # the critic's terms only
    assert output.grad.abs().sum() == 0 and all(p.grad is not None for p in critic.parameters())
    before = [p.grad.clone() for p in critic.parameters()]
    critic.zero_grad()
    adversarial(critic, output, target, dataclasses.replace(base, adversarial=1.0, matching=1.0))[0].backward()
    assert output.grad.abs().sum() > 0
    assert all(torch.allclose(a, p.grad) for a, p in zip(before, critic.parameters()))


# ---------------------------------------------------------------------------------------------- U-Net

def random_condition(count, config, seed=0):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator)                 # noqa: E731
    frames = 180 if config.motion_rate == 10 else 157
    rhythm = draw(count, 5, config.mel_frames)
    rhythm[:, 4] = 1.0
    genre = torch.nn.functional.one_hot(torch.randint(0, 10, (count,), generator=generator), 10).float()
    return Condition(draw(count, frames, 360), torch.ones(count), torch.zeros(count), genre, rhythm)


def small(name, **changes):
    base = {"release": configs.TINY, "paper": configs.PAPER}[name]
    config = dataclasses.replace(base, widths=(16, 16, 32), heads=2, blocks=1, **changes)
    torch.manual_seed(1)
    net = UNet(config).eval()
    for parameter in net.parameters():
        if parameter.dim() > 1 and parameter.abs().sum() == 0:
            torch.nn.init.normal_(parameter, std=0.1)
    return config, net


@pytest.mark.parametrize("name", ["release", "paper"])
@torch.no_grad()
def test_unet_answers_each_part_of_its_condition(name):
    config, net = small(name)
    condition = random_condition(2, config)
    shape = (2, config.latent, 64) if config.dims == 1 else (2, 1, 32, 28)
    x, t = torch.randn(shape), torch.tensor([10, 700])
    out = net(x, t, net.encode(condition))
    assert out.shape == shape
    everything = torch.ones(2, dtype=torch.bool)
    parts = ["motion", "genre"] + (["rhythm"] if config.rhythm else [])
    for part in parts:
        assert not torch.allclose(out, net(x, t, net.encode(condition.dropped(**{part: everything}))), atol=1e-3), part
    blank = condition.none()
    other = random_condition(2, config, seed=5).none()
    assert torch.equal(net(x, t, net.encode(blank)), net(x, t, net.encode(other)))
    assert not torch.allclose(out, net(x, t + 100, net.encode(condition)), atol=1e-3)


@torch.no_grad()
def test_release_attention_works_on_one_clock():
    """Moving the motion's clock matters with rotary positions in seconds and cannot matter without."""
    for rotary in (True, False):
        config, net = small("release", rotary=rotary)
        condition = random_condition(1, config)
        later = dataclasses.replace(condition, offset=condition.offset + 0.5)
        x, t = torch.randn(1, config.latent, 64), torch.tensor([500])
        same = torch.allclose(net(x, t, net.encode(condition)), net(x, t, net.encode(later)), atol=1e-4)
        assert same != rotary


def test_paper_configuration_has_the_published_shape():
    config = configs.PAPER
    with torch.device("meta"):
        net, vae = UNet(config), VAE(configs.VAE_PAPER)
    assert len(net.down) == len(net.up) == 3 and config.prediction == "eps" and Schedule(config.schedule, "eps").steps == 1000
    assert net.down[0][0].cross.key_value.in_features == 370 and not config.rhythm and config.batch == 8 and config.lr == 1e-4
    assert sum(p.numel() for p in net.parameters()) > 4 * 13e6
    assert vae.config.downsample == config.downsample == 8 and vae.config.latent == 1


def test_release_is_small_enough_to_ship():
    with torch.device("meta"):
        net, vae = UNet(configs.RELEASE), VAE(configs.VAE_RELEASE)
    assert 8e6 < sum(p.numel() for p in net.parameters()) < 16e6 and sum(p.numel() for p in vae.parameters()) < 16e6


@pytest.mark.parametrize("prediction", ["eps", "x0", "v"])
def test_unet_learns_to_follow_the_rhythm_and_only_with_it(prediction):
    """Latents that are a function of the rhythm curve: the loss must fall well below that without the curve."""
    torch.manual_seed(0)
    config = dataclasses.replace(configs.TINY, latent=4, prediction=prediction, latent_mean=[0.0] * 4, latent_std=[1.0] * 4,
                                 min_snr=0.0, drop_all=0.3)
    net, schedule = UNet(config), Schedule(config.schedule, prediction)
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(20, 4, generator=generator) * 0.5

    def batch(count=16):
        condition = random_condition(count, config, int(torch.randint(0, 10**6, (1,), generator=generator)))
        latent = torch.einsum("bkl,kc->bcl", fold(condition.rhythm, 4), mix)
        return {"latent_mean": latent, "latent_log_variance": torch.full_like(latent, -8.0), **vars(condition)}
    for _ in range(70):
        loss, _ = diffusion_loss(net, schedule, config, batch(), generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    held_out, errors = batch(32), {}
    with torch.no_grad():
        condition = batch_condition(held_out)
        for name, given in (("known", condition), ("none", condition.none())):
            noise, t = torch.randn(32, 4, 64, generator=generator), torch.full((32,), 500)
            x = schedule.add_noise(held_out["latent_mean"], noise, t)
            x0 = schedule.to_x0(net(x, t, net.encode(given)), x, t)
            errors[name] = float((x0 - held_out["latent_mean"]).square().mean())
    assert errors["known"] < 0.75 * errors["none"], errors


def test_drop_rates_are_those_of_the_configuration():
    config = dataclasses.replace(configs.TINY, drop_motion=0.2, drop_rhythm=0.15, drop_genre=0.1, drop_all=0.1,
                                 latent_mean=[0.0] * 8, latent_std=[1.0] * 8)
    seen = []

    class Spy(torch.nn.Module):
        def encode(self, condition):
            seen.append(condition)
            return condition

        def forward(self, x, t, encoded):
            return x
    count = 4000
    condition = Condition(torch.ones(count, 1, 360), torch.ones(count), torch.zeros(count), torch.ones(count, 10),
                          torch.ones(count, 5, 4))
    batch = {"latent_mean": torch.zeros(count, 8, 1), "latent_log_variance": torch.zeros(count, 8, 1), **vars(condition)}
    diffusion_loss(Spy(), Schedule(), config, batch, torch.Generator().manual_seed(0))
    got = seen[0]
    dropped = {"motion": got.motion[:, 0, 0] == 0, "rhythm": got.rhythm[:, 4, 0] == 0, "genre": got.genre[:, 0] == 0}
    for name, rate in (("motion", 0.28), ("rhythm", 0.235), ("genre", 0.19)):
        assert abs(float(dropped[name].float().mean()) - rate) < 0.03
    assert abs(float((dropped["motion"] & dropped["rhythm"] & dropped["genre"]).float().mean()) - 0.1) < 0.03
    assert torch.equal(got.motion_known == 0, dropped["motion"])


# ---------------------------------------------------------------------------------------------- data and passages

def test_statistics_are_measured_and_latents_standardised(trained):
    from models.run_folder import RunFolder
    config = configs.DenoiserConfig(**RunFolder(trained / "denoiser").read_config()["config"])
    vae, fingerprint = load_vae(trained / "vae")
    windows = Windows(trained / "cache", "train", config, fingerprint)
    z = torch.cat([standardise(windows[k]["latent_mean"] + (0.5 * windows[k]["latent_log_variance"]).exp()
                               * torch.randn(4, 8, 64), config) for k in range(6)])
    assert z.mean().abs() < 0.15 and 0.8 < float(z.std()) < 1.2
    assert torch.allclose(restore(standardise(z, config), config), z, atol=1e-4)
    assert len(config.motion_mean) == 360 and min(config.motion_std) >= 0.02
    batch, again = windows[3], windows[3]
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert batch["motion"].shape == (4, 180, 360) and batch["rhythm"].shape == (4, 5, 256)


def test_latents_in_the_cache_are_the_vaes(trained):
    vae, fingerprint = load_vae(trained / "vae")
    windows = Windows(trained / "cache", "valid", configs.TINY, fingerprint)
    item = windows.items[1]
    with torch.no_grad():
        whole = torch.cat(vae.encode(torch.from_numpy(windows.features.mel(item)[:item["latent"][1] * 4])[None]), dim=1)[0]
    assert np.abs(windows.latent(item, 20) - whole[:, 20:84].T.numpy()).max() < 0.1      # fp16 store, bf16 arithmetic
    exported = load_vae(trained / "checkpoints" / "music_ldm-vae.safetensors")[0]
    mel = torch.from_numpy(windows.features.mel(item, 0, 64))[None]
    with torch.no_grad():
        assert torch.allclose(exported.encode(mel)[0], vae.encode(mel)[0], atol=0.02)


def test_training_and_generation_see_the_same_condition(trained):
    """The window that training cuts from a piece and the one that generation makes of its motion and beats are one."""
    config = configs.TINY
    _, fingerprint = load_vae(trained / "vae")
    windows = Windows(trained / "cache", "train", config, fingerprint)
    item = windows.items[0]
    motion = moving_motion(int(SECONDS * 30), 0)
    written = np.asarray(item["beats"])
    beats = Beats(written[:, 0], written[:, 1].astype(int), 4)
    passage = Passage(config, SECONDS, motion, beats, item["genre"])
    for number in (0, 1, len(passage.starts) - 1):
        start = passage.starts[number]
        if start + config.window > item["latent"][1]:
            continue
        seen, made = batch_condition(windows.batch([(item, start)])), passage.conditions([number])
        for name, tolerance in (("motion", 0.05), ("motion_known", 0), ("offset", 1e-4), ("genre", 0), ("rhythm", 2e-2)):
            assert torch.allclose(getattr(seen, name), getattr(made, name), atol=tolerance), (number, name)


def test_loop_conditions_repeat_beyond_the_end():
    beats = Beats(np.arange(0, 8, 0.5), np.arange(16) % 4 + 1)
    passage = Passage(configs.TINY, 8.0, moving_motion(240), beats, loop=True)
    assert passage.length == round(8.0 / configs.TINY.seconds_per_latent) and abs(passage.stretch - 1) < 0.01
    last = len(passage.starts) - 1
    window = passage.conditions([last])
    into = passage.length - passage.starts[last]                 # latent frames before the ring closes
    first = passage.conditions([0])
    over = 64 - into
    assert torch.allclose(window.rhythm[0, :, into * 4:], first.rhythm[0, :, :over * 4], atol=1e-3)
    speed = window.motion[0, :, 216:219].norm(dim=-1)            # the pelvis does not jump back to the start
    assert speed.max() < 2.0


# ---------------------------------------------------------------------------------------------- generation

BEATS = Beats(np.arange(0.3, 9, 0.5), np.arange(18) % 4 + 1)
FAST = dict(steps=2, guidance_scale=1.5)


def test_generation_is_deterministic_and_variations_are_their_own_seeds(model):
    motion = moving_motion(240)
    two = model.generate(motion, genre="house", beats=BEATS, seed=5, variations=2, **FAST)
    assert [take.shape for take in two] == [(2, 8 * 48_000)] * 2 and all(np.isfinite(take).all() for take in two)
    one = model.generate(motion, genre="house", beats=BEATS, seed=6, **FAST)
    assert np.allclose(one[0], two[1], atol=2e-2 * np.abs(one[0]).max()) and not np.allclose(two[0], two[1], atol=1e-3)


@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_other_samplers_and_bare_conditions(model, sampler):
    for given in ({"genre": "waack"}, {"beats": BEATS}, {}):
        take = model.generate(None, duration=1.37, sampler=sampler, **given, **FAST)[0]
        assert take.shape == (2, round(1.37 * 48_000)) and np.isfinite(take).all()


def test_a_regenerated_range_leaves_the_rest_untouched(model):
    rng = np.random.default_rng(0)
    take = (0.1 * rng.normal(size=(2, 9 * 48_000))).astype(np.float32)
    out = model.generate(moving_motion(270), genre="pop", beats=BEATS, keep=(take, 4.0, 6.0), **FAST)[0]
    a, b = 4 * 48_000, 6 * 48_000
    assert out.shape == take.shape and np.array_equal(out[:, :a], take[:, :a]) and np.array_equal(out[:, b:], take[:, b:])
    assert np.abs(out[:, a + 5000:b - 5000] - take[:, a + 5000:b - 5000]).mean() > 0.01
    for bad in ((take, 6.0, 4.0), (take, 8.0, 12.0), (take[:, :48_000], 0.0, 0.5), (take * np.nan, 1.0, 2.0)):
        with pytest.raises(BadInput):
            model.generate(moving_motion(270), keep=bad, **FAST)


def test_splice_blends_without_a_step():
    passage = Passage(configs.TINY, 4.0)
    take = splice(np.ones((2, 4 * 48_000)), 1.0, 2.0, np.ones((2, 4 * 48_000)), passage)
    assert np.abs(np.diff(take[0])).max() < 1e-3 and take.max() < 1.5


def test_a_loop_closes_without_a_click(trained):
    """With a vocoder of small random weights: the step over the seam is like the steps elsewhere, and the length is exact."""
    from models.music_ldm.vocoder import Vocoder, VocoderConfig
    torch.manual_seed(0)
    vocoder = Vocoder(VocoderConfig(width=16, blocks=1, upper_width=16, upper_blocks=1))
    loaded = MusicLDM.load(trained / "checkpoints", vocoder="griffin_lim")
    model = MusicLDM(loaded.vae, loaded.denoiser, vocoder)
    take = model.generate(moving_motion(200), genre="lock", duration=6.5, beats=BEATS, loop=True, **FAST)[0]
    assert take.shape == (2, round(6.5 * 48_000))
    around = np.concatenate([take[:, -2000:], take[:, :2000]], axis=1)
    bends = lambda x: np.abs(np.diff(x, 2, axis=1)).max(axis=0)                    # noqa: E731  a click is a large second difference
    inside = bends(take)
    blocks = inside[:len(inside) // 18 * 18].reshape(-1, 18).max(axis=1)
    assert bends(around)[1990:2008].max() <= 1.5 * np.percentile(blocks, 99.9)


def test_cancel_is_asked_within_every_step_and_leaves_nothing(model):
    seen, asked = [], []

    def cancel():
        asked.append(1)
        return len(seen) >= 3
    with pytest.raises(Cancelled):
        model.generate(moving_motion(240), genre="pop", steps=8, should_cancel=cancel,
                       progress=lambda phase, fraction, detail: seen.append((phase, fraction)))
    assert [phase for phase, _ in seen] == ["Sampling"] * 3 and len(asked) > 3
    assert all(0 <= fraction <= 1 for _, fraction in seen)


def test_bad_input_gets_one_sentence(model):
    motion = moving_motion(60)
    broken = Motion(motion.rotations * np.nan, motion.root)
    for arguments, word in (((rest_motion(1),), "two frames"), ((broken,), "NaN"), ((None,), "length"), ):
        with pytest.raises(BadInput, match=word):
            model.generate(*arguments, **{**FAST, "genre": "pop"})
    with pytest.raises(BadInput, match="genre"):
        model.generate(motion, genre="polka", **FAST)
    with pytest.raises(BadInput, match="sampler"):
        model.generate(motion, sampler="euler", **FAST)
    with pytest.raises(BadInput, match="length above"):
        model.generate(motion, duration=0.0, **FAST)


def test_missing_checkpoints_and_a_missing_vae_are_said(tmp_path):
    (tmp_path / "empty").mkdir()
    from core import checkpoints
    if checkpoints.find("music_ldm", "vae", required=False) is None:
        with pytest.raises(NoCheckpoint):
            MusicLDM.load(tmp_path / "empty")
    with pytest.raises(BadInput, match="vae=RUN"):
        load_vae("")


def test_memory_does_not_grow_with_length(model, monkeypatch):
    """However long, one network call sees at most WINDOWS_AT_ONCE rows of one window."""
    from models.music_ldm import pipeline
    rows = []
    real = model.denoiser.forward
    monkeypatch.setattr(model.denoiser, "forward", lambda x, t, e: rows.append(x.shape) or real(x, t, e))
    monkeypatch.setattr(pipeline, "WINDOWS_AT_ONCE", 3)
    passage = Passage(model.denoiser.config, 60.0, None, None, "house")
    model._sample(passage, 1.0, 1, [torch.Generator().manual_seed(0)], pipeline.SAMPLERS["ddim"], (0, 1), 0.0, None,
                  lambda number, total: None, lambda: None)
    assert max(shape[0] for shape in rows) == 3 and {shape[-1] for shape in rows} == {64} and len(rows) > 3


def test_image_mel_units_are_undone():
    decibels = np.linspace(-9, 0.69, 50)[:, None].repeat(256, 1).astype(np.float32)
    from models.music_ldm.train import to_image
    back = image_to_log_mel(to_image(decibels))
    assert np.allclose(back[10:], decibels[10:], atol=0.02)
