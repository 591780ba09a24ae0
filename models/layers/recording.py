"""One call as a CUDA graph: what was started on the card is started again, all of it at once.

Nothing may leave a recording half made: a cancelled job does not stop inside this file (core/worker/interrupt.py).
"""
from dataclasses import fields, is_dataclass
from functools import lru_cache

import torch


class Recording:
    """One call as a CUDA graph. Its inputs lie where it looks for them, and what they hold is changed."""

    def __init__(self, function, inputs, tensors, pool=None):
        """function(inputs) -> tensor; tensors: those in `inputs`, in the order of `described`; pool: memory that it
        shares with other recordings, of which only one is played at a time: theirs, or None for a new one."""
        self.device = tensors[0].device
        self.inputs = [tensor.clone() for tensor in tensors]
        given, self.graph = filled(inputs, iter(self.inputs)), torch.cuda.CUDAGraph()
        with torch.cuda.device(self.device):
            current, aside = torch.cuda.current_stream(), _aside(self.device)
            aside.wait_stream(current)
            torch.cuda.synchronize()
            with torch.cuda.stream(aside):
                self.graph.capture_begin(pool=pool, capture_error_mode="thread_local")
                try:
                    self.output = function(given)
                finally:
                    self.graph.capture_end()
            current.wait_stream(aside)
        self.pool = self.graph.pool()

    def play(self, tensors):
        """The output for other tensors of the same shapes."""
        with torch.cuda.device(self.device):
            torch._foreach_copy_(self.inputs, list(tensors))
            self.graph.replay()
            return self.output.clone()              # the next play, of this or of another one, writes over it


@lru_cache(maxsize=8)
def _aside(device):
    """The stream of a device on which calls are recorded."""
    return torch.cuda.Stream(device)


def described(value, tensors):
    """What a recording holds for of nested `value`, hashable; its tensors are added to `tensors`."""
    if isinstance(value, torch.Tensor):
        tensors.append(value)
        return value.shape, value.stride(), value.dtype, value.device
    if is_dataclass(value):
        return (type(value), *(described(getattr(value, field.name), tensors) for field in fields(value)))
    if isinstance(value, dict):
        return tuple((name, described(each, tensors)) for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(described(each, tensors) for each in value)
    return value


def filled(value, tensors):
    """`value` with its tensors replaced by those of an iterator, in the order of `described`."""
    if isinstance(value, torch.Tensor):
        return next(tensors)
    if is_dataclass(value):
        return type(value)(*(filled(getattr(value, field.name), tensors) for field in fields(value)))
    if isinstance(value, dict):
        return {name: filled(each, tensors) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(filled(each, tensors) for each in value)
    return value
