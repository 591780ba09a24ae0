"""MoMu's three entries on tiny networks that were trained, saved and loaded: shapes, cross-guidance, takes, loops,
cancel."""
import numpy as np
import pytest
from momu_fixtures import momu_folder, trained_momu  # noqa: F401
from music_fixtures import moving_motion

from core.audio import Audio
from core.body.motion import Motion
from core.errors import BadInput, Cancelled
from core.pipelines.base import regular_beats
from models.diffusion import Schedule
from models.layers.precision import PRODUCTS, half, native_autocast
from models.momu.config import LATENT_RATE, TINY
from models.momu.joint import Side, cross_guided
from models.momu.network import Condition, DiT
from models.momu.passage import Passage
from models.momu.pipeline import MoMuBoth, MoMuMotion, MoMuMusic, load_network
from models.momu.takes import free_ranges

torch = pytest.importorskip("torch")
SECONDS = 4.0


def noise(seconds, seed=0):
    """White noise with a pulse, as an `Audio`."""
    rng = np.random.default_rng(seed)
    sound = rng.normal(0, 0.05, (2, round(seconds * 48_000))).astype(np.float32)
    sound[:, ::24_000] += 0.5
    return Audio(sound, 48_000)


@pytest.fixture(scope="module")
def both(momu_folder):                                              # noqa: F811
    torch.set_num_threads(1)
    return MoMuBoth.load(momu_folder)


def test_a_dance_and_its_song_from_nothing(both):
    beats = regular_beats(120, SECONDS)
    first, second = both.generate(duration=SECONDS, genre="house", beats=beats, steps=3, seed=5, variations=2)
    for samples, motion in (first, second):
        assert samples.shape == (2, 4 * 48_000) and samples.dtype == np.float32 and np.isfinite(samples).all()
        assert len(motion) == 120 and motion.fps == 30 and np.isfinite(motion.rotations).all()
        assert np.abs(motion.root[0, :2]).max() < 0.05
    assert np.abs(first[0] - second[0]).max() > 1e-4
    again = both.generate(duration=SECONDS, genre="house", beats=beats, steps=3, seed=6)[0]
    assert np.allclose(again[0], second[0], atol=1e-4) and np.allclose(again[1].root, second[1].root, atol=1e-4)


def test_weights_lie_in_the_type_that_they_are_multiplied_in(both, momu_folder):        # noqa: F811
    wanted = half(torch.device("cpu")) or torch.float32
    for part in ("music_dit", "motion_dit"):
        network, given = getattr(both, part), load_network(part, momu_folder)
        assert {layer.weight.dtype for layer in network.modules() if isinstance(layer, PRODUCTS)} == {wanted}
        config, time, x = network.config, torch.tensor([20]), torch.randn(1, network.config.latent, 24)
        said = Condition(x, torch.ones(1), torch.randn(1, 20, 24), torch.randn(1, 2),
                         torch.zeros(1, len(config.genres)), torch.randn(1, config.code + 1))
        with native_autocast(torch.device("cpu")), torch.no_grad():
            assert torch.equal(network(x, time, said), given(x, time, said)), "the same numbers come out"


def test_motion_to_music_and_music_to_motion(momu_folder):          # noqa: F811
    music = MoMuMusic.load(momu_folder)
    samples = music.generate(moving_motion(90), steps=2)[0]
    assert samples.shape == (2, 3 * 48_000)
    other = music.generate(moving_motion(90, seed=4), steps=2)[0]
    assert np.abs(samples - other).max() > 1e-5                     # what is seen reaches the sound
    dancer = MoMuMotion.load(momu_folder)
    motion = dancer.generate(noise(5), start=1.0, duration=3.0, beats=regular_beats(100, 3.0), steps=2)[0]
    assert len(motion) == 90
    assert len(dancer.generate(duration=2.0, genre="pop", steps=2, loop=True)[0]) == 60


def random_dit(seed):
    """A transformer whose output layers are not zero, so that conditions matter."""
    torch.manual_seed(seed)
    network = DiT(TINY).eval().requires_grad_(False)
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    return network


@pytest.fixture(scope="module")
def sides():
    canvas, schedule = Passage(TINY, 2.5, regular_beats(120, 2.5), "house"), Schedule("cosine", "v")
    codes = torch.zeros(1, TINY.code + 1)
    return Side(random_dit(1), schedule, canvas, codes), Side(random_dit(2), schedule, canvas, codes)


def changed(sides, together_from, t, **options):
    """Whether the music's estimate at t depends on the motion's state."""
    denoise = cross_guided(*sides, 1.5, together_from, **options)
    x = torch.randn(1, 128, sides[0].canvas.window, generator=torch.Generator().manual_seed(0))
    y = x.clone()
    y[:, 64:] += 1.0
    return not torch.allclose(denoise(x, t, [0], [0])[:, :64], denoise(y, t, [0], [0])[:, :64], atol=1e-5)


@pytest.mark.parametrize("together_from,t,dependent", [(0.0, 0, False), (0.0, 999, False), (1.0, 999, True),
                                                       (1.0, 0, True), (0.5, 500, False), (0.5, 499, True)])
def test_edges_of_together_from(sides, together_from, t, dependent):
    """0: two independent pieces; 1: together from the first step; between: from that level of noise on."""
    assert changed(sides, together_from, t) == dependent


def test_apart_equals_each_side_alone(sides):
    music, motion = sides
    x = torch.randn(1, 128, music.canvas.window, generator=torch.Generator().manual_seed(1))
    joint = cross_guided(music, motion, 1.5, 0.0)(x, 300, [0], [0])
    alone = music.guided(x[:, :64], 300, music.condition([0], [0]).alone(), 1.5)
    assert torch.allclose(joint[:, :64], alone, atol=1e-5)


def test_cross_guidance_by_hand(sides):
    """t < T_c: x_0 + s (x under the other's x0 estimate - x_0), the estimate being the other's own, alone."""
    music, motion = sides
    x = torch.randn(1, 128, music.canvas.window, generator=torch.Generator().manual_seed(2))
    a, m = x[:, :64], x[:, 64:]
    for_a, for_m = music.condition([0], [0]).alone(), motion.condition([0], [0]).alone()
    estimate = motion.x0(m, 200, for_m)
    seen = motion.as_other(estimate, music.network)
    under, nothing = music.x0(a, 200, for_a.given(seen)), music.x0(a, 200, for_a.none())
    joint = cross_guided(music, motion, 2.0, 1.0)(x, 200, [0], [0])
    assert torch.allclose(joint[:, :64], nothing + 2.0 * (under - nothing), atol=1e-5)


def outside(start, stop, seconds=SECONDS):
    """What stays when start..stop is made anew."""
    return [(0.0, start), (stop, seconds)]


def test_a_range_of_both_is_made_anew_and_the_rest_is_the_takes_own(both):
    beats = regular_beats(120, SECONDS)
    samples, motion = both.generate(duration=SECONDS, beats=beats, steps=2, seed=1)[0]
    keep = (samples, motion, outside(1.0, 2.5), outside(1.0, 2.5))
    new, moved = both.generate(duration=SECONDS, beats=beats, steps=2, seed=9, keep=keep)[0]
    a, b = 48_000, round(2.5 * 48_000)
    assert np.array_equal(new[:, :a], samples[:, :a]) and np.array_equal(new[:, b:], samples[:, b:])
    assert np.abs(new[:, a:b] - samples[:, a:b]).max() > 1e-4
    for mine, its in ((moved.rotations, motion.rotations), (moved.root, motion.root)):
        assert np.array_equal(mine[:30], its[:30]) and np.array_equal(mine[75:], its[75:])
    assert np.abs(moved.rotations[30:75] - motion.rotations[30:75]).max() > 1e-4
    step = np.linalg.norm(np.diff(moved.root, axis=0), axis=1)
    assert step[[29, 74]].max() < 0.2  # it sets out from and comes back to where the take is


@pytest.mark.parametrize("side", ["sound", "motion"])
def test_one_side_is_made_anew_and_the_other_stays_exactly(both, side):
    samples, motion = both.generate(duration=SECONDS, steps=2, seed=1)[0]
    free, whole = outside(1.0, 2.5), [(0.0, SECONDS)]
    keep = (samples, motion, free, whole) if side == "sound" else (samples, motion, whole, free)
    new, moved = both.generate(duration=SECONDS, steps=2, seed=9, keep=keep)[0]
    if side == "sound":
        assert moved is motion
        assert np.array_equal(new[:, :48_000], samples[:, :48_000]) and np.abs(new - samples).max() > 1e-4
    else:
        assert new is samples
        assert np.array_equal(moved.rotations[:30], motion.rotations[:30]) and np.array_equal(moved.root[75:],
                                                                                              motion.root[75:])
        assert np.abs(moved.rotations[30:75] - motion.rotations[30:75]).max() > 1e-4


def test_a_range_of_a_motion_stays_where_it_is(momu_folder):        # noqa: F811
    """The rig's own motion between two new parts, far from the origin and turned away."""
    kept = moving_motion(120).moved(1.0, after=(3.0, -2.0))
    made = MoMuMotion.load(momu_folder).generate(noise(4), steps=2, keep=(kept, [(1.5, 2.5)]))[0]
    assert np.array_equal(made.rotations[45:75], kept.rotations[45:75]) and np.array_equal(made.root[45:75],
                                                                                           kept.root[45:75])
    assert np.linalg.norm(np.diff(made.root[:, :2], axis=0), axis=1).max() < 0.2


def test_free_ranges():
    assert free_ranges([(0.0, 1.0), (2.5, 4.0)], 4.0) == [(1.0, 2.5)]
    assert free_ranges([(1.5, 2.5)], 4.0) == [(0.0, 1.5), (2.5, 4.0)]
    assert free_ranges([(0.0, 4.0)], 4.0, required=False) == []
    with pytest.raises(BadInput, match="nothing to make anew"):
        free_ranges([(0.0, 3.0), (2.0, 4.0)], 4.0)
    with pytest.raises(BadInput, match="earlier to a later"):
        free_ranges([(2.0, 1.0)], 4.0)


def test_a_loop_comes_round(both):
    samples, motion = both.generate(duration=3.3, beats=regular_beats(120, 3.3), steps=2, loop=True)[0]
    assert samples.shape[1] == round(3.3 * 48_000)
    positions = motion.positions()
    seam = np.linalg.norm(positions[-1] - positions[0], axis=-1).mean()
    assert seam < 3 * np.linalg.norm(np.diff(positions, axis=0), axis=-1).mean() + 0.02


def test_any_length_goes_through_windows(both):
    """Longer than a window and shorter than one; both states on one canvas."""
    seconds = 2.2 * TINY.window / LATENT_RATE
    samples, motion = both.generate(duration=seconds, steps=2)[0]
    assert samples.shape[1] == round(seconds * 48_000) and len(motion) == round(seconds * 30)
    assert len(both.generate(duration=1.0, steps=2)[0][1]) == 30


def test_a_far_range_of_a_long_take_samples_only_its_surroundings():
    canvas = Passage(TINY, 60.0)
    canvas.cut([(30.0, 32.0)])
    assert canvas.sampled < 160 and canvas.first / LATENT_RATE < 30.0 < 32.0 < canvas.last / LATENT_RATE
    free = canvas.kept([(30.0, 32.0)])[0].numpy() == 0
    centres = (np.arange(canvas.length) + 0.5) / LATENT_RATE
    assert ((centres[free] >= 30.0) & (centres[free] <= 32.0)).all() and free.sum() > 18


def test_bad_input_is_named(both, momu_folder):                     # noqa: F811
    with pytest.raises(BadInput, match="made from nothing"):
        both.generate(moving_motion(30), duration=2.0)
    with pytest.raises(BadInput, match="Together From"):
        both.generate(duration=2.0, together_from=1.5)
    with pytest.raises(BadInput, match="no genre"):
        both.generate(duration=2.0, genre="polka")
    samples, motion = both.generate(duration=2.0, steps=1)[0]
    with pytest.raises(BadInput, match="nothing to make anew"):
        both.generate(duration=2.0, keep=(samples, motion, [(0.0, 2.0)], [(0.0, 2.0)]))
    with pytest.raises(BadInput, match="use the take's own"):
        both.generate(duration=9.0, keep=(samples, motion, [(0.0, 1.0)], [(0.0, 1.0)]))
    broken = Motion(motion.rotations.copy(), np.full_like(motion.root, np.nan))
    with pytest.raises(BadInput, match="NaN"):
        MoMuMusic.load(momu_folder).generate(broken)


def test_cancel_is_heard_within_a_window(both):
    asked = []

    def should_cancel():
        asked.append(1)
        return len(asked) > 3
    with pytest.raises(Cancelled):
        both.generate(duration=3.0, steps=20, should_cancel=should_cancel)
    assert len(asked) < 8


def test_slow_beats_are_danced_in_double_time(both):
    """Beats of 57 BPM, slower than any dance that was trained on, get one between each two; others stay. So it is of
    both at once, where the music would go at 114 and the body at neither."""
    from models.momu.pipeline import danceable
    slow, quick = regular_beats(57.0, 12.0), regular_beats(80.0, 12.0)
    assert danceable(slow).tempo_bpm == pytest.approx(114.0) and set(slow.times) <= set(danceable(slow).times)
    assert danceable(quick) is quick and danceable(None) is None
    round_trip = danceable(slow, turn=13.0)                     # the seam of a loop is halved too
    assert round_trip.times[-2:] == pytest.approx([(slow.times[-1] + 13.0) / 2, 13.0])
    asked = {"duration": SECONDS, "genre": "house", "steps": 2, "seed": 3}
    slow = regular_beats(57.0, SECONDS)
    (sound, motion), (other, moved) = (both.generate(beats=beats, **asked)[0] for beats in (slow, slow.double_time()))
    assert np.array_equal(sound, other) and np.array_equal(motion.rotations, moved.rotations)
