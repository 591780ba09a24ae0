"""The maps of the contrast that see some seconds: what they see, what they do not, and that they learn."""
import pytest
from momu_fixtures import trained_momu  # noqa: F401

from models.momu.config import CONFIGS
from models.momu.contrast import found_among
from models.momu.maps import ContrastMaps, TemporalMap
from models.training.loop import train
from models.training.task import make_task

torch = pytest.importorskip("torch")

TINY = CONFIGS["contrast"]["tiny"]


def test_a_place_sees_its_reach_and_no_end():
    """A change farther away than the reach changes nothing; the ends, which would see padding, are zero."""
    net, reach = TemporalMap(TINY).eval(), TINY.reach
    latents = torch.randn(2, TINY.channels, 60, generator=torch.Generator().manual_seed(0))
    other = latents.clone()
    other[:, :, 30] += 1.0
    a, b = net(latents), net(other)
    moved = (a - b).abs().amax(dim=(0, 1)) > 1e-6
    assert moved.nonzero()[:, 0].tolist() == list(range(30 - reach, 31 + reach))
    assert not a[..., :reach].any() and not a[..., -reach:].any() and a[..., reach:-reach].any()
    assert torch.allclose(net(latents[..., 10:50])[..., reach:-reach], a[..., 10 + reach:50 - reach], atol=1e-5)


def test_latents_of_a_corpus_are_encoded_once(trained_momu, tmp_path, monkeypatch):      # noqa: F811
    """The second training of a VAE's latents reads what the first has kept; another VAE's are its own."""
    from models.momu import train as trainings
    from models.momu.data import Pieces
    from models.momu.vae import load_motion_vae
    from models.training.flat import Flat
    corpus, runs = trained_momu
    vae, pieces = load_motion_vae(runs["motion_vae"]), Pieces(Flat(corpus), "valid", 0.0, "cpu")
    first = trainings.kept_motion(pieces, vae, "valid", tmp_path)
    calls, encode = [], trainings.encode_motion
    monkeypatch.setattr(trainings, "encode_motion", lambda *a: calls.append(1) or encode(*a))
    assert torch.equal(first, trainings.kept_motion(pieces, vae, "valid", tmp_path)) and not calls
    with torch.no_grad():
        vae.encoder[0].weight.add_(0.1)
    assert not torch.equal(first, trainings.kept_motion(pieces, vae, "valid", tmp_path)) and calls == [1]


def test_windows_that_are_the_same_are_found():
    """All of the same, and of unrelated ones as many as by chance."""
    rows = torch.randn(12, 8, 64, generator=torch.Generator().manual_seed(1))
    for shares in found_among(rows, rows):
        assert shares == {"motion_to_music": 1.0, "music_to_motion": 1.0}
    same, others = found_among(rows, torch.randn(12, 8, 64, generator=torch.Generator().manual_seed(2)))
    assert same["motion_to_music"] < 0.4 and others["music_to_motion"] < 0.3


def test_the_maps_learn_what_the_sides_share(trained_momu, tmp_path):       # noqa: F811
    """Latents that swell on the beat on one side; the other is given the same ones, so all is there to be found."""
    corpus, runs = trained_momu
    task = make_task("momu", "contrast", "tiny", {"motion_vae": str(runs["motion_vae"]), "width": 32, "lr": 0.01,
                                                  "timing": str(runs["timing"]), "noise": 0.1, "batch": 8})
    prepare = task.prepare

    def shared(*arguments):
        prepare(*arguments)
        for crops in task.crops.values():
            crops.rows["motion"] = torch.stack([crops.rows["music"].flip(1)] * 2)
    task.prepare = shared
    rows = train(task, tmp_path / "run", corpus, tmp_path / "cache", system="momu", part="contrast",
                 config_name="tiny", steps=80, validations=1, log_every=20, device="cpu", report=lambda text: None)
    last = [row for row in rows if "valid_same" in row][-1]
    assert last["valid_same"] > 0.5 and last["valid_others"] > 0.5          # chance is 1 in 6 and 1 in 8
    config, state = task.export(ContrastMaps(task.config).state_dict())
    assert config["motion_vae"] == "" and config["belongs"]
    ContrastMaps(type(task.config)(**config)).load_state_dict(state)
