"""Calls of a network that a CUDA card plays from a recording.

A sampling step starts hundreds of small kernels one by one, and on a fast card starting one takes longer than it runs.
A recording starts all of them at once: a network call takes a sixth to a tenth of the time (docs/results.md, Speed). It
holds for one shape of everything that goes in. The second call of a shape is recorded, later ones are played.
Elsewhere, and where recording fails, networks are called plainly.

    output = replay.call(network, x, t, condition)
"""
import logging
import weakref
from collections import OrderedDict

import torch

from models.layers.precision import native_autocast
from models.layers.recording import Recording, described

MOST = 8                        # recordings of a network that are kept, those used last
on = True                       # whether cards record
_of = weakref.WeakKeyDictionary()                   # network -> _Recordings


def call(network: torch.nn.Module, *inputs, method: str = "__call__", half: bool = True) -> torch.Tensor:
    """One tensor, network.method(*inputs), under `native_autocast` where `half`.

    inputs: tensors, None and numbers, and dataclasses, dicts, lists and tuples of them. The same numbers come out as of
    a plain call. Nothing is recorded where gradients are asked for.
    """
    tensors = []
    shapes = described(inputs, tensors)
    device = tensors[0].device
    if not (on and can_record(device)):
        return _plain(network, inputs, method, half, device)
    key = (shapes, method, half, next(network.parameters()).data_ptr(), torch.is_inference_mode_enabled())
    if network not in _of:
        _of[network] = _Recordings()
    return _of[network].call(key, lambda given: _plain(network, given, method, half, device), inputs, tensors)


def can_record(device: torch.device) -> bool:
    """Whether a call on this device may be recorded now; AMD's cards, which torch calls CUDA too, were not tried."""
    if device.type != "cuda" or torch.version.cuda is None or torch.is_grad_enabled():
        return False
    return not torch.cuda.is_current_stream_capturing()


def forget():
    """Give the memory of all recordings back."""
    _of.clear()


def _plain(network, inputs, method, half, device):
    if not half:
        return getattr(network, method)(*inputs)
    with native_autocast(device):
        return getattr(network, method)(*inputs)


class _Recordings:
    """Those of one network: {key: `Recording`, or None after its first call}."""

    def __init__(self):
        self.made, self.failed = OrderedDict(), False

    def call(self, key, function, inputs, tensors):
        """function(inputs), recorded at the second call of a key, played from then on."""
        if self.failed:
            return function(inputs)
        if key not in self.made:
            output = function(inputs)               # what a first call sets up must not be part of a recording
            self.made[key] = None
            while len(self.made) > MOST:
                self.made.popitem(last=False)
            return output
        self.made.move_to_end(key)
        if self.made[key] is None:
            try:
                pool = next((one.pool for one in self.made.values() if one is not None), None)
                self.made[key] = Recording(function, inputs, tensors, pool)
            except RuntimeError as error:
                self.failed = True
                self.made.clear()
                logging.getLogger(__name__).warning("Calls are not recorded on this card (%s); they run one by one.",
                                                    str(error).splitlines()[0])
                return function(inputs)
        return self.made[key].play(tensors)
