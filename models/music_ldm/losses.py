"""Losses of the music model. The VAE's follow the autoencoder of latent diffusion (Rombach et al. 2022, section
3.1)."""
import torch
from torch.func import functional_call
from torch.nn import functional as F

from models.diffusion.loss import draw, normal, weighted
from models.music_ldm.network import batch_condition


def kl_divergence(mean, log_variance):
    """KL(q(z|x) || N(0, 1)), mean over latent elements."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()


def frame_difference(a, b):
    """L1 of the differences of neighbouring frames (last axis): keeps onsets sharp in time."""
    return (a.diff(dim=-1) - b.diff(dim=-1)).abs().mean()


def reconstruction(output, target, mean, log_variance, config):
    """L1 + frame-difference L1 + KL; returns the loss and its parts."""
    l1, difference = (output - target).abs().mean(), frame_difference(output, target)
    kl = kl_divergence(mean, log_variance)
    return l1 + config.difference * difference + config.kl * kl, {"l1": l1, "difference": difference, "kl": kl}


def adversarial(discriminator, output, target, config):
    """Hinge terms of both sides in one sum (Lim & Ye 2017), plus feature matching (Larsen et al. 2016).

    The generator's terms see the discriminator's weights detached, the discriminator's terms see the output detached,
    so that one backward pass and one optimiser serve both. Half of the batch is enough for it.
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

    Returns the loss and its unweighted parts {"mse": of every frame, "level": of windows' means over time}. `generator`
    is a torch.Generator.
    """
    mean = batch["latent_mean"]
    z = mean + (0.5 * batch["latent_log_variance"]).exp() * normal(mean.shape, generator, mean.device)
    drawn = draw(schedule, model.standardise(z), generator, config.high_noise)
    timbre = {"timbre": config.drop_timbre} if config.timbre else {}
    condition = batch_condition(batch, model.condition.timbre).at_random(
        generator, config.drop_all, motion=config.drop_motion, rhythm=config.drop_rhythm, genre=config.drop_genre,
        **timbre)
    output = model(drawn.x, drawn.t, model.encode(condition)).float()
    miss = output - drawn.target
    error, level = miss.square().flatten(1).mean(1), miss.mean(-1).square().flatten(1).mean(1)
    loss = weighted(schedule, drawn, error + config.level * level, config.min_snr)
    return loss, {"mse": error.detach().mean(), "level": level.detach().mean()}
