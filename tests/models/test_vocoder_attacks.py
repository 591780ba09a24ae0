"""Attacks made sharp after the vocoder: nothing changes untrained, blurred strokes learned sharp, saved and heard."""
from dataclasses import asdict

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from core import checkpoints  # noqa: E402
from core.audio import Audio  # noqa: E402
from core.audio.mel import log_mel  # noqa: E402
from core.errors import BadInput  # noqa: E402
from models.lab.evaluation.music_ldm.vocoder_measures import ATTACKS  # noqa: E402
from models.music_ldm import vocoder_attacks_train as training  # noqa: E402
from models.music_ldm.vocoder import OVERLAP, RATE, Vocoder, VocoderConfig, load_vocoder, vocode  # noqa: E402
from models.music_ldm.vocoder_attacks import BANDS, FRAMES, HOP, N_FFT, Attacks, shares  # noqa: E402

SECONDS = 2.0
SMALL = VocoderConfig(width=16, blocks=1, upper_width=16, upper_blocks=1, adversarial=1.0)


def strokes(seed):
    """(true, blurred, log-mel): bursts of noise over a soft hum, (2, N) at 44,100 Hz; blurred ones swell for 20 ms."""
    rng, size = np.random.default_rng(seed), int(SECONDS * RATE)
    time = np.arange(size) / RATE
    hum, noise = 0.02 * np.sin(2 * np.pi * 180 * time), 0.5 * rng.normal(size=size)
    sharp, soft = np.zeros(size), np.zeros(size)
    for start in np.arange(0.2, SECONDS - 0.2, 0.25) + rng.uniform(0, 0.08):
        late = time - start
        sharp += np.where(late >= 0, np.exp(-late / 0.05), 0)
        soft += np.where(late >= -0.02, np.exp(-late / 0.05), 0) * np.clip((late + 0.02) / 0.03, 0, 1)
    true, made = (np.tile(hum + noise * shape, (2, 1)).astype(np.float32) for shape in (sharp, soft))
    return true, made, log_mel(Audio(true, RATE).resampled(22_050).mono())


def items(seeds):
    measure, out = Attacks(8), []
    for seed in seeds:
        true, made, mel = strokes(seed)
        with torch.no_grad():
            found, real = (measure.levels(measure.spectrum(torch.from_numpy(x.mean(0))[None]).abs().square())[0]
                           for x in (made, true))
        out.append((found, real, torch.from_numpy(mel)))
    return out


def test_bands_share_every_bin():
    share = shares()
    assert share.shape == (BANDS, N_FFT // 2 + 1) and (share >= 0).all()
    assert torch.allclose(share.sum(0), torch.ones(N_FFT // 2 + 1)) and (share.max(dim=1).values > 0.5).all()


def test_untrained_it_leaves_the_sound_alone():
    true, made, mel = strokes(1)
    with torch.no_grad():
        out = Attacks(8)(torch.from_numpy(made)[None], torch.from_numpy(mel)[None])[0].numpy()
    assert out.shape == made.shape and np.abs(out - made)[:, 300:-300].max() < 1e-5


def test_it_reaches_no_further_than_the_context_of_a_piece():
    torch.manual_seed(0)
    network = Attacks(8)
    torch.nn.init.normal_(network.out.weight, std=0.1)
    levels, mel = torch.zeros(1, BANDS, 100 * FRAMES), torch.zeros(1, 100, 256)
    other, further = levels.clone(), mel.clone()
    other[..., 50 * FRAMES], further[:, 50] = 3.0, 3.0
    with torch.no_grad():
        gap = (network.gains(other, further) - network.gains(levels, mel)).abs().amax(dim=(0, 1))
    touched = np.flatnonzero(gap.numpy() > 1e-6)
    assert touched.min() > (50 - OVERLAP / 4) * FRAMES and touched.max() < (51 + OVERLAP / 4) * FRAMES


def test_blurred_strokes_are_learned_sharp_on_others():
    torch.manual_seed(0)
    network = Attacks(16)
    history = training.learn(network, items(range(6)), items((20, 21)), 60, say=lambda words: None)
    assert history[-1][1][0] < 0.75 * history[-1][1][2]
    true, made, mel = strokes(30)
    with torch.no_grad():
        out = network(torch.from_numpy(made)[None], torch.from_numpy(mel)[None])[0].numpy()
    assert ATTACKS.loss_db(out, true) < ATTACKS.loss_db(made, true) - 2


def test_it_is_saved_with_the_vocoder_and_heard(tmp_path):
    torch.manual_seed(0)
    plain, attacks, mel = Vocoder(SMALL).eval(), Attacks(8), strokes(3)[2]
    torch.nn.init.normal_(attacks.out.weight, std=0.2)
    network = training.with_attacks(plain, attacks, 8)
    checkpoints.save(tmp_path, name="music_ldm-vocoder", system="music_ldm", part="vocoder",
                     config=asdict(network.config), state_dict=network.state_dict(), card_text="x", licence="GPL")
    loaded, _ = load_vocoder([tmp_path])
    sharp, without = vocode(loaded, mel, rate=RATE), vocode(loaded, mel, rate=RATE, attacks=False)
    assert np.allclose(without, vocode(plain, mel, rate=RATE), atol=2e-3) and np.abs(sharp - without).max() > 1e-3
    long = np.concatenate([mel] * 12)                       # pieces of 900 rows meet without a seam
    whole = vocode(loaded, long, rate=RATE)
    spectrum = np.abs(np.diff(whole.mean(0)))
    joint = 900 * 1024
    assert spectrum[joint - HOP:joint + HOP].max() <= np.quantile(spectrum, 0.9999) * 2


def test_a_pack_of_short_excerpts_is_refused(monkeypatch):
    sound = np.zeros((2, 30 * 1024), np.float32)
    monkeypatch.setattr(training, "read_pack", lambda pack, split: [({}, sound)])
    monkeypatch.setattr(training, "heard_mels", lambda sounds, vae: [np.zeros((30, 256), np.float32)])
    with pytest.raises(BadInput, match="longer"):
        training.pairs(Vocoder(SMALL).eval(), None, "SOUNDS.zip", "train")
