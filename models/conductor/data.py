"""Features of a corpus on disk, and the random-access batches of both stages.

A piece in the cache holds mel (3T, 128) float16, level (T, 2), keypoints (T, 13, 2), vector (T, 99) float32 and, once a
stage 1 is known, music-<digest> (T, 64) float16; its meta holds the shard's, its beats and its mean pose. A piece of
ConductorMotion100 has mel and key points alone: no body (vector, pose), and nothing is known of its level and beats.
"""
import numpy as np
import torch

from core.errors import BadInput
from core.rhythm.beats import Beats
from models.conductor.beat_pattern import strokes
from models.conductor.config import FPS
from models.conductor.encoder import encode_music
from models.conductor.features import condition_frames, keypoints13, level_frames, mel_frames, mono, motion_vector
from models.conductor.lift import lifted
from models.training.cache import QUIET, Recipe, digest
from models.training.shards import AUDIO_RATE, unpack_audio, unpack_motion

MEL_PER_FRAME = 3


def _pieces(corpus, indices):
    """Mel, level, key points and motion vectors of every conducting item."""
    for index in indices:
        meta = corpus.meta(index)
        if meta["kind"] != "conducting":
            continue
        if "keypoints13" in corpus.names(index):
            yield _published(corpus, index, meta)
            continue
        sound = mono(unpack_audio(corpus.array(index, "audio")), AUDIO_RATE)
        motion = unpack_motion(corpus.array(index, "motion_rot6d"), corpus.array(index, "motion_root"))
        mel, level = mel_frames(sound), level_frames(sound)
        frames = min(len(motion), len(mel) // MEL_PER_FRAME, len(level))
        motion = motion.slice(0, frames)
        yield ({**meta, "beats": corpus.array(index, "beats").tolist(), "pose": motion.to_vector().mean(0).tolist()},
               {"mel": mel[:frames * MEL_PER_FRAME].astype(np.float16), "level": level[:frames],
                "keypoints": keypoints13(motion), "vector": motion_vector(motion, "smpl24")})


def _published(corpus, index, meta):
    """A piece of ConductorMotion100, whose features are what was published."""
    mel, points = corpus.array(index, "mel"), corpus.array(index, "keypoints13")
    frames = min(len(points), len(mel) // MEL_PER_FRAME)
    return ({**meta, "beats": []},
            {"mel": mel[:frames * MEL_PER_FRAME].astype(np.float16), "level": np.zeros((frames, 2), np.float32),
             "keypoints": points[:frames].astype(np.float32)})


FEATURES = Recipe("conductor", _pieces)


def state_hash(state):
    """Ten hex digits of a state dict: names the music features it makes."""
    return digest(*(name.encode() + value.detach().cpu().float().numpy().tobytes()
                    for name, value in sorted(state.items())))


def prepare_music(encoder, name, cache, progress=QUIET):
    """music-<name> of every piece by the frozen stage 1 music encoder, where that lies; what exists is kept."""
    device = next(encoder.parameters()).device

    def hear(piece):
        mel = torch.from_numpy(piece.array("mel").astype(np.float32)).to(device)
        return encode_music(encoder, mel).half().cpu().numpy()
    FEATURES.derive(cache, f"music-{name}", hear, progress)


class Clips:
    """The cached items of a split; `array(i, name, start, stop)` slices by motion frame."""

    def __init__(self, cache, split, minimum_frames=2, needs="keypoints"):
        """needs: the array that every item must have, at least so many frames of it."""
        try:
            self.items = FEATURES.open(cache, split, lambda piece: piece.count(needs) >= minimum_frames)
        except BadInput as error:
            if needs != "vector":
                raise
            raise BadInput(f"{error} A corpus of key points (ConductorMotion100) has no bodies: train on it with "
                           "--config paper, or with --set representation=keypoints13.") from error

    def __len__(self):
        return len(self.items)

    def meta(self, index):
        """The item's meta dict."""
        return self.items[index].meta

    def frames(self, index):
        """Motion frames of the item."""
        return self.items[index].count("keypoints")

    def pose(self, index):
        """Mean full-body vector (147,) of the item; of key points that of the body they are lifted onto."""
        pose = self.meta(index).get("pose")
        if pose is None:
            mean = self.array(index, "keypoints").mean(0, keepdims=True)
            return lifted(mean, smooth=False).to_vector()[0]
        return np.asarray(pose, dtype=np.float32)

    def beats(self, index, lead=None):
        """`Beats` on the ictus clock: those that get a stroke, moved earlier by the item's lead (or by `lead`
        seconds); None where the item has none."""
        meta = self.meta(index)
        written = np.asarray(meta["beats"])
        if not len(written):
            return None
        lead = float(meta.get("lead") or 0.0) if lead is None else lead
        music = Beats(written[:, 0] - lead, written[:, 1].astype(int), int(meta["metre"]))
        return strokes(music, meta.get("strokes"))

    def array(self, index, name, start=0, stop=None):
        """Rows start..stop (motion frames) of an array of the item."""
        rate = MEL_PER_FRAME if name == "mel" else 1
        return self.items[index].array(name, start * rate, None if stop is None else stop * rate)


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
        self.clips = Clips(cache, split, config.window // 4, array_of(config.representation))
        self.mean, self.std = mean, std

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
        name = array_of(c.representation)
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
        if beats is None or rng.random() < c.rhythm_dropout:
            return None, False
        if rng.random() < 0.5 and len(beats) > 1:
            limit = 0.3 * float(np.diff(beats.times).min())
            error = np.clip(rng.normal(0, c.beat_jitter, len(beats)), -limit, limit)
            beats = Beats(beats.times + error, beats.positions, beats.metre)
        return beats, rng.random() >= c.metre_dropout


def array_of(representation):
    """The array of a piece that a representation is made of."""
    return "vector" if representation == "smpl24" else "keypoints"


def statistics(cache, representation):
    """mean, std (C,) over the train split and the mean full-body vector (147,) of the same items.

    A channel that hardly moves gets the std floor 0.003, so that standardising cannot blow up its noise.
    """
    name = array_of(representation)
    clips = Clips(cache, "train", needs=name)
    total, squares, count, pose = 0.0, 0.0, 0, 0.0
    for index in range(len(clips)):
        values = np.asarray(clips.array(index, name), dtype=np.float64).reshape(clips.frames(index), -1)
        total, squares, count = total + values.sum(0), squares + (values**2).sum(0), count + len(values)
        pose = pose + clips.pose(index) * len(values)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return mean.astype(np.float32), np.maximum(std, 0.003).astype(np.float32), (pose / count).astype(np.float32)
