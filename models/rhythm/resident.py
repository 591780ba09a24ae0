"""Random crops of flat corpora, made on the device that holds them: index arithmetic, no loop over rows.

A corpus is a flat folder (`models.training.flat`), a folder of them, or several joined by commas. Music needs the array
`logmel` (and `chroma` for bars) of `models.lab.rhythm.corpus`, bodies `rot6d` and `root`.
"""

import numpy as np
import torch

from core.contract import COMPOUND
from core.errors import BadInput
from core.rhythm.beats import BUMP_SECONDS
from models.rhythm.augment import mirror_sign_6d
from models.rhythm.config import (
    BODY_FPS,
    CHROMA_STEPS,
    COPIES,
    JITTER,
    LOGMEL_LOWEST,
    LOGMEL_STEP,
    MUSIC_FPS,
)
from models.rhythm.data import body_offset, kind_of
from models.training.flat import Flat, flat_folders
from models.training.shards import ROTATION_SCALE

# Share of the crops of a batch by kind, of the kinds at hand. Recorded music, where there is some, is three tenths.
SHARES = {"body": {"dance": 0.30, "conducting": 0.30, "real": 0.40},
          "music": {"score": 0.20, "lied": 0.14, "mutopia": 0.12, "odd": 0.08, "groove": 0.14, "form": 0.12,
                    "dance": 0.06, "conducting": 0.14, "recorded": 0.45}}
ARRAYS = {"body": ("rot6d", "root"), "music": ("logmel",)}
FPS = {"body": BODY_FPS, "music": MUSIC_FPS}
SHORTEST = 6.0                  # seconds of a piece


def pieces_of(corpus, split, names):
    """[(Flat, meta)] of all pieces of a split that have the arrays `names` and at least four beats."""
    found = []
    for folder in flat_folders(corpus):
        flat = Flat(folder, split=split)
        found += [(flat, item) for item in flat.items if flat.has(item, *names) and len(item.get("beats") or ()) >= 4]
    return found


def kind_in(item):
    """The kind by which a piece is weighted: dance, conducting, real (captures), score, groove, form or recorded."""
    return item["kind"] if item.get("source") in ("render", "recorded") else kind_of(item)


def logmel_steps(flat, item):
    """(T, 80) uint8 log-mel of a piece in steps of `LOGMEL_STEP`; of a folder whose scales name `levels` (see
    `models.lab.packs.coarse`) the nearest of them."""
    rows, levels = np.asarray(flat.rows(item, "logmel")), levels_of(flat)
    return rows if levels is None else levels[rows]


def logmel_of(flat, item):
    """(T, 80) float32 log-mel of a piece, natural log, as `models.rhythm.features.log_mel` but for the rounding."""
    return logmel_steps(flat, item).astype(np.float32) * LOGMEL_STEP + LOGMEL_LOWEST


def levels_of(flat):
    """(L,) uint8 steps that a folder's log-mel knows, rising, or None where it knows all."""
    known = flat.scales.get("logmel", {}).get("levels")
    return None if known is None else np.asarray(known, np.uint8)


def rounding(levels):
    """(256,) float32 steps that became one where only `levels` are kept, by what they became; 1 where all are."""
    if levels is None:
        return np.ones(256, np.float32)
    edges = np.concatenate([levels[:1] - 0.5, (levels[1:] + levels[:-1].astype(np.float32)) / 2, levels[-1:] + 0.5])
    out = np.ones(256, np.float32)
    out[levels] = np.diff(edges)
    return out


class FlatCrops:
    """Batches of a part: `rot6d` (N, T, 24, 6) and `root` (N, T, 3), or `mel` (N, T, 80); `curve` (N, T, 5) of
    `core.rhythm.beats.rhythm_curve`, `weight`, `downbeat_weight` and `recorded` (N,)."""

    def __init__(self, config, corpus, split):
        self.config, self.split, self.fps, self.device = config, split, config.fps, None
        wanted = config.kinds.split(",") if config.kinds and split == "train" else None
        self.pieces = [(flat, item) for flat, item in pieces_of(corpus, split, ARRAYS[config.kind])
                       if item["duration"] >= SHORTEST and (wanted is None or kind_in(item) in wanted)]
        if not self.pieces:
            raise BadInput(f"No {split} piece of {corpus} has {', '.join(ARRAYS[config.kind])} and beats.")

    def resident(self, device):
        """Copy the pieces to the device, and where each of their frames stands between its beats."""
        if self.device == torch.device(device):
            return
        self.device = torch.device(device)
        stored = {name: [] for name in ARRAYS[self.config.kind]}
        turns, downs, counts, kinds, trust, down_trust = [], [], [], [], [], []
        for flat, item in self.pieces:
            rows = {name: logmel_steps(flat, item) if name == "logmel" else np.asarray(flat.rows(item, name))
                    for name in stored}
            count = min(len(array) for array in rows.values())
            for name, array in rows.items():
                stored[name].append(array[:count])
            turn, down = self._clock(item, count)
            turns.append(turn)
            downs.append(down)
            counts.append(count)
            kinds.append(kind_in(item))
            real = kinds[-1] == "real"
            known = any(position > 0 for _, position in item["beats"])
            trust.append(float(item.get("beat_confidence", 1.0)))
            down_trust.append(0.0 if real or not known else trust[-1])
        self.arrays = {name: torch.from_numpy(np.concatenate(parts)).to(device) for name, parts in stored.items()}
        self.turn = torch.from_numpy(np.concatenate(turns)).to(device)
        self.down = torch.from_numpy(np.concatenate(downs)).to(device)
        self.counts = torch.tensor(counts, device=device)
        self.first = torch.cumsum(self.counts, 0) - self.counts
        self.recorded = torch.tensor([kind == "recorded" for kind in kinds], device=device)
        self.trust, self.down_trust = torch.tensor(trust, device=device), torch.tensor(down_trust, device=device)
        shares = np.zeros(len(kinds))
        for kind, share in SHARES[self.config.kind].items():
            length = np.array(counts) * np.array([each == kind for each in kinds])
            if length.any():
                shares += share * length / length.sum()
        self.chance = torch.from_numpy(np.cumsum(shares / shares.sum())).float().to(device)
        self.kinds = kinds
        coarse = [levels_of(flat) for flat, _ in self.pieces]
        self.rounded = None
        if self.config.kind == "music" and any(levels is not None for levels in coarse):
            tables = {None if levels is None else levels.tobytes(): rounding(levels) for levels in coarse}
            places = list(tables)
            self.rounded = torch.from_numpy(np.stack([tables[each] for each in places])).to(device)
            self.table = torch.tensor([places.index(None if levels is None else levels.tobytes()) for levels in coarse],
                                      device=device)

    def _clock(self, item, count):
        """(count,) float32 beats counted at each frame, the ends carried on by one beat and NaN beyond, and outside of
        the spans `trusted` of the piece, where it has such; (count,) bool: the nearest beat is a downbeat."""
        beats = np.asarray(item["beats"], dtype=np.float64).reshape(-1, 2)
        times = beats[:, 0] + (body_offset(item) if self.config.kind == "body" else 0.0)
        grid = np.concatenate([[2 * times[0] - times[1]], times, [2 * times[-1] - times[-2]]])
        turn = np.interp(np.arange(count) / self.fps, grid, np.arange(-1.0, len(times) + 1), left=np.nan, right=np.nan)
        if item.get("trusted") is not None:
            clock = np.arange(count) / self.fps
            turn[~np.any([(clock >= start) & (clock <= stop) for start, stop in item["trusted"]], axis=0)] = np.nan
        nearest = np.clip(np.round(np.nan_to_num(turn)), 0, len(times) - 1).astype(int)
        inside = np.abs(np.nan_to_num(turn, nan=-9.0) - nearest) <= 0.5
        return turn.astype(np.float32), (beats[nearest, 1] == 1) & inside

    def batch(self, index, generator):
        """The batch of that number; its random numbers come from `generator` alone."""
        config, device, count = self.config, self.device, self.config.batch
        train = self.split == "train"
        draw = torch.rand((6, count), generator=generator, device=device)
        row = torch.searchsorted(self.chance, draw[0]).clamp(max=len(self.pieces) - 1)
        position = self._positions(draw, train, generator)
        frames = self.counts[row]
        room = (frames - 1 - position[:, -1]).clamp(min=0)
        position = position + (draw[1] * room)[:, None]
        valid = position <= (frames - 1)[:, None]
        position = torch.minimum(position, (frames - 1)[:, None].float())
        low = torch.minimum(position.floor().long(), (frames - 2)[:, None])
        part = position - low
        place = self.first[row][:, None] + low
        out = {"curve": self._curve(place, part, valid), "weight": self.trust[row].float(),
               "downbeat_weight": self.down_trust[row].float(), "recorded": self.recorded[row]}
        between = lambda array: torch.lerp(array[place].float(), array[place + 1].float(),        # noqa: E731
                                           part[..., None])
        if config.kind == "music":
            mel = between(self.arrays["logmel"])
            if train:
                taken = torch.rand(mel.shape, generator=generator, device=device) - 0.5          # what rounding took
                if self.rounded is not None:
                    taken = taken * self.rounded[self.table[row][:, None, None], self.arrays["logmel"][place].long()]
                mel = mel + taken
            return {"mel": mel * LOGMEL_STEP + LOGMEL_LOWEST, **out}
        rot6d, root = between(self.arrays["rot6d"]) / ROTATION_SCALE, between(self.arrays["root"])
        rot6d = rot6d.unflatten(-1, (24, 6))
        if train:
            flip = draw[2] < 0.5
            twin, side = mirror_sign_6d(rot6d), root * root.new_tensor([-1.0, 1.0, 1.0])
            rot6d = torch.where(flip[:, None, None, None], twin, rot6d)
            root = torch.where(flip[:, None, None], side, root)
        return {"rot6d": rot6d, "root": root, **out}

    def _positions(self, draw, train, generator):
        """(N, T) source frames from 0 on: in training at another speed that sways as rubato does (as
        `augment.warp_curve`)."""
        count, window = draw.shape[1], self.config.window
        if not train:
            return torch.arange(window, device=self.device).float().expand(count, window).contiguous()
        speed = torch.exp((2 * draw[3] - 1) * 0.25)
        depth = draw[4] * self.config.sway * (draw[5] < 0.6)
        knots = torch.randn((count, 1, 8), generator=generator, device=self.device)
        sway = torch.nn.functional.interpolate(knots, size=window, mode="linear", align_corners=True)[:, 0].clamp(-2, 2)
        rate = torch.exp(depth[:, None] * sway)
        rate = rate * (speed / rate.mean(1))[:, None]
        return torch.cumsum(rate, 1) - rate

    def _curve(self, place, part, valid):
        """The rhythm curve on the crop's own clock, from beats counted at source frames."""
        before, after = self.turn[place], self.turn[place + 1]
        turn = before + part * (after - before)
        rate = torch.gradient(turn, dim=1)[0].abs()
        known = valid & ~turn.isnan() & ~rate.isnan()       # beside an unknown frame the tempo is not known either
        turn = torch.nan_to_num(turn)
        beats = turn.round()
        rate = torch.nan_to_num(rate).clamp(min=1e-3) * self.fps                # beats a second, of the crop
        bump = torch.exp(-0.5 * ((turn - beats) / rate / BUMP_SECONDS) ** 2)
        down = torch.where(part < 0.5, self.down[place], self.down[place + 1])
        angle = 2 * np.pi * turn
        curve = torch.stack([bump, bump * down, angle.cos(), angle.sin(), torch.ones_like(turn)], dim=-1)
        return curve * known[..., None]


SHORTEST_EIGHTH = 0.28          # s: slower dotted beats may be found as their three eighths


def in_eighths(item, beats):
    """(meta, beats (B, 2)) of a piece in slow compound time whose dotted beats are told as their eighths; None of
    others."""
    count, unit = ([int(part) for part in item["written"].split("/")] if item.get("written") else (0, 0))
    compound = count in COMPOUND and 3 * item["metre"] == count
    if not compound or np.median(np.diff(beats[:, 0])) < 3 * SHORTEST_EIGHTH or (beats[:, 1] < 1).any():
        return None
    index = np.arange(3 * len(beats) - 2)
    times = np.interp(index / 3, np.arange(len(beats)), beats[:, 0])
    return {**item, "metre": count}, np.stack([times, 3 * (beats[index // 3, 1] - 1) + index % 3 + 1], axis=1)


class FlatBars:
    """Batches of `models.rhythm.bars_train`: rows of beats of flat pieces, from beats as written and jittered; of
    slow compound time from eighths too, as beats may be found so."""

    def __init__(self, config, corpus, split):
        from models.rhythm.bars import bar_features
        self.config, self.split, self.device, self.clips = config, split, None, []
        for flat, item in pieces_of(corpus, split, ("logmel", "chroma")):
            written = np.asarray(item["beats"], dtype=np.float64)
            if len(written) < 8 or not (written[:, 1] > 0).any():
                continue
            mel = logmel_of(flat, item)
            harmony = np.asarray(flat.rows(item, "chroma"), np.float32) / CHROMA_STEPS
            rng = np.random.default_rng(int(item.get("seed", 0)))
            for copy in range(COPIES if split == "train" else 1):
                times = np.sort(written[:, 0] + (JITTER * rng.normal(size=len(written)) if copy else 0.0))
                self.clips.append((item, bar_features(mel, harmony, times).astype(np.float16), written))
            if split == "train" and (eighths := in_eighths(item, written)) is not None:
                rows = bar_features(mel, harmony, eighths[1][:, 0]).astype(np.float16)
                self.clips.append((eighths[0], rows, eighths[1]))
        if not self.clips:
            raise BadInput(f"No {split} piece of {corpus} has logmel, chroma and bars.")

    def resident(self, device):
        """Copy all rows to the device."""
        if self.device == torch.device(device):
            return
        self.device = torch.device(device)
        self.rows = torch.from_numpy(np.concatenate([rows for _, rows, _ in self.clips])).to(device)
        self.down = torch.from_numpy(np.concatenate([beats[:, 1] == 1
                                                     for _, _, beats in self.clips])).float().to(device)
        self.counts = torch.tensor([len(rows) for _, rows, _ in self.clips], device=device)
        self.first = torch.cumsum(self.counts, 0) - self.counts
        known = list(self.config.metres)
        metres = [known.index(item["metre"]) if item["metre"] in known else -1 for item, _, _ in self.clips]
        self.metre = torch.tensor(metres, device=device)
        kinds = [item["kind"] for item, _, _ in self.clips]
        self.recorded = torch.tensor([kind == "recorded" for kind in kinds], device=device)
        shares = np.zeros(len(kinds))
        for kind, share in SHARES["music"].items():
            mine = np.array([each == kind for each in kinds])
            if mine.any():
                shares += share * mine / mine.sum()
        numbers = np.array([item["metre"] for item, _, _ in self.clips])
        for metre in set(numbers.tolist()):
            shares[numbers == metre] *= max(shares[numbers == metre].sum(), 1e-9) ** -self.config.balance
        self.chance = torch.from_numpy(np.cumsum(shares / shares.sum())).float().to(device)

    def batch(self, index, generator):
        """rows (N, B, C), known (N, B), down (N, B), metre (N,): a place in the configuration's metres or -1, recorded
        (N,) bool."""
        config, device = self.config, self.device
        draw = torch.rand((3, config.batch), generator=generator, device=device)
        row = torch.searchsorted(self.chance, draw[0]).clamp(max=len(self.clips) - 1)
        longest = self.counts[row].clamp(max=config.window)
        length = (12 + draw[1] * (longest - 11)).long().clamp(min=8)
        length = torch.minimum(length, self.counts[row])
        start = (draw[2] * (self.counts[row] - length + 1)).long()
        along = torch.arange(config.window, device=device)[None]
        known = (along < length[:, None]).float()
        place = self.first[row][:, None] + torch.minimum(start[:, None] + along, self.counts[row][:, None] - 1)
        return {"rows": self.rows[place].float() * known[..., None], "known": known, "down": self.down[place] * known,
                "metre": self.metre[row], "recorded": self.recorded[row]}
