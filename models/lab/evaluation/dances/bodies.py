"""Dances made to music: what is seen in one, and the figures of a row of them, each beside what exposes it."""
import numpy as np
import torch

from core.rhythm.alignment import SIGMA_SECONDS, align_score, shift_null
from models.genre.judge import genre_report
from models.lab.evaluation.dances.figures import KINEMATIC_FPS, SHIFTS, mean
from models.lab.evaluation.music_ldm.scoring import heard, others
from models.lab.metrics import onset_flags
from models.lab.metrics.beat_align import kinematic_beats_bailando, kinematic_beats_fact
from models.lab.metrics.dance import FEATURE_FPS, dance_features, upright
from models.lab.metrics.frechet import diversity, frechet_distance, z_score
from models.lab.metrics.kinetic import kinetic
from models.lab.metrics.motion import foot_slide, pfc

PFC_FPS = 30.0
FEATURES = ("k", "k_corrected", "g")
LEAST_SET = 3                   # dances of a set whose Frechet distance can be taken


def record(motion, judge):
    """What is seen in a `Motion`: beats (s) by Bailando and by FACT, features of the Frechet distances, feet, the
    judge's probabilities. k: as the published extractor has it; k_corrected: without its slip (metrics/kinetic.py)."""
    fast, slow = motion.resampled(KINEMATIC_FPS).positions(), motion.resampled(PFC_FPS).positions()
    features = dance_features(motion)
    corrected = kinetic(upright(motion.resampled(FEATURE_FPS).positions()), as_published=False)
    with torch.inference_mode():
        return {"bailando": kinematic_beats_bailando(fast, KINEMATIC_FPS),
                "fact": kinematic_beats_fact(fast, KINEMATIC_FPS), "k": features["k"], "k_corrected": corrected,
                "g": features["g"], "pfc": pfc([slow]), "slide_cm": 100 * foot_slide(slow, PFC_FPS)[1],
                "probabilities": judge(motion.resampled(PFC_FPS))}


def music_beats(passages):
    """{id: beats (s) that librosa's tracker hears} of the passages that have sound."""
    return {p.id: heard(p.sound) for p in passages if p.sound is not None}


def dance_figures(records, real, passages, music):
    """{figure: number or None} of a row.

    records, real: {id: `record`} of the row and of the passages' own dances; passages: [Passage] of the row; music {id:
    beats in seconds}. *mismatched*: the same dance against the music of up to five other passages.
    """
    made, out = [records[p.id] for p in passages], {"clips": len(passages)}
    sounding = [(records[p.id], music[p.id], p.seconds) for p in passages if p.id in music]
    if sounding:
        out |= _alignment(sounding) | _flags(sounding)
    out |= _distances(made, [real[p.id] for p in passages])
    out |= {name: mean(r[name] for r in made) for name in ("pfc", "slide_cm")}
    named = [p for p in passages if p.genre]
    if named:
        out["genre_accuracy"] = genre_report([records[p.id]["probabilities"] for p in named],
                                             [p.genre for p in named])["accuracy"]
    return out


def _alignment(sounding):
    """BAS (music to body, Bailando) and beat alignment (body to music, FACT), both in seconds, mismatched and by
    chance."""
    pairs = [(i, other) for i in range(len(sounding)) for other in others(i, len(sounding))]
    score = lambda query, reference: align_score(query, reference, SIGMA_SECONDS)              # noqa: E731
    return {"bas": mean(score(song, r["bailando"]) for r, song, _ in sounding),
            "bas_mismatched": mean(score(sounding[o][1], sounding[i][0]["bailando"]) for i, o in pairs),
            "bas_chance": mean(shift_null(song, r["bailando"], seconds, align_score, SHIFTS)[0]
                               for r, song, seconds in sounding),
            "beat_align": mean(score(r["fact"], song) for r, song, _ in sounding),
            "beat_align_mismatched": mean(score(sounding[i][0]["fact"], sounding[o][1]) for i, o in pairs),
            "beat_align_chance": mean(shift_null(r["fact"], song, seconds, align_score, SHIFTS)[0]
                                      for r, song, seconds in sounding)}


def _flags(sounding):
    """BCS, CSD, BHS, HSD, F1 of the body's beats against the music's in bins of a second, as MoMu counts music to
    motion, in both definitions; paired and mismatched, percent."""
    out, count = {}, len(sounding)
    body = [onset_flags.second_flags(r["bailando"], seconds) for r, _, seconds in sounding]
    song = [onset_flags.second_flags(beats, seconds) for _, beats, seconds in sounding]
    for style in onset_flags.ONSET_ARGUMENTS:
        for name, pairs in (("", [(i, i) for i in range(count)]),
                            ("_mismatched", [(i, o) for i in range(count) for o in others(i, count)])):
            if pairs:
                found = onset_flags.summary([onset_flags.bcs_bhs(song[o], body[i], style) for i, o in pairs])
                out |= {f"{style}_{key}{name}": value for key, value in found.items()}
    return out


def _distances(made, true):
    """Frechet distance and diversity of each kind of feature to as many real dances, z-scored by those; features that
    have no spread among them are left out. floor: between two halves of the real ones."""
    out = {}
    for kind in FEATURES if len(made) >= LEAST_SET else ():
        found, wanted = (np.stack([each[kind] for each in side]) for side in (made, true))
        varies = wanted.std(0) > 1e-6
        found, wanted = z_score(found[:, varies], wanted[:, varies]), z_score(wanted[:, varies], wanted[:, varies])
        out |= {f"fid_{kind}": frechet_distance(found, wanted), f"div_{kind}": diversity(found)}
        if len(wanted) >= 2 * LEAST_SET:
            out[f"fid_{kind}_floor"] = frechet_distance(wanted[::2], wanted[1::2])
    return out
