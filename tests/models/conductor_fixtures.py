"""Clicks on written beats, and a tiny conductor trained on them, for the tests of models.conductor."""

import numpy as np
import pytest
import torch
from once import once

from models.conductor.config import TINY
from models.conductor.data import FEATURES, statistics
from models.conductor.encoder import MusicEncoder
from models.conductor.network import Denoiser
from models.conductor.pipeline import Conductor
from models.lab.studio.conducted import conducting_plan, pattern_of
from models.lab.studio.conducted_flat import meta_of, silent_level
from models.lab.studio.conductor import conduct
from models.lab.studio.plan import make_plan
from models.lab.studio.seating import focus, seated
from models.training.flat import FlatWriter
from models.training.shards import pack_motion, write_shard

RATE = 48_000


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def clicks(plan):
    """A sound with a decaying tone on each beat, as loud as written."""
    samples = np.random.default_rng(plan.seed).normal(0, 0.003, int(plan.duration * RATE))
    for time, loud in zip(plan.times, plan.dynamics):
        first = int(time * RATE)
        piece = np.arange(min(len(samples) - first, 8000))
        samples[first:first + len(piece)] += 0.8 * loud * np.exp(-piece / 2000) * np.sin(2 * np.pi * 440 * piece / RATE)
    return np.clip(samples, -1, 1)


def conducted_item(seed, split):
    """(meta, arrays) of a studio piece of 8 s as clicks."""
    plan = make_plan("conducting", seed, duration=8.0)
    motion, lead = conduct(plan)
    audio = np.repeat(np.round(clicks(plan) * 32767).astype(np.int16)[:, None], 2, axis=1)
    beats = np.stack([plan.times, plan.positions], 1).astype(np.float32)
    return ({"id": f"c{seed}", "kind": "conducting", "split": split, "metre": plan.metre, "lead": lead,
             "strokes": pattern_of(plan), "duration": plan.duration},
            {"audio": audio, "beats": beats, **pack_motion(motion)})


def conducted_noise(folder, seeds, seconds=8.0, silent=()):
    """A flat corpus of plans whose music is noise that comes from where those sit who play; `silent` ones have none."""
    writer = FlatWriter(folder)
    for seed in (*seeds, *silent):
        plan, rng = seated(conducting_plan(seed, seconds)), np.random.default_rng(seed)
        frames, arrays = int(seconds * 30), {"level": silent_level(plan)}
        if seed in seeds:
            yaw, weight, _ = focus(plan, frames).T
            arrays["mel"] = (rng.integers(0, 80, (frames, 64)) + 150 * weight[:, None]).clip(0, 255).astype(np.uint8)
            side = yaw / weight + 0.2 * rng.normal(size=(16, frames))
            arrays["side"] = (127.5 + 127.5 * side.T).clip(0, 255).astype(np.uint8)
        writer.add(meta_of(plan.to_json()), arrays)
    writer.close()
    return folder


@pytest.fixture(scope="module")
@once
def corpus(tmp_path_factory):
    """Seven studio pieces of 8 s in three splits, and the cache of their features."""
    folder = tmp_path_factory.mktemp("conducting")
    for split, seeds in (("train", range(5)), ("valid", [800000]), ("test", [900000])):
        items = []
        for seed in seeds:
            items.append(conducted_item(seed, split))
        write_shard(folder / f"{split}.safetensors", items)
    cache = folder.parent / "cache"
    FEATURES.prepare(folder, cache)
    return folder, cache


@pytest.fixture(scope="module")
def conductor(corpus):
    """A tiny conductor with random weights (out and W0 too, which start at zero) and real statistics."""
    torch.manual_seed(0)
    denoiser = Denoiser(TINY)
    for parameter in denoiser.parameters():
        if parameter.dim() > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.2)
    for name, value in zip(("mean", "std", "pose"), statistics(corpus[1], "smpl24")):
        getattr(denoiser, name).copy_(torch.from_numpy(value))
    return Conductor(TINY, denoiser, MusicEncoder(TINY.encoder))


# ------------------------------------------------------------------------------------------- features
