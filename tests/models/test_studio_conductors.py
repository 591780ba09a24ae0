"""The studio's conductors: strokes on the beat, their size and shape, the left hand, the body, feet that stay."""
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import find_peaks

from core.body.rotations import geodesic
from core.rhythm.alignment import beat_f1_70ms
from core.rhythm.beats import Beats
from models.lab.metrics.motion import foot_slide
from models.lab.studio import conductor
from models.lab.studio.conducted import conducting_plan, pattern_of, stroke_plan
from models.lab.studio.motion import conduct
from models.lab.studio.plan import Cue, Section, make_plan

SECONDS = 12.0


def even_plan(metre, bpm=80.0, level=0.5, articulation=0.1, duration=16.0, cues=()):
    """A plan without rubato or swells, to read numbers off."""
    plan = make_plan("conducting", 11, metre=metre, duration=duration)
    times = np.arange(0.1, duration, 60 / bpm)
    count = len(times)
    return replace(plan, times=times, positions=np.arange(count) % metre + 1, dynamics=np.full(count, level), bpm=bpm,
                   articulation=np.full(count, articulation), cues=tuple(cues),
                   sections=(Section(0, count, "phrase", level, articulation),))


def ictus_of(motion, joint=23):
    """Times of the local minima of the right hand's height, between frames."""
    height = motion.positions()[:, joint, 2]
    low, _ = find_peaks(-height, prominence=0.012)
    a, b, c = height[low - 1], height[low], height[low + 1]
    return (low + 0.5 * (a - c) / (a - 2 * b + c)) / motion.fps


def shown_beats(plan, lead=0.0, variant=0):
    """The `Beats` that get a stroke, less the lead."""
    shown = stroke_plan(plan, pattern_of(plan, variant))
    return Beats(shown.times - lead, shown.positions, shown.metre)


@pytest.mark.parametrize("metre", [2, 3, 4, 6, 9])
def test_ictus_from_the_motion_alone(metre):
    scores = []
    for seed in range(8):
        plan = make_plan("conducting", seed, metre=metre, duration=SECONDS)
        motion, lead = conduct(plan)
        inside = [t for t in shown_beats(plan, lead).times if 0.1 < t < plan.duration - 0.1]
        found = [t for t in ictus_of(motion) if 0.1 < t < plan.duration - 0.1]
        scores.append(beat_f1_70ms(np.array(found), np.array(inside)))
    assert np.mean(scores) >= 0.95 and min(scores) > 0.85


def test_lead_follows_the_tempo():
    rng = np.random.default_rng(0)
    assert all(0 <= conductor.draw_style(rng, 150).lead <= 0.04 for _ in range(20))
    assert all(0.06 <= conductor.draw_style(rng, 100).lead <= 0.15 for _ in range(20))
    assert all(0.10 <= conductor.draw_style(rng, 55).lead <= 0.25 for _ in range(20))


@pytest.mark.parametrize("level,low,high", [(0.2, 0.09, 0.24), (0.5, 0.22, 0.46), (0.85, 0.40, 0.76)])
def test_stroke_size_follows_the_dynamics(level, low, high):
    for seed in range(6):
        plan = even_plan(4, level=level)
        style = replace(conductor.draw_style(np.random.default_rng(seed), plan.bpm), tremor=0.0, steady=0.0)
        t = np.arange(0, plan.duration, 1 / 120)
        path, _, times = conductor.right_hand(plan, style, np.random.default_rng(seed), t)
        drops = []
        for k in np.flatnonzero(plan.positions == 1)[1:-1]:
            at = plan.times[k] - style.lead
            window = (t > at - 0.7 * 60 / plan.bpm) & (t <= at + 0.01)
            drops.append(path[window, 1].max() - path[window, 1].min())
        assert low <= np.median(drops) <= high
        assert 1.0 <= np.median([np.interp(plan.times[k] - style.lead, t, path[:, 1])
                                 for k in np.flatnonzero(plan.positions == 1)[:-1]]) <= 1.25


def test_speed_peaks_before_the_ictus():
    plan = even_plan(4, bpm=72, articulation=0.5)
    for seed in range(4):
        style = conductor.draw_style(np.random.default_rng(seed), plan.bpm)
        t = np.arange(0, plan.duration, 1 / 240)
        path, _, _ = conductor.right_hand(plan, style, np.random.default_rng(seed), t)
        down = -np.gradient(path[:, 1], t)
        ahead = []
        for at in plan.times[2:-2] - style.lead:
            window = (t > at - 0.4) & (t < at)
            ahead.append(at - t[window][down[window].argmax()])
        assert 0.05 <= np.median(ahead) <= 0.14


def test_staccato_rebounds_less_than_legato():
    heights = []
    for articulation in (0.0, 1.0):
        plan = even_plan(2, bpm=66, articulation=articulation)
        style = replace(conductor.draw_style(np.random.default_rng(1), plan.bpm), tremor=0.0)
        t = np.arange(0, plan.duration, 1 / 120)
        path, _, _ = conductor.right_hand(plan, style, np.random.default_rng(2), t)
        quarter = np.interp(plan.times[3:-2] - style.lead + 0.33 * 60 / plan.bpm, t, path[:, 1])
        ictus = np.interp(plan.times[3:-2] - style.lead, t, path[:, 1])
        heights.append(np.mean(quarter - ictus))
    assert heights[1] < 0.75 * heights[0]


def test_patterns_turn_to_the_right_sides():
    """4: down, left, right, up, seen by the conductor (left is +x)."""
    plan = even_plan(4)
    style = replace(conductor.draw_style(np.random.default_rng(0), plan.bpm), tremor=0.0)
    t = np.arange(0, plan.duration, 1 / 120)
    path, _, _ = conductor.right_hand(plan, style, np.random.default_rng(0), t)
    place = {p: np.median([np.interp(plan.times[k] - style.lead, t, path[:, 0])
                           for k in np.flatnonzero(plan.positions == p)[:-1]]) for p in (1, 2, 3, 4)}
    assert place[2] > place[1] + 0.05 and place[3] < place[1] - 0.05


def test_left_hand_mirrors_at_most_a_third_and_cues_are_prepared():
    shares = []
    for seed in range(12):
        plan = make_plan("conducting", seed, duration=SECONDS)
        positions = conduct(plan)[0].positions()
        left, right = positions[:, 20], positions[:, 21]
        shares.append((np.abs(left[:, 2] - right[:, 2]) < 0.02).mean())
    assert np.mean(shares) <= 1 / 3
    gap = 60 / 80.0
    for k in range(6):                                               # some cues are given by the eyes alone
        plan = replace(even_plan(4, cues=[Cue(10, "accent", "brass")]), seed=k)
        calm = replace(plan, cues=())
        (with_cue, lead), (without, _) = conduct(plan), conduct(calm)
        at = int((plan.times[10] - lead) * 30)
        before = slice(int(at - gap * 30), at)
        moved = np.abs(with_cue.positions()[before, 20] - without.positions()[before, 20]).max()
        turned = geodesic(with_cue.rotations[before, 15], without.rotations[before, 15]).max()
        assert turned > 0.03 or moved > 0.05


@pytest.fixture(scope="module")
def conductors():
    """Sixteen pieces of every metre and tempo: (plan, motion, lead, joint positions)."""
    found = []
    for seed in range(16):
        plan = conducting_plan(seed, duration=20.0)
        motion, lead = conduct(plan)
        found.append((plan, motion, lead, motion.positions()))
    return found


def test_planted_feet_do_not_slide_and_steps_are_made(conductors):
    steps = 0
    for _, motion, _, positions in conductors:
        assert foot_slide(positions, motion.fps)[0] <= 0.01
        toes = positions[:, [10, 11], 2]
        steps += (np.diff((toes > 0.04).astype(int), axis=0) == 1).sum()
        assert toes.min() > 0.015
        assert ((toes > 0.04).sum(1) < 2).all()                                    # never both feet in the air
    assert steps / (len(conductors) * 20 / 60) > 3                                 # small steps a minute, over all


def test_the_body_breathes_and_turns(conductors):
    for name, index, axis, least in (("knees and hips", 0, 2, 0.02), ("weight", 0, 0, 0.05)):
        reach = [np.ptp(positions[:, index, axis]) for *_, positions in conductors]
        assert np.mean(reach) > least, name
        assert max(reach) < 0.45, name
    turned = [np.ptp(np.unwrap(np.arctan2(m.rotations[:, 0, 0, 2], -m.rotations[:, 0, 1, 2])))
              for _, m, _, _ in conductors]
    assert np.degrees(np.mean(turned)) > 8


def test_soft_endings_are_bowed_to():
    heads = []
    for level in (0.08, 0.9):
        plan = even_plan(3, level=level, duration=12.0)
        head = conduct(plan)[0].positions()[:, 15]
        heads.append(head[100:250, 2].mean() - head[-15:, 2].mean())
    assert heads[0] > heads[1] + 0.01


def test_the_hand_is_no_faster_than_four_metres_a_second(conductors):
    fastest = [np.linalg.norm(np.diff(positions[:, 23], axis=0), axis=1).max() * 30 for *_, positions in conductors]
    fast = replace(even_plan(4, bpm=150, level=0.95), extra={"strokes": 4})
    fastest.append(np.linalg.norm(np.diff(conduct(fast)[0].positions()[:, 23], axis=0), axis=1).max() * 30)
    assert max(fastest) <= 4.0


def test_upbeats_keep_the_elbow_below_the_shoulder(conductors):
    above = [(p[:, elbow, 2] > p[:, shoulder, 2]).mean() for *_, p in conductors for elbow, shoulder in ((18, 16),
                                                                                                         (19, 17))]
    assert max(above) <= 0.05


def test_the_free_hand_hangs_in_a_third_of_the_frames_at_most(conductors):
    hanging = [(p[:, 20, 2] < 0.98).mean() for *_, p in conductors]
    still = [(np.linalg.norm(np.diff(p[:, 20], axis=0), axis=1) * 30 < 0.02).mean() for *_, p in conductors]
    assert max(hanging) <= 1 / 3 and np.mean(still) <= 1 / 3
    assert np.mean([np.ptp(p[:, 20], axis=0).max() for *_, p in conductors]) > 0.35


def test_fast_music_gets_fewer_strokes_than_beats():
    for metre, bpm, strokes in ((3, 100, 3), (4, 100, 4), (4, 170, 2), (6, 100, 6), (6, 190, 2), (9, 90, 9),
                                (3, 190, 1)):
        drawn = [pattern_of(replace(even_plan(metre, bpm=bpm), seed=seed)) for seed in range(20)]
        assert drawn.count(strokes) >= 12, (metre, bpm)                # some conductors do it another way
    usual = replace(even_plan(3, bpm=180), extra={"strokes": 1})
    shown = stroke_plan(usual, 1)
    np.testing.assert_allclose(shown.times, usual.times[usual.positions == 1])
    assert len(shown.dynamics) == len(shown.times) == shown.sections[-1].last and (shown.positions == 1).all()
    motion, lead = conduct(usual)
    inside = (shown.times - lead > 0.2) & (shown.times - lead < usual.duration - 0.2)
    assert beat_f1_70ms(ictus_of(motion), shown.times[inside] - lead) > 0.9
