"""The music model from training to generation on noise: conditions, windows, loops, ranges, errors."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from music_fixtures import SECONDS, model, moving_motion, noise_item, trained  # noqa: E402, F401

from core.body.motion import Motion, rest_motion  # noqa: E402
from core.errors import BadInput, Cancelled, NoCheckpoint  # noqa: E402
from core.rhythm.beats import Beats  # noqa: E402
from models.music_ldm import config as configs  # noqa: E402
from models.music_ldm.data import mel_of  # noqa: E402
from models.music_ldm.denoiser_train import Windows  # noqa: E402
from models.music_ldm.network import UNet, batch_condition  # noqa: E402
from models.music_ldm.passage import Passage  # noqa: E402
from models.music_ldm.pipeline import MusicLDM, image_to_log_mel, splice  # noqa: E402
from models.music_ldm.resident import with_motion  # noqa: E402
from models.music_ldm.settings import Settings  # noqa: E402
from models.music_ldm.vae import load_vae  # noqa: E402

torch.set_num_threads(1)


def test_statistics_are_measured_and_latents_standardised(trained):
    from models.training.run_folder import RunFolder
    config = configs.DenoiserConfig(**RunFolder(trained / "denoiser").read_config()["config"])
    vae, fingerprint = load_vae(trained / "vae")
    windows = Windows(trained / "cache", "train", config, fingerprint)
    network = UNet(config)
    z = torch.cat([network.standardise(windows[k]["latent_mean"] + (0.5 * windows[k]["latent_log_variance"]).exp()
                               * torch.randn(4, 8, 64)) for k in range(6)])
    assert z.mean().abs() < 0.15 and 0.8 < float(z.std()) < 1.2
    assert torch.allclose(network.restore(network.standardise(z)), z, atol=1e-4)
    assert network.own.mean.tolist() == pytest.approx(config.latent_mean)
    assert network.condition.motion.std.tolist() == pytest.approx(config.motion_std)
    assert not [name for name in network.state_dict() if name.endswith(("own.mean", "motion.std"))]
    assert len(config.motion_mean) == 360 and min(config.motion_std) >= 0.02
    batch, again = windows[3], windows[3]
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert with_motion(batch, config)["motion"].shape == (4, 180, 360) and batch["rhythm"].shape == (4, 5, 256)


def test_latents_in_the_cache_are_the_vaes(trained):
    vae, fingerprint = load_vae(trained / "vae")
    windows = Windows(trained / "cache", "valid", configs.TINY, fingerprint)
    piece = windows.pieces[1]
    with torch.no_grad():
        mel = torch.from_numpy(mel_of(piece)[:piece.count(windows.name) * 4])[None]
        whole = torch.cat(vae.encode(mel), dim=1)[0]
    assert np.abs(windows.latent(piece, 20) - whole[:, 20:84].T.numpy()).max() < 0.1      # fp16 store, bf16 arithmetic
    exported = load_vae(trained / "checkpoints" / "music_ldm-vae.safetensors")[0]
    mel = torch.from_numpy(mel_of(piece, 0, 64))[None]
    with torch.no_grad():
        assert torch.allclose(exported.encode(mel)[0], vae.encode(mel)[0], atol=0.02)


def test_sharpening_trains_the_decoder_and_leaves_the_latents(trained, tmp_path):
    from models.training.loop import train
    from models.training.task import make_task
    task = make_task("music_ldm", "vae", "tiny", {"sharpen": str(trained / "vae"), "adversarial_from": 0.0,
                                                  "latent": 5})
    rows = train(task, tmp_path / "sharp", trained / "corpus", trained / "cache", part="vae", steps=4,
                 system="music_ldm",
                 config_name="tiny", report=lambda text: None, device="cpu", validations=1, log_every=1)
    assert "critic" in rows[0]
    before, after = load_vae(trained / "vae")[0].state_dict(), load_vae(tmp_path / "sharp")[0].state_dict()
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"decoder", "synthesis"}
    assert task.export({})[0]["sharpen"] == ""


def test_training_and_generation_see_the_same_condition(trained):
    """The window that training cuts from a piece and the one that generation makes of its motion and beats are one."""
    config = configs.TINY
    _, fingerprint = load_vae(trained / "vae")
    windows = Windows(trained / "cache", "train", config, fingerprint)
    piece = windows.pieces[0]
    motion = moving_motion(int(SECONDS * 30), 0)
    written = np.asarray(piece.meta["beats"])
    beats = Beats(written[:, 0], written[:, 1].astype(int), 4)
    passage = Passage(config, SECONDS, motion, beats, piece.meta["genre"])
    for number in (0, 1, len(passage.starts) - 1):
        start = passage.starts[number]
        if start + config.window > piece.count(windows.name):
            continue
        cut = with_motion(windows.batch([(piece, start)]), config)
        seen, made = batch_condition(cut), passage.conditions([number])
        for name, tolerance in (("motion", 0.05), ("motion_known", 0), ("offset", 1e-4), ("genre", 0),
                                ("rhythm", 2e-2)):
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
    assert out.shape == take.shape and np.array_equal(out[:, :a], take[:, :a]) and np.array_equal(out[:, b:],
                                                                                                  take[:, b:])
    assert np.abs(out[:, a + 5000:b - 5000] - take[:, a + 5000:b - 5000]).mean() > 0.01
    for bad in ((take, 6.0, 4.0), (take, 8.0, 12.0), (take[:, :48_000], 0.0, 0.5), (take * np.nan, 1.0, 2.0)):
        with pytest.raises(BadInput):
            model.generate(moving_motion(270), keep=bad, **FAST)


def test_splice_blends_without_a_step():
    passage = Passage(configs.TINY, 4.0)
    take = splice(np.ones((2, 4 * 48_000)), 1.0, 2.0, np.ones((2, 4 * 48_000)), passage)
    assert np.abs(np.diff(take[0])).max() < 1e-3 and take.max() < 1.5


def test_griffin_lim_is_one_setting_away(trained):
    """The same latents through another vocoder: the same beats and level, another waveform; with the learned one loaded
    it is the same as without it."""
    from models.music_ldm.vocoder import Vocoder, VocoderConfig
    plain = MusicLDM.load(trained / "checkpoints", vocoder="griffin_lim")
    vocoder = Vocoder(VocoderConfig(width=16, blocks=1, upper_width=16, upper_blocks=1))
    both = MusicLDM(plain.vae, plain.denoiser, vocoder)
    asked = dict(genre="lock", duration=2.0, beats=BEATS, **FAST)
    made = {name: both.generate(moving_motion(60), vocoder=name, **asked)[0] for name in ("learned", "griffin_lim")}
    assert np.array_equal(made["griffin_lim"], plain.generate(moving_motion(60), **asked)[0])
    assert not np.allclose(made["griffin_lim"], made["learned"])
    with pytest.raises(BadInput, match="choose learned or griffin_lim"):
        both.generate(moving_motion(60), vocoder="bigvgan", **asked)


def test_a_loop_closes_without_a_click(trained):
    """With a vocoder of small random weights: the step over the seam is like the steps elsewhere, and the length is
    exact."""
    from models.music_ldm.vocoder import Vocoder, VocoderConfig
    torch.manual_seed(0)
    vocoder = Vocoder(VocoderConfig(width=16, blocks=1, upper_width=16, upper_blocks=1))
    loaded = MusicLDM.load(trained / "checkpoints", vocoder="griffin_lim")
    model = MusicLDM(loaded.vae, loaded.denoiser, vocoder)
    take = model.generate(moving_motion(200), genre="lock", duration=6.5, beats=BEATS, loop=True, **FAST)[0]
    assert take.shape == (2, round(6.5 * 48_000))
    around = np.concatenate([take[:, -2000:], take[:, :2000]], axis=1)
    bends = lambda x: np.abs(np.diff(x, 2, axis=1)).max(axis=0)  # noqa: E731  a click is a large second difference
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
    with pytest.raises(BadInput, match="trained VAE is needed"):
        load_vae("")


def test_memory_does_not_grow_with_length(model, monkeypatch):
    """However long, one network call sees at most `batch` rows of one window."""
    rows = []
    real = model.denoiser.forward
    monkeypatch.setattr(model.denoiser, "forward", lambda x, t, e: rows.append(x.shape) or real(x, t, e))
    passage = Passage(model.denoiser.config, 60.0, None, None, "house")
    model._sample(passage, Settings(guidance_scale=1.0, steps=1, sampler="ddim", batch=3), None, None,
                  lambda number, total: None, lambda: None)
    assert max(shape[0] for shape in rows) == 3 and {shape[-1] for shape in rows} == {64} and len(rows) > 3


def test_image_mel_units_are_undone():
    decibels = np.linspace(-9, 0.69, 50)[:, None].repeat(256, 1).astype(np.float32)
    from models.music_ldm.features import to_image
    back = image_to_log_mel(to_image(decibels))
    assert np.allclose(back[10:], decibels[10:], atol=0.02)


def test_weights_kept_in_the_native_type_give_the_same_numbers():
    import copy

    from models.layers.precision import half, native_autocast, native_weights
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv1d(4, 8, 3), torch.nn.GroupNorm(2, 8), torch.nn.Conv1d(8, 2, 1))
    device = torch.device("cpu")
    kept, x = native_weights(copy.deepcopy(network), device), torch.randn(2, 4, 30)
    with torch.inference_mode(), native_autocast(device):
        assert torch.equal(network(x), kept(x))
    assert kept[0].weight.dtype == (half(device) or torch.float32) and kept[1].weight.dtype == torch.float32
