"""One training loop for every system.

    python -m models.training.loop SYSTEM PART --corpus DIR --out RUN [--minutes M] [--steps N] [--resume]
    torchrun --nproc_per_node 2 -m models.training.loop ...          several processes: nccl on GPUs, gloo on CPUs

AdamW, warm-up and cosine decay by the *fraction of the budget used* (so a budget of minutes works), averaged weights,
bf16 autocast, gradient clipping, skipped steps on non-finite gradients, an atomic checkpoint every few minutes, resume,
loss curves.
Needs torch, numpy and safetensors only. The work itself is a `models.training.task.Task`.
"""
import argparse
import copy
import math
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path

import torch
from torch import nn

from core.errors import BadInput, BatonError
from models.training.run_folder import RunFolder
from models.training.task import make_task, parse_overrides

WARM_STEPS = 10_000         # released weights count as so many when the average starts from them
MAX_BAD_STEPS = 25          # consecutive non-finite gradients before the run is given up


class Ema:
    """Exponentially averaged copy of a model; the decay warms up so that short runs average too."""

    def __init__(self, model, decay):
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self._of = None

    @torch.no_grad()
    def update(self, model, step):
        decay = min(self.decay, (1 + step) / (10 + step))
        if self._of is not model:                              # the tensors stay where they are: looked up once
            pairs = list(zip(self.model.state_dict().values(), model.state_dict().values()))
            self._floats = [pair for pair in pairs if pair[0].is_floating_point()]
            self._others = [pair for pair in pairs if not pair[0].is_floating_point()]
            self._of = model
        torch._foreach_lerp_([mine for mine, _ in self._floats], [theirs for _, theirs in self._floats], 1 - decay)
        for average, value in self._others:
            average.copy_(value)


class _Loss(nn.Module):
    """The task's loss as a forward pass, so that DistributedDataParallel sees every use of the model."""

    def __init__(self, task, model):
        super().__init__()
        self.task, self.model = task, model

    def forward(self, batch, generator):
        return self.task.loss(self.model, batch, generator)


class _Prefetch:
    """Batches first, first + stride, ... made by one thread ahead of time; its errors are raised where they are
    awaited."""

    def __init__(self, dataset, first, stride, depth=4):
        self.queue, self.stopped = queue.Queue(depth), False
        self.thread = threading.Thread(target=self._work, args=(dataset, first, stride), daemon=True)
        self.thread.start()

    def _work(self, dataset, index, stride):
        while not self.stopped:
            try:
                item = dataset[index]
            except Exception as error:  # noqa: BLE001  handed to the loop, which raises it
                item = error
            while not self.stopped:
                try:
                    self.queue.put(item, timeout=0.2)
                    break
                except queue.Full:
                    continue
            if isinstance(item, Exception):
                return
            index += stride

    def next(self):
        item = self.queue.get()
        if isinstance(item, Exception):
            raise item
        return item

    def close(self):
        self.stopped = True
        self.thread.join(timeout=10)


class _Resident:
    """Batches of a dataset that lives on the training's device (`resident(device)`, then `batch(index, generator)`):
    made there, in this thread, as nothing has to be read or copied."""

    def __init__(self, dataset, first, stride, device, seed):
        self.dataset, self.index, self.stride, self.device, self.seed = dataset, first, stride, device, seed
        dataset.resident(device)

    def next(self):
        generator = torch.Generator(device=self.device).manual_seed((self.seed * 7_368_787 + self.index) % 2**63)
        self.index += self.stride
        return self.dataset.batch(self.index - self.stride, generator)

    def close(self):
        """Nothing runs ahead."""


def learning_rate(task, fraction):
    """The rate at this part of the budget: linear warm-up, then cosine from `task.lr` to `task.final_lr` of it."""
    if fraction < task.warmup:
        return task.lr * max(fraction / task.warmup, 1e-3)
    along = (min(fraction, 1.0) - task.warmup) / (1 - task.warmup)
    return task.lr * (task.final_lr + (1 - task.final_lr) * 0.5 * (1 + math.cos(math.pi * along)))


def _optimizer(task, model):
    matrices = [p for p in model.parameters() if p.requires_grad and p.dim() > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": task.weight_decay}, {"params": others, "weight_decay": 0.0}]
    fused = all(p.is_cuda for group in groups for p in group["params"])
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=task.lr, betas=task.betas, fused=fused)


def _means(sums):
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


def _process_group():
    """(rank, world, device) of this process; joins the group when torchrun started us."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    rank, local = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
    if world > 1 and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return rank, world, device


def _agree(fraction, stop, world, device):
    """The largest fraction used and whether any process was told to stop, the same on all processes."""
    if world == 1:
        return fraction, stop
    both = torch.tensor([fraction, float(stop)], device=device, dtype=torch.float64)
    torch.distributed.all_reduce(both, torch.distributed.ReduceOp.MAX)
    return float(both[0]), bool(both[1])


def train(task, out, corpus, cache, *, system="", part="", config_name="", minutes=None, steps=None, resume=False,
          released=None, seed=0, checkpoint_minutes=3.0, log_every=20, validations=8, device=None,
          report=print):
    """Train until `minutes` of wall time (over all resumes) or `steps` are used, whichever is first; returns the log's
    rows.

    out: run folder; corpus: folder of shards; cache: folder for features; released: weights (state dict) that a new run
    starts from. Raises BadInput when `out` holds a run and `resume` is false or `released` is of another size;
    BatonError when gradients stay non-finite. SIGTERM and Ctrl-C save a checkpoint and return.
    """
    if not minutes and not steps:
        raise BadInput("Give the training a budget: --minutes or --steps.")
    folder = RunFolder(out)
    rank, world, own_device = _process_group()
    device = torch.device(device) if device else own_device
    main = rank == 0
    if folder.checkpoint_path.exists() and not resume:
        raise BadInput(f"{out} already holds a run; add --resume or choose another folder.")
    for turn in range(world):                                  # rank 0 writes the features, the others then find them
        if turn == rank:
            task.prepare(corpus, cache, lambda fraction, text: report(f"prepare {fraction:4.0%} {text}") if main
                         else None)
        if world > 1:
            torch.distributed.barrier()
    torch.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")             # TF32 where a product is not in bf16 anyway
    model = task.build().to(device)
    if released is not None:
        try:
            task.adopt(model, released)
        except RuntimeError as error:
            raise BadInput(f"The released weights do not fit this configuration of {system} {part}; train from scratch "
                           f"or leave its sizes as they are ({str(error).splitlines()[-1].strip()}).") from error
    ema = Ema(model, task.ema)
    averaged = 0 if released is None else WARM_STEPS           # steps the average has behind it
    optimizer = _optimizer(task, model)
    step, used = 0, 0.0
    if resume and folder.checkpoint_path.exists():
        state = folder.read_checkpoint()
        model.load_state_dict(state["model"])
        ema.model.load_state_dict(state["ema"])
        optimizer.load_state_dict(state["optimizer"])
        step, used, averaged = state["step"], state["seconds"], state.get("averaged", 0)
    if main:
        folder.write_config(system, part, config_name, task.config)
        count = sum(p.numel() for p in model.parameters() if p.requires_grad)
        report(f"{count / 1e6:.2f} M parameters on {device}, {world} process(es), from step {step}")
    loss_module = _Loss(task, model)
    if world > 1:
        ids = [device.index] if device.type == "cuda" else None
        loss_module = nn.parallel.DistributedDataParallel(loss_module, device_ids=ids, find_unused_parameters=True)
    stop = _StopSignal()
    dataset = task.dataset(cache, "train")
    resident = hasattr(dataset, "resident")
    batches = (_Resident(dataset, step * world + rank, world, device, seed) if resident
               else _Prefetch(dataset, step * world + rank, world))
    began = time.monotonic()
    elapsed = lambda: used + time.monotonic() - began          # noqa: E731  seconds over all resumes

    def save():
        if main:
            folder.write_checkpoint({"model": model.state_dict(), "ema": ema.model.state_dict(), "step": step,
                                     "optimizer": optimizer.state_dict(), "seconds": elapsed(), "averaged": averaged})
            folder.plot()

    def validate():
        if main:
            with torch.no_grad(), _autocast(task, device):
                scores = {f"valid_{name}": float(value) for name, value in task.validate(ema.model, cache).items()}
            if scores:
                folder.log(step=step, minutes=round(elapsed() / 60, 3), **scores)
                report(f"step {step} " + " ".join(f"{name} {value:.4f}" for name, value in scores.items()))

    sums, logged, bad, next_save = {}, time.monotonic(), 0, elapsed() + 60 * checkpoint_minutes
    since_log, next_validation = 0, 0.0
    try:
        while True:
            part_used = max(step / steps if steps else 0.0, elapsed() / (60 * minutes) if minutes else 0.0)
            fraction, stopping = _agree(part_used, stop.wanted, world, device)
            if stopping or fraction >= 1.0:
                break
            task.fraction = fraction
            if validations and fraction >= next_validation:
                next_validation = (math.floor(fraction * validations) + 1) / validations
                if step:
                    validate()
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(task, fraction)
            batch = {name: value.to(device, non_blocking=True) for name, value in batches.next().items()}
            where = device if resident else "cpu"
            generator = torch.Generator(device=where).manual_seed((seed * 1_000_003 + step * world + rank) % 2**63)
            with _autocast(task, device):
                loss, values = loss_module(batch, generator)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), task.clip)
            if device.type == "cuda":  # skipped on the device itself: asking here would wait for it
                optimizer.found_inf = (~torch.isfinite(norm)).float().reshape(())
                optimizer.step()
                ema.update(model, step + averaged)
            elif torch.isfinite(norm):
                optimizer.step()
                ema.update(model, step + averaged)
                bad = 0
            else:  # the norm is the same on all processes: gradients are shared
                bad += 1
            step += 1
            since_log += 1
            for name, value in {"loss": loss.detach(), "grad_norm": norm, **values}.items():
                sums.setdefault(name, []).append(value.detach() if isinstance(value, torch.Tensor) else value)
            if device.type == "cuda" and step % MAX_BAD_STEPS == 0:
                norms = torch.stack(sums["grad_norm"][-MAX_BAD_STEPS:])
                bad = MAX_BAD_STEPS if len(norms) == MAX_BAD_STEPS and not torch.isfinite(norms).any() else 0
            if bad >= MAX_BAD_STEPS:
                raise BatonError(f"Training diverged: {bad} steps in a row without finite gradients (step {step}); "
                                 "lower the learning rate or train without autocast.")
            if main and (step % log_every == 0 or step == 1):
                now = time.monotonic()
                row = _means(sums)
                folder.log(step=step, minutes=round(elapsed() / 60, 3), lr=optimizer.param_groups[0]["lr"],
                           steps_per_second=round(since_log / max(now - logged, 1e-9), 3), **row)
                if step % (10 * log_every) == 0 or step <= log_every:
                    report(f"step {step} {fraction:4.0%} {since_log / max(now - logged, 1e-9):.2f}/s "
                           + " ".join(f"{name} {value:.4f}" for name, value in row.items()))
                sums, logged, since_log = {}, now, 0
            if elapsed() >= next_save:
                next_save = elapsed() + 60 * checkpoint_minutes
                save()
        if step:
            validate()
        save()
    finally:
        batches.close()
        stop.restore()  # not before: a late SIGTERM would end the last checkpoint half-way
    if world > 1:
        torch.distributed.barrier()
    report(f"rank {rank}: step {step}, {elapsed() / 60:.1f} minutes, written to {out}")
    return folder.rows()


def _autocast(task, device):
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bool(task.autocast))


class _StopSignal:
    """`wanted` becomes True on SIGTERM or SIGINT while installed (main thread only)."""

    def __init__(self):
        self.wanted, self.previous = False, {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self.previous[number] = signal.signal(number, self._set)

    def _set(self, number, frame):
        self.wanted = True

    def restore(self):
        for number, handler in self.previous.items():
            signal.signal(number, handler)


def default_cache(corpus, system):
    """Features of a corpus lie beside it, one folder per system: `DIR.cache/<system>`."""
    corpus = Path(corpus)
    return corpus.with_name(corpus.name + ".cache") / system


def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.training.loop", description="Train one part of a system.")
    parser.add_argument("system")
    parser.add_argument("part")
    parser.add_argument("--corpus", required=True, help="folder of shards")
    parser.add_argument("--out", required=True, help="run folder")
    parser.add_argument("--config", default="release", help="release, paper, tiny or an ablation's name")
    parser.add_argument("--minutes", type=float, help="budget of wall time, over all resumes")
    parser.add_argument("--steps", type=int, help="budget of steps")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--from-released", nargs="?", const="", metavar="DIR",
                        help="a new run starts from the released weights, or from those of a folder of exported "
                        "checkpoints")
    parser.add_argument("--threads", type=int, help="CPU threads of torch")
    parser.add_argument("--cache", help="folder for features (default: beside the corpus)")
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="override a setting of the configuration")
    parser.add_argument("--validations", type=int, default=8, help="how often the averaged weights are scored (default "
                        "8)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", help="cpu or cuda (default: cuda where there is one)")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        overrides = parse_overrides(options.set)
        if options.resume and RunFolder(options.out).config_path.exists():      # measured statistics stay as they were
            overrides = {**RunFolder(options.out).read_config()["config"], **overrides}
        released = None
        if options.from_released is not None:
            from core import checkpoints
            found = checkpoints.find(options.system, options.part, options.from_released or None)
            overrides, released = {**found.config, **overrides}, checkpoints.load_state(found)
        task = make_task(options.system, options.part, options.config, overrides)
        train(task, options.out, options.corpus, options.cache or default_cache(options.corpus, options.system),
              system=options.system, part=options.part, config_name=options.config, minutes=options.minutes,
              steps=options.steps, validations=options.validations, resume=options.resume, released=released,
              seed=options.seed, device=options.device, report=lambda text: print(text, flush=True))
    except BatonError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
