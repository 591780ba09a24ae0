"""Conductor: generation, guidance, windows, editing, controls."""
import json
from dataclasses import asdict

import numpy as np
import pytest
from conductor_fixtures import RATE, clicks, conductor, corpus, one_thread  # noqa: F401

from core.body.ictus import hand_path, ictus_times
from core.body.rotations import geodesic
from core.errors import BadInput, Cancelled
from core.rhythm.alignment import beat_f1_70ms
from core.rhythm.beats import Beats
from models.conductor import features
from models.conductor.config import ConductorConfig
from models.conductor.controls import keep_weight, rest_weight, smoothed
from models.conductor.pipeline import Conductor, default_lead, with_metre
from models.lab.studio.conductor import conduct
from models.lab.studio.plan import make_plan


def sound(seconds=6.0, seed=1):
    return clicks(make_plan("conducting", seed, duration=seconds)), RATE


def test_generate_is_determined_by_the_seed(conductor):
    plan = make_plan("conducting", 1, duration=6.0)
    options = dict(steps=3, beats=plan.beats)
    first, second = conductor.generate(sound(), variations=2, seed=4, **options)
    again, = conductor.generate(sound(), seed=5, **options)
    assert np.abs(second.rotations - again.rotations).max() < 1e-4                 # variation 2 is seed + 1
    assert np.abs(first.rotations - second.rotations).max() > 0.01


def test_guidance_zero_ignores_the_music(conductor):
    a, = conductor.generate(sound(seed=1), steps=2, guidance_scale=0.0, duration=4.0)
    b, = conductor.generate(sound(seed=2), steps=2, guidance_scale=0.0, duration=4.0)
    c, = conductor.generate(sound(seed=2), steps=2, guidance_scale=1.0, duration=4.0)
    rest = np.abs(a.rotations - b.rotations).max()
    assert rest < 1e-4 < np.abs(b.rotations - c.rotations).max()


def test_long_passages_have_no_seam(conductor):
    motion, = conductor.generate(sound(12.0), steps=2, beats=make_plan("conducting", 1, duration=12.0).beats)
    step = np.linalg.norm(np.diff(hand_path(motion), axis=0), axis=1)
    starts = np.arange(40, len(step), 40)
    assert len(motion) == 360
    assert step[starts].max() <= np.percentile(step, 99.9) + 1e-6


@pytest.mark.parametrize("start", [0.0, 2.0])
def test_strokes_are_looked_for_where_the_passage_has_them(conductor, monkeypatch, start):
    """What ends a piece is told the strokes on the clock of the motion, wherever in the track that begins."""
    from models.conductor import pipeline
    told, beats = [], Beats(np.arange(0.5, 4.0, 0.5), np.arange(7) % 4 + 1, 4)
    monkeypatch.setattr(pipeline, "cut_off", lambda motion, pose, ends, strokes, *rest: told.append(strokes) or motion)
    conductor.generate(sound(), steps=1, beats=beats, start=start, duration=4.0, lead=0.1)
    assert np.abs(told[0].times[:, None] - (beats.times - 0.1)).min(0).max() < 1e-6


def test_keep_leaves_the_range_alone(conductor):
    kept, _ = conduct(make_plan("conducting", 7, duration=6.0))
    motion, = conductor.generate(sound(), steps=3, keep=(kept, [(0.0, 2.0), (5.0, 6.0)]))
    assert np.array_equal(motion.rotations[:61], kept.rotations[:61]) and np.array_equal(motion.root[:61],
                                                                                         kept.root[:61])
    assert np.abs(motion.rotations[90] - kept.rotations[90]).max() > 1e-3
    still, = conductor.generate(sound(), steps=1, amplitude=0.0, keep=(kept, [(0.0, 2.0)]))
    turn = geodesic(still.rotations[1:], still.rotations[:-1]).max(1)
    way = geodesic(kept.rotations[60], still.rotations[120]).max()
    own = geodesic(kept.rotations[1:], kept.rotations[:-1]).max()
    assert way > 0.3 and turn[58:75].max() < 0.3 * way + own              # eased over eight frames, not jumped


def test_controls(conductor):
    options = dict(steps=2, seed=3, duration=3.0)
    plain, = conductor.generate(sound(), **options)
    small, = conductor.generate(sound(), amplitude=0.5, **options)
    assert np.ptp(hand_path(small), axis=0).sum() < np.ptp(hand_path(plain), axis=0).sum()
    other, = conductor.generate(sound(), mirror=True, **options)
    assert np.allclose(other.positions()[:, 22, 2], plain.positions()[:, 23, 2], atol=1e-4)
    both, = conductor.generate(sound(), left_hand=0.0, **options)
    assert np.allclose(both.rotations[:, 18], both.mirrored().rotations[:, 18], atol=1e-4)


def test_a_spread_widens_the_joints_it_names(conductor):
    config = ConductorConfig.from_json({**json.loads(json.dumps(asdict(conductor.config))), "spread": [[15, 2.0]]})
    wide = Conductor(config, conductor.denoiser, conductor.music_encoder.module)
    before, after = (c.generate(sound(), steps=2, seed=3, duration=3.0)[0] for c in (conductor, wide))
    others = [joint for joint in range(24) if joint != 15]
    assert np.allclose(before.rotations[:, others], after.rotations[:, others], atol=1e-5)
    assert np.ptp(after.rotations[:, 15], axis=0).max() > 1.5 * np.ptp(before.rotations[:, 15], axis=0).max()


def test_smoothing_quiets_the_trunk_and_keeps_the_ictus():
    motion, _ = conduct(make_plan("conducting", 8, duration=8.0))
    vector = features.motion_vector(motion, "smpl24")
    noisy = vector + np.random.default_rng(0).normal(0, 0.01, vector.shape).astype(np.float32)
    pose = motion.to_vector().mean(0)
    quiet = features.motion_from_vector(smoothed(noisy), pose)
    loud = features.motion_from_vector(noisy, pose)

    def tremble(m):
        return np.linalg.norm(np.diff(m.positions()[:, 15], n=3, axis=0), axis=1).mean()
    assert tremble(quiet) < 0.2 * tremble(loud)
    assert beat_f1_70ms(ictus_times(quiet), ictus_times(motion)) > 0.95
    assert smoothed(vector[:3]).shape == (3, 99)              # shorter than every window: left as it is


def test_silence_stands_ready(conductor):
    motion, = conductor.generate((np.zeros(RATE * 4, np.float32), RATE), steps=2)
    assert np.ptp(motion.positions(), axis=0).max() < 1e-3
    level = np.ones((300, 2), np.float32)
    level[120:240] = 0                                        # four seconds of silence
    weight = rest_weight(level, 300)
    assert weight[100] == 0 and weight[180] == 1 and weight[260] == 0 and np.abs(np.diff(weight)).max() < 0.2


def test_bad_input_is_one_sentence(conductor):
    kept, _ = conduct(make_plan("conducting", 7, duration=2.0))
    for options in (dict(start=5.0), dict(metre=8, beats=Beats([0, 0.5, 1], [1, 2, 3], 3)), dict(keep=(kept, [(0, 1)])),
                    dict(duration=0.01)):
        with pytest.raises(BadInput):
            conductor.generate(sound(5.0), steps=1, **options)
    with pytest.raises(BadInput):
        keep_weight([(2.0, 1.0)], 30)
    short, = conductor.generate((np.random.default_rng(0).normal(0, 0.1, 9600), RATE), steps=1)
    assert len(short) == 6                                    # 0.2 s is short, but no error


def test_cancel_and_progress(conductor):
    seen = []
    with pytest.raises(Cancelled):
        conductor.generate(sound(), steps=4, progress=lambda *row: seen.append(row),
                           should_cancel=lambda: len(seen) >= 2)
    assert [row[0] for row in seen] == ["Sampling", "Sampling"] and seen[1][1] == 0.25


def test_metre_and_lead():
    beats = Beats(np.arange(8) * 0.5, [3, 4, 1, 2, 3, 4, 1, 2], 4)
    assert with_metre(beats, 3).positions.tolist() == [2, 3, 1, 2, 3, 1, 2, 3]     # counted from the first downbeat
    assert with_metre(beats, None) is beats and with_metre(None, 3) is None
    assert default_lead(Beats(np.arange(8) * 1.1, [0] * 8)) > default_lead(Beats(np.arange(8) * 0.4, [0] * 8))
