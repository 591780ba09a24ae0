"""Losses of the music model. The VAE's follow the autoencoder of latent diffusion (Rombach et al. 2022, section 3.1)."""
import torch
from torch.func import functional_call
from torch.nn import functional as F


def kl_divergence(mean, log_variance):
    """KL(q(z|x) || N(0, 1)), mean over latent elements."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()


def frame_difference(a, b):
    """L1 of the differences of neighbouring frames (last axis): keeps onsets sharp in time."""
    return (a.diff(dim=-1) - b.diff(dim=-1)).abs().mean()


def reconstruction(output, target, mean, log_variance, config):
    """L1 + frame-difference L1 + KL; returns the loss and its parts."""
    l1, difference, kl = (output - target).abs().mean(), frame_difference(output, target), kl_divergence(mean, log_variance)
    return l1 + config.difference * difference + config.kl * kl, {"l1": l1, "difference": difference, "kl": kl}


def adversarial(discriminator, output, target, config):
    """Hinge terms of both sides in one sum (Lim & Ye 2017), plus feature matching (Larsen et al. 2016).

    The generator's terms see the discriminator's weights detached, the discriminator's terms see the output detached, so that
    one backward pass and one optimiser serve both. Half of the batch is enough for it.
    """
    half = (len(output) + 1) // 2
    output, target = output[:half], target[:half]
    frozen = {name: value.detach() for name, value in discriminator.named_parameters()}
    fooled, features = functional_call(discriminator, frozen, (output,))
    with torch.no_grad():
        _, wanted = discriminator(target)
    matching = sum((a - b).abs().mean() for a, b in zip(features, wanted)) / len(features)
    generator = -fooled.float().mean()
    real, fake = discriminator(torch.cat([target, output.detach()]))[0].float().chunk(2)
    critic = F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    loss = config.adversarial * generator + config.matching * matching + critic
    return loss, {"fooled": generator, "matching": matching, "critic": critic}


def diffusion_loss(model, schedule, config, batch, generator):
    """Eq. 2 of Tan et al. for one draw of z, t, eps and dropped conditions per item; min-SNR weighted where configured.

    Returns the loss and its unweighted parts {"mse": of every frame, "level": of windows' means over time}. `generator` is a CPU
    torch.Generator, or one of the batch's device.
    """
    from models.music_ldm.network import batch_condition, standardise
    device, count = batch["latent_mean"].device, len(batch["latent_mean"])

    where = device if generator is None else generator.device

    def normal():
        return torch.randn(batch["latent_mean"].shape, generator=generator, device=where).to(device)

    def chance(p):
        return (torch.rand(count, generator=generator, device=where) < p).to(device)
    z = batch["latent_mean"] + (0.5 * batch["latent_log_variance"]).exp() * normal()
    x0, noise = standardise(z, config), normal()
    t = torch.randint(0, schedule.steps, (count,), generator=generator, device=where).to(device)
    if config.high_noise:
        t = torch.where(chance(config.high_noise), (schedule.steps + t) // 2, t)
    everything = chance(config.drop_all)
    condition = batch_condition(batch, model.condition.timbre).dropped(motion=everything | chance(config.drop_motion),
                                               rhythm=everything | chance(config.drop_rhythm),
                                               genre=everything | chance(config.drop_genre),
                                               timbre=chance(config.drop_timbre) if config.timbre else None)
    output = model(schedule.add_noise(x0, noise, t), t, model.encode(condition)).float()
    miss = output - schedule.target(x0, noise, t)
    error, level = miss.square().flatten(1).mean(1), miss.mean(-1).square().flatten(1).mean(1)
    weight = schedule.loss_weight(t, config.min_snr or None)
    return (weight * (error + config.level * level)).mean(), {"mse": error.detach().mean(), "level": level.detach().mean()}
