"""Feet as outputs: read off a body exactly, planted exactly, legs between; beat patterns; the flat corpus; the released
recipe."""
import numpy as np
import pytest
import torch

from core.body.legs import Feet, feet_of, hang
from core.body.motion import Motion
from core.errors import BadInput
from core.rhythm.beats import Beats
from models.conductor import beat_pattern, legs
from models.conductor.config import TINY_FEET, ConductorConfig
from models.conductor.controls import FEET
from models.conductor.device_data import KINDS, DevicePairs, DeviceWindows
from models.conductor.encoder import MusicEncoder, encode_music
from models.conductor.features import body_from_vector, mel_frames_30, motion_vector, rhythm_features
from models.conductor.network import Denoiser
from models.conductor.performed import Rows, perform_corpus
from models.conductor.performed_music import music_features, row_statistics
from models.conductor.pipeline import Conductor, conducted, default_lead
from models.conductor.settings import Settings
from models.lab.metrics.motion import foot_slide
from models.lab.studio.conducted import conducting_plan
from models.lab.studio.conducted_flat import gather, meta_of, silent_level
from models.lab.studio.conductor import conduct
from models.training.flat import FlatWriter

RATE = 48_000


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def motions():
    """Four conductors of 12 s that make steps."""
    return [conduct(conducting_plan(seed, 12.0))[0] for seed in (0, 3, 4, 5)]


def test_feet_are_read_exactly_and_legs_hang_between(motions):
    for motion in motions:
        vector = motion_vector(motion, "smpl24_feet")
        assert vector.shape == (360, 113)
        again = hang(body_from_vector(vector, motion.to_vector().mean(0)), Feet.from_vector(vector[:, FEET:]))
        assert np.abs(again.positions() - motion.positions()).max() < 2e-3


def test_noisy_feet_are_planted_and_steps_stay_steps(motions):
    rng, steps = np.random.default_rng(0), 0
    for motion in motions:
        feet = feet_of(motion).astype(float)
        noisy = feet + rng.normal(0, 1, feet.shape) * [0.008, 0.008, 0.004, 0.03, 0.03, 0.03, 0.15]
        loose = hang(motion, Feet.from_vector(noisy))
        home = np.median(feet[..., :3], axis=0), np.zeros(2)
        kept = legs.planted(Feet.from_vector(noisy), np.ones(len(motion)), home)
        made = hang(motion, kept)
        assert foot_slide(made.positions(), 30)[0] <= 0.01 < foot_slide(loose.positions(), 30)[0]
        assert np.linalg.norm(np.diff(made.positions()[:, [10, 11]], axis=0), axis=-1).max() * 30 < 2.5
        steps += sum(len(legs.stands(kept.contact[:, s])) - 1 for s in (0, 1))
    assert steps >= 2
    still = legs.planted(Feet.from_vector(noisy), np.zeros(len(motion)), home)
    assert np.ptp(still.ball, axis=0).max() < 1e-9


def test_feet_leave_the_floor_in_turn():
    """A network that wants both feet in the air at once makes a hop; here the second foot waits."""
    count = 120
    feet = Feet(np.zeros((count, 2, 3)), np.zeros((count, 2)), np.zeros((count, 2)), np.ones((count, 2)))
    feet.ball[:, :, 0] = 0.1, -0.1
    feet.ball[50:, :, 0] += 0.12
    feet.ball[..., 2] = legs.BALL_HEIGHT
    feet.contact[42:56, 0] = feet.contact[44:58, 1] = 0.0
    home = feet.ball[0].copy(), np.zeros(2)
    kept = legs.planted(feet, np.ones(count), home)
    assert (kept.contact < 0.5).any(0).all() and (kept.contact > 0.5).any(1).all()
    assert np.allclose(kept.ball[-1, :, 0], (0.22, 0.02)) and np.allclose(kept.ball[0, :, 0], (0.1, -0.1))
    # Without room it goes as it was asked to, and nothing is lost.
    assert legs.in_turn([(0, 8), (20, 30)], np.ones(30, bool)) == [(0, 8), (20, 30)]


def test_patterns_by_metre_and_tempo():
    chosen = {(2, 100): 2, (2, 150): 2, (2, 180): 1, (3, 110): 3, (3, 180): 1, (4, 90): 4, (4, 160): 2, (6, 100): 6,
              (6, 170): 2, (9, 100): 9, (9, 160): 3, (12, 160): 4, (12, 90): 12, (5, 200): 5}
    for (metre, bpm), strokes in chosen.items():
        assert beat_pattern.choose(metre, bpm) == strokes
        # strokes come at a tempo an arm can show
        assert strokes * bpm / metre <= (160 if metre == 2 else 146) or metre == 5
    with pytest.raises(BadInput, match="pattern"):
        beat_pattern.strokes_of("eleven", None)


def test_strokes_are_some_of_the_beats_or_more():
    waltz = Beats(np.arange(12) * 0.35, np.arange(12) % 3 + 1, 3)
    one = conducted(waltz)
    assert one.metre == 1 and np.allclose(one.times, waltz.times[::3]) and (one.positions == 1).all()
    assert conducted(waltz, beat_pattern="three") is waltz
    six = conducted(waltz, beat_pattern="six")
    assert six.metre == 6 and len(six) == 23 and six.positions[:7].tolist() == [1, 2, 3, 4, 5, 6, 1]
    four = conducted(waltz, beat_pattern="four")                       # neither groups nor halves: counted anew
    assert four.metre == 4 and len(four) == 12
    unknown = Beats(waltz.times, np.zeros(12, int), 4)
    assert conducted(unknown) is unknown and conducted(None) is None
    assert default_lead(one) > default_lead(waltz)                     # the lead is that of the strokes


def test_a_slow_twelve_is_beaten_as_two_sixes_and_a_faster_one_in_four():
    def twelve(bpm):
        return Beats(np.arange(48) * 60.0 / bpm, np.arange(48) % 12 + 1, 12)
    slow, fast = conducted(twelve(80)), conducted(twelve(120))
    assert len(slow) == 48 and set(slow.counts) == {6} and slow.positions[:8].tolist() == [1, 2, 3, 4, 5, 6, 1, 2]
    assert slow.bars is not None                # a choice that *In Six* could not name: that takes every second eighth
    assert fast.metre == 4 and np.allclose(np.diff(fast.times), 1.5)
    both = np.concatenate([np.arange(96) * 0.75, 72.0 + np.arange(192) * 0.4])
    mixed = conducted(Beats(both, np.arange(288) % 12 + 1, 12))
    assert set(mixed.counts) == {4, 6} and (mixed.counts[mixed.times < 70] == 6).all()


def test_first_checkpoints_know_their_metres_only():
    config = ConductorConfig.from_json({"encoder": {"music_widths": [4, 4, 4]}, "rhythm": True})
    assert config.metres == (2, 3, 4, 6) and config.condition_size == 64 + 13
    one = Beats(np.arange(6) * 1.0, np.ones(6, int), 1)
    assert rhythm_features(one, 60).shape[1] == 13 and rhythm_features(one, 60)[:, -1].all()
    new = rhythm_features(one, 60, metres=TINY_FEET.metres)
    assert new[40, 8] == 1 and new[40, -1] == 0                        # in one


def test_mel_at_the_rate_of_motion():
    times = np.arange(22_050 * 4) / 22_050
    sound = np.where((times > 2.0) & (times < 2.05), np.sin(2 * np.pi * 440 * times), 0).astype(np.float32)
    mel = mel_frames_30(sound)
    assert mel.shape == (120, 64) and 0 <= mel.min() and mel.max() == 1
    assert 59 <= mel.max(1).argmax() <= 62
    encoder = MusicEncoder(TINY_FEET.encoder).eval()
    long = torch.rand(600, 64)
    whole, parts = encode_music(encoder, long, 60), encode_music(encoder, long, 7)
    assert whole.shape == (600, 8) and torch.allclose(whole, parts, atol=1e-4)


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """A flat corpus of noise and plans: four heard pieces, two silent, one valid; performed."""
    folder = tmp_path_factory.mktemp("flat")
    writer = FlatWriter(folder / "corpus")
    for seed in (1, 2, 3, 4, 500_000, 500_001, 800_000):
        plan = conducting_plan(seed, 8.0)
        arrays = {"level": silent_level(plan)}
        if seed < 500_000 or seed >= 800_000:
            arrays["mel"] = np.random.default_rng(seed).integers(0, 256, (240, 64), dtype=np.uint8)
        writer.add(meta_of(plan.to_json()), arrays)
    writer.close()
    perform_corpus(folder / "corpus", folder / "cache", 0.01, lambda fraction, text: None)
    return folder / "corpus", folder / "cache"


def test_the_corpus_is_performed_by_several_conductors(flat):
    rows = Rows(*flat, "train", 2)
    assert len(rows.rows) == 4 * 4 + 2 and len(Rows(*flat, "train", 2, heard=True).rows) == 16
    vector = rows.array("vector")
    first, other = (vector[row["first"]:row["first"] + 240] for row in rows.rows[:2])
    plan = conducting_plan(1, 8.0)
    np.testing.assert_allclose(first, motion_vector(conduct(plan)[0], "smpl24_feet"), atol=2e-3)
    assert np.abs(first - other).mean() > 0.01
    with pytest.raises(BadInput, match="corpus"):
        Rows(*flat, "test", 2)


def test_the_corpus_is_performed_again_only_for_other_settings(flat, monkeypatch):
    def perform(tasks):
        raise InterruptedError
    monkeypatch.setattr("models.lab.studio.performed._performed", perform)
    perform_corpus(*flat, 0.01, lambda fraction, text: None)
    with pytest.raises(InterruptedError):
        perform_corpus(*flat, 0.02, lambda fraction, text: None)


def test_batches_are_made_on_the_device(flat):
    device, generator = torch.device("cpu"), torch.Generator().manual_seed(0)
    for kind in (*KINDS, None):
        pairs = DevicePairs(TINY_FEET.encoder, *flat, "train", kind)
        pairs.resident(device)
        batch = pairs.batch(200, generator)
        assert batch["mel"].shape == batch["other_mel"].shape == (4, 60, 64) and batch["keypoints"].shape == (4,
                                                                                                              60, 13, 2)
        assert 0 <= batch["mel"].min() and batch["mel"].max() <= 1
        assert (batch["keypoints"] - batch["other_keypoints"]).abs().mean() > 1e-4
    features = music_features(MusicEncoder(TINY_FEET.encoder), flat[0])
    mean, std, pose = row_statistics(*flat)
    windows = DeviceWindows(TINY_FEET, *flat, "train", features, mean, std)
    windows.resident(device)
    batch = windows.batch(0, generator)
    assert batch["x0"].shape == (4, 60, 113) and batch["condition"].shape == (4, 60, TINY_FEET.condition_size)
    assert batch["mask"].all() and batch["x0"].std() < 2
    ready = Motion.from_vector(pose[None]).positions()[0]
    assert np.abs(ready[[10, 11], 2] - 0.02).max() < 5e-3                # soles on the floor


def test_gathered_pieces_are_what_was_rendered(tmp_path):
    import json
    plan = conducting_plan(7, 4.0)
    mel = np.full((120, 64), 9, np.uint8)
    np.savez(tmp_path / "7.npz", mel=mel, level=silent_level(plan), side=np.full((120, 16), 127, np.uint8),
             plan=json.dumps(plan.to_json()))
    assert gather([tmp_path / "7.npz"], tmp_path / "flat", silent=1, seconds=4.0) == 2


@pytest.fixture(scope="module")
def stepping(flat):
    """A tiny conductor with feet and random weights."""
    torch.manual_seed(0)
    net = Denoiser(TINY_FEET)
    torch.nn.init.normal_(net.out.weight, std=0.3)
    for name, value in zip(("mean", "std", "pose"), row_statistics(*flat)):
        getattr(net, name).copy_(torch.from_numpy(value))
    return Conductor(TINY_FEET, net, MusicEncoder(TINY_FEET.encoder))


def test_legs_natural_stand_and_off(stepping):
    sound = np.random.default_rng(0).normal(0, 0.1, RATE * 6), RATE
    options = dict(steps=2, seed=1)
    natural, = stepping.generate(sound, **options)
    stand, = stepping.generate(sound, legs="stand", **options)
    off, = stepping.generate(sound, legs="off", **options)
    assert foot_slide(natural.positions(), 30)[0] <= 0.01
    assert np.ptp(stand.positions()[:, [7, 8, 10, 11]], axis=0).max() <= 0.01
    assert np.array_equal(natural.rotations, off.rotations)
    upper = [6, 9, 12, 15, 16, 17, 18, 19]
    assert np.abs(natural.rotations[:, upper] - stand.rotations[:, upper]).max() < 1e-4
    with pytest.raises(BadInput, match="legs"):
        stepping.generate(sound, legs="wooden", **options)


def test_silence_and_still_conductors_stand(stepping):
    silent, = stepping.generate((np.zeros(RATE * 4, np.float32), RATE), steps=2)
    still, = stepping.generate((np.random.default_rng(0).normal(0, 0.1, RATE * 4), RATE), steps=2, amplitude=0.0)
    ready, = stepping.generate((np.random.default_rng(0).normal(0, 0.1, RATE * 4), RATE), steps=2, ready=True)
    asked = stepping.settle(Settings())
    assert asked.ready and not stepping.settle(Settings(beats=Beats(np.arange(9) * 0.5, np.arange(9) % 4 + 1, 4))).ready
    fast = stepping.settle(Settings(beats=Beats(np.arange(12) * 0.35, np.arange(12) % 3 + 1, 3)))
    assert fast.beat_pattern == "one" and len(stepping.shown_beats(fast)) == 4          # the choice is recorded
    for motion in (silent, still, ready):
        assert np.ptp(motion.positions(), axis=0).max() < 1e-3


def test_a_kept_range_with_feet_stays(stepping):
    kept, _ = conduct(conducting_plan(3, 6.0))
    sound = np.random.default_rng(0).normal(0, 0.1, RATE * 6), RATE
    motion, = stepping.generate(sound, steps=2, keep=(kept, [(0.0, 2.0)]))
    assert np.array_equal(motion.rotations[:61], kept.rotations[:61])
