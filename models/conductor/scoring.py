"""Scores of a set of conducting motions against the studio pieces they were made for; used by `evaluate`."""
import numpy as np
import torch

from core.beats import Beats
from core.metrics import conducting as scores
from core.metrics.beat_align import bc_as_published, beat_f1_70ms
from core.metrics.frechet import diversity_as_published, frechet_distance
from core.metrics.motion import foot_slide, jerk, temporal_spread
from models.conductor.config import FPS
from models.conductor.features import keypoints13, motion_vector
from models.data.shards import AUDIO_RATE, Corpus, unpack_motion

SECONDS = 20.0
EDGE_S = 0.1                    # an ictus this close to the ends of a clip cannot be seen


class Piece:
    """20 s of a studio test piece: sound, true motion, true beats of the music, the lead of its conductor."""

    def __init__(self, corpus, index, seconds=SECONDS):
        meta = corpus.meta(index)
        self.duration = min(seconds, meta["duration"])
        self.lead, self.frames = float(meta["lead"]), int(round(self.duration * FPS))
        samples = corpus.array(index, "audio", 0, int(self.duration * AUDIO_RATE)).T.astype(np.float32) / 32768.0
        self.audio = (samples, AUDIO_RATE)
        written = corpus.array(index, "beats")
        self.beats = Beats(written[:, 0], written[:, 1], int(meta["metre"])).within(0.0, self.duration)
        self.motion = unpack_motion(corpus.array(index, "motion_rot6d", 0, self.frames),
                                    corpus.array(index, "motion_root", 0, self.frames))


def studio_pieces(folder, count, split="test", seconds=SECONDS):
    """Up to `count` conducting pieces of a split."""
    corpus = Corpus(folder, split, "conducting")
    return [Piece(corpus, index, seconds) for index in range(min(count, len(corpus)))]


def visible(beats, duration):
    """Beat times (s) well inside the clip."""
    return beats.times[(beats.times > EDGE_S) & (beats.times < duration - EDGE_S)]


def clip_scores(motion, piece, beats, lead, level):
    """Scores of one motion against the piece's true music beats. `beats`: `Beats` of the music; lead (s) asked for."""
    ictus, clock = scores.ictus_times(motion), beats.shifted(-lead)
    height = scores.hand_path(motion)[:, 2]
    drops = scores.strokes(height, clock.times, FPS)
    at = np.clip((beats.times * FPS).astype(int), 0, len(level) - 1)
    correlation, null, high = scores.stroke_loudness_correlation(drops, level[at, 1])
    down, bars = scores.downbeat_is_down(height, clock, FPS)
    return {"ictus_f1": beat_f1_70ms(ictus, visible(clock, piece.duration)), "downbeat_down": down, "bars": bars,
            "bar_variation_m": scores.bar_variation(scores.hand_path(motion), clock, FPS), "stroke_m": mean(drops),
            "loudness_correlation": correlation, "loudness_null": null, "loudness_null_p95": high,
            "jerk": jerk(motion.positions()[:, [20, 21, 22, 23]], FPS), "foot_slide_m": foot_slide(motion.positions(), FPS)[0]}


def row(name, motions, pieces, leads, levels, judge):
    """Means over clips, and the set scores against the corpus. motions: one per piece; leads (s) each was asked for."""
    each = [clip_scores(m, p, p.beats, lead, level) for m, p, lead, level in zip(motions, pieces, leads, levels)]
    result = {"name": name, **{key: mean([clip[key] for clip in each]) for key in each[0]}}
    # Mismatched: the same motions against the beats of another piece.
    others = pieces[1:] + pieces[:1]
    result["ictus_f1_mismatched"] = mean([beat_f1_70ms(scores.ictus_times(m), visible(o.beats.shifted(-lead), o.duration))
                                           for m, o, lead in zip(motions, others, leads)])
    result["ictus_f1_rolled"] = mean([_rolled_f1(m, p, lead) for m, p, lead in zip(motions, pieces, leads)])
    points = [keypoints13(m) for m in motions]
    real = [keypoints13(p.motion) for p in pieces]
    frames = min(len(x) for x in points + real)
    points, real = (np.stack([x[:frames] for x in group]) for group in (points, real))
    flat, flat_real = (x.reshape(len(x), frames, 26) for x in (points, real))
    features, features_real = judge.features(points), judge.features(real)
    low, high = joint_range([p.motion for p in pieces])
    result.update(
        outside_range=mean([_outside(m, low, high) for m in motions]),
        sdp_percent=temporal_spread(list(flat), list(flat_real)), mse=scores.conducting_mse(points, real),
        mse_mismatched=scores.conducting_mse(points, np.roll(real, 1, axis=0)),
        fgd_own=frechet_distance(features.reshape(-1, features.shape[-1]), features_real.reshape(-1, features.shape[-1])),
        diversity_as_published=diversity_as_published(features.transpose(0, 2, 1)),
        rde=scores.rhythm_density_error(flat, flat_real), sce=scores.strength_contour_error(flat, flat_real),
        bc_as_published=mean([bc_as_published(p.beats.times, x) for p, x in zip(pieces, points)]))
    return result


def joint_range(motions, margin=0.05):
    """Lowest and highest value (99,) of each modelled channel in the corpus, widened by 5 % of their distance."""
    vectors = np.concatenate([motion_vector(m, "smpl24") for m in motions])
    low, high = vectors.min(0), vectors.max(0)
    return low - margin * (high - low) - 1e-3, high + margin * (high - low) + 1e-3


def _outside(motion, low, high):
    vector = motion_vector(motion, "smpl24")
    return float(((vector < low) | (vector > high)).mean())


def _rolled_f1(motion, piece, lead):
    """Chance: mean F1 with the ictus rolled round the clip by 40 offsets."""
    ictus, true = scores.ictus_times(motion), visible(piece.beats.shifted(-lead), piece.duration)
    return mean([beat_f1_70ms(np.sort((ictus + offset) % piece.duration), true)
                  for offset in (np.arange(40) + 0.5) * piece.duration / 40])


def mean(values):
    """Mean without NaNs; NaN when there is nothing else."""
    values = np.asarray(values, float)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


class Judge:
    """Stage 1's motion encoder as the feature space of FGD and Diversity (own weights, so `fgd_own`)."""

    def __init__(self, net):
        self.net = net.eval()

    @torch.no_grad()
    def features(self, keypoints):
        """(N,T,13,2) -> (N,T,64)."""
        return np.concatenate([self.net.motion(torch.from_numpy(k[None]).float()).numpy() for k in keypoints])
