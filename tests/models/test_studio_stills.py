"""Genres in single stills: the measure, what exposes it, and what the dancers reach on it."""
import numpy as np
import pytest

from core.contract import GENRES
from models.lab.studio import stills
from models.lab.studio.stills import confusion, facing_viewer, mirrored, one_sheet_known, rows_of


@pytest.fixture(scope="module")
def drawn():
    known = {genre: [stills.stills(genre, seed, 16.0) for seed in (1000, 1001, 1003)] for genre in GENRES}
    asked = {genre: [stills.stills(genre, 2001, 16.0)] for genre in GENRES}
    return known, asked


def test_a_pose_is_the_same_wherever_the_dancer_stands_and_faces():
    rng = np.random.default_rng(0)
    poses = rng.normal(size=(5, 24, 3))
    angle = 1.1
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    moved = poses @ turn.T + np.array([2.0, -1.0, 0.0])
    np.testing.assert_allclose(facing_viewer(moved), facing_viewer(poses), atol=1e-9)
    seen = facing_viewer(poses)
    np.testing.assert_allclose(seen[:, 0, :2], 0, atol=1e-12)
    np.testing.assert_allclose(seen[..., 2], poses[..., 2])
    np.testing.assert_allclose(mirrored(mirrored(poses)), poses)
    np.testing.assert_allclose(mirrored(poses)[:, 21], poses[:, 20] * [-1, 1, 1])


def test_a_still_tells_the_genre(drawn):
    """Dancers never seen before; with the genres of the known pieces mixed up the measure falls to chance."""
    known, asked = drawn
    table, sheets = confusion(known, asked)
    np.testing.assert_allclose(table.sum(1), 1)
    assert np.diag(table).mean() > 0.7 and np.diag(table).min() > 0.4 and sheets.mean() >= 0.9
    shifted = {genre: known[GENRES[(k + 3) % len(GENRES)]] for k, genre in enumerate(GENRES)}
    assert np.diag(confusion(shifted, asked)[0]).mean() < 0.1


def test_house_and_middle_hip_hop_are_no_twins(drawn):
    table, _ = one_sheet_known(*drawn)
    house, middle = GENRES.index("house"), GENRES.index("middle-hip-hop")
    assert table[house, middle] < 0.1 and table[middle, house] < 0.1


def test_rows_name_the_nearest_twin():
    table, sheets = np.full((10, 10), 0.02), np.linspace(0, 1, 10)
    np.fill_diagonal(table, 0.7)
    table[0, 3] = 0.14
    rows = rows_of(table, sheets, table, sheets)
    assert rows[GENRES[0]]["taken_for_1"] == f"{GENRES[3]} 0.14"
    assert rows["all"]["stills"] == pytest.approx(0.7) and rows["all"]["sheets_1"] == pytest.approx(0.5)
