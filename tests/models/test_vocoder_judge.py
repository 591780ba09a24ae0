"""What vocoders are judged by: each measure finds the fault it is for, and the table's rows expose it."""
import numpy as np
import pytest
import torch

from core import checkpoints
from core.errors import BadInput
from models.lab.evaluation.music_ldm import vocoder_measures as measures
from models.lab.evaluation.music_ldm.vocoder_judge import COLUMNS, judge, load_pieces
from models.music_ldm.vocoder import RATE, Vocoder, VocoderConfig
from models.training.shards import pack_audio, write_shard


def beat(seconds, rate=RATE, seed=0):
    """Hats four times a second over a tone, (2, N)."""
    rng, time = np.random.default_rng(seed), np.arange(int(seconds * rate)) / rate
    hat = np.exp(-60 * (time % 0.25)) * rng.normal(size=(2, len(time)))
    return (0.2 * hat + 0.1 * np.sin(2 * np.pi * 220 * time)).astype(np.float32)


def shaped(sound, gain):
    """A sound whose spectrum is multiplied by gain(hertz)."""
    spectrum = np.fft.rfft(sound, axis=1)
    return np.fft.irfft(spectrum * gain(np.fft.rfftfreq(sound.shape[1], 1 / RATE)), sound.shape[1]).astype(np.float32)


def kicks(seconds, rate, swell=0.0):
    """Decaying tones of 60 Hz from 0.2 s on, every half a second, (2, N); each takes `swell` seconds to come."""
    time = np.arange(int(seconds * rate)) / rate
    late = (time - 0.2) % 0.5
    shape = np.exp(-late / 0.06) * np.minimum(late / max(swell, 1e-9), 1) * (time > 0.2)
    return np.tile(0.5 * np.sin(2 * np.pi * 60 * late) * shape, (2, 1))


def test_bands_and_tilt_read_an_equaliser():
    sound = np.random.default_rng(0).normal(size=(2, 4 * RATE)).astype(np.float32)
    louder = shaped(sound, lambda hertz: np.where((hertz > 900) & (hertz < 1100), 2.0, 1.0))
    gap = measures.band_levels(louder) - measures.band_levels(sound)
    assert abs(gap[13] - 6.0) < 0.7 and np.abs(np.delete(gap, 13)).max() < 0.3 and round(measures.BANDS[13]) == 1000
    darker = shaped(sound, lambda hertz: (np.maximum(hertz, 20) / 1000) ** -0.5)      # 3 dB per octave
    tilt = measures.tilt(measures.band_levels(darker)) - measures.tilt(measures.band_levels(sound))
    assert abs(tilt + 3.0) < 0.1


def test_smeared_attacks_are_found():
    sound = beat(3)
    places = measures.ATTACKS.places(sound)
    assert 8 <= len(places) <= 12 and np.abs((places / RATE + 0.01) % 0.25 - 0.01).max() < 0.006
    smear = np.ones(900) / 30.0                                                       # 20 ms
    blurred = np.stack([np.convolve(c, np.random.default_rng(1).normal(size=900) * smear, mode="same") for c in sound])
    attacks = measures.ATTACKS
    assert attacks.loss_db(sound, sound) == 0 and attacks.loss_db(blurred.astype(np.float32), sound) > 5
    assert np.isnan(attacks.loss_db(np.zeros((2, RATE)), np.zeros((2, RATE))))


def test_soft_kicks_are_found_and_hats_are_none():
    room = 0.01 * shaped(np.random.default_rng(2).normal(size=(2, 3 * RATE)), lambda hertz: hertz < 2000)
    sharp, soft = kicks(3, RATE) + room, kicks(3, RATE, swell=0.04) + room
    places = measures.KICKS.places(sharp)
    assert 5 <= len(places) <= 6 and np.abs((places / RATE - 0.2 + 0.01) % 0.5 - 0.01).max() < 0.01
    assert measures.KICKS.loss_db(sharp, sharp) == 0 and measures.KICKS.loss_db(soft, sharp) > 3
    assert not len(measures.KICKS.places(shaped(beat(3), lambda hertz: np.where(hertz > 2000, 1.0, 0.0))))


def test_a_judge_tells_what_differs_and_nothing_else():
    torch.set_num_threads(1)
    real = [beat(1.5, seed=n) for n in range(6)]
    dull = [shaped(sound, lambda hertz: 1 / (1 + (hertz / 4000) ** 2)) for sound in real]
    assert measures.judge_accuracy(dull, real, 3, steps=70) > 0.85
    assert 0.3 < measures.judge_accuracy(real, real, 3, steps=10) < 0.7


def test_the_table_on_small_files(tmp_path):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    items = [({"id": f"d{n}", "kind": "dance", "split": "test", "genre": ("house", "krump")[n % 2]},
              {"audio": pack_audio(0.5 * (beat(3, 48_000, n) + kicks(3, 48_000))),
               "beats": np.zeros((0, 2), np.float32)}) for n in range(4)]
    write_shard(tmp_path / "corpus" / "a.safetensors", items)
    config = VocoderConfig(width=16, blocks=1, upper_width=16, upper_blocks=1)
    checkpoints.save(tmp_path / "ck", name="music_ldm-vocoder", system="music_ldm", part="vocoder",
                     config=config.to_json(),
                     state_dict=Vocoder(config).state_dict(), card_text="", licence="GPL-3.0-or-later")
    result = judge(tmp_path / "corpus", {"tiny": tmp_path / "ck"}, seconds=1.5, judge_steps=2, report=lambda text: None)
    rows = result["rows"]
    assert list(rows) == ["the same sound", "another piece", "griffin_lim_32", "tiny, network alone",
                          "tiny, with steady tones", "tiny, with the two stages"]
    assert all(set(COLUMNS) <= set(row) and np.isfinite([row[c] for c in COLUMNS]).all() for row in rows.values())
    assert (rows["the same sound"]["ms_mel"] == rows["the same sound"]["worst_band_db"] == 0
            < rows["another piece"]["ms_mel"])
    assert rows["griffin_lim_32"]["worst_band_db"] > 20                               # it has nothing above 11 kHz
    assert rows["tiny, with the two stages"]["log_mel"] < rows["tiny, network alone"]["log_mel"]
    with pytest.raises(BadInput):
        load_pieces(tmp_path / "corpus", 2, 1.5)
