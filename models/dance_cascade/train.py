"""Training of the parts, encoder first:

    python -m models.training.loop dance_cascade encoder --corpus FLAT --out RUN/encoder --minutes 1
    python -m models.training.loop dance_cascade base --corpus FLAT --out RUN/base --minutes 5 --set encoder=RUN/encoder
    python -m models.training.loop dance_cascade super_resolution --corpus FLAT --out RUN/sr --minutes 3
    python -m models.training.loop dance_cascade guided --corpus FLAT --out RUN/guided --minutes 60

FLAT: a flat corpus, several joined by commas, or a folder of them (models/training/flat.py). The corpus is held on the
device.
"""
import dataclasses

import torch

from core import checkpoints
from core.errors import BadInput
from models.dance_cascade.config import CONFIGS, CascadeConfig, EncoderConfig
from models.dance_cascade.data import Clips, Crops, Material
from models.dance_cascade.distil import distillation_loss, distillation_scores, load_teacher
from models.dance_cascade.encoder import Aligner, info_nce
from models.dance_cascade.losses import denoiser_loss
from models.dance_cascade.network import Denoiser
from models.diffusion import Schedule
from models.motion import losses as geometry
from models.training.run_folder import RunFolder
from models.training.task import Task, pick_config

STUDIO_ITEMS_60 = 500               # studio pieces held at 60 fps: they are interpolated, captures are the real thing
ROTATION_PERCENTILE = 0.99
VALIDATION_BATCHES = 4
VALIDATION_CLIPS = 64


def load_aligner(source="", folders=None):
    """The `Aligner` of a run folder, or of the checkpoint found in `folders` when `source` is empty; frozen."""
    if source:
        run = RunFolder(source)
        config, state = EncoderConfig(**run.read_config()["config"]), run.average()
    else:
        found = checkpoints.find("dance_cascade", "encoder", folders)
        config, state = EncoderConfig(**found.config), checkpoints.load_state(found)
    aligner = Aligner(config)
    aligner.load_state_dict(state)
    return aligner.eval().requires_grad_(False)


class _Corpus(Task):
    """A task that holds its splits on the device."""

    rate, stride, limit = 30, 2, None           # Hz of what is read, rows between two frames of a crop, most items

    def __init__(self, config):
        super().__init__(config)
        self.lr, self.corpus, self._material = config.learning_rate, None, {}

    def prepare(self, corpus, cache, progress):
        """Nothing is written: the corpus is read straight onto the device."""
        self.corpus = corpus

    def material(self, split):
        """The `Material` of a split; raises BadInput where it is empty."""
        if split not in self._material:
            self._material[split] = self.read(split)
        return self._material[split]

    def read(self, split):
        """A new `Material`."""
        limit = self.limit if split == "train" else None
        return Material(self.corpus, split, self.rate, self.stride, self.device, limit)


class EncoderTask(_Corpus):
    """Alignment stage."""

    ema = 0.99

    def __init__(self, config):
        super().__init__(config)
        self.stride = self.rate // config.motion_fps

    def build(self):
        """A new `Aligner` with statistics of the train split; reads both splits, so that a missing one is told now."""
        aligner = Aligner(self.config)
        self.material("valid")
        material = self.material("train")
        aligner.motion.standard.to(material.device).measure(material.vectors, material.frame_weights(0.5))
        return aligner

    def dataset(self, cache, split):
        """Clips of a split."""
        return Clips(self.config, self.material(split))

    def loss(self, model, batch, generator):
        """InfoNCE and the share of clips whose partner is nearest."""
        similarity = model.similarity(batch["mel"], batch["vectors"])
        loss, forth, back = info_nce(similarity, model.log_scale.exp().clamp(max=100.0))
        return loss, {"music_to_motion": forth, "motion_to_music": back}

    def validate(self, model, cache):
        """Retrieval among 64 clips of the valid split: easy, all of other pieces, and hard, two of each piece; chance
        1/64."""
        config = dataclasses.replace(self.config, batch=VALIDATION_CLIPS)
        scores = {}
        for name, hard in (("easy", False), ("hard", True)):
            clips = Clips(dataclasses.replace(config, hard=hard), self.material("valid"))
            rows = []
            for number in range(VALIDATION_BATCHES):
                batch = clips[number]
                found = info_nce(model.similarity(batch["mel"], batch["vectors"]), model.log_scale.exp())
                rows.append([float(value) for value in found])
            for place, what in enumerate(("loss", "music_to_motion", "motion_to_music")):
                scores[f"{name}_{what}"] = sum(row[place] for row in rows) / len(rows)
        return {**scores, "chance": 1 / VALIDATION_CLIPS}

    def error(self, values):
        """The loss among clips of the same pieces."""
        return values["hard_loss"]


class StageTask(_Corpus):
    """Base or super-resolution."""

    def __init__(self, config):
        super().__init__(config)
        self.rate = 60 if config.fps == 60 else 30
        self.stride = self.rate // config.fps
        self.limit = STUDIO_ITEMS_60 if config.low else None
        self.schedule = Schedule(config.schedule, "x0", config.timesteps)
        self.network = None

    def read(self, split):
        """A `Material`, with the music's embedding where the stage wants it."""
        material = super().read(split)
        if self.config.music == "aligned":
            aligner = load_aligner(self.config.encoder)
            if aligner.config.embedding != self.config.music_size:
                raise BadInput(f"The encoder gives {aligner.config.embedding} channels and this configuration takes "
                               f"{self.config.music_size}; name the one that was trained with it: --set encoder=RUN.")
            material.embed(aligner.music)
        return material

    def build(self):
        """A new denoiser with statistics of the train split; reads both splits."""
        network = Denoiser(self.config)
        self.material("valid")
        material = self.material("train")
        measure(network.to(material.device), material, self.config)
        self.network = network
        return network

    def dataset(self, cache, split):
        """Crops of a split, augmented in training."""
        return Crops(self.config, self.material(split), self.network, augment=split == "train")

    def loss(self, model, batch, generator):
        """See `losses.denoiser_loss`."""
        if model.encoder is not None:
            batch = {**batch, "frames": with_scratch(self.config, model, batch)}
        return denoiser_loss(self.config, self.schedule, model, batch, generator)

    def validate(self, model, cache):
        """Losses on fixed crops of the valid split with whole conditions, at noise levels spread by a fixed draw."""
        config = dataclasses.replace(self.config, null_dropout=0.0)
        crops = Crops(config, self.material("valid"), model, augment=False)
        device, sums = next(model.parameters()).device, {}
        generator = torch.Generator(device=device).manual_seed(0)
        for number in range(VALIDATION_BATCHES):
            batch = crops[number]
            if model.encoder is not None:
                batch["frames"] = with_scratch(config, model, batch)
            for name, value in denoiser_loss(config, self.schedule, model, batch, generator)[1].items():
                sums.setdefault(name, []).append(float(value))
        return {name: sum(values) / len(values) for name, values in sums.items()}

    def error(self, values):
        """The sum of the loss's parts."""
        return sum(values.values())

    def export(self, state):
        """The config without the training machine's path."""
        return dataclasses.asdict(dataclasses.replace(self.config, encoder="")), state


class GuidedTask(StageTask):
    """The base taught what guidance makes of it; starts from the released base, whose channels it keeps."""

    ema = 0.995

    def build(self):
        """A student with the weights of its teacher."""
        _, teacher, sha256 = load_teacher(self.config.teacher or None)
        self.teacher = teacher.to(self.device)
        self.config = dataclasses.replace(self.config, teacher=sha256)
        network = Denoiser(self.config)
        own, given = network.state_dict(), teacher.state_dict()
        if {name: value.shape for name, value in own.items()} != {name: value.shape for name, value in given.items()}:
            raise BadInput("The base that teaches has other sizes than this configuration; leave them as they are.")
        network.load_state_dict(given)
        self.material("valid")
        self.network = network.to(self.device)
        return self.network

    def loss(self, model, batch, generator):
        """See `distil.distillation_loss`."""
        return distillation_loss(self.config, self.schedule, model, self.teacher, batch, generator)

    def validate(self, model, cache):
        """The losses on fixed crops of the valid split at fixed noise."""
        return distillation_scores(self.config, self.schedule, model, self.teacher, self.material("valid"))


def with_scratch(config, model, batch):
    """The batch's frames with the music embedded by the denoiser's own encoder, at the stage's rate."""
    music = model.encoder(batch["mel"]).float()
    frames = batch["frames"]
    index = torch.arange(frames.shape[1], device=music.device) * music.shape[1] // frames.shape[1]
    return torch.cat([music[:, index], frames[..., config.music_size:]], dim=-1)


@torch.no_grad()
def measure(network, material, config):
    """Statistics of the train split into the network's buffers: channels, mean pose, log energy, rotation steps."""
    weights = material.frame_weights(config.capture_share)
    network.standard.measure(material.vectors, weights)
    network.pose.copy_(network.standard.mean)
    share = weights / weights.sum()
    mean = (material.energy * share).sum()
    network.energy.copy_(torch.stack([mean, ((material.energy - mean).square() * share).sum().sqrt().clamp(min=0.05)]))
    generator = torch.Generator(device=material.device).manual_seed(0)
    _, rows, _ = material.draw(64, min(config.window, 150), config.capture_share, generator)
    steps = geometry.rotation_steps(geometry.body(material.vectors[rows])[0]).flatten(0, 1)
    network.rotation_limit.copy_(torch.quantile(steps, ROTATION_PERCENTILE, dim=0))


def task(part, config="release", **overrides):
    """The task of "encoder", "base" or "super_resolution"."""
    config = pick_config(CONFIGS, part, config, overrides)
    kind = EncoderTask if isinstance(config, EncoderConfig) else GuidedTask if config.guided else StageTask
    return kind(config)


__all__ = ["CascadeConfig", "EncoderTask", "StageTask", "load_aligner", "measure", "task"]
