"""MoMu as printed from end to end at a tiny size: no rhythm curve, style or code; epsilon; latents compared as they
are."""
import numpy as np
import pytest
from momu_fixtures import momu_folder, trained_momu  # noqa: F401
from music_fixtures import moving_motion
from test_momu_timing import condition

from core.audio import Audio
from models.momu.pipeline import MoMuBoth, MoMuMotion, MoMuMusic, load_network
from models.training.export import export
from models.training.loop import train
from models.training.task import make_task

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def folders(trained_momu, momu_folder, tmp_path_factory):                # noqa: F811
    """Checkpoints of the three parts before those of the other tests, whose music side they share."""
    root, own = tmp_path_factory.mktemp("momu-paper"), {}
    for part in ("motion_vae", "music_dit", "motion_dit"):
        own[part] = root / part
        overrides = {} if part == "motion_vae" else {"motion_vae": str(own["motion_vae"])}
        train(make_task("momu", part, "tiny-paper", overrides), own[part], trained_momu[0], root / "cache",
              system="momu", part=part, config_name="tiny-paper", steps=2, validations=0, device="cpu",
              report=lambda text: None)
        export(own[part], f"momu-{part}", root / "checkpoints")
    return [root / "checkpoints", momu_folder]


def test_both_directions_and_both_at_once(folders):
    asked = dict(duration=3.0, steps=2, seed=1)
    music = MoMuMusic.load(folders)
    config = music.music_dit.config
    assert (config.prediction, config.rhythm, config.style, config.code) == ("eps", False, False, 0)
    assert music.readers is None                        # those at hand read the latents of another VAE
    sound = music.generate(moving_motion(90), **asked)[0]
    assert sound.shape == (2, 144_000) and np.isfinite(sound).all()
    motion = MoMuMotion.load(folders).generate(Audio(sound, 48_000), **asked)[0]
    assert len(motion) == 90 and np.isfinite(motion.root).all()
    heard, seen = MoMuBoth.load(folders).generate(**asked)[0]
    assert heard.shape == sound.shape and len(seen) == 90


def test_without_the_other_side_nothing_is_known(folders):
    """Guidance's unconditional half: a tempo that is told says nothing, the other side's latents do."""
    network, told = load_network("motion_dit", folders), condition(length=24, tempo=1.0)
    with torch.no_grad():
        network.output.weight.normal_()
        x, t = torch.randn(2, 64, 24), torch.tensor([3, 700])
        alone, none, whole = (network(x, t, each) for each in (told.alone(), told.none(), told))
    assert torch.equal(alone, none) and not torch.allclose(whole, none)
