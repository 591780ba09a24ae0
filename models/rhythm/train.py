"""Training of the beat networks: `python -m models.training.loop rhythm body|music|bars --corpus DIR --out RUN`."""
import numpy as np
import torch

from core.body.rotations import sixd_to_matrix
from core.contract import METRES
from core.errors import BadInput
from core.rhythm.alignment import beat_f1_70ms
from core.rhythm.decoder import decode
from core.rhythm.decoder_config import CONFIG, MUSIC
from models.rhythm.augment import augment_body, augment_music
from models.rhythm.bars import BarsConfig
from models.rhythm.bars_train import BarsTask
from models.rhythm.config import rhythm_config
from models.rhythm.data import FEATURES, Clips, Crops, kind_of
from models.rhythm.features import body_features
from models.rhythm.kept import frozen, mixed, said_by
from models.rhythm.losses import rhythm_loss
from models.rhythm.network import activations
from models.rhythm.resident import FlatCrops
from models.rhythm.wide import beat_network
from models.training.flat import flat_folders
from models.training.shards import unpack_rot6d
from models.training.task import Task, pick_config

PARTS = ("body", "music")
VALIDATION_CLIPS = 24           # of each kind
VALIDATION_BATCHES = 6          # of a flat corpus


class RhythmTask(Task):
    """Everything models.training.loop needs to know about one beat network."""

    ema = 0.998

    def __init__(self, config):
        super().__init__(config)
        self.part = config.kind
        self.lr, self.weight_decay, self.corpus, self.teacher = config.learning_rate, config.weight_decay, None, None

    def adopt(self, model, released):
        """Released weights, also as the teacher of what is to be kept."""
        super().adopt(model, released)
        self.teacher = frozen(model) if self.config.keep else None

    def prepare(self, corpus, cache, progress=lambda fraction, text: None):
        """Cache motions or log-mels of every shard; resumable. A flat corpus needs no cache."""
        self.corpus = corpus if flat_folders(corpus) else None
        if self.corpus is None:
            FEATURES[self.part].prepare(corpus, cache, progress)

    def build(self):
        """A fresh network."""
        return beat_network(self.config)

    def dataset(self, cache, split, seed=0):
        """Random-access batches (`models.rhythm.data.Crops`), or crops on the device of a flat corpus."""
        if self.corpus is not None:
            return FlatCrops(self.config, self.corpus, split)
        return Crops(self.config, cache, split, seed)

    def loss(self, model, batch, generator=None):
        """Loss of one batch; augmentation happens here, and only while the model trains."""
        features = self._features(batch, generator if model.training else None)
        curve = batch["curve"]
        if model.training and self.config.keep:
            curve = self._kept(features, batch)
        return rhythm_loss(model(features), curve, batch["weight"], batch["downbeat_weight"],
                           phase_scale=self.config.phase_weight, downbeat_scale=self.config.downbeat_weight)

    def _kept(self, features, batch):
        """The rhythm curve (N, T, 5) with the released network's word in it, on pieces that are not recorded."""
        said = activations(said_by(self.teacher, features))
        share = self.config.keep * (1.0 - batch["recorded"].float())
        return torch.cat([mixed(batch["curve"][..., :4], said, share), batch["curve"][..., 4:]], dim=-1)

    def _features(self, batch, generator):
        # In full precision: half a millimetre of rounding is 15 mm/s of velocity.
        with torch.no_grad(), torch.autocast(batch["curve"].device.type, enabled=False):
            if self.part == "music":
                return augment_music(batch["mel"], generator) if generator is not None else batch["mel"]
            if generator is None:
                return body_features(sixd_to_matrix(batch["rot6d"]), batch["root"])
            return body_features(*augment_body(batch["rot6d"], batch["root"], generator))

    @torch.no_grad()
    def clip_activations(self, model, arrays):
        """(T, 4) float32 activations of one cached clip."""
        device = next(model.parameters()).device
        with torch.autocast(device.type, enabled=False):
            return activations(model(self.clip_features(arrays)[None].to(device)))[0].cpu().numpy()

    def clip_features(self, arrays):
        """(T, C) features of one cached clip."""
        if self.part == "music":
            return torch.from_numpy(arrays["mel"].astype(np.float32))
        rot6d = torch.from_numpy(unpack_rot6d(arrays["motion_rot6d"]))
        return body_features(sixd_to_matrix(rot6d), torch.from_numpy(arrays["motion_root"].astype(np.float32)))

    def validate(self, model, cache, split="valid"):
        """Beat F1 (+-70 ms, strict level) by kind, and of downbeats, over up to 24 clips a kind; of a flat corpus,
        losses."""
        if self.corpus is not None:
            return self._flat_losses(model, split)
        clips = Clips(self.part, cache, split)
        scores, counts = {}, {}
        was_training = model.training
        model.eval()
        for index in range(len(clips)):
            meta = clips.meta(index)
            kind = kind_of(meta)
            if counts.get(kind, 0) >= VALIDATION_CLIPS:
                continue
            counts[kind] = counts.get(kind, 0) + 1
            written = clips.beats(index)
            found = decode(self.clip_activations(model, clips.arrays(index)), self.config.fps,
                           config=MUSIC if self.part == "music" else CONFIG)
            scores.setdefault(f"f1_{kind}", []).append(beat_f1_70ms(found.times, written[:, 0]))
            scores.setdefault(f"downbeat_{kind}", []).append(
                beat_f1_70ms(found.downbeats, written[written[:, 1] == 1, 0]))
        model.train(was_training)
        return {name: float(np.mean(values)) for name, values in scores.items()}


    def error(self, values):
        """One minus the mean F1 of beats over the kinds; of a flat corpus the loss. None where it has no valid
        pieces."""
        if "beat" in values:
            return (values["beat"] + self.config.downbeat_weight * values["downbeat"]
                    + self.config.phase_weight * values["phase"])
        found = [value for name, value in values.items() if name.startswith("f1_")]
        return 1.0 - float(np.mean(found)) if found else None

    def _flat_losses(self, model, split):
        """Parts of the loss on crops of the held-out pieces as they are: decoding would cost more than a short
        training."""
        device, was_training = next(model.parameters()).device, model.training
        try:
            crops = FlatCrops(self.config, self.corpus, split)
        except BadInput:
            return {}
        crops.resident(device)
        model.eval()
        found = {}
        for index in range(VALIDATION_BATCHES):
            generator = torch.Generator(device=device).manual_seed(index)
            _, values = self.loss(model, crops.batch(index, generator), None)
            for name, value in values.items():
                found.setdefault(name, []).append(float(value))
        model.train(was_training)
        return {name: float(np.mean(values)) for name, values in found.items()}


CONFIGS = {part: {name: rhythm_config(part, name) for name in ("release", "paper", "wide", "tiny", "tiny-wide")}
           for part in PARTS}
CONFIGS["bars"] = {"release": BarsConfig(metres=METRES), "paper": BarsConfig(metres=METRES),
                   "tiny": BarsConfig(width=16, blocks=4, window=24, batch=8)}


def task(part, config="release", **overrides):
    """The task of a part, "body", "music" or "bars"; overrides replace fields of the configuration."""
    config = pick_config(CONFIGS, part, config, overrides)
    return BarsTask(config) if part == "bars" else RhythmTask(config)
