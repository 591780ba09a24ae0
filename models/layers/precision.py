"""Half precision only where it is fast."""
import torch
from torch import nn

PRODUCTS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)
BF16_CARDS, FP16_CARDS = (8, 0), (7, 0)     # compute capability: Ampere multiplies bf16, Volta and Turing only fp16


def half(device: torch.device) -> torch.dtype | None:
    """The half-precision type that the hardware of a device multiplies natively, bf16 before fp16; None: float32."""
    if device.type == "cuda":
        able = torch.cuda.get_device_capability(device)
        return torch.bfloat16 if able >= BF16_CARDS else torch.float16 if able >= FP16_CARDS else None
    if device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return torch.bfloat16
    return None


def native_autocast(device: torch.device) -> torch.autocast:
    """An autocast context of a device: `half` of it, or none."""
    found = half(device)
    return torch.autocast(device.type, dtype=found or torch.bfloat16, enabled=found is not None)


def native_weights(network: nn.Module, device: torch.device, biases: bool = True) -> nn.Module:
    """A network that is only ever called under `native_autocast`, its linear and convolution layers kept in `half`.

    Otherwise their weights are converted anew in every call. The same numbers come out. biases: False leaves biases as
    they are, for networks that add to them before they are used. Returns the network.
    """
    found = half(device)
    for layer in network.modules() if found is not None else ():
        if isinstance(layer, PRODUCTS):
            layer.weight.data = layer.weight.data.to(found)
            if biases and layer.bias is not None:
                layer.bias.data = layer.bias.data.to(found)
    return network
