"""Conducting scores on curves whose answer is known."""
import numpy as np
import pytest

from core.body.ictus import ictus_of_height
from core.rhythm.beats import Beats
from models.lab.metrics import conducting as scores

FPS = 30.0


def bouncing(beats, seconds, sizes=None):
    """Height (T,) of a hand that is lowest on each beat and rises `sizes[i]` metres before beat i."""
    t = np.arange(int(seconds * FPS)) / FPS
    sizes = np.full(len(beats), 0.3) if sizes is None else np.asarray(sizes)
    k = np.clip(np.searchsorted(beats, t, side="right"), 1, len(beats) - 1)
    u = (t - beats[k - 1]) / (beats[k] - beats[k - 1])
    return 1.1 + sizes[k] * np.sin(np.pi * np.clip(u, 0, 1)) ** 2


def test_ictus_is_the_lowest_point():
    beats = 0.31 + 0.53 * np.arange(12)
    found = ictus_of_height(bouncing(beats, 6.5), FPS)
    inner = beats[1:-1]
    assert len(found) == len(inner) and np.abs(found - inner).max() < 0.012


def test_tremor_is_no_ictus():
    t = np.arange(300) / FPS
    assert len(ictus_of_height(1.1 + 0.004 * np.sin(40 * t), FPS)) == 0
    assert len(ictus_of_height(np.zeros(2), FPS)) == 0


def test_downbeat_is_down_knows_the_metre():
    times = 0.3 + 0.5 * np.arange(25)
    beats = Beats(times, np.arange(25) % 4 + 1, 4)
    sizes = np.where(beats.positions == 1, 0.4, 0.25)
    rate, bars = scores.downbeat_is_down(bouncing(times, 12.5, sizes), beats, FPS)
    assert rate == 1 and bars >= 5
    wrong = Beats(times, (np.arange(25) + 2) % 4 + 1, 4)
    assert scores.downbeat_is_down(bouncing(times, 12.5, sizes), wrong, FPS)[0] == 0
    assert scores.downbeat_is_down(np.ones(375), beats, FPS)[0] == 0          # a hand that stands does not strike


def test_bar_variation_is_zero_for_a_repeated_bar():
    times = 0.2 + 0.5 * np.arange(25)
    beats = Beats(times, np.arange(25) % 3 + 1, 3)

    def path(sizes):
        height = bouncing(times, 12.0, sizes)
        return np.stack([0 * height, 0 * height, height], axis=1)
    assert scores.bar_variation(path(np.full(25, 0.3)), beats, FPS) < 0.01
    varied = scores.bar_variation(path(np.linspace(0.1, 0.5, 25)), beats, FPS)
    assert 0.03 < varied < 0.2


def test_stroke_loudness_correlation_beats_its_null():
    times, rng = 0.3 + 0.5 * np.arange(40), np.random.default_rng(0)
    loud = rng.uniform(0.2, 1, 40)
    drops = scores.strokes(bouncing(times, 20.0, 0.4 * loud), times, FPS)
    assert np.nanmax(np.abs(drops[1:-2] - 0.4 * loud[1:-2])) < 0.02
    found, null, high = scores.stroke_loudness_correlation(drops, loud)
    assert found > 0.95 and abs(null) < 0.2 and found > high
    assert scores.stroke_loudness_correlation(np.full(40, 0.3), loud) == (0.0, 0.0, 0.0)


def test_pooled_null_decides_what_single_pieces_cannot():
    rng = np.random.default_rng(4)

    def piece(share):
        loud = np.convolve(rng.normal(size=48), np.ones(8) / 8, "same")              # slow swells, 40 beats
        own = np.convolve(rng.normal(size=48), np.ones(8) / 8, "same")
        return (share * loud + (1 - share) * own)[4:44], loud[4:44]
    related, unrelated = [piece(0.4) for _ in range(30)], [piece(0.0) for _ in range(30)]
    alone = [scores.stroke_loudness_correlation(*p) for p in related]
    assert np.mean([found > high for found, _, high in alone]) < 0.75                # most single nulls are too wide
    pooled = scores.pooled_loudness_correlation(related, draws=600)
    assert pooled["p"] < 0.01 and pooled["correlation"] > 2 * pooled["null_p95"] and pooled["null_p95"] < 0.2
    assert abs(pooled["correlation"] - np.mean([found for found, _, _ in alone])) < 1e-9
    assert scores.pooled_loudness_correlation(unrelated, draws=600)["p"] > 0.05
    assert pooled == scores.pooled_loudness_correlation(related, draws=600), "seeded"
    assert scores.pooled_loudness_correlation([(np.ones(20), np.arange(20.0))])["pieces"] == 0


def test_pooled_p_values_are_uniform_without_a_relation():
    rng = np.random.default_rng(5)
    values = []
    for _ in range(60):
        pieces = [(rng.normal(size=20), rng.normal(size=20)) for _ in range(4)]
        values.append(scores.pooled_loudness_correlation(pieces, draws=200, seed=int(rng.integers(1 << 30)))["p"])
    assert 0.35 < np.mean(values) < 0.65 and np.mean(np.asarray(values) < 0.05) < 0.15


def test_published_errors_are_zero_on_themselves_and_rank_amplitude():
    rng = np.random.default_rng(1)
    real = np.cumsum(rng.normal(0, 0.01, (3, 600, 26)), axis=1)
    assert scores.rhythm_density_error(real, real) == 0 and scores.strength_contour_error(real, real) == 0
    still = np.zeros_like(real)
    assert scores.rhythm_density_error(still, real) > scores.rhythm_density_error(0.8 * real, real) > 0
    assert scores.strength_contour_error(still, real) > scores.strength_contour_error(0.8 * real, real) > 0
    assert scores.conducting_mse(real, real + 0.1) == pytest.approx(0.01)


def test_seed_spread():
    points = np.zeros((3, 10, 13, 2))
    assert scores.seed_spread(points) == 0
    points[1] += 0.3
    assert scores.seed_spread(points) == pytest.approx(0.2)                   # 0.3, 0 and 0.3 over the three pairs


def test_published_rows_carry_what_exposes_them():
    rng = np.random.default_rng(2)
    t = np.arange(300) / FPS
    real = np.stack([0.5 + 0.05 * np.sin(2 * np.pi * rng.uniform(0.8, 1.6) * t[:, None, None] + rng.uniform(0, 6,
                                                                                                            (1, 13, 2)))
                     for _ in range(5)])
    rows = scores.published_rows(0.5 + 0.9 * (real - 0.5), real)
    mse = {name: row["mse"] for name, row in rows.items()}
    assert mse["generated"] < mse["mean pose"] < mse["mismatched"], "MSE prefers a pose that stands still"
    assert rows["mean pose"]["sdp"] == pytest.approx(0, abs=1e-6) and rows["mismatched"]["sdp"] == pytest.approx(100)
    assert rows["generated"]["sdp"] == pytest.approx(90) and rows["generated"]["rde"] < rows["mean pose"]["rde"]
    assert set(rows["generated"]) == {"mse", "sdp", "rde", "sce"}
    with pytest.raises(ValueError):
        scores.published_rows(real[:1], real[:1])


def test_hands_that_mirror_are_told_from_hands_with_work_of_their_own():
    t = np.arange(600) / 30
    right = 0.2 * np.cos(2 * np.pi * 1.5 * t)
    half = np.where(t < 10, 0.5 * right, 0.2 * np.sin(2 * np.pi * 0.3 * t))
    assert scores.hands_alike(right, right, 30) == pytest.approx((1.0, 1.0))
    together, share = scores.hands_alike(half, right, 30)
    assert 0.4 < share < 0.6 and 0.3 < together < 0.9
    assert scores.hands_alike(np.zeros(600), right, 30) == (0.0, 0.0)
    assert scores.hands_alike(0.1 * right, right, 30)[1] == 0.0          # it only shakes with the body
