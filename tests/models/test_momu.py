"""MoMu's parts: the clock, the directogram, the rhythmic contrast, the motion VAE, the transformers' losses."""
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from momu_fixtures import trained_momu, write_corpus  # noqa: F401
from music_fixtures import moving_motion

from core.audio.mel import FRAME_RATE, log_mel
from core.body.kinematics import forward_kinematics
from core.errors import BadInput
from models.momu import contrast, directogram
from models.momu.clock import clock_to_motion, motion_to_clock
from models.momu.config import CONFIGS, DOWNSAMPLE, LATENT_RATE, VAE_TINY
from models.momu.data import Pieces, encode_motion
from models.momu.directions import SPAN, from_directions, to_directions
from models.momu.losses import body, masked_errors, over_floor
from models.momu.vae import MotionVAE, load_motion_vae
from models.motion import representation
from models.motion.kinematics import joints
from models.music_ldm.config import VAE_RELEASE
from models.training.flat import Flat

torch = pytest.importorskip("torch")


def test_one_clock_for_both_sides():
    """A latent of the motion is the same seconds as a latent of the music, and as wide."""
    assert LATENT_RATE == FRAME_RATE / VAE_RELEASE.downsample and DOWNSAMPLE == VAE_RELEASE.downsample
    assert CONFIGS["motion_vae"]["release"].latent == VAE_RELEASE.latent
    seconds = 4.0
    motion = moving_motion(round(seconds * 30))
    sound = log_mel(np.zeros(round(seconds * 22_050), np.float32))
    vectors = motion_to_clock(motion)
    assert len(vectors) % DOWNSAMPLE == 0 and 0 <= len(vectors) - len(sound) < DOWNSAMPLE
    still = round(2.0 * FRAME_RATE)                                # the pose at 2.0 s lies where the mel of 2.0 s lies
    assert np.allclose(vectors[still, 3], motion.root[60, 2], atol=1e-3)


def test_motion_comes_back_from_the_clock():
    motion = moving_motion(120).canonical()
    back, contact = clock_to_motion(motion_to_clock(motion), motion.duration)
    assert len(back) == len(motion) and contact.shape == (120, 4)
    error = np.linalg.norm(back.positions() - motion.positions(), axis=-1)
    assert error.mean() < 0.01, error.mean()


def test_crops_of_a_corpus_are_what_inference_makes_of_the_whole(tmp_path):
    """Random access on the device and `motion_to_clock` agree, mirrored as well."""
    flat = Flat(write_corpus(tmp_path / "flat"))
    pieces = Pieces(flat, "train", 0.35, "cpu")
    item = pieces.items[2]
    from core.body.motion import Motion
    from core.body.rotations import sixd_to_matrix
    sixd = np.asarray(flat.rows(item, "rot6d")).astype(np.float32) / 32767
    motion = Motion(sixd_to_matrix(sixd.reshape(-1, 24, 6)), np.array(flat.rows(item, "root")))
    whole = motion_to_clock(motion)
    row, start = torch.tensor([2]), torch.tensor([20])
    crop = pieces.motion(row, start, 64)[0]
    assert torch.allclose(crop, whole[80:144], atol=2e-3)
    flipped = pieces.motion(row, start, 64, torch.tensor([True]))[0]
    assert torch.allclose(flipped[:, :148], motion_to_clock(motion.mirrored())[80:144, :148], atol=2e-3)


def test_joints_equal_forward_kinematics():
    motion = moving_motion(9)
    rotations, root = torch.from_numpy(motion.rotations), torch.from_numpy(motion.root)
    assert torch.allclose(joints(rotations, root), torch.from_numpy(motion.positions()), atol=1e-6)
    vectors = motion_to_clock(moving_motion(60))[None]
    turned = forward_kinematics(*representation.decode(vectors, FRAME_RATE))[0]
    assert torch.allclose(over_floor(vectors, body(vectors)), turned, atol=1e-5)


@pytest.mark.parametrize("overlap", [False, True])
def test_directogram_and_amplitude_are_the_printed_sums(overlap):
    """Equations 1 and 2 of the poster, written out; as printed (`overlap`) a window reaches 2 pi / K to either side."""
    points, bins = np.random.default_rng(3).normal(size=(2, 12, 5, 2)).astype(np.float32), 12
    gram = directogram.directogram(torch.from_numpy(points), bins, overlap).numpy()
    amplitude = directogram.kinematic_amplitude(torch.from_numpy(points), bins, overlap).numpy()
    reach = 2 * math.pi / bins * (1 if overlap else 0.5)
    flow = np.diff(points, axis=1)
    wanted = np.zeros((2, 12, bins))
    for (piece, frame, joint), angle in np.ndenumerate(np.arctan2(flow[..., 1], flow[..., 0])):
        for k in range(bins):
            apart = abs((angle - 2 * math.pi * k / bins + math.pi) % (2 * math.pi) - math.pi)
            wanted[piece, frame + 1, k] += np.linalg.norm(flow[piece, frame, joint]) * (apart <= reach)
    assert np.allclose(gram, wanted, atol=1e-4)
    rise = np.maximum(0, np.diff(wanted, axis=1)).sum(-1)[:, 1:]              # of frames 2 and later
    assert np.allclose(amplitude[:, 2:], rise / rise.max(1, keepdims=True), atol=1e-4) and not amplitude[:, :2].any()
    assert CONFIGS["motion_vae"]["paper"].overlap and not CONFIGS["motion_vae"]["release"].overlap


def test_directogram_bins():
    """A point that moves to the right by 2 and one that moves up by 1: two bins of twelve, the others empty."""
    points = torch.zeros(2, 2, 2)
    points[1, 0, 0], points[1, 1, 1] = 2.0, 1.0
    gram = directogram.directogram(points)
    assert gram[0].abs().sum() == 0
    assert gram[1, 0] == 2.0 and gram[1, 3] == 1.0 and gram[1].sum() == 3.0
    both = directogram.directogram(points, overlap=True)  # as printed: the window is two bins wide on either side
    assert both[1, 11] == 2.0 and both[1, 0] == 2.0 and both[1, 1] == 2.0


def test_directions_of_bones_give_the_joints_back():
    """The ablation's representation: every joint is where it was, whatever the twists; also of a VAE's whole way."""
    vectors = motion_to_clock(moving_motion(40))[None]
    seen = to_directions(vectors)
    assert torch.allclose(seen[..., SPAN].unflatten(-1, (23, 3)).norm(dim=-1), torch.ones(1), atol=1e-5)
    assert torch.equal(seen[..., :4], vectors[..., :4]) and not seen[..., SPAN.stop:148].any()
    back = from_directions(seen)
    assert torch.allclose(body(back), body(vectors), atol=1e-4) and not torch.allclose(back, vectors, atol=0.1)
    vae = MotionVAE(replace(VAE_TINY, directions=True))
    vae.channels.measure(vae.seen(vectors)[0])
    assert torch.allclose(body(vae.restore(vae.standardise(vectors))), body(vectors), atol=1e-4)


def test_contrast_equals_a_value_by_hand():
    """Two windows, every one the other's negative: the formula of the paper, written out."""
    music, motion, tau = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]]), 0.5
    s = [[1.0, math.sqrt(0.5)], [0.0, math.sqrt(0.5)]]              # cosines a_i, m_c
    e = [[math.exp(value / tau) for value in row] for row in s]
    forward = -sum(math.log(e[i][i] / (e[i][0] + e[i][1])) for i in (0, 1)) / 2
    backward = -sum(math.log(e[i][i] / (e[0][i] + e[1][i])) for i in (0, 1)) / 2
    loss, hit = contrast.contrast_loss(music, motion, torch.ones(2, 2, dtype=torch.bool), tau)
    assert float(loss) == pytest.approx(0.5 * forward + 0.5 * backward, rel=1e-5)
    assert float(hit) == 0.75               # motion window 2 lies as near to music window 1: one of four is not found


def test_negatives_mismatch_in_time_or_rhythm_level():
    starts = torch.tensor([[0, 2, 5, 60]])
    levels = torch.tensor([[0.1, 0.9, 0.15, 0.1]])
    mask = contrast.negatives(starts, levels, 5, 0.25)
    assert mask.tolist() == [[False, False, False, True],           # 2 overlaps; 5 is as calm; 60 is far away
                             [False, False, False, True], [False, False, False, True], [True, True, True, False]]
    assert contrast.negatives(starts + 0, torch.tensor([[0.1, 0.9, 0.9, 0.1]]), 5, 0.25)[0, 2]
    two = contrast.negatives(starts.repeat(2, 1), levels.repeat(2, 1), 5, 0.25)
    assert two[:4, 4:].all() and two[4:, :4].all()                  # windows of other sequences are negatives always


def test_windows_are_pooled_by_their_largest_value():
    latents = torch.arange(24.0).reshape(1, 2, 12)
    pooled = contrast.pool_windows(latents, torch.tensor([[0, 7]]), 5)
    assert pooled.tolist() == [[[4.0, 16.0], [11.0, 23.0]]]


def test_the_vae_gives_the_same_in_pieces_and_on_a_loop(monkeypatch):
    torch.manual_seed(0)
    vae = MotionVAE(VAE_TINY).eval()
    for parameter in vae.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    vectors = motion_to_clock(moving_motion(400))
    whole = vae.encode(vectors[None])[0][0]
    monkeypatch.setattr("models.momu.vae.CHUNK", 40)
    assert torch.allclose(vae.encode_long(vectors), whole, atol=1e-4)
    assert torch.allclose(vae.decode_long(whole), vae.decode(whole[None])[0], atol=1e-4)
    rolled = vae.decode_long(torch.roll(whole, 7, dims=-1), loop=True)
    assert torch.allclose(torch.roll(vae.decode_long(whole, loop=True), 28, dims=0), rolled, atol=1e-4)


def test_linear_start_rebuilds_what_its_components_hold():
    torch.manual_seed(0)
    vae = MotionVAE(VAE_TINY)
    basis, _ = torch.linalg.qr(torch.randn(4 * 152, 64))
    patches = torch.randn(8, 64) @ basis.T  # eight latents' worth of motion inside the components
    vae.start_linear(basis, torch.full((64,), 2.0))
    vectors = patches.reshape(1, 32, 152)
    assert torch.allclose(vae.decode(vae.encode(vectors)[0]), vectors, atol=1e-4)


def test_errors_count_only_inside_the_mask():
    miss = torch.ones(1, 2, 6)
    miss[..., 3:] = 100
    error, level = masked_errors(miss, torch.tensor([[True] * 3 + [False] * 3]))
    assert error.tolist() == [1.0] and level.tolist() == [1.0]


def test_training_in_the_papers_order(trained_momu):                # noqa: F811
    corpus, runs = trained_momu
    for part, run in runs.items():
        rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        assert any("valid_rec" in row or "valid_loss" in row for row in rows), part
        assert all(np.isfinite(value) for row in rows for value in row.values()), part
    vae = load_motion_vae(runs["motion_vae"])
    pieces = Pieces(Flat(corpus), "valid", 0.35, "cpu")
    latents = encode_motion(pieces, vae)
    item = pieces.items[0]
    start, count = item["arrays"]["latent"]
    count = int(pieces.latents[0])
    alone = vae.encode_long(pieces.motion(torch.tensor([0]), torch.tensor([0]), count * DOWNSAMPLE)[0]).T
    assert torch.allclose(latents[0, start:start + count].float(), alone, atol=0.02)
    assert not torch.allclose(latents[1, start:start + count].float(), alone, atol=0.02)      # mirrored


def test_bad_corpora_and_sources_are_named(tmp_path):
    flat = Flat(write_corpus(tmp_path / "flat"))
    with pytest.raises(BadInput, match="no test pieces"):
        Pieces(flat, "test", 0.35, "cpu")
    with pytest.raises(BadInput, match="motion_vae=RUN"):
        load_motion_vae("")
    with pytest.raises(ValueError, match="three widths"):
        type(VAE_TINY)(widths=(16, 16))
