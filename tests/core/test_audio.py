"""Reading, slicing, writing and delivering sound; every bad file gets one clear sentence."""
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio import Audio
from core.audio import loudness as L
from core.audio import meter as M
from core.audio.io import read_audio, read_passage, write_wav
from core.errors import BadInput

MUSIC = Path(__file__).resolve().parents[3] / "shared" / "data" / "music"


def tone(seconds=2.0, rate=48_000, hertz=440.0, channels=2, level=0.3):
    t = np.arange(int(seconds * rate)) / rate
    return np.tile((level * np.sin(2 * np.pi * hertz * t)).astype(np.float32), (channels, 1))


def save(path, samples, rate, **options):
    soundfile.write(str(path), samples.T, rate, **options)
    return path


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 192_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_rates_and_channels(tmp_path, rate, channels):
    audio = read_audio(save(tmp_path / "a.wav", tone(1.0, rate, channels=channels), rate))
    assert (audio.rate, audio.channels) == (rate, channels) and abs(audio.duration - 1.0) < 1e-3
    assert audio.mono().shape == (rate,) and audio.stereo().samples.shape == (2, rate)
    assert audio.resampled(48_000).samples.shape == (channels, 48_000)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_formats(tmp_path, suffix):
    audio = read_audio(save(tmp_path / f"a.{suffix}", tone(1.0, 44_100), 44_100))
    spectrum = np.abs(np.fft.rfft(audio.mono()[:44_100]))
    assert abs(int(spectrum.argmax()) - 440) <= 1


def test_surround_fold_down_keeps_the_centre_and_drops_the_lfe():
    x = np.zeros((6, 10), np.float32)
    x[2] = 1.0
    np.testing.assert_allclose(Audio(x, 10).stereo().samples, np.sqrt(0.5), rtol=1e-6)
    x[2], x[3] = 0.0, 1.0
    assert not Audio(x, 10).stereo().samples.any()


def test_range_in_seconds(tmp_path):
    ramp = np.linspace(0, 0.9, 48_000, dtype=np.float32)[None]
    path = save(tmp_path / "a.wav", ramp, 48_000, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(path, start=0.25, duration=0.5).samples[0], ramp[0, 12_000:36_000])
    np.testing.assert_array_equal(Audio(ramp, 48_000).slice(0.25, 0.75).samples, ramp[:, 12_000:36_000])
    assert read_audio(path, start=0.75, duration=9).duration == pytest.approx(0.25)


def bad_files(folder):
    nan = tone(1.0)
    nan[0, 100] = np.nan
    (folder / "empty.wav").write_bytes(b"")
    (folder / "corrupt.wav").write_bytes(b"RIFF" + bytes(range(200)))
    (folder / "text.ogg").write_text("not sound")
    return [(folder / "absent.wav", {}, "does not exist"), (folder, {}, "is a folder"),
            (folder / "empty.wav", {}, "empty"), (folder / "corrupt.wav", {}, "cannot be read as sound"),
            (folder / "text.ogg", {}, "cannot be read as sound"),
            (save(folder / "zero.wav", np.zeros((1, 0), np.float32), 48_000), {}, "holds no sound"),
            (save(folder / "nan.wav", nan, 48_000, subtype="FLOAT"), {}, "not numbers"),
            (save(folder / "short.wav", tone(0.2), 48_000), {"minimum": 1.0}, "only 0.20 s"),
            (save(folder / "fine.wav", tone(1.0), 48_000), {"start": 5.0}, "ends before 5 s"),
            (folder / "fine.wav", {"duration": 0.0}, "above 0"), (folder / "fine.wav", {"start": -1}, "0 or later"),
            (save(folder / "odd.wav", tone(1.0, 2_000), 2_000), {}, "2000 Hz"),
            (save(folder / "long.wav", np.zeros((1, 4_000 * 3_700), np.float32), 4_000), {}, "62 min")]


def test_each_bad_file_has_its_sentence(tmp_path):
    for path, options, words in bad_files(tmp_path):
        with pytest.raises(BadInput) as caught:
            read_audio(path, **options)
        assert words in str(caught.value) and "\n" not in str(caught.value), (path.name, str(caught.value))


def test_strip_offset_speed_and_padding(tmp_path):
    ramp = np.linspace(0, 0.9, 96_000, dtype=np.float32)[None]              # 2 s: value 0.45 t
    path = save(tmp_path / "a.wav", ramp, 48_000, subtype="FLOAT")
    audio = read_passage(path, offset=0.5, duration=0.5, speed=2.0)          # file seconds 0.5 .. 1.5
    assert audio.duration == pytest.approx(0.5)
    np.testing.assert_allclose(audio.samples[0, 4_800:19_200:4_800], 0.45 * (0.5 + 2 * np.array([0.1, 0.2, 0.3])),
                               atol=2e-3)
    early = read_passage(path, offset=-0.25, duration=3.0)
    assert early.duration == pytest.approx(3.0)
    assert not early.samples[0, :12_000].any() and not early.samples[0, 12_000 + 96_000:].any()
    np.testing.assert_array_equal(early.samples[0, 12_000:108_000], ramp[0])
    for options, words in (({"speed": 0.0}, "times its speed"), ({"duration": 0.0}, "length of zero"),
                           ({"offset": -2.0, "duration": 1.0}, "before the sound")):
        with pytest.raises(BadInput, match=words):
            read_passage(path, **options)


def test_written_file_is_48k_stereo_24_bit_and_whole(tmp_path):
    path = write_wav(tmp_path / "new" / "take.wav", tone(0.5))
    info = soundfile.info(str(path))
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (48_000, 2, "PCM_24", 24_000)
    np.testing.assert_allclose(read_audio(path).samples, tone(0.5), atol=2 ** -23)
    assert not list(tmp_path.rglob("*.part"))
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput) as caught:
        write_wav(tmp_path / "file" / "take.wav", tone(0.5))
    assert str(caught.value) == (f"The sound cannot be written to {tmp_path / 'file' / 'take.wav'} "
                                 "(a file lies where a folder should be); choose another folder.")


def percussive(seconds=4.0, rate=48_000):
    """Noise bursts twice a second: far more peak than loudness, so that the limiter has to work."""
    rng = np.random.default_rng(0)
    t = np.arange(int(seconds * rate)) / rate
    return (rng.normal(size=(2, len(t))) * np.exp(-30 * (t % 0.5))).astype(np.float32) + 0.05


@pytest.mark.parametrize("preset, lufs", [(k, v) for k, v in L.presets().items() if v is not None])
@pytest.mark.parametrize("make", [tone, percussive])
def test_delivery_meets_loudness_peak_fade_and_dc(preset, lufs, make):
    out = L.deliver(make(4.0), 48_000, preset)
    assert abs(M.integrated_loudness(out, 48_000) - lufs) < 0.5
    assert L.true_peak_db(out, 48_000) <= -1.0
    assert np.abs(out[:, [0, -1]]).max() < 1e-3 and np.abs(out.mean(axis=1)).max() < 1e-3


@pytest.mark.parametrize("seconds, rate", [(7.0, 48_000), (6.3, 44_100), (0.2, 48_000), (0.4, 22_050)])
def test_loudness_is_pyloudnorms(seconds, rate):
    """Longer than one transform and short, with a quiet part for the gates and an offset for the high-pass."""
    import pyloudnorm
    rng, count = np.random.default_rng(0), int(seconds * rate)
    x = (rng.normal(size=(2, count)) * np.linspace(1e-3, 0.5, count) + 0.1).astype(np.float32)
    reference = pyloudnorm.Meter(rate, block_size=min(0.4, seconds)).integrated_loudness(x.T.astype(np.float64))
    assert abs(M.integrated_loudness(x, rate) - reference) < 1e-4
    assert M.integrated_loudness(np.full((1, rate), 1e-6), rate) == -np.inf
    assert M.integrated_loudness(np.zeros((2, rate)), rate) == -np.inf


@pytest.mark.parametrize("up, down", [(4, 1), (22_050, 48_000), (147, 160), (1, 2), (3, 7), (5, 5)])
@pytest.mark.parametrize("count", [1, 7, 1_000, 30_001])
def test_resampling_is_scipys(up, down, count):
    from scipy.signal import resample_poly as reference

    from core.audio.resample import oversample
    x = np.random.default_rng(count).normal(size=(2, count)).astype(np.float32)
    wanted = reference(x, up, down, axis=1)
    made = oversample(x, up, down)
    assert made.shape == wanted.shape and made.dtype == np.float32
    np.testing.assert_allclose(made, wanted, atol=3e-6)
    np.testing.assert_allclose(oversample(x[0], up, down), wanted[0], atol=3e-6)


def test_a_mel_spectrum_is_centred_and_the_same_in_chunks(monkeypatch):
    from core.audio import spectra
    filters, hop = spectra.slaney_filters(40, 22_050, 1024)[1], 256
    x = np.zeros(22_050, np.float32)
    x[30 * hop] = 1.0
    found = spectra.mel_spectrum(x, filters, hop)
    assert found.shape == (1 + 22_050 // hop, 40) and found.dtype == np.float32 and found.sum(1).argmax() == 30
    x += np.random.default_rng(0).normal(size=22_050).astype(np.float32)
    whole = spectra.mel_spectrum(x, filters, hop, power=2.0)
    monkeypatch.setattr(spectra, "CHUNK_FRAMES", 7)
    np.testing.assert_allclose(spectra.mel_spectrum(x, filters, hop, power=2.0), whole, rtol=1e-4)
    np.testing.assert_allclose(spectra.mel_spectrum(x, np.eye(513), hop) ** 2, spectra.mel_spectrum(x, np.eye(513),
                                                                                                    hop, 2.0),
                               rtol=1e-4)
    assert spectra.mel_spectrum(np.zeros(10), filters, hop).shape == (1, 40)


@pytest.mark.parametrize("count", [300, 22_050, 50_000])
def test_mels_are_librosas(count):
    import librosa

    from core.audio import mel as mels
    x = (np.random.default_rng(0).normal(size=count) * np.linspace(0, 0.5, count)).astype(np.float32)
    magnitude = np.abs(librosa.stft(x, n_fft=2048, hop_length=512, pad_mode="constant"))
    for rate, size, bands in ((22_050, 2048, 256), (22_050, 2048, 128)):
        reference = librosa.filters.mel(sr=rate, n_fft=size, n_mels=bands)
        np.testing.assert_allclose(mels.filters(rate, size, bands), reference, atol=1e-7)
    power = mels.filters() @ magnitude
    np.testing.assert_allclose(mels.log_mel(x), np.log(np.maximum(power, mels.FLOOR)).T, atol=2e-4)
    decibel = librosa.power_to_db(mels.filters() @ magnitude ** 2, ref=np.max, top_db=80.0)
    np.testing.assert_allclose(mels.image_mel(x), ((decibel + 80) / 80).T, atol=1e-4)


def test_true_peak_sees_between_samples():
    """A quarter-rate tone at 45 degrees: samples reach 0.707, the waveform 1.0 (BS.1770-4 annex 2)."""
    x = np.sin(2 * np.pi * 0.25 * np.arange(4_800) + np.pi / 4)[None]
    assert L.true_peak_db(x[:, 1_000:-1_000] * np.hanning(2_800), 48_000) > 20 * np.log10(0.95)
    assert 20 * np.log10(np.abs(x).max()) < -3.0


def test_delivery_measures_peaks_twice_at_most(monkeypatch):
    """Sound that has to be limited over several rounds: once for the gain, once for what is delivered."""
    calls, measure = [], L.peak_envelope
    monkeypatch.setattr(L, "peak_envelope", lambda *given: calls.append(1) or measure(*given))
    out = L.deliver(percussive(), 48_000, "streaming")
    assert len(calls) <= 2 and L.true_peak_db(out, 48_000) <= -1.0


def test_limiter_leaves_quiet_sound_alone_and_peak_preset_reaches_the_ceiling():
    quiet = tone(level=0.1)
    assert L.limit(quiet, 48_000) is quiet
    assert -1.3 < L.true_peak_db(L.deliver(quiet, 48_000, "peak"), 48_000) <= -1.0


def test_silence_short_and_loop():
    assert not L.deliver(np.zeros((2, 48_000), np.float32), 48_000).any()
    assert np.isfinite(L.deliver(tone(0.05), 48_000)).all()
    out = L.deliver(tone(1.0), 48_000, loop=True)                            # 440 whole periods: no fade, no click
    step = np.abs(np.diff(np.concatenate([out, out], axis=1))).max()
    assert abs(out[0, 0] - out[0, -1]) <= step * 1.01 and np.abs(out[:, :100]).max() > 0.1
    with pytest.raises(BadInput, match="unknown"):
        L.deliver(tone(), 48_000, "loudest")


@pytest.mark.skipif(not MUSIC.is_dir(), reason="shared music absent")
def test_real_track_is_delivered():
    audio = read_audio(MUSIC / "brahms_hungarian_dance_5.ogg", start=5, duration=10)
    out = L.deliver(audio.resampled(48_000).stereo().samples, 48_000, "streaming")
    assert abs(M.integrated_loudness(out, 48_000) + 14) < 1.0 and L.true_peak_db(out, 48_000) <= -1.0


def test_channels_in_opposite_phase_do_not_cancel():
    tone = np.sin(np.arange(4800) * 0.05).astype(np.float32)
    assert np.allclose(Audio(np.stack([tone, -tone]), 48_000).mono(), tone)
    assert np.allclose(Audio(np.stack([tone, -0.95 * tone]), 48_000).mono(), tone)
    assert np.allclose(Audio(np.stack([tone, 0 * tone]), 48_000).mono(), tone / 2)  # one side alone: the plain mean


def test_there_is_one_way_to_another_rate_and_one_to_a_mel():
    """Everything resamples by `core.audio.resample` and takes its mel of `core.audio.spectra`."""
    root, found = Path(__file__).resolve().parents[2], []
    for path in [*root.glob("core/**/*.py"), *root.glob("models/**/*.py")]:
        text = path.read_text(encoding="utf-8")
        for word, home in (("soxr.resample", "resample.py"), ("librosa.resample", ""), ("melspectrogram", ""),
                           ("scipy.signal import resample", "resample.py")):
            if word in text and path.name != home:
                found.append(f"{path.relative_to(root)}: {word}")
    assert not found
