"""Settings of both stages. `paper` is the published system, `release` the shipped one, `tiny` for tests."""
from dataclasses import dataclass, field, replace

import numpy as np

from core.contract import PLAIN_METRES as METRES  # what the metre one-hot of the first checkpoints can name
from models.conductor.focus import CHANNELS as FOCUS_CHANNELS

MEL_RATE = 90               # Hz, mel frames
FPS = 30                    # Hz, motion frames; every third mel frame after the music encoder
STROKES = (1, 2, 3, 4, 6, 9)        # strokes a bar that a beat pattern has
# smpl24 models the root position and these joints (SMPL numbers: pelvis, spine, neck, head, collars, arms, hands).
# Legs are no rotations: they hang by two-bone IK between the pelvis and the feet. smpl24 has no feet, so they stand
# where the mean pose puts them (features.stand); smpl24_feet adds FOOT values a foot (legs.py): ball xyz, sin and cos
# of its yaw, pitch, contact, so that a foot on the floor is a constant and can be held there exactly.
FOOT = 7
MOVING = (0, 3, 6, 9, 12, 15, 13, 14, 16, 17, 18, 19, 20, 21, 22, 23)
CHANNELS = {"keypoints13": 26, "smpl24": 3 + 6 * len(MOVING), "smpl24_feet": 3 + 6 * len(MOVING) + 2 * FOOT}


@dataclass(frozen=True)
class EncoderConfig:
    """Stage 1, M2S-Net (paper section "Contrastive pre-training"; sizes of the published code)."""

    bands: int = 128                    # mel bands
    mel_rate: int = MEL_RATE            # Hz of the mel: 90 (published) or the motion's 30
    context: tuple = ()                 # dilations of the temporal convolutions after both encoders (published: none)
    music_widths: tuple = (16, 32, 32)  # channels of the three 2D-convolution blocks
    motion_width: int = 32              # channels of the ST-GCN
    motion_blocks: int = 10
    features: int = 64                  # channels of both outputs, at 30 Hz
    clip_seconds: float = 10.0          # a training clip
    negatives: str = "mixed"            # easy | hard | super-hard | mixed (one of the three per item)
    batch: int = 10
    easy_steps: int = 100               # the first steps see easy negatives only (published: the first epoch)
    learning_rate: float = 1e-3


@dataclass(frozen=True)
class ConductorConfig:
    """Stage 2, the denoiser, with the stage 1 it stands on."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    stage1: str = ""                    # training only: run folder of stage 1, or empty for the shipped checkpoint
    start: str = ""                     # training only: run folder whose averaged weights and statistics are the start
    encoder_trained: str = "frozen"     # frozen (contrastive) | scratch (trained with the denoiser: the ablation)
    representation: str = "keypoints13"  # keypoints13 (26 channels) | smpl24 (99) | smpl24_feet (113)
    metres: tuple = METRES              # what the metre one-hot can name
    rhythm: bool = False                # rhythm curve, bar phase and metre as conditions
    level: bool = False                 # track-relative loudness as a condition
    focus: bool = False                 # who plays as a condition (models.conductor.focus)

    trunk: str = "transformer"          # transformer (published) | unet (convolutions at three rates: the ablation)
    layers: int = 8                     # of the transformer
    width: int = 128
    heads: int = 8
    ffn: int = 64                       # narrower than the width, as published
    style: int = 512                    # width of time + music embedding per frame
    patch: int = 1                      # frames per token
    kernel: int = 1                     # depth-wise convolution over tokens inside the feed-forward; 1 = none
    condition_at_input: bool = False    # add the condition to the tokens too, not only as style and memory
    dropout: float = 0.0

    window: int = 900                   # frames of a training crop and of a sampling window
    overlap: int = 150                  # frames shared by neighbouring sampling windows
    timesteps: int = 1000               # linear betas 1e-4 .. 0.02
    prediction: str = "x0"              # x0 | eps
    steps: int = 1000                   # DDIM steps at Normal quality
    guidance_scale: float = 1.0         # default of `generate`
    spread: tuple = ()                  # (joint, gain), ...: a calm that sampling takes back (`spread_of`)
    smooth: bool = False  # Savitzky-Golay on the result, as the published rendering does (controls.smoothed)

    frame_dropout: float = 0.1          # the paper's random mask: single frames of the music condition set to 0
    null_dropout: float = 0.1           # whole condition replaced by the learned null token (classifier-free guidance)
    music_dropout: float = 0.0          # the music features of a whole crop set to 0, level and rhythm kept
    music_gain: float = 0.0             # sigma of a random log gain on them: sounds outside the corpus come out louder
    rhythm_dropout: float = 0.15        # whole rhythm curve unknown
    metre_dropout: float = 0.15         # beats known, downbeats and metre unknown
    focus_dropout: float = 0.25         # nobody knows who plays
    beat_jitter: float = 0.010          # s, sigma of the error put on beat times in half of the training crops
    lead_shift: int = 3                 # frames the sound slips against motion and curve: the curve sets the timing

    weight_velocity: float = 0.1
    weight_acceleration: float = 0.0    # squared error of second differences: quiets channels that should hardly move
    weight_head: float = 0.1            # keypoints13 only: steadies the five head points
    weight_hands: float = 0.0           # smpl24 only: wrists and hands by forward kinematics, in metres
    weight_elbow: float = 0.0           # elbow reward -w min(v, cap), v in standardised units; off by default
    elbow_cap: float = 0.05

    batch: int = 32
    learning_rate: float = 2e-4
    clip: float = 0.5

    @property
    def channels(self):
        """Channels of one motion frame."""
        return CHANNELS[self.representation]

    @property
    def condition_size(self):
        """Channels of the condition per frame: music, level (2), rhythm curve (5) + bar phase (3) + metre and
        unknown, focus (3)."""
        return (self.encoder.features + 2 * self.level + (9 + len(self.metres)) * self.rhythm
                + FOCUS_CHANNELS * self.focus)

    @classmethod
    def from_json(cls, data):
        """The config of a checkpoint's header (`dataclasses.asdict` through JSON)."""
        data = {**data, "encoder": encoder_config(data["encoder"])}
        for name in ("metres", "spread"):
            if name in data:
                data[name] = tuple(map(tuple, data[name]) if name == "spread" else data[name])
        return cls(**data)


def spread_of(config):
    """(C,) gains of the channels about their mean when motion is sampled: 1, or `config.spread` in all six of a joint.

    Networks come out calmer than their corpus. Released gains are the studio's spread in time over the network's, on
    the valid split.
    """
    gains = np.ones(config.channels, dtype=np.float32)
    for joint, gain in config.spread:
        first = 3 + 6 * MOVING.index(joint)
        gains[first:first + 6] = gain
    return gains


def encoder_config(data):
    """An `EncoderConfig` from a dict or from itself."""
    if isinstance(data, EncoderConfig):
        return data
    return EncoderConfig(**{**data, **{name: tuple(data[name]) for name in ("music_widths", "context")
                                       if name in data}})


PAPER = ConductorConfig()

# The first released pair of networks: published mel, standing legs. Their checkpoints still load; the ablations are of
# it.
FIRST = ConductorConfig(
    encoder=EncoderConfig(music_widths=(8, 16, 32), clip_seconds=5.0, batch=8),     # a third of the published cost
    representation="smpl24", rhythm=True, level=True,
    layers=4, width=160, heads=8, ffn=320, style=160, patch=2, kernel=7, condition_at_input=True,
    window=240, overlap=60, steps=20, guidance_scale=2.0,
    weight_velocity=1.0, weight_acceleration=2.0, weight_head=0.0, weight_hands=0.5, smooth=True,
    music_dropout=0.15, music_gain=0.3, batch=12, learning_rate=1e-3, clip=1.0)

RELEASE = replace(
    FIRST, encoder=EncoderConfig(bands=64, mel_rate=FPS, music_widths=(16, 32, 64), context=(1, 2, 4, 8),
                                 motion_blocks=6, clip_seconds=10.0, batch=48, easy_steps=150, learning_rate=2e-3),
    representation="smpl24_feet", metres=STROKES, focus=True, layers=6, width=256, ffn=512, style=256, window=300,
    overlap=60, steps=10, batch=96, learning_rate=1.5e-3)

# For tests: the first pair's recipe, and (tiny-feet) the released one's.
TINY = replace(
    FIRST, encoder=EncoderConfig(music_widths=(4, 4, 4), motion_width=8, motion_blocks=2, features=8, clip_seconds=2.0,
                                 batch=4),
    layers=2, width=16, heads=2, ffn=16, style=16, window=60, overlap=20, steps=4, batch=4)
TINY_FEET = replace(TINY, encoder=replace(TINY.encoder, bands=64, mel_rate=FPS, context=(1, 2)),
                    representation="smpl24_feet", metres=STROKES, focus=True)

TINY_PAPER = replace(TINY, representation="keypoints13", rhythm=False, level=False, weight_hands=0.0,
                     weight_acceleration=0.0, weight_head=0.1, smooth=False, guidance_scale=1.0)

# The paper's experiments at one small budget (`models.lab.evaluation.conductor.ablations`): each an override of the
# same small model.
_SMALL = replace(FIRST, layers=2, width=96, style=96, ffn=192, batch=6)
_BARE = replace(_SMALL, weight_velocity=0.0, weight_acceleration=0.0, weight_hands=0.0)  # eps and x0 with one loss term
_PAIR = replace(_SMALL, window=160)  # training an encoder too costs ten times a step: shorter windows
ABLATIONS = {
    "ablation-base": _SMALL,  # masking 0.1, velocity loss, no elbow reward, contrastive encoder
    "ablation-x0": _BARE, "ablation-eps": replace(_BARE, prediction="eps"),
    **{f"ablation-mask-{share:g}": replace(_SMALL, frame_dropout=share) for share in (0.0, 0.05, 0.2, 0.3)},
    "ablation-no-velocity": replace(_SMALL, weight_velocity=0.0, weight_acceleration=0.0),
    "ablation-elbow": replace(_SMALL, weight_elbow=0.1),
    "ablation-contrastive": _PAIR, "ablation-scratch": replace(_PAIR, encoder_trained="scratch"),
    "ablation-no-rhythm": replace(_SMALL, rhythm=False),
    "ablation-keypoints13": replace(_SMALL, representation="keypoints13", weight_hands=0.0),
}

# The questions those rows left open, asked of the released recipe made small
# (`models.lab.evaluation.conductor.questions`).
_ASKED = replace(RELEASE, layers=2, width=96, style=96, ffn=192, window=180, batch=6, learning_rate=1e-3)
_PLAIN = replace(_ASKED, weight_velocity=0.0, weight_acceleration=0.0, weight_hands=0.0)
# As published: the music's features are all that is known of it, so the mask is all that is taken away of them.
_UNCLOCKED = replace(_ASKED, rhythm=False, level=False, music_dropout=0.0, music_gain=0.0)
# Arms of the studio's conductors have 0.028 (0.013 to 0.076) in ten pieces, an estimate over all noise levels 0.021
# after 300 steps. Weighed so, the reward is worth more than the velocity loss costs: it pulls up to the end under the
# high cap, and is met by the low one early on. The 0.1 of `ablation-elbow` was a tenth of that.
_REWARDED = replace(_ASKED, weight_elbow=1.0, elbow_cap=0.04)
QUESTIONS = {
    "question-base": _ASKED, "question-unet": replace(_ASKED, trunk="unet"),
    **{f"question-unclocked-mask-{share:g}": replace(_UNCLOCKED, frame_dropout=share) for share in (0.0, 0.1, 0.3)},
    "question-elbow": _REWARDED, "question-elbow-low": replace(_REWARDED, elbow_cap=0.012),
    "question-x0": _PLAIN, "question-eps": replace(_PLAIN, prediction="eps"),
}

CONFIGS = {"encoder": {"paper": PAPER.encoder, "release": RELEASE.encoder, "first": FIRST.encoder, "tiny": TINY.encoder,
                       "tiny-feet": TINY_FEET.encoder},
           "denoiser": {"paper": PAPER, "release": RELEASE, "first": FIRST, "tiny": TINY, "tiny-feet": TINY_FEET,
                        "tiny-paper": TINY_PAPER, **ABLATIONS, **QUESTIONS}}
