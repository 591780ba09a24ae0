"""Vectors (T, 152) of a motion, free of where it stands and faces, and back.

channels   what                                                                     units
0, 1       horizontal velocity of the pelvis, in the axes of the heading (x left, y back)   m/s
2          turning speed of the heading about z                                     rad/s
3          height of the pelvis                                                     m
4-147      24 x 6D local rotations; that of the pelvis with the heading taken out
148-151    contact of left ankle, left toe, right ankle, right toe with the floor   0..1

Why velocities and not canonical positions: windows of a canvas that each start at xy = 0 disagree where they overlap,
and a dance that has walked four metres looks unlike any training window. Velocities in the axes of the heading are the
same wherever the dancer stands, so every crop of a piece is already canonical and windows can be cross-faded at any
length (as in Holden et al. 2016 and Guo et al. 2022). Place and facing are sums over frames; they cannot jump at a
window. What the sums drift is corrected where a place is asked for (`models.motion.smoothing`). Velocities are backward
differences in the axes of the earlier frame, so decoding is exact. They are per second, so one statistic serves 15, 30
and 60 fps.
"""
import numpy as np
import torch
from torch import nn

from core.body.kinematics import FPS, OFFSETS, forward_kinematics
from core.body.motion import Motion
from core.body.rotations import ROOT_TO_BLENDER, matrix_to_6d, sixd_to_matrix
from core.contract import SKELETON
from models.layers.placed import constant

CHANNELS = 152
ROOT, ROTATIONS, CONTACTS = slice(0, 4), slice(4, 148), slice(148, 152)
FEET = (7, 10, 8, 11)                       # joints of the contact channels
UPRIGHT = 0.25                              # below it the pelvis is nearly upside down and its heading means nothing
ANKLE_M = float(SKELETON["hip_height_m"] + OFFSETS[[1, 4, 7], 1].sum())
STANDING_M = (ANKLE_M, float(ANKLE_M + OFFSETS[10, 1])) * 2          # heights of the four contact points of who stands
CONTACT_SPEED = (0.12, 0.35)                # m/s: surely planted, surely moving
CONTACT_LIFT = (0.03, 0.08)                 # m above standing height: surely planted, surely lifted
STD_FLOOR = 0.02                            # so that standardising cannot blow up the noise of what hardly moves


def headings(pelvis):
    """(T,) unwrapped headings in radians about z of world pelvis rotations (T, 3, 3), numpy; 0 faces -y.

    The twist about z of the rotation from upright (swing-twist): unlike the direction of the chest it survives lying
    down.
    Upside down it means nothing; there it runs straight between the neighbours that have one.
    """
    turned = np.asarray(pelvis, dtype=np.float64) @ ROOT_TO_BLENDER.T
    sine, cosine = turned[:, 1, 0] - turned[:, 0, 1], turned[:, 0, 0] + turned[:, 1, 1]
    known = np.flatnonzero(np.hypot(sine, cosine) / 2 > UPRIGHT)
    if len(known) == 0:
        return np.zeros(len(turned))
    return np.interp(np.arange(len(turned)), known, np.unwrap(np.arctan2(sine[known], cosine[known])))


def about_z(angle):
    """(...,) radians -> (..., 3, 3) rotations about z, torch."""
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = [cos, -sin, zero, sin, cos, zero, zero, zero, zero + 1]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def rotated(vector, angle):
    """(..., 2) vectors turned by (...,) radians."""
    x, y = vector.unbind(-1)
    return torch.stack([angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y], dim=-1)


def _ramp(value, limits):
    """1 below limits[0], 0 above limits[1], a smooth cubic between."""
    part = ((value - limits[0]) / (limits[1] - limits[0])).clamp(0, 1)
    return 1 - part * part * (3 - 2 * part)


def foot_contacts(positions, fps):
    """(T, 4) in 0..1 from joint positions (T, 24, 3) in metres, torch: slow along the floor and low.

    The speed of a frame is the faster of those over the thirtieth of a second before and after it; the result is
    averaged over a tenth of a second, because the jitter of recordings would make it flicker.
    """
    points = positions.index_select(1, constant(tuple(FEET), positions.device))
    span = min(max(1, int(round(fps / 30))), len(points) - 1)
    moved = (points[span:, :, :2] - points[:-span, :, :2]).norm(dim=-1) * (fps / span)
    none = moved.new_zeros(span, 4)
    speed = torch.maximum(torch.cat([none, moved]), torch.cat([moved, none]))
    lift = points[..., 2] - constant(tuple(STANDING_M), points.device, points.dtype)
    contact = _ramp(speed, CONTACT_SPEED) * _ramp(lift, CONTACT_LIFT)
    half = min(max(1, int(round(fps / 20))), len(points) - 1)
    padded = torch.cat([contact[:1].expand(half, 4), contact, contact[-1:].expand(half, 4)])
    return padded.unfold(0, 2 * half + 1, 1).mean(-1)


def encode(rotations, root, fps, stride=1):
    """Vectors (T, 152) of local rotations (T, 24, 3, 3) and pelvis positions (T, 3), torch.

    stride: velocities are taken over this many frames, so that every `stride`-th vector, from any frame on, is a
    passage at fps / stride. The first `stride` frames, which have nothing before them, repeat the first velocity there
    is.
    """
    count = len(root)
    if count <= stride:
        raise ValueError(f"a motion of {count} frames has no velocity over {stride}")
    turn = torch.from_numpy(headings(rotations[:, 0].detach().cpu().numpy())).to(root)
    place = torch.arange(count, device=root.device)
    late, early = place.clamp(min=stride), (place - stride).clamp(min=0)
    velocity = rotated((root[late] - root[early])[:, :2], -turn[early]) * (fps / stride)
    speed = (turn[late] - turn[early]) * (fps / stride)
    local = torch.cat([about_z(-turn)[:, None] @ rotations[:, :1], rotations[:, 1:]], dim=1)
    positions = forward_kinematics(rotations, root)[0]
    root_channels = torch.cat([velocity, speed[:, None], root[:, 2:]], dim=1)
    return torch.cat([root_channels, matrix_to_6d(local).flatten(1), foot_contacts(positions, fps)], dim=1)


def trajectory(vector, fps):
    """(..., T) headings and (..., T, 2) places that the root velocities of vectors (..., T, 152) add up to, from 0 at
    frame 0."""
    turn = (vector[..., 1:, 2] / fps).cumsum(-1)
    turn = torch.cat([torch.zeros_like(turn[..., :1]), turn], dim=-1)[..., :vector.shape[-2]]
    step = rotated(vector[..., 1:, :2] / fps, turn[..., :-1])
    place = torch.cat([torch.zeros_like(vector[..., :1, :2]), step.cumsum(-2)], dim=-2)
    return turn, place


def decode(vector, fps, turn=None, place=None):
    """rotations (..., T, 24, 3, 3) and pelvis positions (..., T, 3) of vectors (..., T, 152), torch; 6D is
    orthonormalised.

    Starts at xy = 0 facing -y. turn (..., T), place (..., T, 2): these instead of what the velocities add up to.
    """
    summed = trajectory(vector, fps) if turn is None or place is None else (None, None)
    turn, place = (summed[0] if turn is None else turn), (summed[1] if place is None else place)
    local = sixd_to_matrix(vector[..., ROTATIONS].unflatten(-1, (24, 6)))
    rotations = torch.cat([about_z(turn)[..., None, :, :] @ local[..., :1, :, :], local[..., 1:, :, :]], dim=-3)
    return rotations, torch.cat([place, vector[..., 3:4]], dim=-1)


def to_vector(motion):
    """(T, 152) float32, numpy, of a `Motion`, at its own frame rate."""
    rotations, root = (torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
                       for x in (motion.rotations, motion.root))
    return encode(rotations, root, motion.fps).numpy()


def from_vector(vector, fps=FPS, start=None):
    """The `Motion` of vectors (T, 152). start: (heading in radians, (x, y)) of frame 0; else at xy = 0 facing -y."""
    rotations, root = decode(torch.as_tensor(np.asarray(vector, dtype=np.float32)), fps)
    motion = Motion(rotations.numpy().astype(np.float32), root.numpy().astype(np.float32), fps)
    return motion if start is None else motion.moved(start[0], after=start[1])


def start_of(motion, frame=0):
    """(heading, (x, y)) of a frame of a `Motion`, as `from_vector` takes it."""
    return float(headings(motion.rotations[frame:frame + 1, 0])[0]), tuple(map(float, motion.root[frame, :2]))


def _mirror():
    """The permutation and signs that exchange left and right in a vector."""
    index = list(range(4))
    sign = [-1.0, 1.0, -1.0, 1.0]
    for joint in SKELETON["mirror"]:
        index += [4 + 6 * joint + i for i in range(6)]
        sign += [1.0, -1.0, -1.0, -1.0, 1.0, 1.0]               # columns 0 and 1 of S R S with S = diag(-1, 1, 1)
    return np.array(index + [150, 151, 148, 149]), np.array(sign + [1.0] * 4, dtype=np.float32)


MIRROR_INDEX, MIRROR_SIGN = _mirror()


def mirrored(vector):
    """Vectors (..., 152) with left and right exchanged, numpy or torch."""
    if isinstance(vector, np.ndarray):
        return vector[..., MIRROR_INDEX] * MIRROR_SIGN
    index, sign = (constant(tuple(table.tolist()), vector.device, kind)
                   for table, kind in ((MIRROR_INDEX, torch.long), (MIRROR_SIGN, vector.dtype)))
    return vector.index_select(-1, index) * sign


class Standard(nn.Module):
    """Mean and standard deviation of the channels as buffers: they travel with the weights they belong to."""

    def __init__(self, channels=CHANNELS, given=None):
        """given: (mean, std) where the network's configuration holds them, exactly, so that a checkpoint, whose numbers
        are rounded to half precision, need not; empty lists where they are not measured yet."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels), persistent=given is None)
        self.register_buffer("std", torch.ones(channels), persistent=given is None)
        if given is not None and given[0]:
            self.mean.copy_(torch.tensor(given[0]))
            self.std.copy_(torch.tensor(given[1]))

    @torch.no_grad()
    def measure(self, vectors, weights=None):
        """Set both from vectors (N, C), each frame counting `weights` (N,) times."""
        weights = torch.ones(len(vectors), device=vectors.device) if weights is None else weights
        share = (weights / weights.sum())[:, None]
        mean = (vectors.float() * share).sum(0)
        std = ((vectors.float() - mean).square() * share).sum(0).sqrt()
        self.mean.copy_(mean)
        self.std.copy_(std.clamp(min=STD_FLOOR))

    def forward(self, vectors):
        """Vectors in metres and so on -> standardised."""
        return (vectors - self.mean) / self.std

    def restore(self, standardised):
        """Inverse of `forward`."""
        return standardised * self.std + self.mean
