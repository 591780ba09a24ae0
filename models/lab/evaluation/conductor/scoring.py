"""Scores of a set of conducting motions against the studio pieces they were made for; used by `evaluate` and
`experiments`."""
import numpy as np
import torch

from core.body.ictus import LEFT_HAND, RIGHT_HAND, ictus_of_height
from core.rhythm.alignment import align_score, beat_f1_70ms
from core.rhythm.beats import Beats
from models.conductor.beat_pattern import NAMES, strokes
from models.conductor.config import FPS
from models.conductor.features import keypoints13, motion_vector
from models.lab.evaluation.tables import interval
from models.lab.metrics import conducting as scores
from models.lab.metrics.beat_align import align_report, bc_as_published, kinematic_beats_fact
from models.lab.metrics.frechet import diversity, diversity_as_published, frechet_distance
from models.lab.metrics.motion import foot_slide, jerk, temporal_spread
from models.training.shards import AUDIO_RATE, Corpus, unpack_audio, unpack_motion

SECONDS = 20.0
EDGE_S = 0.1                    # an ictus this close to the ends of a clip cannot be seen
HANDS = [20, 21, 22, 23]


class Piece:
    """20 s of a studio test piece: sound (read when asked for), true motion, its conductor's lead and beat pattern;
    `beats`, those of the music that get a stroke, and `levels`, those that get one in every pattern of its metre."""

    def __init__(self, corpus, index, seconds=SECONDS):
        meta = corpus.meta(index)
        self.corpus, self.index = corpus, index
        self.duration = min(seconds, meta["duration"])
        self.lead, self.frames = float(meta.get("lead") or 0.0), int(round(self.duration * FPS))
        self.genre = meta.get("genre") or "other"
        written = corpus.array(index, "beats")
        music = Beats(written[:, 0], written[:, 1], int(meta["metre"]))
        self.beats = strokes(music, meta.get("strokes")).within(0.0, self.duration)
        counts = [meta.get("strokes")] + [n for n in NAMES.values() if music.metre % n == 0 or n % music.metre == 0]
        self.levels = [strokes(music, count).within(0.0, self.duration) for count in dict.fromkeys(counts)]
        self.pattern = next((name for name, count in NAMES.items() if count == meta.get("strokes")), "auto")
        self.motion = unpack_motion(corpus.array(index, "motion_rot6d", 0, self.frames),
                                    corpus.array(index, "motion_root", 0, self.frames))

    @property
    def audio(self):
        """(samples (channels, N) float32, rate)."""
        return unpack_audio(self.corpus.array(self.index, "audio", 0, int(self.duration * AUDIO_RATE))), AUDIO_RATE


def studio_pieces(folder, count, split="test", seconds=SECONDS, kind="conducting"):
    """Up to `count` pieces of a split."""
    corpus = Corpus(folder, split, kind)
    return [Piece(corpus, index, seconds) for index in range(min(count, len(corpus)))]


class Studio:
    """Pieces with what every row is compared with: key points, encoder features, joint range and jerk of their true
    motion."""

    def __init__(self, pieces, judge):
        self.pieces, self.judge = pieces, judge
        self.frames = min(p.frames for p in pieces)
        self.points = np.stack([keypoints13(p.motion)[:self.frames] for p in pieces])          # (N, T, 13, 2)
        self.features = judge.features(self.points)                                            # (N, T, 64)
        self.low, self.high = joint_range([p.motion for p in pieces])
        self.jerks = np.array([hand_jerk(p.motion) for p in pieces])
        self.levels = self.analysis = self.predicted = None

    def listen(self, conductor, find_beats=None):
        """Analyse every piece with the conductor's music encoder and, where there is a detector, find its beats."""
        self.analysis = [conductor.analyse(p.audio) for p in self.pieces]
        self.levels = [found[1] for found in self.analysis]
        self.predicted = [find_beats(*p.audio) for p in self.pieces] if find_beats else None

    def beats(self, rhythm):
        """One `Beats` or None a piece; rhythm: "true", "predicted" or "none"."""
        if rhythm == "none":
            return [None] * len(self.pieces)
        return self.predicted if rhythm == "predicted" else [p.beats for p in self.pieces]


def visible(beats, duration):
    """Beat times (s) well inside the clip."""
    return beats.times[(beats.times > EDGE_S) & (beats.times < duration - EDGE_S)]


def hand_jerk(motion):
    """Mean jerk of wrists and hands, m/s^3."""
    return jerk(motion.positions()[:, HANDS], FPS)


class Seen:
    """One motion looked at once: joint positions (T,24,3), path of the beating hand (T,3), its ictus (s), key points
    (T,13,2)."""

    def __init__(self, motion):
        self.positions = motion.positions()
        self.path = self.positions[:, RIGHT_HAND]
        self.ictus = ictus_of_height(self.path[:, 2], motion.fps)
        self.points, self.vector = keypoints13(motion), motion_vector(motion, "smpl24")


def clip_scores(seen, piece, given, lead, level):
    """Scores of one `Seen` motion against the piece's true music beats, and what the pooled null needs (`drops`,
    `loudness`).

    given: the `Beats` it was asked to conduct (bars are compared with each other on these); lead (s) asked for.
    """
    ictus, clock, path = seen.ictus, piece.beats.shifted(-lead), seen.path
    drops = scores.strokes(path[:, 2], clock.times, FPS)
    loudness = level[np.clip((piece.beats.times * FPS).astype(int), 0, len(level) - 1), 1]
    down, _ = scores.downbeat_is_down(path[:, 2], clock, FPS)
    down = down if clock.metre > 1 else float("nan")                       # in one every stroke is the downbeat
    hand = np.linalg.norm(np.diff(path, axis=0), axis=1) * FPS
    above = seen.positions[:, [18, 19], 2] > seen.positions[:, [16, 17], 2]
    toes = seen.positions[:, [10, 11], 2]
    together, mirrored = scores.hands_alike(seen.positions[:, LEFT_HAND, 2], path[:, 2], FPS)
    bars = given if given is not None and len(given) > 1 and np.all(given.positions > 0) else piece.beats
    return {"ictus_f1": beat_f1_70ms(ictus, visible(clock, piece.duration)), "downbeat_down": down,
            "ictus_f1_any_pattern": any_pattern(ictus, piece, piece, lead),
            "bar_variation_m": scores.bar_variation(path, bars.shifted(-lead), FPS), "stroke_m": mean(drops),
            "jerk": jerk(seen.positions[:, HANDS], FPS), "foot_slide_m": foot_slide(seen.positions, FPS)[0],
            "hand_peak_m_s": float(hand.max()), "elbow_above": float(above.any(1).mean()),
            "hand_hangs": float((seen.positions[:, 20, 2] < 0.98).mean()),
            "hands_together": together, "hands_mirrored": mirrored,
            "pelvis_m": float(np.ptp(seen.positions[:, 0], axis=0).max()),
            "steps_a_minute": float((np.diff((toes > 0.04).astype(int), axis=0) == 1).sum() * 60 / piece.duration),
            "drops": drops, "loudness": loudness}


def any_pattern(ictus, piece, other, lead):
    """F1 of the ictus of `piece` against the best of the patterns that the metre of the piece `other` may be beaten
    in."""
    return max(beat_f1_70ms(ictus, visible(level.shifted(-lead), piece.duration)) for level in other.levels)


def row(name, motions, studio, given=None, which=None):
    """Means over clips, and set scores against the true motion of the same pieces.

    motions: one for each piece of `which` (indices, default the first); given: the beats each was asked to conduct.
    """
    which = list(range(len(motions))) if which is None else list(which)
    pieces = [studio.pieces[i] for i in which]
    given = [p.beats for p in pieces] if given is None else given
    seen = [Seen(m) for m in motions]
    each = [clip_scores(m, p, g, p.lead, studio.levels[i]) for m, p, g, i in zip(seen, pieces, given, which)]
    pooled = {key: [clip.pop(key) for clip in each] for key in ("drops", "loudness")}
    result = {"name": name, "clips": len(motions), **{key: mean([clip[key] for clip in each]) for key in each[0]}}
    result["ictus_f1_95"] = "{:.3f}-{:.3f}".format(*interval([clip["ictus_f1"] for clip in each]))
    result.update(loudness_scores(**pooled))
    result["jerk_within"] = mean([studio.jerks.min() <= clip["jerk"] <= studio.jerks.max() for clip in each])
    result["outside_range"] = mean([((m.vector < studio.low) | (m.vector > studio.high)).mean() for m in seen])
    # Mismatched: the same motions against the beats of another piece.
    others = pieces[2:] + pieces[:2]                  # by two: rows of "another piece" are already moved by one
    result["ictus_f1_mismatched"] = mean([beat_f1_70ms(m.ictus, visible(o.beats.shifted(-p.lead), o.duration))
                                          for m, o, p in zip(seen, others, pieces)])
    result["ictus_f1_any_pattern_mismatched"] = mean([any_pattern(m.ictus, p, o, p.lead)
                                                      for m, o, p in zip(seen, others, pieces)])
    result["ictus_f1_chance"] = mean([_rolled_f1(m.ictus, p) for m, p in zip(seen, pieces)])
    return {**result, **_set_scores(seen, pieces, studio, which)}


def _set_scores(seen, pieces, studio, which):
    """The published conducting metrics, each in its published and its corrected form (systems.md 10.2, 10.3)."""
    points = np.stack([m.points[:studio.frames] for m in seen])
    real, features_real = studio.points[which], studio.features[which]
    features = studio.judge.features(points)
    flat, flat_real = (x.reshape(len(x), studio.frames, 26) for x in (points, real))
    rows, rows_real = (f.reshape(-1, f.shape[-1]) for f in (features, features_real))          # frames x 64: corrected
    columns, columns_real = (f.transpose(0, 2, 1).reshape(-1, f.shape[1]) for f in (features, features_real))
    moves = [kinematic_beats_fact(x, FPS) + p.lead for x, p in zip(points, pieces)]
    reports = [align_report(p.beats.times, m, p.duration) for p, m in zip(pieces, moves)]
    return {
        "sdp_percent": temporal_spread(list(flat), list(flat_real)),
        "mse": scores.conducting_mse(points, real), "mse_mismatched": scores.conducting_mse(points,
                                                                                            np.roll(real, 1, axis=0)),
        "fgd": frechet_distance(rows, rows_real), "fgd_as_published": frechet_distance(columns, columns_real),
        "bc": mean([r["score"] for r in reports]), "bc_null": mean([r["null_mean"] for r in reports]),
        "bc_mismatched": mean([align_score(o.beats.times, m) for m, o in zip(moves, pieces[2:] + pieces[:2])]),
        "bc_as_published": mean([bc_as_published(p.beats.times, x) for p, x in zip(pieces, points)]),
        "diversity": diversity(features.mean(1)),
        "diversity_as_published": diversity_as_published(features.transpose(0, 2, 1)),
        "rde": scores.rhythm_density_error(flat, flat_real), "sce": scores.strength_contour_error(flat, flat_real)}


def loudness_scores(drops, loudness):
    """Mean correlation of stroke size with loudness over all pieces, beside the null of that mean."""
    found = scores.pooled_loudness_correlation(list(zip(drops, loudness)))
    return {"loudness_correlation": found["correlation"], "loudness_null": found["null_mean"],
            "loudness_null_p95": found["null_p95"]}


def joint_range(motions, margin=0.05):
    """Lowest and highest value (99,) of each modelled channel in the corpus, widened by 5 % of their distance."""
    vectors = np.concatenate([motion_vector(m, "smpl24") for m in motions])
    low, high = vectors.min(0), vectors.max(0)
    return low - margin * (high - low) - 1e-3, high + margin * (high - low) + 1e-3


def _rolled_f1(ictus, piece):
    """Chance: mean F1 with the ictus rolled round the clip by 40 offsets."""
    true = visible(piece.beats.shifted(-piece.lead), piece.duration)
    return mean([beat_f1_70ms(np.sort((ictus + offset) % piece.duration), true)
                 for offset in (np.arange(40) + 0.5) * piece.duration / 40])


def mean(values):
    """Mean without NaNs; NaN when there is nothing else."""
    values = np.asarray(values, float)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


class Judge:
    """Stage 1's motion encoder as the feature space of FGD and Diversity: our own weights, so compare rows, not
    papers."""

    def __init__(self, net):
        self.net = net.eval()

    @torch.no_grad()
    def features(self, keypoints):
        """(N,T,13,2) -> (N,T,64)."""
        return np.concatenate([self.net.motion(torch.from_numpy(k[None]).float()).numpy() for k in keypoints])
