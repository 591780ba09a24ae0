"""models.dance_cascade.styles: what is measured of styles, and the pull of an estimate towards one."""
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from dance_fixtures import clicks, dancer, one_thread  # noqa: F401

from core import checkpoints
from core.contract import GENRES
from core.rhythm.beats import Beats
from models.dance_cascade import choice
from models.dance_cascade.beside import styles_beside
from models.dance_cascade.config import STYLES
from models.dance_cascade.settings import Settings
from models.dance_cascade.styles import BANDS, Styles, average, moments
from models.lab.packs import styles as pack
from models.motion.representation import CHANNELS, CONTACTS

FPS = 15
HOUSE, KRUMP, SALSA = (STYLES.index(name) for name in ("house", "krump", "salsa"))


def piece(middle, size, seed, frames=150):
    """Vectors (frames, 152) that swing by `size` about `middle`."""
    phase = torch.rand(CHANNELS, generator=torch.Generator().manual_seed(seed)) * 6.28
    return middle + size * torch.sin(torch.arange(frames)[:, None] * 0.7 + phase)


@pytest.fixture(scope="module")
def styles():
    """House swings by 0.2 about 1, krump by 0.6 about -1, each a little otherwise in every piece; no salsa."""
    made = Styles()
    made.measure([(style, piece(middle + 0.05 * n, size * 1.05**n, n), torch.full((150,), energy + 0.1 * n))
                  for style, middle, size, energy in ((HOUSE, 1.0, 0.2, -1.0), (KRUMP, -1.0, 0.6, 0.0))
                  for n in range(4)], FPS)
    return made


def test_moments_are_means_and_spreads_about_each_frame():
    swing = torch.sin(torch.arange(600) * 2 * np.pi / 15 * 4)               # four a second: fast
    x = (2.0 + 0.5 * swing + 0.3 * torch.sin(torch.arange(600) * 2 * np.pi / 15 / 4))[None, None].repeat(1, 3, 1)
    mean, parts, spreads = moments(x, FPS)
    assert float((mean - 2.0).abs().mean()) < 0.02 and mean.shape == x.shape and len(parts) == len(BANDS) + 1
    assert torch.allclose(mean + parts.sum(0), x, atol=1e-5), "parts add up"
    slow, _, fast = spreads.exp()[:, ..., 100:500]
    assert float((slow - 0.3 / 2**0.5).abs().mean()) < 0.05 and float((fast - 0.5 / 2**0.5).abs().mean()) < 0.1
    ramp = torch.linspace(0, 1, 300)[None, None]
    assert torch.allclose(moments(ramp, FPS, loop=True)[0], moments(ramp.roll(150, -1), FPS, True)[0].roll(150, -1),
                          atol=1e-5)
    assert moments(ramp[..., :1], FPS)[0].shape == (1, 1, 1)


@pytest.mark.parametrize("frames, seconds, loop",
                         [(150, 2.0, False), (150, 2.0, True), (40, 8.0, False), (41, 8.0, True)])
def test_running_means_are_those_of_pooling(frames, seconds, loop):
    x = 3 + torch.randn(2, 5, frames, generator=torch.Generator().manual_seed(0))
    half = min(int(seconds * FPS / 2), (frames - 1) // (2 if loop else 1))
    flat = x.reshape(-1, 1, frames)
    padded = torch.nn.functional.pad(flat, (half, half), mode="circular") if loop else flat
    pooled = torch.nn.functional.avg_pool1d(padded, 2 * half + 1, stride=1, padding=0 if loop else half,
                                            count_include_pad=False).reshape(x.shape)
    assert torch.allclose(average(x, seconds, FPS, loop), pooled, atol=1e-5)


def test_an_estimate_is_drawn_to_the_style_that_is_asked_for(styles):
    found = piece(0.0, 0.4, 9)[None]
    for style, middle, size in ((HOUSE, 1.0, 0.2), (KRUMP, -1.0, 0.6)):
        drawn = styles.pull(found, style, FPS, noise=0.1)
        assert abs(float(drawn[..., :100].mean()) - middle) < 0.5 * abs(middle)
        assert abs(float(drawn[..., :100].std(1).mean()) - size) < abs(float(found[..., :100].std(1).mean()) - size)
        assert torch.equal(drawn[..., CONTACTS], found[..., CONTACTS])
        blurred = styles.pull(found, style, FPS, noise=0.9)         # of a blur the spread says nothing
        assert torch.allclose(blurred.std(1), found.std(1), atol=0.05)
    own = piece(1.0, 0.2, 11)[None]
    assert float((styles.pull(own, HOUSE, FPS, 0.1) - own).abs().mean()) < 0.1


def test_more_energy_asks_for_larger_moves(styles):
    found = piece(1.0, 0.2, 9)[None]
    calm, wild = (styles.pull(found, HOUSE, FPS, 0.1, energy=torch.full((150,), energy)).std()
                  for energy in (-2.0, 0.0))
    assert float(wild) > 1.05 * float(calm)


def test_what_is_not_known_is_left_alone(styles):
    found = piece(0.0, 0.4, 9)[None]
    assert styles.pull(found, -1, FPS, 0.1) is found
    assert styles.knows(HOUSE) and not styles.knows(SALSA) and not styles.knows(-1)
    assert torch.allclose(styles.pull(found, HOUSE, FPS, 0.1, strength=0.0), found, atol=1e-5)


def test_the_dancer_is_drawn_as_much_as_it_is_asked(dancer, styles, monkeypatch):  # noqa: F811
    times = np.arange(0.2, 4.0, 0.5)
    audio, beats = clicks(times, 4.0), Beats(times, np.arange(len(times)) % 4 + 1)

    def danced(genre, **options):
        return dancer.generate(audio, beats=beats, genre=genre, seed=3, steps=2, feet=False, **options)[0].rotations
    plain = danced("house")
    monkeypatch.setattr(dancer, "styles", styles)
    assert np.array_equal(danced("house", style_guidance=0.0), plain)
    assert np.abs(danced("house") - plain).max() > 0.01
    assert np.isfinite(danced("house", loop=True)).all()


def test_without_a_genre_the_seed_chooses_among_those_that_the_music_may_be(dancer, styles, monkeypatch):  # noqa: F811
    audio, wish = clicks(np.arange(0.2, 2.0, 0.5), 2.0), Settings(seed=3)
    odds = np.full(10, 0.001)
    odds[2], odds[5] = 0.5, 0.4
    monkeypatch.setattr(dancer, "judge", lambda samples, rate: odds)
    assert dancer.choose(audio, wish) == {}                                 # no styles were measured for this base
    monkeypatch.setattr(dancer, "styles", styles)
    drawn = [dancer.choose(audio, Settings(seed=seed))["genre"] for seed in range(20)]
    assert set(drawn) == {GENRES[2], GENRES[5]} and drawn[3] == dancer.choose(audio, wish)["genre"]
    assert dancer.choose(audio, Settings(genre="salsa")) == {}
    free, named = (dancer.generate(audio, seed=3, steps=2, genre=genre)[0] for genre in (None, drawn[3]))
    assert np.array_equal(free.rotations, named.rotations)


def test_a_genre_is_heard_all_over_the_passage():
    audio, starts = clicks(np.arange(0.2, 60.0, 0.5), 60.0), []

    def judge(samples, rate):
        starts.append(samples.shape[-1] / rate)
        return np.eye(10)[len(starts) % 2]
    found = choice.heard(judge, audio)
    assert len(starts) == choice.PASSAGES and max(starts) == choice.PASSAGE and found[0] == found[1] == 0.5
    assert choice.heard(judge, audio.slice(0.0, 3.0)).sum() == 1 and starts[-1] == 3.0
    weights = choice.plausible([0.9, 0.1, *[0.0] * 8])
    assert weights[0] > weights[1] > 0 and weights[2:].max() == 0 and weights.sum() == pytest.approx(1)


def test_styles_belong_to_the_base_beside_them(styles, tmp_path):
    """Another base has other styles: the shipped ones say nothing of it."""
    written = pack.save(styles, [(SALSA, piece(0, 1, 0))], {"clip": "00"}, 1, tmp_path)
    assert written.path.stat().st_size < 1e6 and "salsa" in written.path.with_suffix(".md").read_text()
    beside = styles_beside(SimpleNamespace(path=tmp_path / "base.safetensors"), tmp_path)
    assert torch.equal(beside.middle, styles.middle)
    assert styles_beside(SimpleNamespace(path=tmp_path / "other" / "base.safetensors"), tmp_path) is None
    assert checkpoints.find("dance_cascade", "styles", tmp_path).config == {"fps": pack.BASE_FPS}
