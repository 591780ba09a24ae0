"""Half precision only where it is fast."""
import torch


def native_autocast(device):
    """An autocast context of a `torch.device`: bf16 where the hardware multiplies it natively; float32 elsewhere."""
    native = device.type == "cuda" or (device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=native)
