"""Training on without forgetting: on pieces of the kinds that the released network was trained on, part of the target
is what that network says (Li and Hoiem 2016, "Learning without forgetting"), so that few of them keep what many
taught."""
import copy

import torch

from core.errors import BadInput


def frozen(model):
    """A copy of a network that no longer learns and leaves nothing out."""
    return copy.deepcopy(model).eval().requires_grad_(False)


def said_by(teacher, *inputs):
    """Output of the frozen network in float32. Raises BadInput where there is none."""
    if teacher is None:
        raise BadInput("The setting keep wants the released network beside the trained one: give --from-released, with "
                       "--resume too, or leave keep at 0.")
    teacher.to(inputs[0].device)
    with torch.no_grad():
        return teacher(*inputs).float()


def mixed(wanted, said, share):
    """Targets with so much of the frozen network's word in them; share (N,) is broadcast over the rest."""
    return wanted + share.reshape(-1, *[1] * (wanted.dim() - 1)) * (said - wanted)
