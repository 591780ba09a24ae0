"""Configurations of the motion-to-music latent diffusion model.

`paper` is the model as published (Tan et al. 2023, and the image VAE it builds on), for a GPU and AIST++; `release` is
what is shipped, the same structure in one dimension; `tiny` is for tests; the others are ablations of `release`.
"""
from dataclasses import dataclass, field, replace

from core.audio.mel import BANDS, FRAME_RATE
from core.contract import GENRES

MOTION_CHANNELS = 360               # p 72 + q 144 + v 72 + w 72; with the genre one-hot 370
RHYTHM_CHANNELS = 5


@dataclass
class VAEConfig:
    """dims 1: bands are channels, (B, 256, T) -> (B, latent, T / 4). dims 2: a picture, (B, 1, 256, T) -> (B, 1, 32, T
    / 8)."""

    dims: int = 1
    widths: tuple = (256, 384, 512)     # channels per level; each next level halves time (dims 2: frequency as well)
    blocks: int = 2                     # residual blocks per level
    latent: int = 64                    # latent channels
    linear: bool = False  # a linear path beside the networks, started at the training split's principal components
    mel: str = "log"                    # "log": log_mel, standardised; "image": decibels in 0..1 (paper)
    frames: int = 128                   # mel frames of a training crop
    batch: int = 24
    lr: float = 3e-4
    ema: float = 0.998
    kl: float = 2e-3                    # weight of the KL term, mean over latent elements
    difference: float = 0.3             # weight of the L1 of frame differences
    adversarial: float = 0.02           # weight of the hinge term
    matching: float = 0.2               # weight of the discriminator's feature matching
    adversarial_from: float = 0.6       # part of the training after which the discriminator joins
    discriminator: int = 48             # its first width
    gain_db: float = 6.0                # level jitter
    sharpen: str = ""  # run folder of a trained VAE: its latents stay as they are, its decoder is trained on
    mel_mean: list = field(default_factory=list)    # (256,) measured on the training split
    mel_std: float = 1.0

    def __post_init__(self):
        self.widths = tuple(self.widths)
        if self.linear and self.dims != 1:
            raise ValueError("the linear path is for dims 1")

    @property
    def downsample(self):
        """Mel frames per latent frame."""
        return 2 ** (len(self.widths) - 1)


@dataclass
class DenoiserConfig:
    """The U-Net, its conditions and its training."""

    dims: int = 1
    widths: tuple = (160, 224, 320)     # three down and three up levels (Tan et al., section 4.2)
    blocks: int = 1                     # residual + cross-attention blocks per level
    heads: int = 4
    memory: int = 256  # channels of the condition tokens in cross-attention; 0: the 370 features themselves
    motion_rate: float = 10.0           # tokens per second after the motion encoder (30: every frame is a token)
    rotary: bool = True                 # positions in seconds in all attention
    self_attention_from: int = 1        # from this level down, also attend among latents; 9: nowhere
    cross_levels: int = 9               # levels from the top that attend at all; below them residual blocks only
    rhythm: bool = True                 # the rhythm curve joins the input frame by frame
    schedule: str = "cosine"
    prediction: str = "v"
    zero_snr: bool = False
    min_snr: float = 5.0                # min-SNR weight, 0: none
    high_noise: float = 0.0  # part of the items with t from the noisier half, where a window's mix is settled
    level: float = 0.0                  # weight of the error of a window's mean over time, beside that of every frame
    window: int = 64                    # latent frames
    latent: int = 64
    latent_height: int = 1              # dims 2: height of the latent image
    downsample: int = 4                 # mel frames per latent frame
    mel_frames: int = 256               # mel frames of a window (paper: 5 s = 216 padded to 224)
    sliced: bool = False                # pieces are cut into windows, each a picture under its own maximum
    centred: bool = True                # motion of a window stands at xy = 0 facing -y; False: where the clip has it
    scale: str = "standard"             # motion features: standard (zero mean, unit spread) | minmax (0..1, clipped)
    betas: tuple = (0.9, 0.99)          # of AdamW
    weight_decay: float = 1e-2          # of AdamW, on matrices
    drop_motion: float = 0.2
    drop_rhythm: float = 0.15
    drop_genre: float = 0.1
    timbre: int = 0                     # coordinates of the code of a piece's timbre; 0: none
    drop_timbre: float = 0.15
    drop_all: float = 0.1
    unreliable_beats: float = 0.3       # curves of clips whose beat confidence is below this are dropped
    captured: float = 0.25              # share of captured dances in a batch from a flat corpus
    batch: int = 32
    lr: float = 4e-4
    ema: float = 0.999
    vae: str = ""                       # run folder or checkpoint file of the VAE (training only)
    latent_mean: list = field(default_factory=list)     # (latent,) measured on the training split
    latent_std: list = field(default_factory=list)      # (latent,)
    motion_mean: list = field(default_factory=list)     # (360,) of minmax the least value
    motion_std: list = field(default_factory=list)      # (360,) of minmax the range
    genres: list = field(default_factory=lambda: list(GENRES))

    def __post_init__(self):
        self.widths, self.betas = tuple(self.widths), tuple(self.betas)
        if self.scale not in ("standard", "minmax"):
            raise ValueError(f"scale is standard or minmax, not {self.scale!r}")
        if self.timbre and not self.memory:
            raise ValueError("a timbre code needs condition tokens (memory)")

    @property
    def seconds_per_latent(self):
        """Seconds one latent frame covers."""
        return self.downsample / FRAME_RATE

    @property
    def window_seconds(self):
        """Seconds a window covers."""
        return self.mel_frames / FRAME_RATE


VAE_RELEASE = VAEConfig(linear=True)
VAE_PAPER = VAEConfig(dims=2, widths=(128, 256, 512, 512), latent=1, mel="image", frames=224, batch=8, lr=1e-4,
                      ema=0.9999, kl=1e-6, difference=0.0, adversarial=0.5, matching=0.0, adversarial_from=0.5,
                      discriminator=64, gain_db=0.0)
VAE_TINY = VAEConfig(linear=True, widths=(16, 16, 16), blocks=1, latent=8, frames=64, batch=4, discriminator=4, ema=0.9)

RELEASE = DenoiserConfig(timbre=16, min_snr=0.0, high_noise=0.3, level=4.0)
PAPER = DenoiserConfig(dims=2, widths=(128, 256, 512), blocks=2, heads=8, memory=0, motion_rate=30.0, rotary=False,
                       self_attention_from=9, rhythm=False, schedule="scaled_linear", prediction="eps", min_snr=0.0,
                       window=28, latent=1, latent_height=32, downsample=8, mel_frames=224, drop_motion=0.0,
                       drop_rhythm=0.0, drop_genre=0.0, drop_all=0.1, betas=(0.9, 0.999), batch=8, lr=1e-4, ema=0.9999,
                       sliced=True)
# What their released code does where it differs from their text (the table in models/music_ldm/__init__.py).
PAPER_CODE = replace(PAPER, widths=(128, 256, 512, 512), self_attention_from=0, cross_levels=3, schedule="linear",
                     window=32, mel_frames=256, drop_all=0.0, centred=False, scale="minmax", betas=(0.95, 0.999),
                     weight_decay=1e-6)
TINY = DenoiserConfig(widths=(16, 16, 16), heads=2, memory=16, timbre=4, min_snr=0.0, high_noise=0.3, level=4.0,
                      latent=8, window=64, batch=4, ema=0.9)

CONFIGS = {
    "vae": {"release": VAE_RELEASE, "paper": VAE_PAPER, "tiny": VAE_TINY,
            "paper_code": replace(VAE_PAPER, frames=256),
            "tiny-paper": replace(VAE_PAPER, widths=(4, 4, 4, 4), blocks=1, batch=2, discriminator=4, ema=0.9),
            "no-adversary": replace(VAE_RELEASE, adversarial=0.0, matching=0.0),
            "no-linear": replace(VAE_RELEASE, linear=False),
            "sharpen": replace(VAE_RELEASE, adversarial_from=0.0, kl=0.0, lr=2e-4)},
    "denoiser": {"release": RELEASE, "paper": PAPER, "paper_code": PAPER_CODE, "tiny": TINY,
                 "tiny-paper": replace(PAPER, widths=(8, 8, 8), blocks=1, heads=2, batch=2, ema=0.9),
                 "tiny-paper-code": replace(PAPER_CODE, widths=(8, 8, 8, 8), blocks=1, heads=2, batch=2, ema=0.9,
                                            window=28, mel_frames=224),
                 "eps": replace(RELEASE, prediction="eps"), "x0": replace(RELEASE, prediction="x0"),
                 "no-rhythm": replace(RELEASE, rhythm=False), "no-rotary": replace(RELEASE, rotary=False),
                 "no-timbre": replace(RELEASE, timbre=0)},
}
assert BANDS == 256
