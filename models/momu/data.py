"""Random crops of a flat corpus (`models/training/flat.py`), made on the device that holds it: index arithmetic, no
loop over rows.

A crop starts at a latent of the music, so both sides of it are the same seconds; its motion is interpolated from 30
fps to the clock there. Pieces need the arrays `rot6d`, `root`, `latent` and, for the code of the music's mix,
`profile`.
"""
import math

import numpy as np
import torch

from core.body.kinematics import FPS
from core.body.rotations import sixd_to_matrix
from core.contract import GENRES
from core.errors import BadInput
from core.rhythm.beats import rhythm_curve
from models.diffusion.loss import uniform
from models.momu.clock import assemble, taps
from models.momu.config import DOWNSAMPLE, FRAME_RATE, LATENT_RATE, RHYTHM_CHANNELS
from models.motion import representation
from models.motion.kinematics import joints

ROTATION = 32_767.0
CHUNK = 100_000                                     # frames of a call of forward kinematics
SHORTEST = 16                                       # latents of the shortest piece that is used


class Pieces:
    """The pieces of one split of a flat corpus as tensors on a device.

    items: their metas; latent (rows, 64) int8, rot6d (frames, 144) int16, root (frames, 3), heading (frames,),
    contact (frames, 4): all pieces one after the other; first_latent, latents, first_frame, frames, chance: one
    number a piece. Raises BadInput where the split is empty.
    """

    def __init__(self, flat, split, captured, device, shortest=SHORTEST):
        """captured: part of the crops that come from recordings; shortest: latents of the shortest piece."""
        self.flat, self.device = flat, torch.device(device)
        needed = ("rot6d", "root", "latent")
        self.items = [item for item in flat.items if item.get("split") == split and flat.has(item, *needed)
                      and item["arrays"]["latent"][1] >= shortest]
        if not self.items:
            raise BadInput(f"{flat.folder} holds no {split} pieces of {shortest / LATENT_RATE:.1f} s with motion and "
                           f"music; it needs some of every split.")
        resident = flat.resident(["rot6d", "root", "latent"], self.device)
        self.rot6d, self.root, self.latent = resident["rot6d"], resident["root"], resident["latent"]
        frames = torch.tensor([item["arrays"]["rot6d"] for item in self.items], device=self.device)
        self.first_frame, self.frames = frames.unbind(1)
        self.spans = [self._span(item) for item in self.items]
        self.first_latent, self.latents = torch.tensor(self.spans, device=self.device).unbind(1)
        scale = flat.scales["latent"]
        self.scale = torch.tensor(scale["scale"], dtype=torch.float32, device=self.device)
        self.offset = torch.tensor(scale["mean"], dtype=torch.float32, device=self.device)
        self.heading, self.contact = self._headings(), self._contacts()
        self.chance = self._chances(captured)

    @staticmethod
    def _span(item):
        """(first latent, count) of an item; its motion may end before the sound does."""
        first, count = item["arrays"]["latent"]
        covered = math.floor((item["arrays"]["rot6d"][1] - 1) / FPS * LATENT_RATE)
        return first, min(count, max(1, covered))

    def _headings(self):
        """Heading of every frame, unwrapped within its piece."""
        heading = np.zeros(len(self.rot6d), np.float32)
        for item in self.items:
            sixd = np.asarray(self.flat.rows(item, "rot6d"))[:, :6].astype(np.float32) / ROTATION
            start, count = item["arrays"]["rot6d"]
            heading[start:start + count] = representation.headings(sixd_to_matrix(sixd))
        return torch.from_numpy(heading).to(self.device)

    def _contacts(self):
        """Contacts of every frame; the first and last frame of a piece count as moving."""
        parts = []
        for sixd, root in zip(self.rot6d.split(CHUNK), self.root.split(CHUNK)):
            rotations = sixd_to_matrix((sixd.float() / ROTATION).unflatten(-1, (24, 6)))
            parts.append(representation.foot_contacts(joints(rotations, root), FPS))
        return torch.cat(parts)

    def _chances(self, captured):
        """Cumulated chances of the pieces: `captured` for recordings together, in proportion to their length."""
        weight = np.array([item["arrays"]["latent"][1] * (0.3 + item.get("beat_confidence", 1.0))
                           for item in self.items])
        real = np.array([item.get("source") != "studio" for item in self.items])
        if real.any() and not real.all():
            weight[real] *= captured / weight[real].sum()
            weight[~real] *= (1 - captured) / weight[~real].sum()
        chance = np.cumsum(weight / weight.sum())
        return torch.from_numpy(chance / chance[-1]).float().to(self.device)

    def draw(self, count, window, generator):
        """Random crops: pieces (count,), first latents (count,) of at most `window` latents."""
        rows = torch.searchsorted(self.chance, uniform((count,), generator, self.device)).clamp(max=len(self.items) - 1)
        room = (self.latents[rows] - window).clamp(min=0)
        return rows, (uniform((count,), generator, self.device) * (room + 1)).long()

    def music(self, rows, starts, window):
        """Raw music latents (B, window, 64) float32; rows beyond a piece's end repeat its last."""
        place = torch.minimum(starts[:, None] + torch.arange(window, device=self.device),
                              self.latents[rows][:, None] - 1)
        return self.latent[self.first_latent[rows][:, None] + place].float() * self.scale + self.offset

    def motion(self, rows, starts, frames, mirror=None):
        """Vectors (B, frames, 152) of `models/motion/representation.py` on the clock, from latents `starts`;
        `mirror` (B,) bool exchanges left and right."""
        first = starts.float() * (DOWNSAMPLE / FRAME_RATE)
        seconds = first[:, None] + torch.arange(-1, frames, device=self.device) / FRAME_RATE  # one more, for velocities
        index, weight = taps(seconds, FPS, self.frames[rows][:, None] - 1)
        index = index + self.first_frame[rows][:, None, None]

        def at(values):
            weights = weight if values.dim() == 1 else weight[..., None, :]
            return sum(values[index[..., k]].float() * weights[..., k] for k in range(4))
        parts = at(self.rot6d) / ROTATION, at(self.root), at(self.heading), at(self.contact)
        vectors = assemble(*parts, starts == 0)
        if mirror is None:
            return vectors
        return torch.where(mirror[:, None, None], representation.mirrored(vectors), vectors)


class MotionCrops:
    """Batches for the motion VAE: {"vectors" (B, T, 152), "music" (B, 64, T / 4) raw latents of the same seconds}."""

    def __init__(self, flat, split, config):
        self.flat, self.split, self.config, self.pieces = flat, split, config, None

    def resident(self, device):
        """Copy the corpus to the device."""
        if self.pieces is None or self.pieces.device.type != torch.device(device).type:
            self.pieces = Pieces(self.flat, self.split, self.config.captured, device)

    def batch(self, index, generator):
        """The batch of that number; all its random numbers come from `generator`."""
        config, device = self.config, self.pieces.device
        window = config.frames // DOWNSAMPLE
        rows, starts = self.pieces.draw(config.batch, window, generator)
        mirror = uniform((len(rows),), generator, device) < 0.5
        return {"vectors": self.pieces.motion(rows, starts, config.frames, mirror),
                "music": self.pieces.music(rows, starts, window).transpose(1, 2)}


@torch.no_grad()
def encode_motion(pieces, vae, batch=24):
    """Posterior means (2, rows, 64) float16 of all pieces, as they are and mirrored, placed as the music's latents
    are."""
    out = torch.zeros((2, len(pieces.latent), vae.config.latent), dtype=torch.float16, device=pieces.device)
    order = sorted(range(len(pieces.spans)), key=lambda number: pieces.spans[number][1])
    for start in range(0, len(order), batch):
        numbers = order[start:start + batch]
        some, length = torch.tensor(numbers).to(pieces.device), pieces.spans[numbers[-1]][1]
        for mirror in (0, 1):
            flip = torch.full((len(some),), bool(mirror), device=pieces.device)
            vectors = pieces.motion(some, torch.zeros_like(some), length * DOWNSAMPLE, flip)
            mean = vae.encode(vectors)[0].transpose(1, 2).half()
            for row, number in enumerate(numbers):
                first, count = pieces.spans[number]
                out[mirror, first:first + count] = mean[row, :count]
    return out


def folded_rhythm(beats, latents):
    """Rhythm curve of beats [[seconds, position], ...] under each latent: (latents, 20), channel-major as `fold` of
    music_ldm."""
    beats = np.asarray(beats, dtype=np.float64).reshape(-1, 2)
    curve = rhythm_curve(beats[:, 0], beats[beats[:, 1] == 1, 0], latents * DOWNSAMPLE, FRAME_RATE)
    return curve.reshape(latents, DOWNSAMPLE, RHYTHM_CHANNELS).transpose(0, 2, 1).reshape(latents, -1)


def tempo_feature(beats):
    """(2,) of beat times: log2 of the tempo over 120 BPM and 1, or zeros with fewer than two beats."""
    times = np.asarray(beats, dtype=np.float64).reshape(-1, 2)[:, 0] if len(beats) else np.zeros(0)
    return (math.log2(60.0 / float(np.median(np.diff(times))) / 120.0), 1.0) if len(times) > 1 else (0.0, 0.0)


class PlacedCrops:
    """Crops of latents that lie on the device of their `Pieces`."""

    def resident(self, device):
        """It lies on its device already. Raises BadInput for another one."""
        if torch.device(device).type != self.pieces.device.type:
            raise BadInput(f"The latents lie on {self.pieces.device}, the training wants {device}.")

    def places(self, rows, starts, window):
        """Rows (B, window) of the latents of pieces `rows` from latent `starts` on; a piece's last is held."""
        along, last = torch.arange(window, device=self.pieces.device), self.pieces.latents[rows][:, None] - 1
        return self.pieces.first_latent[rows][:, None] + torch.minimum(starts[:, None] + along, last)


class PairedCrops(PlacedCrops):
    """Batches for the maps of the contrast: {"motion", "music" (B, C, L) what they are given, "level" (B, L) kinematic
    amplitude}. rows: of `maps.of_pieces`."""

    def __init__(self, pieces, rows, config):
        self.pieces, self.rows, self.config = pieces, rows, config

    def batch(self, index, generator):
        """The batch of that number; all its random numbers come from `generator`."""
        config, pieces = self.config, self.pieces
        rows, starts = pieces.draw(config.batch, config.crop, generator)
        mirror = (uniform((len(rows),), generator, pieces.device) < 0.5).long()
        place = self.places(rows, starts, config.crop)
        return {"motion": self.rows["motion"][mirror[:, None], place].float().transpose(1, 2),
                "music": self.rows["music"][place].float().transpose(1, 2), "level": self.rows["level"][place]}


class LatentCrops(PlacedCrops):
    """Batches for the transformers: {"motion", "music" (B, 64, L) latents as the VAEs give them, "rhythm" (B, 20,
    L), "tempo" (B, 2), "style" (B, genres), "profile" (B, 96), "mask" (B, L) bool}.

    motion: (2, rows, 64) of `encode_motion`. side: "music" or "motion", the one to be made: its style is the
    music's genre or the dance's (unknown for recordings, whose music was made afterwards).
    """

    def __init__(self, pieces, motion, config, side):
        self.pieces, self.config, self.side = pieces, config, side
        device = pieces.device
        to = lambda values: torch.tensor(values, dtype=torch.float32, device=device)               # noqa: E731
        self.motion = motion
        style, tempo, profile = [], [], []
        self.rhythm = torch.zeros((len(pieces.latent), RHYTHM_CHANNELS * DOWNSAMPLE), dtype=torch.float16)
        for item in pieces.items:
            start, count = item["arrays"]["latent"]
            beats = item.get("beats", []) if item.get("beat_confidence", 1.0) >= config.unreliable_beats else []
            if len(beats) > 1:
                self.rhythm[start:start + count] = torch.from_numpy(folded_rhythm(beats, count)).half()
            tempo.append(tempo_feature(beats))
            genre = item.get("genre") if side == "music" or item.get("source") == "studio" else item.get("style")
            style.append([float(genre == slug) for slug in GENRES])
            known = pieces.flat.has(item, "profile")
            profile.append(np.asarray(pieces.flat.rows(item, "profile"))[0] if known else np.zeros(96, np.float32))
        self.rhythm = self.rhythm.to(device)
        self.style, self.tempo, self.profile = to(style), to(tempo), to(np.stack(profile))

    def batch(self, index, generator):
        """The batch of that number; all its random numbers come from `generator`."""
        config, pieces, device = self.config, self.pieces, self.pieces.device
        rows, starts = pieces.draw(config.batch, config.window, generator)
        lengths, along = self._lengths(rows, starts, generator), torch.arange(config.window, device=device)
        place = self.places(rows, starts, config.window)
        mirror = (uniform((len(rows),), generator, device) < 0.5).long()
        motion, music = self.motion[mirror[:, None], place].float(), pieces.music(rows, starts, config.window)
        return {"motion": motion.transpose(1, 2), "music": music.transpose(1, 2),
                "rhythm": self.rhythm[place].float().transpose(1, 2), "tempo": self.tempo[rows],
                "style": self.style[rows], "profile": self.profile[rows], "mask": along < lengths[:, None]}

    def _lengths(self, rows, starts, generator):
        """Latents of each crop: a third of them are shorter than the window, and none reaches beyond its piece."""
        config, device = self.config, self.pieces.device
        chance = uniform((2, len(rows)), generator, device)
        short = config.shortest + (chance[0] * (config.window - config.shortest + 1)).long()
        wanted = torch.where(chance[1] < 1 / 3, short, torch.full_like(short, config.window))
        return torch.minimum(wanted, self.pieces.latents[rows] - starts)
