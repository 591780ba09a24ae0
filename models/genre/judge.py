"""The classifiers as judges: probabilities, accuracy, `genre_kld_own`."""
import numpy as np
import torch

from core import checkpoints
from core.contract import GENRES
from models.genre.config import GenreConfig
from models.genre.features import audio_features, motion_features
from models.genre.network import GenreNetwork


class GenreJudge:
    """`GenreJudge("audio")(samples, rate)` or `GenreJudge("motion")(motion)` -> (10,) probabilities in `GENRES`
    order."""

    def __init__(self, part, folders=None):
        found = checkpoints.find("genre", part, folders)
        self.part, self.sha256 = part, found.sha256
        config = GenreConfig(**{k: v for k, v in found.config.items() if k in GenreConfig.__dataclass_fields__})
        self.network = GenreNetwork(config).eval()
        self.network.load_state_dict(checkpoints.load_state(found))

    @torch.no_grad()
    def __call__(self, *clip):
        features = audio_features(*clip) if self.part == "audio" else motion_features(*clip)
        return self.network(torch.from_numpy(features)[None])[0].softmax(0).numpy()


def genre_report(probabilities, genres):
    """Accuracy, per-genre accuracy, and `genre_kld_own`: KL(label || p) with the label smoothed to 0.95, mean in nats.

    probabilities: (N,10); genres: N slugs. The direction and smoothing are ours (the paper states neither).
    """
    probabilities = np.clip(np.asarray(probabilities, float), 1e-6, 1)
    index = np.array([GENRES.index(g) for g in genres])
    target = np.full(probabilities.shape, 0.05 / (len(GENRES) - 1))
    target[np.arange(len(index)), index] = 0.95
    right = probabilities.argmax(1) == index
    return {"accuracy": float(right.mean()),
            "genre_kld_own": float((target * np.log(target / probabilities)).sum(1).mean()),
            "per_genre": {g: float(right[index == i].mean()) for i, g in enumerate(GENRES) if (index == i).any()}}
