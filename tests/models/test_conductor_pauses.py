"""A general pause and a held chord inside a piece are waited for, and a stroke leads into what follows; music in tempo
is beaten on."""
import numpy as np
import pytest

from core.rhythm.beats import Beats
from models.conductor.cut_off import cut_off
from models.conductor.ending import Ending
from models.conductor.pauses import COMES, NEW, coming, new_frames, pauses, prepared, stops, usual_onset
from models.lab.evaluation.conductor.rule import rule_motion

STROKES = Beats(np.arange(0.5, 60, 0.5), np.arange(119) % 4 + 1, 4)


def track(*waits, seconds=60.0, silent=None):
    """A level (T, 4) with something new every half second but in waits (from, to) in s, in which the level falls to
    `silent` within a second (None: a held chord's)."""
    frames = int(seconds * 30)
    level, t = np.zeros((frames, 4)), np.arange(frames) / 30
    level[:, :2], level[::15, 2:] = 0.8, 0.05
    for low, high in waits:
        inside = (t > low + 0.1) & (t < high - 0.01)
        level[inside, 2:] = 0.0
        if silent is not None:
            level[inside, :2] = np.interp(t[inside], [low + 0.6, low + 1.6], [0.8, silent])[:, None]
    return level


def test_a_chord_that_is_held_has_nothing_new_and_another_note_has():
    mel = np.full((120, 64), 0.1, dtype=np.float32)
    mel[30:, 20:24] = 0.8 + 0.1 * np.sin(np.arange(90))[:, None]            # a chord with tremolo
    mel[90:, 26:30] = 0.7                                                   # and a note more
    new = new_frames(mel)
    assert new.shape == (120,) and new[30] > NEW and new[90] > NEW
    assert new[45:90].max() < NEW and new[107:].max() < NEW and not new[20:30].any()
    assert len(new_frames(mel[:1])) == 1


def test_a_pause_is_let_go_where_it_falls_silent_and_a_held_chord_where_music_comes():
    rest, = pauses(track((20, 24), silent=0.1), STROKES)
    assert rest.attack == 600 and 610 < rest.release < 660 and rest.following == 720
    chord, = pauses(track((20, 24)), STROKES)
    assert (chord.attack, chord.release, chord.following) == (600, 720, 720)
    both = pauses(track((20, 24), (40, 45)), STROKES)
    assert [wait.following for wait in both] == [720, 1350]


@pytest.mark.parametrize("waits", [(), ((20, 22),), tuple((at, at + 4) for at in range(10, 50, 5))])
def test_short_waits_and_chords_that_are_often_so_long_are_beaten_on(waits):
    assert pauses(track(*waits), STROKES) == []


def often_held(entry, inside=0.0):
    """A level whose chords are often held for two seconds, one at 30 s for five, after which the music comes in by
    `entry` of the usual attack; a murmur of 0.01, and in that chord `inside` once a second."""
    level = track(*((at + 0.5, at + 2.5) for at in (*range(12, 30, 3), *range(36, 54, 3))), (30.5, 35.5))
    level[::7, 3] = np.maximum(level[::7, 3], 0.003)
    level[916:1063, 3] = 0.0
    level[945:1060:30, 3] = inside
    level[1065, 3] = 0.05 * entry
    return level


@pytest.mark.parametrize("inside", [0.0, 0.012])
def test_a_long_chord_among_chords_that_are_often_held_is_waited_for_where_the_music_comes_in_strongly(inside):
    chord, = pauses(often_held(3.0, inside), STROKES)
    assert (chord.attack, chord.release, chord.following) == (915, 1065, 1065)


@pytest.mark.parametrize("entry, inside", [(0.4, 0.012), (3.0, 0.03), (0.3, 0.014)])
def test_it_is_beaten_on_where_the_music_goes_on_softly_or_something_happens_meanwhile(entry, inside):
    assert pauses(often_held(entry, inside), STROKES) == []


def test_the_usual_onset_is_the_upper_quartile_of_the_peaks():
    new = np.zeros(400)
    new[10:390:10] = np.linspace(0.02, 0.06, 38)
    assert usual_onset(new) == pytest.approx(0.05, abs=0.002)
    assert usual_onset(np.zeros(400)) is None and usual_onset(new[:60]) is None


def test_nothing_waits_without_strokes_or_without_what_is_new():
    level = track((20, 24))
    assert pauses(level, None) == [] and pauses(level[:, :3], STROKES) == []
    assert pauses(level, Beats([1.0], [1], 4)) == [] and prepared([], level, None, 0.1) == ([], None)


def test_a_silence_is_an_ending_or_a_pause_but_not_both():
    level = track((20, 24), silent=0.0)
    level[:, 2] = np.where(level[:, 3] > 0, 0.1, 0.0)
    assert len(stops(level, STROKES)) == 1


def test_one_stroke_leads_into_the_entry_and_none_is_beaten_before_it():
    late = Beats(np.concatenate([STROKES.times[:40], np.arange(20.6, 24.0, 0.5), np.arange(24.2, 40, 0.5)]),
                 np.arange(40 + 7 + 32) % 4 + 1, 4)
    lead, level = 0.1, track((20, 24.2))
    level[726, 2:] = 0.05                                                   # the entry, at 24.2
    (stop,), made = prepared(stops(level, late), level, late.shifted(-lead), lead)
    inside = made.times[(made.times > 20.1) & (made.times < 24.0)]
    assert np.allclose(inside, [24.2 - 0.5 - lead]) and stop.prepared == pytest.approx(inside[0] * 30)
    assert stop.release / 30 < inside[0] + lead                             # cut before the stroke that brings it in
    entry = int(np.argmin(np.abs(made.times - 24.1)))
    assert made.positions[entry - 1] == (made.positions[entry] - 2) % 4 + 1
    assert np.array_equal(made.times[entry:], late.times[late.times > 24.1] - lead)
    assert np.array_equal(made.times[:39], late.times[:39] - lead)


def test_beats_that_end_with_the_pause_stay_and_what_begins_after_silence_is_led_into():
    level, early = track((20, 24)), STROKES.within(0.0, 20.2)
    (stop,), made = prepared(stops(level, early), level, early, 0.0)
    assert stop.prepared is None and len(made) == len(early)
    level = np.concatenate([np.zeros((90, 4)), track(seconds=20.0)])
    begins = Beats(np.arange(3.0, 20, 0.5), np.arange(34) % 4 + 1, 4)
    (stop,), made = prepared([], level, begins, 0.0)
    assert made.times[0] == 2.5 and made.positions[0] == 4 and stop.prepared == 75.0
    weight = coming([stop], 0, 120)
    assert not weight[:60].any() and weight[75] == COMES and weight[89] == COMES and not weight[90:].any()
    assert np.array_equal(coming([stop], 30, 60), weight[30:90])


def test_the_arms_are_the_networks_from_the_stroke_before_the_entry_on():
    strokes = Beats(np.arange(1, 36) * 0.5 - 0.1, np.arange(35) % 4 + 1, 4)
    motion = rule_motion(strokes, 540)
    made = cut_off(motion, motion.to_vector().mean(0), [Ending(300, 400, 430, 430, 0.8, 412.0)], strokes, 0, 0.1)
    assert np.array_equal(made.rotations[412:], motion.rotations[412:])
    assert np.array_equal(made.rotations[:290], motion.rotations[:290])
    hand = made.positions()[:, 23]
    assert np.linalg.norm(np.diff(hand[325:370], axis=0), axis=-1).max() * 30 < 0.1       # held
    assert np.linalg.norm(np.diff(hand[290:], axis=0), axis=-1).max() * 30 < 4.0
