"""Training tasks of the genre classifiers: `python -m models.training.loop genre audio|motion ...`."""
import functools

import numpy as np
import torch
from torch.nn import functional

from core.contract import GENRES
from models.genre.config import CONFIGS
from models.genre.network import GenreNetwork
from models.training.cache import Recipe
from models.training.shards import unpack_audio, unpack_motion
from models.training.task import Task, pick_config


def _pieces(part, corpus, indices):
    """Features of the studio's dance pieces; real clips have no genre and are left out."""
    from models.genre.features import audio_features, motion_features
    for index in indices:
        meta = corpus.meta(index)
        if meta["kind"] != "dance" or meta["genre"] not in GENRES or meta["source"] != "studio":
            continue
        if part == "audio":
            features = audio_features(unpack_audio(corpus.array(index, "audio")))
        else:
            features = motion_features(unpack_motion(corpus.array(index, "motion_rot6d"),
                                                     corpus.array(index, "motion_root")))
        yield meta, {"features": features.astype(np.float16)}


FEATURES = {part: Recipe(f"genre-{part}", functools.partial(_pieces, part)) for part in ("audio", "motion")}


class GenreTask(Task):
    """Cross-entropy with label smoothing on random crops of the dance pieces."""

    lr, weight_decay = 1e-3, 5e-2

    def __init__(self, part, config):
        super().__init__(config)
        self.part = part

    def prepare(self, corpus, cache, progress):
        FEATURES[self.part].prepare(corpus, cache, progress)

    def build(self):
        return GenreNetwork(self.config)

    def dataset(self, cache, split):
        return Crops(FEATURES[self.part].open(cache, split), self.config, self.part == "audio")

    def loss(self, model, batch, generator):
        logits = model(batch["features"])
        loss = functional.cross_entropy(logits.float(), batch["genre"], label_smoothing=0.05)
        return loss, {"accuracy": (logits.argmax(1) == batch["genre"]).float().mean()}

    def validate(self, model, cache):
        items, device = self.dataset(cache, "valid"), next(model.parameters()).device
        right = [int(model(torch.as_tensor(f[None].astype(np.float32), device=device)).argmax()) == g
                 for f, g in items.items]
        return {"accuracy": float(np.mean(right))}

    def error(self, values):
        """Share of pieces that are named wrong."""
        return 1.0 - values["accuracy"]


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

    def __init__(self, pieces, config, augment):
        self.items = [(np.array(piece.array("features")), GENRES.index(piece.meta["genre"])) for piece in pieces]
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
