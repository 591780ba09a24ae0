"""Augmentation of training crops: bodies of other proportions, noisy and incomplete; music in other keys and rooms."""
import math

import numpy as np
import torch

from core.body.kinematics import OFFSETS
from core.body.motion import MIRROR
from core.body.rotations import sixd_to_matrix
from models.layers.placed import constant

REST = tuple(tuple(map(float, offset)) for offset in OFFSETS)
LIMBS = ((1, 4, 7, 10), (2, 5, 8, 11), (3, 6, 9), (12, 15), (13, 16, 18, 20, 22), (14, 17, 19, 21, 23))


def warp_curve(frames, speed, depth, rng):
    """Source position (frames,), in source frames, of each frame of a crop: `speed` on average, swaying by exp(+-depth)
    as rubato does, over three to eight seconds or so."""
    knots = rng.normal(0, 1, int(rng.integers(3, 8)))
    sway = np.interp(np.linspace(0, len(knots) - 1, frames), np.arange(len(knots)), knots)
    rate = np.exp(np.clip(depth * sway, -2 * depth, 2 * depth))
    rate *= speed / rate.mean()
    return np.concatenate([[0.0], np.cumsum(rate)[:-1]])


def stretch(values, position):
    """Rows (T, ...) read at `position` (frames,), linearly; the last row is held past the end."""
    position = np.minimum(position, len(values) - 1)
    low = np.minimum(position.astype(int), max(0, len(values) - 2))
    high = np.minimum(low + 1, len(values) - 1)
    part = (position - low).astype(np.float32).reshape((-1,) + (1,) * (values.ndim - 1))
    return values[low] * (1 - part) + values[high] * part


def mirrored_6d(rot6d, root):
    """Left and right exchanged, as `core.body.motion.Motion.mirrored`, on 6D rotations (T, 24, 6) and root (T, 3)."""
    sign = np.array([1, -1, -1, -1, 1, 1], dtype=np.float32)
    return rot6d[:, MIRROR] * sign, root * np.array([-1, 1, 1], dtype=np.float32)


def mirror_sign_6d(rot6d):
    """6D rotations (..., 24, 6) tensor of the mirrored body."""
    sign = constant((1.0, -1.0, -1.0, -1.0, 1.0, 1.0), rot6d.device, rot6d.dtype)
    return rot6d[..., constant(tuple(MIRROR.tolist()), rot6d.device), :] * sign


class _Draw:
    """Random tensors on `device` from a generator: the CPU's, so that a run is the same on every device, or the
    device's."""

    def __init__(self, generator, device):
        self.generator, self.device = generator, device

    def normal(self, *shape):
        return torch.randn(*shape, generator=self.generator, device=self.generator.device).to(self.device)

    def uniform(self, *shape):
        return torch.rand(*shape, generator=self.generator, device=self.generator.device).to(self.device)


def _axis_angle(vector):
    """Rotation matrices (..., 3, 3) of small rotation vectors (..., 3): the exponential by Rodrigues."""
    angle = vector.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    x, y, z = (vector / angle).unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(vector.shape[:-1] + (3, 3))
    sin, cos = angle.sin()[..., None], angle.cos()[..., None]
    return torch.eye(3, device=vector.device) + sin * cross + (1 - cos) * (cross @ cross)


def augment_body(rot6d, root, generator):
    """Other proportions, rest poses, capture noise, frozen joints and limbs.

    rot6d (N, T, 24, 6), root (N, T, 3). Returns rotations (N, T, 24, 3, 3), root and offsets (N, 24, 3) in metres.
    """
    count, frames = rot6d.shape[:2]
    draw = _Draw(generator, rot6d.device)
    rotations = sixd_to_matrix(rot6d)
    # Joints that a rig lacks stand still; sometimes a whole limb does.
    still = draw.uniform(count, 24) < 0.04
    for limb in LIMBS:
        still[:, constant(limb, still.device)] |= (draw.uniform(count, 1) < 0.04)
    still[:, 0] = False
    rotations = torch.where(still[:, None, :, None, None], rotations[:, :1].expand_as(rotations), rotations)
    # A rig's rest pose is never quite a T-pose: a constant turn per joint.
    turn = _axis_angle(draw.normal(count, 1, 24, 3) * 0.08 * draw.uniform(count, 1, 1, 1))
    rotations = rotations @ turn
    # Capture noise, held over a few frames so that it is no mere flicker.
    coarse = draw.normal(count * 72, 1, frames // 4 + 2) * 0.03
    noise = torch.nn.functional.interpolate(coarse, size=frames, mode="linear", align_corners=True)
    strength = draw.uniform(count, 1, 1, 1) ** 2
    rotations = rotations @ _axis_angle(noise.reshape(count, 24, 3, frames).permute(0, 3, 1, 2) * strength)
    root = root + draw.normal(*root.shape) * 0.004 * strength[..., 0]
    # Proportions: overall, and per limb; the root follows the legs.
    scale = torch.exp(draw.normal(count, 1, 1) * 0.05) * rot6d.new_ones(count, 24, 1)
    for limb in LIMBS:
        scale[:, constant(limb, scale.device)] *= torch.exp(draw.normal(count, 1, 1) * 0.08)
    for left, right in enumerate(MIRROR):
        if right > left:
            scale[:, right] = scale[:, left]
    return rotations, root * scale[:, 4:5], constant(REST, rot6d.device, rot6d.dtype) * scale


def _smeared(mel, draw, taps=30):
    """Log-mel (N, T, 80) with its magnitudes drawn out in time by a decay of 0.05 to 0.5 s, after a rise of up to 4
    frames."""
    count, frames, bands = mel.shape
    decay = 50.0 * torch.exp(math.log(0.05) + math.log(10.0) * draw.uniform(count, 1))          # frames
    kernel = torch.exp(-torch.arange(taps, device=mel.device)[None] / decay)
    kernel[:, 1:] *= 0.15 + 0.6 * draw.uniform(count, 1)
    rise = (torch.arange(4, device=mel.device)[None] < 1 + 3 * draw.uniform(count, 1)).float()
    # (N, taps + 3)
    shape = torch.nn.functional.conv1d(kernel[None], rise.flip(-1)[:, None], groups=count, padding=3)[0]
    shape = shape / shape.sum(-1, keepdim=True)
    # The rise is shared between both sides of the onset, so that beats stay where they are.
    early = 1
    padded = torch.nn.functional.pad(mel.exp().permute(0, 2, 1), (shape.shape[1] - 1 - early, early), mode="replicate")
    out = torch.nn.functional.conv1d(padded.permute(1, 0, 2), shape.flip(-1)[:, None], groups=count)
    return out.permute(1, 2, 0).clamp_min(1e-3).log()


def augment_music(mel, generator):
    """Level, tone colour, rooms, band limits, noise, other keys and a second piece underneath: log-mel (N, T, 80) ->
    the same."""
    count, frames, bands = mel.shape
    draw = _Draw(generator, mel.device)
    out = mel.clone()
    # Other keys: the bands move by up to four (about three semitones), edges repeated.
    shift = torch.randint(-4, 5, (count,), generator=generator, device=generator.device).to(mel.device)
    index = (torch.arange(bands, device=mel.device)[None] - shift[:, None]).clamp(0, bands - 1)
    out = torch.gather(out, 2, index[:, None, :].expand(-1, frames, -1))
    # Another piece, 9-30 dB below: talk, crowd, a second source.
    other = out.roll(1, 0).roll(frames // 3, 1) - (1.0 + 2.5 * draw.uniform(count, 1, 1))
    mixed = draw.uniform(count, 1, 1) < 0.3
    out = torch.where(mixed, torch.logaddexp(out, other), out)
    # Rooms and soft attacks: sound dies away slowly, or rises over some 80 ms.
    roomy = draw.uniform(count, 1, 1) < 0.35
    out = torch.where(roomy, _smeared(out, draw), out)
    # Smooth tone colour and level.
    knots = draw.normal(count, 1, 7) * 0.6
    colour = torch.nn.functional.interpolate(knots, size=bands, mode="linear", align_corners=True)
    out = out + colour + draw.normal(count, 1, 1) * 0.5
    # Slow swells (compression, distance).
    swell = torch.nn.functional.interpolate(draw.normal(count, 1, 6) * 0.3, size=frames, mode="linear",
                                            align_corners=True)
    out = out + swell.transpose(1, 2)
    # Noise floor of random height.
    floor = -6.5 + 4.5 * draw.uniform(count, 1, 1) ** 2 + 0.3 * draw.normal(count, frames, bands)
    noisy = draw.uniform(count, 1, 1) < 0.5
    out = torch.where(noisy, torch.logaddexp(out, floor), out)
    # Band limits: telephones, phones' loudspeakers, subsonic filters.
    limited = draw.uniform(count, 1) < 0.3
    low = (draw.uniform(count, 1) * 20).floor() * limited
    high = bands - (draw.uniform(count, 1) * 40).floor() * limited
    place = torch.arange(bands, device=mel.device)[None]
    silent = ((place < low) | (place >= high))[:, None]
    return torch.where(silent, torch.full_like(out, -6.9), out.clamp(min=-6.9))
