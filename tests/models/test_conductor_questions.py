"""The small trainings behind the seeds' open questions, the U-Net they need, and what a condition heard once saves."""
import dataclasses
import json

import numpy as np
import pytest
import torch
from conductor_fixtures import one_thread  # noqa: F401

from models.conductor.config import CONFIGS, TINY_FEET
from models.conductor.device_data import DeviceWindows
from models.conductor.encoder import M2SNet
from models.conductor.network import Denoiser
from models.conductor.performed import perform_corpus
from models.conductor.performed_music import music_features, row_statistics
from models.lab.evaluation.conductor import questions
from models.lab.evaluation.tables import interval
from models.lab.studio import conducted_flat
from models.lab.studio.build import item_plan
from models.training.flat import Flat
from models.training.run_folder import RunFolder
from models.training.task import Task

TINY_UNET = dataclasses.replace(TINY_FEET, trunk="unet")


def filled(config, seed=3):
    """A denoiser none of whose weights is zero."""
    torch.manual_seed(seed)
    network = Denoiser(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def inputs(config, count=3, frames=47):
    torch.manual_seed(5)
    return (torch.randn(count, frames, config.channels), torch.tensor([3, 500, 900])[:count],
            torch.randn(count, frames, config.condition_size))


@pytest.mark.parametrize("config", [TINY_FEET, TINY_UNET])
def test_a_condition_heard_once_serves_every_step(config):
    network, (x, t, condition) = filled(config), inputs(config)
    null = torch.tensor([False, True, False])
    with torch.no_grad():
        heard = network.hear(condition, null)
        for later in (t, t + 7):
            assert torch.allclose(network.denoise(x, later, heard), network(x, later, condition, null), atol=1e-5)
        nothing = network.denoise(x, t, network.hear_nothing(x.shape[1]))
        assert torch.allclose(nothing, network(x, t, condition, torch.ones(3, dtype=torch.bool)), atol=1e-5)
        assert not torch.allclose(nothing[0], network(x, t, condition, null)[0], atol=1e-2)


@pytest.mark.parametrize("config", [TINY_FEET, TINY_UNET])
def test_frames_outside_the_mask_change_nothing(config):
    network, (x, t, condition) = filled(config), inputs(config)
    null, mask = torch.zeros(3, dtype=torch.bool), torch.ones(3, 47, dtype=torch.bool)
    mask[1, 24:] = False
    other, heard = x.clone(), condition.clone()
    other[1, 24:], heard[1, 24:] = 9.0, 9.0
    with torch.no_grad():
        plain, changed = network(x, t, condition, null, mask), network(other, t, heard, null, mask)
        whole = network(x, t, condition, null)
        assert torch.allclose(whole, network(x, t, condition, null, torch.ones_like(mask)), atol=1e-5)
    assert torch.allclose(plain[0], whole[0], atol=1e-5) and torch.allclose(plain[1, :20], changed[1, :20], atol=1e-5)


def test_the_unet_is_as_large_as_the_transformer_it_stands_for():
    sizes = {name: sum(p.numel() for p in Denoiser(CONFIGS["denoiser"][f"question-{name}"]).parameters())
             for name in ("base", "unet")}
    assert abs(sizes["unet"] / sizes["base"] - 1) < 0.05


def test_each_question_differs_from_its_neighbour_in_what_its_name_says():
    configs = {name.removeprefix("question-"): dataclasses.asdict(config)
               for name, config in CONFIGS["denoiser"].items() if name.startswith("question-")}

    def changed(one, other):
        return {key for key in configs[one] if configs[one][key] != configs[other][key]}
    assert changed("base", "unet") == {"trunk"} and changed("x0", "eps") == {"prediction"}
    assert changed("base", "elbow") == {"weight_elbow", "elbow_cap"} and changed("elbow", "elbow-low") == {"elbow_cap"}
    assert changed("unclocked-mask-0", "unclocked-mask-0.1") == {"frame_dropout"} == changed("unclocked-mask-0",
                                                                                           "unclocked-mask-0.3")
    assert not configs["unclocked-mask-0"]["rhythm"] and not configs["unclocked-mask-0"]["level"]
    assert {asked.config for asked in questions.QUEUE.values()} == {f"question-{name}" for name in configs}


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """A flat folder of rhapsodic pieces of silence, performed; and its cache."""
    folder = tmp_path_factory.mktemp("questions")
    for seed in (1, 2, 800_000):
        plan = item_plan("conducting", seed, 8.0, style="rhapsodic")
        np.savez(folder / f"{seed}.npz", mel=np.full((240, 64), 9, np.uint8), level=conducted_flat.silent_level(plan),
                 plan=json.dumps(plan.to_json()))
    conducted_flat.gather([folder / f"{seed}.npz" for seed in (1, 2, 800_000)], folder / "flat", 1, 8.0, "rhapsodic")
    perform_corpus(folder / "flat", folder / "cache", 0.01, lambda fraction, text: None)
    return folder / "flat", folder / "cache"


def test_a_flat_corpus_of_another_style(flat):
    items = Flat(flat[0]).items
    assert [item["plan"]["extra"].get("style") for item in items] == ["rhapsodic"] * 4
    assert items[-1]["seed"] == conducted_flat.SILENT_SEED


def test_a_batch_holds_what_the_configuration_hears(flat):
    features = music_features(M2SNet(TINY_FEET.encoder).music, flat[0])
    for changes in (dict(), dict(rhythm=False), dict(rhythm=False, level=False)):
        config = dataclasses.replace(TINY_FEET, **changes)
        windows = DeviceWindows(config, *flat, "train", features, *row_statistics(*flat)[:2])
        windows.resident(torch.device("cpu"))
        batch = windows.batch(0, torch.Generator().manual_seed(0))
        assert batch["condition"].shape[-1] == config.condition_size


def test_the_queue_goes_on_where_it_was(tmp_path, monkeypatch):
    trained, scored = [], []

    def row(config, folder, corpus, steps, seed, stage1, report):
        trained.append((config, seed, corpus))
        run = RunFolder(folder)
        run.write_config("conductor", "denoiser", config, Task(TINY_FEET).config)
        run.checkpoint_path.write_bytes(b"")
        return len(trained) < 3
    monkeypatch.setattr(questions, "train_row", row)
    monkeypatch.setattr(questions, "score", lambda name, *rest: scored.append(name) or [{"name": name, "clips": 1}])
    corpora = {"patterns": "P", "rhapsodic": "R", "both": "B"}
    assert not questions.train_all(corpora, tmp_path, 5, "", print)
    assert [config for config, _, _ in trained] == ["question-base", "question-unet", "question-elbow"]
    for _ in range(2):
        rows = questions.score_all(tmp_path, {}, 5, "", lambda text: None)
    assert scored == ["base, seed 0", "U-Net, seed 0", "elbow reward, seed 0"] == [line["name"] for line in rows]
    assert "| base, seed 0 |" in questions.markdown(rows, 5)


def test_an_interval_holds_the_mean_and_narrows_with_more_pieces():
    rng = np.random.default_rng(0)
    few, many = rng.normal(0.5, 0.1, 8), rng.normal(0.5, 0.1, 200)
    (low, high), (lower, higher) = interval(few), interval(many)
    assert low < few.mean() < high and lower < many.mean() < higher and higher - lower < 0.5 * (high - low)
    assert np.isnan(interval([float("nan")])).all()
