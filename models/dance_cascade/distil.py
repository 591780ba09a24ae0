"""Guidance in one pass: a network that is taught what the guided base answers.

Guidance asks the base three times a step: with the whole condition, without the rhythm, without anything. A student
learns the sum of the three answers at the scales that are sampled with by default (Meng et al. 2023, "On distillation
of guided diffusion models", section 3.1, with one pair of scales), so a step costs a third. Other scales take three
passes of the base as before.

    python -m models.training.loop dance_cascade guided --corpus FLAT --out RUN --minutes 60
"""
import torch

from core import checkpoints
from models.dance_cascade.beside import opened
from models.dance_cascade.data import Crops
from models.dance_cascade.features import without_rhythm
from models.diffusion.loss import draw
from models.motion import losses as geometry

VALIDATION_BATCHES = 4


def load_teacher(folders=None):
    """The released base: (config, frozen network, sha256). Raises NoCheckpoint."""
    found = checkpoints.find("dance_cascade", "base", folders)
    config, network = opened(found)
    return config, network.eval().requires_grad_(False), found.sha256


@torch.no_grad()
def guided_answer(teacher, config, x, t, condition, mask):
    """x_null + scale (x_all - x_null) + part (x_all - x_lacking) of a base, standardised (B, T, 152); the scales of
    all and of the rhythm are the config's."""
    rows = len(x)
    deaf = {**condition, "frames": without_rhythm(config, condition["frames"])}
    told = {name: torch.cat([condition[name], deaf[name], condition[name]]) for name in condition}
    null = torch.arange(3 * rows, device=x.device) >= 2 * rows
    answer = teacher(x.repeat(3, 1, 1), t.repeat(3), told, null, mask.repeat(3, 1)).float()
    everything, lacking, nothing = answer.chunk(3)
    return nothing + config.guidance_scale * (everything - nothing) + config.beat_guidance * (everything - lacking)


def distillation_loss(config, schedule, network, teacher, batch, generator):
    """(loss, {name: scalar tensor}): squared error of the answer, and of its differences from frame to frame."""
    mask, device = batch["mask"], batch["x0"].device
    condition = {name: batch[name] for name in ("frames", "style")}
    drawn = draw(schedule, network.standard(batch["x0"]), generator)
    target = guided_answer(teacher, config, drawn.x, drawn.t, condition, mask)
    null = torch.zeros(len(drawn.x), dtype=torch.bool, device=device)
    answer = network(drawn.x, drawn.t, condition, null, mask).float()
    with torch.autocast(device.type, enabled=False):
        losses = {"answer": geometry.masked_mean((answer - target).square(), mask)}
        error = geometry.velocity_error(answer, target)
        losses["velocity"] = config.weight_velocity * geometry.masked_mean(error, geometry.pairs(mask))
        loss = sum(losses.values())
    return loss, {name: value.detach() for name, value in losses.items()}


def distillation_scores(config, schedule, network, teacher, material):
    """The losses, named, on fixed crops of a `data.Material` at fixed noise."""
    crops, sums = Crops(config, material, network, augment=False), {}
    device = next(network.parameters()).device
    generator = torch.Generator(device=device).manual_seed(0)
    for number in range(VALIDATION_BATCHES):
        for name, value in distillation_loss(config, schedule, network, teacher, crops[number], generator)[1].items():
            sums.setdefault(name, []).append(float(value))
    return {name: sum(values) / len(values) for name, values in sums.items()}
