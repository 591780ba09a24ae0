"""Beats as data and the rhythm curve (docs/contracts.md, section 2)."""
import json

import numpy as np
import pytest

from core.errors import BadInput
from core.rhythm.beats import RHYTHM_CHANNELS, Beats, read_beats, rhythm_curve
from core.rhythm.decoder import apply_level


@pytest.fixture
def four():
    """120 BPM, 4/4, starting on a downbeat at 0.5 s."""
    return Beats(0.5 + np.arange(16) * 0.5, np.arange(16) % 4 + 1)


def test_tempo_and_downbeats(four):
    assert four.tempo_bpm == 120 and np.allclose(four.downbeats, [0.5, 2.5, 4.5, 6.5])
    assert Beats([], []).tempo_bpm == 0


def test_order_is_checked():
    with pytest.raises(BadInput, match="ascend"):
        Beats([1.0, 0.5], [1, 2])
    with pytest.raises(BadInput, match="positions"):
        Beats([1.0, 2.0], [1])


def test_half_and_double_time(four):
    double = four.double_time()
    assert double.tempo_bpm == 240 and np.allclose(double.times[::2], four.times)
    assert double.positions.tolist()[:9] == [1, 2, 3, 4, 1, 2, 3, 4, 1]
    half = four.half_time()
    assert half.tempo_bpm == 60 and half.positions.tolist()[:5] == [1, 2, 3, 4, 1]
    late = Beats(four.times[1:], four.positions[1:])                       # begins on beat 2
    assert set(np.round(late.half_time().times, 3)) <= set(np.round(four.times[::2], 3))


@pytest.mark.parametrize("metre", [6, 9, 12])
def test_half_of_bars_in_threes_are_the_dotted_beats(metre):
    """Every second beat of a nine would be a cross-rhythm; a metre that was asked for is kept all the same."""
    eighths = Beats(np.arange(4 * metre - 1) * 0.5, (np.arange(4 * metre - 1) + 1) % metre + 1, metre)  # begins on two
    half = eighths.half_time()
    assert half.metre == metre // 3 and np.allclose(np.diff(half.times), 1.5)
    assert np.allclose(half.downbeats, eighths.downbeats) and half.positions[0] == (2 if metre > 3 else 1)
    assert apply_level(eighths, "half").metre == metre // 3 and apply_level(eighths, "half", metre).metre == metre
    assert np.allclose(np.diff(apply_level(eighths, "half", metre).times), 1.0)
    unknown = Beats(eighths.times, np.zeros(len(eighths), int), metre)
    assert unknown.half_time().metre == metre


def test_within_and_shifted(four):
    part = four.within(1.0, 2.6)
    assert np.allclose(part.times, [0, 0.5, 1.0, 1.5]) and part.positions.tolist() == [2, 3, 4, 1]
    assert np.allclose(four.shifted(0.25).times, four.times + 0.25)


def test_json_there_and_back(four):
    back = Beats.from_json(json.loads(json.dumps(four.to_json())))
    assert np.allclose(back.times, four.times) and np.array_equal(back.positions, four.positions)
    assert Beats.from_json({"times": [1, 2]}).positions.tolist() == [0, 0]


def test_beats_file(tmp_path, four):
    (tmp_path / "a.txt").write_text("# seconds position\n0.5 1\n1.0,2\n1.5 3\n")
    read = read_beats(tmp_path / "a.txt")
    assert np.allclose(read.times, [0.5, 1, 1.5]) and read.metre == 3
    (tmp_path / "a.json").write_text(json.dumps(four.to_json()))
    assert len(read_beats(tmp_path / "a.json")) == 16
    (tmp_path / "b.txt").write_text("0.5\nsoon\n")
    with pytest.raises(BadInput, match="Line 2"):
        read_beats(tmp_path / "b.txt")
    with pytest.raises(BadInput, match="cannot be read"):
        read_beats(tmp_path / "absent.txt")


def curve_of(beats, frames=300, **extra):
    return dict(zip(RHYTHM_CHANNELS, rhythm_curve(beats.times, beats.downbeats, frames, **extra).T))


def test_curve_shape_and_peaks(four):
    curve = curve_of(four)
    peaks = np.nonzero(curve["beat"] > 0.99)[0]
    assert peaks.tolist() == [15 + 15 * k for k in range(16)]
    assert np.nonzero(curve["downbeat"] > 0.99)[0].tolist() == [15, 75, 135, 195]
    # Gaussian of sigma 1/30 s: one frame away from the beat exp(-1/2).
    assert curve["beat"][16] == pytest.approx(np.exp(-0.5), abs=1e-5)


def test_phase_is_zero_on_the_beat(four):
    curve = curve_of(four)
    assert np.allclose(curve["phase_cos"][15:240:15], 1, atol=1e-4)
    angle = np.unwrap(np.arctan2(curve["phase_sin"][15:240], curve["phase_cos"][15:240]))
    assert np.allclose(np.diff(angle), 2 * np.pi / 15, atol=1e-4)


def test_unknown_is_all_zero(four):
    curve = rhythm_curve(four.times, four.downbeats, 400)
    known = curve[:, 4]
    assert known[0] == 1 and known[int((8.0 + 0.5) * 30) + 2:].max() == 0
    assert np.abs(curve[known == 0]).max() == 0
    assert np.abs(rhythm_curve([1.0], [], 50)).max() == 0                 # one beat has no tempo
    assert rhythm_curve(four.times, [], 0).shape == (0, 5)


def test_curve_follows_its_start_and_rate(four):
    whole, part = rhythm_curve(four.times, four.downbeats, 300), rhythm_curve(four.times, four.downbeats, 100,
                                                                              start=2.0)
    assert np.abs(whole[60:160] - part).max() < 1e-5
    double = rhythm_curve(four.times, four.downbeats, 600, fps=60)
    assert np.abs(double[::2] - whole).max() < 1e-5


def test_only_times_enter(four):
    """Confidence, metre and extra change nothing: the curve is a function of beat and downbeat times."""
    other = Beats(four.times, four.positions, metre=3, confidence=0.1, extra={"onsets": [1, 2]})
    assert np.array_equal(rhythm_curve(other.times, other.downbeats, 200),
                          rhythm_curve(four.times, four.downbeats, 200))
