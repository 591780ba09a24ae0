"""Configurations of the beat networks; `release` is what ships, `wide` a larger one, `tiny` is for tests."""
from dataclasses import asdict, dataclass

BODY_FPS = 30.0                 # Hz, as every model of Baton
MUSIC_RATE = 22_050             # Hz
MUSIC_HOP = 441                 # samples: exactly 50 frames a second
MUSIC_FPS = MUSIC_RATE / MUSIC_HOP
MUSIC_FFT = 1024                # samples: 46 ms
MUSIC_BANDS = 80
BODY_CHANNELS = 166             # see features.body_features
JITTER = 0.02                   # s: beats that are found are not written ones
COPIES = 3                      # of a training piece's bars: one with beats as written, the others with jittered ones
# How flat corpora keep music: log-mel in steps of its natural log from a lowest value, chroma in steps of a share.
LOGMEL_STEP, LOGMEL_LOWEST, CHROMA_STEPS = 0.15, -7.0, 31.0


@dataclass(frozen=True)
class RhythmConfig:
    """One network (kind is "body" or "music") and the batches it is trained on."""

    kind: str                   # "body" or "music"
    in_channels: int            # feature channels per frame
    fps: float                  # frames per second of features and outputs
    width: int = 96             # channels of the trunk
    kernel: int = 5             # taps of each dilated convolution
    blocks: int = 9             # dilations 1, 2, 4 ... 2^(blocks-1)
    dropout: float = 0.1        # of whole channels, in training
    window: int = 384           # frames of a training crop
    batch: int = 16             # crops of a step
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    phase_weight: float = 1.0   # of the phase loss
    downbeat_weight: float = 0.7
    sway: float = 0.15          # deepest rubato put into training crops, of log tempo
    keep: float = 0.0           # share of the released network's word in the targets of all but recorded pieces
    kinds: str = ""             # kinds of pieces that a flat corpus is used for, joined by commas; all when empty
    # Of the larger network alone (`models.rhythm.wide`), which has `blocks` before its trunk and as many after it.
    layers: int = 0             # of the trunk, each a dilated convolution and an attention; none: the smaller network
    wide: int = 192             # channels of the trunk
    pace: int = 4               # frames to one place of the trunk
    heads: int = 6              # of each attention
    sight: int = 128            # places on either side that are attended to

    def to_json(self):
        """A JSON-ready dict; `RhythmConfig(**it)` is the inverse."""
        return asdict(self)


def rhythm_config(part, name="release"):
    """The configuration `name` of a part: "release", "paper" (the same: no paper prescribes one), "wide" (larger),
    "tiny" or "tiny-wide"."""
    base = {"body": dict(kind="body", in_channels=BODY_CHANNELS, fps=BODY_FPS, window=384, dropout=0.15),
            "music": dict(kind="music", in_channels=MUSIC_BANDS, fps=MUSIC_FPS, window=640)}[part]
    if name == "tiny":
        base = {**base, "width": 24, "blocks": 6, "window": 192, "batch": 8}
    elif name == "wide":
        base = {**base, "blocks": 3, "layers": 6, "window": 1536, "batch": 64, "learning_rate": 1e-3, "dropout": 0.15}
    elif name == "tiny-wide":
        base = {**base, "width": 24, "blocks": 2, "layers": 3, "wide": 32, "heads": 2, "sight": 24, "window": 192,
                "batch": 8}
    elif name not in ("release", "paper"):
        raise ValueError(f"configuration is release, paper, wide, tiny or tiny-wide, not {name!r}")
    return RhythmConfig(**base)
