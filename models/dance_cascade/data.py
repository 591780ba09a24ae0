"""The whole corpus on the training's device, and batches cut there.

Every frame is stored once as its motion vector; because vectors know neither place nor facing, a crop is a gather of
rows.
"""

import numpy as np
import torch

from core.body.rotations import sixd_to_matrix
from core.errors import BadInput
from models.dance_cascade.config import BANDS, MEL_FPS, RATIO
from models.dance_cascade.features import (
    MEL_LEVELS,
    assemble,
    log_energy,
    pad_beats,
    rhythm_features,
    style_index,
    upsampled,
)
from models.motion.representation import encode, mirrored
from models.training.flat import Flat, flat_folders

ROTATION_SCALE = 32_767.0
SHORTEST_SECONDS = 3.0


def cubic_double(values):
    """(T, ...) at twice the rate, 2 T - 1 rows: Catmull-Rom between rows (studio motion is made at 30 fps)."""
    padded = torch.cat([2 * values[:1] - values[1:2], values, 2 * values[-1:] - values[-2:-1]])
    middle = (9 * (padded[1:-2] + padded[2:-1]) - padded[:-3] - padded[3:]) / 16
    out = values.new_empty((2 * len(values) - 1,) + values.shape[1:])
    out[0::2], out[1::2] = values, middle
    return out


class Material:
    """All items of a split as tensors on one device.

    fps: rate of the stored rows, 30 or 60; stride: frames between two frames of a crop. Attributes, I items, N rows:
    vectors (N, 152); low (N, 3) root velocities over a base frame (60 fps only); energy (N,) log; mel (M, 64) uint8;
    first, count, mel_first, mel_count, style, metre (I,), confidence (I,), captured (I,) bool; beat times, positions,
    counts.
    Items without mel have mel_count 0; recordings that are no dances are read at 60 fps only, where motion alone is
    learned.
    """

    def __init__(self, corpus, split, fps, stride, device="cpu", limit=None):
        self.fps, self.stride, self.device = fps, stride, torch.device(device)
        self.metas, parts = [], {"vectors": [], "low": [], "energy": [], "mel": []}
        table = {"first": [], "count": [], "mel_first": [], "mel_count": []}
        rows = mels = 0
        for flat, item in self._items(corpus, split, limit):
            vectors, low = self._encode(flat, item)
            mel = np.array(flat.rows(item, "mel")) if flat.has(item, "mel") else np.zeros((0, BANDS), np.uint8)
            parts["vectors"].append(vectors)
            parts["low"].append(low)
            parts["energy"].append(log_energy(vectors, self.fps))
            parts["mel"].append(torch.from_numpy(mel).to(self.device))
            for name, value in zip(table, (rows, len(vectors), mels if len(mel) else 0, len(mel))):
                table[name].append(value)
            rows, mels = rows + len(vectors), mels + len(mel)
            self.metas.append(item)
        if not self.metas:
            raise BadInput(f"{corpus} holds no {split} dances of {SHORTEST_SECONDS:g} s with motion.")
        for name, values in parts.items():
            setattr(self, name, torch.cat(values) if values[0] is not None else None)
        for name, values in table.items():
            setattr(self, name, torch.tensor(values, device=self.device))
        self._describe()
        self.music = None                                   # (M, E), set by `embed`
        self._weights = {}

    def _items(self, corpus, split, limit):
        found, folders = [], flat_folders(corpus)
        if not folders:
            raise BadInput(f"{corpus} holds no flat corpus (items.json); unpack one with models.lab.packs.flat.")
        for folder in folders:
            flat, kinds = Flat(folder, split=split), ("dance", "motion") if self.fps == 60 else ("dance",)
            found += [(flat, item) for item in flat.items
                      if flat.has(item, "rot6d", "root") and item["arrays"]["root"][1] >= SHORTEST_SECONDS * 30
                      and item.get("kind") in kinds]
        if limit and len(found) > limit:  # all captures, and studio pieces spread evenly up to the limit
            captured = [pair for pair in found if is_capture(pair[1])]
            studio = [pair for pair in found if not is_capture(pair[1])]
            keep = max(1, limit - len(captured))
            found = captured + [studio[i] for i in np.linspace(0, len(studio) - 1, min(keep, len(studio))).astype(int)]
        return found

    def _encode(self, flat, item):
        ending = "60" if self.fps == 60 and flat.has(item, "rot6d60", "root60") else ""
        sixd = torch.from_numpy(np.array(flat.rows(item, "rot6d" + ending))).to(self.device).float() / ROTATION_SCALE
        root = torch.from_numpy(np.array(flat.rows(item, "root" + ending))).to(self.device).float()
        sixd = sixd.unflatten(-1, (24, 6))
        if self.fps == 60 and not ending:
            sixd, root = cubic_double(sixd), cubic_double(root)
        rotations = sixd_to_matrix(sixd)
        low = encode(rotations, root, self.fps, RATIO)[:, :3] if self.fps == 60 else None
        return encode(rotations, root, self.fps, self.stride), low

    def _describe(self):
        put = lambda values, kind: torch.tensor(values, dtype=kind, device=self.device)      # noqa: E731
        names = [(item.get("style") or item.get("genre"), is_capture(item)) for item in self.metas]
        self.style = put([style_index(*name) for name in names], torch.long)
        self.metre = put([int(item.get("metre") or 4) for item in self.metas], torch.long)
        self.confidence = put([float(item.get("beat_confidence", 1.0)) for item in self.metas], torch.float32)
        self.captured = put([is_capture(item) for item in self.metas], torch.bool)
        beats = pad_beats([item.get("beats") or [] for item in self.metas])
        self.times, self.positions, self.beat_count = (tensor.to(self.device) for tensor in beats)

    def weights(self, capture_share, heard=False):
        """(I,) chances of the items: by length, captures together `capture_share` where both kinds are there.

        A style's chance grows with the root of its total length, so that rare ones are seen. heard: only items with
        mel.
        """
        length = self.count.float() * ((self.mel_count > 0).float() if heard else 1.0)
        group = self.style + 1 + 1000 * self.captured.long()
        total = torch.zeros(2000, device=self.device).index_add_(0, group, length)[group]
        length = length / total.clamp(min=1.0).sqrt()
        captured = self.captured.float()
        sums = (length * captured).sum(), (length * (1 - captured)).sum()
        if min(sums) == 0:
            return length / length.sum()
        return capture_share * length * captured / sums[0] + (1 - capture_share) * length * (1 - captured) / sums[1]

    def frame_weights(self, capture_share):
        """(N,) the same per row, for statistics."""
        chances = self.weights(capture_share) / self.count
        return chances.repeat_interleave(self.count, output_size=len(self.vectors))

    @torch.no_grad()
    def embed(self, encoder):
        """Music embedding of every mel row by a frozen `MusicEncoder`, float16."""
        encoder = encoder.to(self.device).eval()
        with torch.autocast(self.device.type, enabled=False):
            rows = [encoder(self.mel[None, start:start + count].float() / MEL_LEVELS)[0].half()
                    for start, count in zip(self.mel_first.tolist(), self.mel_count.tolist()) if count]
            self.music = torch.cat(rows)

    def draw(self, rows, frames, capture_share, generator, heard=False):
        """Random crops: item (B,), row index (B, frames) into `vectors` and which of them are real (B, frames)."""
        if (capture_share, heard) not in self._weights:
            self._weights[capture_share, heard] = self.weights(capture_share, heard)
        item = torch.multinomial(self._weights[capture_share, heard], rows, replacement=True, generator=generator)
        room = (self.count[item] - (frames - 1) * self.stride).clamp(min=self.stride)
        start = (torch.rand(rows, generator=generator, device=self.device) * room).long()
        return item, *self.rows(item, start, frames)

    def rows(self, item, start, frames):
        """Row index (B, frames) and mask of crops that begin `start` (B,) rows into their items."""
        place = start[:, None] + torch.arange(frames, device=self.device) * self.stride
        mask = place < self.count[item][:, None]
        return self.first[item][:, None] + torch.minimum(place, self.count[item][:, None] - 1), mask

    def seconds(self, item, index):
        """(B, T) instants in the piece of row indices (B, T)."""
        return (index - self.first[item][:, None]) / self.fps

    def mel_index(self, item, seconds, slip=0):
        """(B, T) rows of `mel` and `music` at these instants, `slip` (B, 1) rows later, held at the piece's ends."""
        place = torch.round(seconds * MEL_FPS).long() + slip
        place = torch.minimum(place, self.mel_count[item][:, None] - 1).clamp(min=0)
        return self.mel_first[item][:, None] + place


def is_capture(item):
    """Whether the item's motion was recorded from a person."""
    return item.get("source") != "studio"


class Crops:
    """Batches of a stage, made on the device."""

    def __init__(self, config, material, network, augment=True):
        self.config, self.material, self.augment = config, material, augment
        self.energy = network.energy.detach().cpu().tolist()

    def resident(self, device):
        """The material already lies on the device it was made for."""
        if self.material.device.type != torch.device(device).type:
            raise BadInput(f"The corpus lies on {self.material.device}, the training runs on {device}.")

    def batch(self, index, generator):
        """Batch number `index`, drawn from the generator: "x0" (B, T, 152) un-normalised, "mask" (B, T), "frames" (B,
        T, K), "style" (B,), "low" (B, T, 152) un-normalised with a base below, "mel" where the encoder is trained
        along."""
        c, m = self.config, self.material
        item, rows, mask = m.draw(c.batch, c.window, c.capture_share, generator)
        flip = torch.rand(c.batch, generator=generator, device=m.device) < 0.5 * self.augment
        x0 = self._flipped(m.vectors[rows], flip)
        condition, mel = self._condition(item, rows, generator)
        if c.low:
            condition["low"] = self._flipped(self._low(item, rows), flip)
        if mel is not None:
            condition["mel"] = mel
        return {"x0": x0, "mask": mask, **condition}

    def __getitem__(self, index):
        return self.batch(index, torch.Generator(device=self.material.device).manual_seed(index))

    @staticmethod
    def _flipped(vectors, flip):
        return torch.where(flip[:, None, None], mirrored(vectors), vectors)

    def _low(self, item, rows):
        """The true base of these crops, up-sampled: rows at every fourth frame, straight lines between, the last one
        held."""
        m, frames = self.material, rows.shape[1]
        knots = rows[:, ::RATIO]
        low = torch.cat([m.low[knots], m.vectors[knots][..., 3:]], dim=-1)
        return upsampled(low, frames)

    def _condition(self, item, rows, generator):
        c, m, rows_count = self.config, self.material, len(item)
        draw = lambda *shape: torch.rand(*shape, generator=generator, device=m.device)        # noqa: E731
        keep = lambda chance: draw(rows_count) >= chance * self.augment                       # noqa: E731
        seconds = m.seconds(item, rows)
        music = mel = None
        if c.music != "none":
            slip = ((draw(rows_count, 1) * 2 - 1) * c.music_slip * self.augment * (MEL_FPS / c.fps)).round().long()
            heard = keep(c.music_dropout) & (m.mel_count[item] > 0)
            if c.music == "scratch":
                mel = m.mel[self._mel_rows(item, seconds, slip)].float() / MEL_LEVELS * heard[:, None, None]
                music = seconds.new_zeros(*seconds.shape, c.music_size)
            else:
                music = m.music[m.mel_index(item, seconds, slip)].float() * heard[:, None, None]
        energy = (m.energy[rows] - self.energy[0]) / self.energy[1]
        told = keep(c.energy_dropout)[:, None].expand_as(energy).float()
        energy = torch.stack([energy * told, told], dim=-1)
        rhythm = self._rhythm(item, seconds, draw, keep) if c.rhythm else None
        style = torch.where(keep(c.style_dropout), m.style[item], -1)
        frames = assemble(c, music, rhythm, energy) if c.condition_size else seconds.new_zeros(*seconds.shape, 0)
        return {"frames": frames, "style": style}, mel

    def _mel_rows(self, item, seconds, slip):
        """Mel rows (B, M) at 30 Hz that cover the crop, for an encoder trained along."""
        frames = int(round(seconds.shape[1] * MEL_FPS / self.config.fps))
        time = seconds[:, :1] + torch.arange(frames, device=seconds.device) / MEL_FPS
        return self.material.mel_index(item, time, slip)

    def _rhythm(self, item, seconds, draw, keep):
        """Beats as a detector or a user gives them: some unknown, some a little off; unknown where they are
        doubtful."""
        c, m = self.config, self.material
        times = m.times[item]
        if self.augment:
            rough = (draw(len(item)) < 0.5)[:, None]
            spread = torch.erfinv((draw(*times.shape) * 2 - 1).clamp(-0.99, 0.99)) * 2**0.5 * c.beat_jitter
            common = torch.erfinv((draw(len(item), 1) * 2 - 1).clamp(-0.99, 0.99)) * 2**0.5 * c.beat_shift
            times = times + rough * (spread.clamp(-0.05, 0.05) + common)
        sure = (draw(len(item)) < m.confidence[item]) if self.augment else m.confidence[item] > 0.5
        known = keep(c.rhythm_dropout) & sure
        return rhythm_features(times, m.positions[item], m.beat_count[item], m.metre[item], seconds, known,
                               keep(c.bar_dropout))


class Clips:
    """Batches of the alignment stage: mel (B, M, 64) in 0..1 and motion vectors (B, T, 152) at `motion_fps` of the
    same clips."""

    def __init__(self, config, material):
        self.config, self.material = config, material
        self.frames = int(config.clip_seconds * config.motion_fps)

    def resident(self, device):
        """As `Crops.resident`."""
        Crops.resident(self, device)

    def batch(self, index, generator):
        """Half of the clips from random pieces, the other half other passages of the same pieces where `hard`."""
        c, m = self.config, self.material
        pieces = c.batch // 2 if c.hard else c.batch
        item, rows, mask = m.draw(pieces, self.frames, 0.5, generator, heard=True)
        if c.hard:
            start = (torch.rand(pieces, generator=generator, device=m.device)
                     * (m.count[item] - (self.frames - 1) * m.stride).clamp(min=m.stride)).long()
            more, _ = m.rows(item, start, self.frames)
            item, rows = torch.cat([item, item]), torch.cat([rows, more])
        mels = self.frames * (MEL_FPS // c.motion_fps)
        time = m.seconds(item, rows)[:, :1] + torch.arange(mels, device=m.device) / MEL_FPS
        vectors = m.vectors[rows]
        flip = torch.rand(len(item), generator=generator, device=m.device) < 0.5
        return {"mel": m.mel[m.mel_index(item, time)].float() / MEL_LEVELS, "vectors": Crops._flipped(vectors, flip)}

    def __getitem__(self, index):
        return self.batch(index, torch.Generator(device=self.material.device).manual_seed(index))
