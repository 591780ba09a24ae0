"""Configurations of the two genre classifiers."""
from dataclasses import dataclass


@dataclass
class GenreConfig:
    """One classifier: convolutional blocks over time, mean and max pooling, a linear layer."""

    channels: int               # input channels: mel bands, or motion features
    width: int = 96
    blocks: int = 4             # each halves the time axis
    crop_seconds: float = 10.0
    rate: float = 30.0          # frames a second of the features
    dropout: float = 0.2
    batch: int = 32


CONFIGS = {
    "audio": {"release": GenreConfig(64, rate=48_000 / 2048),
              "tiny": GenreConfig(64, 16, 2, 3.0, 48_000 / 2048, batch=4)},
    "motion": {"release": GenreConfig(24 * 9, width=128), "tiny": GenreConfig(24 * 9, 16, 2, 3.0, batch=4)},
}
