"""Configurations of MoMu: the motion VAE, the two diffusion transformers, what reads their latents.

`release` is what is shipped; `paper` is the model as printed, without rhythm curve, style and code; `tiny` is for
tests; the others are ablations of `release`.
"""
from dataclasses import dataclass, field, replace

from core.audio.mel import FRAME_RATE
from core.contract import GENRES

RHYTHM_CHANNELS = 5
DOWNSAMPLE = 4                      # frames of the clock per latent
LATENT_RATE = FRAME_RATE / DOWNSAMPLE           # Hz, 10.77: that of the music VAE
LATENT = 64                         # channels of a latent, the same for both: the paper's d


@dataclass
class MotionVAEConfig:
    """Motion on the music's clock, (B, T, 152) <-> latents (B, 64, T / 4), T frames of 43.07 Hz."""

    widths: tuple = (128, 160, 224)     # channels per level; each next level halves time
    blocks: int = 2                     # residual blocks per level
    latent: int = LATENT
    frames: int = 256                   # clock frames of a training crop: 5.9 s
    batch: int = 128
    lr: float = 1e-3
    ema: float = 0.998
    captured: float = 0.35              # part of the crops that come from recordings
    kl: float = 3e-4                    # paper's l3, mean over latent elements
    position: float = 5.0               # weight of joint distances under the root (m)
    velocity: float = 0.5               # weight of the error of joint velocities over the floor (m/s)
    foot: float = 2.0                   # weight of the speed of feet that stand (m/s)
    contrast: float = 0.05              # paper's l4
    directions: bool = False            # directions of bones in the place of rotations, an ablation (directions.py)
    heads: bool = True  # compare through one linear map a side; False: the latents themselves, as printed
    tau: float = 0.07
    window_seconds: float = 0.5         # r_e - r_s
    windows: int = 16                   # N_C windows of a sequence
    rhythm_gap: float = 0.25            # windows whose amplitudes differ by more mismatch in rhythm level
    bins: int = 12                      # directions of the directogram, K
    overlap: bool = False               # its bins as printed, twice as wide as they lie apart

    def __post_init__(self):
        self.widths = tuple(self.widths)
        if 2 ** (len(self.widths) - 1) != DOWNSAMPLE:
            raise ValueError(f"three widths give the music's clock, not {len(self.widths)}")

    @property
    def window(self):
        """Latents of a contrast window."""
        return max(1, round(self.window_seconds * LATENT_RATE))


@dataclass
class DiTConfig:
    """One diffusion transformer, eps_a(z_a, t, z_m) or eps_m(z_m, t, z_a), and its training."""

    kind: str = "transformer"           # or "unet", an ablation: `depth` blocks at each of its five stages
    width: int = 256
    depth: int = 6
    heads: int = 4
    hidden: int = 640                   # of the feed-forward layers
    kernel: int = 3                     # of their first layer, a convolution over time (1: none)
    dropout: float = 0.1                # in training, of both sub-layers of a block
    pool: int = 2                       # latents of the other modality per condition token
    frame_wise: bool = True             # the other modality's latents also added frame by frame
    rhythm: bool = True                 # the rhythm curve, frame by frame, and the tempo
    style: bool = True                  # the style token
    code: int = 16                      # coordinates of the code of a whole piece; 0: none
    latent: int = LATENT
    window: int = 128                   # latents that are denoised at once: 11.9 s
    shortest: int = 24                  # latents of the shortest training crop
    schedule: str = "cosine"
    prediction: str = "v"
    high_noise: float = 0.3             # part of the items with t from the noisier half
    level: float = 2.0                  # weight of the error of a crop's mean over time
    condition_noise: float = 0.5        # most noise added to the other modality's latents in training
    drop_other: float = 0.3
    drop_rhythm: float = 0.15
    drop_style: float = 0.1
    drop_code: float = 0.15
    drop_all: float = 0.1
    unreliable_beats: float = 0.3       # curves of pieces whose beat confidence is below this are dropped
    captured: float = 0.35              # part of the crops that come from recordings
    batch: int = 96
    lr: float = 6e-4
    ema: float = 0.998
    motion_vae: str = ""                # run folder or exported file of the motion VAE (training only)
    genres: list = field(default_factory=lambda: list(GENRES))

    @property
    def seconds_per_latent(self):
        """Seconds one latent covers."""
        return 1 / LATENT_RATE

    @property
    def window_seconds(self):
        """Seconds a window covers."""
        return self.window / LATENT_RATE


@dataclass
class TimingConfig:
    """The two readers of the beat in latents (models/momu/timing.py), and their training."""

    width: int = 64
    dilations: tuple = (1, 2, 4, 8, 16)
    dropout: float = 0.15
    latent: int = LATENT
    noise: float = 1.0                  # most noise added to the latents in training: estimates are blurred
    window: int = 128                   # latents of a training crop
    shortest: int = 24
    unreliable_beats: float = 0.3
    captured: float = 0.35
    batch: int = 24
    lr: float = 3e-3
    ema: float = 0.99
    motion_vae: str = ""                # as in `DiTConfig` (training only)
    belongs: str = ""                   # `timing.print_of` the motion VAE that they belong to, found by training

    def __post_init__(self):
        self.dilations = tuple(self.dilations)


@dataclass
class ContrastConfig:
    """The maps of the rhythmic contrast that see some seconds (models/momu/maps.py), and their training."""

    width: int = 64
    kernel: int = 3                     # of the first layer
    dilations: tuple = (1, 2, 4)
    dropout: float = 0.2
    latent: int = LATENT
    reads: int = 64                     # width of the readers' features, which are given; 0: the latents are
    reader_reach: int = 33              # latents that these see on either side
    noise: float = 0.3                  # most noise added to the channels in training
    crop: int = 128                     # latents of a training crop
    tau: float = 0.07                   # this and what follows as in `MotionVAEConfig`
    window_seconds: float = 0.5
    windows: int = 16
    rhythm_gap: float = 0.25
    bins: int = 12
    overlap: bool = False
    captured: float = 0.35
    batch: int = 32
    lr: float = 2e-3
    ema: float = 0.99
    motion_vae: str = ""                # as in `DiTConfig` (training only)
    timing: str = ""                    # run folder or exported file of the readers (training only); "": none
    belongs: str = ""                   # `timing.print_of` the motion VAE and of the readers, found by training

    def __post_init__(self):
        self.dilations = tuple(self.dilations)

    @property
    def channels(self):
        """Channels that a map is given."""
        return self.reads or self.latent

    @property
    def window(self):
        """Latents of a contrast window."""
        return max(1, round(self.window_seconds * LATENT_RATE))

    @property
    def reach(self):
        """Latents on either side of a place that its map sees of what it is given."""
        return self.kernel // 2 + sum(self.dilations)

    @property
    def margin(self):
        """Latents at the ends of a passage that no window may touch: there the readers see padding too."""
        return self.reach + (self.reader_reach if self.reads else 0)


VAE_RELEASE = MotionVAEConfig()
VAE_PAPER = replace(VAE_RELEASE, heads=False, overlap=True, contrast=0.1, kl=1e-6)
VAE_TINY = MotionVAEConfig(widths=(16, 16, 16), blocks=1, frames=64, batch=4, windows=4, ema=0.9)
RELEASE = DiTConfig()
PAPER = DiTConfig(rhythm=False, style=False, code=0, schedule="scaled_linear", prediction="eps", high_noise=0.0,
                  level=0.0, condition_noise=0.0, dropout=0.0, drop_other=0.0, pool=1, lr=1e-4, ema=0.9999)
TINY = DiTConfig(width=32, depth=2, heads=2, hidden=48, code=4, window=32, shortest=12, batch=4, ema=0.9)
TINY_PAPER = replace(PAPER, width=32, depth=2, heads=2, hidden=48, window=32, shortest=12, batch=4, ema=0.9)

CONFIGS = {
    "motion_vae": {"release": VAE_RELEASE, "tiny": VAE_TINY, "paper": VAE_PAPER,
                   "tiny-paper": replace(VAE_TINY, heads=False, overlap=True, contrast=0.1, kl=1e-6),
                   "no-contrast": replace(VAE_RELEASE, contrast=0.0)},
    "contrast": {"release": ContrastConfig(),
                 "tiny": ContrastConfig(width=8, dilations=(1, 2), reads=8, reader_reach=5, crop=40, windows=4, batch=4,
                                        ema=0.9)},
    "timing": {"release": TimingConfig(),
               "tiny": TimingConfig(width=8, dilations=(1, 2), window=32, shortest=12, batch=4, ema=0.9)},
}
for _part in ("music_dit", "motion_dit"):
    _kept = {"code": 0} if _part == "motion_dit" else {}            # the code is of the music's mix
    CONFIGS[_part] = {"release": replace(RELEASE, **_kept), "paper": PAPER, "tiny": replace(TINY, **_kept),
                      "tiny-paper": TINY_PAPER,
                      "eps": replace(RELEASE, prediction="eps", **_kept),
                      "no-rhythm": replace(RELEASE, rhythm=False, **_kept),
                      "tokens-only": replace(RELEASE, frame_wise=False, **_kept)}
