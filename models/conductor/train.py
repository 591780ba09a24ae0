"""Training of both stages: `python -m models.training.loop conductor encoder|denoiser --corpus DIR --out RUN`.

The denoiser needs a stage 1: `--set stage1=RUN` (a run folder), or else the shipped checkpoint is used.
"""
import dataclasses

import torch

from core.errors import BadInput
from models.conductor.config import CONFIGS, ConductorConfig, EncoderConfig, encoder_config
from models.conductor.data import Pairs, Windows, prepare_features, prepare_music, state_hash, statistics
from models.conductor.encoder import Frozen, M2SNet, load_stage1
from models.conductor.losses import contrastive_loss, denoiser_loss
from models.conductor.network import Denoiser
from models.diffusion import Schedule
from models.training.run_folder import RunFolder
from models.training.task import Task, pick_config

VALIDATION_BATCHES = 5


class EncoderTask(Task):
    """Stage 1: M2S-Net on matched and mismatched passages."""

    ema = 0.995

    def __init__(self, config):
        super().__init__(config)
        self.lr = config.learning_rate

    def prepare(self, corpus, cache, progress):
        """Mel, level, key points and vectors to disk."""
        prepare_features(corpus, cache, progress)

    def build(self):
        """A new M2S-Net."""
        return M2SNet(self.config).to(memory_format=torch.channels_last)

    def dataset(self, cache, split):
        """Pairs of passages, `config.negatives` mixed as configured."""
        return Pairs(self.config, cache, split)

    def loss(self, model, batch, generator):
        """Four binary cross-entropies; accuracy beside them."""
        loss, accuracy = contrastive_loss(model, batch["mel"], batch["keypoints"], batch["other_mel"], batch["other_keypoints"])
        return loss, {"accuracy": accuracy.detach()}

    def validate(self, model, cache):
        """Accuracy of the four judgements for easy, hard and super-hard negatives of the valid split; chance is 0.5."""
        scores, device = {}, next(model.parameters()).device
        for kind in Pairs.KINDS:
            pairs = Pairs(self.config, cache, "valid", kind, seed=1)
            found = []
            for number in range(VALIDATION_BATCHES):
                batch = {name: value.to(device) for name, value in pairs[number].items()}
                found.append(float(self.loss(model, batch, None)[1]["accuracy"]))
            scores[f"accuracy_{kind.replace('-', '_')}"] = sum(found) / len(found)
        return scores


class DenoiserTask(Task):
    """Stage 2: the diffusion model on the features of a frozen stage 1."""

    ema = 0.998

    def __init__(self, config):
        super().__init__(config)
        self.lr, self.clip = config.learning_rate, config.clip
        self.schedule = Schedule("linear", config.prediction, config.timesteps)
        self.music = self.mean = self.std = self.pose = self.model = None

    def prepare(self, corpus, cache, progress):
        """Features to disk, music features by the frozen encoder, statistics of the train split."""
        prepare_features(corpus, cache, progress)
        if self.config.encoder_trained == "frozen":
            config, net = load_stage1(self.config.stage1)
            self.config = dataclasses.replace(self.config, encoder=config)
            encoder, name = Frozen(net.music), state_hash(net.music.state_dict())
            prepare_music(encoder, name, cache, progress)
            self.music = f"music-{name}"
        self.mean, self.std, self.pose = statistics(cache, self.config.representation)

    def build(self):
        """A new denoiser that carries the statistics of the train split, or the averaged one of `config.start`."""
        self.model = model = Denoiser(self.config)
        for name in ("mean", "std", "pose"):
            getattr(model, name).copy_(torch.from_numpy(getattr(self, name)))
        if self.config.start:
            model.load_state_dict(RunFolder(self.config.start).read_checkpoint()["ema"])
        return model

    def dataset(self, cache, split):
        """Windows with the augmentations of the config."""
        return Windows(self.config, cache, split, self.music, *self._statistics())

    def _statistics(self):
        """mean, std of the model itself: a resumed or continued one keeps its own when the corpus has grown."""
        return self.model.mean.cpu().numpy(), self.model.std.cpu().numpy()

    def loss(self, model, batch, generator):
        """Reconstruction and geometric losses at a random noise level."""
        condition = batch["condition"]
        if model.encoder is not None:
            condition = torch.cat([model.encoder(batch["mel"]).to(condition), condition[..., self.config.encoder.features:]], -1)
        return denoiser_loss(self.config, self.schedule, model, batch["x0"], condition, batch["mask"], generator)

    def validate(self, model, cache):
        """Loss on fixed windows of the valid split, all conditions whole, at five fixed noise levels."""
        config = dataclasses.replace(self.config, frame_dropout=0.0, null_dropout=0.0, batch=min(8, self.config.batch))
        windows = Windows(config, cache, "valid", self.music, *self._statistics(), seed=1, augment=False)
        generator, device, sums = torch.Generator().manual_seed(0), next(model.parameters()).device, {}
        quiet = DenoiserTask(config)
        for number in range(VALIDATION_BATCHES):
            batch = {name: value.to(device) for name, value in windows[number].items()}
            for name, value in quiet.loss(model, batch, generator)[1].items():
                sums.setdefault(name, []).append(value)
        return {name: sum(values) / len(values) for name, values in sums.items()}

    def export(self, state):
        """The config without the training machine's paths."""
        return dataclasses.asdict(dataclasses.replace(self.config, stage1="", start="")), state


def task(part, config="release", **overrides):
    """The task of "encoder" (stage 1) or "denoiser" (stage 2)."""
    if "encoder" in overrides:
        overrides["encoder"] = encoder_config(overrides["encoder"])
    if "music_widths" in overrides:
        overrides["music_widths"] = tuple(overrides["music_widths"])
    config = pick_config(CONFIGS, part, config, overrides)
    if isinstance(config, EncoderConfig):
        return EncoderTask(config)
    if not isinstance(config, ConductorConfig) or config.representation not in ("smpl24", "keypoints13"):
        raise BadInput(f"representation is smpl24 or keypoints13, not {config.representation!r}.")
    return DenoiserTask(config)
