"""Settings of the three parts. `paper` as published, `release` what ships, `tiny` for tests, `ablation-*` at a small
budget."""
from dataclasses import dataclass, replace

from core.contract import GENRES

MEL_FPS, BANDS = 30, 64                     # Hz and bands of the log-mel
BASE_FPS, FULL_FPS = 15, 60
RATIO = FULL_FPS // BASE_FPS
# The style token. Captures have names of their own, so that the studio's "break" and a person's are told apart.
STYLES = (*GENRES, "salsa", "indian", "breakdance", "modern", "mj", "freestyle")
RHYTHM_SIZE = 8                             # rhythm curve (5), cos, sin and known-flag of the phase in the bar
ENERGY_SIZE = 2                             # energy, known-flag


@dataclass(frozen=True)
class EncoderConfig:
    """Alignment stage: a music and a motion encoder, an adapter, InfoNCE."""

    width: int = 128                        # channels of the music encoder's convolutions
    blocks: int = 4
    motion_width: int = 128
    motion_blocks: int = 2
    kernel: int = 5
    adapter: int = 512                      # hidden width of the two-layer MLP after the music encoder
    embedding: int = 128
    pool: str = "frame"  # frame: mean over time of the cosine per frame | clip: cosine of the means over time
    hard: bool = True                       # two clips of each piece in a batch: the other one is a negative too
    clip_seconds: float = 6.0
    motion_fps: int = BASE_FPS              # Hz of the motion that is compared with the music: 15 or 30
    temperature: float = 0.07
    batch: int = 128
    learning_rate: float = 1e-3


@dataclass(frozen=True)
class CascadeConfig:
    """Base (15 fps, from noise) or super-resolution (60 fps, `low` is the base's motion)."""

    fps: int = BASE_FPS
    low: bool = False                       # conditioned on a base, linearly up-sampled x4
    low_noise: float = 0.0                  # largest sigma of the noise added to it in training, standardised units
    low_noise_sampling: float = 0.0         # and the one it gets when sampling

    encoder: str = ""                       # training only: run folder of the encoder; empty: the shipped checkpoint
    music: str = "aligned"                  # aligned (frozen encoder) | scratch (trained with the denoiser) | none
    music_size: int = 128                   # channels of the music embedding
    attention: bool = False                 # music by cross-attention; else by FiLM, frame by frame
    rhythm: bool = True
    energy: bool = True
    style: bool = True

    layers: int = 7
    width: int = 384
    heads: int = 8
    ffn: int = 1024
    condition: int = 256                    # width of the embedded condition
    kernel: int = 5                         # depth-wise convolution over tokens in the feed-forward; 1 = none
    patch: int = 1                          # frames per token
    dropout: float = 0.0

    window: int = 300                       # frames of a training crop and of a sampling window
    overlap: int = 90                       # frames shared by neighbouring sampling windows
    timesteps: int = 100
    schedule: str = "cosine"
    steps: int = 10                         # sampling steps at Normal quality
    sampler: str = "dpmpp_2m"
    guidance_scale: float = 2.5
    beat_guidance: float = 3.0              # of the rhythm alone, on top of it (base only)
    guided: bool = False                    # answers as these two guidances do, in one pass
    teacher: str = ""                       # sha256 of the base that taught it; in training, a folder it lies in

    null_dropout: float = 0.1               # whole condition replaced by a learned one (classifier-free guidance)
    music_dropout: float = 0.15             # music alone unknown: the beats then say all there is
    rhythm_dropout: float = 0.15
    bar_dropout: float = 0.15               # beats known, downbeats unknown
    energy_dropout: float = 0.5             # unknown is what most users ask for
    style_dropout: float = 0.1
    beat_jitter: float = 0.012              # s, sigma of the error of beat times in half of the crops
    beat_shift: float = 0.015               # s, sigma of an error common to all beats of a crop
    music_slip: int = 2  # motion frames the music slips against motion and beats: the beats set the timing

    decay: float = 0.1                      # alpha of w(t) = exp(-alpha t); 0: no timestep-dependent weight
    weight_velocity: float = 1.0            # frame differences, standardised; at every t
    weight_acceleration: float = 0.0        # second differences, standardised; at every t
    weight_position: float = 1.0            # key joints by forward kinematics; l1 of the paper
    weight_step: float = 1.0                # velocity of key joints over the floor; l2
    weight_rotation: float = 1.0            # rotation excess; l3
    weight_contact: float = 1.0             # planted feet (after EDGE; not in the paper)

    capture_share: float = 0.5              # of the crops come from captures, where the corpus has some
    batch: int = 64
    learning_rate: float = 6e-4

    @property
    def condition_size(self):
        """Channels of the condition of a frame, style token apart."""
        return self.music_size * (self.music != "none") + RHYTHM_SIZE * self.rhythm + ENERGY_SIZE * self.energy


# The published sizes: 12 layers, width 768, 6 heads; 20 s; one clip embedding per frame by attention, no rhythm, no
# style.
PAPER_ENCODER = EncoderConfig(width=512, blocks=4, motion_width=512, motion_blocks=4, embedding=512, pool="clip",
                              hard=False, motion_fps=MEL_FPS, batch=64, learning_rate=1e-5)
PAPER = CascadeConfig(music_size=512, attention=True, rhythm=False, energy=False, style=False, layers=12, width=768,
                      heads=6, ffn=3072, condition=768, kernel=1, dropout=0.1, overlap=150, steps=100, sampler="ddpm",
                      music_dropout=0.0, music_slip=0, weight_velocity=0.0, weight_contact=0.0, batch=32,
                      learning_rate=1e-4)
PAPER_SR = replace(PAPER, fps=FULL_FPS, low=True, low_noise=0.5, low_noise_sampling=0.1, window=1200, overlap=600,
                   batch=8)

RELEASE_ENCODER = EncoderConfig()
RELEASE = CascadeConfig(weight_velocity=2.0)
RELEASE_SR = CascadeConfig(
    fps=FULL_FPS, low=True, low_noise=0.5, low_noise_sampling=0.1, music="none", energy=False,
    layers=5, width=192, heads=6, ffn=512, condition=128, kernel=7, patch=2, window=240, overlap=64, steps=3,
    guidance_scale=1.0, weight_velocity=2.0, weight_acceleration=2.0, capture_share=0.7, batch=96, learning_rate=1e-3)

# The base once more, taught what guidance makes of it (models/dance_cascade/distil.py).
RELEASE_GUIDED = replace(RELEASE, guided=True, null_dropout=0.0, music_dropout=0.05, rhythm_dropout=0.1,
                         energy_dropout=0.1, batch=8, learning_rate=2e-4)

TINY_ENCODER = EncoderConfig(width=16, blocks=1, motion_width=16, motion_blocks=1, adapter=16, embedding=8,
                             clip_seconds=2.0, batch=8)
TINY = replace(RELEASE, music_size=8, layers=2, width=32, heads=2, ffn=32, condition=16, window=60, overlap=20, steps=3,
               batch=4)
TINY_SR = replace(RELEASE_SR, layers=2, width=32, heads=2, ffn=32, condition=16, window=80, overlap=20, steps=2,
                  batch=4)
_TINY_SIZES = dict(music_size=8, layers=1, width=32, heads=2, ffn=32, condition=16, overlap=20, steps=3, batch=2)
TINY_PAPER_ENCODER = replace(PAPER_ENCODER, width=16, blocks=1, motion_width=16, motion_blocks=1, adapter=16,
                             embedding=8, clip_seconds=2.0, batch=4)
TINY_PAPER = replace(PAPER, window=60, **_TINY_SIZES)
TINY_PAPER_SR = replace(PAPER_SR, window=80, **_TINY_SIZES)

# Trained rows at one small budget, each an override of the same small base (evaluation:
# models/lab/evaluation/dance_cascade).
_SMALL = replace(RELEASE, layers=4, width=192, ffn=512, condition=128, batch=48)
ABLATIONS = {
    "ablation-base": _SMALL,
    "ablation-no-alignment": replace(_SMALL, music="scratch"),
    "ablation-no-music": replace(_SMALL, music="none"),
    "ablation-no-decay": replace(_SMALL, decay=0.0),
    "ablation-no-position": replace(_SMALL, weight_position=0.0),
    "ablation-no-step": replace(_SMALL, weight_step=0.0),
    "ablation-no-rotation": replace(_SMALL, weight_rotation=0.0),
    "ablation-no-contact": replace(_SMALL, weight_contact=0.0),
    "ablation-one-stage": replace(_SMALL, fps=30, window=600, overlap=180, patch=2),
    "ablation-attention": replace(_SMALL, attention=True),
    "ablation-no-rhythm": replace(_SMALL, rhythm=False),
}

CONFIGS = {"encoder": {"paper": PAPER_ENCODER, "release": RELEASE_ENCODER, "tiny": TINY_ENCODER,
                        "tiny-paper": TINY_PAPER_ENCODER},
           "base": {"paper": PAPER, "release": RELEASE, "tiny": TINY, "tiny-paper": TINY_PAPER, **ABLATIONS},
           "guided": {"release": RELEASE_GUIDED,
                      "tiny": replace(TINY, guided=True, null_dropout=0.0, rhythm_dropout=0.1, batch=4)},
           "super_resolution": {"paper": PAPER_SR, "release": RELEASE_SR, "tiny": TINY_SR,
                                 "tiny-paper": TINY_PAPER_SR}}
