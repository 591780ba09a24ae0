"""The figures of a row of records, each beside what exposes it: other pieces of the set, and chance."""
import numpy as np

from core.rhythm.alignment import SIGMA_SECONDS, align_score, beat_f1_70ms, shift_null
from models.genre.judge import genre_report
from models.lab.evaluation.music_ldm.scoring import others
from models.lab.metrics import onset_flags
from models.lab.metrics.beat_align import bas_as_published, kinematic_beats_fact
from models.lab.metrics.frechet import frechet_distance

LEAST_SET = 16                  # records of a set whose Frechet distance is worth printing
SHIFTS = 53
KINEMATIC_FPS = 60.0


def kinematic_beats(motion):
    """Beats (s) of a body as the published scores find them: local minima of the summed speed, at 60 fps."""
    return kinematic_beats_fact(motion.resampled(KINEMATIC_FPS).positions(), KINEMATIC_FPS)


def mean(values):
    """Mean as a float; None of nothing."""
    values = [float(value) for value in values]
    return float(np.mean(values)) if values else None


def row_figures(records, real, passages, bodies):
    """{figure: number or None} of a row.

    records, real: {id: record of `rows.record`} of the row and of the paired real sound; passages: [Passage] of the
    row; bodies {id: kinematic beats in seconds}. *mismatched*: the same figure against up to five other passages.
    """
    count, heard = len(passages), [records[p.id]["beats"] for p in passages]
    pairs = [(i, other) for i in range(count) for other in others(i, count)]
    out = {"clips": count, **_alignment(heard, passages, bodies, pairs)}
    timed = [(found, p) for found, p in zip(heard, passages) if p.beats is not None]
    if timed:
        out["beat_f1_70ms"] = mean(beat_f1_70ms(found, p.beats.times) for found, p in timed)
        out["beat_f1_70ms_mismatched"] = mean(beat_f1_70ms(timed[i][0], timed[other][1].beats.times)
                                              for i in range(len(timed)) for other in others(i, len(timed)))
        out["beat_f1_70ms_chance"] = mean(shift_null(found, p.beats.times, p.seconds, beat_f1_70ms, SHIFTS)[0]
                                          for found, p in timed)
    sounding = [p for p in passages if p.id in real]
    if sounding:
        out |= _flags(records, real, sounding) | _distances(records, real, sounding)
    named = [p for p in passages if p.genre]
    if named:
        report = genre_report([records[p.id]["probabilities"] for p in named], [p.genre for p in named])
        out |= {"genre_accuracy": report["accuracy"], "genre_kld_own": report["genre_kld_own"]}
    return out


def _alignment(heard, passages, bodies, pairs):
    """BAS in three forms: as its code has it, in seconds, and in seconds for other passages' music; and chance."""
    body = [bodies[p.id] for p in passages]
    return {"bas_as_published": mean(bas_as_published(b, m) for b, m in zip(body, heard)),
            "bas": mean(align_score(b, m, SIGMA_SECONDS) for b, m in zip(body, heard)),
            "bas_mismatched": mean(align_score(body[i], heard[other], SIGMA_SECONDS) for i, other in pairs),
            "bas_chance": mean(shift_null(b, m, p.seconds, align_score, SHIFTS)[0]
                               for b, m, p in zip(body, heard, passages))}


def _flags(records, real, passages):
    """BCS, CSD, BHS, HSD, F1 of both definitions, in percent, paired and mismatched."""
    out = {}
    for style in onset_flags.ONSET_ARGUMENTS:
        made = [records[p.id]["flags"][style] for p in passages]
        true = [real[p.id]["flags"][style] for p in passages]
        for name, chosen in (("", [(i, i) for i in range(len(made))]),
                             ("_mismatched", [(i, o) for i in range(len(made)) for o in others(i, len(made))])):
            if chosen:
                found = onset_flags.summary([onset_flags.bcs_bhs(true[o], made[i], style) for i, o in chosen])
                out |= {f"{style}_{key}{name}": value for key, value in found.items()}
    return out


def _distances(records, real, passages):
    """Frechet distances of the whole set to its real sound, on the principal directions of the real set: `fd_logmel`,
    and `fd_judge` in the embedding of the genre judge. `floor`: two halves of the real set."""
    if len(passages) < LEAST_SET:
        return {}
    out = {}
    for name, field in (("fd_logmel", "features"), ("fd_judge", "embedding")):
        true = np.array([real[p.id][field] for p in passages])
        middle, spread = true.mean(0), true.std(0) + 1e-6
        axes = np.linalg.svd((true - middle) / spread, full_matrices=False)[2][:min(16, len(true) // 4)].T
        place = [((np.array([kept[p.id][field] for p in passages]) - middle) / spread) @ axes
                 for kept in (records, real)]
        out[name] = float(frechet_distance(*place))
        out[f"{name}_floor"] = float(frechet_distance(place[1][::2], place[1][1::2]))
    return out
