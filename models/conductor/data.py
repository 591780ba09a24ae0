"""Features of a corpus on disk, and the random-access batches of both stages.

Cache: one folder per shard with memory-mapped arrays, all items end to end: mel (3T, 128) float16, level (T, 2),
keypoints (T, 13, 2), vector (T, 99) float32, music-<hash> (T, 64) float16 once a stage 1 is known; items.json holds
metas and beats.
"""
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import torch

from core.contract.files import replacing
from core.errors import BadInput
from core.rhythm.beats import Beats
from models.conductor.beat_pattern import strokes
from models.conductor.config import FPS
from models.conductor.encoder import encode_music
from models.conductor.features import condition_frames, keypoints13, level_frames, mel_frames, mono, motion_vector
from models.training.shards import AUDIO_RATE, Corpus, unpack_audio, unpack_motion

MEL_PER_FRAME = 3


def prepare_features(corpus, cache, progress):
    """Mel, level, key points and motion vectors of every conducting item; shards already cached are skipped."""
    shards = sorted(Path(corpus).glob("*.safetensors"))
    if not shards:
        raise BadInput(f"No shard in {corpus}; make the conducting corpus first.")
    for number, path in enumerate(shards):
        target = Path(cache) / path.stem
        if not target.exists():
            _prepare_shard(path, target)
        progress((number + 1) / len(shards), path.name)


def _prepare_shard(path, target):
    corpus = Corpus(path.parent)
    arrays, items, first = {"mel": [], "level": [], "keypoints": [], "vector": []}, [], 0
    for index in (i for i, item in enumerate(corpus.items) if item[0] == path):
        meta = corpus.meta(index)
        if meta["kind"] != "conducting":
            continue
        sound = mono(unpack_audio(corpus.array(index, "audio")), AUDIO_RATE)
        motion = unpack_motion(corpus.array(index, "motion_rot6d"), corpus.array(index, "motion_root"))
        mel, level = mel_frames(sound), level_frames(sound)
        frames = min(len(motion), len(mel) // MEL_PER_FRAME, len(level))
        motion = motion.slice(0, frames)
        arrays["mel"].append(mel[:frames * MEL_PER_FRAME].astype(np.float16))
        arrays["level"].append(level[:frames])
        arrays["keypoints"].append(keypoints13(motion))
        arrays["vector"].append(motion_vector(motion, "smpl24"))
        items.append({"meta": meta, "first": first, "frames": frames, "beats": corpus.array(index, "beats").tolist(),
                      "pose": motion.to_vector().mean(0).tolist()})
        first += frames
    temporary = target.with_name(target.name + ".part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    if items:
        for name, pieces in arrays.items():
            np.save(temporary / f"{name}.npy", np.concatenate(pieces))
    (temporary / "items.json").write_text(json.dumps(items), encoding="utf-8")
    os.replace(temporary, target)


def state_hash(state):
    """Eight hex digits of a state dict: names the music features it makes."""
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(name.encode() + value.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:8]


def prepare_music(encoder, name, cache, progress):
    """music-<name>.npy of every cached shard by the frozen stage 1 music encoder; what exists is kept."""
    folders = [path.parent for path in sorted(Path(cache).glob("*/items.json"))]
    for number, folder in enumerate(folders):
        target = folder / f"music-{name}.npy"
        items = json.loads((folder / "items.json").read_text(encoding="utf-8"))
        if items and not target.exists():
            mel = np.load(folder / "mel.npy", mmap_mode="r")
            pieces = []
            for item in items:
                first = item["first"] * MEL_PER_FRAME
                piece = torch.from_numpy(mel[first:first + item["frames"] * MEL_PER_FRAME].astype(np.float32))
                pieces.append(encode_music(encoder, piece).numpy().astype(np.float16))
            with replacing(target) as temporary, open(temporary, "wb") as handle:
                np.save(handle, np.concatenate(pieces))
        progress((number + 1) / len(folders), f"music features {folder.name}")


class Clips:
    """The cached items of a split; `array(i, name, start, stop)` slices by motion frame."""

    def __init__(self, cache, split, minimum_frames=2):
        self.items, self.arrays, self.cache = [], {}, Path(cache)
        for path in sorted(Path(cache).glob("*/items.json")):
            for item in json.loads(path.read_text(encoding="utf-8")):
                if item["meta"]["split"] == split and item["frames"] >= minimum_frames:
                    self.items.append((path.parent, item))
        if not self.items:
            raise BadInput(f"The cache {cache} holds no {split} items of {minimum_frames / FPS:.1f} s; make a larger "
                           f"corpus.")

    def __len__(self):
        return len(self.items)

    def meta(self, index):
        """The item's meta dict."""
        return self.items[index][1]["meta"]

    def frames(self, index):
        """Motion frames of the item."""
        return self.items[index][1]["frames"]

    def pose(self, index):
        """Mean full-body vector (147,) of the item."""
        return np.asarray(self.items[index][1]["pose"], dtype=np.float32)

    def beats(self, index, lead=None):
        """`Beats` on the ictus clock: those that get a stroke, moved earlier by the item's lead (or by `lead`
        seconds)."""
        written, meta = np.asarray(self.items[index][1]["beats"]), self.meta(index)
        lead = float(meta.get("lead") or 0.0) if lead is None else lead
        music = Beats(written[:, 0] - lead, written[:, 1].astype(int), int(meta["metre"]))
        return strokes(music, meta.get("strokes"))

    def array(self, index, name, start=0, stop=None):
        """Rows start..stop (motion frames) of an array of the item."""
        folder, item = self.items[index]
        if (folder, name) not in self.arrays:
            self.arrays[folder, name] = np.load(folder / f"{name}.npy", mmap_mode="r")
        stop = item["frames"] if stop is None else stop
        rate = MEL_PER_FRAME if name == "mel" else 1
        return self.arrays[folder, name][(item["first"] + start) * rate:(item["first"] + stop) * rate]


class Pairs:
    """Stage 1 batches: two passages per item, so that matched and mismatched pairs come from one reading.

    Negatives: easy, another item; hard, the same item at least 10 s away (as far as it allows); super-hard, shifted by
    0.5-4.5 s (the published code forgets the floor of 0.5 s).
    """

    KINDS = ("easy", "hard", "super-hard")

    def __init__(self, config, cache, split, kind=None, seed=0):
        self.config, self.kind, self.seed = config, kind, seed
        self.length = int(config.clip_seconds * FPS)
        self.clips = Clips(cache, split, self.length + int(0.6 * FPS))

    def __getitem__(self, number):
        rng = np.random.default_rng([self.seed, number])
        rows = {"mel": [], "keypoints": [], "other_mel": [], "other_keypoints": []}
        for _ in range(self.config.batch):
            index = int(rng.integers(len(self.clips)))
            start, other, other_start = self._draw(rng, number, index)
            for prefix, (i, s) in (("", (index, start)), ("other_", (other, other_start))):
                rows[prefix + "mel"].append(np.asarray(self.clips.array(i, "mel", s, s + self.length),
                                                       dtype=np.float32))
                rows[prefix + "keypoints"].append(np.array(self.clips.array(i, "keypoints", s, s + self.length)))
        return {name: torch.from_numpy(np.stack(values)) for name, values in rows.items()}

    def _draw(self, rng, number, index):
        room = self.clips.frames(index) - self.length
        kind = self.kind or self.config.negatives
        if self.kind is None and number < self.config.easy_steps:
            kind = "easy"
        elif kind == "mixed":
            kind = str(rng.choice(self.KINDS))
        if kind == "easy" and len(self.clips) > 1:
            other = (index + 1 + int(rng.integers(len(self.clips) - 1))) % len(self.clips)
            return int(rng.integers(room + 1)), other, int(rng.integers(self.clips.frames(other) - self.length + 1))
        shift = min(room, 10 * FPS) if kind == "hard" else min(room, int(rng.uniform(0.5, 4.5) * FPS))
        start = int(rng.integers(room - shift + 1))
        pair = (start, start + shift) if kind != "hard" else (start, int(rng.integers(start + shift, room + 1)))
        return (pair[0], index, pair[1]) if rng.random() < 0.5 else (pair[1], index, pair[0])


class Windows:
    """Stage 2 batches: standardised motion, its condition and its mask, `config.window` frames each."""

    def __init__(self, config, cache, split, music, mean, std, seed=0, augment=True):
        self.config, self.music, self.augment, self.seed = config, music, augment, seed
        self.clips, self.mean, self.std = Clips(cache, split, config.window // 4), mean, std

    def __getitem__(self, number):
        rng = np.random.default_rng([self.seed, number])
        items = [self.item(rng, int(rng.integers(len(self.clips)))) for _ in range(self.config.batch)]
        return {name: torch.from_numpy(np.stack([item[name] for item in items])) for name in items[0]}

    def item(self, rng, index, start=None):
        """One window of an item (random start unless given): x0 (W, C), condition (W, K), mask (W,), mel where
        wanted."""
        c, clips = self.config, self.clips
        total, width = clips.frames(index), self.config.window
        start = int(rng.integers(max(0, total - width) + 1)) if start is None else start
        stop = min(total, start + width)
        name = "vector" if c.representation == "smpl24" else "keypoints"
        x0 = np.array(clips.array(index, name, start, stop), dtype=np.float32).reshape(stop - start, -1)
        x0 = np.pad((x0 - self.mean) / self.std, ((0, width - len(x0)), (0, 0)))
        beats, metre_known, slip = clips.beats(index), True, 0
        if self.augment:
            slip = int(rng.integers(-c.lead_shift, c.lead_shift + 1)) if c.rhythm else 0
            beats, metre_known = self._worsen(rng, beats)
        shifted = np.clip(np.arange(start, start + width) + slip, 0, total - 1)
        music = clips.array(index, self.music) if self.music else np.zeros((total, c.encoder.features), np.float32)
        music = np.asarray(music[shifted], dtype=np.float32)
        if self.augment and (c.music_dropout or c.music_gain):
            music = music * (rng.random() >= c.music_dropout) * np.float32(np.exp(rng.normal(0, c.music_gain)))
        condition = condition_frames(c, music, clips.array(index, "level")[shifted],
                                     beats.shifted(-start / FPS) if beats is not None else None, width,
                                     metre_known=metre_known)
        item = {"x0": x0.astype(np.float32), "condition": condition, "mask": np.arange(width) < stop - start}
        if c.encoder_trained == "scratch":
            mel = clips.array(index, "mel")
            item["mel"] = mel.reshape(total, -1)[shifted].reshape(width * MEL_PER_FRAME, -1).astype(np.float32)
        return item

    def _worsen(self, rng, beats):
        """Beats as a detector or a user may give them: missing, without bars, or a little off."""
        c = self.config
        if rng.random() < c.rhythm_dropout:
            return None, False
        if rng.random() < 0.5 and len(beats) > 1:
            limit = 0.3 * float(np.diff(beats.times).min())
            error = np.clip(rng.normal(0, c.beat_jitter, len(beats)), -limit, limit)
            beats = Beats(beats.times + error, beats.positions, beats.metre)
        return beats, rng.random() >= c.metre_dropout


def statistics(cache, representation):
    """mean, std (C,) over the train split and the mean full-body vector (147,) of the same items.

    A channel that hardly moves gets the std floor 0.003, so that standardising cannot blow up its noise.
    """
    clips = Clips(cache, "train")
    name = "vector" if representation == "smpl24" else "keypoints"
    total, squares, count, pose = 0.0, 0.0, 0, 0.0
    for index in range(len(clips)):
        values = np.asarray(clips.array(index, name), dtype=np.float64).reshape(clips.frames(index), -1)
        total, squares, count = total + values.sum(0), squares + (values**2).sum(0), count + len(values)
        pose = pose + clips.pose(index) * len(values)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return mean.astype(np.float32), np.maximum(std, 0.003).astype(np.float32), (pose / count).astype(np.float32)
