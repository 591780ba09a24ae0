"""Training tasks of the music model: `python -m models.training.loop music_ldm vae|denoiser ...`.

The command's words are in docs/contracts.md, section 7.
"""
import dataclasses

import numpy as np
import torch
from torch import nn

from core.audio.mel import BANDS
from models.music_ldm.config import CONFIGS
from models.music_ldm.data import FEATURES, mel_of
from models.music_ldm.features import jitter, to_image
from models.music_ldm.losses import adversarial, kl_divergence, reconstruction
from models.music_ldm.vae import VAE, Discriminator, load_vae
from models.training.task import Task, pick_config

VALID_BATCHES = 4


def task(part, config="release", **overrides):
    """The Task of a part ("vae", "denoiser", "vocoder") in a named configuration with fields replaced."""
    if part == "vocoder":
        from models.music_ldm.vocoder_train import vocoder_task
        return vocoder_task(config, **overrides)
    chosen = pick_config(CONFIGS, part, config, overrides)
    if part == "vae":
        return VAETask(chosen)
    from models.music_ldm.denoiser_train import DenoiserTask
    return DenoiserTask(chosen)


class VAETask(Task):
    """Mel VAE: reconstruction from the first step, the discriminator from `adversarial_from` of the training."""

    weight_decay, clip = 1e-4, 2.0

    def __init__(self, config):
        super().__init__(config)
        self.lr, self.ema = config.lr, config.ema

    def prepare(self, corpus, cache, progress):
        """Mel features, then mean and spread of the training split into the config (log mels only)."""
        FEATURES.prepare(corpus, cache, progress)
        if self.config.sharpen:
            self.trained = load_vae(self.config.sharpen)[0]
            kept = ("dims", "widths", "blocks", "latent", "linear", "mel", "mel_mean", "mel_std")
            self.config = dataclasses.replace(self.config, **{name: getattr(self.trained.config, name)
                                                              for name in kept})
            return
        if self.config.mel == "log" and not self.config.mel_mean:
            mean, std = mel_statistics(FEATURES.open(cache, "train"))
            self.config.mel_mean, self.config.mel_std = mean, std
        if self.config.linear:
            self.components = principal_components(FEATURES.open(cache, "train"), self.config)

    def build(self):
        """VAE and discriminator in one module, so that one loop trains both."""
        parts = {"vae": VAE(self.config)}
        if self.config.sharpen:
            parts["vae"].load_state_dict(self.trained.state_dict())
            for part in (parts["vae"].encoder, parts["vae"].analysis):
                if part is not None:
                    part.requires_grad_(False)
        elif self.config.linear:
            parts["vae"].start_linear(*self.components)
        if self.config.adversarial or self.config.matching:
            parts["discriminator"] = Discriminator(self.config.discriminator)
        return nn.ModuleDict(parts)

    def dataset(self, cache, split):
        return MelCrops(FEATURES.open(cache, split, self._long_enough), self.config)

    def _long_enough(self, piece):
        return piece.count("mel") >= self.config.frames

    def loss(self, model, batch, generator):
        mel = batch["mel"]
        output, mean, log_variance = model["vae"](mel, generator)
        target = model["vae"].standardise(mel)
        loss, values = reconstruction(output, target, mean, log_variance, self.config)
        if "discriminator" in model and self.fraction >= self.config.adversarial_from:
            extra, more = adversarial(model["discriminator"], output, target, self.config)
            loss, values = loss + extra, {**values, **more}
        return loss, {name: value.detach() for name, value in values.items()}

    def validate(self, model, cache):
        """L1 in network units and in log-mel, KL, and sharpness: spread of frame differences over the real ones' (1 is
        ideal)."""
        crops, vae, rows = self.dataset(cache, "valid"), model["vae"], []
        for index in range(VALID_BATCHES):
            mel = crops[index]["mel"].to(vae.mel.mean.device)
            mean, log_variance = vae.encode(mel)
            output, target = vae.synthesise(mean), vae.standardise(mel)
            rows.append({"l1": (output - target).abs().mean(), "log_mel_l1": (vae.restore(output) - mel).abs().mean(),
                         "sharpness": output.diff(dim=-1).std() / target.diff(dim=-1).std(),
                         "kl": kl_divergence(mean, log_variance), "latent_std": mean.std(),
                         "posterior_std": (0.5 * log_variance).exp().mean()})
        return {name: float(np.mean([float(row[name]) for row in rows])) for name in rows[0]}

    def error(self, values):
        """L1 in network units; nothing of an adversarial training."""
        return None if self.config.adversarial or self.config.matching else values["l1"]

    def export(self, state):
        """The VAE alone, without the path of the run it continued, which means nothing elsewhere."""
        config, state = super().export(state)
        config["sharpen"] = ""
        return config, {name[4:]: value for name, value in state.items() if name.startswith("vae.")}


class MelCrops:
    """Batches of random mel crops with level jitter: {"mel": (B, frames, 256)}; pieces drawn in proportion to their
    length."""

    def __init__(self, pieces, config):
        self.pieces, self.config = pieces, config
        lengths = np.array([piece.count("mel") for piece in pieces], dtype=np.float64)
        self.chance = lengths / lengths.sum()

    def __getitem__(self, index):
        rng = np.random.default_rng([17, index])
        config, crops = self.config, []
        for number in rng.choice(len(self.pieces), size=config.batch, p=self.chance):
            piece = self.pieces[number]
            start = int(rng.integers(piece.count("mel") - config.frames + 1))
            mel = mel_of(piece, start, config.frames)
            crops.append(to_image(mel) if config.mel == "image" else jitter(mel, rng, config.gain_db))
        return {"mel": torch.from_numpy(np.stack(crops))}


def mel_statistics(pieces, most=400):
    """Per-band mean (256,) and one common spread of the training split, from up to `most` pieces spread over it."""
    total, square, count = np.zeros(BANDS), np.zeros(BANDS), 0
    for piece in pieces[:: max(1, len(pieces) // most)]:
        mel = mel_of(piece).astype(np.float64)
        total, square, count = total + mel.sum(0), square + (mel**2).sum(0), count + len(mel)
    mean = total / count
    return mean.round(4).tolist(), round(float(np.sqrt((square / count - mean**2).mean())), 4)


def principal_components(pieces, config, most=300):
    """Basis (d 256, latent) and variances (latent,) of standardised patches of d frames; up to `most` pieces; float32
    tensors."""
    size = config.downsample * BANDS
    covariance, count = np.zeros((size, size)), 0
    for piece in pieces[:: max(1, len(pieces) // most)]:
        mel = (mel_of(piece) - np.float32(config.mel_mean)) / np.float32(config.mel_std)
        patches = mel[:len(mel) // config.downsample * config.downsample].reshape(-1, size)
        covariance += patches.T @ patches
        count += len(patches)
    values, vectors = np.linalg.eigh(covariance / count)
    values, vectors = values[::-1][:config.latent], vectors[:, ::-1][:, :config.latent]
    return torch.from_numpy(vectors.astype(np.float32)), torch.from_numpy(np.maximum(values, 1e-4).astype(np.float32))
