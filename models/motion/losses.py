"""Geometric losses of motion vectors (B, T, 152), *un-normalised*: metres, m/s, rotations as they are.

Published code runs forward kinematics on normalised values (EDGE, systems.md section 6); here they are restored first.
Nothing sums over the window: positions are taken under the root of their own frame and steps from one frame to the
next, so an early error is not counted again in every later frame. mask (B, T) is True on valid frames.
"""
import torch

from core.body.rotations import sixd_to_matrix
from models.layers.placed import constant
from models.motion.kinematics import joints
from models.motion.representation import CONTACTS, FEET, ROTATIONS, rotated

KEY_JOINTS = (1, 2, 4, 5, 7, 8, 10, 11, 15, 16, 17, 18, 19, 20, 21)    # hips to toes, head, shoulders to wrists
PLANTED = 0.8                               # contact above which a foot must stand still


def masked_mean(values, mask):
    """Mean of (B, T, ...) over the frames where mask (B, T) is True."""
    weight = mask.reshape(mask.shape + (1,) * (values.dim() - 2)).to(values)
    share = values[0, 0].numel() if values.dim() > 2 else 1
    return (values * weight).sum() / (weight.sum() * share).clamp(min=1)


def row_mean(values, mask):
    """Mean (B,) of each row of (B, T, ...) over its valid frames: for weights that depend on the row's noise level."""
    weight = mask.reshape(mask.shape + (1,) * (values.dim() - 2)).to(values)
    share = values[0, 0].numel() if values.dim() > 2 else 1
    return (values * weight).flatten(1).sum(1) / (weight.flatten(1).sum(1) * share).clamp(min=1)


def pairs(mask):
    """(B, T-1): both of two neighbours valid."""
    return mask[:, 1:] & mask[:, :-1]


def velocity_error(estimate, truth):
    """Squared error (B, T-1, C) of frame differences; of standardised or plain vectors."""
    return ((estimate[:, 1:] - estimate[:, :-1]) - (truth[:, 1:] - truth[:, :-1])).square()


def acceleration_error(estimate, truth):
    """Squared error (B, T-2, C) of second differences."""
    error = estimate - truth
    return (error[:, 2:] - 2 * error[:, 1:-1] + error[:, :-2]).square()


def body(vector):
    """rotations (B, T, 24, 3, 3) and joint positions (B, T, 24, 3) under a root at xy = 0, in the axes of the
    heading."""
    rotations = sixd_to_matrix(vector[..., ROTATIONS].unflatten(-1, (24, 6)))
    root = torch.cat([torch.zeros_like(vector[..., :2]), vector[..., 3:4]], dim=-1)
    return rotations, joints(rotations, root)


def steps(vector, positions, fps):
    """Velocity (B, T-1, J, 3) in m/s of joints over the floor, in the axes of the earlier frame.

    positions (B, T, J, 3) as `body` gives them; the root's own velocity and turning are those of the vectors.
    """
    turn = (vector[:, 1:, 2] / fps)[..., None]
    later = positions[:, 1:]
    moved = rotated(later[..., :2], turn) + (vector[:, 1:, :2] / fps)[..., None, :]
    return torch.cat([moved - positions[:, :-1, :, :2], later[..., 2:] - positions[:, :-1, :, 2:]], dim=-1) * fps


def position_error(positions, true_positions, joints=KEY_JOINTS):
    """Squared distance in metres (B, T, K) of key joints (DiffDance, key-joint loss)."""
    joints = constant(tuple(joints), positions.device)
    return (positions.index_select(-2, joints) - true_positions.index_select(-2, joints)).square().sum(-1)


def step_error(moves, true_moves, joints=KEY_JOINTS):
    """Squared error (B, T-1, K) in (m/s)^2 of the key joints' velocities over the floor, root included."""
    joints = constant(tuple(joints), moves.device)
    return (moves.index_select(-2, joints) - true_moves.index_select(-2, joints)).square().sum(-1)


def foot_slide(moves, contact):
    """Squared speed along the floor (B, T-1, 4) of foot points in contact (after EDGE). contact (B, T, 4) in 0..1."""
    planted = torch.minimum(contact[:, 1:], contact[:, :-1]) > PLANTED
    return moves.index_select(-2, constant(FEET, moves.device))[..., :2].square().sum(-1) * planted


def rotation_steps(rotations):
    """|R[i+1] - R[i]| (B, T-1, 24), Frobenius norm: 2 sqrt(2) sin(angle / 2), smooth where the angle itself is not."""
    return (rotations[:, 1:] - rotations[:, :-1]).flatten(-2).square().sum(-1).clamp(min=1e-10).sqrt()


def rotation_excess(rotations, limit):
    """Squared hinge (B, T-1, 24) of `rotation_steps` above `limit` (24,), a high percentile of the training data
    (DiffDance's regularisation against sudden turns; its printed form was not obtained)."""
    return (rotation_steps(rotations) - limit).clamp(min=0).square()


def contact_of(vector):
    """The four contact channels."""
    return vector[..., CONTACTS]
