"""Music of the studio: `compose` a plan into a score, `render` the score into sound."""
import numpy as np

from models.lab.studio.composer_dance import compose_dance
from models.lab.studio.composer_orchestra import compose_orchestra
from models.lab.studio.render import render_score


def compose(plan):
    """Score of a plan (dance or conducting); the same plan gives the same score."""
    return compose_dance(plan) if plan.kind == "dance" else compose_orchestra(plan)


def render(score, plan, rate=48000):
    """(2, N) float32 in -1..1, N = round(plan.duration * rate)."""
    audio = render_score(score, rate)
    samples = int(round(plan.duration * rate))
    return np.pad(audio, ((0, 0), (0, max(0, samples - audio.shape[1]))))[:, :samples]
