"""The vocoder: aligned with the mel, seamless in chunks, trainable, and close to the mel even before training."""
import tracemalloc

import numpy as np
import pytest
import torch
from scipy.signal import resample_poly

from core.audio.mel import log_mel
from core.audio.resample import resample
from core.errors import BadInput, Cancelled
from models.music_ldm import vocoder as module
from models.music_ldm import vocoder_finish as finish
from models.music_ldm.vocoder import Vocoder, VocoderConfig, load_vocoder, vocode
from models.music_ldm.vocoder_train import CONFIGS, SoundCrops, features_of, multi_resolution, vocoder_task
from models.training.shards import write_shard

TINY = CONFIGS["vocoder"]["tiny"]


def music(seconds, rate, seed=0):
    """Two plucked notes a second over noise bursts, (N, 2)."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    envelope = np.exp(-6 * (time % 0.5))
    pitch = 220 * 2 ** (rng.integers(0, 12, int(seconds * 2) + 1)[(time * 2).astype(int)] / 12)
    tone = 0.3 * envelope * np.sin(2 * np.pi * np.cumsum(pitch) / rate)
    hat = 0.1 * np.exp(-40 * (time % 0.25)) * rng.normal(size=len(time))
    return np.stack([tone + hat, tone - 0.5 * hat], axis=1)


def test_closed_form_filters_equal_librosa():
    import librosa
    filters = librosa.filters.mel(sr=22_050, n_fft=2048, n_mels=256)
    assert np.allclose(module._slaney_bands(256)[1], filters.sum(1), atol=1e-5)
    assert np.allclose(module.slaney_filters(256, 22_050, 2048)[1], filters, atol=1e-6)


def test_shape_size_and_alignment():
    torch.manual_seed(0)
    network = Vocoder(TINY).eval()
    assert sum(p.numel() for p in Vocoder(VocoderConfig()).parameters()) < 5.5e6
    mel = np.full((100, 256), module.SILENCE, dtype=np.float32)
    mel[50] = 0.0                                           # one loud frame: its sound is centred on frame 50
    sound = vocode(network, mel, rate=module.RATE)
    assert sound.shape == (2, 99 * 1024)
    centre = (np.arange(sound.shape[1]) * (sound[0] ** 2)).sum() / (sound[0] ** 2).sum()
    assert abs(centre - 50 * 1024) < 800
    assert vocode(network, mel).shape == (2, round(99 * 1024 / 44_100 * 48_000))
    assert vocode(network, mel[:1]).shape == (2, 0)


def test_untrained_head_already_follows_the_mel():
    torch.manual_seed(0)
    truth = music(3, 22_050)[:, 0].astype(np.float32)
    mel = log_mel(truth)
    sound = vocode(Vocoder(TINY).eval(), mel, rate=22_050)
    again = log_mel(sound.mean(0))[:len(mel)]
    assert np.corrcoef(again.ravel(), mel[:len(again)].ravel())[0, 1] > 0.8


def test_the_finish_keeps_to_the_mel_and_widens_without_touching_the_mono_sum():
    torch.manual_seed(0)
    truth = music(3, 44_100).astype(np.float32)
    mel = log_mel(np.ascontiguousarray(truth.mean(1)[::2]))
    network = Vocoder(TINY).eval()
    bare, sound = (vocode(network, mel, rate=module.RATE, finish=both) for both in (False, True))
    distance = lambda x: np.abs(log_mel(resample_poly(x.mean(0), 1, 2))[:len(mel)] - mel).mean()  # noqa: E731
    assert distance(sound) < 0.6 * distance(bare)
    pair = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 44_100)).astype(np.float32))
    pair[1] = 0
    wide = finish.widen(pair)
    assert torch.equal(wide[0], pair[0]) and 0.2 < float(wide[1].std() / pair[0].std()) < 0.4
    assert abs(np.corrcoef(wide.numpy())[0, 1]) < 0.2
    spectrum = np.abs(np.fft.rfft(wide[1].numpy()))
    assert spectrum[:100].mean() < 0.1 * spectrum[1000:].mean()


def test_a_network_trained_against_discriminators_goes_without_the_finish():
    from dataclasses import replace
    torch.manual_seed(0)
    plain = Vocoder(TINY).eval()
    sharp = Vocoder(replace(TINY, adversarial=1.0)).eval()
    sharp.load_state_dict(plain.state_dict())
    mel = log_mel(music(1, 22_050)[:, 0].astype(np.float32))
    assert np.array_equal(vocode(sharp, mel), vocode(plain, mel, finish=False))
    assert np.array_equal(vocode(plain, mel), vocode(sharp, mel, finish=True))


def test_the_overlap_covers_the_reach_of_the_shipped_network():
    config = load_vocoder()[1].config
    half = config["kernel"] // 2
    reach = 1 + half * config["blocks"] + half * config["upper_blocks"] / 2 + module.N_FFT / 2 / module.MEL_HOP + 1
    assert reach <= module.OVERLAP


def test_chunks_leave_no_seam_and_cancel(monkeypatch):
    torch.manual_seed(0)
    network = Vocoder(TINY).eval()
    mel = np.random.default_rng(0).normal(-4, 1, (300, 256)).astype(np.float32)
    whole = vocode(network, mel)
    monkeypatch.setattr(module, "CHUNK", 110)
    # A tone's phase is read in a cell of noise where it begins here, which rounding turns a little.
    assert np.abs(vocode(network, mel) - whole).max() < 5e-4 * np.abs(whole).max()
    with pytest.raises(Cancelled):
        vocode(network, mel, should_cancel=lambda: True)


@pytest.mark.parametrize("frames", [331, 440])     # a last piece of one frame, and a full one
def test_the_song_is_resampled_in_pieces_and_held_once(monkeypatch, frames):
    torch.manual_seed(0)
    network = Vocoder(TINY).eval()
    mel = np.random.default_rng(0).normal(-4, 1, (frames, 256)).astype(np.float32)
    monkeypatch.setattr(module, "CHUNK", 110)
    whole = resample(vocode(network, mel, rate=module.RATE), module.RATE, 48_000)
    tracemalloc.start()
    sound = vocode(network, mel)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.abs(sound - whole[:, :sound.shape[1]]).max() < 1e-5 * np.abs(whole).max()
    assert peak < sound.nbytes + 5 * 110 * module.MEL_HOP * 2 * 4          # the song and a few copies of a piece


def test_distance_is_a_distance():
    a, b = (torch.from_numpy(music(1, 44_100, seed).T.astype(np.float32)) for seed in (0, 5))
    assert float(multi_resolution(a, a)[0]) < 1e-6
    assert float(multi_resolution(a, b)[0]) > float(multi_resolution(a, a + 0.001 * torch.randn_like(a))[0])


def test_tiny_run_and_checkpoint(tmp_path):
    from models.training import run_folder
    from models.training.loop import train
    items = []
    for number in range(3):
        sound = (np.clip(music(8, 48_000, number), -1, 1) * 32767).astype(np.int16)
        items.append(({"id": str(number), "kind": "dance", "split": "valid" if number == 2 else "train"},
                      {"audio": sound, "beats": np.zeros((0, 2), np.float32)}))
    write_shard(tmp_path / "corpus" / "a.safetensors", items)
    torch.set_num_threads(1)
    task = vocoder_task("tiny", learning_rate=3e-3)
    rows = train(task, tmp_path / "run", tmp_path / "corpus", tmp_path / "cache", system="music_ldm", part="vocoder",
                 config_name="tiny", steps=40, validations=2, log_every=10, report=lambda text: None)
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < 0.9 * losses[0]
    crops = SoundCrops(TINY, features_of(tmp_path / "corpus", TINY.hours).open(tmp_path / "cache", "train"), "train")
    assert torch.equal(crops[3]["sound"], crops[3]["sound"])
    # Mel and sound of a crop are the same moment.
    batch = crops[1]
    mid = batch["sound"][0, 0].numpy()
    import librosa
    again = log_mel(librosa.resample(mid, orig_sr=44_100, target_sr=22_050))
    mine = batch["mel"][0, TINY.margin:TINY.margin + len(again)].numpy()
    assert np.corrcoef(again[2:-2].ravel(), mine[2:len(again) - 2].ravel())[0, 1] > 0.95
    from core import checkpoints
    state = run_folder.RunFolder(tmp_path / "run").read_checkpoint()["ema"]
    checkpoints.save(tmp_path / "ck", name="v", system="music_ldm", part="vocoder", config=task.config.to_json(),
                     state_dict=state, card_text="", licence="GPL-3.0-or-later")
    network, _ = load_vocoder(tmp_path / "ck")
    assert np.isfinite(vocode(network, log_mel(music(2, 22_050)[:, 0]))).all()
    with pytest.raises(BadInput):
        task.prepare(tmp_path / "nothing", tmp_path / "c2")
