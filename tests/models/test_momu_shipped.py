"""The shipped MoMu keeps the tempo it is asked for, on both sides, and one side follows the other."""
import numpy as np
import pytest

from core.pipelines.base import regular_beats
from core.rhythm.alignment import beat_f1_70ms
from models.momu.pipeline import MoMuBoth
from models.rhythm.detect import detect_body_beats, detect_music_beats

torch = pytest.importorskip("torch")

SECONDS, STEPS = 10.0, 10


@pytest.fixture(scope="module")
def takes():
    """{bpm: (samples, motion)} of house at two tempi, whose beats lie apart."""
    torch.set_num_threads(1)
    both = MoMuBoth.load()
    return {bpm: both.generate(duration=SECONDS, genre="house", beats=regular_beats(bpm, SECONDS), steps=STEPS,
                               seed=3)[0]
            for bpm in (112.0, 133.0)}


def test_music_and_body_keep_the_tempo(takes):
    for bpm, (samples, motion) in takes.items():
        asked = regular_beats(bpm, SECONDS).times
        heard = detect_music_beats(samples.mean(0), 48_000).times
        seen = detect_body_beats(motion).times
        assert beat_f1_70ms(heard, asked) > 0.7, (bpm, heard)
        assert beat_f1_70ms(seen, asked) > 0.5, (bpm, seen)


def test_pairs_agree_better_than_mixed_ones(takes):
    heard = {bpm: detect_music_beats(samples.mean(0), 48_000).times for bpm, (samples, _) in takes.items()}
    seen = {bpm: detect_body_beats(motion).times for bpm, (_, motion) in takes.items()}
    pairs = np.mean([beat_f1_70ms(heard[bpm], seen[bpm]) for bpm in takes])
    mixed = np.mean([beat_f1_70ms(heard[a], seen[b]) for a in takes for b in takes if a != b])
    assert pairs > mixed + 0.2


def test_a_dance_is_a_dance(takes):
    """It moves, upright most of the time, and stays where a camera can see it."""
    for samples, motion in takes.values():
        positions = motion.positions()
        assert np.abs(samples).max() > 0.01 and np.isfinite(positions).all()
        speed = np.linalg.norm(np.diff(positions[:, [20, 21]], axis=0), axis=-1).mean() * motion.fps
        assert 0.1 < speed < 6.0 and 0.6 < np.median(motion.root[:, 2]) < 1.2
        assert positions[..., 2].min() > -0.1


def test_the_maps_of_the_contrast_belong_to_what_is_shipped():
    """They were trained on the latents of the shipped motion VAE and on what the shipped readers make of them."""
    from core import checkpoints
    from models.momu.timing import load_readers, print_of
    from models.momu.vae import load_motion_vae
    path = {part: checkpoints.find("momu", part).path for part in ("motion_vae", "timing")}
    belongs = checkpoints.find("momu", "contrast").config["belongs"]
    assert belongs == print_of(load_motion_vae(path["motion_vae"])) + print_of(load_readers(path["timing"]))
