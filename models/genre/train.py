"""Training tasks of the genre classifiers: `python -m models.training.loop genre audio|motion ...`."""
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch.nn import functional

from core.contract import GENRES
from core.contract.files import replacing
from core.errors import BadInput
from models.genre.config import CONFIGS
from models.genre.network import GenreNetwork
from models.training.shards import Corpus, unpack_audio, unpack_motion
from models.training.task import Task, pick_config


class GenreTask(Task):
    """Cross-entropy with label smoothing on random crops of the dance pieces; real clips have no genre and are left
    out."""

    lr, weight_decay = 1e-3, 5e-2

    def __init__(self, part, config):
        super().__init__(config)
        self.part = part

    def prepare(self, corpus, cache, progress):
        from models.genre.features import audio_features, motion_features
        for split in ("train", "valid"):
            target = Path(cache) / f"genre-{self.part}-{split}.safetensors"
            if target.exists():
                continue
            items, tensors = Corpus(corpus, split=split, kind="dance"), {}
            for index in range(len(items)):
                meta = items.meta(index)
                if meta["genre"] not in GENRES or meta["source"] != "studio":
                    continue
                if self.part == "audio":
                    features = audio_features(unpack_audio(items.array(index, "audio")))
                else:
                    motion = unpack_motion(items.array(index, "motion_rot6d"), items.array(index, "motion_root"))
                    features = motion_features(motion)
                # safetensors writes the buffer whatever the strides, so the order must be C
                tensors[f"{index:06d}-{GENRES.index(meta['genre'])}"] = np.ascontiguousarray(features, np.float16)
                progress(index / len(items), f"genre {self.part} {split}")
            if not tensors:
                raise BadInput(f"{corpus} holds no studio dance pieces of split {split}; make the corpus first.")
            with replacing(target) as temporary:
                save_file(tensors, str(temporary))

    def build(self):
        return GenreNetwork(self.config)

    def dataset(self, cache, split):
        return Crops(Path(cache) / f"genre-{self.part}-{split}.safetensors", self.config, self.part == "audio")

    def loss(self, model, batch, generator):
        logits = model(batch["features"])
        loss = functional.cross_entropy(logits.float(), batch["genre"], label_smoothing=0.05)
        return loss, {"accuracy": (logits.argmax(1) == batch["genre"]).float().mean()}

    def validate(self, model, cache):
        items, device = self.dataset(cache, "valid"), next(model.parameters()).device
        right = [int(model(torch.as_tensor(f[None].astype(np.float32), device=device)).argmax()) == g
                 for f, g in items.items]
        return {"accuracy": float(np.mean(right))}


def vary(crop, rng):
    """Log-mel (T, bands) mixed, played and recorded otherwise, so that a classifier listens to more than the mix: speed
    and pitch a little off, a smooth equaliser, noise, a band or a moment missing (SpecAugment, arXiv 1904.08779), a
    band limit."""
    frames, bands = crop.shape
    at = np.clip(np.arange(frames) * rng.uniform(0.9, 1.1), 0, frames - 1)
    low, part = at.astype(int), (at % 1)[:, None].astype(np.float32)
    crop = crop[low] * (1 - part) + crop[np.minimum(low + 1, frames - 1)] * part
    crop = crop[:, np.clip(np.arange(bands) + int(rng.integers(-2, 3)), 0, bands - 1)]
    place = np.linspace(0, 1, bands)
    curve = rng.normal(0, 0.3) * place + rng.normal(0, 0.2)
    for waves in (1, 2, 3):
        curve = curve + rng.normal(0, 0.15) * np.cos(np.pi * (waves * place + rng.uniform(0, 2)))
    crop = crop + curve.astype(np.float32) + rng.normal(0, 0.1, crop.shape).astype(np.float32)
    if rng.random() < 0.5:
        first = int(rng.integers(bands - 8))
        crop[:, first:first + int(rng.integers(2, 9))] = crop.mean()
    if rng.random() < 0.3:
        first = int(rng.integers(max(1, frames * 3 // 4)))
        crop[first:first + frames // 8] = crop.min()
    if rng.random() < 0.2:
        crop[:, int(rng.integers(bands * 5 // 8, bands)):] = crop.min()
    return crop


class Crops:
    """Random crops of the features; audio is varied (`vary`)."""

    def __init__(self, path, config, augment):
        self.items = [(features, int(name.split("-")[1])) for name, features in sorted(load_file(str(path)).items())]
        self.config, self.augment = config, augment
        self.frames = int(config.crop_seconds * config.rate)

    def __getitem__(self, number):
        rng = np.random.default_rng([number, 17])
        crops, genres = [], []
        for _ in range(self.config.batch):
            features, genre = self.items[int(rng.integers(len(self.items)))]
            start = int(rng.integers(max(1, len(features) - self.frames + 1)))
            crop = features[start:start + self.frames].astype(np.float32)
            crop = np.pad(crop, ((0, self.frames - len(crop)), (0, 0)), mode="edge")
            if self.augment:
                crop = vary(crop, rng)
            crops.append(crop)
            genres.append(genre)
        return {"features": torch.from_numpy(np.stack(crops)), "genre": torch.tensor(genres)}


def task(part, config="release", **overrides):
    """The training task of `audio` or `motion`."""
    return GenreTask(part, pick_config(CONFIGS, part, config, overrides))
