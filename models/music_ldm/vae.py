"""Variational autoencoder of mel spectrograms (Tan et al., section 3.1; Kingma & Welling 2014) and its patch
discriminator.

One class for both: dims 1 takes bands as channels (`release`), dims 2 a picture (`paper`, after
teticio/audio-diffusion).
"""
import dataclasses
import hashlib
import json
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from core.audio.mel import BANDS
from core.errors import BadInput
from models.diffusion.loss import normal
from models.layers import Downsample, ResBlock, Upsample, conv_nd, make_norm
from models.motion.representation import Standard
from models.music_ldm.config import VAEConfig

START_LOG_VARIANCE = -5.0       # of the posterior, beside whitened latents


class VAE(nn.Module):
    """mel (B, T, 256) <-> latents (B, latent, T / d) [dims 1] or (B, latent, 256 / d, T / d) [dims 2], d =
    config.downsample.

    In and out: log-mel as `core.audio.mel.log_mel` gives it (or image_mel for mel="image"); standardised inside.
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        dims, widths = config.dims, config.widths
        norm = "channel" if dims == 1 else "group"
        inputs = BANDS if dims == 1 else 1
        self.mel = Standard(BANDS, (config.mel_mean or [0.0] * BANDS, config.mel_std))
        down = [conv_nd(dims, inputs, widths[0], 5 if dims == 1 else 3)]
        for level, width in enumerate(widths):
            down += [ResBlock(dims, width, norm=norm) for _ in range(config.blocks)]
            if level + 1 < len(widths):
                down.append(Downsample(dims, width, widths[level + 1]))
        down += [make_norm(norm, widths[-1]), nn.SiLU(), conv_nd(dims, widths[-1], 2 * config.latent, 3)]
        up = [conv_nd(dims, config.latent, widths[-1], 3)]
        for level in reversed(range(len(widths))):
            up += [ResBlock(dims, widths[level], norm=norm) for _ in range(config.blocks)]
            if level:
                up.append(Upsample(dims, widths[level], widths[level - 1]))
        up += [make_norm(norm, widths[0]), nn.SiLU(), conv_nd(dims, widths[0], inputs, 5 if dims == 1 else 3)]
        self.encoder, self.decoder = nn.Sequential(*down), nn.Sequential(*up)
        self.analysis = self.synthesis = None
        if config.linear:
            d = config.downsample
            self.analysis = nn.Conv1d(BANDS, config.latent, d, stride=d, bias=False)
            self.synthesis = nn.ConvTranspose1d(config.latent, BANDS, d, stride=d, bias=False)

    @torch.no_grad()
    def start_linear(self, basis, variances):
        """Start as a principal component analysis: basis (d 256, latent) of orthonormal columns over flattened patches
        (d, 256), variances (latent,). Latents begin whitened and nearly noiseless, the networks begin silent and learn
        what is left.

        Measured: the components alone reach L1 0.256 (valid, network units), what plain training needs hours of CPU
        for.
        """
        d, scale = self.config.downsample, variances.sqrt()
        taps = basis.reshape(d, BANDS, -1)                           # (d, 256, latent)
        self.analysis.weight.copy_((taps / scale).permute(2, 1, 0))
        self.synthesis.weight.copy_((taps * scale).permute(2, 1, 0))
        for last in (self.encoder[-1], self.decoder[-1]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        self.encoder[-1].bias[self.config.latent:] = START_LOG_VARIANCE

    def standardise(self, mel):
        """(B, T, 256) -> network units, (B, 256, T) or (B, 1, 256, T)."""
        x = self.mel(mel).transpose(1, 2)
        return x if self.config.dims == 1 else x[:, None]

    def restore(self, x):
        """Inverse of `standardise`."""
        x = x if self.config.dims == 1 else x[:, 0]
        return self.mel.restore(x.transpose(1, 2))

    def encode(self, mel):
        """mel (B, T, 256), T a multiple of d -> mean and log-variance of q(z | mel), each of the latent's shape;
        float32."""
        x = self.standardise(mel)
        mean, log_variance = self.encoder(x).float().chunk(2, dim=1)
        if self.analysis is not None:
            mean = mean + self.analysis(x).float()
        return mean, log_variance.clamp(-20, 10)

    def synthesise(self, latent):
        """Latents -> network units, (B, 256, T) or (B, 1, 256, T), float32."""
        x = self.decoder(latent).float()
        return x if self.synthesis is None else x + self.synthesis(latent).float()

    def decode(self, latent):
        """Latents -> mel (B, T, 256) float32."""
        return self.restore(self.synthesise(latent))

    def forward(self, mel, generator=None):
        """Reconstruction (network units), mean, log-variance, with one draw z = mean + std eps."""
        mean, log_variance = self.encode(mel)
        noise = normal(mean.shape, generator, mean.device)
        return self.synthesise(mean + (0.5 * log_variance).exp() * noise), mean, log_variance

    @property
    def reach(self):
        """Latent frames on either side that an output frame can depend on (dims 1), for decoding in chunks."""
        per_level = 2 * self.config.blocks + 2
        return sum(-(-per_level // 2**k) for k in range(len(self.config.widths))) + 2

    @torch.no_grad()
    def decode_long(self, latent, chunk=256, loop=False):
        """`decode` of (B, latent, ..., L) in pieces of `chunk` frames with `reach` on either side: flat memory, no
        seams."""
        length, reach = latent.shape[-1], self.reach
        if loop:
            latent = torch.cat([latent[..., torch.arange(-reach, 0) % length], latent,
                                latent[..., torch.arange(0, reach) % length]], dim=-1)
        offset = reach if loop else 0
        pieces, d = [], self.config.downsample
        for start in range(0, length, chunk):
            stop = min(length, start + chunk)
            low, high = max(0, start + offset - reach), min(latent.shape[-1], stop + offset + reach)
            mel = self.decode(latent[..., low:high])
            pieces.append(mel[:, (start + offset - low) * d:(stop + offset - low) * d])
        return torch.cat(pieces, dim=1)


class Discriminator(nn.Module):
    """Patches of a mel in network units (B, 256, T) -> realness map and the feature maps before it (Isola et al. 2017).

    4x4 blocks become channels first and weights lie channels-last: on a CPU four times faster than strided layers of
    one channel.
    """

    def __init__(self, width=48):
        super().__init__()
        layers = [nn.Conv2d(16, width, 3, padding=1), nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
                  nn.Conv2d(2 * width, 2 * width, 3, padding=1)]
        self.layers, self.out = nn.ModuleList(layers), nn.Conv2d(2 * width, 1, 3, padding=1)
        self.to(memory_format=torch.channels_last)

    def forward(self, x):
        x = F.pixel_unshuffle(x[:, None] if x.dim() == 3 else x, 4).contiguous(memory_format=torch.channels_last)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.out(x), features


def load_vae(source):
    """(VAE in eval mode, fingerprint of its weights) from a run folder of the training loop or an exported .safetensors
    file."""
    source = Path(source).expanduser() if source else None
    if source is None or not source.exists():
        raise BadInput("A trained VAE is needed: --set NAME=RUN, the run folder or the exported file of the VAE (NAME: "
                       "vae for a denoiser, sharpen for a VAE).")
    if source.is_dir():
        from models.training.run_folder import RunFolder
        run = RunFolder(source)
        config = VAEConfig(**run.read_config()["config"])
        state = run.average("vae.")
    else:
        from safetensors.torch import load_file

        from core.checkpoints import read_header
        config = VAEConfig(**json.loads(read_header(source)["config"]))
        state = {name: value.float() for name, value in load_file(str(source)).items()}
    vae = VAE(config).eval().requires_grad_(False)
    vae.load_state_dict(state)
    digest = hashlib.sha256(json.dumps(dataclasses.asdict(config), sort_keys=True).encode())
    for name in sorted(state):
        digest.update(state[name].numpy().tobytes())
    return vae, digest.hexdigest()[:12]
