"""Beat networks: features without place and heading, exact chunking, and a tiny run from shards to detected beats."""

import numpy as np
import pytest
import torch
from rhythm_fixtures import bouncing, corpus, drums, grid  # noqa: F401

from core import checkpoints
from core.audio.spectra import htk_filters
from core.body.motion import Motion, rest_motion
from core.body.rotations import axis_angle_to_matrix, matrix_to_6d, sixd_to_matrix
from core.errors import BadInput, NoCheckpoint
from core.rhythm.alignment import beat_f1_70ms
from core.rhythm.beats import Beats, rhythm_curve
from models.rhythm.augment import augment_body, augment_music, mirrored_6d, stretch, warp_curve
from models.rhythm.config import rhythm_config
from models.rhythm.data import FEATURES, Crops
from models.rhythm.detect import (
    SPEEDS,
    detect_body_beats,
    detect_music_beats,
    music_networks,
    network_output,
    run_network,
    run_views,
)
from models.rhythm.features import body_features, log_mel
from models.rhythm.losses import rhythm_loss
from models.rhythm.network import BeatNetwork, activations


def test_body_features_ignore_place_and_heading():
    motion = bouncing(*grid(100, 4)[:1], 4)
    turn = axis_angle_to_matrix(np.array([0, 0, 1.1]))
    rotations = motion.rotations.copy()
    rotations[:, 0] = turn @ rotations[:, 0]
    moved = Motion(rotations, (motion.root @ turn.T + [3, -2, 0]).astype(np.float32))
    a, b = (body_features(torch.from_numpy(m.rotations), torch.from_numpy(m.root)) for m in (motion, moved))
    assert a.shape == (120, 166)
    assert torch.allclose(a, b, atol=2e-4)
    assert (a - body_features(torch.from_numpy(bouncing(grid(100, 4)[0] + 0.2, 4).rotations),
                              torch.from_numpy(motion.root))).abs().max() > 0.1


def test_mirrored_6d_equals_motion_mirrored():
    motion = bouncing(*grid(100, 2)[:1], 2)
    sixd, root = mirrored_6d(matrix_to_6d(motion.rotations), motion.root)
    assert np.allclose(sixd_to_matrix(sixd), motion.mirrored().rotations, atol=1e-5)
    assert np.allclose(root, motion.mirrored().root)


def test_stretch_keeps_time():
    ramp = np.arange(50, dtype=np.float32)[:, None]
    assert np.allclose(stretch(ramp, np.arange(30) * 1.5)[:, 0], np.minimum(np.arange(30) * 1.5, 49))
    rng = np.random.default_rng(0)
    assert np.allclose(warp_curve(300, 1.2, 0.0, rng), np.arange(300) * 1.2)
    swaying = warp_curve(300, 1.2, 0.15, rng)
    assert (np.diff(swaying) > 0.8).all() and abs(np.diff(swaying).mean()
                                                  - 1.2) < 0.02 and np.diff(swaying).std() > 0.02


def test_warped_crops_keep_beats_on_the_sound(corpus, tmp_path):
    """After any warp the loudest onsets still lie on the beats of the curve."""
    FEATURES["music"].prepare(corpus, tmp_path)
    batch = Crops(rhythm_config("music", "tiny"), tmp_path, "train")[3]
    rise = torch.relu(batch["mel"].diff(dim=1)).mean(-1)                    # (N, T - 1)
    on_beat = (rise * batch["curve"][:, 1:, 0]).sum() / batch["curve"][:, 1:, 0].sum()
    assert on_beat > 3 * rise.mean()


def test_augmented_bodies_stay_bodies():
    motion = bouncing(*grid(100, 3)[:1], 3)
    sixd = torch.from_numpy(matrix_to_6d(motion.rotations))[None].repeat(4, 1, 1, 1)
    root = torch.from_numpy(motion.root)[None].repeat(4, 1, 1)
    rotations, moved, offsets = augment_body(sixd, root, torch.Generator().manual_seed(0))
    assert torch.allclose(rotations @ rotations.mT, torch.eye(3).expand_as(rotations), atol=1e-4)
    assert torch.allclose(offsets[:, 4].norm(dim=-1), offsets[:, 5].norm(dim=-1))
    features = body_features(rotations, moved, offsets)
    assert features.shape == (4, 90, 166) and features.isfinite().all()
    assert (features[0] - features[1]).abs().max() > 0.05
    same = body_features(*(x[0] for x in (sixd_to_matrix(sixd), root)))
    repeated = body_features(sixd_to_matrix(sixd), root, torch.from_numpy(np.stack([_offsets()] * 4)))
    assert torch.allclose(same, repeated[0], atol=1e-4)


def _offsets():
    from core.body.kinematics import OFFSETS
    return OFFSETS


def test_mel_shows_tones_and_ignores_rate_and_level():
    filters = htk_filters(80, 22_050, 1024, 30.0, 10_800.0)
    assert (filters.sum(1) > 0.99).all() and (filters >= 0).all()
    seconds = np.arange(48_000) / 48_000
    tone = np.sin(2 * np.pi * 1000 * seconds)
    a, b = log_mel(tone, 48_000), log_mel(0.01 * tone[None, ::2].repeat(2, 0), 24_000)
    assert a.shape == b.shape == (51, 80)
    assert np.abs(a - b)[5:-5].max() < 0.15
    assert log_mel(np.zeros(10), 22_050).shape == (1, 80)
    long = np.random.default_rng(0).normal(size=22_050 * 63).astype(np.float32)
    assert log_mel(long, 22_050).shape == (3151, 80)
    assert augment_music(torch.from_numpy(a)[None].repeat(3, 1, 1), torch.Generator().manual_seed(0)).shape == (3,
                                                                                                                51, 80)


@pytest.mark.parametrize("part", ["body", "music"])
def test_chunks_leave_no_seam(part, monkeypatch):
    torch.manual_seed(0)
    network = BeatNetwork(rhythm_config(part, "tiny")).eval()
    for block in network.blocks:
        torch.nn.init.normal_(block.pointwise.weight, std=0.1)
    features = torch.randn(900, network.config.in_channels)
    whole = run_network(network, features)
    monkeypatch.setattr("models.rhythm.detect.CHUNK", 250)
    assert np.abs(run_network(network, features) - whole).max() < 1e-5
    assert sum(p.numel() for p in BeatNetwork(rhythm_config(part)).parameters()) < 2e6


def test_views_at_other_speeds_come_back_to_the_clock_of_the_music():
    """A network that says what it hears, frame by frame, says the same through all speeds; one speed alone changes
    nothing."""
    heard = []

    class Echo(torch.nn.Module):
        reach = 3

        def forward(self, features):
            heard.append(features.shape[1])
            return features[..., :4]
    mel = np.zeros((701, 80), dtype=np.float32)
    mel[:, 0] = 3 * np.sin(np.arange(701) / 25)
    mel[:, 2] = 0.9 * np.cos(np.arange(701) / 18)
    plain = run_network(Echo(), torch.from_numpy(mel))
    assert np.allclose(run_views([Echo()], mel, (1.0,)), plain)
    heard.clear()
    assert np.abs(run_views([Echo()], mel) - plain)[:-1].max() < 0.003
    assert len(heard) == len(SPEEDS) >= 3 and max(heard) > 1.2 * 701 and min(heard) < 0.85 * 701
    for frames in (1, 2, 3):
        assert run_views([Echo()], mel[:frames]).shape == (frames, 4)


def test_music_is_heard_by_all_networks_of_one_folder(tmp_path):
    """Of "music" and "rubato" in one folder the outputs are averaged; one folder's music never meets another's
    rubato."""
    def save(part, number):
        torch.manual_seed(number)
        network = BeatNetwork(rhythm_config("music", "tiny"))
        checkpoints.save(tmp_path, name=f"rhythm-{part}", system="rhythm", part=part, config=network.config.to_json(),
                         state_dict=network.state_dict(), card_text="", licence="GPL-3.0-or-later", dtype="float32")
        return network.eval()
    assert len(music_networks()) == 2, "the shipped pair"
    first = save("music", 0)
    (only,) = music_networks(tmp_path)
    mel = torch.randn(300, 80, generator=torch.Generator().manual_seed(1))
    assert torch.equal(network_output(only, mel), network_output(first, mel))
    second = save("rubato", 1)
    both = run_views(music_networks(tmp_path), mel.numpy(), (1.0,))
    wanted = activations((network_output(first, mel) + network_output(second, mel)) / 2).numpy()
    assert np.allclose(both, wanted, atol=0.02)                   # bf16 here and there
    assert not np.allclose(both, run_views([first], mel.numpy(), (1.0,)), atol=0.03)


def test_the_pair_is_heard_only_where_music_is_in_rubato(tmp_path, monkeypatch):
    from models.rhythm import detect
    for number, part in enumerate(("music", "rubato", "world")):
        torch.manual_seed(number)
        network = BeatNetwork(rhythm_config("music", "tiny"))
        checkpoints.save(tmp_path, name=f"rhythm-{part}", system="rhythm", part=part, config=network.config.to_json(),
                         state_dict=network.state_dict(), card_text="", licence="GPL-3.0-or-later", dtype="float32")
    mel = np.random.default_rng(0).normal(size=(300, 80)).astype(np.float32)
    pair = run_views(music_networks(tmp_path), mel, detect.RUBATO_SPEEDS)
    world = run_views([detect.load_network("world", tmp_path)], mel, (1.0,))
    monkeypatch.setattr(detect.Heard, "agreements", (0.2, 0.3, 0.6))
    assert np.array_equal(detect.music_activations(mel, tmp_path), pair)
    monkeypatch.setattr(detect.Heard, "agreements", (0.2, 0.5, 0.6))
    assert np.array_equal(detect.music_activations(mel, tmp_path), world) and not np.allclose(pair, world, atol=0.03)
    monkeypatch.setattr(detect.Heard, "agreements", (0.2, 0.42, 0.6))
    assert np.allclose(detect.music_activations(mel, tmp_path), (pair + world) / 2)


def test_a_weak_beat_counts_where_two_networks_agree_on_it():
    from models.rhythm import detect
    rng = np.random.default_rng(2)

    def weak(bpm, size=0.11):
        times = np.arange(0.3, 40, 60 / bpm)
        curve = rhythm_curve(times, [], 2000, 50.0)
        rough = rng.normal(size=(2000, 2))
        curve[:, 2:4] += np.stack([np.convolve(column, np.hanning(9), mode="same") for column in rough.T], 1) * 0.5
        return np.concatenate([0.15 + 0.1 * curve[:, :1], 0 * curve[:, :1], size * curve[:, 2:4]], 1), times

    def heard(one, two):
        out = detect.Heard.__new__(detect.Heard)
        out.__dict__.update(both=True, world=one, wide=one, pair=two, activations=one, mel=one)
        out.agreements = (0.1, 0.1, 0.1)
        return out
    (one, times), (same, _), (other, _) = weak(104), weak(104), weak(77)
    alone = detect.rhythm_tempo.find(one, 50.0, part="music")
    assert alone.extra["tempo"]["chosen"] == "none" and len(alone) == 0
    assert beat_f1_70ms(detect.music_beats(heard(one, same)).times, times) > 0.9
    assert detect.music_beats(heard(one, other)).extra["tempo"]["chosen"] == "none"
    short = heard(one, same)
    short.mel = one[:300]                               # of six seconds two networks agree on noise as well
    assert detect.music_beats(short).extra["tempo"]["chosen"] == "none"
    # An average is weaker than what one network heard: that one was strong enough.
    averaged = heard(one, other)
    averaged.agreements = (0.1, 0.30, 0.42)
    assert len(detect.music_beats(averaged))


def test_the_network_of_recorded_music_counts_when_it_is_asked_whether_there_is_a_beat():
    from types import SimpleNamespace

    from models.rhythm import detect

    def believed(world, recorded, agreed):
        heard = detect.Heard.__new__(detect.Heard)
        heard.__dict__.update(recorded=True, mel=np.zeros((1500, 80)), explained=SimpleNamespace(agreements=world),
                              explained_wide=SimpleNamespace(agreements=recorded), both=agreed, alike=float(agreed))
        return heard.believed
    least = np.array(detect.rhythm_tempo.pulse("music", 30.0))
    assert believed(0.8 * least, 1.3 * least, agreed=False)             # a song that the other network hardly hears
    assert not believed(0.8 * least, 0.9 * least, agreed=False)
    assert believed(0.8 * least, 0.9 * least, agreed=True)
    assert not believed(0.4 * least, 0.3 * least, agreed=True)          # wind, of which two networks agree by chance


def test_a_weak_beat_of_which_two_networks_say_different_things_is_none():
    from models.rhythm import detect
    rng = np.random.default_rng(4)

    def seen(bpm, size):
        curve = rhythm_curve(np.arange(0.3, 20, 60 / bpm), [], 1000, 50.0)
        curve[:, 2:4] = size * curve[:, 2:4] + 0.1 * rng.normal(size=(1000, 2))
        return np.concatenate([0.05 + 0.2 * curve[:, :1], 0 * curve[:, :1], curve[:, 2:4]], 1)

    def heard(one, two):
        out = detect.Heard.__new__(detect.Heard)
        out.__dict__.update(both=True, world=one, wide=one, pair=two, activations=one, mel=one)
        return out
    weak, same, other, strong = seen(104, 0.23), seen(104, 0.23), seen(77, 0.23), seen(104, 0.9)
    assert detect.rhythm_tempo.find(weak, 50.0, part="music").extra["tempo"]["chosen"] != "none"
    assert len(detect.music_beats(heard(weak, same))) > 20
    assert len(detect.music_beats(heard(weak, other))) == 0
    assert len(detect.music_beats(heard(strong, other))) > 20
    assert len(detect.music_beats(heard(weak, other), mode="steady")) > 20      # asked for, it is given
    assert len(detect.music_beats(heard(weak, other), bpm=104)) > 20


def test_one_hearing_says_whether_there_is_a_beat_and_several_speeds_say_which():
    from models.rhythm import detect

    def seen(bpm, size):
        curve = rhythm_curve(np.arange(0.3, 20, 60 / bpm), [], 1000, 50.0)
        return np.concatenate([0.05 + 0.8 * size * curve[:, :1], 0 * curve[:, :1], size * curve[:, 2:4]], 1)

    def heard(one, wide):
        out = detect.Heard.__new__(detect.Heard)
        out.__dict__.update(both=True, world=one, wide=wide, pair=seen(77, 0.02), activations=one, mel=one)
        return out
    assert abs(detect.music_beats(heard(seen(104, 0.9), seen(120, 0.2))).tempo_bpm - 120) < 1
    assert len(detect.music_beats(heard(seen(104, 0.02), seen(120, 0.9)))) == 0
    mine = detect.rhythm_tempo.Beats(np.arange(0.3, 19, 0.7), np.zeros(27, int))
    assert np.allclose(detect.music_beats(heard(seen(104, 0.9), seen(120, 0.9)), beats=mine).times, mine.times)
    assert detect.WORLD_SPEEDS[1] == 1.0 and len(detect.WORLD_SPEEDS) == 3


def test_recorded_music_is_heard_at_several_speeds_by_the_network_trained_on_it(tmp_path):
    from models.rhythm import detect
    mel = np.random.default_rng(0).normal(size=(300, 80)).astype(np.float32)
    for number, part in enumerate(("music", "world", "recorded")):
        torch.manual_seed(number)
        network = BeatNetwork(rhythm_config("music", "tiny"))
        checkpoints.save(tmp_path, name=f"rhythm-{part}", system="rhythm", part=part, config=network.config.to_json(),
                         state_dict=network.state_dict(), card_text="", licence="GPL-3.0-or-later", dtype="float32")
        if part != "music":
            heard = detect.Heard(mel, tmp_path)
            assert np.array_equal(heard.wide, run_views([detect.load_network(part, tmp_path)], mel,
                                                        detect.WORLD_SPEEDS))
    assert np.array_equal(heard.world, run_views([detect.load_network("world", tmp_path)], mel, (1.0,)))


def test_two_networks_are_averaged_but_the_level_is_that_of_the_one_trained_on_recorded_music():
    from models.rhythm import detect

    def seen(bpm, size):
        curve = rhythm_curve(np.arange(0.3, 20, 60 / bpm), [], 1000, 50.0)
        return np.concatenate([0.05 + 0.8 * size * curve[:, :1], 0 * curve[:, :1], size * curve[:, 2:4]], 1)

    def told(one, wide, **options):
        heard = detect.Heard.__new__(detect.Heard)
        heard.__dict__.update(both=True, recorded=True, world=one, wide=wide, pair=one, activations=one, mel=one)
        return detect.music_beats(heard, **options).tempo_bpm
    assert told(seen(70, 0.9), seen(140, 0.6)) == pytest.approx(140, abs=1)
    assert told(seen(100, 0.9), seen(104, 0.3)) == pytest.approx(100, abs=1)
    assert told(seen(70, 0.9), seen(140, 0.6), mode="steady") == pytest.approx(70, abs=1)


def test_beats_one_by_one_at_double_the_grid_tell_the_level_where_they_explain_more():
    from types import SimpleNamespace

    from models.rhythm.levels import followed_level
    fast = Beats(np.arange(0, 20, 60 / 158), np.zeros(53, int))

    def told(bpm, free, chosen="steady"):
        grid = SimpleNamespace(bpm=bpm)
        explained = SimpleNamespace(one=grid, drifting=grid, free=fast, agreements=(0.40, 0.42, free))
        return followed_level(explained, chosen)
    assert told(80, 0.48) == pytest.approx(158, rel=1e-6)
    assert told(80, 0.48, "drifting") is not None and told(80, 0.48, "follow") is None
    assert told(80, 0.43) is None               # hardly more than the grid
    assert told(105, 0.48) is None              # no other level of it


def test_loss_prefers_the_truth_and_obeys_trust():
    curve = torch.from_numpy(rhythm_curve([0.2, 0.7, 1.2], [0.2], 60))[None].repeat(2, 1, 1)
    good = torch.cat([torch.logit(curve[..., :2].clamp(0.01, 0.99)), curve[..., 2:4]], -1)
    trust = torch.ones(2)
    right, _ = rhythm_loss(good, curve, trust, trust)
    wrong, _ = rhythm_loss(good.roll(7, 1), curve, trust, trust)
    assert right < 0.6 * wrong
    half = good.clone()
    half[1] = -half[1]
    assert rhythm_loss(half, curve, torch.tensor([1.0, 0.0]), torch.tensor([1.0, 0.0]))[0] < wrong


def test_crops_are_random_access(corpus, tmp_path):
    FEATURES["body"].prepare(corpus, tmp_path)
    FEATURES["body"].prepare(corpus, tmp_path)                        # a second time: nothing to do
    assert len(list(FEATURES["body"].place(tmp_path).glob("*/items.json"))) == 1
    crops = Crops(rhythm_config("body", "tiny"), tmp_path, "train")
    assert torch.equal(crops[5]["root"], crops[5]["root"])
    assert not torch.equal(crops[5]["root"], crops[6]["root"])
    with pytest.raises(BadInput):
        FEATURES["body"].prepare(tmp_path / "none", tmp_path)


def test_bad_input():
    with pytest.raises(BadInput):
        detect_body_beats(rest_motion(1))
    broken = rest_motion(30)
    broken.root[3] = np.nan
    with pytest.raises(BadInput):
        detect_body_beats(broken)
    with pytest.raises(BadInput):
        detect_music_beats(np.zeros(0), 48_000)
    with pytest.raises(BadInput):
        detect_music_beats(np.full(48_000, np.nan), 48_000)
    with pytest.raises(NoCheckpoint):
        detect_music_beats(np.zeros(48_000), 48_000, folders="/nonexistent")
    assert activations(torch.randn(5, 4) * 9)[:, 2:].norm(dim=-1).max() < 1.001
