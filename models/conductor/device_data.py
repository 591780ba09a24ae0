"""Batches of both stages made on the training's device from the performed flat corpus (`performed`), without a Python
loop.

`resident(device)` copies the arrays there once; `batch(index, generator)` draws and cuts there.
"""
from pathlib import Path

import numpy as np
import torch

from core.errors import BadInput
from models.conductor.config import FPS
from models.conductor.focus import unpacked
from models.conductor.performed import JITTERS, Rows
from models.training.flat import Flat, flat_folders

KINDS = ("easy", "hard", "super-hard")
APART_S, SHIFT_S = 10.0, (0.5, 4.5)         # hard and super-hard negatives
FOCUS_SLIP, FOCUS_SURE = 5, 0.5             # frames; least share of its weight with which who plays is told
SILENT_SHARE = 0.25                         # of the denoiser's windows, where there are plans without sound


class _Resident:
    """Rows of a split on a device: `first` (motion), `music`, `level` and `frames` of each row as tensors."""

    names = ()

    def __init__(self, corpus, cache, split, least, heard=False):
        self.data, self.device = Rows(corpus, cache, split, least, heard), None

    def resident(self, device):
        """Copy what batches need to `device`."""
        self.device = device
        for name in ("first", "music", "level", "frames", "piece"):
            setattr(self, f"row_{name}", torch.from_numpy(self.data.column(name)).to(device))
        for name in self.names:
            setattr(self, name, torch.from_numpy(np.array(self.data.array(name))).to(device))

    def _uniform(self, generator, *shape):
        return torch.rand(shape, generator=generator, device=self.device)

    def _integers(self, generator, count, high):
        """(count,) in 0 .. high - 1; high a number or (count,)."""
        return (self._uniform(generator, count) * high).long().clamp(min=0)


class DevicePairs(_Resident):
    """Stage 1: two passages per item (see `data.Pairs`), any conductor of the piece; the sound varied as recordings
    vary."""

    names = ("points", "mel")

    def __init__(self, config, corpus, cache, split, kind=None, augment=True):
        self.config, self.kind, self.augment = config, kind, augment
        self.length = int(config.clip_seconds * FPS)
        super().__init__(corpus, cache, split, self.length + int(0.6 * FPS), heard=True)

    def batch(self, index, generator):
        """mel, other_mel (B, L, bands) in 0..1; keypoints, other_keypoints (B, L, 13, 2)."""
        count, length = self.config.batch, self.length
        row = self._integers(generator, count, len(self.row_first))
        kind = self._kinds(index, count, generator)
        room = self.row_frames[row] - length
        stranger = (row + 1 + self._integers(generator, count, len(self.row_first) - 1)) % len(self.row_first)
        easy = (kind == 0) & (self.row_piece[stranger] != self.row_piece[row])
        shift = (SHIFT_S[0] + (SHIFT_S[1] - SHIFT_S[0]) * self._uniform(generator, count)) * FPS
        far = APART_S * FPS + self._uniform(generator, count) * (room - APART_S * FPS).clamp(min=0)
        shift = torch.where(kind == 1, far, shift).long()
        shift = torch.minimum(shift, room)
        start = self._integers(generator, count, room - shift + 1)
        other, other_start = row, start + shift
        swap = self._uniform(generator, count) < 0.5
        start, other_start = torch.where(swap, other_start, start), torch.where(swap, start, other_start)
        other = torch.where(easy, stranger, row)
        other_start = torch.where(easy, self._integers(generator, count, self.row_frames[stranger] - length + 1),
                                  other_start)
        out = {}
        for prefix, (r, s) in (("", (row, start)), ("other_", (other, other_start))):
            frames = s[:, None] + torch.arange(length, device=self.device)
            out[prefix + "mel"] = self._varied(self.mel[self.row_music[r, None] + frames].float() / 255, generator)
            points = self.points[self.row_first[r, None] + frames].unflatten(-1, (13, 2))
            if self.augment:                                  # other cameras and bodies: scale, and a little noise
                size = 1 + 0.06 * (2 * self._uniform(generator, count, 1, 1, 2) - 1)
                points = (points - 0.5) * size + 0.5
            out[prefix + "keypoints"] = points
        return out

    def _kinds(self, index, count, generator):
        kind = self.kind or self.config.negatives
        if self.kind is None and index < self.config.easy_steps:
            kind = "easy"
        if kind == "mixed":
            return self._integers(generator, count, 3)
        return torch.full((count,), KINDS.index(kind), device=self.device)

    def _varied(self, mel, generator):
        """Gain, tilt, noise floor and a masked band: (B, L, bands) in 0..1 again."""
        if not self.augment:
            return mel
        count, bands = len(mel), mel.shape[2]
        return varied(mel, *(self._uniform(generator, count, 1, 1) for _ in range(4)),
                      torch.arange(bands, device=self.device) / bands, self._uniform(generator, count, 1, 1))


def varied(mel, gain, tilt, floor, chance, place, mask):
    """Mel in 0..1 (80 dB) as other rooms, players and recordings have it; each draw (B, 1, 1) in 0..1, place
    (bands,)."""
    mel = mel + 0.10 * (gain - 0.5) + 0.20 * (tilt - 0.5) * (place - 0.5)
    mel = torch.where(chance < 0.6, torch.maximum(mel, 0.45 * floor), mel)                     # noise under the music
    hidden = (place > mask) & (place < mask + 0.12) & (chance > 0.7)
    return torch.where(hidden, mel.mean((1, 2), keepdim=True), mel).clamp(0, 1)


class DevicePlayers:
    """Crops for `players`: mel, side, and who plays on the sound's own clock.

    Of flat corpora joined by commas: pieces with a plan, whose players follow from it (`performed`, in `cache`), and
    pieces that say themselves who plays (`models.lab.rhythm.panned`).
    """

    def __init__(self, config, corpus, cache, split, augment=True):
        self.config, self.augment, self.device = config, augment, None
        pieces = list(_plans(flat_folders(corpus)[0], cache, split)) if (Path(cache) / "rows.json").exists() else []
        for folder in flat_folders(corpus):
            flat = Flat(folder, split=split)
            pieces += [tuple(np.array(flat.rows(item, name)) for name in ("mel", "side")) + (
                unpacked(np.array(flat.rows(item, "players"))),) for item in flat.items
                if flat.has(item, "mel", "side", "players")]
        if not pieces:
            raise BadInput(f"{corpus} has no {split} music that tells from which side it comes; make it again with "
                           "models.lab.studio.conducted_flat.")
        self.pieces = [[array[:min(map(len, piece))] for array in piece] for piece in pieces]

    def resident(self, device):
        """Copy all pieces to `device`."""
        self.device = torch.device(device)
        self.mel, self.side, self.players = (torch.from_numpy(np.concatenate(parts)).to(device)
                                             for parts in zip(*self.pieces))
        self.frames = torch.tensor([len(piece[0]) for piece in self.pieces], device=device)
        self.first = torch.cumsum(self.frames, 0) - self.frames

    def batch(self, index, generator):
        """mel (B, W, 64), side (B, W, 16), target (B, W, 2), mask (B, W)."""
        c, count, device = self.config, self.config.batch, self.device
        draw = torch.rand((10, count, 1), generator=generator, device=device)
        row = (draw[0, :, 0] * len(self.frames)).long()
        total = self.frames[row][:, None]
        start = (draw[1] * ((total - c.window).clamp(min=0) + 1)).long()
        frames = start + torch.arange(c.window, device=device)
        mask, at = frames < total, self.first[row][:, None] + torch.minimum(frames, total - 1)
        mel, side, target = self.mel[at].float() / 255, self.side[at].float() / 127.5 - 1, self.players[at]
        if self.augment:
            draw = draw[2:, :, :, None]
            mel = varied(mel, *draw[:4], torch.arange(c.bands, device=device) / c.bands, draw[4])
            sided = draw[7] >= c.mono
            flip = torch.where((draw[5] < c.swapped) & sided, -1.0, 1.0)
            # A recording is narrower than a mix, or has no sides at all.
            side = side * flip * (0.3 + 0.8 * draw[6]) * sided
            target = torch.cat([target[..., :1] * flip, target[..., 1:]], -1)
        return {"mel": mel, "side": side, "target": target, "mask": mask}


def _plans(corpus, cache, split):
    """(mel, side, players) of every performed piece with sides, each once."""
    data = Rows(corpus, cache, split, 2)
    pieces = {row["piece"]: row for row in data.rows if row["music"] >= 0 and row["side"] >= 0}
    if not pieces:
        return
    arrays = [(data.array(name), first) for name, first in (("mel", "music"), ("side", "side"), ("players", "first"))]
    for row in pieces.values():
        mel, side, players = (np.array(array[row[first]:row[first] + row["frames"]]) for array, first in arrays)
        yield mel, side, players[:, :2].astype(np.float32)


class DeviceWindows(_Resident):
    """Stage 2: standardised motion, condition and mask of `config.window` frames.

    features: (V, M, C) of the frozen encoder for every mel frame of the corpus, V versions of the sound.
    """

    names = ("vector", "rhythm", "level", "focus")

    def __init__(self, config, corpus, cache, split, features, mean, std, augment=True):
        super().__init__(corpus, cache, split, config.window // 4)
        self.config, self.augment, self.features = config, augment, features
        self.statistics = mean, std

    def resident(self, device):
        """Copy what batches need to `device`."""
        super().resident(device)
        self.features = self.features.to(device)
        self.sounding, self.silent = (torch.nonzero(test)[:, 0] for test in (self.row_music >= 0, self.row_music < 0))
        self.mean, self.std = (torch.as_tensor(value, device=device) for value in self.statistics)

    def batch(self, index, generator):
        """x0 (B, W, C), condition (B, W, K), mask (B, W)."""
        c, count, width = self.config, self.config.batch, self.config.window
        row = self.sounding[self._integers(generator, count, len(self.sounding))]
        if self.augment and len(self.silent):
            other = self.silent[self._integers(generator, count, len(self.silent))]
            row = torch.where(self._uniform(generator, count) < SILENT_SHARE, other, row)
        total = self.row_frames[row][:, None]
        start = self._integers(generator, count, (total[:, 0] - width).clamp(min=0) + 1)[:, None]
        frames = start + torch.arange(width, device=self.device)
        mask, inside = frames < total, torch.minimum(frames, total - 1)
        index = self.row_first[row, None] + inside
        x0 = (self.vector[index] - self.mean) / self.std * mask[..., None]
        slip = self._integers(generator, count, 2 * c.lead_shift + 1)[:, None] - c.lead_shift if self.augment else 0
        heard = torch.minimum((inside + slip).clamp(min=0), total - 1)
        version = self._integers(generator, count, len(self.features) if self.augment else 1)[:, None]
        sounding = self.row_music[row, None] >= 0  # of silent pieces only plan and level are known
        music = self.features[version, self.row_music[row, None].clamp(min=0) + heard].float() * sounding[..., None]
        if self.augment:
            kept = self._uniform(generator, count, 1, 1) >= c.music_dropout
            gain = torch.randn(count, 1, 1, generator=generator, device=self.device) * c.music_gain
            music = music * kept * gain.exp()
        known = [music]
        if c.level:
            known.append(self.level[self.row_level[row, None] + heard].float() / 255)
        if c.rhythm:
            known.append(self._rhythm(index, count, generator))
        if c.focus:
            known.append(self._focus(row, inside, total, count, generator))
        return {"x0": x0, "condition": torch.cat(known, -1) * mask[..., None], "mask": mask}

    def _focus(self, row, inside, total, count, generator):
        """Who plays (B, W, 3) as a listener may tell it: early or late, less sure, or not at all."""
        if not self.augment:
            return self.focus[self.row_first[row, None] + inside].float()
        slip = self._integers(generator, count, 2 * FOCUS_SLIP + 1)[:, None] - FOCUS_SLIP
        at = torch.minimum((inside + slip).clamp(min=0), total - 1)
        sure = FOCUS_SURE + (1 - FOCUS_SURE) * self._uniform(generator, count, 1, 1)
        known = (self._uniform(generator, count, 1, 1) >= self.config.focus_dropout).float()
        focus = self.focus[self.row_first[row, None] + at].float() * known
        return torch.cat([focus[..., :2] * sure, focus[..., 2:]], -1)

    def _rhythm(self, index, count, generator):
        """Rhythm features (B, W, 9 + metres) as a detector or a user may give them: off a little, without bars,
        missing."""
        if not self.augment:
            return self.rhythm[0][index].float()
        exact = self._uniform(generator, count) < 0.5
        version = torch.where(exact, 0, 1 + self._integers(generator, count, JITTERS - 1))
        rhythm = self.rhythm[version[:, None], index].float()
        nothing = self._uniform(generator, count, 1) < self.config.rhythm_dropout
        barless = nothing | (self._uniform(generator, count, 1) < self.config.metre_dropout)
        columns = torch.arange(rhythm.shape[-1], device=self.device)
        beat_only = (columns == 0) | (columns == 2) | (columns == 3) | (columns == 4)        # beat, its phase, known
        keep = torch.where(nothing, torch.zeros_like(beat_only),
                           torch.where(barless, beat_only, torch.ones_like(beat_only)))
        rhythm = rhythm * keep[:, None]
        rhythm[..., -1] = torch.where(barless, 1.0, rhythm[..., -1])
        return rhythm
