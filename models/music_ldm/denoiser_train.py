"""Training task of the U-Net: latents of the frozen VAE, motion, genre and rhythm of random windows."""
import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import torch

from core.audio.mel import FRAME_RATE
from core.body.kinematics import FPS
from core.contract import GENRES
from core.errors import BadInput
from models.diffusion import Schedule
from models.music_ldm.data import FeatureCache, prepare_features, save_array
from models.music_ldm.features import mirrored, motion_features, to_image, to_rotations
from models.music_ldm.losses import diffusion_loss
from models.music_ldm.network import UNet, batch_condition, standardise
from models.music_ldm.resident import FlatWindows
from models.music_ldm.timbre import PROFILE, timbre_profile
from models.music_ldm.vae import load_vae
from models.training.flat import Flat
from models.training.task import Task

VALID_BATCHES, VALID_TIMES = 3, (100, 300, 500, 700, 900)


class DenoiserTask(Task):
    """Eq. 2 of Tan et al. on standardised latents, conditions dropped apart so that each works alone and guidance
    works."""

    weight_decay = 1e-2

    def __init__(self, config):
        super().__init__(config)
        self.lr, self.ema = config.lr, config.ema
        self.schedule = Schedule(config.schedule, config.prediction, zero_snr=config.zero_snr)
        self.flat = None                                         # a flat corpus, once `prepare` was given one

    def prepare(self, corpus, cache, progress):
        """Features, latents of the VAE (mean and log-variance, fp16), then statistics into the config."""
        config = self.config
        self.flat = Flat(corpus) if (Path(corpus) / "items.json").is_file() else None
        if self.flat is not None:
            self._prepare_flat()
            return
        prepare_features(corpus, cache, progress)
        vae, self.fingerprint = load_vae(config.vae)
        encode_latents(vae, self.fingerprint, cache, progress)
        config.latent, config.downsample = vae.config.latent, vae.config.downsample
        train = Windows(cache, "train", config, self.fingerprint)
        if not config.latent_mean:
            config.latent_mean, config.latent_std = latent_statistics(train)
        if not config.motion_mean:
            config.motion_mean, config.motion_std = motion_statistics(train)
        self.profiles = [train.profile(item) for item in train.items] if config.timbre else []
        self.profile_genres = [GENRES.index(item["genre"]) if item["genre"] in GENRES else -1 for item in train.items]

    def _prepare_flat(self):
        """A flat corpus needs no features on disk. Its latents are those of the shipped VAE, whose statistics the
        released denoiser has (--from-released); motion's are measured where that is not so."""
        if not self.config.latent_mean:
            raise BadInput("A flat corpus has no statistics of its latents: train on from the released weights "
                           "(--from-released), or give --set latent_mean=... and latent_std=... of its VAE.")
        windows = FlatWindows(self.flat, "train", self.config)
        self.profiles = windows.profiles if self.config.timbre else []
        self.profile_genres = [GENRES.index(item["genre"]) if item["genre"] in GENRES else -1 for item in windows.items]
        if not self.config.motion_mean:
            windows.resident("cpu")
            generator = torch.Generator().manual_seed(9)
            self.config.motion_mean, self.config.motion_std = motion_statistics(
                [windows.batch(index, generator) for index in range(20)])

    def build(self):
        network = UNet(self.config)
        if self.config.timbre:
            network.condition.timbre.fit(self.profiles, self.profile_genres)
        return network

    def adopt(self, model, released):
        """Released weights from before there was a timbre code serve as well: the code's own layers then start from
        nothing."""
        mine = {name: value for name, value in model.state_dict().items() if name.startswith("condition.timbre.")}
        super().adopt(model, {**mine, **released})

    def dataset(self, cache, split):
        if self.flat is not None:
            return FlatWindows(self.flat, split, self.config)
        return Windows(cache, split, self.config, self.fingerprint)

    def loss(self, model, batch, generator):
        return diffusion_loss(model, self.schedule, self.config, batch, generator)

    def validate(self, model, cache):
        """Squared error of the target at five noise levels: full condition, without rhythm, without any."""
        device = next(model.parameters()).device
        batches = self._valid_batches(cache, device)
        sums = {"loss": [], "loss_motion": [], "loss_none": []}
        for index, batch in enumerate(batches):
            condition, x0 = batch_condition(batch, model.condition.timbre), standardise(batch["latent_mean"],
                                                                                        self.config)
            everything = torch.ones(len(x0), dtype=torch.bool, device=device)
            variants = {"loss": condition, "loss_motion": condition.dropped(rhythm=everything),
                        "loss_none": condition.none()}
            for t in VALID_TIMES:
                noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(index * 1000 + t)).to(device)
                times = torch.full((len(x0),), t, device=device)
                x, target = self.schedule.add_noise(x0, noise, times), self.schedule.target(x0, noise, times)
                for name, variant in variants.items():
                    error = (model(x, times, model.encode(variant)).float() - target).square().mean()
                    sums[name].append(float(error))
        return {name: float(np.mean(values)) for name, values in sums.items()}

    def _valid_batches(self, cache, device):
        windows = self.dataset(cache, "valid")
        if self.flat is None:
            return [{name: value.to(device) for name, value in windows[index].items()}
                    for index in range(VALID_BATCHES)]
        windows.resident(device)
        return [windows.batch(index, torch.Generator(device=device).manual_seed(index))
                for index in range(VALID_BATCHES)]

    def export(self, state):
        """Without the path of the VAE, which means nothing elsewhere."""
        return dataclasses.asdict(dataclasses.replace(self.config, vae="")), state


@torch.no_grad()
def encode_latents(vae, fingerprint, cache, progress):
    """For each shard of the cache `<stem>.latent-<fingerprint>.npy` (frames, 2 latent[, height]): mean and
    log-variance, fp16, pieces one after the other, each floor(mel frames / d) long; and
    `.latent-<fingerprint>.offsets.npy`, their first rows."""
    cache, d = Path(cache), vae.config.downsample
    paths = sorted(path for path in cache.glob("*.json"))
    for number, path in enumerate(paths):
        target = cache / f"{path.stem}.latent-{fingerprint}.npy"
        offsets = cache / f"{path.stem}.latent-{fingerprint}.offsets.npy"
        if offsets.is_file():
            continue
        progress(number / len(paths), f"latents of {path.stem}")
        items = json.loads(path.read_text(encoding="utf-8"))["items"]
        mels = np.load(cache / f"{path.stem}.mel.npy", mmap_mode="r")
        rows, starts, at = [], [], 0
        for item in items:
            start, frames = item["mel"]
            mel = np.asarray(mels[start:start + frames // d * d], dtype=np.float32)
            mel = torch.from_numpy(to_image(mel) if vae.config.mel == "image" else mel)[None]
            with torch.autocast("cpu", dtype=torch.bfloat16):
                moments = torch.cat(vae.encode(mel), dim=1)[0]
            rows.append(moments.movedim(-1, 0).numpy().astype(np.float16))
            starts.append(at)
            at += len(rows[-1])
        save_array(target, np.concatenate(rows))
        save_array(offsets, np.array(starts))
    progress(1.0, f"latents of {len(paths)} shards")


class Windows:
    """Batches of random windows, a dict: latent_mean, latent_log_variance (B, C, ..., L); motion (B, M, 360),
    motion_known (B,), offset (B,), genre (B, 10), rhythm (B, 5, F), profile (B, 96) of the whole piece. Motion is
    mirrored half of the time."""

    def __init__(self, cache, split, config, fingerprint):
        self.features, self.config, self.split = FeatureCache(cache, split), config, split
        self.fingerprint, d = fingerprint, config.downsample
        self.frames = config.mel_frames
        everyone = {}
        # others may have come since, not yet encoded
        for stem in sorted({item["stem"] for item in self.features.items}):
            items = json.loads((Path(cache) / f"{stem}.json").read_text(encoding="utf-8"))["items"]
            starts = np.load(Path(cache) / f"{stem}.latent-{fingerprint}.offsets.npy")
            everyone.update({(stem, item["id"]): int(start) for item, start in zip(items, starts)})
        self.items = [{**item, "latent": (everyone[item["stem"], item["id"]], item["mel"][1] // d)}
                      for item in self.features.items]
        self.items = [item for item in self.items if item["latent"][1] >= config.window]
        if not self.items:
            raise BadInput(f"No {split} piece is as long as a window ({config.window_seconds:.1f} s); make longer "
                           f"pieces.")
        lengths = np.array([item["latent"][1] for item in self.items], dtype=np.float64)
        self.chance = lengths / lengths.sum()
        self.motion_frames = math.ceil(config.window_seconds * FPS) + 1
        self.motion_frames += -self.motion_frames % round(FPS / config.motion_rate)
        self.profiles = {}

    def profile(self, item):
        """The `timbre_profile` (96,) of a whole item; zeros where the configuration has no timbre code."""
        if not self.config.timbre:
            return np.zeros(PROFILE, np.float32)
        key = item["stem"], item["id"]
        if key not in self.profiles:
            self.profiles[key] = timbre_profile(self.features.mel(item))
        return self.profiles[key]

    def latent(self, item, start):
        """Moments (window, 2 C[, H]) from latent frame `start` of an item."""
        moments = self.features.array(item["stem"], f"latent-{self.fingerprint}")
        offset = item["latent"][0] + start
        return np.asarray(moments[offset:offset + self.config.window], dtype=np.float32)

    def __getitem__(self, index):
        rng = np.random.default_rng([{"train": 1, "valid": 2, "test": 3}[self.split], index])
        chosen = rng.choice(len(self.items), size=self.config.batch, p=self.chance)
        places = [(self.items[k], int(rng.integers(self.items[k]["latent"][1] - self.config.window + 1)))
                  for k in chosen]
        return self.batch(places, rng)

    def batch(self, places, rng=None):
        """The batch of (item, first latent frame) pairs; `rng` mirrors half of the motions."""
        config, count = self.config, len(places)
        latents, rhythm = [], np.zeros((count, 5, self.frames), np.float32)
        sixd = np.zeros((count, self.motion_frames, 24, 6), np.float32)
        sixd[..., 0], sixd[..., 4] = 1.0, 1.0
        root, known = np.zeros((count, self.motion_frames, 3), np.float32), np.zeros(count, np.float32)
        offset, genre = np.zeros(count, np.float32), np.zeros((count, len(GENRES)), np.float32)
        for row, (item, start) in enumerate(places):
            second = start * config.downsample / FRAME_RATE
            latents.append(self.latent(item, start))
            if item["confidence"] >= config.unreliable_beats:
                rhythm[row] = self.features.rhythm(item, second, self.frames, FRAME_RATE).T
            first = int(math.floor(second * FPS)) if config.rotary else round(second * FPS)
            offset[row] = first / FPS - second
            if item["motion"][1] > 1:
                sixd[row], root[row] = self.features.motion(item, first, self.motion_frames)
                known[row] = 1.0
            if item["genre"] in GENRES:
                genre[row, GENRES.index(item["genre"])] = 1.0
        rotations = to_rotations(sixd)
        if rng is not None:
            flip = rng.random(count) < 0.5
            rotations[flip], root[flip] = mirrored(rotations[flip], root[flip])
        moments = torch.from_numpy(np.stack(latents)).movedim(1, -1)              # (B, L, 2C[, H]) -> (B, 2C, [H,] L)
        mean, log_variance = moments.chunk(2, dim=1)
        motion = motion_features(rotations, root) * known[:, None, None]
        return {"latent_mean": mean, "latent_log_variance": log_variance, "motion": torch.from_numpy(motion),
                "motion_known": torch.from_numpy(known), "offset": torch.from_numpy(offset),
                "genre": torch.from_numpy(genre), "rhythm": torch.from_numpy(rhythm),
                "profile": torch.from_numpy(np.stack([self.profile(item) for item, _ in places]))}


def latent_statistics(windows, batches=40):
    """Per-channel mean and standard deviation of z ~ q(z | mel) on random windows: var(mean) + E[var]. Lists."""
    means, variances = [], []
    for index in range(batches):
        rng = np.random.default_rng([9, index])
        item = windows.items[int(rng.choice(len(windows.items), p=windows.chance))]
        for _ in range(16):
            moments = windows.latent(item, int(rng.integers(item["latent"][1] - windows.config.window + 1)))
            moments = np.moveaxis(moments, 1, -1).reshape(-1, moments.shape[1])
            mean, log_variance = np.split(moments, 2, axis=-1)
            means.append(mean)
            variances.append(np.exp(log_variance).mean(axis=0))
    mean = np.concatenate(means)
    std = np.sqrt(mean.var(axis=0) + np.mean(variances, axis=0))
    return mean.mean(axis=0).round(4).tolist(), np.maximum(std, 1e-3).round(4).tolist()


def motion_statistics(windows, batches=20):
    """Mean and standard deviation (360 each, the latter at least 0.02) of the motion features of random windows.
    Lists."""
    parts = []
    for index in range(batches):
        batch = windows[index]
        parts.append(batch["motion"][batch["motion_known"] > 0].flatten(0, 1))
    features = torch.cat(parts) if sum(len(part) for part in parts) else torch.zeros(2, 360)
    return ([round(value, 4) for value in features.mean(0).tolist()],
            [round(max(value, 0.02), 4) for value in features.std(0).tolist()])
