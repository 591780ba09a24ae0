"""How alive bodies are, in numbers an animator knows: spreads of joints, turns, speeds; per style and genre (corpus.md
5).

Spread: root mean square of the geodesic distance of a local rotation from its mean over the clip, degrees.
"""
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from models.lab.metrics.beat_align import align_report, kinematic_beats_bailando
from models.lab.metrics.motion import foot_slide
from models.lab.studio.overlap import overlap_share

FPS = 30.0
# column: (summed or averaged, chains of joints)
SPREADS = {"spine": (np.sum, ((3,), (6,), (9,))), "head": (np.sum, ((12,), (15,))), "chest": (np.mean, ((3, 6, 9),)),
           "wrists": (np.mean, ((20,), (21,))), "shoulders": (np.mean, ((16,), (17,))),
           "elbows": (np.mean, ((18,), (19,))), "hips": (np.mean, ((1,), (2,))), "knees": (np.mean, ((4,), (5,)))}
SPEEDS = {"feet_mps": (10, 11), "pelvis_mps": (0,), "hands_mps": (20, 21)}


def spread_degrees(rotations):
    """Spread of rotations (T,3,3) about their mean."""
    turns = Rotation.from_matrix(rotations)
    return float(np.degrees(np.sqrt(((turns.mean().inv() * turns).magnitude() ** 2).mean())))


def turns_a_minute(rotations):
    """Whole turns of the pelvis (T,3,3), either way, after smoothing over a third of a second."""
    forward = rotations[..., 2]
    yaw = gaussian_filter1d(np.unwrap(np.arctan2(forward[:, 0], -forward[:, 1])), FPS / 3)
    return float(np.abs(np.diff(yaw)).sum() / (2 * np.pi) / (len(rotations) / FPS / 60))


def liveliness(motion):
    """{column: number} of a `Motion`."""
    motion = motion.resampled(FPS)
    row = {}
    for name, (gather, chains) in SPREADS.items():
        values = []
        for joints in chains:
            turn = motion.rotations[:, joints[0]]
            for joint in joints[1:]:
                turn = turn @ motion.rotations[:, joint]
            values.append(spread_degrees(turn))
        row[name] = float(gather(values))
    row["turns_per_minute"] = turns_a_minute(motion.rotations[:, 0])
    places = motion.positions()
    for name, joints in SPEEDS.items():
        row[name] = float(np.mean([np.linalg.norm(np.diff(places[:, joint], axis=0), axis=-1).mean()
                                   for joint in joints]) * FPS)
    return row


def studio_row(plan, motion):
    """`liveliness` of a studio dance and what it must keep: accents on the beats, feet planted, limbs apart."""
    places = motion.positions()
    found = kinematic_beats_bailando(places, motion.fps)
    return {**liveliness(motion), "lift": align_report(plan.times, found, motion.duration, shifts=41)["lift"],
            "slide_m": foot_slide(places, motion.fps)[0], "overlap": overlap_share(places)}


def medians(rows):
    """One row of many: medians; the mean of lift and overlap, the largest slide."""
    how = {"lift": np.mean, "overlap": np.mean, "slide_m": np.max}
    return {key: round(float(how.get(key, np.median)([row[key] for row in rows])), 3) for key in rows[0]}
