"""Clips for the beat networks: features of a corpus cached on disk once, and random crops of them with their beats."""
import functools

import numpy as np
import torch

from core.rhythm.beats import rhythm_curve
from models.rhythm.augment import mirrored_6d, stretch, warp_curve
from models.rhythm.config import BODY_FPS, MUSIC_FPS
from models.training.cache import Recipe
from models.training.shards import AUDIO_RATE, ROTATION_SCALE

# Share of the crops of a step by kind, of the kinds at hand: the harder ones more.
KIND_SHARE = {"body": {"dance": 0.40, "conducting": 0.25, "real": 0.35},
              "music": {"dance": 0.30, "conducting": 0.55, "real": 0.15}}


def body_offset(meta):
    """Seconds from a written beat to the body's own beat: a conductor moves `lead` seconds ahead of the sound."""
    return -float(meta.get("lead", 0.0) or 0.0) if meta["kind"] == "conducting" else 0.0


def _pieces(part, corpus, indices):
    """Motions (body) or log-mels (music) with their beats."""
    for index in indices:
        names, meta = corpus.names(index), dict(corpus.meta(index))
        if "beats" not in names or ("motion_rot6d" if part == "body" else "audio") not in names:
            continue
        if part == "music":
            from models.rhythm.features import log_mel
            arrays = {"mel": log_mel(corpus.array(index, "audio"), AUDIO_RATE).astype(np.float16)}
        else:
            arrays = {name: corpus.array(index, name) for name in ("motion_rot6d", "motion_root")}
        meta["frames"] = len(next(iter(arrays.values())))
        yield meta, {**arrays, "beats": corpus.array(index, "beats").astype(np.float32)}


FEATURES = {part: Recipe(f"rhythm-{part}", functools.partial(_pieces, part)) for part in ("body", "music")}


class Clips:
    """All cached clips of a split: `meta(i)`, `arrays(i)` (dict) and `beats(i)` (B, 2) seconds on the part's own
    clock."""

    def __init__(self, part, cache, split=None):
        self.part, self.items = part, []
        for piece in FEATURES[part].open(cache, split):
            written = np.array(piece.array("beats"), dtype=np.float64)
            if part == "body":
                written[:, 0] += body_offset(piece.meta)
            arrays = {name: np.array(piece.array(name)) for name in piece.meta["arrays"] if name != "beats"}
            self.items.append((piece.meta, arrays, written))

    def __len__(self):
        return len(self.items)

    def meta(self, index):
        """The clip's meta dict."""
        return self.items[index][0]

    def arrays(self, index):
        """motion_rot6d and motion_root, or mel."""
        return self.items[index][1]

    def beats(self, index):
        """(B, 2): seconds, position."""
        return self.items[index][2]


def kind_of(meta):
    """dance, conducting or real (captured motion; its beats are estimates)."""
    return meta["kind"] if meta.get("source", "studio") == "studio" else "real"


class Crops:
    """Random-access batches of a split: `crops[step]` is a dict of tensors that depends on step and seed alone.

    body: rot6d (N, T, 24, 6), root (N, T, 3); music: mel (N, T, 80); both: curve (N, T, 5), weight (N,),
    downbeat_weight, recorded (N,).
    """

    def __init__(self, config, cache, split, seed=0):
        self.config, self.seed, self.split = config, seed, split
        self.clips = Clips(config.kind, cache, split)
        shares = np.zeros(len(self.clips))
        kinds = [kind_of(self.clips.meta(i)) for i in range(len(self.clips))]
        for kind, share in KIND_SHARE[config.kind].items():
            mine = np.array([k == kind for k in kinds])
            # Longer clips are drawn more often: every second of a kind counts the same.
            length = np.array([self.clips.meta(i)["frames"] for i in range(len(self.clips))]) * mine
            if mine.any():
                shares += share * length / length.sum()
        self.shares = shares / shares.sum()

    def __len__(self):
        total = sum(self.clips.meta(i)["frames"] for i in range(len(self.clips)))
        return max(1, total // (self.config.window * self.config.batch))

    def __getitem__(self, step):
        rng = np.random.default_rng([self.seed, 1 if self.split == "train" else 2, int(step)])
        chosen = rng.choice(len(self.clips), size=self.config.batch, p=self.shares)
        crops = [self._crop(int(index), rng) for index in chosen]
        return {key: torch.from_numpy(np.stack([crop[key] for crop in crops])) for key in crops[0]}

    def _crop(self, index, rng):
        meta, arrays, beats = self.clips.items[index]
        body, fps, window = self.config.kind == "body", self.config.fps, self.config.window
        train = self.split == "train"
        speed = float(np.exp(rng.uniform(-0.22, 0.22))) if train else 1.0       # source seconds per second of the crop
        depth = float(rng.uniform(0, 0.15)) if train and rng.random() < 0.6 else 0.0
        position = warp_curve(window, speed, depth, rng)
        span = min(meta["frames"], int(np.ceil(position[-1])) + 2)
        first = int(rng.integers(0, meta["frames"] - span + 1))
        source = {key: value[first:first + span].astype(np.float32) for key, value in arrays.items()}
        out = {key: stretch(value, position) for key, value in source.items()}
        if body:
            out["rot6d"] = out.pop("motion_rot6d") / ROTATION_SCALE
            out["root"] = out.pop("motion_root")
            if train and rng.random() < 0.5:
                out["rot6d"], out["root"] = mirrored_6d(out["rot6d"], out["root"])
        # Where each beat falls on the crop's own clock; the ends are carried on at the average speed.
        source_frame = beats[:, 0] * fps - first
        inner = np.interp(source_frame, position, np.arange(window))
        beyond = np.where(source_frame < 0, source_frame, np.maximum(source_frame - position[-1], 0)) / speed
        times = (inner + beyond) / fps
        curve = rhythm_curve(times, times[beats[:, 1] == 1], window, fps)
        valid = position <= span - 1                        # past the clip's end nothing is known
        out["curve"] = curve * valid[:, None].astype(np.float32)
        # Music made to a captured dance follows its estimated beats exactly; whether the body does is the doubt,
        # and its downbeats are guesses of guesses.
        real = body and kind_of(meta) == "real"
        trust = float(meta.get("beat_confidence", 1.0)) if real else 1.0
        out["weight"] = np.float32(trust)
        out["downbeat_weight"] = np.float32(0.0 if real else trust)
        out["recorded"] = np.bool_(False)           # recorded music is kept in flat corpora alone
        return {key: np.ascontiguousarray(value, dtype=np.float32) for key, value in out.items()}


FPS = {"body": BODY_FPS, "music": MUSIC_FPS}
