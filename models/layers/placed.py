"""Small constant tensors on a device, sent there once.

A list or number that joins a tensor of a card is copied to it at every use, and the host waits for each copy.
"""
from functools import lru_cache

import torch


@lru_cache(maxsize=512)
def _placed(values, dtype, device, inference):
    return torch.tensor(values, dtype=dtype).to(device)


def constant(values, device: torch.device, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A tensor of numbers or nested tuples of numbers on a device; the same one every time, so it must not be changed.

    A tensor made in inference mode serves no training, so each mode has its own.
    """
    return _placed(values, dtype, torch.device(device), torch.is_inference_mode_enabled())
