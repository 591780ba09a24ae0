"""One training loop for every system.

    python -m models.training.loop SYSTEM PART --corpus DIR --out RUN [--minutes M] [--steps N] [--resume]
    torchrun --nproc_per_node 2 -m models.training.loop ...          several processes: nccl on GPUs, gloo on CPUs

AdamW, warm-up and cosine decay by the *fraction of the budget used* (so a budget of minutes works), averaged weights,
bf16 autocast, gradient clipping, skipped steps on non-finite gradients, an atomic checkpoint every few minutes, resume,
loss curves, and the best averaged weights by validation kept beside the last. Needs torch, numpy and safetensors only.
The work itself is a `models.training.task.Task`.
"""
import argparse
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from core.errors import BadInput, BatonError
from models.training.batches import open_batches
from models.training.optimise import Loss, Optimiser, autocast, means
from models.training.processes import Group, StopSignal
from models.training.run_folder import RunFolder
from models.training.task import make_task, parse_overrides

WARM_STEPS = 10_000         # released weights count as so many when the average starts from them


@dataclass
class Plan:
    """How long a training is and how often it says what. minutes: of wall time, over all resumes; steps: whichever is
    used first ends it; checkpoint_minutes between checkpoints; log_every steps; validations in all."""

    minutes: float | None = None
    steps: int | None = None
    seed: int = 0
    checkpoint_minutes: float = 3.0
    log_every: int = 20
    validations: int = 8


def train(task, out, corpus, cache, *, system="", part="", config_name="", resume=False, released=None, device=None,
          report=print, **plan):
    """Train until the budget is used; returns the log's rows. plan: fields of `Plan`.

    out: run folder; corpus: folder of shards; cache: folder for features; released: weights (state dict) that a new run
    starts from. Raises BadInput when `out` holds a run and `resume` is false or `released` is of another size;
    BatonError when gradients stay non-finite. SIGTERM and Ctrl-C save a checkpoint and return.
    """
    plan, folder, group = Plan(**plan), RunFolder(out), Group(device)
    if not plan.minutes and not plan.steps:
        raise BadInput("Give the training a budget: --minutes or --steps.")
    resume = resume and folder.checkpoint_path.exists()
    if folder.checkpoint_path.exists() and not resume:
        raise BadInput(f"{out} already holds a run; add --resume or choose another folder.")
    say = report if group.main else lambda text: None
    task.device = group.device
    group.in_turn(lambda: task.prepare(corpus, cache, lambda fraction, text: say(f"prepare {fraction:4.0%} {text}")))
    torch.manual_seed(plan.seed)
    if group.device.type == "cuda":
        torch.set_float32_matmul_precision("high")             # TF32 where a product is not in bf16 anyway
    model = task.build().to(group.device)
    if released is not None:
        try:
            task.adopt(model, released)
        except RuntimeError as error:
            raise BadInput(f"The released weights do not fit this configuration of {system} {part}; train from scratch "
                           f"or leave its sizes as they are ({str(error).splitlines()[-1].strip()}).") from error
    run = _Run(task, model, folder, cache, group, plan, say, 0 if released is None else WARM_STEPS)
    if resume:
        run.restore()
    elif group.main:
        folder.best_path.unlink(missing_ok=True)
    if group.main:
        folder.write_config(system, part, config_name, task.config)
        count = sum(p.numel() for p in model.parameters() if p.requires_grad)
        say(f"{count / 1e6:.2f} M parameters on {group.device}, {group.world} process(es), from step {run.step}")
    run.go()
    group.wait()
    report(f"rank {group.rank}: step {run.step}, {run.elapsed() / 60:.1f} minutes, written to {out}")
    return folder.rows()


class _Run:
    """A training under way: the model with its optimiser, where it stands, and what it writes."""

    def __init__(self, task, model, folder, cache, group, plan, report, averaged):
        self.task, self.model, self.folder, self.cache = task, model, folder, cache
        self.group, self.plan, self.report = group, plan, report
        self.optimiser = Optimiser(task, model, group.device, averaged)
        self.step, self.used, self.began = 0, 0.0, time.monotonic()
        self.best, self.next_validation = math.inf, 0.0
        self.sums, self.since_log, self.logged = {}, 0, time.monotonic()

    def restore(self):
        """Go on from the folder's checkpoint."""
        state = self.folder.read_checkpoint()
        self.model.load_state_dict(state["model"])
        self.optimiser.ema.model.load_state_dict(state["ema"])
        self.optimiser.adamw.load_state_dict(state["optimizer"])
        if state.get("scaler"):                                # none of a run that began on a card with bf16
            self.optimiser.scaler.load_state_dict(state["scaler"])
        self.optimiser.averaged = state.get("averaged", 0)
        self.step, self.used, self.best = state["step"], state["seconds"], state.get("best", math.inf)

    def elapsed(self):
        """Seconds of training over all resumes."""
        return self.used + time.monotonic() - self.began

    def _fraction(self):
        plan = self.plan
        return max(self.step / plan.steps if plan.steps else 0.0,
                   self.elapsed() / (60 * plan.minutes) if plan.minutes else 0.0)

    def go(self):
        """Step until the budget is used or a signal comes, then validate and save."""
        stop, group, plan = StopSignal(), self.group, self.plan
        loss_module = Loss(self.task, self.model)
        if group.world > 1:
            ids = [group.device.index] if group.device.type == "cuda" else None
            loss_module = nn.parallel.DistributedDataParallel(loss_module, device_ids=ids, find_unused_parameters=True)
        batches = open_batches(self.task.dataset(self.cache, "train"), self.step * group.world + group.rank,
                               group.world, group.device, plan.seed)
        self.began = self.logged = time.monotonic()
        next_save = self.elapsed() + 60 * plan.checkpoint_minutes
        try:
            while True:
                fraction, stopping = group.agree(self._fraction(), stop.wanted)
                if stopping or fraction >= 1.0:
                    break
                self.task.fraction = fraction
                self._validate_when_due(fraction)
                self._step(loss_module, batches.next(), fraction)
                if group.main and (self.step % plan.log_every == 0 or self.step == 1):
                    self._log(fraction)
                if self.elapsed() >= next_save:
                    next_save = self.elapsed() + 60 * plan.checkpoint_minutes
                    self.save()
            if self.step:
                self.validate()
            self.save()
        finally:
            batches.close()
            stop.restore()  # not before: a late SIGTERM would end the last checkpoint half-way

    def _step(self, loss_module, batch, fraction):
        """One step on a batch. The loss draws its random numbers on the device."""
        group = self.group
        batch = {name: value.to(group.device, non_blocking=True) for name, value in batch.items()}
        seed = self.plan.seed * 1_000_003 + self.step * group.world + group.rank
        generator = torch.Generator(device=group.device).manual_seed(seed % 2**63)
        with autocast(self.task, group.device):
            loss, values = loss_module(batch, generator)
        norm = self.optimiser.step(loss, fraction, self.step)
        self.step += 1
        self.since_log += 1
        for name, value in {"loss": loss.detach(), "grad_norm": norm, **values}.items():
            self.sums.setdefault(name, []).append(value.detach() if isinstance(value, torch.Tensor) else value)
        self.optimiser.check(self.step, self.sums["grad_norm"])

    def _log(self, fraction):
        """The means since the last row, and now and then a line for the reader."""
        now, row = time.monotonic(), means(self.sums)
        speed = self.since_log / max(now - self.logged, 1e-9)
        self.folder.log(step=self.step, minutes=round(self.elapsed() / 60, 3), lr=self.optimiser.rate,
                        steps_per_second=round(speed, 3), **row)
        if self.step % (10 * self.plan.log_every) == 0 or self.step <= self.plan.log_every:
            self.report(f"step {self.step} {fraction:4.0%} {speed:.2f}/s "
                        + " ".join(f"{name} {value:.4f}" for name, value in row.items()))
        self.sums, self.logged, self.since_log = {}, now, 0

    def _validate_when_due(self, fraction):
        count = self.plan.validations
        if count and fraction >= self.next_validation:
            self.next_validation = (math.floor(fraction * count) + 1) / count
            if self.step:
                self.validate()

    def validate(self):
        """Score the averaged weights, and keep them where they are the best so far."""
        if not self.group.main:
            return
        average = self.optimiser.ema.model
        with torch.no_grad(), autocast(self.task, self.group.device):
            values = {name: float(value) for name, value in self.task.validate(average, self.cache).items()}
        scores = {f"valid_{name}": value for name, value in values.items()}
        if scores:
            self.folder.log(step=self.step, minutes=round(self.elapsed() / 60, 3), **scores)
            self.report(f"step {self.step} " + " ".join(f"{name} {value:.4f}" for name, value in scores.items()))
        error = self.task.error(values) if values else None
        if error is not None and error < self.best:
            self.best = error
            self.folder.write_best({"ema": average.state_dict(), "step": self.step, "seconds": self.elapsed(),
                                    "error": error, "scores": scores})

    def save(self):
        """The checkpoint to go on from, and the curves."""
        if self.group.main:
            optimiser = self.optimiser
            self.folder.write_checkpoint({
                "model": self.model.state_dict(), "ema": optimiser.ema.model.state_dict(), "step": self.step,
                "optimizer": optimiser.adamw.state_dict(), "scaler": optimiser.scaler.state_dict(),
                "seconds": self.elapsed(), "averaged": optimiser.averaged, "best": self.best})
            self.folder.plot()


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
