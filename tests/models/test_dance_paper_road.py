"""The published cascade from end to end at a tiny size: three trainings, checkpoints, a dance at 60 fps."""
import dataclasses

import numpy as np
import pytest
import torch
from dance_fixtures import clicks, corpus, one_thread  # noqa: F401

from models.dance_cascade import config as configs
from models.dance_cascade.data import Clips
from models.dance_cascade.network import Denoiser
from models.dance_cascade.pipeline import Dancer
from models.training.export import export
from models.training.loop import main as train_main


@pytest.fixture(scope="module")
def runs(corpus, tmp_path_factory):                                    # noqa: F811
    """The run folders of all three parts and a folder of their checkpoints."""
    root = tmp_path_factory.mktemp("paper")
    for part in ("encoder", "base", "super_resolution"):
        own = [] if part == "encoder" else ["--set", f"encoder={root / 'encoder'}"]
        assert train_main(["dance_cascade", part, "--config", "tiny-paper", "--corpus", str(corpus), "--out",
                           str(root / part), "--steps", "2", "--validations", "1", "--device", "cpu", *own]) == 0
        export(root / part, f"dance_cascade-{part}", root / "checkpoints")
    return root


def test_both_stages_hear_the_music(runs):
    """The super-resolution is conditioned on the music as well, and guided, from the second that the passage begins."""
    dancer = Dancer.load(runs / "checkpoints")
    assert dancer.refiner.config.music == "aligned" and dancer.refiner.config.guidance_scale == 2.5
    heard = []
    for stage in (dancer.base, dancer.refiner):
        def watched(condition, *given, sample=stage.sample, **named):
            heard.append(condition[0][0])
            return sample(condition, *given, **named)
        stage.sample = watched
    motion = dancer.generate(clicks(np.arange(0.2, 8.0, 0.5), 8.0), start=1.0, duration=2.0, steps=2)[0]
    assert len(motion) == 120 and motion.fps == 60 and np.isfinite(motion.rotations).all()
    base, fine = heard
    assert torch.equal(base, fine[::4]) and float(base.std()) > 0


def test_motion_is_aligned_at_the_papers_rate(runs, corpus):             # noqa: F811
    from models.training.task import make_task
    task = make_task("dance_cascade", "encoder", "tiny-paper")
    task.prepare(str(corpus), None, None)
    batch = Clips(task.config, task.material("train"))[0]
    seconds = task.config.clip_seconds
    assert batch["vectors"].shape[1] == 30 * seconds == batch["mel"].shape[1]
    music, motion = task.build().embed(batch["mel"], batch["vectors"])
    assert music.shape == motion.shape == (4, 1, 8)                      # a clip's, not a frame's


def test_another_encoder_than_the_configurations_is_named(corpus, tmp_path, capsys):             # noqa: F811
    assert train_main(["dance_cascade", "base", "--config", "tiny-paper", "--corpus", str(corpus), "--out",
                       str(tmp_path / "run"), "--steps", "1", "--device", "cpu"]) == 2           # the shipped one
    assert "--set encoder=RUN" in capsys.readouterr().err


def test_a_denoiser_that_trains_its_own_encoder_carries_it():
    network = Denoiser(dataclasses.replace(configs.TINY, music="scratch"))
    again = Denoiser(network.config)
    again.load_state_dict(network.state_dict())
    assert again.encoder(torch.zeros(1, 4, 64)).shape == (1, 4, configs.TINY.music_size)
