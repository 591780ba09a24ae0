"""Where the networks run: CUDA, then MPS, then the CPU; and what happens when a device's memory is full."""
import re
from collections.abc import Callable

from core.errors import BadInput, OutOfMemory
from core.start import import_all

KINDS = ("auto", "cuda", "mps", "cpu")


def resolve(device: str = "auto") -> str:
    """The torch device name for a choice. Raises BadInput for an unknown or absent device."""
    import_all(["torch"])                                      # for a pipeline the first use of torch
    import torch
    cuda = torch.cuda.is_available() and has_code_for(torch.cuda.get_device_capability(), torch.cuda.get_arch_list())
    mps = bool(getattr(torch.backends, "mps", None)) and torch.backends.mps.is_available()
    if device in (None, "auto"):
        return "cuda" if cuda else "mps" if mps else "cpu"
    kind = str(device).split(":")[0]
    if kind not in KINDS:
        raise BadInput(f"The device {device!r} is unknown; choose one of {', '.join(KINDS)}.")
    if (kind == "cuda" and not cuda) or (kind == "mps" and not mps):
        raise BadInput(f"This computer, or its torch, has no {kind.upper()} device; choose auto or cpu.")
    return str(device)


def has_code_for(card: tuple[int, int], built: list[str]) -> bool:
    """Whether a torch built for these architectures ("sm_86", "compute_90") runs on a card of this compute
    capability: an older build has nothing for a newer card. AMD's names are not judged."""
    found = [re.fullmatch(r"(sm|compute)_(\d+)(\d)[a-z]?", name) for name in built]
    known = [(one[1], int(one[2]), int(one[3])) for one in found if one]
    return not known or any((major, minor) <= card and (kind == "compute" or major == card[0])
                            for kind, major, minor in known)


def prepare(device: str):
    """What a device wants once before networks run on it: TF32 for products in float32 on CUDA (Ampere and later)."""
    import torch
    if device.startswith("cuda"):
        torch.set_float32_matmul_precision("high")


def describe(device: str) -> str:
    """A name for people, such as "cuda (NVIDIA H200)" or "cpu (8 threads)"."""
    import torch
    if device.startswith("cuda"):
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.get_num_threads()} threads)" if device == "cpu" else device


def is_out_of_memory(error: BaseException) -> bool:
    """True for what torch raises when a device (or the CPU's allocator) has no memory left."""
    import torch
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def with_fallback(run: Callable, device: str, notify: Callable[[str], None]) -> tuple[object, str]:
    """run(device, small) with one retry on smaller windows, then the CPU; notify(sentence) tells the user.

    Returns (what run returned, device used). Raises OutOfMemory when even the CPU's small windows do not fit.
    """
    attempts = [(device, False), (device, True)] + ([("cpu", True)] if device != "cpu" else [])
    for number, (where, small) in enumerate(attempts):
        try:
            return run(where, small), where
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            reason = error.with_traceback(None)                # a traceback would keep the tensors alive
        release(where)
        if number + 1 < len(attempts):
            after = attempts[number + 1]
            notify(f"The {where.upper()} device ran out of memory; Baton tries again "
                   + ("with smaller windows." if after[0] == where else "on the CPU, which is slower."))
    raise OutOfMemory("There is not enough memory for this job, even on the CPU with the smallest windows; choose a "
                      "shorter range or fewer variations.") from reason


def release(device: str):
    """Give cached memory of a device back."""
    import gc

    import torch

    from models.layers import replay
    replay.forget()                                            # recordings hold memory of their own
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()
