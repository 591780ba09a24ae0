"""Which beats get a stroke: groups of fives and sevens, and patterns that change where the music does."""
import json

import numpy as np
import pytest

from core.errors import BadInput
from core.rhythm.bars import groups_of
from core.rhythm.beats import Beats
from models.conductor.beat_pattern import CHOICES, patterned
from models.conductor.config import STROKES
from models.conductor.features import rhythm_features
from models.conductor.pipeline import conducted


def counted(metre, bpm, bars=8, extra=None):
    index = np.arange(bars * metre)
    return Beats(0.4 + index * 60 / bpm, index % metre + 1, metre, extra=extra or {})


@pytest.mark.parametrize("name, groups", [("three_two", (3, 2)), ("two_three", (2, 3)), ("two_two_three", (2, 2, 3)),
                                          ("three_two_two", (3, 2, 2)), ("two_three_two", (2, 3, 2))])
def test_each_group_of_a_slow_five_or_seven_is_a_small_bar(name, groups):
    shown = patterned(counted(sum(groups), 100), name)
    assert shown.positions[:sum(groups)].tolist() == [place + 1 for count in groups for place in range(count)]
    assert shown.bars[:sum(groups)].tolist() == [count for count in groups for _ in range(count)]
    assert len(shown) == 8 * sum(groups)


def test_a_fast_five_is_two_uneven_strokes():
    shown = patterned(counted(5, 200), "two_three")
    assert shown.positions[:4].tolist() == [1, 2, 1, 2] and set(shown.bars) == {2}
    assert np.allclose(np.diff(shown.times)[:3], [0.6, 0.9, 0.6])


def test_auto_takes_the_groups_that_the_music_tells():
    odds = np.tile([2.0, -3.0, -0.5, -3.0, -3.0], 8)
    beats = counted(5, 100)
    assert groups_of(odds, beats.positions, 5) == (2, 3) and groups_of(odds, beats.positions, 4) is None
    told = Beats.from_json(json.loads(json.dumps(counted(5, 100, extra={"groups": (2, 3)}).to_json())))
    assert patterned(told).bars[:5].tolist() == [2, 2, 3, 3, 3]
    assert patterned(counted(5, 100)).bars[:5].tolist() == [3, 3, 3, 2, 2]


def test_the_pattern_changes_where_the_tempo_does_and_not_for_one_broad_bar():
    quick, slow = np.arange(60) * 60 / 190, np.arange(60) * 60 / 96
    times = np.concatenate([quick, quick[-1] + 60 / 190 + slow])
    shown = patterned(Beats(times, np.arange(120) % 3 + 1, 3))
    assert shown.bars[0] == 1 and shown.bars[-1] == 3
    assert (np.diff(shown.bars) != 0).sum() == 1
    change = shown.times[int(np.argmax(shown.bars == 3))]
    assert abs(change - quick[-1]) < 4 * 3 * 60 / 190
    spans = np.full(60, 60 / 190)
    spans[30:33] = 0.6
    assert patterned(Beats(np.cumsum(spans), np.arange(60) % 3 + 1, 3)).bars is None
    # Cut out or moved, the bars go along.
    assert shown.shifted(1.0).within(1.0, 5.0).bars.tolist() == shown.within(0.0, 4.0).bars.tolist()


def sections(metre, *parts):
    """`Beats` of sections (beats a minute, seconds) one after the other, a little uneven."""
    spans = np.concatenate([np.full(int(seconds * bpm / 60 / metre + 0.5) * metre, 60 / bpm) for bpm, seconds in parts])
    spans = spans * (1 + 0.03 * np.sin(np.arange(len(spans)) / 5.0))
    return Beats(0.4 + np.cumsum(spans), np.arange(len(spans)) % metre + 1, metre)


def test_music_that_is_followed_beat_by_beat_is_beaten_in_its_beats_for_longer():
    rubato = {"tempo": {"chosen": "follow"}}
    assert patterned(counted(4, 150)).metre == 2 and patterned(counted(4, 150, extra=rubato)).metre == 4
    assert patterned(counted(4, 180, extra=rubato)).metre == 2


@pytest.mark.parametrize("metre, parts, strokes", [
    (2, ((110, 12), (178, 9), (120, 12)), [2]),             # a Hungarian dance: its quick bars are soon over
    (2, ((172, 40),), [2]),                                 # a galop
    (2, ((190, 40),), [1]),
    (2, ((84, 30), (200, 30)), [2, 1]),                     # lassan and friska
    (2, ((84, 30), (200, 30), (84, 30)), [2, 1, 2]),
    (3, ((150, 5), (143, 5), (150, 5), (143, 5), (150, 5)), [1]),       # a waltz about the limit
    (3, ((190, 40),), [1]), (3, ((170, 20), (110, 6), (170, 20)), [1]), (3, ((120, 40),), [3]),
    (4, ((128, 20), (140, 8), (128, 20)), [4]), (4, ((150, 20),), [2])])
def test_a_change_of_pattern_has_a_reason_that_lasts(metre, parts, strokes):
    counts = patterned(sections(metre, *parts)).counts
    assert [int(counts[0]), *counts[1:][np.diff(counts) != 0]] == strokes


def test_the_network_hears_of_every_group():
    shown = conducted(counted(5, 100), None, "three_two")
    features = rhythm_features(shown, 300, 0.0, True, STROKES)
    three, two = features[:, 8 + STROKES.index(3)], features[:, 8 + STROKES.index(2)]
    first = (shown.times[:5] * 30 + 3).astype(int)
    assert three[first].tolist() == [1, 1, 1, 0, 0] and two[first].tolist() == [0, 0, 0, 1, 1]
    assert np.allclose(np.hypot(features[first, 5], features[first, 6]), 1)
    assert conducted(counted(4, 100), 5).positions[:5].tolist() == [1, 2, 3, 1, 2]          # recounted, then grouped


def test_patterns_that_do_not_fit_and_unknown_ones():
    assert set(CHOICES) >= {"auto", "one", "three_two"}
    assert len(patterned(counted(4, 100), "three_two")) == 32       # a four has no such groups
    with pytest.raises(BadInput, match="beat pattern"):
        patterned(counted(4, 100), "eleven")
    with pytest.raises(BadInput, match="bars"):
        Beats([0.0, 1.0], [1, 2], 2, bars=[2])
