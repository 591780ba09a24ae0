"""Joint positions of many frames at once, for training: level by level of the joint tree, without small matrix
products.

Equal to `core.body.kinematics.forward_kinematics` (tested). On a GPU a batched product of 3 x 3 matrices costs far more
than the nine multiplications it is made of; sums over broadcast axes do not.
"""
import torch

from core.body.kinematics import OFFSETS
from core.contract import PARENTS
from models.layers.placed import constant


def _levels():
    """[(joints, their parents' places in the level above, their rest offsets)] from the root's children down."""
    above, out = [0], []
    while above:
        joints = [joint for joint in range(len(PARENTS)) if PARENTS[joint] in above]
        if joints:
            out.append((tuple(joints), tuple(above.index(PARENTS[joint]) for joint in joints),
                        tuple((tuple(map(float, OFFSETS[joint])),) for joint in joints)))
        above = joints
    return out


LEVELS = _levels()
ORDER = [0] + [joint for joints, _, _ in LEVELS for joint in joints]
PLACE = tuple(ORDER.index(joint) for joint in range(len(PARENTS)))


def joints(rotations, root):
    """Local rotations (..., 24, 3, 3) and root (..., 3) metres -> positions (..., 24, 3)."""
    device, dtype = rotations.device, rotations.dtype
    frames, places, found = rotations[..., :1, :, :], root[..., None, :], [root[..., None, :]]
    for here, parents, offsets in LEVELS:
        parents = constant(parents, device)
        above = frames.index_select(-3, parents)
        places = places.index_select(-2, parents) + (above * constant(offsets, device, dtype)).sum(-1)
        found.append(places)
        local = rotations.index_select(-3, constant(here, device))
        frames = (above[..., :, :, None] * local[..., None, :, :]).sum(-2)
    return torch.cat(found, dim=-2).index_select(-2, constant(PLACE, device))
