"""Real tracks: is there a stroke on the beats that two trackers agree on, and is the body one that a person has?

Beside the model as used: a rule on the same beats, another track's motion, beats half a stroke later, and the patterns
two and one forced.
"""
import json
import time
from pathlib import Path

import numpy as np

from core.audio.io import read_audio
from core.body.ictus import LEFT_HAND, RIGHT_HAND, ictus_times
from core.errors import BadInput
from core.rhythm.alignment import beat_f1_70ms
from core.rhythm.beats import Beats, read_beats
from models.conductor.config import FPS
from models.conductor.features import keypoints13
from models.conductor.pipeline import conducted, default_lead
from models.conductor.stance import knee_bends
from models.lab.evaluation.conductor.rule import rule_motion
from models.lab.metrics import conducting as scores
from models.lab.metrics.beat_align import align_report
from models.lab.metrics.motion import foot_slide

LAGS = np.arange(-0.08, 0.081, 0.02)        # s
FORCED = ("two", "one")
SHORT_S = 30.0                              # of the second seed and of standing legs
HANGING_M = 0.98                            # height of a wrist below which the arm hangs


def lift(agreed, motion, lead, duration):
    """(lift of the agreed beats to the ictus of `motion` over the circular-shift null, and at the best constant lag).

    Two trackers that agree may still be early or late together: lags within 80 ms.
    """
    ictus = ictus_times(motion) + lead
    if not len(ictus):
        return 0.0, 0.0
    plain = align_report(agreed.times, ictus, duration)["lift"]
    return plain, max(plain, *(align_report(agreed.times, ictus + lag, duration, shifts=31)["lift"] for lag in LAGS))


def body_row(motion):
    """{name: number} of one conducting motion: the limits of a person's body."""
    places = motion.positions()
    hands = np.linalg.norm(np.diff(places[:, [LEFT_HAND, RIGHT_HAND]], axis=0), axis=-1) * FPS
    toes = places[:, [10, 11]]
    together, mirrored = scores.hands_alike(places[:, LEFT_HAND, 2], places[:, RIGHT_HAND, 2], FPS)
    lifted = (toes[..., 2] > 0.04).astype(int)
    return {"hand_peak_m_s": float(hands.max()),
            "elbow_above": float((places[:, [18, 19], 2] > places[:, [16, 17], 2]).any(1).mean()),
            "hand_hangs": float((places[:, 20, 2] < HANGING_M).mean()),
            "hands_together": together, "hands_mirrored": mirrored, "slide_m": foot_slide(places, FPS)[0],
            "steps_a_minute": float((np.diff(lifted, axis=0) == 1).sum() * 60 / motion.duration),
            "knees_degrees": float(np.degrees(knee_bends(motion)).mean()),
            "pelvis_m": float(np.ptp(places[:, 0], axis=0).max())}


def standing_m(motion):
    """Metres that a foot is away from where it was at first, at most."""
    toes = motion.positions()[:, [10, 11]]
    return float(np.linalg.norm(toes - toes[:1], axis=-1).max())


def track_rows(conductor, tracks, find_beats, report, **options):
    """A row for each of (name, (samples, rate), agreed `Beats`): lifts of model and rule on the same found beats, of
    the motion of the track before, and of twos beaten in two and in one throughout; then the body.

    find_beats(samples, rate) -> `Beats`; options: of `Conductor.generate`.
    """
    rows, previous = [], None
    for name, audio, agreed in tracks:
        duration = audio[0].shape[-1] / audio[1]
        found = find_beats(*audio)
        found = found if len(found) > 1 else None
        shown = conducted(found)
        features, began = conductor.analyse(audio), time.perf_counter()

        def made(pattern="auto", found=found, features=features, **more):
            lead = default_lead(conducted(found, None, pattern))
            settings = {"seed": 0, "lead": lead, **options, **more, "beat_pattern": pattern}
            return conductor.generate(None, features=features, beats=found, **settings)[0], lead
        model, lead = made()
        wall = time.perf_counter() - began
        entry = {"name": name, "beats": len(agreed), "found": 0 if found is None else len(found),
                 "found_f1": 0.0 if found is None else beat_f1_70ms(found.times, agreed.times),
                 "strokes_a_bar": None if found is None else int(np.median(shown.counts)),
                 "times_real_time": duration / wall}
        rule = None if found is None else rule_motion(shown.shifted(-lead), len(model))
        for key, motion in (("model", model), ("rule", rule), ("another", previous)):
            if motion is not None:
                entry[f"lift_{key}"], entry[f"lift_{key}_best_lag"] = lift(agreed, motion, lead, duration)
        if found is not None:
            half = Beats(agreed.times + 0.5 * np.median(np.diff(shown.times)), agreed.positions)
            entry["lift_half_stroke"], entry["lift_half_stroke_best_lag"] = lift(half, model, lead, duration)
        for pattern in FORCED if found is not None and found.metre == 2 else ():
            entry[f"lift_{pattern}"] = lift(agreed, *made(pattern), duration)[0]
        short = min(duration, SHORT_S)
        other, standing = (made(duration=short, **more)[0] for more in ({"seed": 1}, {"legs": "stand"}))
        entry |= body_row(model) | {"stand_m": standing_m(standing), "seed_spread": scores.seed_spread(
            [keypoints13(model.slice(0, len(other))), keypoints13(other)])}
        previous = model
        rows.append(entry)
        report(json.dumps(entry))
    return rows


def read_tracks(folder, games=None):
    """(name, (samples, rate), agreed beats) of the .ogg files of a folder that have a .beats.txt, and of the passages
    of `orchestral_beats.json` beside them whose track lies under `games`; [] without the folder.

    Raises BadInput for games without that list.
    """
    tracks = []
    for path in sorted(Path(folder).glob("*.ogg")) if folder else []:
        agreed = path.with_suffix(".beats.txt")
        if agreed.exists():
            audio = read_audio(path)
            tracks.append((path.stem, (audio.samples, audio.rate), read_beats(agreed)))
    if not (folder and games):
        return tracks
    known = Path(folder, "orchestral_beats.json")
    if not known.exists():
        raise BadInput(f"{folder} has no orchestral_beats.json, which says where the beats of the games' music are.")
    for name, passage in json.loads(known.read_text(encoding="utf-8")).items():
        for path in sorted(Path(games).rglob(name + ".ogg")):
            audio = read_audio(path, start=passage["start_s"], duration=passage["duration_s"])
            times = np.array(passage["beats"])
            tracks.append((name, (audio.samples, audio.rate), Beats(times, np.zeros(len(times), int))))
    return tracks
