"""The moves that ship: what is in them, and what dances of them do; skipped where they are not in the repository."""
import numpy as np
import pytest
from test_repertoire import BEATS, clicks

from core import checkpoints
from core.contract import systems as registry
from models.lab.evaluation.dance_cascade.scoring import planted
from models.lab.loaders.captures import TEST_CLIPS
from models.motion.contacts import slide_metres
from models.repertoire.pipeline import MyMoves

pytestmark = pytest.mark.skipif(checkpoints.find("repertoire", "moves", required=False) is None,
                                reason="no moves shipped")


@pytest.fixture(scope="module")
def model():
    return MyMoves.load()


def test_what_is_shipped(model):
    library, found = model.library, checkpoints.find("repertoire", "moves")
    card = (checkpoints.FOLDER / f"{found.name}.md").read_text(encoding="utf-8")
    assert "NSF EIA-0196217" in card and "may not be resold" in card and "MIT" in card
    recordings = {clip.recording for clip in library.clips}
    assert not recordings & {"/".join(clip) for clip in TEST_CLIPS}, "recordings for tests are in no repertoire"
    assert all(recording in card for recording in recordings) and library.seconds > 600
    styles = [item.id for item in registry.systems()["my_moves"].settings["genre"].items if item.value]
    assert set(styles) == set(library.styles)
    assert found.path.stat().st_size < 4e6


def test_energy_is_seen(model):
    calm, wild = (model.generate(clicks(), beats=BEATS, energy=energy)[0].positions() for energy in (0.0, 1.0))
    speed = [np.linalg.norm(np.diff(positions, axis=0), axis=-1).mean() for positions in (calm, wild)]
    assert speed[1] > 1.5 * speed[0]


def test_every_style_dances_with_its_feet_on_the_floor(model):
    slides = []
    for style in model.library.styles:
        motion = model.generate(clicks(), beats=BEATS, genre=style, duration=12.0)[0]
        positions = motion.positions()
        assert positions[..., 2].min() > -0.011, style
        slides.append(slide_metres(positions, planted(motion), motion.fps))
    assert np.mean(np.concatenate(slides)) < 0.02


def test_the_body_network_sees_the_songs_beats_in_it(model):
    """F1 within 70 ms of the grid that the dance was made on; what people dance without the song is at chance."""
    from core.rhythm.alignment import beat_f1_70ms
    from models.rhythm.detect import detect_body_beats
    motion = model.generate(clicks(), beats=BEATS, genre="indian")[0]
    assert beat_f1_70ms(detect_body_beats(motion, mode="steady").times, BEATS.times) > 0.6
