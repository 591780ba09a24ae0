"""Directions of bones in the place of rotations: the paper's ablation "directional vectors".

A direction does not say how a bone is turned about itself. On the way back every bone turns as little as it can from
where its parent holds it; pelvis and upper spine, which hold three bones each, turn with these. Joints come back where
they were, twists do not.
"""
import torch
from torch.nn import functional as F

from core.body.kinematics import OFFSETS
from core.body.rotations import matrix_to_6d, sixd_to_matrix
from core.contract import PARENTS
from models.layers.placed import constant
from models.motion.losses import body
from models.motion.representation import ROTATIONS

BONES = 23                                      # every joint but the pelvis ends one
SPAN = slice(ROTATIONS.start, ROTATIONS.start + 3 * BONES)      # of the channels; those of rotations behind it are 0
FORKS = {0: (1, 2, 3), 9: (13, 14, 12)}         # joint: ends of its bones to the left, to the right and up
ONLY = {joint: PARENTS.index(joint) for joint in range(24) if PARENTS.count(joint) == 1}        # its single bone's end
NEARLY_BACK = -0.999                            # cosine of a turn whose axis is not known any more


def to_directions(vectors):
    """Vectors (..., T, 152) with unit directions of the bones (69) in the place of 6D rotations (144)."""
    places = body(vectors)[1]
    starts = places.index_select(-2, constant(tuple(PARENTS[1:]), places.device))
    bones = F.normalize(places[..., 1:, :] - starts, dim=-1).flatten(-2)
    empty = bones.new_zeros(*bones.shape[:-1], ROTATIONS.stop - SPAN.stop)
    return torch.cat([vectors[..., :SPAN.start], bones, empty, vectors[..., ROTATIONS.stop:]], dim=-1)


def from_directions(vectors):
    """Inverse of `to_directions`, twists apart; directions need not be of length 1."""
    bones = F.normalize(vectors[..., SPAN].unflatten(-1, (BONES, 3)), dim=-1)
    rest = constant(tuple(tuple(map(float, row)) for row in OFFSETS), vectors.device, vectors.dtype)
    length = rest.norm(dim=-1)
    turned, local = [], []
    for joint, parent in enumerate(PARENTS):
        held = turned[parent] if joint else None
        if joint in FORKS:
            left, right, up = FORKS[joint]
            across = length[left] * bones[..., left - 1, :] - length[right] * bones[..., right - 1, :]
            own = _frame(across, bones[..., up - 1, :]) @ _frame(rest[left] - rest[right], rest[up]).transpose(-1, -2)
        elif joint in ONLY:
            end = ONLY[joint]
            own = _swing(held @ F.normalize(rest[end], dim=-1), bones[..., end - 1, :]) @ held
        else:
            own = held
        turned.append(own)
        local.append(own if held is None else held.transpose(-1, -2) @ own)
    sixd = matrix_to_6d(torch.stack(local, dim=-3)).flatten(-2)
    return torch.cat([vectors[..., :ROTATIONS.start], sixd, vectors[..., ROTATIONS.stop:]], dim=-1)


def _frame(across, up):
    """(..., 3, 3) orthonormal axes of two directions (..., 3)."""
    return sixd_to_matrix(torch.cat([across, up], dim=-1))


def _swing(start, end):
    """(..., 3, 3) the least rotation that takes unit vectors `start` to `end` (..., 3)."""
    x, y, z = torch.linalg.cross(start, end).unbind(-1)
    none = torch.zeros_like(x)
    turn = torch.stack([none, -z, y, z, none, -x, -y, x, none], dim=-1).unflatten(-1, (3, 3))
    cosine = (start * end).sum(-1).clamp(min=NEARLY_BACK)[..., None, None]
    return torch.eye(3, device=x.device, dtype=x.dtype) + turn + turn @ turn / (1 + cosine)
