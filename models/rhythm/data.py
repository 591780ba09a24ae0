"""Clips for the beat networks: features of a corpus cached on disk once, and random crops of them with their beats."""
import json
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from core.contract.files import replacing
from core.errors import BadInput
from core.rhythm.beats import rhythm_curve
from models.rhythm.augment import mirrored_6d, stretch, warp_curve
from models.rhythm.config import BODY_FPS, MUSIC_FPS
from models.training.shards import AUDIO_RATE, ROTATION_SCALE, Corpus

# Share of the crops of a step by kind, of the kinds at hand: the harder ones more.
KIND_SHARE = {"body": {"dance": 0.40, "conducting": 0.25, "real": 0.35},
              "music": {"dance": 0.30, "conducting": 0.55, "real": 0.15}}


def corpus_folders(corpus):
    """The folder itself if it holds shards, and its direct subfolders that do."""
    corpus = Path(corpus)
    found = [folder for folder in [corpus, *sorted(p for p in corpus.glob("*") if p.is_dir())]
             if any(folder.glob("*.safetensors"))]
    if not found:
        raise BadInput(f"No shard in {corpus} or its folders; make the corpus first.")
    return found


def body_offset(meta):
    """Seconds from a written beat to the body's own beat: a conductor moves `lead` seconds ahead of the sound."""
    return -float(meta.get("lead", 0.0) or 0.0) if meta["kind"] == "conducting" else 0.0


def prepare(part, corpus, cache, progress=lambda fraction, text: None):
    """Write one cache file a shard: motions (body) or log-mels (music) end to end, with beats; existing files are
    kept."""
    cache_shards(part, lambda shard, target: _cache_shard(part, shard, target), corpus, cache, progress)


def cache_shards(part, write, corpus, cache, progress):
    """`write(shard, target)` for every shard that has no file of this part in the cache yet."""
    cache = Path(cache)
    cache.mkdir(parents=True, exist_ok=True)
    shards = [path for folder in corpus_folders(corpus) for path in sorted(folder.glob("*.safetensors"))]
    for number, shard in enumerate(shards):
        target = cache / f"{part}_{shard.parent.name}_{shard.name}"
        if not target.exists():
            write(shard, target)
        progress((number + 1) / len(shards), shard.name)


def _cache_shard(part, shard, target):
    corpus = Corpus(shard.parent)
    indices = [index for index, item in enumerate(corpus.items) if item[0] == shard]
    metas, arrays = [], {"beats": []}
    keys = ("motion_rot6d", "motion_root") if part == "body" else ("mel",)
    arrays.update({key: [] for key in keys})
    for index in indices:
        names, meta = corpus.names(index), dict(corpus.meta(index))
        if "beats" not in names or (part == "body" and "motion_rot6d" not in names):
            continue
        if part == "music":
            if "audio" not in names:
                continue
            from models.rhythm.features import log_mel
            arrays["mel"].append(log_mel(corpus.array(index, "audio"), AUDIO_RATE).astype(np.float16))
        else:
            for key in keys:
                arrays[key].append(corpus.array(index, key))
        arrays["beats"].append(corpus.array(index, "beats").astype(np.float32))
        meta["frames"], meta["beat_count"] = len(arrays[keys[0]][-1]), len(arrays["beats"][-1])
        metas.append(meta)
    if not metas:
        return
    with replacing(target) as temporary:       # safetensors writes memory as it lies: C order is needed
        save_file({key: np.ascontiguousarray(np.concatenate(value)) for key, value in arrays.items()}, str(temporary),
                  metadata={"items": json.dumps(metas)})


class Clips:
    """All cached clips of a split: `meta(i)`, `arrays(i)` (dict) and `beats(i)` (B, 2) seconds on the part's own
    clock."""

    def __init__(self, part, cache, split=None):
        self.part, self.items = part, []
        for path in sorted(Path(cache).glob(f"{part}_*.safetensors")):
            with safe_open(str(path), framework="np") as handle:
                metas = json.loads(handle.metadata()["items"])
                stored = {key: handle.get_tensor(key) for key in handle.keys()}
            frame = beat = 0
            for meta in metas:
                frames, beats = slice(frame, frame + meta["frames"]), slice(beat, beat + meta["beat_count"])
                frame, beat = frames.stop, beats.stop
                if split is None or meta["split"] == split:
                    written = stored["beats"][beats].astype(np.float64).copy()
                    if part == "body":
                        written[:, 0] += body_offset(meta)
                    arrays = {key: value[frames] for key, value in stored.items() if key != "beats"}
                    self.items.append((meta, arrays, written))
        if not self.items:
            raise BadInput(f"The cache {cache} holds no {part} clips of split {split}; run prepare first.")

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
    downbeat_weight (N,).
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
        return {key: np.ascontiguousarray(value, dtype=np.float32) for key, value in out.items()}


FPS = {"body": BODY_FPS, "music": MUSIC_FPS}
