"""Studio dances with clicks for music as a flat corpus, and a tiny cascade trained on them, for the tests of
dance_cascade."""
import numpy as np
import pytest
import torch
from once import once

from core.audio import Audio
from core.audio.frames import log_mel_rows, to_bytes
from core.audio.mel import model_mono
from models.lab.studio.dancer import dance
from models.lab.studio.plan import make_plan
from models.training.export import export
from models.training.flat import FlatWriter
from models.training.loop import train
from models.training.shards import pack_motion
from models.training.task import make_task

RATE = 22_050


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def clicks(times, duration, seed=0):
    """`Audio` with a decaying tone at each time."""
    samples = np.random.default_rng(seed).normal(0, 0.003, int(duration * RATE)).astype(np.float32)
    for time in times:
        first = int(time * RATE)
        piece = np.arange(min(len(samples) - first, 4000))
        samples[first:first + len(piece)] += 0.7 * np.exp(-piece / 900) * np.sin(2 * np.pi * 440 * piece / RATE)
    return Audio(np.stack([samples, samples]), RATE)


def write_corpus(folder, seeds, split, seconds=8.0, captured=False, style=None):
    """A flat folder of dances; captured ones pretend to be recordings and have motion at 60 fps as well."""
    writer = FlatWriter(folder)
    for seed in seeds:
        plan = make_plan("dance", seed, duration=seconds)
        motion = dance(plan)
        packed, double = pack_motion(motion), pack_motion(motion.resampled(60.0))
        arrays = {"rot6d": packed["motion_rot6d"].reshape(-1, 144), "root": packed["motion_root"],
                  "mel": to_bytes(log_mel_rows(model_mono(clicks(plan.times, seconds, seed))))}
        if captured:
            arrays.update(rot6d60=double["motion_rot6d"].reshape(-1, 144), root60=double["motion_root"])
        beats = [[round(float(t), 4), int(p)] for t, p in zip(plan.times, plan.positions)]
        writer.add({"id": f"{split}-{seed}", "kind": "dance", "split": split, "seed": seed, "genre": plan.genre,
                    "style": style or plan.genre, "source": "cmu" if captured else "studio", "metre": plan.metre,
                    "duration": seconds,
                    "beat_confidence": 0.7 if captured else 1.0, "beats": beats}, arrays)
    writer.close()
    return folder


@pytest.fixture(scope="module")
@once
def corpus(tmp_path_factory):
    """A folder of three flat folders: studio train and valid, and captures."""
    folder = tmp_path_factory.mktemp("dances")
    write_corpus(folder / "studio", range(4), "train")
    write_corpus(folder / "valid", [800_000, 800_001], "valid")
    write_corpus(folder / "captures", [10, 11], "train", captured=True, style="salsa")
    return folder


@pytest.fixture(scope="module")
@once
def released(corpus, tmp_path_factory):
    """A folder of checkpoints: all three parts trained for a few steps and exported."""
    runs = tmp_path_factory.mktemp("runs")
    for part, steps in (("encoder", 6), ("base", 12), ("super_resolution", 12)):
        overrides = {"encoder": str(runs / "encoder")} if part == "base" else {}
        task = make_task("dance_cascade", part, "tiny", overrides)
        rows = train(task, runs / part, str(corpus), None, system="dance_cascade", part=part, config_name="tiny",
                     steps=steps, device="cpu", validations=1, log_every=4, report=lambda text: None)
        assert rows and all(np.isfinite(value) for row in rows for value in row.values())
        export(runs / part, f"dance_cascade-{part}", runs / "checkpoints")
    return runs / "checkpoints"


@pytest.fixture(scope="module")
def dancer(tmp_path_factory):
    """A tiny dancer with random weights (zero-initialised ones too) and real statistics."""
    from models.dance_cascade.config import TINY, TINY_ENCODER, TINY_SR
    from models.dance_cascade.data import Material
    from models.dance_cascade.encoder import MusicEncoder
    from models.dance_cascade.network import Denoiser
    from models.dance_cascade.pipeline import Dancer
    from models.dance_cascade.train import measure
    folder = write_corpus(tmp_path_factory.mktemp("one"), [0, 1], "train", captured=True)
    torch.manual_seed(0)
    stages = []
    for config, rate, stride in ((TINY, 30, 2), (TINY_SR, 60, 1)):
        network = Denoiser(config)
        for parameter in network.parameters():
            if parameter.dim() > 1 and not parameter.any():
                torch.nn.init.normal_(parameter, std=0.03)
        measure(network, Material(folder, "train", rate, stride), config)
        stages.append((config, network))
    return Dancer(*stages, MusicEncoder(TINY_ENCODER))
