"""The vocoder's tone set right: what thirds of an octave say, and that a network of wrong tone comes out right."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from core import checkpoints  # noqa: E402
from core.audio import Audio  # noqa: E402
from core.audio.mel import log_mel  # noqa: E402
from models.music_ldm import sound_pack, vocoder_tone  # noqa: E402
from models.music_ldm.vocoder import BINS, RATE, load_vocoder, vocode  # noqa: E402
from models.music_ldm.vocoder_tone import THIRDS, level_gap, set_tone, third_levels, to_bins  # noqa: E402

SECONDS = 3.0


def hiss(seed):
    """Stereo noise (2, N) at 44,100 Hz whose two channels share half of their power."""
    rng = np.random.default_rng(seed)
    size = int(SECONDS * RATE)
    return (0.2 * (rng.normal(size=(1, size)) + 0.5 * rng.normal(size=(2, size)))).astype(np.float32)


def test_a_gap_is_the_gain_in_decibels_where_there_is_sound():
    sound = hiss(0)[0]
    assert level_gap([sound], [2 * sound]) == pytest.approx(np.full(len(THIRDS), 20 * np.log10(2)), abs=1e-6)
    tone = np.sin(2 * np.pi * 1000 * np.arange(len(sound)) / RATE)
    levels = third_levels(tone)
    assert THIRDS[levels.argmax()] == pytest.approx(1000.0)
    gap = level_gap([tone], [2 * tone])
    assert gap[levels.argmax()] == pytest.approx(6.02, abs=0.01) and gap[0] == 0        # nothing at 39 Hz: nothing said


def test_bins_get_the_gap_of_their_third():
    gap = np.zeros(len(THIRDS))
    gap[-1] = 6.0
    bias = to_bins(gap)
    hertz = np.arange(BINS) * RATE / 2048
    assert bias.shape == (BINS,) and bias[hertz < THIRDS[-2]] == pytest.approx(0.0)
    assert np.exp(bias[hertz > THIRDS[-1]]) == pytest.approx(10 ** (6 / 20), rel=1e-4)
    assert np.exp(to_bins(np.full(len(THIRDS), 40.0))).max() == pytest.approx(10 ** (6 / 20), rel=1e-4)


def test_a_dull_vocoder_gets_its_tone_back():
    network, _ = load_vocoder()
    sounds = [hiss(seed) for seed in range(2)]
    mels = [log_mel(Audio(sound, RATE).resampled(22_050).mono()) for sound in sounds]
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    try:
        set_tone(network, mels, sounds, 2, say=lambda words: None)
        bright = vocode(network, mels[0], rate=RATE)
        with torch.no_grad():
            network.mid.out.bias[:BINS] -= torch.linspace(0, 0.6, BINS)                # 5 dB less at the top
        gaps = set_tone(network, mels, sounds, 2, say=lambda words: None)
        again = vocode(network, mels[0], rate=RATE)
    finally:
        network.load_state_dict(kept)
    assert gaps[0][0] > 0.8 and gaps[-1][0] < 0.4 * gaps[0][0]
    size = min(bright.shape[1], again.shape[1])
    assert np.abs(level_gap([again[:, :size].mean(0)], [bright[:, :size].mean(0)])).mean() < 0.25


def test_the_command_writes_a_checkpoint_that_loads(tmp_path):
    items = [({"id": f"a{n}", "split": "train", "genre": "house", "scale": 1.0},
              sound_pack.encode(Audio(hiss(n), RATE).resampled(48_000).samples)) for n in range(2)]
    sound_pack.write_pack(tmp_path / "sounds.zip", items)
    assert vocoder_tone.main([str(tmp_path / "sounds.zip"), "--out", str(tmp_path / "out"), "--rounds", "1"]) == 0
    shipped, changed = (checkpoints.find("music_ldm", "vocoder", folders) for folders in (None, [tmp_path / "out"]))
    before, after = checkpoints.load_state(shipped), checkpoints.load_state(changed)
    differ = {name for name in before if not torch.equal(torch.as_tensor(before[name]), torch.as_tensor(after[name]))}
    assert differ == {"mid.out.bias", "side.out.bias"}
    assert "Tone set right on 2 excerpts" in (tmp_path / "out" / "music_ldm-vocoder.md").read_text()
