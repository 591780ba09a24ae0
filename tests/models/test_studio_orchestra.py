"""The studio's orchestra: dynamics, articulation, metre, cues and fermatas are heard; Romantic and rhapsodic
manners."""
from dataclasses import replace

import numpy as np
import pytest
from studio_sound import RATE, level_db, soundfont  # noqa: F401

from models.lab.studio.music import compose, render
from models.lab.studio.orchestra import ORCHESTRA
from models.lab.studio.plan import Cue, Section, make_plan


def conducting(levels, articulation=0.3, metre=4, seed=910_050, cues=()):
    plan = make_plan("conducting", seed, metre=metre, duration=12.0)
    count = len(plan.times)
    dynamics = np.interp(np.arange(count), np.linspace(0, count - 1, len(levels)), levels)
    sections = (Section(0, count, "phrase", float(np.mean(levels)), articulation),)
    return replace(
        plan, dynamics=dynamics, articulation=np.full(count, articulation), sections=sections, cues=tuple(cues)
    )


def audible(audio):
    return np.isfinite(audio).all() and 0.01 < np.abs(audio).max() <= 0.98


def test_crescendo_is_heard():
    for seed in (910_051, 910_052):
        plan = conducting((0.1, 0.1, 0.9, 0.9), seed=seed)
        audio = render(compose(plan), plan)
        assert level_db(audio[:, 8 * RATE :]) - level_db(audio[:, RATE // 2 : 4 * RATE]) > 12


def test_staccato_notes_are_shorter():
    def mean_share(articulation):
        score = compose(conducting((0.6, 0.6), articulation))
        return np.mean([n.duration for p in score.parts for n in p.notes if p.group == "strings"])

    assert mean_share(0.95) < 0.6 * mean_share(0.05)


@pytest.mark.parametrize("metre", [2, 3, 4, 6])
def test_bass_marks_the_bar(metre):
    plan = conducting((0.6, 0.6), metre=metre)
    score = compose(plan)
    onsets = np.array([n.onset for p in score.parts if p.name in ("cellos", "basses") for n in p.notes])
    downbeats = plan.beats.downbeats[1:-1]
    assert all(np.abs(onsets - t).min() < 0.05 for t in downbeats)
    assert audible(render(score, plan))


def test_cues_shape_their_group():
    beat = 12
    cut = conducting((0.7, 0.7), cues=(Cue(beat, "cutoff", "strings"),))
    start, stop = cut.times[beat] - 0.03, cut.times[beat + 1] - 0.03
    strings = [n for p in compose(cut).parts if p.group == "strings" for n in p.notes]
    assert not [n for n in strings if start <= n.onset < stop]
    assert max(n.onset + n.duration for n in strings if n.onset < start) <= cut.times[beat] + 0.1
    entry = conducting((0.9, 0.9), cues=(Cue(beat, "entry", "brass"),))
    brass = [n for p in compose(entry).parts if p.group == "brass" for n in p.notes]
    assert brass and not [n for n in brass if entry.times[beat - 4] - 0.03 <= n.onset < entry.times[beat] - 0.03]
    assert any(abs(n.onset - entry.times[beat]) < 0.04 for n in brass)


def test_fermata_is_held():
    seeds = [
        seed
        for seed in range(910_100, 910_140)
        if any(c.kind == "fermata" for c in make_plan("conducting", seed, metre=4, fermatas=True).cues)
    ]
    assert 5 <= len(seeds) <= 30
    plan = make_plan("conducting", seeds[0], metre=4, fermatas=True)
    beat = next(c.beat for c in plan.cues if c.kind == "fermata")
    periods = np.diff(plan.times)
    assert periods[beat] > 1.3 * np.median(periods) and len(plan.dynamics) == len(plan.times)
    assert plan.sections[-1].last == len(plan.times)
    notes = [n for p in compose(plan).parts for n in p.notes]
    inside = [n for n in notes if plan.times[beat] + 0.05 < n.onset < plan.times[beat + 1] - 0.05]
    assert not inside and any(
        n.onset < plan.times[beat] + 0.05 and n.onset + n.duration > plan.times[beat + 1] - 0.3 * periods[beat]
        for n in notes
    )


def test_romantic_dances_change_tempo_and_sing_against_the_beat():
    plans = [make_plan("conducting", seed, duration=24.0, fermatas=True) for seed in range(910_200, 910_240)]
    romantic = [plan for plan in plans if plan.extra.get("style") == "romantic"]
    assert 6 <= len(romantic) <= 24
    jumps = [np.abs(np.diff(np.log(np.diff(plan.times)))).max() for plan in romantic]
    assert np.median(jumps) > 0.12, "a new tempo is taken at once"
    for plan in romantic:
        assert 0.29 < np.diff(plan.times).min() and len(plan.positions) == len(plan.times) == len(plan.dynamics)
        whole = plan.positions[:-1] % plan.metre + 1
        assert np.array_equal(whole, plan.positions[1:])
    assert all("style" not in make_plan("conducting", seed).extra for seed in range(910_200, 910_240))
    score = compose(romantic[0])
    tune = np.array([n.onset for p in score.parts if p.name == "violins" for n in p.notes])
    bass = np.array([n.onset for p in score.parts if p.name in ("basses", "cellos") for n in p.notes])

    def on_beat(onsets):
        return np.mean(np.abs(onsets[:, None] - romantic[0].times).min(1) < 0.06)

    assert on_beat(bass) > 0.8 > on_beat(tune)


def test_rhapsodic_pieces_have_rubato_inside_the_bar():
    def inside_bars(plan):
        """Spread of the beats of a bar in log seconds, the bar's own tempo and a steady slowing taken out."""
        gaps, place = np.log(np.diff(plan.times)), plan.positions[:-1]
        firsts = [k for k in np.flatnonzero(place == 1) if k + 4 <= len(gaps)]
        bars = np.array([gaps[k:k + 4] for k in firsts])
        slope = np.arange(4) - 1.5
        bars = bars - bars.mean(1, keepdims=True)
        return (bars - (bars @ slope / (slope @ slope))[:, None] * slope).std(1).mean()
    seeds = range(910_000, 910_030)
    rhapsodic = [make_plan("conducting", seed, metre=4, duration=40.0, fermatas=True, style="rhapsodic")
                 for seed in seeds]
    others = [make_plan("conducting", seed, metre=4, duration=40.0, fermatas=True) for seed in range(910_000, 910_090)]
    romantic = [plan for plan in others if plan.extra.get("style") == "romantic"]
    assert np.mean([inside_bars(p) for p in rhapsodic]) > 1.5 * np.mean([inside_bars(p) for p in romantic])
    for plan in rhapsodic:
        assert plan.extra["style"] == "rhapsodic" and np.diff(plan.times).min() > 0.26
        assert np.array_equal(plan.positions[:-1] % 4 + 1, plan.positions[1:])
    bass = np.array([n.onset for p in compose(rhapsodic[0]).parts if p.name in ("basses", "cellos") for n in p.notes])
    assert np.mean(np.abs(bass[:, None] - rhapsodic[0].times).min(1) < 0.06) > 0.75
    with pytest.raises(ValueError, match="style is rhapsodic"):
        make_plan("dance", 1, style="rhapsodic")


def test_instruments_keep_their_compass():
    score = compose(conducting((0.9, 0.9)))
    for part in score.parts:
        low, high = ORCHESTRA[part.name][3:5]
        assert all(low <= n.pitch <= high for n in part.notes), part.name
