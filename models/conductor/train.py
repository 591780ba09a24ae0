"""Training of both stages and of who plays: `python -m models.training.loop conductor encoder|denoiser|players --corpus
DIR --out RUN`.

The denoiser needs a stage 1: `--set stage1=RUN` (a run folder), or else the shipped checkpoint is used.
"""
import dataclasses

import torch

from core.errors import BadInput
from models.conductor.config import CHANNELS, CONFIGS, FPS, ConductorConfig, EncoderConfig, encoder_config
from models.conductor.data import FEATURES, Pairs, Windows, prepare_music, state_hash, statistics
from models.conductor.device_data import KINDS, DevicePairs, DevicePlayers, DeviceWindows
from models.conductor.encoder import Frozen, M2SNet, load_stage1
from models.conductor.losses import contrastive_loss, denoiser_loss
from models.conductor.network import Denoiser
from models.conductor.performed import perform_corpus
from models.conductor.performed_music import music_features, row_statistics
from models.conductor.players import PLAYERS, Players, PlayersConfig, players_loss
from models.diffusion import Schedule
from models.training.flat import Flat, flat_folders, is_flat
from models.training.run_folder import RunFolder
from models.training.task import Task, pick_config

VALIDATION_BATCHES = 5
BEAT_JITTER = ConductorConfig.beat_jitter       # of the performed corpus, which both stages share


class EncoderTask(Task):
    """Stage 1: M2S-Net on matched and mismatched passages."""

    ema = 0.995

    def __init__(self, config):
        super().__init__(config)
        self.lr, self.flat, self.held_out = config.learning_rate, None, {}

    def prepare(self, corpus, cache, progress):
        """Mel, level, key points and vectors to disk; of a flat corpus the motion is performed."""
        if is_flat(corpus):
            self.flat = corpus
            perform_corpus(corpus, cache, BEAT_JITTER, progress)
        else:
            FEATURES.prepare(corpus, cache, progress)

    def build(self):
        """A new M2S-Net."""
        return M2SNet(self.config).to(memory_format=torch.channels_last)

    def dataset(self, cache, split):
        """Pairs of passages, `config.negatives` mixed as configured."""
        return DevicePairs(self.config, self.flat, cache, split) if self.flat else Pairs(self.config, cache, split)

    def loss(self, model, batch, generator):
        """Four binary cross-entropies; accuracy beside them."""
        loss, accuracy = contrastive_loss(model, batch["mel"], batch["keypoints"], batch["other_mel"],
                                          batch["other_keypoints"])
        return loss, {"accuracy": accuracy.detach()}

    def validate(self, model, cache):
        """Accuracy of the four judgements for easy, hard and super-hard negatives of the valid split; chance is 0.5."""
        scores, device = {}, next(model.parameters()).device
        for kind in KINDS:
            pairs = self._held_out(cache, kind, device)
            generator, found = torch.Generator(device=device).manual_seed(1), []
            for number in range(VALIDATION_BATCHES):
                batch = pairs.batch(number, generator) if self.flat else pairs[number]
                batch = {name: value.to(device) for name, value in batch.items()}
                found.append(float(self.loss(model, batch, None)[1]["accuracy"]))
            scores[f"accuracy_{kind.replace('-', '_')}"] = sum(found) / len(found)
        return scores

    def error(self, values):
        """Share of judgements that are wrong."""
        return 1.0 - sum(values.values()) / len(values)

    def _held_out(self, cache, kind, device):
        """Pairs of the valid split with one kind of negatives; on the device, where the corpus is flat."""
        if not self.flat:
            return Pairs(self.config, cache, "valid", kind, seed=1)
        if kind not in self.held_out:
            self.held_out[kind] = DevicePairs(self.config, self.flat, cache, "valid", kind, augment=False)
            self.held_out[kind].resident(device)
        return self.held_out[kind]


class DenoiserTask(Task):
    """Stage 2: the diffusion model on the features of a frozen stage 1."""

    ema = 0.998

    def __init__(self, config):
        super().__init__(config)
        self.lr, self.clip = config.learning_rate, config.clip
        self.schedule = Schedule("linear", config.prediction, config.timesteps)
        self.music = self.mean = self.std = self.pose = self.model = self.flat = self.held_out = None

    def prepare(self, corpus, cache, progress):
        """Features to disk, music features by the frozen encoder, statistics of the train split."""
        if is_flat(corpus):
            self._prepare_flat(corpus, cache, progress)
            return
        FEATURES.prepare(corpus, cache, progress)
        if self.config.encoder_trained == "frozen":
            config, net = load_stage1(self.config.stage1)
            self.config = dataclasses.replace(self.config, encoder=config)
            encoder, name = Frozen(net.music).to(self.device), state_hash(net.music.state_dict())
            prepare_music(encoder, name, cache, progress)
            self.music = f"music-{name}"
        self.mean, self.std, self.pose = statistics(cache, self.config.representation)

    def _prepare_flat(self, corpus, cache, progress):
        """A flat corpus: motion performed, music heard by the frozen encoder where the training runs, nothing written
        of it."""
        if self.config.representation != "smpl24_feet" or self.config.encoder_trained != "frozen":
            raise BadInput("A flat corpus trains smpl24_feet with a frozen encoder; other configurations want a corpus "
                           "of shards.")
        self.flat = corpus
        perform_corpus(corpus, cache, self.config.beat_jitter, progress)
        config, net = load_stage1(self.config.stage1)
        if config.mel_rate != FPS:
            raise BadInput("Stage 1 hears another mel than the flat corpus holds; train the encoder on it first.")
        self.config = dataclasses.replace(self.config, encoder=config)
        self.music = music_features(net.music, corpus)
        self.mean, self.std, self.pose = row_statistics(corpus, cache)

    def build(self):
        """A new denoiser that carries the statistics of the train split, or the averaged one of `config.start`."""
        self.model = model = Denoiser(self.config)
        for name in ("mean", "std", "pose"):
            getattr(model, name).copy_(torch.from_numpy(getattr(self, name)))
        if self.config.start:
            model.load_state_dict(RunFolder(self.config.start).average())
        return model

    def dataset(self, cache, split):
        """Windows with the augmentations of the config."""
        if self.flat:
            return DeviceWindows(self.config, self.flat, cache, split, self.music, *self._statistics())
        return Windows(self.config, cache, split, self.music, *self._statistics())

    def _statistics(self):
        """mean, std of the model itself: a resumed or continued one keeps its own when the corpus has grown."""
        return self.model.mean.cpu().numpy(), self.model.std.cpu().numpy()

    def loss(self, model, batch, generator):
        """Reconstruction and geometric losses at a random noise level."""
        condition = batch["condition"]
        if model.encoder is not None:
            condition = torch.cat([model.encoder(batch["mel"]).to(condition),
                                   condition[..., self.config.encoder.features:]], -1)
        return denoiser_loss(self.config, self.schedule, model, batch["x0"], condition, batch["mask"], generator)

    def validate(self, model, cache):
        """Loss on fixed windows of the valid split, all conditions whole, at five fixed noise levels."""
        config = dataclasses.replace(self.config, frame_dropout=0.0, null_dropout=0.0, batch=min(8, self.config.batch))
        if self.flat:
            return self._validate_flat(model, cache, dataclasses.replace(config, batch=self.config.batch))
        windows = Windows(config, cache, "valid", self.music, *self._statistics(), seed=1, augment=False)
        generator, device, sums = torch.Generator().manual_seed(0), next(model.parameters()).device, {}
        quiet = DenoiserTask(config)
        for number in range(VALIDATION_BATCHES):
            batch = {name: value.to(device) for name, value in windows[number].items()}
            for name, value in quiet.loss(model, batch, generator)[1].items():
                sums.setdefault(name, []).append(value)
        return {name: sum(values) / len(values) for name, values in sums.items()}

    def error(self, values):
        """The sum of the loss's parts."""
        return sum(values.values())

    def _validate_flat(self, model, cache, config):
        device = next(model.parameters()).device
        if self.held_out is None:
            self.held_out = DeviceWindows(config, self.flat, cache, "valid", self.music, *self._statistics(),
                                          augment=False)
            self.held_out.resident(device)
        generator, sums, quiet = torch.Generator(device=device).manual_seed(0), {}, DenoiserTask(config)
        for number in range(VALIDATION_BATCHES):
            for name, value in quiet.loss(model, self.held_out.batch(number, generator), generator)[1].items():
                sums.setdefault(name, []).append(float(value))
        return {name: sum(values) / len(values) for name, values in sums.items()}

    def export(self, state):
        """The config without the training machine's paths."""
        return dataclasses.asdict(dataclasses.replace(self.config, stage1="", start="")), state


class PlayersTask(Task):
    """Who plays, from the sound of a flat corpus."""

    ema = 0.995

    def __init__(self, config):
        super().__init__(config)
        self.lr, self.weight_decay, self.corpus, self.held_out = config.learning_rate, config.weight_decay, "", {}

    def prepare(self, corpus, cache, progress):
        """Who plays follows from the plans of the first of the flat corpora, joined by commas; others say it."""
        folders = flat_folders(corpus)
        if not folders:
            raise BadInput("Who plays is learned from a flat corpus; make one with models.lab.studio.conducted_flat.")
        self.corpus = corpus
        if any("plan" in item for item in Flat(folders[0]).items):
            perform_corpus(folders[0], cache, BEAT_JITTER, progress)

    def build(self):
        """A new network."""
        return Players(self.config)

    def dataset(self, cache, split):
        """Crops on the device."""
        return DevicePlayers(self.config, self.corpus, cache, split)

    def loss(self, model, batch, generator):
        """Squared errors of yaw times weight and of weight."""
        return players_loss(model, batch["mel"], batch["side"], batch["target"], batch["mask"])

    def validate(self, model, cache):
        """Loss on crops of the valid split as they are, and of the same without sides (`mono_`)."""
        device, found = next(model.parameters()).device, {}
        if device not in self.held_out:
            self.held_out[device] = DevicePlayers(self.config, self.corpus, cache, "valid", augment=False)
            self.held_out[device].resident(device)
        for number in range(VALIDATION_BATCHES):
            batch = self.held_out[device].batch(number, torch.Generator(device=device).manual_seed(number))
            for prefix, share in (("", 1.0), ("mono_", 0.0)):
                values = self.loss(model, {**batch, "side": share * batch["side"]}, None)[1]
                for name, value in values.items():
                    found.setdefault(prefix + name, []).append(float(value))
        return {name: sum(values) / len(values) for name, values in found.items()}

    def error(self, values):
        """The sum of the errors, with and without sides."""
        return sum(values.values())


def task(part, config="release", **overrides):
    """The task of "encoder" (stage 1), "denoiser" (stage 2) or "players" (who plays)."""
    if "encoder" in overrides:
        overrides["encoder"] = encoder_config(overrides["encoder"])
    for name in {"music_widths", "context", "metres"} & set(overrides):
        overrides[name] = tuple(overrides[name])
    config = pick_config({**CONFIGS, "players": PLAYERS}, part, config, overrides)
    if isinstance(config, PlayersConfig):
        return PlayersTask(config)
    if isinstance(config, EncoderConfig):
        return EncoderTask(config)
    if not isinstance(config, ConductorConfig) or config.representation not in CHANNELS:
        raise BadInput(f"representation is {', '.join(CHANNELS)}, not {config.representation!r}.")
    return DenoiserTask(config)
