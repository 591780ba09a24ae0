"""One step of a training: AdamW, its learning rate, averaged weights, non-finite gradients."""
import copy
import math

import torch
from torch import nn

from core.errors import BatonError
from models.layers.precision import half

MAX_BAD_STEPS = 25          # consecutive non-finite gradients before the run is given up


class Ema:
    """Exponentially averaged copy of a model; the decay warms up so that short runs average too."""

    def __init__(self, model, decay):
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self._of = None

    @torch.no_grad()
    def update(self, model, step):
        """Move the average towards the model's weights; step: steps the average has behind it."""
        decay = min(self.decay, (1 + step) / (10 + step))
        if self._of is not model:                              # the tensors stay where they are: looked up once
            pairs = list(zip(self.model.state_dict().values(), model.state_dict().values()))
            self._floats = [pair for pair in pairs if pair[0].is_floating_point()]
            self._others = [pair for pair in pairs if not pair[0].is_floating_point()]
            self._of = model
        torch._foreach_lerp_([mine for mine, _ in self._floats], [theirs for _, theirs in self._floats], 1 - decay)
        for average, value in self._others:
            average.copy_(value)


class Loss(nn.Module):
    """The task's loss as a forward pass, so that DistributedDataParallel sees every use of the model."""

    def __init__(self, task, model):
        super().__init__()
        self.task, self.model = task, model

    def forward(self, batch, generator):
        return self.task.loss(self.model, batch, generator)


class Optimiser:
    """AdamW of a task's model, weight decay on matrices only, with its averaged weights.

    A step whose gradients are not finite is skipped; on a GPU it is skipped there, as asking here would wait for it.
    """

    def __init__(self, task, model, device, averaged=0):
        """averaged: steps that the average has behind it, for weights that are good already."""
        self.task, self.model, self.device = task, model, device
        self.ema, self.averaged, self.bad = Ema(model, task.ema), averaged, 0
        trained = [p for p in model.parameters() if p.requires_grad]
        groups = [{"params": [p for p in trained if p.dim() > 1], "weight_decay": task.weight_decay},
                  {"params": [p for p in trained if p.dim() <= 1], "weight_decay": 0.0}]
        # fp16 ends at 6e-8: small gradients are scaled up, and the scale goes down where the large ones overflow.
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision(task, device) == torch.float16)
        self.adamw = torch.optim.AdamW([group for group in groups if group["params"]], lr=task.lr, betas=task.betas,
                                       fused=all(p.is_cuda for p in trained))

    @property
    def rate(self):
        """The learning rate of the last step."""
        return self.adamw.param_groups[0]["lr"]

    def step(self, loss, fraction, number):
        """One step along the gradients of a loss; returns their norm. fraction: of the budget; number: of the step."""
        for group in self.adamw.param_groups:
            group["lr"] = learning_rate(self.task, fraction)
        self.adamw.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.adamw)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.task.clip)
        if self.scaler.is_enabled():
            self.scaler.step(self.adamw)            # skips by itself what is not finite
            self.scaler.update()
            self.ema.update(self.model, number + self.averaged)
            return norm
        if self.device.type == "cuda":
            self.adamw.found_inf = (~torch.isfinite(norm)).float().reshape(())
        elif not torch.isfinite(norm):                         # the same on all processes: gradients are shared
            self.bad += 1
            return norm
        self.adamw.step()
        self.ema.update(self.model, number + self.averaged)
        self.bad = 0
        return norm

    def check(self, number, norms):
        """Raises BatonError after too many bad steps in a row. norms: those collected so far, looked at now and then on
        a GPU."""
        if self.device.type == "cuda" and number % MAX_BAD_STEPS == 0:
            last = torch.stack(norms[-MAX_BAD_STEPS:])
            self.bad = MAX_BAD_STEPS if len(last) == MAX_BAD_STEPS and not torch.isfinite(last).any() else 0
        if self.bad >= MAX_BAD_STEPS:
            raise BatonError(f"Training diverged: {self.bad} steps in a row without finite gradients (step {number}); "
                             "lower the learning rate or train without autocast.")


def learning_rate(task, fraction):
    """The rate at this part of the budget: linear warm-up, then cosine from `task.lr` to `task.final_lr` of it."""
    if fraction < task.warmup:
        return task.lr * max(fraction / task.warmup, 1e-3)
    along = (min(fraction, 1.0) - task.warmup) / (1 - task.warmup)
    return task.lr * (task.final_lr + (1 - task.final_lr) * 0.5 * (1 + math.cos(math.pi * along)))


def means(sums):
    """{name: mean} of the collected numbers and scalar tensors, fetched from the device at once; non-finite means left
    out."""
    row = {}
    for name, values in sums.items():
        tensors = [torch.as_tensor(value, dtype=torch.float32).detach() for value in values]
        device = next((t.device for t in tensors if t.device.type != "cpu"), torch.device("cpu"))
        mean = float(torch.stack([t.to(device).reshape(()) for t in tensors]).mean())
        if math.isfinite(mean):
            row[name] = mean
    return row


def precision(task, device):
    """What a task's products are computed in: bf16 or fp16 where it wants that and the device multiplies it natively,
    None for float32. A CPU without it computes bf16 in software: a step of the music model took ten times as long."""
    return half(device) if task.autocast else None


def autocast(task, device):
    """Half precision where the task wants it and the device has it."""
    found = precision(task, device)
    return torch.autocast(device.type, dtype=found or torch.bfloat16, enabled=found is not None)
