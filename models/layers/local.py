"""A depth-wise convolution over tokens, as the feed-forward layers of the denoisers have one."""
import torch
import torch.nn.functional as F
from torch import nn


def near(local: nn.Conv1d, h: torch.Tensor) -> torch.Tensor:
    """The depth-wise convolution `local`, of odd width, of h (B, T, C) over T.

    As one of images of a single row: torch's kernel for images takes the channels last, as they lie here, and needs a
    twentieth of the time of the kernel for sequences on a CPU (measured: 8 x 300 x 1024, 17 and 0.9 ms in bf16).
    """
    return F.conv2d(h.transpose(1, 2)[:, :, None], local.weight[:, :, None], local.bias, padding=(0, local.padding[0]),
                    groups=local.groups)[:, :, 0].transpose(1, 2)
