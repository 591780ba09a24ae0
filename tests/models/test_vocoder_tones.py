"""Steady tones after the vocoder's network: they ring, noise stays noise, pieces and rings have no seams."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")
from core.audio import Audio  # noqa: E402
from core.audio.mel import log_mel  # noqa: E402
from models.music_ldm import vocoder, vocoder_tones  # noqa: E402
from models.music_ldm.vocoder_tones import Singer, Tones, magnitudes  # noqa: E402

RATE, HOP = vocoder.RATE, vocoder.MEL_HOP
PARTIALS = (220.0, 331.0, 447.0, 1234.0)


def chord(seconds, rate=RATE, begins=0.0):
    """Four steady partials of level 0.05 that begin at a time, (N,) float32."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.05 * sum(np.sin(2 * np.pi * hertz * time) for hertz in PARTIALS) * (time >= begins)).astype(np.float32)


def purity(sound):
    """Share of the power that lies within 8 Hz of the partials."""
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
    near = np.min(np.abs(hertz[:, None] - np.array(PARTIALS)), axis=1) < 8
    return power[near].sum() / power.sum()


def rough(sound, seed=0):
    """(2, N): the magnitudes of a sound (N,) in frames of the head with random phases, and silence."""
    spectrum = torch.stft(torch.from_numpy(sound), 2048, 512, window=torch.hann_window(2048), return_complex=True)
    phase = torch.rand(spectrum.shape, generator=torch.Generator().manual_seed(seed)) * 2 * torch.pi
    made = torch.istft(torch.polar(spectrum.abs(), phase), 2048, 512, window=torch.hann_window(2048),
                       length=len(sound))
    return torch.stack([made, 0 * made])


def test_a_chord_of_the_shipped_network_rings():
    network, mel = vocoder.load_vocoder()[0], log_mel(chord(2.0, 22_050))
    bare, sung = (vocoder.vocode(network, mel, rate=RATE, tones=tones).mean(0)[RATE // 2:-RATE // 2]
                  for tones in (False, True))
    assert purity(sung) > 0.97 and purity(bare) < 0.9
    true = chord(2.0)[RATE // 2:-RATE // 2]
    assert abs(10 * np.log10((sung ** 2).mean() / (true ** 2).mean())) < 1.5


def test_a_tone_is_one_and_begins_with_its_stroke():
    tones = Tones(log_mel(chord(3.0, 22_050, begins=1.0)))
    begins = round(22_050 / HOP * 2)
    bands = vocoder_tones._nearest()[np.round(np.array(PARTIALS) * 4096 / RATE).astype(int)]
    held = tones.tone[:, bands]
    assert (held[:begins - 2] < 0).all()
    for partial, numbers in zip(PARTIALS, held[begins + 3:-3].T):
        assert len(set(numbers)) == 1 and numbers[0] >= 0
        assert abs(tones.frame[numbers[0]] - begins) <= 3
        assert abs(tones.bin[numbers[0]] * RATE / 4096 - partial) < RATE / 4096
        assert not (tones.tone[tones.frame[numbers[0]]] == numbers[0]).any()       # a stroke is the network's


def flatness(sound):
    """Geometric over arithmetic mean of the power below 2 kHz in windows of 0.37 s: 0.56 is white noise, 0 a tone."""
    windows = np.lib.stride_tricks.sliding_window_view(sound, 16_384)[::8_192] * np.hanning(16_384)
    power = np.abs(np.fft.rfft(windows)[:, 20:740]) ** 2
    return float((np.exp(np.log(power + 1e-12).mean(1)) / power.mean(1)).mean())


@pytest.mark.parametrize("gate", [0.0, 25.0])           # steady, and strokes that die away
def test_noise_stays_noise(gate):
    """Peaks of noise that live for some frames by chance are followed too; that makes no tone of it."""
    time = np.arange(4 * RATE) / RATE
    noise = (0.1 * np.random.default_rng(0).normal(size=len(time)) * np.exp(-gate * (time % 0.4))).astype(np.float32)
    mel = log_mel(Audio(noise, RATE).resampled(22_050).mono())
    pair = torch.from_numpy(np.stack([noise, np.zeros_like(noise)]))[:, :(len(mel) - 1) * 1024]
    sung = Singer(mel)(pair, 0, len(mel))[0].numpy()
    assert flatness(sung) > 0.85 * flatness(noise)
    assert (Tones(mel).tone >= 0).mean() < 0.35 and (Tones(log_mel(chord(4.0, 22_050))).tone >= 0).mean() > 0.5


def test_magnitudes_have_the_mel():
    mel = log_mel(chord(1.0, 22_050) + 0.003 * np.random.default_rng(0).normal(size=22_050).astype(np.float32))
    found = magnitudes(mel)
    spectrum = torch.stft(torch.from_numpy(chord(1.0)), 4096, HOP, window=torch.hann_window(4096), return_complex=True)
    bins = np.round(np.array(PARTIALS) * 4096 / RATE).astype(int)
    assert np.allclose(np.log(found[10:30, bins]), np.log(spectrum.abs().T[10:30, bins].numpy()), atol=0.25)


def test_pieces_of_a_sound_are_sung_as_the_whole():
    sound, mel = rough(chord(5.0)), log_mel(chord(5.0, 22_050))
    whole = Singer(mel)(sound, 0, len(mel))
    singer, cut, around = Singer(mel), 100, 20          # in pieces with some frames around, as `vocode` works
    first = singer(sound[:, :(cut + around) * HOP], 0, cut + 3)[:, :cut * HOP]
    later = singer(sound[:, (cut - around) * HOP:], cut - around, len(mel))[:, around * HOP:]
    assert purity(whole[0].numpy()) > 0.95 > 0.8 > purity(sound[0].numpy())
    assert torch.abs(torch.cat([first, later], dim=1) - whole).max() < 1e-4 * whole.abs().max()


def test_the_end_of_a_ring_meets_its_beginning():
    """A tone whose phase fits neither the ring nor the context: no step in the sound and none in its slope."""
    context, frames = 20, 100
    sound = np.stack([np.sin(2 * np.pi * 441.3 / RATE * np.arange((frames + 2 * context) * HOP, dtype=np.float32))] * 2)
    turn = vocoder.one_turn(sound, frames, context)
    assert turn.shape == (2, frames * HOP) and np.array_equal(turn[:, :80 * HOP], sound[:, 20 * HOP:100 * HOP])
    twice = np.concatenate([turn[0, -50:], turn[0, :50]])
    assert np.abs(np.diff(twice, 2)).max() < 1.1 * np.abs(np.diff(sound[0], 2)).max()


def test_silence_and_a_single_row_have_no_tones():
    for rows in (1, 30):
        mel = np.full((rows, 256), vocoder.SILENCE, np.float32)
        sound = torch.ones(2, max(1, rows - 1) * HOP)
        assert not len(Tones(mel).frame) and torch.equal(Singer(mel)(sound, 0, rows), sound)
