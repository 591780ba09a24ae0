"""One training step: x0 reconstruction, and geometric losses that count the more the less noise there is.

L = |x0 - x0^|^2 + lv |dx0 - dx0^|^2 + w(t) [ l1 |FK(x0) - FK(x0^)|^2 + l2 |dFK - dFK^|^2 + l3 excess(R^) + l4
slide(feet^) ] with w(t) = exp(-alpha t). The printed forms of DiffDance's losses were not obtained: these are ours by
the names it gives.
"""
import torch

from models.diffusion.loss import chance, draw, normal, uniform
from models.motion import losses as geometry

# What a typical error is divided by, so that the weights 1 of the paper mean something: m, m/s.
POSITION_SCALE, STEP_SCALE, SLIDE_SCALE, ROTATION_SCALE = 0.1, 0.5, 0.2, 0.1


def timestep_weight(t, config):
    """w(t) = exp(-alpha t) with t counted on a scale of 100 steps; (B,)."""
    return torch.exp(-config.decay * t.float() * (100.0 / config.timesteps))


def geometric_losses(config, estimate, truth, mask, weight, rotation_limit):
    """{name: weighted loss} of un-normalised vectors (B, T, 152); weight (B,) is w(t)."""
    c, losses, both = config, {}, geometry.pairs(mask)
    if not any((c.weight_position, c.weight_step, c.weight_rotation, c.weight_contact)):
        return losses
    rotations, positions = geometry.body(estimate)
    with torch.no_grad():
        _, true_positions = geometry.body(truth)
    mean = lambda values, seen: (weight * geometry.row_mean(values, seen)).mean()      # noqa: E731
    if c.weight_position:
        error = geometry.position_error(positions, true_positions)
        losses["position"] = c.weight_position * mean(error, mask) / POSITION_SCALE**2
    if c.weight_step or c.weight_contact:
        moves = geometry.steps(estimate, positions, c.fps)
    if c.weight_step:
        error = geometry.step_error(moves, geometry.steps(truth, true_positions, c.fps))
        losses["key_velocity"] = c.weight_step * mean(error, both) / STEP_SCALE**2
    if c.weight_contact:
        slide = geometry.foot_slide(moves, geometry.contact_of(truth))
        losses["contact"] = c.weight_contact * mean(slide, both) / SLIDE_SCALE**2
    if c.weight_rotation:
        excess = geometry.rotation_excess(rotations, rotation_limit)
        losses["rotation"] = c.weight_rotation * mean(excess, both) / ROTATION_SCALE**2
    return losses


def denoiser_loss(config, schedule, network, batch, generator):
    """(loss, {name: scalar tensor}) of a batch of `data.Crops`.

    Draws t uniformly, the noise, which rows lose their condition (`null_dropout`) and the noise of the base below.
    """
    c, truth, mask = config, batch["x0"], batch["mask"]
    condition = {name: batch[name] for name in ("frames", "style")}
    device, rows = truth.device, len(truth)
    x0 = network.standard(truth)
    drawn = draw(schedule, x0, generator)
    if c.low:
        sigma = uniform((rows,), generator, device) * c.low_noise
        low = network.standard(batch["low"])
        condition.update(low=low + sigma[:, None, None] * normal(low.shape, generator, device), low_noise=sigma)
    estimate = network(drawn.x, drawn.t, condition, chance(c.null_dropout, rows, generator, device), mask).float()
    with torch.autocast(device.type, enabled=False):
        losses = {"reconstruction": geometry.masked_mean((estimate - x0).square(), mask)}
        if c.weight_velocity:
            error = geometry.velocity_error(estimate, x0)
            losses["velocity"] = c.weight_velocity * geometry.masked_mean(error, geometry.pairs(mask))
        if c.weight_acceleration:
            seen = geometry.pairs(geometry.pairs(mask))
            error = geometry.acceleration_error(estimate, x0)
            losses["acceleration"] = c.weight_acceleration * geometry.masked_mean(error, seen)
        losses.update(geometric_losses(c, network.standard.restore(estimate), truth, mask, timestep_weight(drawn.t, c),
                                       network.rotation_limit))
        loss = sum(losses.values())
    return loss, {name: value.detach() for name, value in losses.items()}
