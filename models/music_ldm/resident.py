"""Training windows of the U-Net from a flat corpus, made on the device that holds it: index arithmetic, no loop over
rows.

The same windows as `denoiser_train.Windows` draws from shards, where a card would wait two thirds of its time for them.
Pieces need the arrays `latent`, `rot6d`, `root` and `profile` of `models/training/flat.py`.
"""
import math

import numpy as np
import torch
from torch.nn import functional as F

from core.audio.mel import FRAME_RATE
from core.body.kinematics import FPS
from core.body.motion import MIRROR
from core.body.rotations import sixd_to_matrix
from core.contract import GENRES
from core.errors import BadInput
from core.rhythm.beats import rhythm_curve
from models.layers.placed import constant
from models.motion.kinematics import joints

ROTATION = 32_767.0
POSTERIOR = 0.05  # standard deviation of q(z | mel) on the training split (the VAE's card); means alone are stored


def torch_motion_features(rotations, root, fps=FPS, centred=True):
    """`features.motion_features` in torch: (B, T, 24, 3, 3), (B, T, 3) metres -> (B, T, 360) float32."""
    if centred:
        rotations, root = _face_forward(rotations, root)
    positions = joints(rotations, root)
    velocity = torch.cat([positions[:, 1:2] - positions[:, :1], (positions[:, 2:] - positions[:, :-2]) / 2,
                          positions[:, -1:] - positions[:, -2:-1]], dim=1) * fps
    sixd = torch.cat([rotations[..., 0], rotations[..., 1]], dim=-1)
    return torch.cat([part.flatten(2) for part in (positions, sixd, velocity, _angular_velocity(rotations, fps))],
                     dim=-1)


def _face_forward(rotations, root):
    forward = rotations[:, 0, 0, :, 2]
    angle = -torch.atan2(forward[:, 0], -forward[:, 1])
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    turn = torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, zero + 1], dim=-1).unflatten(-1, (3, 3))[:, None]
    start = F.pad(root[:, :1, :2], (0, 1))
    root = (turn @ (root - start)[..., None])[..., 0]
    return torch.cat([turn[:, :, None] @ rotations[:, :, :1], rotations[:, :, 1:]], dim=2), root


def _angular_velocity(rotations, fps):
    step = rotations[:, :-1].transpose(-1, -2) @ rotations[:, 1:]
    cos = ((step.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1)
    angle = torch.arccos(cos)
    twist = (step - step.transpose(-1, -2))
    axis = torch.stack([twist[..., 2, 1], twist[..., 0, 2], twist[..., 1, 0]], dim=-1)
    speed = axis * (angle / (2 * angle.sin()).clamp(min=1e-4))[..., None] * fps
    return torch.cat([speed, speed[:, -1:]], dim=1)


def with_motion(batch, config):
    """A batch of `denoiser_train.Windows` with its motion features, made where it lies: `motion` (B, M, 360) in the
    place of `rotations` and `root`. One of `FlatWindows` has them already."""
    if "motion" in batch:
        return batch
    kept = {name: value for name, value in batch.items() if name not in ("rotations", "root")}
    with torch.autocast(batch["root"].device.type, enabled=False):
        motion = torch_motion_features(batch["rotations"], batch["root"], centred=config.centred)
    return {**kept, "motion": motion * batch["motion_known"][:, None, None]}


class FlatWindows:
    """Batches of `denoiser_train.Windows`, from `models.training.flat.Flat`; captured dances make up `config.captured`
    of them.

    Raises BadInput where the split has no piece as long as a window.
    """

    def __init__(self, flat, split, config):
        self.flat, self.config, self.device = flat, config, None
        needed = ("rot6d", "root", "latent", "profile")
        self.items = [item for item in flat.items if item["split"] == split and flat.has(item, *needed)
                      and item["arrays"]["latent"][1] > config.window]
        if not self.items:
            raise BadInput(f"No {split} piece of {flat.folder} is as long as a window ({config.window_seconds:.1f} s).")
        self.motion_frames = math.ceil(config.window_seconds * FPS) + 1
        self.motion_frames += -self.motion_frames % round(FPS / config.motion_rate)
        self.profiles = [np.asarray(flat.rows(item, "profile"))[0] for item in self.items]

    def resident(self, device):
        """Copy the corpus to the device; rhythm curves of whole pieces are made once, under every mel frame of a
        latent."""
        if self.device == torch.device(device):
            return
        self.device, d = torch.device(device), self.config.downsample
        arrays = self.flat.resident(["latent", "rot6d", "root"], device)
        self.latent, self.rot6d, self.root = arrays["latent"], arrays["rot6d"], arrays["root"]
        scale = self.flat.scales["latent"]
        self.scale = torch.tensor(scale["scale"], dtype=torch.float32, device=device)
        self.mean = torch.tensor(scale["mean"], dtype=torch.float32, device=device)
        rhythm = torch.zeros((len(self.flat.array("latent")), d, 5), dtype=torch.float16)
        for item in self.items:
            start, count = item["arrays"]["latent"]
            beats = np.asarray(item["beats"], dtype=np.float64).reshape(-1, 2)
            if item["beat_confidence"] >= self.config.unreliable_beats:
                curve = rhythm_curve(beats[:, 0], beats[beats[:, 1] == 1, 0], count * d, FRAME_RATE)
                rhythm[start:start + count] = torch.from_numpy(curve).half().unflatten(0, (count, d))
        self.rhythm = rhythm.to(device)
        places = torch.tensor([[*item["arrays"]["latent"], *item["arrays"]["rot6d"]] for item in self.items],
                              device=device)
        self.first_latent, self.latents, self.first_frame, self.frames = places.unbind(1)
        genre = torch.zeros(len(self.items), len(GENRES))
        for row, item in enumerate(self.items):
            if item["genre"] in GENRES:
                genre[row, GENRES.index(item["genre"])] = 1.0
        self.genre, self.profile = genre.to(device), torch.from_numpy(np.stack(self.profiles)).to(device)
        weight = np.array([item["arrays"]["latent"][1] for item in self.items], dtype=np.float64)
        real = np.array([item["source"] != "studio" for item in self.items])
        if real.any() and not real.all():
            weight[real] *= self.config.captured / weight[real].sum()
            weight[~real] *= (1 - self.config.captured) / weight[~real].sum()
        self.chance = torch.from_numpy(np.cumsum(weight / weight.sum())).float().to(device)

    def batch(self, index, generator):
        """The batch of that number; all its random numbers come from `generator` (of the device)."""
        config, device, count = self.config, self.device, self.config.batch
        uniform = torch.rand((3, count), generator=generator, device=device)
        row = torch.searchsorted(self.chance, uniform[0]).clamp(max=len(self.items) - 1)
        start = (uniform[1] * (self.latents[row] - config.window + 1)).long()
        place = (self.first_latent[row] + start)[:, None] + torch.arange(config.window, device=device)
        latent = (self.latent[place].float() * self.scale + self.mean).transpose(1, 2)
        second = start.double() * (config.downsample / FRAME_RATE)
        first = torch.floor(second * FPS).long() if config.rotary else torch.round(second * FPS).long()
        frame = first[:, None] + torch.arange(self.motion_frames, device=device)
        frame = self.first_frame[row][:, None] + torch.minimum(frame, self.frames[row][:, None] - 1)
        rotations = sixd_to_matrix((self.rot6d[frame].float() / ROTATION).unflatten(-1, (24, 6)))
        root, flip = self.root[frame], uniform[2] < 0.5
        sign = constant((-1.0, 1.0, 1.0), device)
        twin = rotations[:, :, constant(tuple(MIRROR.tolist()), device)] * sign[:, None] * sign
        rotations = torch.where(flip[:, None, None, None, None], twin, rotations)
        root = torch.where(flip[:, None, None], root * sign, root)
        return {"latent_mean": latent, "latent_log_variance": torch.full_like(latent, 2 * math.log(POSTERIOR)),
                "motion": torch_motion_features(rotations, root), "motion_known": torch.ones(count, device=device),
                "offset": (first.double() / FPS - second).float(), "genre": self.genre[row],
                "rhythm": self.rhythm[place].float().flatten(1, 2).transpose(1, 2), "profile": self.profile[row]}
