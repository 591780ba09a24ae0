"""Directogram D and kinematic amplitude Q of MoMu-Diffusion, for training: torch, batched, from joints or from
keypoints.

    D(r, theta) = sum_j |F(r, j)| 1[ |theta - angle F(r, j)| <= 2 pi / K ],   Q(r) = sum_k max(0, D(r, k) - D(r - 1, k))

F(r, j) is the difference of keypoint j between frames r - 1 and r. The printed window is 4 pi / K wide, so that
neighbouring bins overlap; the default here is half-open bins of width 2 pi / K with wrap-around, `overlap=True` the
printed form. Frame 0 has D = Q = 0.
"""
import math

import torch

BINS = 12


def front_view(positions):
    """Joints (..., 24, 3) metres, z up, facing -y -> what a camera in front of the dancer sees, (..., 24, 2): x, z."""
    return positions[..., ::2]


def directogram(keypoints, bins=BINS, overlap=False):
    """(..., T, J, 2) -> (..., T, bins): movement per direction and frame, in the units of the keypoints."""
    flow = keypoints[..., 1:, :, :] - keypoints[..., :-1, :, :]
    size, angle = flow.norm(dim=-1), torch.atan2(flow[..., 1], flow[..., 0])
    width = 2 * math.pi / bins
    if overlap:
        centre = torch.arange(bins, device=flow.device, dtype=flow.dtype) * width
        gap = ((angle[..., None] - centre + math.pi) % (2 * math.pi) - math.pi).abs()
        gram = (size[..., None] * (gap <= width + 1e-6)).sum(-2)
    else:
        place = torch.floor(((angle + width / 2) % (2 * math.pi)) / width).long() % bins
        gram = torch.zeros(*size.shape[:-1], bins, device=size.device, dtype=size.dtype)
        gram.scatter_add_(-1, place, size)
    return torch.cat([torch.zeros_like(gram[..., :1, :]), gram], dim=-2)


def kinematic_amplitude(keypoints, bins=BINS, overlap=False):
    """Q(r), (..., T): the rise of movement, divided by its largest value over the sequence. Frames 0 and 1 are 0:
    nothing is known of the movement before them."""
    gram = directogram(keypoints, bins, overlap)
    rise = (gram[..., 1:, :] - gram[..., :-1, :]).clamp(min=0).sum(-1)
    rise = torch.cat([torch.zeros_like(rise[..., :2]), rise[..., 1:]], dim=-1)
    return rise / rise.amax(dim=-1, keepdim=True).clamp(min=1e-8)
