"""Training of the bar network: `python -m models.training.loop rhythm bars --corpus DIR --out RUN`."""
import numpy as np
import torch
import torch.nn.functional as F

from core.contract import COMPOUND, PLAIN_METRES
from core.rhythm.alignment import beat_f1_70ms
from core.rhythm.bars import find_bars
from models.rhythm.bars import BAR_CHANNELS, PITCHED, BarNetwork, bar_features, chroma
from models.rhythm.config import COPIES, JITTER, MUSIC_FPS, MUSIC_RATE
from models.rhythm.data import kind_of
from models.rhythm.features import log_mel, to_mono
from models.rhythm.kept import frozen, mixed, said_by
from models.rhythm.resident import FlatBars, pieces_of
from models.training.cache import Recipe
from models.training.flat import flat_folders
from models.training.shards import AUDIO_RATE
from models.training.task import Task

FORMER = (PLAIN_METRES, (2, 3, 4, 5, 6, 7))      # that released networks could name
KIND_SHARE = {"dance": 0.5, "conducting": 0.5}


class BarsTask(Task):
    """Everything models.training.loop needs to know about the bar network."""

    ema = 0.998

    def __init__(self, config):
        super().__init__(config)
        self.lr, self.weight_decay, self.corpus, self.teacher = config.learning_rate, config.weight_decay, None, None

    def prepare(self, corpus, cache, progress=lambda fraction, text: None):
        """Rows of every clip, one cache file a shard; existing files are kept. Clips whose beats are estimates are left
        out."""
        self.corpus = corpus if flat_folders(corpus) else None
        if self.corpus is None:
            FEATURES.prepare(corpus, cache, progress)

    def build(self):
        """A fresh network."""
        return BarNetwork(self.config)

    def adopt(self, model, released):
        """Released weights, also of a network that names other metres or sees fewer channels: what it says of those
        both know is kept."""
        weight, bias = released["head.weight"], released["head.bias"]
        former = next((metres for metres in FORMER if len(weight) == 1 + len(metres)), self.config.metres)
        if len(former) != len(self.config.metres):
            rows = [0] + [1 + list(self.config.metres).index(metre) for metre in former]
            head = torch.zeros_like(model.head.weight), torch.full_like(model.head.bias, -3.0)
            for part, stored in zip(head, (weight, bias)):
                part[rows] = stored.to(part)
            released = {**released, "head.weight": head[0], "head.bias": head[1]}
        stem, stored = torch.zeros_like(model.stem.weight), released["stem.weight"]
        stem[:, :stored.shape[1] - 1], stem[:, -1] = stored[:, :-1].to(stem), stored[:, -1].to(stem)
        model.load_state_dict({**released, "stem.weight": stem})
        self.teacher = frozen(model) if self.config.keep else None

    def dataset(self, cache, split, seed=0):
        """Random-access batches of beats."""
        if self.corpus is not None:
            return FlatBars(self.config, self.corpus, split)
        return BarCrops(self.config, cache, split, seed)

    def loss(self, model, batch, generator=None):
        """Cross-entropy of downbeats (unweighted: the decoder wants honest odds) and of the metre; other keys while
        training, and `keep` of the targets as the released network has them (`models.rhythm.kept`)."""
        rows = batch["rows"]
        if model.training and generator is not None:
            rows = augment_rows(rows, generator)
        out, known = model(rows, batch["known"]), batch["known"]
        wanted, metres = batch["down"], batch["metre"]          # -1: a metre that is none of the choices
        kinds = F.one_hot(metres.clamp(min=0), out.shape[-1] - 1).float()[:, None].expand(*known.shape, -1)
        if model.training and self.config.keep:
            wanted, kinds = self._kept(batch, wanted, kinds)
        down = F.binary_cross_entropy_with_logits(out[..., 0].float(), wanted, reduction="none")
        down = (down * known).sum() / known.sum()
        metre = -(kinds * out[..., 1:].float().log_softmax(-1)).sum(-1)
        told = known * (metres >= 0)[:, None]
        metre = (metre * told).sum() / told.sum().clamp_min(1.0)
        return down + self.config.metre_weight * metre, {"down": down.detach(), "metre": metre.detach()}

    def _kept(self, batch, wanted, kinds):
        """Targets (N, B) and (N, B, metres), mixed with the released network's on pieces that are neither recorded nor
        in six, nine or twelve."""
        said = said_by(self.teacher, batch["rows"], batch["known"])
        new = torch.tensor([metre in COMPOUND for metre in self.config.metres], device=wanted.device)
        new = new[batch["metre"].clamp(min=0)] & (batch["metre"] >= 0)
        share = self.config.keep * (1.0 - (batch["recorded"] | new).float())
        return mixed(wanted, said[..., 0].sigmoid(), share), mixed(kinds, said[..., 1:].softmax(-1), share)

    def _clips(self, cache, split):
        if self.corpus is None:
            return load_rows(cache, split)
        return FlatBars(self.config, self.corpus, split).clips if pieces_of(self.corpus, split,
                                                                            ("logmel", "chroma")) else []

    def validate(self, model, cache, split="valid"):
        """Downbeat F1 (+-70 ms) and share of right metres, on written beats, by kind."""
        was_training = model.training
        model.eval()
        scores = {}
        clips = self._clips(cache, split)
        for meta, rows, written in clips:
            down, positions, metre = bars_of_rows(model, rows, written[:, 0])
            kind = kind_of(meta)
            scores.setdefault(f"downbeat_{kind}", []).append(
                beat_f1_70ms(written[positions == 1, 0], written[written[:, 1] == 1, 0]))
            if meta["metre"] in self.config.metres:
                scores.setdefault(f"metre_{kind}", []).append(metre == meta["metre"])
            scores.setdefault(f"entropy_{kind}",
                              []).append(float(np.logaddexp(0, -down * (2 * (written[:, 1] == 1) - 1)).mean()))
        model.train(was_training)
        return {name: float(np.mean(values)) for name, values in scores.items()}

    def error(self, values):
        """Mean entropy of the written downbeats; None where the corpus has no valid pieces."""
        found = [value for name, value in values.items() if name.startswith("entropy_")]
        return float(np.mean(found)) if found else None


def bars_of_rows(model, rows, times):
    """(log-odds of a downbeat (B,), positions (B,), metre) of cached rows (B, BAR_CHANNELS), by the network alone."""
    rows = torch.from_numpy(rows.astype(np.float32))[None]
    device = next(model.parameters()).device
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        out = model(rows.to(device), torch.ones(rows.shape[:2], device=device))[0].float().cpu()
    metres = dict(zip(model.config.metres, out[:, 1:].log_softmax(-1).mean(0).tolist()))
    down = out[:, 0].double().numpy()
    positions, metre = find_bars(None, MUSIC_FPS, times, evidence=lambda _: (down, metres))
    return down, positions, metre


def _pieces(corpus, indices):
    """Rows of the beats of every studio item; those of the train split several times, with other errors of the
    beats."""
    for index in indices:
        names, meta = corpus.names(index), dict(corpus.meta(index))
        if not {"beats", "audio"} <= set(names) or meta.get("source", "studio") != "studio":
            continue
        mono = to_mono(corpus.array(index, "audio"), AUDIO_RATE)
        mel, harmony = log_mel(mono, MUSIC_RATE), chroma(mono)
        written = corpus.array(index, "beats").astype(np.float32)
        rng = np.random.default_rng(int(meta.get("seed", index)))
        for copy in range(COPIES if meta["split"] == "train" else 1):
            times = written[:, 0].astype(np.float64)
            times = np.sort(times + (JITTER * rng.normal(size=len(times)) if copy else 0.0))
            yield meta, {"rows": bar_features(mel, harmony, times).astype(np.float16), "beats": written}


FEATURES = Recipe("rhythm-bars", _pieces, settings={"copies": COPIES, "jitter": JITTER, "channels": BAR_CHANNELS})


def load_rows(cache, split):
    """List of (meta, rows (B, BAR_CHANNELS), beats (B, 2)) of a split. Raises BadInput when there are none."""
    return [(piece.meta, np.array(piece.array("rows")), np.array(piece.array("beats"), dtype=np.float64))
            for piece in FEATURES.open(cache, split, lambda piece: piece.count("rows") > 0)]


class BarCrops:
    """Random-access batches: rows (N, B, C), known (N, B), down (N, B), metre (N,) as a place in
    the configuration's metres."""

    def __init__(self, config, cache, split, seed=0):
        self.config, self.seed, self.split = config, seed, split
        self.clips = [clip for clip in load_rows(cache, split) if clip[0]["metre"] in config.metres]
        kinds = [kind_of(meta) for meta, _, _ in self.clips]
        weight = np.array([KIND_SHARE.get(kind, 0.0) / max(1, kinds.count(kind)) for kind in kinds])
        self.shares = weight / weight.sum()

    def __len__(self):
        return max(1, sum(len(rows) for _, rows, _ in self.clips) // (self.config.window * self.config.batch))

    def __getitem__(self, step):
        rng = np.random.default_rng([self.seed, 1 if self.split == "train" else 2, int(step)])
        window, batch = self.config.window, self.config.batch
        out = {"rows": np.zeros((batch, window, self.config.in_channels), np.float32),
               "known": np.zeros((batch, window), np.float32), "down": np.zeros((batch, window), np.float32),
               "metre": np.zeros(batch, np.int64), "recorded": np.zeros(batch, bool)}
        for slot, index in enumerate(rng.choice(len(self.clips), size=batch, p=self.shares)):
            meta, rows, beats = self.clips[int(index)]
            length = min(window, len(rows), int(rng.integers(12, window + 1)))
            first, at = int(rng.integers(0, len(rows) - length + 1)), int(rng.integers(0, window - length + 1))
            out["rows"][slot, at:at + length] = rows[first:first + length, :self.config.in_channels]
            out["known"][slot, at:at + length] = 1.0
            out["down"][slot, at:at + length] = beats[first:first + length, 1] == 1
            out["metre"][slot] = list(self.config.metres).index(meta["metre"])
        return {name: torch.from_numpy(value) for name, value in out.items()}


def augment_rows(rows, generator):
    """Other keys, other tone colour and lost bands, noise: (N, B, BAR_CHANNELS) -> the same."""
    count, beats, channels = rows.shape
    out = rows.clone()
    turned = out[..., PITCHED].reshape(count, beats, 4, 12)
    where = generator.device
    key = torch.randint(0, 12, (count, 1, 1, 1), generator=generator, device=where).to(rows.device)
    source = (torch.arange(12, device=rows.device) - key) % 12
    out[..., PITCHED] = turned.gather(-1, source.expand(turned.shape)).reshape(count, beats, 48)
    draw = lambda *shape: torch.rand(*shape, generator=generator, device=where).to(rows.device)       # noqa: E731
    size = torch.exp(0.5 * (draw(count, 1, channels) - 0.5))
    kept = (draw(count, 1, channels) > 0.08).float()
    noise = torch.randn(count, beats, channels, generator=generator, device=where).to(rows.device)
    return out * size * kept + 0.25 * draw(count, 1, 1) * noise
