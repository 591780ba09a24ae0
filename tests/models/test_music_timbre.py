"""The code of a piece's timbre: what it measures, what it draws, and who carries it."""
import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from music_fixtures import SECONDS, model, moving_motion, trained  # noqa: E402, F401

from core import checkpoints  # noqa: E402
from core.audio import Audio  # noqa: E402
from core.audio import mel as mels  # noqa: E402
from core.contract import GENRES  # noqa: E402
from core.errors import BadInput  # noqa: E402
from models.music_ldm import config as configs  # noqa: E402
from models.music_ldm.network import UNet, batch_condition  # noqa: E402
from models.music_ldm.passage import Passage  # noqa: E402
from models.music_ldm.pipeline import MusicLDM  # noqa: E402
from models.music_ldm.resident import with_motion  # noqa: E402
from models.music_ldm.timbre import KNOWN, PROFILE, Timbre, timbre_profile  # noqa: E402
from models.music_ldm.timbre_fit import main as fit_anew  # noqa: E402
from models.music_ldm.train import task  # noqa: E402
from models.training.flat import FlatWriter  # noqa: E402


def test_profile_is_level_spread_and_change_of_each_band():
    steady = np.full((100, 256), -3.0, np.float32)
    assert np.allclose(timbre_profile(steady), np.r_[np.full(32, -3.0), np.zeros(64)], atol=1e-5)
    pulsing = steady.copy()
    pulsing[::2, :8] = -5.0                                   # the lowest of 32 bands, every other frame
    found = timbre_profile(pulsing)
    assert found[0] == pytest.approx(-4.0, abs=1e-5) and found[32] == pytest.approx(1.0, abs=1e-5)
    assert found[64] == pytest.approx(2.0, rel=0.01)
    assert np.allclose(found[1:32], -3.0, atol=1e-5) and np.allclose(found[33:64], 0.0, atol=1e-5)
    assert np.allclose(timbre_profile(np.full((2, 256), -40.0)), np.r_[np.full(32, np.log(mels.FLOOR)), np.zeros(64)],
                       atol=1e-4)


def fitted(size=3, count=4000):
    """Profiles of two genres along three hidden directions, and the space measured on them."""
    rng = np.random.default_rng(0)
    genres = np.arange(count) % 2
    hidden = rng.normal(size=(count, 3)) * np.where(genres[:, None] == 0, [1.0, 1.0, 1.0], [0.3, 1.0, 2.0])
    hidden += np.where(genres[:, None] == 0, [2.0, 0.0, 0.0], [-2.0, 0.0, 1.0])
    profiles = hidden @ rng.normal(size=(3, PROFILE)) + rng.normal(size=PROFILE)
    space = Timbre(size, 3, 8)
    space.fit(profiles, genres)
    return space, profiles, genres


def test_genres_codes_follow_newer_pieces_and_nothing_else_moves(tmp_path, capsys):
    torch.manual_seed(0)
    config = dataclasses.replace(configs.CONFIGS["denoiser"]["tiny"], timbre=3, latent_mean=[0.0] * 8,
                                 latent_std=[1.0] * 8, motion_mean=[0.0] * 360, motion_std=[1.0] * 360, latent=8)
    network, (space, profiles, genres) = UNet(config), fitted()
    network.condition.timbre.fit(profiles, genres)
    old = checkpoints.save(tmp_path / "old", name="music_ldm-denoiser", system="music_ldm", part="denoiser",
                           config=dataclasses.asdict(config), state_dict=network.state_dict(), card_text="- Old.\n",
                           licence="GPL-3.0-or-later")
    writer = FlatWriter(tmp_path / "flat")
    for number in range(400):
        writer.add({"id": f"d{number}", "genre": GENRES[genres[number]], "split": ("train", "valid")[number % 4 == 3]},
                   {"profile": (profiles[number] + 0.5).astype(np.float32)[None]})
    writer.close()
    words = ["--checkpoints", str(tmp_path / "old"), "--out", str(tmp_path / "new")]
    assert fit_anew([str(tmp_path / "flat"), *words]) == 0 and "on 300 pieces" in capsys.readouterr().out
    new = checkpoints.find("music_ldm", "denoiser", tmp_path / "new")
    before, after = checkpoints.load_state(old), checkpoints.load_state(new)
    before, after = ({k: torch.as_tensor(v) for k, v in state.items()} for state in (before, after))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"condition.timbre.genre_mean", "condition.timbre.genre_factor"}
    codes = space.code(torch.from_numpy(profiles[:400].astype(np.float32) + 0.5))
    for genre in (0, 1):
        mine = torch.arange(400)[(torch.arange(400) % 4 != 3) & (torch.from_numpy(genres[:400]) == genre)]
        wanted = (codes[mine].sum(0) + KNOWN * network.condition.timbre.genre_mean[genre]) / (len(mine) + KNOWN)
        assert torch.allclose(after["condition.timbre.genre_mean"][genre], wanted, atol=1e-3)
    assert new.config == checkpoints.find("music_ldm", "denoiser", tmp_path / "old").config
    assert "Old." in new.path.with_suffix(".md").read_text(encoding="utf-8")
    bare = FlatWriter(tmp_path / "bare")
    bare.add({"id": "a", "genre": "house", "split": "train"}, {"root": np.zeros((3, 3), np.float32)})
    bare.close()
    assert fit_anew([str(tmp_path / "bare"), *words]) != 0 and "timbre profile" in capsys.readouterr().err


def test_a_code_can_be_asked_to_be_its_genres_own():
    """Draws that another genre could have as well are drawn again; the others stay, and so does the spread."""
    space = fitted()[0]
    space.genre_mean[1] = space.genre_mean[0] + torch.tensor([0.8, 0.0, 0.0])
    space.genre_factor[1] = space.genre_factor[0]
    space.genre_mean[2] = 50.0                                # of no piece, and near none
    plain, own = (torch.stack([space.draw(0, seed, least) for seed in range(500)]) for least in (0.0, 0.8))
    before, after = (space.belonging(codes) for codes in (plain, own))
    assert torch.allclose(before.sum(1), torch.ones(500), atol=1e-5) and float(after[:, 0].min()) >= 0.8
    assert 0.2 < float((before[:, 0] >= 0.8).float().mean()) < 0.9
    stay = before[:, 0] >= 0.8
    assert torch.equal(plain[stay], own[stay]) and not torch.equal(plain[~stay], own[~stay])
    assert float(torch.pdist(own).mean()) > 0.8 * float(torch.pdist(plain).mean())
    same = Timbre(3, 3, 8)                                    # genres that nothing tells apart: the best there is
    assert torch.isfinite(same.draw(1, 0, 0.9)).all() and torch.equal(same.draw(1, 0, 0.9), same.draw(1, 0, 0.9))


def test_codes_have_unit_spread_and_draws_that_of_their_genre():
    space, profiles, genres = fitted()
    codes = space.code(torch.from_numpy(profiles).float()).numpy()
    assert np.allclose(codes.mean(axis=0), 0, atol=1e-3) and np.allclose(np.cov(codes.T), np.eye(3), atol=0.01)
    for genre in (0, 1):
        drawn = torch.stack([space.draw(genre, seed) for seed in range(4000)]).numpy()
        mine = codes[genres == genre]
        assert np.allclose(drawn.mean(axis=0), mine.mean(axis=0), atol=0.05)
        assert np.allclose(np.cov(drawn.T), np.cov(mine.T), atol=0.06)
    everyone = torch.stack([space.draw(-1, seed) for seed in range(4000)]).numpy()
    assert np.isfinite(everyone).all() and everyone.std(axis=0).min() > 0.5
    assert torch.equal(space.draw(1, 5), space.draw(1, 5))


def test_fewer_pieces_than_coordinates_and_genres_without_pieces():
    space = Timbre(16, 10, 8)
    space.fit(np.random.default_rng(0).normal(size=(3, PROFILE)), [-1, 2, 2])
    assert all(torch.isfinite(value).all() for value in space.state_dict().values())
    assert torch.isfinite(space.draw(7, 0)).all()


def test_other_pieces_move_the_genres_and_leave_the_axes():
    """Where one genre's mix changes, its codes follow; genres without new pieces and the code's axes stay."""
    space, profiles, genres = fitted()
    was = {name: value.clone() for name, value in space.state_dict().items()}
    other = profiles[genres == 1] + 0.5
    space.refit(other, genres[genres == 1])
    codes = space.code(torch.from_numpy(other).float()).numpy()
    drawn = torch.stack([space.draw(1, seed) for seed in range(4000)]).numpy()
    assert np.allclose(space.genre_mean[1], codes.mean(axis=0), atol=0.01)              # 2000 pieces against KNOWN
    assert np.allclose(np.cov(drawn.T), np.cov(codes.T), atol=0.06)
    assert (space.genre_mean[1] - was["genre_mean"][1]).abs().max() > 0.03
    space.refit(other[:1], genres[genres == 1][:1])
    assert np.allclose(space.genre_mean[1], codes.mean(axis=0), atol=0.2), "one piece says little"
    for name in ("mean", "axes"):
        assert torch.equal(space.state_dict()[name], was[name])
    for name in ("genre_mean", "genre_factor"):
        assert torch.allclose(space.state_dict()[name][[0, 2]], was[name][[0, 2]], atol=1e-5)


def test_training_on_hears_the_timbre_of_its_own_corpus(trained):                                   # noqa: F811
    """Released weights carry the codes of the sound they were trained on; those of the corpus join them."""
    job = task("denoiser", "tiny", vae=str(trained / "vae"))
    job.prepare(trained / "corpus", trained / "cache", lambda fraction, text: None)
    released = {name: value + 1.0 if name.endswith("genre_mean") else value
                for name, value in job.build().state_dict().items()}
    model = job.build()
    own = model.condition.timbre.genre_mean.clone()
    job.adopt(model, released)
    heard = sorted(set(job.profile_genres) - {-1})
    moved = released["condition.timbre.genre_mean"][heard] - model.condition.timbre.genre_mean[heard]
    assert heard and (moved > 0.01).all() and (model.condition.timbre.genre_mean[heard] > own[heard]).all()


def test_an_unknown_timbre_adds_nothing_and_a_known_one_does():
    space, _, _ = fitted()
    torch.nn.init.normal_(space.embed[2].weight)
    code = torch.tensor([[1.0, -1.0, 0.5, 1.0], [1.0, -1.0, 0.5, 0.0]])
    added = space(code)
    assert added[0].abs().sum() > 0 and added[1].abs().sum() == 0


def test_weights_from_before_the_code_go_on_training(trained):
    """Released weights without a timbre code give the same answer once adopted, whatever the code."""
    before = UNet(dataclasses.replace(configs.TINY, timbre=0))
    torch.nn.init.normal_(before.output[2].weight, std=0.1)
    job = task("denoiser", "tiny", vae=str(trained / "vae"))
    job.prepare(trained / "corpus", trained / "cache", lambda fraction, text: None)
    after = job.build()
    job.adopt(after, before.state_dict())
    batch = with_motion(job.dataset(trained / "cache", "train")[0], job.config)
    x, t = torch.randn(4, 8, 64), torch.tensor([10, 300, 600, 900])
    with torch.no_grad():
        ours = after(x, t, after.encode(batch_condition(batch, after.condition.timbre)))
        theirs = before(x, t, before.encode(batch_condition(batch)))
        assert torch.equal(ours, theirs)
    assert batch["profile"].shape == (4, PROFILE) and batch["profile"].abs().sum() > 0
    with pytest.raises(RuntimeError):
        job.adopt(after, {name: value for name, value in before.state_dict().items() if not name.startswith("input")})


def test_every_seed_draws_its_own_timbre_and_a_kept_take_has_its_own(model):                         # noqa: F811
    space = model.denoiser.condition.timbre
    with torch.inference_mode():
        torch.nn.init.normal_(space.embed[2].weight)
        try:
            passage = Passage(model.denoiser.config, SECONDS, None, None, "house")
            seeds = lambda *numbers: [torch.Generator().manual_seed(n) for n in numbers]             # noqa: E731
            drawn = model._timbre(passage, seeds(1, 2, 1), None)
            assert torch.allclose(drawn[0], drawn[2], atol=1e-6) and not torch.allclose(drawn[0], drawn[1])
            longer = Passage(model.denoiser.config, 2 * SECONDS, None, None, "house")
            assert torch.allclose(model._timbre(longer, seeds(1), None)[0], drawn[0], atol=1e-6)
            rng = np.random.default_rng(0)
            takes = [(rng.normal(size=(2, int(SECONDS * 48_000))) * level).astype(np.float32) for level in (0.1, 0.05)]
            takes[1] = np.cumsum(takes[1], axis=1, dtype=np.float32) * 0.01                          # darker
            kept = [model._read_take(passage, take, 2.0, 4.0)["profile"] for take in takes]
            bright, dark = (model._timbre(passage, seeds(1, 2), profile) for profile in kept)
            assert torch.allclose(bright[0], bright[1], atol=1e-5) and not torch.allclose(bright[0], dark[0])
            sounds = [Audio(take, 48_000) for take in takes]
            assert torch.allclose(model._read_like(sounds[1]), kept[1], atol=0.05)
            make = lambda **given: model.generate(None, genre="house", duration=4.0, steps=2, **given)[0]  # noqa: E731
            plain, first, second = make(), make(like=sounds[0]), make(like=sounds[1])
            assert np.isfinite(first).all() and not np.allclose(first, second) and not np.allclose(first, plain)
            motion = moving_motion(int(SECONDS * 30))
            range_of = lambda **given: model.generate(motion, steps=2,                              # noqa: E731
                                                      keep=(takes[0], 2.0, 4.0), **given)[0]
            assert np.array_equal(range_of(), range_of(like=sounds[1])), "a kept take goes before a sound to go by"
        finally:
            torch.nn.init.zeros_(space.embed[2].weight)


def test_bad_sounds_to_go_by(model):                                                                  # noqa: F811
    make = lambda samples: model.generate(None, genre="house", duration=4.0, steps=2,               # noqa: E731
                                          like=Audio(samples, 48_000))
    with pytest.raises(BadInput, match="silent"):
        make(np.zeros((2, 96_000), np.float32))
    with pytest.raises(BadInput, match="0.10 s"):
        make(np.ones((2, 4800), np.float32))
    with pytest.raises(BadInput, match="NaN"):
        make(np.full((2, 96_000), np.nan, np.float32))
    older = MusicLDM(model.vae, UNet(dataclasses.replace(model.denoiser.config, timbre=0)))
    with pytest.raises(BadInput, match="cannot go by"):
        older.generate(None, genre="house", duration=4.0, steps=2, like=Audio(np.ones((1, 96_000), np.float32), 48_000))


def test_the_measured_space_is_stored_with_the_weights(trained, model):                              # noqa: F811
    found = checkpoints.find("music_ldm", "denoiser", trained / "checkpoints")
    state = checkpoints.load_state(found)
    space = model.denoiser.condition.timbre
    assert space.axes.abs().sum() > 0 and np.allclose(state["condition.timbre.axes"], space.axes, atol=1e-3)


def test_shipped_model_sounds_like_what_it_is_given():
    """The same seed, once by a sound and once by that sound without its upper half: the second is the darker."""
    from scipy import signal

    from core.pipelines.base import regular_beats
    shipped = MusicLDM.load()
    beats = regular_beats(120, 8.0)
    make = lambda seed, **given: shipped.generate(None, genre="house", duration=8.0, beats=beats,   # noqa: E731
                                                  seed=seed, steps=8, **given)[0]
    bright = make(1)
    dark = signal.sosfilt(signal.butter(4, 1500, output="sos", fs=48_000), bright, axis=1).astype(np.float32)
    upper = [timbre_profile(mels.log_mel(mels.model_mono(Audio(make(2, like=Audio(sound, 48_000)),
                                                               48_000))))[16:32].mean()
             for sound in (bright, dark)]
    assert upper[1] < upper[0] - 0.3, upper
