"""Training task of the U-Net: latents of the frozen VAE, motion, genre and rhythm of random windows."""
import dataclasses
import math

import numpy as np
import torch

from core.audio.mel import FRAME_RATE
from core.body.kinematics import FPS
from core.contract import GENRES
from core.errors import BadInput
from models.diffusion import Schedule
from models.music_ldm.data import FEATURES, encode_latents, latent_name, mel_of, motion_of, rhythm_of
from models.music_ldm.features import mirrored, to_rotations
from models.music_ldm.losses import diffusion_loss
from models.music_ldm.network import UNet, batch_condition
from models.music_ldm.resident import FlatWindows, with_motion
from models.music_ldm.timbre import PROFILE, timbre_profile
from models.music_ldm.vae import load_vae
from models.training.flat import Flat, is_flat
from models.training.task import Task

STATISTICS_BATCHES = 20
VALID_BATCHES, VALID_TIMES = 3, (100, 300, 500, 700, 900)


class DenoiserTask(Task):
    """Eq. 2 of Tan et al. on standardised latents, conditions dropped apart so that each works alone and guidance
    works."""

    def __init__(self, config):
        super().__init__(config)
        self.lr, self.ema, self.betas, self.weight_decay = config.lr, config.ema, config.betas, config.weight_decay
        self.schedule = Schedule(config.schedule, config.prediction, zero_snr=config.zero_snr)
        self.flat = None                                         # a flat corpus, once `prepare` was given one

    def prepare(self, corpus, cache, progress):
        """Features, latents of the VAE (mean and log-variance, fp16), then statistics into the config."""
        config = self.config
        self.flat = Flat(corpus) if is_flat(corpus) else None
        if self.flat is not None and (config.sliced or not config.centred or config.scale != "standard"):
            raise BadInput("A flat corpus trains the released kind of model; give paper a corpus of shards.")
        if self.flat is not None:
            self._prepare_flat()
            return
        FEATURES.prepare(corpus, cache, progress)
        vae, self.fingerprint = load_vae(config.vae)
        if config.sliced and vae.config.frames != config.mel_frames:
            raise BadInput(f"The VAE was trained on {vae.config.frames} mel frames and these windows have "
                           f"{config.mel_frames}; train the VAE of the same configuration, or --set mel_frames.")
        encode_latents(vae, self.fingerprint, cache, config, progress, self.device)
        config.latent, config.downsample = vae.config.latent, vae.config.downsample
        train = Windows(cache, "train", config, self.fingerprint)
        if not config.latent_mean:
            config.latent_mean, config.latent_std = latent_statistics(train)
        if not config.motion_mean:
            batches = (with_motion(train[index], config) for index in range(STATISTICS_BATCHES))
            config.motion_mean, config.motion_std = motion_statistics(batches, config.scale)
        self.profiles = [train.profile(piece) for piece in train.pieces] if config.timbre else []
        self.profile_genres = [_genre(piece.meta) for piece in train.pieces]

    def _prepare_flat(self):
        """A flat corpus needs no features on disk. Its latents are those of the shipped VAE, whose statistics the
        released denoiser has (--from-released); motion's are measured where that is not so."""
        if not self.config.latent_mean:
            raise BadInput("A flat corpus has no statistics of its latents: train on from the released weights "
                           "(--from-released), or give --set latent_mean=... and latent_std=... of its VAE.")
        windows = FlatWindows(self.flat, "train", self.config)
        self.profiles = windows.profiles if self.config.timbre else []
        self.profile_genres = [_genre(item) for item in windows.items]
        if not self.config.motion_mean:
            windows.resident("cpu")
            generator = torch.Generator().manual_seed(9)
            self.config.motion_mean, self.config.motion_std = motion_statistics(
                [windows.batch(index, generator) for index in range(STATISTICS_BATCHES)])

    def build(self):
        network = UNet(self.config)
        if self.config.timbre:
            network.condition.timbre.fit(self.profiles, self.profile_genres)
        return network

    def adopt(self, model, released):
        """Released weights from before there was a timbre code serve as well: the code's own layers then start from
        nothing. The genres' codes are those of this corpus: it may sound otherwise than what the weights heard."""
        mine = {name: value for name, value in model.state_dict().items() if name.startswith("condition.timbre.")}
        super().adopt(model, {**mine, **released})
        if self.config.timbre:
            model.condition.timbre.refit(self.profiles, self.profile_genres)

    def dataset(self, cache, split):
        if self.flat is not None:
            return FlatWindows(self.flat, split, self.config)
        return Windows(cache, split, self.config, self.fingerprint)

    def loss(self, model, batch, generator):
        return diffusion_loss(model, self.schedule, self.config, with_motion(batch, self.config), generator)

    def validate(self, model, cache):
        """Squared error of the target at five noise levels: full condition, without rhythm, without any."""
        device = next(model.parameters()).device
        batches = self._valid_batches(cache, device)
        sums = {"loss": [], "loss_motion": [], "loss_none": []}
        for index, batch in enumerate(batches):
            condition = batch_condition(batch, model.condition.timbre)
            x0 = model.standardise(batch["latent_mean"])
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
            return [with_motion({name: value.to(device) for name, value in windows[index].items()}, self.config)
                    for index in range(VALID_BATCHES)]
        windows.resident(device)
        return [windows.batch(index, torch.Generator(device=device).manual_seed(index))
                for index in range(VALID_BATCHES)]

    def export(self, state):
        """Without the path of the VAE, which means nothing elsewhere."""
        return dataclasses.asdict(dataclasses.replace(self.config, vae="")), state


def _genre(meta):
    return GENRES.index(meta["genre"]) if meta["genre"] in GENRES else -1


class Windows:
    """Batches of random windows, a dict: latent_mean, latent_log_variance (B, C, ..., L); rotations (B, M, 24, 3, 3)
    and root (B, M, 3), of which `with_motion` makes features on the device; motion_known (B,), offset (B,), genre (B,
    10), rhythm (B, 5, F), profile (B, 96) of the whole piece. Motion is mirrored half of the time."""

    def __init__(self, cache, split, config, fingerprint):
        self.config, self.split, self.frames = config, split, config.mel_frames
        self.name, self.grid = latent_name(fingerprint, config), config.window if config.sliced else 1
        self.pieces = FEATURES.open(cache, split, lambda piece: piece.count(self.name) >= config.window)
        lengths = np.array([piece.count(self.name) for piece in self.pieces], dtype=np.float64)
        self.chance = lengths / lengths.sum()
        self.motion_frames = math.ceil(config.window_seconds * FPS) + 1
        self.motion_frames += -self.motion_frames % round(FPS / config.motion_rate)
        self.profiles = {}

    def profile(self, piece):
        """The `timbre_profile` (96,) of a whole piece; zeros where the configuration has no timbre code."""
        if not self.config.timbre:
            return np.zeros(PROFILE, np.float32)
        key = piece.flat.folder, piece.meta["id"]
        if key not in self.profiles:
            self.profiles[key] = timbre_profile(mel_of(piece))
        return self.profiles[key]

    def latent(self, piece, start):
        """Moments (window, 2 C[, H]) from latent frame `start` of a piece."""
        return np.asarray(piece.array(self.name, start, start + self.config.window), dtype=np.float32)

    def __getitem__(self, index):
        rng = np.random.default_rng([{"train": 1, "valid": 2, "test": 3}[self.split], index])
        chosen = rng.choice(len(self.pieces), size=self.config.batch, p=self.chance)
        return self.batch([(self.pieces[k], self.start(self.pieces[k], rng)) for k in chosen], rng)

    def start(self, piece, rng):
        """A random latent frame that a window begins at; where pieces are cut, the beginning of a slice."""
        return self.grid * int(rng.integers((piece.count(self.name) - self.config.window) // self.grid + 1))

    def batch(self, places, rng=None):
        """The batch of (piece, first latent frame) pairs; `rng` mirrors half of the motions."""
        config, count = self.config, len(places)
        latents, rhythm = [], np.zeros((count, 5, self.frames), np.float32)
        sixd = np.zeros((count, self.motion_frames, 24, 6), np.float32)
        sixd[..., 0], sixd[..., 4] = 1.0, 1.0
        root, known = np.zeros((count, self.motion_frames, 3), np.float32), np.zeros(count, np.float32)
        offset, genre = np.zeros(count, np.float32), np.zeros((count, len(GENRES)), np.float32)
        for row, (piece, start) in enumerate(places):
            second = start * config.downsample / FRAME_RATE
            latents.append(self.latent(piece, start))
            if piece.meta["confidence"] >= config.unreliable_beats:
                rhythm[row] = rhythm_of(piece, second, self.frames).T
            first = int(math.floor(second * FPS)) if config.rotary else round(second * FPS)
            offset[row] = first / FPS - second
            if piece.count("rot6d") > 1:
                sixd[row], root[row] = motion_of(piece, first, self.motion_frames)
                known[row] = 1.0
            if _genre(piece.meta) >= 0:
                genre[row, _genre(piece.meta)] = 1.0
        rotations = to_rotations(sixd)
        if rng is not None:
            flip = rng.random(count) < 0.5
            rotations[flip], root[flip] = mirrored(rotations[flip], root[flip])
        moments = torch.from_numpy(np.stack(latents)).movedim(1, -1)              # (B, L, 2C[, H]) -> (B, 2C, [H,] L)
        mean, log_variance = moments.chunk(2, dim=1)
        made = {"rotations": rotations, "root": root, "motion_known": known, "offset": offset, "genre": genre,
                "rhythm": rhythm, "profile": np.stack([self.profile(piece) for piece, _ in places])}
        return {"latent_mean": mean, "latent_log_variance": log_variance,
                **{name: torch.from_numpy(array) for name, array in made.items()}}


def latent_statistics(windows, batches=40):
    """Per-channel mean and standard deviation of z ~ q(z | mel) on random windows: var(mean) + E[var]. Lists."""
    means, variances = [], []
    for index in range(batches):
        rng = np.random.default_rng([9, index])
        piece = windows.pieces[int(rng.choice(len(windows.pieces), p=windows.chance))]
        for _ in range(16):
            moments = windows.latent(piece, windows.start(piece, rng))
            moments = np.moveaxis(moments, 1, -1).reshape(-1, moments.shape[1])
            mean, log_variance = np.split(moments, 2, axis=-1)
            means.append(mean)
            variances.append(np.exp(log_variance).mean(axis=0))
    mean = np.concatenate(means)
    std = np.sqrt(mean.var(axis=0) + np.mean(variances, axis=0))
    return mean.mean(axis=0).round(4).tolist(), np.maximum(std, 1e-3).round(4).tolist()


def motion_statistics(batches, scale="standard"):
    """Mean and standard deviation (360 each, the latter at least 0.02) of the motion features of batches; of minmax the
    least value and the range. Lists."""
    parts = [batch["motion"][batch["motion_known"] > 0].flatten(0, 1) for batch in batches]
    features = torch.cat(parts) if sum(len(part) for part in parts) else torch.zeros(2, 360)
    low = features.amin(0) if scale == "minmax" else features.mean(0)
    spread = features.amax(0) - low if scale == "minmax" else features.std(0)
    return ([round(value, 4) for value in low.tolist()], [round(max(value, 0.02), 4) for value in spread.tolist()])
