"""Figures of the records of a row, each beside what chance and mixed-up pairs give."""
import numpy as np

from core.rhythm.alignment import align_score, beat_f1_70ms, shift_null
from models.lab.metrics import onset_flags
from models.lab.metrics.audio import fd_logmel
from models.lab.metrics.beat_align import beat_f1_any_level
from models.lab.metrics.frechet import diversity, frechet_distance, z_score

OTHERS = 5                      # other pieces that a piece is mixed up with
SHIFTS = 53                     # of the circular-shift null


def mean(values):
    """Mean as a float; None of nothing."""
    values = [float(value) for value in values]
    return float(np.mean(values)) if values else None


def others(records, index):
    """Up to OTHERS other records, spread over the rest; of joint pieces only such as were asked for another tempo:
    pieces of one tempo that all begin on the beat agree whoever made them."""
    mine = records[index].get("bpm")
    rest = [(index + step) % len(records) for step in range(1, len(records))]
    if mine is not None:
        rest = [other for other in rest if abs(records[other]["bpm"] / mine - 1) > 0.03]
    if not rest:
        return []
    return [records[rest[int(place)]]
            for place in np.unique(np.linspace(0, len(rest) - 1, min(OTHERS, len(rest))).astype(int))]


def agreement(records, first, second):
    """F1 within 70 ms of two beat lists of the same records, half of its 95 % interval over them, F1 at any metrical
    level, mixed up, and by chance."""
    pairs = [(a[first], a[second]) for a in records]
    scores = [beat_f1_70ms(x, y) for x, y in pairs]
    return {"f1": mean(scores), "within": 1.96 * float(np.std(scores, ddof=1)) / len(scores)**0.5
            if len(scores) > 1 else None,
            "f1_any_level": mean(beat_f1_any_level(x, y)[0] if len(y) > 1 else 0.0 for x, y in pairs),
            "mixed": mean(beat_f1_70ms(a[first], b[second]) for i, a in enumerate(records) for b in others(records, i)),
            "shifted": mean(shift_null(x, y, a["seconds"], beat_f1_70ms, SHIFTS)[0]
                            for (x, y), a in zip(pairs, records))}


def tempo(records, beats):
    """Share of records whose tempo found in `beats` lies within 3 % of the one asked for, and within 3 % at half or
    double time."""
    def ratio(record):
        times = record[beats]
        return 60.0 / float(np.median(np.diff(times))) / record["bpm"] if len(times) > 1 else 0.0
    found = [ratio(record) for record in records]
    near = [abs(value - 1) <= 0.03 for value in found]
    return {"within_3_percent": mean(near),
            "at_half_or_double": mean(any(abs(value * k - 1) <= 0.03 for k in (0.5, 1, 2)) for value in found)}


def sound_figures(records, real=None):
    """Of rows with sound: beats heard against those asked for, music share, genre, distance of log-mel statistics."""
    out = {"pieces": len(records), "asked_heard": agreement(records, "heard", "times"),
           "music": mean(r["music"] for r in records)}
    if "sound_genre" in records[0]:
        out["sound_genre"] = mean(r["sound_genre"] == r["genre"] for r in records)
    if real and len(records) > 9:
        out["fd_logmel"] = fd_logmel(np.array([r["features"] for r in records]),
                                     np.array([r["features"] for r in real]))
    if real and len(real) >= len(records):
        flags = lambda r: np.array([letter == "1" for letter in r["loris"]])                      # noqa: E731
        pairs = [(flags(b), flags(a)) for a, b in zip(records, real)]
        count = min(min(len(x), len(y)) for x, y in pairs)
        cut = [(x[:count], y[:count]) for x, y in pairs]
        out["loris"] = onset_flags.summary([onset_flags.bcs_bhs(x, y, "loris") for x, y in cut])
        if len(cut) > 1:
            out["loris_mixed"] = onset_flags.summary([onset_flags.bcs_bhs(cut[(i + 1) % len(cut)][0], y, "loris")
                                                      for i, (_, y) in enumerate(cut)])
    return out


def motion_figures(records, real=None):
    """Of rows with motion: the body's beats against those of the music, lift of the beat-align score over circular
    shifts, feet, distances and diversity of kinetic and manual features."""
    out = {"pieces": len(records), "asked_seen": agreement(records, "seen", "times"),
           "slide_cm": mean(r["slide_cm"] for r in records)}
    for name in ("seen", "kinematic"):
        scores = [(align_score(r["times"], r[name]), shift_null(r["times"], r[name], r["seconds"], shifts=SHIFTS)[0])
                  for r in records]
        out[f"lift_{name}"] = mean((s - c) / (1 - c) if c < 1 else 0.0 for s, c in scores)
    if "motion_genre" in records[0]:
        out["motion_genre"] = mean(r["motion_genre"] == r["genre"] for r in records)
    if real:
        count = min(len(real), len(records))
        for kind in ("k", "g"):
            found, true = (np.array([r[kind] for r in rows[:count]]) for rows in (records, real))
            varied = true.std(0) > 1e-6  # a pose that no real piece holds has no spread to be measured in
            found, true = found[:, varied], true[:, varied]
            found, true = z_score(found, true), z_score(true, true)
            if count > 2:
                out[f"fid_{kind}"] = frechet_distance(found, true)
                out[f"div_{kind}"], out[f"div_{kind}_real"] = diversity(found), diversity(true)
    return out


def joint_figures(records, real_sound=None, real_motion=None):
    """Of joint rows: both sides, and one against the other."""
    return {"music_body_network": agreement(records, "heard", "seen"),
            "music_body_kinematic": agreement(records, "heard", "kinematic"),
            "tempo_heard": tempo(records, "heard"), "tempo_seen": tempo(records, "seen"),
            "real_time_factor": mean(r["seconds"] / r["wall"] for r in records),
            "sound": sound_figures(records, real_sound), "motion": motion_figures(records, real_motion)}
