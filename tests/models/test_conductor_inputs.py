"""Any sound through the shipped pipeline: sensible motion, standing ready in silence, or one clear sentence."""
import numpy as np
import pytest
import soundfile
from conductor_fixtures import one_thread  # noqa: F401

from core.audio.io import read_audio
from core.errors import BadInput
from core.pipelines import open_pipeline
from models.lab.metrics.motion import foot_slide

SECONDS = 4.0


def pulse(rate, seconds=SECONDS):
    """A tone on every beat of 120."""
    t = np.arange(int(seconds * rate)) / rate
    return 0.5 * np.sin(2 * np.pi * 440 * t) * np.exp(-8 * (t % 0.5))


def speech(rate):
    """Vowels of a man's voice in syllables of uneven length, with pauses between words."""
    rng, pieces = np.random.default_rng(0), []
    while sum(map(len, pieces)) < SECONDS * rate:
        length = int(rng.uniform(0.12, 0.35) * rate)
        t = np.arange(length) / rate
        source = ((t * rng.uniform(95, 140)) % 1 < 0.1).astype(float) + 0.02 * rng.normal(size=length)
        formants = rng.choice([[730, 1090], [270, 2290], [300, 870], [530, 1840]])
        response = sum(np.exp(-t[:rate // 50] * 400) * np.sin(2 * np.pi * f * t[:rate // 50]) for f in formants)
        pieces += [np.convolve(source, response)[:length] * np.hanning(length),
                   np.zeros(int(rng.choice([0, 0.03, 0.25]) * rate))]
    voice = np.concatenate(pieces)[:int(SECONDS * rate)]
    return 0.5 * voice / np.abs(voice).max()


SOUNDS = {
    "silence": (np.zeros(int(44_100 * SECONDS)), 44_100),
    "noise": (np.random.default_rng(0).normal(0, 0.2, (int(44_100 * SECONDS), 2)), 44_100),
    "speech": (speech(16_000), 16_000),
    "8 kHz": (pulse(8_000), 8_000),
    "192 kHz": (np.stack([pulse(192_000)] * 2, 1), 192_000),
    "mono": (pulse(44_100), 44_100),
    "5.1": (np.stack([pulse(48_000) * gain for gain in (0.5, 0.5, 0.8, 0.9, 0.3, 0.3)], 1), 48_000),
}


@pytest.fixture(scope="module")
def conduct():
    return open_pipeline("conduct", None, "cpu")


@pytest.mark.parametrize("name", SOUNDS)
def test_any_sound_gives_sensible_motion(conduct, name, tmp_path):
    samples, rate = SOUNDS[name]
    path = tmp_path / "sound.wav"
    soundfile.write(path, samples, rate, subtype="PCM_16")
    motion = conduct.generate(read_audio(path), steps=5, seed=1).motion
    positions = motion.positions()
    assert len(motion) == int(SECONDS * 30) and np.isfinite(positions).all()
    assert foot_slide(positions, 30)[0] < 0.01
    # a standing body, arms in reach
    assert 0.5 < positions[..., 2].max() < 2.5 and np.abs(positions[..., :2]).max() < 1.5
    if name in ("silence", "noise"):
        assert np.ptp(positions, axis=0).max() < 1e-3         # no beat, no bluff: standing ready
    elif name != "speech":
        assert np.ptp(positions[:, 23], axis=0).max() > 0.02


def test_the_beat_is_found_whatever_the_file_is(conduct, tmp_path):
    """The same pulse at 8 kHz mono and at 48 kHz in six channels: the same beats, so the same conducting."""
    found = []
    for name in ("8 kHz", "5.1"):
        samples, rate = SOUNDS[name]
        soundfile.write(tmp_path / "sound.wav", samples, rate)
        found.append(conduct.generate(read_audio(tmp_path / "sound.wav"), steps=1, seed=1).beats.times)
    assert len(found[0]) == len(found[1]) and np.abs(found[0] - found[1]).max() < 0.03


def test_too_short_and_corrupt_files_are_one_sentence(conduct, tmp_path):
    soundfile.write(tmp_path / "short.wav", pulse(44_100, 0.2), 44_100)
    with pytest.raises(BadInput) as short:
        conduct.generate(read_audio(tmp_path / "short.wav"), steps=1)
    (tmp_path / "corrupt.wav").write_bytes(b"RIFF" + np.random.default_rng(0).bytes(5000))
    with pytest.raises(BadInput) as corrupt:
        read_audio(tmp_path / "corrupt.wav")
    for error in (short, corrupt):
        assert 20 < len(str(error.value)) < 300 and "\n" not in str(error.value) and str(error.value).endswith(".")
