"""models.dance_cascade.pipeline and course: any length without seams, kept ranges exact, loops, places, seeds,
cancel."""
from dataclasses import replace

import numpy as np
import pytest
import torch
from dance_fixtures import clicks, dancer, one_thread  # noqa: F401

from core.body.motion import Motion
from core.errors import BadInput, Cancelled
from core.rhythm.beats import Beats
from models.dance_cascade.network import Denoiser
from models.dance_cascade.pipeline import SEED_SPREAD, energies_of, known_of
from models.dance_cascade.settings import Settings
from models.diffusion import canvas
from models.diffusion.windows import window_starts, windowed
from models.lab.studio.dancer import dance
from models.lab.studio.plan import make_plan
from models.motion.course import Course, resampled_path, with_course
from models.motion.representation import encode, start_of, to_vector, trajectory

TIMES = np.arange(0.2, 12.0, 0.5)
BEATS = Beats(TIMES, np.arange(len(TIMES)) % 4 + 1)


@pytest.fixture(scope="module")
def audio():
    return clicks(TIMES, 12.0)


@pytest.fixture(scope="module")
def studio():
    return dance(make_plan("dance", 5, genre="house", duration=12.0)).moved(0.6, after=(2.0, 1.0)).resampled(60.0)


def jumps(motion):
    """(T-1,) largest joint move in metres from frame to frame."""
    return np.linalg.norm(np.diff(motion.positions(), axis=0), axis=-1).max(axis=1)


def test_any_length_and_the_same_again(dancer, audio):
    motion = dancer.generate(audio, beats=BEATS, seed=3, steps=2)[0]
    assert len(motion) == 720 and motion.fps == 60
    again = dancer.generate(audio, beats=BEATS, seed=3, steps=2)[0]
    other = dancer.generate(audio, beats=BEATS, seed=4, steps=2)[0]
    assert np.array_equal(motion.rotations, again.rotations) and np.abs(motion.rotations - other.rotations).max() > 0.05
    short = dancer.generate(audio, beats=BEATS, duration=1.5, start=2.0, steps=2)[0]
    assert len(short) == 90


def test_beats_have_a_guidance_of_their_own(dancer, audio):
    """It moves the dance where beats are given, leaves it alone where none are, and 0 is the checkpoint's without."""
    def made(beats, strength):
        return dancer.generate(audio, beats=beats, seed=3, steps=2, duration=4.0, beat_guidance=strength)[0].rotations
    assert np.abs(made(BEATS, 4.0) - made(BEATS, 0.0)).max() > 0.01
    assert np.array_equal(made(None, 4.0), made(None, 0.0))
    assert np.array_equal(made(BEATS, None), made(BEATS, dancer.base.config.beat_guidance))


def test_variations_are_the_seeds(dancer, audio):
    both = dancer.generate(audio, beats=BEATS, seed=3, steps=2, variations=2, duration=4.0, feet=False)
    assert len(both) == 2 and np.abs(both[0].rotations - both[1].rotations).max() > 0.05


def test_windows_leave_no_seams(dancer, audio):
    motion = dancer.generate(audio, beats=BEATS, seed=3, steps=3, feet=False)[0]
    length = dancer.base.config.window * 4
    step = jumps(motion)
    seams = [n for n in range(1, len(step)) if n % (length // 3) == 0]
    assert step[seams].max() < 1.5 * np.percentile(step, 99.5)


def test_a_dance_grows_out_of_what_went_before(dancer, audio, studio):
    """The motion before the passage stands exactly at the canvas's start; the dance goes on from its pose, speed and
    place."""
    for seed in (studio.slice(100, 190), studio.slice(60, 300), studio.slice(50, 51)):
        motion = dancer.generate(audio, beats=BEATS, grow=seed, steps=2, duration=6.0)[0]
        assert len(motion) == 360
        parts = ((seed.rotations, motion.rotations), (seed.root, motion.root))
        whole = Motion(*(np.concatenate([before[-1:], after]) for before, after in parts), 60.0)
        assert jumps(whole)[0] < 0.06 and np.linalg.norm(motion.root[0] - seed.root[-1]) < 0.04
    known, before = known_of(Settings(grow=studio.slice(100, 190)), 240)
    assert before == 88 and known.mask[:88].all() and not known.mask[88:].any()
    assert np.array_equal(known.motion.root[:88], studio.root[102:190])
    with pytest.raises(BadInput, match="loop"):
        dancer.generate(audio, grow=studio, loop=True)


def test_kept_ranges_are_exact_and_what_is_made_anew_meets_them(dancer, audio, studio):
    motion = dancer.generate(audio, beats=BEATS, steps=2, keep=(studio, [(0.0, 4.0), (8.0, 12.0)]))[0]
    for start, stop in ((0, 240), (480, len(studio))):              # whose last frame is held to the end
        assert np.array_equal(motion.rotations[start:stop], studio.rotations[start:stop])
        assert np.array_equal(motion.root[start:stop], studio.root[start:stop])
    assert len(motion) == 720 and np.abs(motion.rotations[300:420] - studio.rotations[300:420]).max() > 0.05
    assert jumps(motion)[[238, 239, 240, 478, 479, 480]].max() < 0.12
    with pytest.raises(BadInput, match="ends before"):
        dancer.generate(audio, beats=BEATS, steps=1, keep=(studio.slice(0, 200), [(8.0, 12.0)]))


def test_mirrored_keeps_stay_exact(dancer, audio, studio):
    motion = dancer.generate(audio, beats=BEATS, steps=1, mirror=True, keep=(studio, [(0.0, 2.0)]), duration=4.0)[0]
    assert np.array_equal(motion.root[:120], studio.root[:120])


def test_a_loop_comes_back(dancer, audio):
    motion = dancer.generate(audio, beats=BEATS, loop=True, steps=2, duration=8.0)[0]
    assert len(motion) == 480
    last = np.linalg.norm(motion.positions()[0] - motion.positions()[-1], axis=-1).max()
    assert last < 3 * np.percentile(jumps(motion), 95)


def test_in_place_and_along_a_path(dancer, audio):
    free = dancer.generate(audio, beats=BEATS, steps=2, feet=False)[0]
    stays = dancer.generate(audio, beats=BEATS, steps=2, in_place=True, feet=False)[0]
    assert (np.abs(stays.root[:, :2]).max() < 0.5 and np.abs(stays.root[:, :2]).max() <= np.abs(free.root[:, :2]).max()
            + 0.1)
    walks = dancer.generate(audio, beats=BEATS, steps=2, path=[(0, 0), (3, 0), (3, 2)], feet=False)[0]
    assert np.linalg.norm(walks.root[-1, :2] - walks.root[0, :2] - [3, 2]) < 0.5


def test_a_path_lies_in_the_world_whatever_went_before(dancer, audio, studio):
    """On code before, the path turned with the heading of the motion that the dance grows out of."""
    seed = studio.slice(100, 190).moved(1.2)
    walks = dancer.generate(audio, beats=BEATS, grow=seed, steps=2, path=[(0, 0), (3, 0), (3, 2)], feet=False)[0]
    assert np.linalg.norm(walks.root[-1, :2] - seed.root[-1, :2] - [3, 2]) < 0.6


def test_energy_style_and_bad_input(dancer, audio):
    calm = dancer.generate(audio, beats=BEATS, energy=0.1, genre="house", steps=2, duration=3.0)[0]
    wild = dancer.generate(audio, beats=BEATS, energy=np.linspace(0, 1, 30), genre="krump", steps=2, duration=3.0)[0]
    assert np.abs(calm.rotations - wild.rotations).max() > 1e-3
    with pytest.raises(BadInput, match="tango"):
        dancer.generate(audio, genre="tango")
    with pytest.raises(BadInput, match="at least"):
        dancer.generate(audio, duration=0.2)
    with pytest.raises(BadInput, match="music are left"):
        dancer.generate(audio, duration=30.0)


def test_cancel_is_heard_at_each_step_of_both_stages(dancer, audio):
    for most in (0, 3, 4):
        answers = iter([False] * most + [True])
        with pytest.raises(Cancelled):
            dancer.generate(audio, beats=BEATS, steps=3, duration=3.0, should_cancel=lambda left=answers: next(left))
        assert next(answers, None) is None
    told = []
    dancer.generate(audio, beats=BEATS, steps=3, duration=2.0, progress=lambda phase, part, text: told.append(part))
    assert told == sorted(told) and 0 <= told[0] and told[-1] < 1


def test_a_course_is_its_velocities():
    vectors = torch.from_numpy(to_vector(dance(make_plan("dance", 6, duration=6.0))))[None]
    turn, place = trajectory(vectors, 30.0)
    again = with_course(vectors, turn, place, 30.0)
    assert torch.allclose(again, vectors, atol=1e-4)
    bent = Course(30.0, loop=True).bend(vectors)
    turn, place = trajectory(torch.cat([bent, bent[:, :1]], dim=1), 30.0)
    assert float(place[:, -1].norm()) < 5e-3
    around = float(turn[:, -1]) / (2 * np.pi)
    assert abs(around - round(around)) < 1e-3
    assert torch.allclose(resampled_path([(0, 0), (0, 2), (2, 2)], 5)[2], torch.tensor([0.0, 2.0]))


def test_a_motion_with_another_rate_can_be_kept(dancer, audio, studio):
    coarse = Motion(studio.rotations[::2], studio.root[::2], 30.0)
    motion = dancer.generate(audio, beats=BEATS, steps=1, keep=(coarse, [(0.0, 3.0)]), duration=6.0)[0]
    assert np.abs(motion.root[:180:2] - coarse.root[:90]).max() < 1e-6


def test_a_perfect_denoiser_dances_the_truth(dancer, audio, studio, monkeypatch):
    """Windows, rates, course and decoding in one: the base answers with the truth, the super-resolution with its
    base."""
    truth = encode(torch.from_numpy(studio.rotations), torch.from_numpy(studio.root), 60.0, 4)[::4]
    base, numbers = dancer.base, []
    starts = window_starts(len(truth), base.config.window, base.config.overlap)

    def forward(network, x, t, told, null):
        if network is not base.network:
            return told["low"]
        return torch.stack([base.network.standard(truth)[starts[k]:starts[k] + x.shape[1]] for k in numbers[-1]])

    def watched(denoise, *rest):
        return windowed(lambda x, t, variations, k: numbers.append(k) or denoise(x, t, variations, k), *rest)
    monkeypatch.setattr(Denoiser, "forward", forward)
    monkeypatch.setattr(canvas, "windowed", watched)
    monkeypatch.setattr(dancer.refiner, "config", replace(dancer.refiner.config, low_noise_sampling=0.0))
    start = start_of(studio)
    motion = dancer.generate(audio, beats=BEATS, duration=len(truth) / 15, steps=3, feet=False, guidance_scale=1.0)[0]
    motion = motion.moved(start[0], after=start[1])
    count = min(len(motion), len(studio)) - 4
    assert np.abs(motion.positions()[:count:4] - studio.positions()[:count:4]).max() < 0.12


def test_seeds_are_as_lively_as_dancers_of_one_genre_differ():
    """Where no energy is asked for, each seed has its own; a variation is what its seed alone gives."""
    audio, seconds = clicks(np.arange(0.5, 8.0, 0.5), 8.0), np.arange(120) / 15
    many = energies_of(Settings(seed=0, variations=200), audio, seconds)
    middles = many.mean(1)
    assert many.shape == (200, 120) and abs(middles.std() - SEED_SPREAD) < 0.04
    alone = energies_of(Settings(seed=3), audio, seconds)
    assert np.array_equal(alone[0], many[3])
    swell = [row - row.mean() for row in many if 0.1 < row.min() and row.max() < 0.9]
    assert len(swell) > 50 and np.abs(np.array(swell) - swell[0]).max() < 1e-5     # all follow the same music
    asked = energies_of(Settings(seed=3, variations=2, energy=np.array([0.2, 0.6])), audio, seconds)
    assert asked.shape == (2, 120) and np.allclose(asked, np.linspace(0.2, 0.6, 120), atol=1e-6)
    assert np.allclose(energies_of(Settings(energy=0.4), audio, seconds), 0.4)
