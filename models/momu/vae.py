"""The motion half of BiCoR-VAE: a one-dimensional VAE on the music's clock, with latents as wide as the music's.

It has the shape of the music VAE (`models/music_ldm/vae.py`), frozen here and used as it is: residual blocks, two
halvings of time, a linear path that starts at the training split's principal components.
"""
import torch
from torch import nn

from models.layers import Downsample, ResBlock, Upsample, conv_nd, make_norm
from models.momu.config import DOWNSAMPLE, MotionVAEConfig
from models.momu.directions import from_directions, to_directions
from models.momu.weights import weights_of
from models.motion.representation import CHANNELS, Standard

START_LOG_VARIANCE = -5.0       # of the posterior, beside whitened latents
CHUNK = 512                     # latents that are encoded or decoded at once: memory stays flat


class MotionVAE(nn.Module):
    """Channels (B, T, 152) of `models/motion/representation.py` <-> latents (B, latent, T / 4); standardised inside."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        widths, blocks = config.widths, config.blocks
        self.channels = Standard(CHANNELS)
        down, up = [conv_nd(1, CHANNELS, widths[0], 5)], [conv_nd(1, config.latent, widths[-1], 3)]
        for level, width in enumerate(widths):
            down += [ResBlock(1, width, norm="channel") for _ in range(blocks)]
            if level + 1 < len(widths):
                down.append(Downsample(1, width, widths[level + 1]))
        for level in reversed(range(len(widths))):
            up += [ResBlock(1, widths[level], norm="channel") for _ in range(blocks)]
            if level:
                up.append(Upsample(1, widths[level], widths[level - 1]))
        down += [make_norm("channel", widths[-1]), nn.SiLU(), conv_nd(1, widths[-1], 2 * config.latent, 3)]
        up += [make_norm("channel", widths[0]), nn.SiLU(), conv_nd(1, widths[0], CHANNELS, 5)]
        self.encoder, self.decoder = nn.Sequential(*down), nn.Sequential(*up)
        self.analysis = nn.Conv1d(CHANNELS, config.latent, DOWNSAMPLE, stride=DOWNSAMPLE, bias=False)
        self.synthesis = nn.ConvTranspose1d(config.latent, CHANNELS, DOWNSAMPLE, stride=DOWNSAMPLE, bias=False)

    @torch.no_grad()
    def start_linear(self, basis, variances):
        """Start as a principal component analysis: basis (4 x 152, latent) of orthonormal columns over flattened
        standardised patches (4, 152), variances (latent,). Latents begin whitened, the networks begin silent and
        learn what is left."""
        scale = variances.sqrt()
        pieces = basis.reshape(DOWNSAMPLE, CHANNELS, -1)
        self.analysis.weight.copy_((pieces / scale).permute(2, 1, 0))
        self.synthesis.weight.copy_((pieces * scale).permute(2, 1, 0))
        for last in (self.encoder[-1], self.decoder[-1]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        self.encoder[-1].bias[self.config.latent:] = START_LOG_VARIANCE

    def seen(self, channels):
        """What the networks see of vectors (B, T, 152), un-standardised: themselves, or directions of bones."""
        return to_directions(channels) if self.config.directions else channels

    def standardise(self, channels):
        """(B, T, 152) -> (B, 152, T) in network units."""
        return self.channels(self.seen(channels)).transpose(1, 2)

    def restore(self, x):
        """Inverse of `standardise`, float32."""
        channels = self.channels.restore(x.float().transpose(1, 2))
        return from_directions(channels) if self.config.directions else channels

    def encode(self, channels):
        """(B, T, 152), T a multiple of four -> mean and log-variance of q(z | motion), each (B, latent, T / 4);
        float32."""
        x = self.standardise(channels)
        mean, log_variance = self.encoder(x).float().chunk(2, dim=1)
        return mean + self.analysis(x).float(), log_variance.clamp(-20, 10)

    def synthesise(self, latent):
        """Latents -> (B, 152, T) in network units, float32."""
        return self.decoder(latent).float() + self.synthesis(latent).float()

    def decode(self, latent):
        """Latents (B, latent, L) -> channels (B, 4 L, 152) float32."""
        return self.restore(self.synthesise(latent))

    def forward(self, channels, generator=None):
        """Reconstruction (network units), mean, log-variance, with one draw z = mean + std eps; also z."""
        mean, log_variance = self.encode(channels)
        noise = torch.randn(mean.shape, generator=generator, device=None if generator is None else generator.device)
        z = mean + (0.5 * log_variance).exp() * noise.to(mean.device)
        return self.synthesise(z), mean, log_variance, z

    @property
    def reach(self):
        """Latents on either side that a value can depend on, for work in chunks."""
        per_level = 2 * self.config.blocks + 2
        return sum(-(-per_level // 2**k) for k in range(len(self.config.widths))) + 2

    @torch.no_grad()
    def encode_long(self, channels):
        """Posterior means (latent, T / 4) of one passage (T, 152), in pieces with their surroundings: flat memory,
        no seams."""
        length, reach, pieces = len(channels) // DOWNSAMPLE, self.reach, []
        for start in range(0, length, CHUNK):
            stop = min(length, start + CHUNK)
            low, high = max(0, start - reach), min(length, stop + reach)
            mean = self.encode(channels[None, low * DOWNSAMPLE:high * DOWNSAMPLE])[0][0]
            pieces.append(mean[:, start - low:stop - low])
        return torch.cat(pieces, dim=-1)

    @torch.no_grad()
    def decode_long(self, latent, loop=False):
        """Channels (4 L, 152) of one passage's latents (latent, L); on a loop its ends see each other."""
        length, reach, pieces = latent.shape[-1], self.reach, []
        offset = reach if loop else 0
        if loop:
            latent = latent[:, torch.arange(-reach, length + reach, device=latent.device) % length]
        for start in range(0, length, CHUNK):
            stop = min(length, start + CHUNK)
            low, high = max(0, start + offset - reach), min(latent.shape[-1], stop + offset + reach)
            made = self.decode(latent[None, :, low:high])[0]
            pieces.append(made[(start + offset - low) * DOWNSAMPLE:(stop + offset - low) * DOWNSAMPLE])
        return torch.cat(pieces)


class ContrastHeads(nn.Module):
    """One linear map a side for the rhythmic contrast; without them (`paper`) the latents themselves are compared."""

    def __init__(self, config):
        super().__init__()
        self.music = nn.Linear(config.latent, config.latent) if config.heads else nn.Identity()
        self.motion = nn.Linear(config.latent, config.latent) if config.heads else nn.Identity()


def load_motion_vae(source):
    """The trained `MotionVAE` in evaluation mode of a run folder or an exported .safetensors file. Raises BadInput."""
    config, state = weights_of(source, "motion VAE", "motion_vae")
    state = {name.removeprefix("vae."): value for name, value in state.items() if not name.startswith("heads.")}
    vae = MotionVAE(MotionVAEConfig(**config)).eval().requires_grad_(False)
    vae.load_state_dict(state)
    return vae
