"""Training tasks of MoMu: `python -m models.training.loop momu PART --corpus FLAT ...`, PART motion_vae, music_dit,
motion_dit, timing or contrast.

The order is the paper's: the music VAE (that of music_ldm, frozen), the motion VAE, then the two transformers,
which know nothing of one another, the readers of the beat and the maps of the contrast. The tasks of the last four
encode the motions of their corpus themselves, with the motion VAE of `motion_vae=RUN`.
"""
import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from core.contract.files import replacing
from models.diffusion import Schedule
from models.diffusion.loss import normal, uniform
from models.momu.config import CONFIGS, DOWNSAMPLE
from models.momu.data import LatentCrops, MotionCrops, PairedCrops, Pieces, encode_motion
from models.momu.losses import batch_condition, diffusion_loss, masked_errors, motion_loss
from models.momu.maps import ContrastMaps, found_of, map_loss, of_pieces
from models.momu.network import denoiser
from models.momu.timing import Readers, load_readers, print_of, reading_loss
from models.momu.vae import ContrastHeads, MotionVAE, load_motion_vae
from models.training.flat import Flat
from models.training.task import Task, pick_config

VALID_BATCHES, VALID_TIMES = 3, (100, 300, 500, 700, 900)


def task(part, config="release", **overrides):
    """The Task of a part (motion_vae, music_dit, motion_dit, timing, contrast) in a named configuration with fields
    replaced."""
    chosen = pick_config(CONFIGS, part, config, overrides)
    if part == "timing":
        return TimingTask(chosen)
    if part == "contrast":
        return ContrastTask(chosen)
    return MotionVAETask(chosen) if part == "motion_vae" else DiTTask(chosen, part.split("_")[0])


class MotionVAETask(Task):
    """The motion half of BiCoR-VAE beside the frozen music latents of the corpus."""

    weight_decay, clip = 1e-4, 1.0
    autocast = False            # bf16 would round the rotations and velocities that the last layer writes

    def __init__(self, config):
        super().__init__(config)
        self.lr, self.ema = config.lr, config.ema

    def prepare(self, corpus, cache, progress):
        """Statistics of the channels and their principal components, measured on random crops of the training split."""
        self.flat = Flat(corpus)
        progress(0.0, "channel statistics")
        crops = MotionCrops(self.flat, "train", dataclasses.replace(self.config, batch=min(64, self.config.batch)))
        crops.resident(self.device)
        generator = torch.Generator().manual_seed(11)
        self.sample = torch.cat([crops.batch(index, generator)["vectors"].cpu() for index in range(12)])

    def build(self):
        """VAE and contrast heads in one module, so that one loop trains both."""
        vae = MotionVAE(self.config)
        vae.channels.measure(vae.seen(self.sample).flatten(0, 1))
        vae.start_linear(*principal_components(vae.standardise(self.sample).transpose(1, 2), self.config.latent))
        return nn.ModuleDict({"vae": vae, "heads": ContrastHeads(self.config)})

    def dataset(self, cache, split):
        return MotionCrops(self.flat, split, self.config)

    def loss(self, model, batch, generator):
        return motion_loss(model["vae"], model["heads"], self.config, batch, generator)

    def validate(self, model, cache):
        """Losses with the posterior's mean and draw on fixed crops of the valid split: joint error in cm, foot
        speed, contrast."""
        crops, rows = self.dataset(cache, "valid"), []
        crops.resident(next(model.parameters()).device)
        generator = torch.Generator().manual_seed(5)
        for index in range(VALID_BATCHES):
            rows.append(motion_loss(model["vae"], model["heads"], self.config, crops.batch(index, generator),
                                    generator)[1])
        return {name: float(np.mean([float(row[name]) for row in rows])) for name in rows[0]}

    def error(self, values):
        """Distance of the rebuilt joints."""
        return values["joint_cm"]

    def export(self, state):
        """The VAE with the names a `MotionVAE` has; the contrast heads stay as `heads.*`, which it leaves aside."""
        config, state = super().export(state)
        return config, {name.removeprefix("vae."): value for name, value in state.items()}


class DiTTask(Task):
    """One diffusion transformer: `side` is what it makes, music or motion, under the latents of the other."""

    weight_decay = 1e-2

    def __init__(self, config, side):
        super().__init__(config)
        self.lr, self.ema, self.side = config.lr, config.ema, side
        self.schedule = Schedule(config.schedule, config.prediction)

    def prepare(self, corpus, cache, progress):
        """Motion latents of both splits on the device, statistics of both latents, codes of the training pieces."""
        config, flat, self.crops = self.config, Flat(corpus), {}
        vae = load_motion_vae(config.motion_vae).to(self.device)
        for number, split in enumerate(("train", "valid")):
            progress(number / 2, f"motion latents of the {split} split")
            pieces = Pieces(flat, split, config.captured, self.device)
            self.crops[split] = LatentCrops(pieces, kept_motion(pieces, vae, split, cache), config, self.side)

    def build(self):
        network = denoiser(self.config)
        train = self.crops["train"]
        moves, sounds = drawn_latents(train.pieces, train.motion[0])
        own, other = (sounds, moves) if self.side == "music" else (moves, sounds)
        network.own.measure(own)
        network.other.measure(other)
        if network.code is not None:
            genres = torch.where(train.style.sum(1) > 0, train.style.argmax(1), -1)
            network.code.fit(train.profile.cpu().numpy(), genres.cpu().numpy())
        return network

    def dataset(self, cache, split):
        return self.crops[split]

    def loss(self, model, batch, generator):
        return diffusion_loss(model, self.schedule, self.config, batch, self.side, generator)

    def validate(self, model, cache):
        """Squared error of the target at five noise levels: all conditions, without the other modality, without any;
        and of an answer of zeros, which need not be 1 on pieces that the standardisation was not measured on."""
        crops, sums = self.crops["valid"], {"loss": [], "loss_alone": [], "loss_none": [], "loss_zero": []}
        generator = torch.Generator().manual_seed(5)
        for index in range(VALID_BATCHES):
            batch = crops.batch(index, generator)
            x0, mask = model.standardise(batch[self.side]), batch["mask"]
            condition = batch_condition(batch, model, self.side)
            for t in VALID_TIMES:
                noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(index * 1000 + t)).to(x0.device)
                times = torch.full((len(x0),), t, device=x0.device)
                x = self.schedule.add_noise(x0, noise, times) * mask[:, None]
                target = self.schedule.target(x0, noise, times)
                sums["loss_zero"].append(float(masked_errors(target, mask)[0].mean()))
                for name, some in (("loss", condition), ("loss_alone", condition.alone()),
                                   ("loss_none", condition.none())):
                    sums[name].append(float(masked_errors(model(x, times, some, mask).float() - target,
                                                          mask)[0].mean()))
        return {name: float(np.mean(values)) for name, values in sums.items()}

    def export(self, state):
        """Without the path of the motion VAE, which means nothing elsewhere."""
        return dataclasses.asdict(dataclasses.replace(self.config, motion_vae="")), state


class TimingTask(Task):
    """The readers of the beat in the latents of either side."""

    def __init__(self, config):
        super().__init__(config)
        self.lr, self.ema = config.lr, config.ema

    def prepare(self, corpus, cache, progress):
        """Motion latents of both splits, and the beats under them."""
        flat, vae = Flat(corpus), load_motion_vae(self.config.motion_vae).to(self.device)
        self.config.belongs = print_of(vae)
        self.crops = {}
        for number, split in enumerate(("train", "valid")):
            progress(number / 2, f"motion latents of the {split} split")
            pieces = Pieces(flat, split, self.config.captured, self.device)
            self.crops[split] = LatentCrops(pieces, kept_motion(pieces, vae, split, cache), self.config, "motion")

    def build(self):
        readers, train = Readers(self.config), self.crops["train"]
        for name, latents in zip(("motion", "music"), drawn_latents(train.pieces, train.motion[0])):
            readers[name].own.measure(latents)
        return readers

    def dataset(self, cache, split):
        return self.crops[split]

    def loss(self, model, batch, generator):
        loss, values = 0.0, {}
        for name, reader in model.items():
            x = reader.standardise(batch[name])
            amount = uniform((len(x), 1, 1), generator, x.device) * self.config.noise
            x = (x + amount * normal(x.shape, generator, x.device)) * batch["mask"][:, None]
            part, found = reading_loss(reader, x, batch["rhythm"], batch["tempo"], batch["mask"])
            loss = loss + part
            values.update({f"{name}_{key}": value for key, value in found.items()})
        return loss, values

    def validate(self, model, cache):
        """Losses of both readers on fixed crops of the valid split, without noise."""
        rows, generator = [], torch.Generator().manual_seed(5)
        for index in range(VALID_BATCHES):
            batch = self.crops["valid"].batch(index, generator)
            row = {}
            for name, reader in model.items():
                loss, found = reading_loss(reader, reader.standardise(batch[name]), batch["rhythm"], batch["tempo"],
                                           batch["mask"])
                row |= {f"{name}_{key}": float(value) for key, value in found.items()} | {f"{name}_loss": float(loss)}
            rows.append({"loss": row["music_loss"] + row["motion_loss"], **row})
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def export(self, state):
        """Without the path of the motion VAE."""
        return dataclasses.asdict(dataclasses.replace(self.config, motion_vae="")), state


class ContrastTask(Task):
    """The maps of the rhythmic contrast, beside both VAEs and the readers as they are."""

    def __init__(self, config):
        super().__init__(config)
        self.lr, self.ema = config.lr, config.ema

    def prepare(self, corpus, cache, progress):
        """What the maps are given, of both splits, and kinematic amplitudes."""
        config, flat, vae = self.config, Flat(corpus), load_motion_vae(self.config.motion_vae).to(self.device)
        readers = load_readers(config.timing).to(self.device) if config.reads else None
        config.belongs = print_of(vae) + (print_of(readers) if readers else "")
        self.crops = {}
        for number, split in enumerate(("train", "valid")):
            progress(number / 2, f"motion latents of the {split} split")
            pieces = Pieces(flat, split, config.captured, self.device, shortest=config.crop)
            rows = of_pieces(pieces, kept_motion(pieces, vae, split, cache), readers, config)
            self.crops[split] = PairedCrops(pieces, rows, config)

    def build(self):
        maps, rows = ContrastMaps(self.config), self.crops["train"].rows
        maps["motion"].own.measure(rows["motion"][0])
        maps["music"].own.measure(rows["music"])
        return maps

    def dataset(self, cache, split):
        return self.crops[split]

    def loss(self, model, batch, generator):
        return map_loss(model, batch, self.config, generator, self.config.noise)

    def validate(self, model, cache):
        """The contrast on fixed crops of the valid split, and the shares of windows found among those of the same
        crop and among other crops."""
        rows, generator, config = [], torch.Generator().manual_seed(5), self.config
        for index in range(VALID_BATCHES):
            batch = self.crops["valid"].batch(index, generator)
            loss, values = map_loss(model, batch, config, generator)
            same, others = found_of(model, batch, config)
            rows.append({"loss": float(loss), "hit": float(values["hit"]), "same": same, "others": others})
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def export(self, state):
        """Without the paths of the motion VAE and the readers."""
        return dataclasses.asdict(dataclasses.replace(self.config, motion_vae="", timing="")), state


def kept_motion(pieces, vae, split, cache):
    """`encode_motion` of the pieces, kept in the folder `cache` under what it depends on: trainings on the latents of
    one VAE encode them once. A card does that in seconds, and nothing is kept."""
    if pieces.device.type != "cpu":
        return encode_motion(pieces, vae)
    what = hashlib.sha256(json.dumps([split, print_of(vae), pieces.spans, pieces.flat.items[0]["id"]]).encode())
    path = Path(cache) / f"motion-{what.hexdigest()[:16]}.pt"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            torch.save(encode_motion(pieces, vae), temporary)
    return torch.load(path, weights_only=True)


def principal_components(standardised, latent):
    """Basis (4 x 152, latent) and variances (latent,) of patches of four frames of standardised vectors (N, T, 152)."""
    patches = standardised.reshape(-1, DOWNSAMPLE * standardised.shape[-1]).double()
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    values, vectors = values.flip(0)[:latent], vectors.flip(1)[:, :latent]
    return vectors.float(), values.clamp(min=1e-4).float()


def drawn_latents(pieces, motion):
    """Latents (N, 64) of random crops as training draws them: of the motion, of (rows, 64), and of the music."""
    generator, moves, sounds = torch.Generator().manual_seed(3), [], []
    for _ in range(20):
        rows, starts = pieces.draw(64, 64, generator)
        along, last = torch.arange(64, device=pieces.device), pieces.latents[rows][:, None] - 1
        place = torch.minimum(starts[:, None] + along, last)
        moves.append(motion[pieces.first_latent[rows][:, None] + place].float().flatten(0, 1).cpu())
        sounds.append(pieces.music(rows, starts, 64).flatten(0, 1).cpu())
    return torch.cat(moves), torch.cat(sounds)
