"""FID_k, FID_g, Div_k, Div_g and PFC of full-body dance in the protocol of AIST++ evaluations (systems.md 10.3,
10.4)."""
import numpy as np

from models.lab.metrics.frechet import diversity, frechet_distance, z_score
from models.lab.metrics.kinetic import kinetic
from models.lab.metrics.manual import manual
from models.lab.metrics.motion import pfc

FEATURE_FPS = 60.0


def dance_features(motion):
    """{"k": (72,) kinetic, "g": (32,) manual} of a `Motion`: joint positions at 60 fps, y up, the first root
    subtracted."""
    positions = upright(motion.resampled(FEATURE_FPS).positions())
    return {"k": kinetic(positions), "g": manual(positions)}


def upright(positions):
    """Positions (..., 3), z up and facing -y, as the published extractors take them: y up, facing z."""
    return np.stack([positions[..., 0], positions[..., 2], -positions[..., 1]], axis=-1)


def dance_report(generated, real):
    """FID_k, FID_g, Div_k, Div_g (real and generated) and PFC of two lists of `Motion`s.

    Features are z-scored by the real ones. The distances are strongly biased by the number of clips, so both lists are
    cut to the same length, which is returned as "clips". Raises ValueError with fewer than two clips a side.
    """
    count = min(len(generated), len(real))
    if count < 2:
        raise ValueError("Frechet distances of dances need two clips or more on each side")
    sets = [[dance_features(motion) for motion in clips[:count]] for clips in (generated, real)]
    out = {"clips": count, "pfc": pfc([motion.resampled(30.0).positions() for motion in generated[:count]]),
           "pfc_real": pfc([motion.resampled(30.0).positions() for motion in real[:count]])}
    for kind in ("k", "g"):
        found, true = (np.stack([features[kind] for features in clips]) for clips in sets)
        found, true = z_score(found, true), z_score(true, true)
        out[f"fid_{kind}"] = frechet_distance(found, true)
        out[f"div_{kind}"], out[f"div_{kind}_real"] = diversity(found), diversity(true)
    return out
