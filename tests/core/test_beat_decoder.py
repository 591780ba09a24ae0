"""The decoder recovers known beats from noisy activations, follows rubato, and honours what the user fixes."""
from dataclasses import replace

import numpy as np
import pytest

from core.errors import BadInput
from core.rhythm.bars import find_bars
from core.rhythm.beats import Beats, rhythm_curve
from core.rhythm.decoder import _Change, confidence, decode
from core.rhythm.decoder_config import CONFIG, MUSIC


def activations_of(times, positions, seconds, fps, noise=0.3, seed=0):
    """Curve of written beats, blurred in amplitude and buried in noise: what a good network gives."""
    rng = np.random.default_rng(seed)
    curve = rhythm_curve(times, times[positions == 1], int(seconds * fps), fps)[:, :4].copy()
    curve[:, :2] = np.clip(0.8 * curve[:, :2] + noise * rng.random((len(curve), 2)), 0, 1)
    curve[:, 2:] = 0.7 * curve[:, 2:] + noise * rng.normal(size=(len(curve), 2))
    return curve


def piece(bpm, metre, seconds=40.0, rubato=0.0, first=0.2):
    count = int(seconds * bpm / 60 * 1.5) + 4
    periods = 60 / bpm * (1 + rubato * np.sin(np.arange(count) / (1.2 * metre)))
    times = first + np.concatenate([[0], np.cumsum(periods)[:-1]])
    times = times[times < seconds - 0.1]
    return times, np.arange(len(times)) % metre + 1


def f1(reference, found, tolerance=0.07):
    """One-to-one matches of ascending times (greedy is exact here: beats are further apart than the tolerance)."""
    matches, used = 0, set()
    for time in reference:
        near = [j for j in np.flatnonzero(np.abs(found - time) <= tolerance) if j not in used]
        if near:
            used.add(near[0])
            matches += 1
    return 2 * matches / max(1, len(reference) + len(found))


@pytest.mark.parametrize("bpm,metre,fps", [(52, 6, 50), (75, 4, 30), (104, 3, 50), (128, 4, 30), (176, 2, 50)])
@pytest.mark.parametrize("columns", [2, 4])
def test_steady_tempo(bpm, metre, fps, columns):
    times, positions = piece(bpm, metre)
    found = decode(activations_of(times, positions, 40, fps)[:, :columns], fps)
    assert f1(times, found.times) > 0.97
    assert found.metre == metre
    assert f1(times[positions == 1], found.downbeats) > 0.95
    assert abs(found.tempo_bpm / bpm - 1) < 0.03
    assert np.median(np.abs(found.times[:, None] - times[None]).min(1)) < 0.012     # finer than a frame


def test_rubato_of_ten_percent_a_beat():
    times, positions = piece(90, 4, seconds=60, rubato=0.3)
    steps = np.abs(np.diff(np.log(np.diff(times))))
    assert steps.max() > 0.06
    assert f1(times, decode(activations_of(times, positions, 60, 50, noise=0.15), 50).times) > 0.95


def test_music_may_change_its_tempo_from_one_beat_to_the_next():
    """Bars in tempo and bars held back by turns, every beat of them shaken: only the decoder of music keeps up."""
    scores = {CONFIG: [], MUSIC: []}
    for seed in range(4):
        rng = np.random.default_rng(seed)
        held = np.arange(100) // 4 % 2
        times = 0.2 + np.concatenate([[0],
                                      np.cumsum(0.42 * np.where(held, 1.7, 1.0) * np.exp(rng.normal(0, 0.08, 100)))])
        times = times[times < 39.5]
        activations = activations_of(times, np.arange(len(times)) % 4 + 1, 40, 50, noise=0.5, seed=seed)
        for config, found in scores.items():
            found.append(f1(times, decode(activations, 50, config=config).times))
    assert np.mean(scores[MUSIC]) > 0.9 and np.mean(scores[MUSIC]) > np.mean(scores[CONFIG]) + 0.02, scores
    times, positions = piece(128, 4)
    assert f1(times, decode(activations_of(times, positions, 40, 50), 50, config=MUSIC).times) > 0.97


def test_tempo_hint_chooses_the_level():
    times, positions = piece(120, 4)
    activations = activations_of(times, positions, 40, 50, noise=0.1)
    activations[:, :2] = np.maximum(activations[:, :2], 0.5 * rhythm_curve(times[:-1] + 0.25, [], 2000, 50)[:, :2])
    assert abs(decode(activations, 50).tempo_bpm - 120) < 3
    assert abs(decode(activations, 50, bpm=60).tempo_bpm - 60) < 3
    assert abs(decode(activations, 50, bpm=240).tempo_bpm - 240) < 8


def test_the_level_does_not_flip_inside_a_piece():
    """A passage where the off-beats shine out and the phase runs double: the piece keeps to its own tempo."""
    times, positions = piece(84, 4, seconds=50)
    activations = activations_of(times, positions, 50, 50, noise=0.1)
    inside = slice(20 * 50, 29 * 50)
    doubled = np.sort(np.concatenate([times, (times[1:] + times[:-1]) / 2]))
    double = activations_of(doubled, np.zeros(len(doubled)), 50, 50, noise=0.1)
    activations[inside] = 0.8 * double[inside] + 0.2 * activations[inside]
    once, twice = (decode(activations, 50, config=replace(CONFIG, own_weight=weight))
                   for weight in (0.0, CONFIG.own_weight))
    assert np.diff(once.times).min() < 0.45, "without it the level flips"
    assert np.diff(twice.times).min() > 0.55 and f1(times, twice.times) > 0.97
    # A tempo that really changes is still followed.
    slow = np.concatenate([np.arange(0.2, 25, 60 / 76), np.arange(25.2, 50, 60 / 126)])
    found = decode(activations_of(slow, np.zeros(len(slow)), 50, 50, noise=0.15), 50)
    assert f1(slow, found.times) > 0.95


def test_bars_by_evidence():
    """Evidence over the beats outweighs doubtful frames, knows the metre, and obeys a metre that is given."""
    times, positions = piece(100, 3)
    frames = activations_of(times, positions, 40, 50)
    frames[:, 1] = 0.3
    evidence = lambda t: (np.where(np.interp(t, times, positions) == 1, 3.0, -3.0),                 # noqa: E731
                          {2: -5, 3: -0.1, 4: -3, 6: -4})
    found, metre = find_bars(frames, 50, times, evidence=evidence)
    assert metre == 3 and np.array_equal(found, positions)
    assert find_bars(None, 50, times, 4, evidence=evidence)[1] == 4
    again = decode(frames, 50, bars=evidence)
    assert again.metre == 3
    mine = Beats(times, np.zeros(len(times)), 4)
    assert np.array_equal(decode(frames, 50, beats=mine, bars=evidence).positions, positions)


def test_levels_and_given_beats():
    times, positions = piece(100, 4)
    activations = activations_of(times, positions, 40, 30)
    normal = decode(activations, 30, start=5.0)
    assert f1(times + 5, normal.times) > 0.97
    assert abs(decode(activations, 30, level="double").tempo_bpm - 2 * normal.tempo_bpm) < 1
    assert abs(decode(activations, 30, level="half").tempo_bpm - normal.tempo_bpm / 2) < 1
    mine = Beats(times + 5, np.zeros(len(times)), 4)
    kept = decode(activations, 30, beats=mine, start=5.0)
    assert np.array_equal(kept.times, mine.times)
    assert np.array_equal(kept.positions, positions)
    counted = Beats(times, np.roll(positions, 1), 4)
    assert np.array_equal(decode(activations, 30, beats=counted).positions, counted.positions)


def test_given_metre_and_irregular_bar():
    times, positions = piece(100, 4)
    positions = np.concatenate([positions[:18], (np.arange(len(times) - 18) % 4) + 1])       # one bar is cut short
    activations = activations_of(times, positions, 40, 50, noise=0.1)
    found, metre = find_bars(activations, 50, times)
    assert metre == 4 and np.mean(found == positions) > 0.95
    assert find_bars(activations, 50, times, metre=3)[1] == 3


def test_confidence_tells_noise_from_music():
    times, positions = piece(110, 4)
    clear = decode(activations_of(times, positions, 40, 50, noise=0.05), 50)
    noise = activations_of(np.array([0.0, 1.0]), np.array([1, 2]), 40, 50, noise=0.3)
    noise[:, :2] *= 0.3
    assert clear.confidence > 0.6
    assert decode(noise, 50).confidence < 0.25
    assert confidence(noise, 50, times) < 0.2


def test_short_and_bad_input():
    assert len(decode(np.zeros((1, 4)), 30)) == 0
    assert decode(np.zeros((0, 4)), 30).confidence == 0.0
    decode(np.full((7, 4), 0.01), 30)                        # shorter than any beat: no error
    for bad in (np.zeros((10, 3)), np.full((10, 4), np.nan)):
        with pytest.raises(BadInput):
            decode(bad, 30)
    for options in ({"bpm": 5000}, {"metre": 0}, {"level": "triple"}):
        with pytest.raises(BadInput):
            decode(np.zeros((30, 4)), 30, **options)


@pytest.mark.parametrize("steepness", (0.02, 5.0))           # changes that are soon as dear as any, and that never are
def test_changes_of_period_are_those_of_a_search_through_all(steepness):
    periods, rng = np.arange(20, 60), np.random.default_rng(2)
    change = -np.minimum(np.abs(np.log(periods[:, None] / periods[None])) / steepness, 4.0).astype(np.float32)
    asked = _Change(change, 4.0, rows=7)
    assert asked.banded == (steepness < 1)
    for rows in (7, 3):                                      # what an earlier block left behind is not seen
        scores = rng.normal(scale=3.0, size=(rows, len(periods))).astype(np.float32)
        every = scores[:, :, None] + change[None]
        assert np.array_equal(asked.best(scores), every.max(1))
        assert asked.source(scores[0], 11) == every[0, :, 11].argmax()
