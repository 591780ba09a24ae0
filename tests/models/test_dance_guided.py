"""models.dance_cascade.distil: a tiny network taught what guidance makes of a base, exported, found beside it,
sampled."""
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from dance_fixtures import clicks, corpus, one_thread, released  # noqa: F401

from core import checkpoints
from core.rhythm.beats import Beats
from models.dance_cascade.config import CONFIGS, TINY, CascadeConfig
from models.dance_cascade.data import Crops, Material
from models.dance_cascade.distil import distillation_loss, guided_answer, load_teacher
from models.dance_cascade.features import without_rhythm
from models.dance_cascade.network import Denoiser
from models.dance_cascade.pipeline import Dancer
from models.dance_cascade.train import load_aligner
from models.diffusion import Schedule
from models.training.export import export
from models.training.loop import train
from models.training.task import make_task


def lively(config, seed=0):
    """A network whose zero weights are not, so that its conditions matter."""
    torch.manual_seed(seed)
    network = Denoiser(config)
    for parameter in network.parameters():
        if parameter.dim() > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.03)
    return network.eval()


def test_the_answer_is_the_three_passes_put_together():
    network = lively(TINY)
    torch.manual_seed(1)
    x, t = torch.randn(2, 12, 152), torch.tensor([3, 70])
    condition = {"frames": torch.rand(2, 12, TINY.condition_size), "style": torch.tensor([1, -1])}
    mask = torch.ones(2, 12, dtype=torch.bool)
    answer = guided_answer(network, TINY, x, t, condition, mask)
    told, untold = torch.zeros(2, dtype=torch.bool), torch.ones(2, dtype=torch.bool)
    with torch.no_grad():
        everything, nothing = network(x, t, condition, told, mask), network(x, t, condition, untold, mask)
        lacking = network(x, t, {**condition, "frames": without_rhythm(TINY, condition["frames"])}, told, mask)
    assert (TINY.guidance_scale, TINY.beat_guidance) == (2.5, 3.0)
    assert torch.allclose(answer, 2.5 * everything - 1.5 * nothing + 3.0 * (everything - lacking), atol=1e-5)
    assert not torch.allclose(answer, everything, atol=1e-2)


@pytest.fixture(scope="module")
def folder(corpus, released, tmp_path_factory):                                        # noqa: F811
    """The tiny cascade's checkpoints, whose base has begun to answer to its condition, with a network it taught."""
    folder = shutil.copytree(released, tmp_path_factory.mktemp("guided") / "checkpoints")
    found = checkpoints.find("dance_cascade", "base", folder)
    network = lively(CONFIGS["base"]["tiny"])
    state = {**network.state_dict(), **{name: value for name, value in checkpoints.load_state(found).items()
                                        if name.split(".")[0] in ("standard", "rotation_limit", "energy", "pose")}}
    checkpoints.save(folder, name=found.path.stem, system="dance_cascade", part="base", config=found.config,
                     state_dict=state, card_text="", licence="GPL-3.0-or-later", dtype="float32")
    overrides = {"teacher": str(folder), "encoder": str(released.parent / "encoder"), "learning_rate": 3e-3}
    train(make_task("dance_cascade", "guided", "tiny", overrides), folder.parent / "run", str(corpus), None,
          system="dance_cascade", part="guided", config_name="tiny", steps=150, device="cpu", validations=1,
          report=lambda text: None)
    export(folder.parent / "run", "dance_cascade-guided", folder)
    return folder


def test_a_network_learns_the_guided_answer(folder, corpus, released):                   # noqa: F811
    """On pieces that it never saw, nearer to it than the base's plain answer, with which it began."""
    config, teacher, _ = load_teacher(folder)
    found = checkpoints.find("dance_cascade", "guided", folder)
    student = Denoiser(CascadeConfig(**found.config)).eval()
    student.load_state_dict(checkpoints.load_state(found))
    material = Material(str(corpus), "valid", 30, 2)
    material.embed(load_aligner(str(released.parent / "encoder")).music)
    schedule, crops = Schedule(config.schedule, "x0", config.timesteps), replace(config, null_dropout=0.0, batch=16)
    errors = []
    for network in (teacher, student):
        batch = Crops(crops, material, network, augment=False)[0]
        with torch.no_grad():
            losses = distillation_loss(config, schedule, network, teacher, batch, torch.Generator().manual_seed(0))[1]
        errors.append(float(losses["answer"]))
    assert errors[1] < 0.6 * errors[0]


def counted(dancer, monkeypatch):
    """How many rows each network of the base has answered, filled in as it goes."""
    rows = {"base": 0, "guided": 0}
    for name, network in (("base", dancer.base.network), ("guided", dancer.base.guided)):
        def forward(x, *rest, _name=name, _forward=network.forward, **more):
            rows[_name] += len(x)
            return _forward(x, *rest, **more)
        monkeypatch.setattr(network, "forward", forward)
    return rows


def test_one_pass_at_the_scales_that_were_taught_and_three_elsewhere(folder, monkeypatch):
    dancer = Dancer.load(folder)
    assert dancer.base.guided is not None
    rows, beats = counted(dancer, monkeypatch), Beats(np.arange(0.5, 4.0, 0.5), np.arange(7) % 4 + 1)
    audio = clicks(beats.times, 4.0)
    wanted = dict(genre="break", beats=beats, seed=1, steps=3, feet=False)
    quick = dancer.generate(audio, **wanted)[0]
    assert rows == {"base": 0, "guided": 3}
    slow = dancer.generate(audio, **wanted, guidance_scale=6.0)[0]
    assert rows == {"base": 9, "guided": 3}
    other = dancer.generate(audio, **wanted, beat_guidance=1.5)[0]
    assert rows == {"base": 18, "guided": 3}
    dancer.generate(audio, **{**wanted, "beats": None})                # no rhythm to guide by
    assert rows == {"base": 24, "guided": 3}
    again = dancer.generate(audio, **wanted)[0]
    assert np.array_equal(quick.rotations, again.rotations)
    assert not np.allclose(quick.rotations, other.rotations, atol=1e-4)
    assert np.isfinite(slow.rotations).all()


def test_a_base_whose_answers_another_gives_is_opened_when_it_is_needed(folder):
    dancer, audio = Dancer.load(folder), clicks(np.arange(0.5, 3.0, 0.5), 3.0)
    wanted = dict(genre="break", beats=Beats(np.arange(0.5, 3.0, 0.5), np.arange(5) % 4 + 1), seed=1, steps=2)
    dancer.generate(audio, **wanted)
    assert dancer.base._network is None
    dancer.generate(audio, **wanted, guidance_scale=1.0)
    assert dancer.base._network is not None and torch.equal(dancer.base.network.energy, dancer.base.energy)


def test_another_base_is_not_taken_for_the_teacher(folder, released, tmp_path):          # noqa: F811
    mixed = shutil.copytree(released, tmp_path / "checkpoints")
    found = checkpoints.find("dance_cascade", "guided", folder)
    checkpoints.save(mixed, name="dance_cascade-guided", system="dance_cascade", part="guided", config=found.config,
                     state_dict=checkpoints.load_state(found), card_text="", licence="GPL-3.0-or-later")
    assert Dancer.load(mixed).base.guided is None and Dancer.load(folder).base.guided is not None


def test_a_base_of_other_sizes_is_refused_with_a_sentence(folder):
    from core.errors import BadInput
    task = make_task("dance_cascade", "guided", "tiny", {"teacher": str(folder), "width": 16})
    with pytest.raises(BadInput, match="other sizes"):
        task.build()
    assert load_teacher(folder)[2] == checkpoints.find("dance_cascade", "base", folder).sha256
