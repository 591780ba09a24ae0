"""Tiny networks of every released part, saved as real checkpoints: the pipelines under test are the shipped code.

The weights are a few training steps away from random (seeded), so what comes out is noise of the right shape and
length.
"""
import dataclasses

import numpy as np

from core import checkpoints
from core.body.motion import rest_motion


def save_part(folder, system, part, module, config):
    checkpoints.save(folder, name=f"tiny-{system}-{part}", system=system, part=part, config=config, card_text="tiny\n",
                     state_dict=module.state_dict(), licence="GPL-3.0-or-later")


def save_rhythm(folder):
    import torch

    from models.rhythm.config import rhythm_config
    from models.rhythm.network import BeatNetwork
    for part in ("body", "music"):
        torch.manual_seed(0)
        config = rhythm_config(part, "tiny")
        save_part(folder, "rhythm", part, BeatNetwork(config), config.to_json())


def save_conductor(folder):
    import torch

    from models.conductor.config import TINY
    from models.conductor.encoder import M2SNet
    from models.conductor.network import Denoiser
    torch.manual_seed(0)
    save_part(folder, "conductor", "encoder", M2SNet(TINY.encoder), dataclasses.asdict(TINY.encoder))
    denoiser = Denoiser(TINY)
    for parameter in denoiser.parameters():                     # zero-initialised outputs would hide every difference
        torch.nn.init.normal_(parameter, std=0.05) if parameter.abs().max() == 0 else None
    pose = torch.from_numpy(rest_motion(1).to_vector()[0])
    denoiser.pose.copy_(pose[: len(denoiser.pose)])
    denoiser.std.fill_(0.1)
    save_part(folder, "conductor", "denoiser", denoiser, dataclasses.asdict(TINY))


def clicks(seconds=4.0, rate=22_050, bpm=120.0):
    """Mono sound with a decaying noise burst on every beat."""
    t = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(size=len(t))
    return (0.3 * noise * np.exp(-25.0 * (t % (60.0 / bpm)))).astype(np.float32)


def save_music(folder):
    import torch

    from models.music_ldm.config import TINY, VAE_TINY
    from models.music_ldm.network import UNet
    from models.music_ldm.vae import VAE
    from models.music_ldm.vocoder import Vocoder
    from models.music_ldm.vocoder_train import CONFIGS
    torch.manual_seed(0)
    vae = dataclasses.replace(VAE_TINY, mel_mean=[-5.0] * 256, mel_std=2.0)
    save_part(folder, "music_ldm", "vae", VAE(vae), dataclasses.asdict(vae))
    unet = dataclasses.replace(TINY, latent_mean=[0.0] * TINY.latent, latent_std=[1.0] * TINY.latent,
                               motion_mean=[0.0] * 360, motion_std=[1.0] * 360)
    save_part(folder, "music_ldm", "denoiser", UNet(unet), dataclasses.asdict(unet))
    vocoder = CONFIGS["vocoder"]["tiny"]
    save_part(folder, "music_ldm", "vocoder", Vocoder(vocoder), dataclasses.asdict(vocoder))


def save_all(folder):
    """Every part into one folder."""
    save_rhythm(folder)
    save_conductor(folder)
    save_music(folder)
