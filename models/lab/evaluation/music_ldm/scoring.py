"""Figures of one piece of sound, and of a row of pieces, for `models.lab.evaluation.music_ldm.evaluate`.

A piece's record holds what was heard in it (beats, onset flags, log-mel statistics, the judge's features), not
verdicts, so that rows can be scored again, against other pieces as well, without making the sound anew.
"""
import numpy as np

from core.audio.loudness import default_preset, presets
from core.audio.resample import resample
from core.rhythm.alignment import beat_f1_70ms, shift_null
from models.lab.metrics import audio as audio_metrics
from models.lab.metrics import onset_flags
from models.lab.metrics.beat_align import music_beats_librosa
from models.lab.metrics.frechet import frechet_distance
from models.training.shards import AUDIO_RATE

TRACKER_RATE = 22_050
OTHERS = 5                      # other pieces whose beats a sound is scored against (`mismatched`)
SHIFTS = 53                     # of the circular-shift null
LEAD_IN = 1.0                   # seconds at the beginning that distances of log-mel statistics leave out
GROUP = 20                      # pieces of every set that a Frechet distance compares
HALF = 100  # pieces of a half of the whole test, the larger sets: the smaller the set, the higher its floor


def to_tracker(sound):
    """(2, N) at 48 kHz -> mono at the tracker's rate."""
    return resample(sound.mean(0), AUDIO_RATE, TRACKER_RATE)


def heard(sound):
    """Beat times (s) librosa's tracker hears in (2, N) at 48 kHz."""
    return music_beats_librosa(to_tracker(sound), TRACKER_RATE)


def sounding_features(mono):
    """`clip_features` without the first second. A studio piece begins with some 0.2 s of digital silence before its
    first beat; a take is made for a passage and begins at once. That silence alone is an eighth of the spread over time
    of the middle bands."""
    return audio_metrics.clip_features(mono[int(LEAD_IN * TRACKER_RATE):], TRACKER_RATE).round(4).tolist()


def bare_score(sound):
    """The part of a record that distances of log-mel statistics need."""
    mono = to_tracker(sound)
    return {"features": audio_metrics.clip_features(mono, TRACKER_RATE).round(4).tolist(),
            "sounding": sounding_features(mono)}


def score_sound(sound, times, full=True):
    """The record of one sound (2, N) at 48 kHz whose beats should be `times` (s); JSON-ready. full: also whether it is
    music and whether it clicks, which take as long as all the rest."""
    mono = to_tracker(sound)
    found, seconds = music_beats_librosa(mono, TRACKER_RATE), sound.shape[1] / AUDIO_RATE
    finite = bool(np.isfinite(sound).all())
    record = {"found": found.round(3).tolist(), "times": np.asarray(times, float).round(3).tolist(), "finite": finite,
              "chance": shift_null(found, times, seconds, beat_f1_70ms, SHIFTS)[0],
              "features": audio_metrics.clip_features(mono, TRACKER_RATE).round(4).tolist(),
              "sounding": sounding_features(mono), "lufs": audio_metrics.loudness_lufs(sound, AUDIO_RATE)}
    for style in onset_flags.ONSET_ARGUMENTS:
        flags = onset_flags.second_flags(onset_flags.onset_times(mono, style), seconds)
        record[style] = "".join("1" if flag else "0" for flag in flags)
    if full:
        record.update(audio_metrics.is_music(mono, TRACKER_RATE))
        record["clicks"] = len(audio_metrics.clicks(sound, AUDIO_RATE))
        record["dbtp"] = audio_metrics.true_peak_dbtp(sound)
    return record


def row_figures(records, real, spaces=(), delivered=True):
    """The figures of a row: records in the order of the pieces; `real` {id: record of the paired real sound}.

    spaces: `Space`s of the distances, one of `fd_logmel` first. delivered: loudness is the preset's.
    """
    count = len(records)
    times = [record["times"] for record in records]
    row = {"clips": count, "beat_f1_70ms": mean(beat_f1_70ms(r["found"], r["times"]) for r in records),
           "mismatched": mean(beat_f1_70ms(r["found"], times[other]) for i, r in enumerate(records)
                              for other in others(i, count)),
           "chance": mean(r["chance"] for r in records), "finite": mean(r["finite"] for r in records)}
    for name in ("pulse", "filled", "harmonic", "music"):
        if name in records[0]:
            row[name] = mean(r[name] for r in records)
    if "music" in records[0]:
        genres = sorted({r["genre"] for r in records})
        row["music_by_genre"] = {genre: mean(r["music"] for r in records if r["genre"] == genre) for genre in genres}
    if "clicks" in records[0]:
        row["no_clicks"] = mean(r["clicks"] == 0 for r in records)
        row["clicks"] = mean(r["clicks"] for r in records)
        row["dbtp_max"] = max(r["dbtp"] for r in records)
    row["lufs"] = mean(r["lufs"] for r in records)
    if delivered:
        row["within_1_lu"] = mean(abs(r["lufs"] - presets()[default_preset()]) <= 1.0 for r in records)
    if "probabilities" in records[0]:
        from models.genre.judge import genre_report
        report = genre_report([r["probabilities"] for r in records], [r["genre"] for r in records])
        row.update(genre_accuracy=report["accuracy"], genre_kld_own=report["genre_kld_own"],
                   per_genre=report["per_genre"])
    for space in spaces:
        if count >= space.group:
            row[space.name] = space.between(records)
    if count > 1 and all(r["id"] in real for r in records):
        row["published"] = published_forms(records, real)
    if "second" in records[0]:
        row["diversity"] = spaces[0].spread(records) if spaces else None
    return row


def mean(values):
    """Mean as a float."""
    return float(np.mean([float(value) for value in values]))


def others(index, count):
    """Up to OTHERS other indices, spread over the rest."""
    steps = np.unique(np.linspace(1, count - 1, min(OTHERS, count - 1)).astype(int)) if count > 1 else []
    return [(index + int(step)) % count for step in steps]


def published_forms(records, real):
    """BCS / BHS / CSD / HSD / F1 in both published definitions (percent), against the paired and against other real
    sound."""
    out = {}
    for style in onset_flags.ONSET_ARGUMENTS:
        flags = [_flags(r[style]) for r in records]
        truth = [_flags(real[r["id"]][style]) for r in records]
        out[style] = onset_flags.summary([onset_flags.bcs_bhs(t, f, style) for t, f in zip(truth, flags)])
        out[style + "_mismatched"] = onset_flags.summary(
            [onset_flags.bcs_bhs(truth[other], f, style) for i, f in enumerate(flags)
             for other in others(i, len(records))])
    return out


def _flags(text):
    return np.array([letter == "1" for letter in text], dtype=bool)


# ---------------------------------------------------------------------------------------------- distances of sets

FIELDS = {"fd_logmel": "sounding", "fd_logmel_whole": "features", "fd_judge": "embedding"}


class Space:
    """Principal directions of a field of the vocoded real pieces' records: one space for all distances, all between
    sets of `group` pieces, so that distances may be compared with one another. (A basis per comparison, or other
    counts, would not allow it.)

    figure: fd_logmel (log-mel statistics without the first second), fd_logmel_whole (with it) or fd_judge (the genre
    judge's embedding, of which the model was told nothing). As many directions as `models.lab.metrics.audio.fd_logmel`
    takes for so many pieces. name: of the figure in a row.
    """

    def __init__(self, reference, group=GROUP, figure="fd_logmel"):
        self.group, self.name, self.field = group, figure if group == GROUP else f"{figure}_{group}", FIELDS[figure]
        features = np.array([record[self.field] for record in reference])
        self.mean, self.std = features.mean(0), features.std(0) + 1e-6
        _, _, axes = np.linalg.svd((features - self.mean) / self.std, full_matrices=False)
        self.axes = axes[:min(16, group // 4)].T
        self.reference = self.groups(reference)

    def groups(self, records):
        """Disjoint sets of records, the same number of each genre as far as the order of the pieces gives it."""
        return [records[first:first + self.group] for first in range(0, len(records) - self.group + 1, self.group)]

    def __call__(self, records):
        """(N, directions) coordinates of records."""
        return (np.array([record[self.field] for record in records]) - self.mean) / self.std @ self.axes

    def distance(self, first, second):
        """Frechet distance of two sets of records."""
        return frechet_distance(self(first), self(second))

    def between(self, records):
        """Mean distance of sets of generated pieces to sets of vocoded real pieces of other music (set k to j, j != k),
        or None where there is but one set."""
        found = [self.distance(a, b) for k, a in enumerate(self.groups(records)) for j, b in enumerate(self.reference)
                 if j != k]
        return mean(found) if found else None

    def halves(self):
        """The floor: mean distance of disjoint sets of vocoded real pieces to each other; None with fewer than two."""
        pairs = [(a, b) for k, a in enumerate(self.reference) for b in self.reference[k + 1:]]
        return mean(self.distance(a, b) for a, b in pairs) if pairs else None

    def genres(self, records):
        """{"mean", "median", "least"} distance of two genres, over all pairs of genres with enough vocoded real
        pieces."""
        by_genre = {}
        for record in records:
            by_genre.setdefault(record["genre"], []).append(record)
        sets = [members[:self.group] for members in by_genre.values() if len(members) >= self.group]
        found = [self.distance(a, b) for k, a in enumerate(sets) for b in sets[k + 1:]]
        if not found:
            return None
        return {"mean": mean(found), "median": float(np.median(found)), "least": min(found), "pairs": len(found)}

    def spread(self, records):
        """Mean distance in standard deviations between two seeds of one piece."""
        gap = (np.array([r[self.field] for r in records]) - np.array([r["second"] for r in records])) / self.std
        return float(np.sqrt((gap ** 2).mean(1)).mean())
