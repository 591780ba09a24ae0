"""The music model: mel, features, VAE, U-Net, losses."""
import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from music_fixtures import SECONDS, model, moving_motion, noise_item, trained  # noqa: E402, F401

from core.audio import mel as mels  # noqa: E402
from core.body.motion import rest_motion  # noqa: E402
from core.body.rotations import axis_angle_to_matrix  # noqa: E402
from core.contract import GENRES  # noqa: E402
from core.errors import BadInput  # noqa: E402
from models.diffusion import Schedule  # noqa: E402
from models.music_ldm import config as configs  # noqa: E402
from models.music_ldm import features  # noqa: E402
from models.music_ldm.losses import adversarial, diffusion_loss  # noqa: E402
from models.music_ldm.network import (  # noqa: E402
    Condition,
    UNet,
    batch_condition,  # noqa: E402
    fold,
)
from models.music_ldm.timbre import PROFILE  # noqa: E402
from models.music_ldm.train import principal_components  # noqa: E402
from models.music_ldm.vae import VAE, Discriminator  # noqa: E402

torch.set_num_threads(1)


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
    assert np.sqrt((out[:22_050] ** 2).mean()) == pytest.approx(mels.LEVEL_RMS,
                                                                rel=0.02) and gain == pytest.approx(10, rel=0.05)
    assert mels.levelled(np.zeros(1000, np.float32))[1] == 1.0


def test_griffin_lim_gives_the_mel_back():
    rng = np.random.default_rng(0)
    time = np.arange(mels.RATE) / mels.RATE
    sound = 0.3 * np.sin(2 * np.pi * 440 * time) + 0.05 * rng.normal(size=len(time))
    mel = mels.log_mel(sound)
    again = mels.log_mel(mels.griffin_lim(mel))
    assert np.abs(again[:len(mel) - 1]
                  - mel[:-1]).mean() < 0.4 and again.mean(axis=0).argmax() == mel.mean(axis=0).argmax()


# ---------------------------------------------------------------------------------------------- features

def test_motion_features_are_those_of_the_paper():
    motion = moving_motion(60)
    f = features.motion_features(motion.rotations, motion.root)
    assert f.shape == (60, 360) == (60, configs.MOTION_CHANNELS) and configs.MOTION_CHANNELS + len(GENRES) == 370
    canonical = motion.canonical()
    positions = canonical.positions()
    assert np.allclose(f[:, :72].reshape(60, 24, 3), positions, atol=1e-4)
    assert np.allclose(f[:, 72:216].reshape(60, 24, 6)[:, 1:], canonical.to_vector()[:, 3:].reshape(60, 24, 6)[:, 1:],
                       atol=1e-5)
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
    assert folded[0, :, 0].tolist() == [0, 1, 2, 3, 8, 9, 10, 11] and folded[0, :, 1].tolist() == [4, 5, 6, 7, 12, 13,
                                                                                                   14, 15]


# ---------------------------------------------------------------------------------------------- VAE

def random_vae(**changes):
    torch.manual_seed(0)
    vae = VAE(dataclasses.replace(configs.VAE_TINY, **changes)).eval()
    for parameter in vae.parameters():                           # zero-initialised layers would hide mistakes
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.1)
    return vae


@pytest.mark.parametrize("changes, shape", [({}, (2, 8, 16)), ({"linear": False}, (2, 8, 16)),
                                            ({"dims": 2, "widths": (8, 8, 8, 8), "latent": 1, "linear": False},
                                             (2, 1, 32, 8))])
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
    piece = type("Piece", (), {"array": lambda self, name, start, stop: mel[start:stop]})()
    config = dataclasses.replace(configs.VAE_TINY, mel_mean=mel.mean(0).tolist(), mel_std=float(mel.std()))
    basis, variances = principal_components([piece], config)
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
    timbre = torch.cat([draw(count, config.timbre), torch.ones(count, 1)], dim=1)
    return Condition(draw(count, frames, 360), torch.ones(count), torch.zeros(count), genre, rhythm, timbre)


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
    parts = ["motion", "genre"] + ["rhythm"] * config.rhythm + ["timbre"] * bool(config.timbre)
    for part in parts:
        assert not torch.allclose(out, net(x, t, net.encode(condition.dropped(**{part: everything}))), atol=1e-3), part
    blank = condition.none()
    other = dataclasses.replace(random_condition(2, config, seed=5), timbre=condition.timbre).none()
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
    assert len(net.down) == len(net.up) == 3 and config.prediction == "eps" and Schedule(config.schedule,
                                                                                         "eps").steps == 1000
    assert (net.down[0][0].cross.key_value.in_features == 370 and not config.rhythm and config.batch == 8
            and config.lr == 1e-4)
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
    config = dataclasses.replace(configs.TINY, latent=4, prediction=prediction, latent_mean=[0.0] * 4,
                                 latent_std=[1.0] * 4, min_snr=0.0, high_noise=0.0, level=0.0, drop_all=0.3)
    net, schedule = UNet(config), Schedule(config.schedule, prediction)
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(20, 4, generator=generator) * 0.5

    def batch(count=16):
        condition = random_condition(count, config, int(torch.randint(0, 10**6, (1,), generator=generator)))
        latent = torch.einsum("bkl,kc->bcl", fold(condition.rhythm, 4), mix)
        return {"latent_mean": latent, "latent_log_variance": torch.full_like(latent, -8.0),
                "profile": torch.zeros(count, PROFILE), **vars(condition)}
    for _ in range(70):
        loss, _ = diffusion_loss(net, schedule, config, batch(), generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    held_out, errors = batch(32), {}
    with torch.no_grad():
        condition = batch_condition(held_out, net.condition.timbre)
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
        condition = SimpleNamespace(timbre=None)

        def standardise(self, latent):
            return latent

        def encode(self, condition):
            seen.append(condition)
            return condition

        def forward(self, x, t, encoded):
            return x
    count = 4000
    condition = Condition(torch.ones(count, 1, 360), torch.ones(count), torch.zeros(count), torch.ones(count, 10),
                          torch.ones(count, 5, 4), torch.ones(count, 1))
    batch = {"latent_mean": torch.zeros(count, 8, 1), "latent_log_variance": torch.zeros(count, 8, 1),
             **vars(condition)}
    diffusion_loss(Spy(), Schedule(), config, batch, torch.Generator().manual_seed(0))
    got = seen[0]
    dropped = {"motion": got.motion[:, 0, 0] == 0, "rhythm": got.rhythm[:, 4, 0] == 0, "genre": got.genre[:, 0] == 0}
    for name, rate in (("motion", 0.28), ("rhythm", 0.235), ("genre", 0.19)):
        assert abs(float(dropped[name].float().mean()) - rate) < 0.03
    assert abs(float((dropped["motion"] & dropped["rhythm"] & dropped["genre"]).float().mean()) - 0.1) < 0.03
    assert torch.equal(got.motion_known == 0, dropped["motion"])


# ---------------------------------------------------------------------------------------------- data and passages
