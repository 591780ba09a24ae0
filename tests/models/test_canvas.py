"""The skeleton of sampling and of a diffusion loss: against the parts they are made of, written out."""
import pytest

torch = pytest.importorskip("torch")

from core.errors import BadInput, Cancelled  # noqa: E402
from models.diffusion import SAMPLERS, Inpaint, Schedule, guided, windowed  # noqa: E402
from models.diffusion import loss as losses  # noqa: E402
from models.diffusion.canvas import Layout, guided_apart, guided_windows, noise, reporting, sample, seeded  # noqa: E402

SCHEDULE = Schedule("cosine", "v", 100)
LAYOUT = Layout(50, 20, 6, batch=3)
PULL = torch.linspace(-1, 1, 50)


def network(x, t, variations, numbers, null):
    """Depends on everything that a network is told."""
    pull = PULL[LAYOUT.places()[numbers]][:, None]
    known = (~null).float().reshape(-1, 1, 1)
    which = variations.float().reshape(-1, 1, 1)
    return torch.tanh(x * (0.5 + t.reshape(-1, 1, 1) / 200)) + known * pull + 0.1 * which


def two_passes(scale):
    """The same denoiser from two separate passes, as the systems had it each for itself."""
    def windows(null):
        def denoise(x, t, variations, numbers):
            output = network(x, torch.full((len(x),), t), variations, numbers, torch.full((len(x),), null))
            return SCHEDULE.to_x0(output, x, t)
        return windowed(denoise, 50, 20, 6, batch=7)
    return guided(windows(False), windows(True), scale, steps=SCHEDULE.steps)


@pytest.mark.parametrize("scale", [0.0, 1.0, 2.5])
def test_guided_windows_equal_two_separate_passes(scale):
    x = noise(seeded(3, 2), (4, 50))
    for together in (True, False):
        found = guided_windows(network, LAYOUT, SCHEDULE, scale, together=together)(x, 60)
        assert torch.allclose(found, two_passes(scale)(x, 60), atol=1e-6)


def test_no_call_has_rows_of_both_halves_where_they_are_apart():
    seen = []

    def watched(x, t, variations, numbers, null):
        seen.append(null)
        return network(x, t, variations, numbers, null)
    guided_windows(watched, LAYOUT, SCHEDULE, 2.0, together=False)(noise(seeded(0, 2), (4, 50)), 60)
    assert all(null.all() or not null.any() for null in seen) and any(null.all() for null in seen)


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_a_part_of_the_condition_has_a_weight_of_its_own(scale):
    """Against three separate passes, at two windows a variation; without weight it is plain guidance."""
    def lacking(x, t, variations, numbers, null, without):
        return network(x, t, variations, numbers, null) - 0.3 * without.float().reshape(-1, 1, 1)
    x = noise(seeded(3, 2), (4, 50))
    passes = []
    for null, without in ((False, False), (False, True), (True, False)):
        def alone(x, t, variations, numbers, _, null=null, without=without):
            rows = torch.ones(len(x), dtype=torch.bool)
            return lacking(x, t, variations, numbers, rows & null, rows & without)
        passes.append(guided_windows(alone, LAYOUT, SCHEDULE, 1.0)(x, 60))
    both, bare, none = passes
    wanted = none + scale * (both - none) + 3.0 * (both - bare)
    assert torch.allclose(guided_apart(lacking, LAYOUT, SCHEDULE, scale, 3.0)(x, 60), wanted, atol=1e-5)
    plain = guided_windows(network, LAYOUT, SCHEDULE, scale)(x, 60)
    assert torch.allclose(guided_apart(lacking, LAYOUT, SCHEDULE, scale, 0.0)(x, 60), plain, atol=1e-5)


def test_no_call_has_more_rows_than_the_batch():
    seen = []

    def counted(x, *rest):
        seen.append(x.shape)
        return network(x, *rest)
    guided_windows(counted, LAYOUT, SCHEDULE, 2.0)(noise(seeded(0, 3), (4, 50)), 60)
    assert {shape[0] for shape in seen} == {3} and {shape[-1] for shape in seen} == {20} and len(seen) == 8


def test_a_variation_is_what_it_is_alone():
    both = sample(guided_windows(network, Layout(50, 20, 6), SCHEDULE, 1.0), noise(seeded(3, 2), (4, 50)), SCHEDULE, 5)

    def second(x, t, variations, *rest):
        return network(x, t, torch.ones_like(variations), *rest)
    alone = sample(guided_windows(second, Layout(50, 20, 6), SCHEDULE, 1.0), noise(seeded(4, 1), (4, 50)), SCHEDULE, 5)
    assert torch.allclose(both[1], alone[0], atol=1e-5)


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_sampling_equals_the_sampler_with_its_parts_written_out(sampler):
    mask = torch.zeros(50)
    mask[:15] = 1
    values, x = torch.full((4, 50), 0.7), noise(seeded(5, 2), (4, 50))
    found = sample(two_passes(1.5), x, SCHEDULE, 6, sampler=sampler, generators=seeded(8, 2), kept=(values, mask))
    generators = seeded(8, 2)
    inpaint = Inpaint(values.expand(2, 4, 50), mask, SCHEDULE, generators)
    wanted = SAMPLERS[sampler](inpaint.wrap(two_passes(1.5)), x, SCHEDULE, SCHEDULE.timesteps(6), generator=generators,
                               project=inpaint.project)
    assert torch.equal(found, wanted) and torch.allclose(found[..., :15], values[..., :15])


def test_a_short_canvas_and_too_many_steps():
    layout = Layout.of(7, 20, 6)
    assert (layout.window, layout.overlap, layout.starts) == (7, 3, [0])
    seen = []
    sample(lambda x, t: 0 * x, noise(seeded(0, 1), (4, 7)), SCHEDULE, 500, on_step=lambda n, total: seen.append(total))
    assert seen == [100] * 100
    with pytest.raises(BadInput, match="no sampler 'euler'; choose one of ddpm"):
        sample(lambda x, t: x, torch.zeros(1, 4, 7), SCHEDULE, 5, sampler="euler")


def test_progress_is_told_and_cancel_is_heard_at_each_step():
    told = []
    on_step = reporting(lambda *words: told.append(words), lambda: len(told) == 3, share=0.5)
    with pytest.raises(Cancelled):
        sample(lambda x, t: 0 * x, torch.zeros(1, 4, 7), SCHEDULE, 5, on_step=on_step)
    assert told == [("Sampling", 0.0, "0/5"), ("Sampling", 0.1, "1/5"), ("Sampling", 0.2, "2/5")]


def test_a_draw_is_the_chain_and_its_target():
    x0 = noise(seeded(1, 512), (3, 8))
    drawn = losses.draw(SCHEDULE, x0, torch.Generator().manual_seed(2))
    again = losses.draw(SCHEDULE, x0, torch.Generator().manual_seed(2))
    assert torch.equal(drawn.x, again.x) and torch.equal(drawn.t, again.t)
    assert torch.equal(drawn.x, SCHEDULE.add_noise(x0, drawn.noise, drawn.t))
    assert torch.equal(drawn.target, SCHEDULE.target(x0, drawn.noise, drawn.t))
    assert drawn.t.min() >= 0 and drawn.t.max() < 100 and abs(float(drawn.t.float().mean()) - 49.5) < 5
    noisier = losses.draw(SCHEDULE, x0, torch.Generator().manual_seed(2), high_noise=1.0)
    assert noisier.t.min() >= 50 and noisier.t.max() < 100


def test_weights_and_chances():
    x0 = noise(seeded(1, 64), (3, 8))
    drawn = losses.draw(SCHEDULE, x0, torch.Generator().manual_seed(2))
    error = torch.rand(64, generator=torch.Generator().manual_seed(3))
    assert losses.weighted(SCHEDULE, drawn, error) == error.mean() == losses.weighted(SCHEDULE, drawn, error, 0.0)
    assert torch.isclose(losses.weighted(SCHEDULE, drawn, error, 5.0),
                         (SCHEDULE.loss_weight(drawn.t, 5.0) * error).mean())
    assert losses.weighted(SCHEDULE, drawn, error, 5.0) < error.mean()
    dropped = losses.chance(0.3, 4000, torch.Generator().manual_seed(0), "cpu")
    assert dropped.dtype == torch.bool and 0.27 < float(dropped.float().mean()) < 0.33
