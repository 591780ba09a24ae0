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
