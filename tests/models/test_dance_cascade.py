"""models.dance_cascade: features, batches, losses, and a tiny cascade trained, exported, loaded and sampled."""
import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from dance_fixtures import clicks, corpus, one_thread, released, write_corpus  # noqa: F401

from core.errors import BadInput
from core.rhythm.beats import Beats, rhythm_curve
from models.dance_cascade.config import ABLATIONS, CONFIGS, RELEASE, RELEASE_ENCODER, RELEASE_SR, TINY, TINY_SR
from models.dance_cascade.data import Clips, Crops, Material, cubic_double
from models.dance_cascade.encoder import Aligner, encode_music, info_nce
from models.dance_cascade.features import (
    ENERGY_MIDDLE,
    asked_energy,
    downsampled,
    pad_beats,
    rhythm_features,
    rhythm_of,
    smooth_upsampled,
    style_index,
    upsampled,
)
from models.dance_cascade.losses import denoiser_loss, timestep_weight
from models.dance_cascade.network import Denoiser
from models.dance_cascade.train import measure
from models.diffusion import Schedule
from models.motion.representation import from_vector
from models.training.flat import Flat, FlatWriter


def test_rhythm_on_the_device_is_the_rhythm_curve():
    times = np.cumsum(np.array([0.4, 0.5, 0.52, 0.48, 0.5, 0.47, 0.55, 0.5]))
    beats = Beats(times, np.arange(8) % 4 + 1)
    curve = rhythm_curve(beats.times, beats.downbeats, 90, 15.0, 0.0)
    mine = rhythm_of(beats, 90, 15)
    assert np.abs(mine[:, :5].numpy() - curve).max() < 1e-3
    bar = torch.atan2(mine[:, 6], mine[:, 5])
    on_one = int(round(times[4] * 15))
    assert abs(float(bar[on_one])) < 0.25 and float(mine[on_one, 7]) == 1.0
    # Rows of a batch do not see each other, and rows without beats are unknown.
    padded = pad_beats([[], list(zip(times, beats.positions)), [(1.0, 1)]])
    seconds = (torch.arange(90)[None] / 15).expand(3, -1)
    rows = rhythm_features(*padded, torch.tensor([4, 4, 4]), seconds)
    assert float(rows[0].abs().max()) == 0 and torch.allclose(rows[1], mine,
                                                              atol=1e-5) and float(rows[2].abs().max()) == 0
    hidden = rhythm_features(*padded, torch.tensor([4, 4, 4]), seconds, bars=torch.zeros(3, dtype=torch.bool))
    assert float(hidden[1][:, [1, 5, 6, 7]].abs().max()) == 0 and float(hidden[1][:, 0].max()) > 0.8


def test_styles_and_energy():
    assert style_index("salsa") >= 10 and style_index("break") == 0 and style_index("tango") == -1
    assert asked_energy(0.5, 2).tolist() == [[ENERGY_MIDDLE, 1]] * 2 and float(asked_energy(np.array([0.0, 1.0]),
                                                                                            2)[1, 0]) > 2


def test_release_fits_its_budget():
    size = lambda net: sum(p.numel() for p in net.parameters()) / 1e6                    # noqa: E731
    assert size(Denoiser(RELEASE)) <= 14 and size(Denoiser(RELEASE_SR)) <= 3 and size(Aligner(RELEASE_ENCODER)) <= 1.5
    assert {"paper", "release", "tiny"} <= set(CONFIGS["base"]) and len(ABLATIONS) >= 10


def test_upsampling_keeps_the_base_frames():
    low = torch.randn(2, 5, 3)
    high = upsampled(low, 17)
    assert torch.allclose(high[:, ::4], low) and torch.allclose(high[:, 2], (low[:, 0] + low[:, 1]) / 2)
    smooth = smooth_upsampled(low, 17)
    assert torch.allclose(smooth[:, ::4], low, atol=1e-6) and torch.allclose(downsampled(smooth)[..., :0], low[..., :0])
    ring = smooth_upsampled(low, 20, loop=True)
    assert torch.allclose(ring[:, 18], smooth_upsampled(torch.roll(low, -2, 1), 20, loop=True)[:, 10], atol=1e-5)
    vectors = torch.randn(1, 16, 152)
    assert torch.allclose(downsampled(vectors)[0, 1, :3], vectors[0, 1:5, :3].mean(0), atol=1e-6)
    assert torch.equal(downsampled(vectors)[0, 1, 3:], vectors[0, 4, 3:])
    curve = torch.sin(torch.arange(20) / 3)[:, None]
    assert torch.allclose(cubic_double(curve)[::2], curve)
    assert float((cubic_double(curve)[5:-5, 0] - torch.sin(torch.arange(39) / 6)[5:-5]).abs().max()) < 1e-3


def test_crops_are_passages_of_the_corpus(corpus):
    material = Material(corpus, "train", 30, 2)
    network = Denoiser(dataclasses.replace(TINY, music="none"))
    measure(network, material, TINY)
    crops = Crops(network.config, material, network, augment=False)
    item, start = torch.tensor([1]), torch.tensor([7])
    rows, mask = material.rows(item, start, 60)
    assert mask.all() and (rows[0, 1:] - rows[0, :-1] == 2).all()
    motion = from_vector(material.vectors[rows[0]].numpy(), 15.0)
    assert np.abs(motion.root[:, 2] - material.vectors[rows[0], 3].numpy()).max() < 1e-6
    long_rows, long_mask = material.rows(item, start, 200)
    assert int(long_mask.sum()) == (240 - 7 + 1) // 2 and int(long_rows.max()) < int(material.first[1]
                                                                                     + material.count[1])
    batch = crops[3]
    assert batch["x0"].shape == (TINY.batch, TINY.window,
                                 152) and batch["frames"].shape[-1] == network.config.condition_size
    share = material.weights(0.4)
    assert abs(float(share[material.captured].sum()) - 0.4) < 1e-5 and abs(float(share.sum()) - 1) < 1e-5
    assert torch.equal(crops[3]["x0"], batch["x0"]) and not torch.equal(crops[4]["x0"], batch["x0"])


def test_base_below_is_the_decimated_motion(corpus):
    material = Material(corpus, "train", 60, 1)
    network = Denoiser(TINY_SR)
    measure(network, material, TINY_SR)
    batch = Crops(TINY_SR, material, network, augment=False)[0]
    assert torch.allclose(batch["low"][:, ::4, 3:], batch["x0"][:, ::4, 3:], atol=1e-5)
    base = from_vector(batch["low"][0, ::4].numpy(), 15.0)
    full = from_vector(batch["x0"][0].numpy(), 60.0)
    assert np.abs((base.root - base.root[0]) - (full.root - full.root[0])[::4]).max() < 2e-3


def test_recordings_without_music_and_rare_styles(corpus, tmp_path):
    """Whole clips have no mel: the base hears nothing of them, the encoder never draws them; a break is a
    breakdance's."""
    flat = Flat(corpus / "captures")
    writer = FlatWriter(tmp_path / "clips")
    for number, item in enumerate(flat.items):
        arrays = {name: flat.rows(item, name) for name in item["arrays"] if name != "mel"}
        meta = {key: value for key, value in item.items() if key != "arrays"}
        writer.add({**meta, "id": f"clip-{number}", "style": "break", "kind": ("dance", "motion")[number]}, arrays)
    writer.close()
    both = f"{corpus / 'captures'},{tmp_path / 'clips'}"
    material = Material(both, "train", 30, 2)
    assert len(material.metas) == 3 and len(Material(both, "train", 60, 1).metas) == 4  # what is no dance: 60 fps only
    assert material.style.tolist() == [style_index("salsa")] * 2 + [style_index("breakdance")]
    heard = material.weights(0.5, heard=True)
    assert float(heard[2]) == 0 and float(heard[:2].sum()) == pytest.approx(1)
    plain = material.weights(0.5)
    assert float(plain[2]) > 0.35  # a third of the time, but a style of its own
    config = dataclasses.replace(TINY, batch=32, music_size=8)
    material.embed(Aligner(CONFIGS["encoder"]["tiny"]).music)
    network = Denoiser(config)
    measure(network, material, config)
    batch = Crops(config, material, network, augment=False)[0]
    silent = batch["style"] == style_index("breakdance")
    assert silent.any() and float(batch["frames"][silent][..., :8].abs().max()) == 0
    assert float(batch["frames"][~silent][..., :8].abs().amax((1, 2)).min()) > 0


def test_unsure_beats_are_often_left_out(corpus, tmp_path):
    folder = write_corpus(tmp_path / "c", [3], "train", captured=True)
    material = Material(folder, "train", 30, 2)
    material.confidence[:] = 0.25
    config = dataclasses.replace(TINY, batch=64, music="none", rhythm_dropout=0.0)
    network = Denoiser(config)
    measure(network, material, config)
    known = Crops(config, material, network)[0]["frames"][:, :, 4].amax(1)
    assert 0.1 < float(known.mean()) < 0.45


def test_masked_frames_do_not_count(corpus):
    torch.manual_seed(0)
    material = Material(corpus, "train", 30, 2)
    config = dataclasses.replace(TINY, music="none")
    network = Denoiser(config)
    measure(network, material, config)
    for parameter in network.parameters():
        if parameter.dim() > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    batch = Crops(config, material, network, augment=False)[0]
    batch["mask"][:, 40:] = False
    schedule = Schedule("cosine", "x0", config.timesteps)
    losses = [denoiser_loss(config, schedule, network, {**batch, "x0": x0}, torch.Generator().manual_seed(1))[0]
              for x0 in (batch["x0"], torch.cat([batch["x0"][:, :40], batch["x0"][:, 40:] * 0 + 0.3], dim=1))]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-4)


def test_geometry_counts_where_there_is_little_noise():
    weight = timestep_weight(torch.tensor([0, 10, 50, 99]), TINY)
    assert float(weight[0]) == 1 and float(weight[1]) == pytest.approx(np.exp(-1), rel=1e-5) and float(weight[2]) < 0.01
    assert timestep_weight(torch.tensor([99]), dataclasses.replace(TINY, decay=0.0)).item() == 1


@pytest.mark.parametrize("name", ["ablation-no-alignment", "ablation-attention", "ablation-one-stage",
                                  "ablation-no-rhythm"])
def test_ablations_take_a_step(corpus, name):
    from models.dance_cascade.train import StageTask
    config = dataclasses.replace(ABLATIONS[name], layers=1, width=32, heads=2, ffn=32, condition=16, window=40, batch=2,
                                 music_size=8)
    if config.music == "aligned":
        config = config if name == "ablation-attention" else dataclasses.replace(config, music="none")
    task = StageTask(config)
    task.corpus = str(corpus)
    if config.music == "aligned":
        material = Material(corpus, "train", 30, 2)
        material.embed(Aligner(CONFIGS["encoder"]["tiny"]).music)
        task._material = {"train": material, "valid": material}
    network = task.build()
    loss, values = task.loss(network, task.dataset(None, "train")[0], torch.Generator().manual_seed(0))
    loss.backward()
    assert torch.isfinite(loss) and network.out.weight.grad.abs().sum() > 0 and "position" in values


def test_alignment_learns_which_motion_belongs(corpus):
    torch.manual_seed(0)
    config = CONFIGS["encoder"]["tiny"]
    clips = Clips(config, Material(corpus, "train", 30, 2))
    aligner = Aligner(config)
    aligner.motion.standard.measure(clips.material.vectors)
    optimizer, losses = torch.optim.AdamW(aligner.parameters(), 3e-3), []
    for number in range(60):
        batch = clips[number]
        loss, *_ = info_nce(aligner.similarity(batch["mel"], batch["vectors"]), aligner.log_scale.exp())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.3
    mel = torch.rand(400, 64)
    whole, chunked = encode_music(aligner.music, mel), encode_music(aligner.music, mel, chunk=150, margin=60)
    assert torch.allclose(whole, chunked, atol=1e-4)


def test_a_corpus_without_valid_is_told_before_training(corpus, tmp_path):
    from models.training.task import make_task
    task = make_task("dance_cascade", "base", "tiny", {"music": "none"})
    task.prepare(str(corpus / "studio"), None, None)
    with pytest.raises(BadInput, match="valid"):
        task.build()


def test_inference_imports_no_training():
    code = ("import sys, models.dance_cascade.pipeline; "
            "print([name for name in sys.modules if name.startswith('models.training') or name.endswith('.train') "
            "or name == 'models.dance_cascade.data'])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          cwd=Path(__file__).resolve().parents[2])
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_released_cascade_dances(released):
    from models.dance_cascade.pipeline import Dancer
    dancer = Dancer.load(released)
    times = np.arange(0.2, 8.0, 0.5)
    audio = clicks(times, 8.0)
    motion = dancer.generate(audio, beats=Beats(times, np.arange(len(times)) % 4 + 1), genre="salsa", steps=2,
                             seed=1)[0]
    assert len(motion) == 480 and motion.fps == 60 and np.isfinite(motion.root).all()
    assert np.abs(np.linalg.det(motion.rotations) - 1).max() < 1e-3
    assert motion.positions()[..., 2].min() > -0.02
