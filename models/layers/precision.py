"""Half precision only where it is fast."""
import torch
from torch import nn

PRODUCTS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)


def native(device):
    """Whether the hardware of a `torch.device` multiplies bf16 natively."""
    return device.type == "cuda" or (device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def native_autocast(device):
    """An autocast context of a `torch.device`: bf16 where the hardware multiplies it natively; float32 elsewhere."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=native(device))


def native_weights(network, device):
    """A network that is only ever called under `native_autocast`, its linear and convolution layers kept in what that
    multiplies:
    otherwise their weights are converted anew in every call. The same numbers come out. Returns the network."""
    if native(device):
        for layer in network.modules():
            if isinstance(layer, PRODUCTS):
                layer.to(torch.bfloat16)
    return network
