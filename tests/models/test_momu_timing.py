"""The readers of the beat in latents: what they say, to whom, and that they learn it."""
import pytest
from momu_fixtures import momu_folder, trained_momu  # noqa: F401

from models.momu.config import CONFIGS, DiTConfig
from models.momu.network import Condition, DiT
from models.momu.timing import KNOWN, BeatReader, Readers, reading_loss, told
from models.training.loop import train
from models.training.task import make_task

torch = pytest.importorskip("torch")

TINY = CONFIGS["timing"]["tiny"]


def condition(count=2, length=24, other=1.0, tempo=0.0):
    """A condition with random latents of the other side, and a rhythm of ones where the tempo is known."""
    latents = torch.randn(count, 64, length, generator=torch.Generator().manual_seed(1))
    return Condition(latents, torch.full((count,), other), torch.full((count, 20, length), tempo),
                     torch.tensor([[0.2 * tempo, tempo]] * count), torch.zeros(count, 10), torch.ones(count, 1))


@pytest.fixture(scope="module")
def pair():
    torch.manual_seed(0)
    network = DiT(DiTConfig(width=32, depth=1, heads=2, hidden=32, code=0))
    return BeatReader(TINY).eval(), network.eval()


def test_the_curve_has_the_form_of_the_true_one(pair):
    curve, tempo = pair[0](torch.randn(3, 64, 30))
    channels = curve.unflatten(1, (5, 4))
    assert curve.shape == (3, 20, 30) and tempo.shape == (3,)
    assert torch.allclose(channels[:, 2:4].norm(dim=1), torch.ones(3, 4, 30), atol=1e-5)
    assert (channels[:, KNOWN] == 1).all() and 0 <= channels[:, :2].min() and channels[:, :2].max() <= 1


def test_only_a_rhythm_that_lacks_is_read(pair):
    """A given rhythm stays bit for bit; without the other modality nothing is known; otherwise the reader speaks."""
    given = condition(tempo=1.0)
    same = told(given, *pair)
    assert torch.equal(same.rhythm, given.rhythm) and torch.equal(same.tempo, given.tempo)
    nothing = told(condition(other=0.0), *pair)
    assert not nothing.rhythm.any() and not nothing.tempo.any()
    read = told(condition(), *pair)
    assert (read.tempo[:, 1] == 1).all() and (read.rhythm.unflatten(1, (5, 4))[:, KNOWN] == 1).all()


def test_the_loss_counts_only_where_the_beat_is_known():
    reader, x = BeatReader(TINY).eval(), torch.randn(1, 64, 16)
    curve = torch.zeros(1, 5, 4, 16)
    curve[:, KNOWN, :, :8] = 1.0
    curve[:, 2, :, :8] = 1.0
    other = curve.clone()
    other[:, 0, :, 8:] = 1.0                                                # beats where nothing is known
    mask = torch.ones(1, 16, dtype=torch.bool)
    losses = [reading_loss(reader, x, c.flatten(1, 2), torch.zeros(1, 2), mask)[0] for c in (curve, other)]
    assert torch.equal(*losses)


def test_the_readers_learn_the_beat(trained_momu, tmp_path):                # noqa: F811
    """Latents that swell on the beat, on pieces that were not trained on: the music's phase is found, that of random
    bodies is not."""
    corpus, runs = trained_momu
    task = make_task("momu", "timing", "tiny", {"motion_vae": str(runs["motion_vae"]), "width": 32, "lr": 0.01,
                                                "noise": 0.1, "batch": 16})
    rows = train(task, tmp_path / "run", corpus, tmp_path / "cache", system="momu", part="timing", config_name="tiny",
                 steps=120, validations=1, log_every=20, device="cpu", report=lambda text: None)
    last = [row for row in rows if "valid_music_phase" in row][-1]
    assert last["valid_music_phase"] < 0.6 < last["valid_motion_phase"]     # 1 is chance
    config, state = task.export(Readers(task.config).state_dict())
    assert config["motion_vae"] == ""
    Readers(type(task.config)(**config)).load_state_dict(state)


def test_readers_of_other_latents_are_left_aside(momu_folder):             # noqa: F811
    """Those of the folder belong to its motion VAE; another VAE gets none."""
    from models.momu.pipeline import load_network, load_readers
    vae = load_network("motion_vae", momu_folder)
    assert isinstance(load_readers(vae, momu_folder), Readers)
    with torch.no_grad():
        vae.encoder[0].weight.add_(0.1)
    assert load_readers(vae, momu_folder) is None


def test_without_beats_one_side_gets_the_others(momu_folder):               # noqa: F811
    """The readers change a dance to music without beats, and nothing where beats are given."""
    import numpy as np

    from core.audio import Audio
    from core.pipelines.base import regular_beats
    from models.momu.pipeline import MoMuMotion
    entry, sound = MoMuMotion.load(momu_folder), np.random.default_rng(1).normal(0, 0.1, (2, 96_000)).astype("float32")

    def made(readers, beats):
        entry.readers = readers
        return entry.generate(Audio(sound, 48_000), beats=beats, steps=2, seed=4)[0].rotations
    readers = entry.readers
    assert np.array_equal(made(readers, regular_beats(120, 2.0)), made(None, regular_beats(120, 2.0)))
    assert not np.array_equal(made(readers, None), made(None, None))
