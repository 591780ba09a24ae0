"""The last chord is held and cut off with a loop; nothing changes before it, nothing snaps, what follows is as it
was."""
import numpy as np
import pytest
from once import once

from core.body.ictus import ictus_times
from core.rhythm.beats import Beats
from models.conductor.cut_off import cut_off, eased, hanging, reached
from models.conductor.ending import Ending, endings
from models.lab.evaluation.conductor.rule import rule_motion

FRAMES, LEAD, ARMS = 540, 0.1, [13, 14, 16, 17, 18, 19, 20, 21, 22, 23]
OTHERS = [joint for joint in range(24) if joint not in ARMS]
RIGHT = (14, 17, 19, 21, 23)
LAST = Ending(360, 435, 480, None, 0.8)          # struck at 12 s, let go at 14.5 s


def track(*parts, attacks=()):
    """A level (T, 3) from (seconds, level at their end) after a beginning at 0.8, with attacks at seconds."""
    times = np.cumsum([0.0] + [seconds for seconds, _ in parts])
    index = np.arange(int(round(times[-1] * 30)))
    level = np.zeros((len(index), 3))
    level[:, :2] = np.interp(index / 30, times, [0.8] + [value for _, value in parts])[:, None]
    level[[int(time * 30) for time in attacks], 2] = 0.1
    return level


@pytest.fixture(scope="module")
@once
def conducted():
    """18 s of a rule that goes on and on at 120, its strokes, and the pose it stands ready in."""
    strokes = Beats(np.arange(1, 36) * 0.5 - LEAD, np.arange(35) % 4 + 1, 4)
    motion = rule_motion(strokes, FRAMES)
    return motion, strokes, motion.to_vector().mean(0)


def test_a_held_chord_ends_where_it_is_let_go_and_a_struck_one_where_it_has_faded():
    beats = np.arange(0.5, 20.1, 0.5)
    held, = endings(track((23, 0.8), (2, 0.0), (2, 0.0), attacks=beats))
    assert held.attack == 600 and 685 <= held.release <= 700 and held.following is None
    assert held.end == pytest.approx(748, abs=3) and held.loudness == pytest.approx(0.8)
    struck, = endings(track((20, 0.8), (4, 0.0), (2, 0.0), attacks=beats))
    assert struck.attack == 600 and 630 <= struck.release <= 650                # 15 dB later
    slow, = endings(track((20, 0.8), (10, 0.0), (2, 0.0), attacks=beats))
    assert 675 <= slow.release <= 705                                           # still falling, 15 dB later


def test_music_without_attacks_ends_with_its_sound_and_a_recording_that_is_cut_does_not_end():
    legato, = endings(track((23, 0.7), (2, 0.0), (2, 0.0)))
    assert legato.attack is None and 680 <= legato.release <= 700
    assert endings(track((23, 0.7), (2, 0.0), (2, 0.0))[:, :2]) == [legato]     # attacks are not known
    assert endings(track((30, 0.8))) == [] and endings(np.zeros((90, 3))) == []


def test_every_movement_has_its_ending():
    level = track((10, 0.8), (1, 0.0), (3, 0.0), (0.1, 0.8), (10, 0.8), (1, 0.0), (2, 0.0), attacks=[9.0, 22.0])
    first, second = endings(level)
    assert first.attack == 270 and first.following == pytest.approx(421, abs=2)
    assert second.attack == 660 and second.following is None


def test_the_last_chord_is_held_cut_off_with_a_loop_and_left(conducted):
    motion, strokes, pose = conducted
    made = cut_off(motion, pose, [LAST], strokes, 0, LEAD)
    places, before = made.positions(), motion.positions()
    assert np.array_equal(made.rotations[:355], motion.rotations[:355])         # nothing before the last stroke
    assert np.array_equal(made.rotations[:, OTHERS], motion.rotations[:, OTHERS])
    assert len(ictus_times(motion)[ictus_times(motion) > 12.2]) > 8
    assert len(ictus_times(made)[ictus_times(made) > 12.2]) <= 1                # the loop's at most
    hold, loop = places[382:405, 23], places[411:433, 23]
    assert np.linalg.norm(np.diff(hold, axis=0), axis=-1).max() * 30 < 0.1
    assert np.ptp(loop[:, 0]) > 0.06 and np.ptp(loop[:, 2]) > 0.08
    assert np.linalg.norm(places[432, 23] - places[410, 23]) < 0.03             # it closes
    assert (places[-5:, [20, 21], 2] < 0.98).all() and np.ptp(places[-5:], axis=0).max() < 0.005
    speed = np.linalg.norm(np.diff(places[:, [22, 23]], axis=0), axis=-1) * 30
    bend, usual = (np.linalg.norm(np.diff(p[:, [20, 21]], n=2, axis=0), axis=-1).max() for p in (places, before))
    assert speed[355:].max() < 2.5 and bend <= usual


def test_a_quick_loop_is_a_small_one(conducted):
    motion, strokes, pose = conducted
    made = cut_off(motion, pose, [Ending(360, 376, 400, None, 1.0)], strokes, 0, LEAD)
    bend = np.linalg.norm(np.diff(made.positions()[364:400, [20, 21]], n=2, axis=0), axis=-1).max() * 900
    assert bend < 30.0                                                          # m/s2; 55 in the strokes


def test_a_short_chord_gets_no_loop(conducted):
    motion, strokes, pose = conducted
    short = Ending(360, 368, 380, None, 0.8)
    places = cut_off(motion, pose, [short], strokes, 0, LEAD).positions()
    assert np.abs(np.diff(places[360:375, 23, 0])).sum() < 0.1 and (places[-1, [20, 21], 2] < 0.98).all()


def test_what_follows_begins_from_ready_as_the_network_has_it(conducted):
    motion, strokes, pose = conducted
    made = cut_off(motion, pose, [Ending(300, 360, 390, 500, 0.8)], strokes, 0, LEAD)
    assert np.array_equal(made.rotations[486:], motion.rotations[486:])
    assert (made.positions()[440:, 21, 2] > 1.0).all()                          # ready, not hanging
    passage = cut_off(motion.slice(200, 540), pose, [LAST], strokes.shifted(-200 / 30), 200, LEAD)
    whole = cut_off(motion, pose, [LAST], strokes, 0, LEAD)
    assert np.allclose(passage.rotations, whole.rotations[200:], atol=1e-5)
    assert cut_off(motion.slice(0, 200), pose, [LAST], strokes, 0, LEAD).rotations.shape[0] == 200
    late = cut_off(motion.slice(400, 540), pose, [LAST], strokes, 400, LEAD)    # it begins within the hold
    assert len(late) == 140 and np.isfinite(late.rotations).all()


def test_an_arm_reaches_by_so_much_as_it_is_asked_to(conducted):
    motion = conducted[0].slice(100, 130)
    moved = reached(motion, RIGHT, np.tile([0.02, 0.0, 0.03], (30, 1)))
    away = moved.positions() - motion.positions()
    assert np.allclose(away[:, 21], [0.02, 0.0, 0.03], atol=2e-3) and np.abs(away[:, 17]).max() < 1e-5
    assert reached(motion, RIGHT, np.zeros((30, 3))) is motion
    down = type(motion)(hanging(motion), motion.root, motion.fps).positions()
    assert (down[:, [20, 21], 2] < down[:, [18, 19], 2]).all() and (down[:, [18, 19], 2] < down[:, [16, 17], 2]).all()
    assert eased(-1.0) == 0 and eased(2.0) == 1
