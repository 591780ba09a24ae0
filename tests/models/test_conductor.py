"""Conductor: shapes, masks, frozen means frozen, overfitting, guidance, windows, editing, controls."""
import dataclasses

import numpy as np
import pytest
import torch
from conductor_fixtures import RATE, clicks, conductor, corpus, one_thread  # noqa: F401

from core.audio import spectra
from core.body.ictus import ictus_times
from core.rhythm.beats import Beats
from models.conductor import features
from models.conductor.config import FIRST, MOVING, PAPER, RELEASE, TINY, ConductorConfig
from models.conductor.data import Clips, Pairs, Windows, statistics
from models.conductor.encoder import Frozen, M2SNet, MusicEncoder, encode_music
from models.conductor.losses import contrastive_loss, denoiser_loss, geometric_losses, hand_positions, masked_mean
from models.conductor.network import Denoiser, LinearAttention
from models.conductor.pipeline import Conductor
from models.conductor.train import task
from models.diffusion import Schedule
from models.lab.studio.conductor import conduct
from models.lab.studio.plan import make_plan
from models.training.loop import train


def test_mel_follows_the_published_recipe(monkeypatch):
    sound = np.sin(2 * np.pi * 200 * np.arange(features.RATE * 3) / features.RATE).astype(np.float32)
    mel = features.mel_frames(sound)
    assert mel.shape == (270, 128) and mel.dtype == np.float32
    assert mel.min() >= 0 and mel.max() == pytest.approx(1.0, abs=0.01)
    assert mel[100].argmax() > 100                            # column 0 is the highest band: a low tone lies at the end
    import librosa
    power = librosa.feature.melspectrogram(y=sound, sr=features.RATE, n_fft=2048, hop_length=256, n_mels=128)
    reference = (librosa.power_to_db(power, ref=np.max, top_db=80)[::-1].T + 80) / 80
    assert np.abs(mel[90] - reference[86]).max() < 0.05       # the same instant, before and after the change of rate
    whole = features.mel_frames(sound)
    monkeypatch.setattr(spectra, "CHUNK_FRAMES", 90)
    pieces = features.mel_frames(sound)
    assert np.abs(whole - pieces).max() < 1e-4


def test_silence_is_silent():
    assert features.mel_frames(np.zeros(features.RATE, np.float32)).max() == 0
    assert features.level_frames(np.zeros(features.RATE, np.float32)).max() == 0


def test_level_is_relative_to_the_track():
    sound = np.random.default_rng(0).normal(0, 0.1, features.RATE * 4).astype(np.float32)
    sound[: features.RATE * 2] *= 0.1                         # 20 dB softer
    level = features.level_frames(sound)
    assert level.shape == (120, 2)
    assert level[30, 0] == pytest.approx(level[90, 0] - 20 / 60, abs=0.03)
    assert np.abs(level - features.level_frames(sound * 0.05)).max() < 1e-3


def test_rhythm_features_show_the_bar_and_hide_it():
    beats = Beats(0.5 + 0.5 * np.arange(9), np.arange(9) % 3 + 1, 3)
    known = features.rhythm_features(beats, 150)
    assert known.shape == (150, 13)
    downbeat = 60                                             # 2.0 s is beat 3, position 1
    assert known[downbeat, 1] == pytest.approx(1) and known[downbeat, 5] == pytest.approx(1, abs=1e-4)
    assert known[75, 5] == pytest.approx(np.cos(2 * np.pi / 3), abs=1e-4)           # one beat later: a third of the bar
    assert known[downbeat, 9] == 1 and known[downbeat, 12] == 0                     # one-hot: metre 3
    hidden = features.rhythm_features(beats, 150, metre_known=False)
    assert hidden[:, [1, 5, 6, 7, 8, 9, 10, 11]].max() == 0 and hidden[:, 0].max() > 0.99 and hidden[:, 12].min() == 1
    assert features.rhythm_features(None, 10)[:, :12].max() == 0


def test_keypoints_are_the_published_picture():
    motion, _ = conduct(make_plan("conducting", 3, duration=4.0))
    points = features.keypoints13(motion)
    assert points.shape == (120, 13, 2)
    assert np.abs(points[:, 5, 0] - points[:, 6, 0]).mean() == pytest.approx(0.2, abs=1e-4)
    assert np.allclose(points[:, 11:].mean((0, 1)), (0.5, 0.75), atol=1e-4)
    assert (points[:, 5, 0] > points[:, 6, 0]).all()          # the left shoulder is right in the picture
    assert (points[:, 0, 1] < points[:, 5, 1]).all()          # y points down: the nose is above the shoulders


def test_motion_vector_round_trip_and_standing_feet():
    motion, _ = conduct(make_plan("conducting", 4, duration=4.0))
    pose = motion.to_vector().mean(0)
    vector = features.motion_vector(motion, "smpl24")
    assert vector.shape == (120, 99)
    back = features.motion_from_vector(vector, pose)
    arms = [16, 17, 18, 19, 20, 21]
    assert np.abs(back.rotations[:, arms] - motion.rotations[:, arms]).max() < 1e-3
    assert np.abs(back.positions()[:, [20, 21]] - motion.positions()[:, [20, 21]]).max() < 0.01
    swayed = vector.copy()
    swayed[:, 0] += 0.05 * np.sin(np.arange(120) / 10)
    swayed[60:, 2] += 0.3                                     # a pelvis far out of the legs' reach
    feet = features.motion_from_vector(swayed, pose).positions()[:, [7, 8, 10, 11]]
    assert np.ptp(feet, axis=0).max() < 2e-3


# --------------------------------------------------------------------------------------------- stage 1

def test_encoder_shapes_and_chunks_agree():
    torch.manual_seed(0)
    net = M2SNet(TINY.encoder).eval()
    mel, points = torch.rand(2, 180, 128), torch.rand(2, 60, 13, 2)
    assert net.music(mel).shape == (2, 60, 8) and net.motion(points).shape == (2, 60, 8) and net(mel,
                                                                                                 points).shape == (2,)
    long = torch.rand(90 * 9, 128)
    with torch.no_grad():
        whole = net.music(long[None])[0]
    assert torch.allclose(encode_music(net.music, long, chunk_seconds=2, margin_seconds=2), whole, atol=1e-5)


def test_contrastive_pairs_carry_the_right_labels():
    """A judge that knows the truth gets a small loss, one that swaps the passages a large one."""
    class Oracle:
        def __init__(self, sign):
            self.sign = sign

        def music(self, mel):
            return mel[:, :1, :1]

        def motion(self, points):
            return points[:, :1, 0, :1]

        def judge(self, music, motion):
            same = (music - motion).abs().flatten(1).sum(1) < 1e-6
            return torch.where(same, 0.99, 0.01) if self.sign else torch.where(same, 0.01, 0.99)

    mel, other = torch.zeros(4, 9, 5), torch.ones(4, 9, 5)
    points, other_points = torch.zeros(4, 3, 13, 2), torch.ones(4, 3, 13, 2)
    good, accuracy = contrastive_loss(Oracle(True), mel, points, other, other_points)
    bad, _ = contrastive_loss(Oracle(False), mel, points, other, other_points)
    assert accuracy == 1 and float(good) == pytest.approx(-4 * np.log(0.99), abs=1e-3) and float(bad) > 15


def test_pairs_obey_their_kind(corpus):
    config = dataclasses.replace(TINY.encoder, clip_seconds=2.0, batch=16)
    for kind in Pairs.KINDS:
        pairs = Pairs(config, corpus[1], "train", kind)
        for number in range(40):
            start, other, other_start = pairs._draw(np.random.default_rng(number), 10_000, 1)
            if kind == "easy":
                assert other != 1
            else:
                assert other == 1 and abs(start - other_start) >= 0.5 * 30 - 1
                assert kind == "hard" or abs(start - other_start) <= 4.5 * 30
        batch = pairs[0]
        assert batch["mel"].shape == (16, 180, 128) and batch["other_keypoints"].shape == (16, 60, 13, 2)
        assert all(torch.equal(a, b) for a, b in zip(batch.values(), pairs[0].values()))


def test_frozen_means_frozen():
    """Neither a step nor train() on the whole moves the frozen encoder, batch-norm statistics included."""
    encoder = Frozen(MusicEncoder(TINY.encoder))
    whole = torch.nn.ModuleList([encoder, torch.nn.Linear(8, 1)])
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    whole.train()
    loss = whole[1](encoder(torch.rand(2, 90, 128))).sum()
    loss.backward()
    torch.optim.SGD([p for p in whole.parameters() if p.requires_grad], 0.1).step()
    assert not encoder.module.training
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


# --------------------------------------------------------------------------------------------- stage 2

def test_linear_attention_equals_its_definition_and_ignores_masked_frames():
    torch.manual_seed(0)
    attention = LinearAttention(8, 2, 4)
    torch.nn.init.normal_(attention.style.out.weight)
    x, style = torch.randn(1, 6, 8), torch.randn(1, 6, 4)
    mask = torch.tensor([[True] * 4 + [False] * 2])
    y = attention(x, style, mask)
    h = attention.norm(x)
    q = attention.query(h).view(1, 6, 2, 4).softmax(-1)
    k, v = attention.key_value(h)[:, :4].chunk(2, -1)         # the masked frames simply are not there
    k, v = k.softmax(1).view(1, 4, 2, 4), v.reshape(1, 4, 2, 4)
    manual = torch.stack([q[:, :, i] @ (k[:, :, i].transpose(1, 2) @ v[:, :, i]) for i in range(2)], 2).flatten(2)
    assert torch.allclose(y, x + attention.style(manual, style), atol=1e-5)


def test_denoiser_shapes_null_and_zero_start():
    for config in (TINY, dataclasses.replace(PAPER, encoder=TINY.encoder, layers=1, width=16, heads=2, style=16,
                                             window=60)):
        net = Denoiser(config).eval()
        x, condition = torch.randn(2, 31, config.channels), torch.randn(2, 31, config.condition_size)
        t = torch.tensor([3, 900])
        assert not net(x, t, condition, torch.tensor([False, False])).any()        # zero-initialised output
        for matrix in [net.out.weight] + [layer.cross_attention.style.out.weight for layer in net.layers]:
            torch.nn.init.normal_(matrix)
        null = net(x, t, condition, torch.tensor([True, True]))
        assert torch.equal(null, net(x, t, condition * 7, torch.tensor([True, True])))
        assert not torch.allclose(null, net(x, t, condition, torch.tensor([False, False])))
    assert PAPER.channels == 26 and FIRST.channels == 3 + 6 * len(MOVING) and RELEASE.channels == FIRST.channels + 14


def test_masks_count_frames(corpus):
    config = dataclasses.replace(TINY, window=300)
    mean, std, _ = statistics(corpus[1], "smpl24")
    item = Windows(config, corpus[1], "train", None, mean, std).item(np.random.default_rng(0), 0)
    assert item["mask"].sum() == Clips(corpus[1], "train").frames(0) == 240
    values = torch.ones(1, 4, 3)
    values[0, 2:] = 100
    assert masked_mean(values, torch.tensor([[True, True, False, False]])) == 1


def test_window_condition_is_on_the_ictus_clock(corpus):
    """Without augmentation the beat channel peaks where the studio's conductor has its ictus, not where the music
    sounds."""
    mean, std, _ = statistics(corpus[1], "smpl24")
    windows = Windows(dataclasses.replace(TINY, window=240), corpus[1], "train", None, mean, std, augment=False)
    index = int(np.argmax([windows.clips.meta(i)["lead"] for i in range(len(windows.clips))]))
    item = windows.item(np.random.default_rng(0), index, start=0)
    curve = item["condition"][:, TINY.encoder.features + 2]
    peaks = np.flatnonzero((curve[1:-1] > 0.5) & (curve[1:-1] >= curve[:-2]) & (curve[1:-1] > curve[2:])) + 1
    motion = features.motion_from_vector(item["x0"] * std + mean, statistics(corpus[1], "smpl24")[2])
    ictus = ictus_times(motion)
    assert len(peaks) >= 3
    assert np.median(np.abs(ictus[:, None] - peaks[None] / 30).min(0)) < 0.04


def test_geometric_losses(corpus):
    mean, std, _ = (torch.from_numpy(value) for value in statistics(corpus[1], "smpl24"))
    config = dataclasses.replace(TINY, weight_elbow=0.5, elbow_cap=0.01)
    x0, mask = torch.zeros(1, 8, 99), torch.ones(1, 8, dtype=torch.bool)
    still = geometric_losses(config, x0, x0, mask, mean, std)
    assert all(float(value) == 0 for value in still.values())
    moving = geometric_losses(config, torch.randn(1, 8, 99), x0, mask, mean, std)
    assert moving["velocity"] > 0 and moving["acceleration"] > 0 and moving["hands"] > 0
    assert float(moving["elbow"]) == pytest.approx(-0.5 * 0.01)                     # the reward is capped
    motion, _ = conduct(make_plan("conducting", 5, duration=2.0))
    found = hand_positions(torch.from_numpy(features.motion_vector(motion, "smpl24"))[None])[0].numpy()
    assert np.abs(found - motion.positions()[:, [20, 21, 22, 23]].reshape(len(motion), -1)).max() < 1e-4


def test_training_overfits_one_window(corpus):
    """x0 at a middle noise level is learned from one window: the error falls well under that of the mean pose."""
    torch.manual_seed(0)
    mean, std, pose = statistics(corpus[1], "smpl24")
    config = dataclasses.replace(TINY, batch=1, width=32, style=32, null_dropout=0.0, frame_dropout=0.0,
                                 weight_hands=0.0)
    net, schedule = Denoiser(config), Schedule("linear", "x0", 1000)
    net.mean.copy_(torch.from_numpy(mean)), net.std.copy_(torch.from_numpy(std))
    item = Windows(config, corpus[1], "train", None, mean, std, augment=False).item(np.random.default_rng(0), 0,
                                                                                    start=0)
    x0, condition, mask = (torch.from_numpy(item[name])[None] for name in ("x0", "condition", "mask"))
    optimizer, generator, first = torch.optim.Adam(net.parameters(), 5e-3), torch.Generator().manual_seed(0), None
    for _ in range(250):
        loss, values = denoiser_loss(config, schedule, net, x0, condition, mask, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first = first or values["reconstruction"]
    assert values["reconstruction"] < 0.3 * first


def test_train_loop_both_stages_and_export(corpus, tmp_path):
    """Stage 1, stage 2 on it, export of both, load, generate: the whole road at width 16."""
    from models.training.export import export
    folder, cache = corpus
    quiet = dict(report=lambda text: None, validations=1)
    names = dict(system="conductor", config_name="tiny", steps=2)
    train(task("encoder", "tiny"), tmp_path / "one", folder, cache, part="encoder", **names, **quiet)
    second = task("denoiser", "tiny", stage1=str(tmp_path / "one"))
    rows = train(second, tmp_path / "two", folder, cache, part="denoiser", **names, **quiet)
    assert "valid_reconstruction" in rows[-1]
    export(tmp_path / "one", "conductor-encoder", tmp_path / "weights")
    export(tmp_path / "two", "conductor-denoiser", tmp_path / "weights")
    loaded = Conductor.load(tmp_path / "weights")
    assert isinstance(loaded.config, ConductorConfig) and loaded.config.stage1 == "" and loaded.std.min() >= 0.003
    motions = loaded.generate((clicks(make_plan("conducting", 1, duration=8.0)), RATE), duration=3.0, steps=2,
                              variations=2)
    assert [len(motion) for motion in motions] == [90, 90]


# ------------------------------------------------------------------------------------------- sampling
