"""A card that is not there: torch's fake tensors on a device of their own, which remember shape, type and place but no
numbers.

What mixes devices, hands numpy a tensor of the card or gives a wrong type fails here as it would on a card. Every copy
to the card and every wait for it is written down with the line that asked for it. It is no CUDA: torch's fake CUDA
needs a CUDA build to move a network. Use it in a process of its own, it changes torch: `python fake_gpu.py`.
"""
import importlib
import json
import pkgutil
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend  # noqa: E402

CARD = "gpu"
NUMPY = {torch.float32: np.float32, torch.float64: np.float64, torch.float16: np.float16, torch.int64: np.int64,
         torch.int32: np.int32, torch.uint8: np.uint8, torch.bool: np.bool_}
ANSWERS = {"item": 1, "__float__": 1.0, "__int__": 1, "__bool__": False, "__index__": 1}


class Log(list):
    """(what, where): each copy to the card ("up"), from it ("down") and each number that was waited for ("wait")."""

    def note(self, what):
        lines = [f"{Path(frame.filename).relative_to(ROOT)}:{frame.lineno}" for frame in traceback.extract_stack()
                 if str(ROOT) in frame.filename and ".venv" not in frame.filename and frame.filename != __file__]
        self.append((what, lines[-1] if lines else "?"))


class Watch(TorchDispatchMode):
    """Writes down what crosses between the host and the card."""

    def __init__(self, log):
        super().__init__()
        self.log = log

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is torch.ops.aten._to_copy.default and kwargs.get("device") is not None:
            self._crossing(args[0].device, torch.device(kwargs["device"]))
        elif function is torch.ops.aten.copy_.default:
            self._crossing(args[1].device, args[0].device)
        return function(*args, **kwargs)

    def _crossing(self, source, target):
        if source.type != target.type:
            self.log.note("up" if target.type == CARD else "down")


def _apply(module, convert, recurse=True):
    """`nn.Module._apply` that replaces parameters: torch's own swaps them, which fake ones refuse."""
    for child in module.children():
        child._apply(convert)
    with torch.no_grad():
        for name, value in module._parameters.items():
            if value is not None:
                module._parameters[name] = torch.nn.Parameter(convert(value), value.requires_grad)
        for name, value in module._buffers.items():
            if value is not None:
                module._buffers[name] = convert(value)
    return module


def _outside(function):
    """The function with its tensors real."""
    def real(*args, **kwargs):
        with unset_fake_temporarily():
            return function(*args, **kwargs)
    return real


def _numbers(log):
    """Fake tensors give numbers where the host asks for them, and that it asked is written down."""
    plain, array = torch.Tensor.numpy, torch.Tensor.__array__

    def as_numpy(tensor, *args, **kwargs):
        if not isinstance(tensor, FakeTensor):
            return plain(tensor, *args, **kwargs)
        if tensor.device.type != "cpu":
            raise TypeError("numpy is given a tensor of the card; bring it to the CPU first")
        if tensor.dtype not in NUMPY:
            raise TypeError(f"numpy has no {tensor.dtype}; make it float first")
        shape = tuple(tensor.shape)
        if shape[-2:] == (3, 3):                    # read as rotations, which random numbers are none
            return np.broadcast_to(np.eye(3, dtype=NUMPY[tensor.dtype]), shape).copy()
        return np.random.default_rng(0).normal(0.0, 0.1, shape).astype(NUMPY[tensor.dtype])

    def as_array(tensor, dtype=None, **kwargs):
        made = as_numpy(tensor) if isinstance(tensor, FakeTensor) else array(tensor)
        return made if dtype is None else made.astype(dtype)

    def answering(name, original):
        def answer(tensor):
            if not isinstance(tensor, FakeTensor):
                return original(tensor)
            if tensor.device.type != "cpu":
                log.note("wait")
            return ANSWERS[name]
        return answer
    torch.Tensor.numpy, torch.Tensor.__array__ = as_numpy, as_array
    for name in ANSWERS:
        setattr(torch.Tensor, name, answering(name, getattr(torch.Tensor, name)))
    listed = torch.Tensor.tolist

    def as_list(tensor):
        if isinstance(tensor, FakeTensor) and tensor.device.type != "cpu":
            log.note("wait")
        return as_numpy(tensor.cpu()).tolist() if isinstance(tensor, FakeTensor) else listed(tensor)
    torch.Tensor.tolist = as_list


def _istft(log):
    """`torch.istft` without its look at the numbers (whether the windows overlap), which waits for the card."""
    def shaped(spectra, n_fft, hop_length, *, window, center=True, **_):
        if window.device != spectra.device:
            raise RuntimeError(f"istft: window on {window.device}, spectra on {spectra.device}")
        log.note("wait")
        return spectra.abs().mean(-2).repeat_interleave(hop_length, -1)[..., hop_length:]
    return shaped


class _OfTheCard:
    """A generator of the card, which nobody asks for numbers."""

    def __init__(self, device):
        self.device = torch.device(device)

    def manual_seed(self, seed):
        return self


def _random():
    """Random numbers are drawn where they are asked for, and no generator is used for them."""
    real = torch.Generator

    class Generator:
        def __new__(cls, device="cpu"):
            return real() if torch.device(device).type == "cpu" else _OfTheCard(device)
    torch.Generator = Generator

    def without_generator(function):
        def drawn(*args, generator=None, **kwargs):
            return function(*args, **kwargs)
        return drawn
    for name in ("rand", "randn", "randint", "randperm", "bernoulli", "multinomial", "normal"):
        setattr(torch, name, without_generator(getattr(torch, name)))
    for name in ("normal_", "uniform_", "bernoulli_", "random_"):
        setattr(torch.Tensor, name, without_generator(getattr(torch.Tensor, name)))


def install():
    """Change torch and Baton for this process; returns the `Log`."""
    log, plain_mode, plain_tensor = Log(), torch.inference_mode, torch.tensor
    _setup_privateuseone_for_python_backend(CARD)
    torch.gpu.get_amp_supported_dtype = lambda: [torch.bfloat16, torch.float16]
    torch.nn.Module._apply = _apply
    # Constants would be computed with for real, on a card that is not there.
    FakeTensorMode.may_turn_const = lambda mode, tensor: False
    torch.tensor = lambda data, *, device=None, **kwargs: (
        plain_tensor(data, **kwargs) if device is None else plain_tensor(data, **kwargs).to(device))
    _numbers(log)
    torch.istft = _istft(log)
    # Inference mode takes operators apart before a fake tensor sees them.
    torch.inference_mode = torch.no_grad
    import models
    for found in pkgutil.walk_packages(models.__path__, "models."):
        if not found.name.startswith(("models.lab", "models.training")):
            importlib.import_module(found.name)
    torch.inference_mode = plain_mode
    import safetensors.torch

    from core.pipelines import device as devices
    from models.diffusion import schedule
    safetensors.torch.load_file = _outside(safetensors.torch.load_file)
    schedule._betas = _outside(schedule._betas)
    whole, table = schedule.Schedule.__init__, schedule.Schedule._bar

    def bar(chain, t):                              # of a chain that was made before there was a card
        if not isinstance(chain.alphas_bar, FakeTensor):
            chain.alphas_bar = t.fake_mode.from_tensor(chain.alphas_bar)
        return table(chain, t)
    schedule.Schedule._bar = bar
    schedule.Schedule.__init__ = _outside(whole)
    devices.resolve = lambda device="auto": CARD if device == CARD else "cpu"
    devices.describe = str
    return log


@contextmanager
def card(log):
    """Everything inside happens on fake tensors; the log begins anew."""
    from models.layers import placed
    placed._placed.cache_clear()                    # what was sent to another card
    log.clear()
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, Watch(log):
        yield mode


# ------------------------------------------------------------------------------------------------ sampling

def material(seconds=6.0):
    """{kind of source: what a pipeline is given}, and the beats of it."""
    from core.audio import Audio
    from core.body.motion import rest_motion
    from core.rhythm.beats import Beats
    times = np.arange(int(seconds * 48_000)) / 48_000
    tone = (0.5 * np.sin(2 * np.pi * 220 * times) * np.exp(-20 * (times % 0.5))).astype(np.float32)
    beats = Beats(np.arange(0, seconds, 0.5), np.arange(int(2 * seconds)) % 4 + 1, 4)
    return {"motion": rest_motion(int(30 * seconds)), "sound": Audio(np.stack([tone, tone]), 48_000)}, beats


def sampled(name, log, seconds=6.0):
    """What a system makes on the card, once to load it, then at 3 and at 6 steps.

    Returns {audio: shape or None, frames: of motion or None, 3: log, 6: log}.
    """
    from core.contract import systems as registry
    from core.pipelines import open_pipeline
    system, (given, beats) = registry.find(name), material(seconds)
    words = {"genre": "house"} if "genre" in system.settings else {}
    found = {}
    with card(log):
        for steps in (3, 3, 6):
            log.clear()
            result = open_pipeline(name, None, CARD, lambda sentence: None).generate(
                given.get(system.source), duration=seconds, beats=beats, steps=steps, **words)
            found[steps] = list(log)
    return {**found, "audio": None if result.audio is None else list(result.audio.shape),
            "frames": None if result.motion is None else len(result.motion)}


# ------------------------------------------------------------------------------------------------ training

def stepped(system, part, config, corpus, cache, log, on_card=False, **changes):
    """Two training steps of a part on the card: the log of the second. on_card: its features are made there too."""
    from models.training.batches import open_batches
    from models.training.optimise import Optimiser
    from models.training.task import make_task
    task, device = make_task(system, part, config, changes), torch.device(CARD)
    with card(log) as mode:
        task.device = device
        if not on_card:
            task.device = "cpu"
            with unset_fake_temporarily():
                task.prepare(corpus, cache, lambda fraction, text: None)
        else:
            task.prepare(corpus, cache, lambda fraction, text: None)
        model = task.build().to(device)
        optimiser = Optimiser(task, model, device)
        batches = open_batches(task.dataset(cache, "train"), 0, 1, device, 0)
        try:
            for number in range(2):
                log.clear()
                # A thread of its own reads ahead, to which none of this applies.
                batch = {name: value if isinstance(value, FakeTensor) else mode.from_tensor(value)
                         for name, value in batches.next().items()}
                batch = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
                task.fraction = 0.5
                loss, values = task.loss(model, batch, torch.Generator(device=device))
                optimiser.step(loss, 0.5, number)
        finally:
            batches.close()
    return {"log": list(log), "loss": list(loss.shape), "where": str(loss.device),
            "batch": len(batch)}


def found_in(act):
    """What `act()` gives, or the error with the lines of ours that led to it."""
    try:
        return act()
    except Exception as error:                      # noqa: BLE001 - whatever it is, it is the finding
        lines = [f"{Path(frame.filename).relative_to(ROOT)}:{frame.lineno} {frame.line}"
                 for frame in traceback.extract_tb(error.__traceback__)
                 if str(ROOT) in frame.filename and ".venv" not in frame.filename]
        return {"error": [f"{type(error).__name__}: {str(error).splitlines()[0]}", *lines]}


def main(jobs):
    """jobs: names of systems to sample, or JSON lists of `stepped`'s arguments to train; prints findings as JSON."""
    torch.set_num_threads(1)
    log, out = install(), {}
    if any(job.startswith("[") for job in jobs):
        _random()
    for job in jobs:
        if job.startswith("["):
            *words, changes = json.loads(job)
            out[job] = found_in(lambda: stepped(*words, log, **changes))           # noqa: B023
        else:
            out[job] = found_in(lambda: sampled(job, log))                          # noqa: B023
    print(json.dumps(out))


if __name__ == "__main__":
    main(sys.argv[1:])
