"""Seams of long music: the measure finds one that is there, and none in sound that has none."""
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.lab.evaluation.music_ldm import seams  # noqa: E402


def walk(frames=4000, seed=0):
    """A log-mel that wanders, with a beat every 20 frames."""
    rng = np.random.default_rng(seed)
    beat = np.exp(-(np.arange(frames) % 20) / 4)[:, None]
    return (0.3 * rng.normal(size=(frames, 256)) + beat).astype(np.float32)


def edges(frames=4000):
    return np.arange(190, frames - 100, 187)


@pytest.mark.parametrize("curve", [seams.flux, seams.spectral_step])
def test_a_seam_is_seen_and_none_is_invented(curve):
    rng, reach = np.random.default_rng(0), seams.NEAR_FRAMES if curve is seams.flux else 0
    mel, places = walk(), edges()
    clean = seams.at_edges(curve(mel), places, reach, rng)
    assert (clean["null_low"] - 0.02 < clean["ratio"] < clean["null_high"] + 0.02
            and clean["low"] < clean["ratio"] < clean["high"])
    timbres = np.random.default_rng(1).normal(0, 0.5, (len(places) + 1, 256))        # every window a timbre of its own
    broken = mel + timbres[np.searchsorted(places, np.arange(len(mel)), side="right")].astype(np.float32)
    seam = seams.at_edges(curve(broken), places, reach, rng)
    assert seam["ratio"] > 1.1 and seam["ratio"] > seam["null_high"] and seam["low"] > 1


def test_blurred_overlaps_are_seen():
    mel, middles, half = walk(), edges(), 30
    for middle in middles:                                     # the mean of two independent takes: less change
        mel[middle - half:middle + half] = 0.5 * (mel[middle - half:middle + half]
                                                  + walk(seed=2)[middle - half:middle + half])
    found = seams.at_edges(seams.flux(mel), middles, half - 1, np.random.default_rng(0))
    assert found["ratio"] < 0.85 and found["ratio"] < found["null_low"]


def test_flux_and_step_are_what_they_say():
    mel = np.zeros((100, 256), np.float32)
    mel[50:] = 2.0
    assert np.flatnonzero(seams.flux(mel)).tolist() == [50] and seams.flux(mel)[50] == pytest.approx(2.0)
    step = seams.spectral_step(mel, frames=10)
    assert step.argmax() == 50 and step[50] == pytest.approx(2.0) and step[45] == pytest.approx(1.0) and step[30] == 0


def test_edges_and_overlaps_lie_where_the_windows_are():
    passage = SimpleNamespace(starts=[0, 48, 96], config=SimpleNamespace(window=64, downsample=4))
    places, middles, half = seams.edge_frames(passage)
    assert places.tolist() == [192, 256, 384, 448] and middles.tolist() == [224, 416] and half == 32


def test_a_joint_that_jumps_is_louder_than_the_other_downbeats():
    bar = 4 * 60 / seams.LOOP_BPM * seams.FRAME_RATE
    curve = np.ones(int(2 * seams.LOOP_BARS * bar))
    joint = round(seams.LOOP_BARS * bar)
    assert seams.at_beats(curve, joint) == {"ratio": 1.0, "rank": 0.0}
    curve[joint] = 15.0
    assert seams.at_beats(curve, joint)["ratio"] == pytest.approx(3.0) and seams.at_beats(curve, joint)["rank"] == 1.0
