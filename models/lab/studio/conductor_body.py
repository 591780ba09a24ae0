"""The conductor's trunk, knees, head and shoulders: they breathe with the phrase, turn to who plays and bow to a soft
end."""
import numpy as np

from models.lab.studio.body import Curves, apply, rotvec, yaw
from models.lab.studio.ik import quintic, smooth, smooth_noise

STANDING = 0.947                # m, pelvis of a conductor at ease; straight legs give 0.95
BOW = 0.42                      # rad, head and neck at the softest ending
SOFT = 0.42                     # loudness below which an ending is bowed to


def breaths(plan, style, t):
    """(T,) 0..1: a breath before the piece and before each section starts."""
    out = np.zeros(len(t))
    for beat in {0, *(s.first for s in plan.sections if 0 < s.first < len(plan.times))}:
        gap = float(np.clip(plan.times[min(beat + 1, len(plan.times) - 1)] - plan.times[beat], 0.35, 1.2))
        at = plan.times[beat] - style.lead
        out += quintic((t - at + 1.3 * gap) / gap) * quintic((at + 0.7 * gap - t) / gap)
    return out


def bows(plan, style, t):
    """(T,) rad: how far the head goes down where a section, a held note or the piece ends softly."""
    out, count = np.zeros(len(t)), len(plan.times)
    ends = {section.last - 1 for section in plan.sections} | {c.beat for c in plan.cues if c.kind == "fermata"}
    for beat in ends:
        beat = min(beat, count - 1)
        depth = BOW * np.clip((SOFT - plan.dynamics[beat]) / SOFT, 0, 1) ** 0.6 * (1.0 if beat == count - 1 else 0.6)
        at = plan.times[beat] - style.lead
        stays = plan.duration - at + 9 if beat == count - 1 else 0.5
        out = np.maximum(out, depth * quintic((t - at + 0.9) / 1.2) * quintic((at + stays + 0.8 - t) / 0.8))
    return out


def curves_of(plan, style, rng, t, loud, height, hands, left_turn, gaze, feet):
    """`Curves` of the whole body. loud (T,) 0..1; height (T,) of the beating hand in strokes; hands (left, right) wrist
    paths (T,3) as seen from a body that faces ahead; left_turn (T,3) of the free wrist; gaze (T,2) pitch, yaw; feet:
    `Feet`."""
    frames, (left, right) = len(t), hands
    curves, drift = Curves.standing(frames), smooth_noise(rng, frames, 10, 2.0)
    breath, bow, calm = breaths(plan, style, t), bows(plan, style, t), smooth(loud, 8)
    beats = plan.times - style.lead
    bar = plan.metre * float(np.median(np.diff(beats)))
    bars = np.interp(t, beats, np.arange(len(beats)) / (plan.metre * np.clip(round(7.0 / bar), 1, 8)))
    phrase = np.sin(2 * np.pi * bars + rng.uniform(0, 6.28))
    pulse = smooth(1 - np.clip(height, 0, 1), 1)                     # 1 at the ictus
    knees = style.knees
    # Knees and hips: low in piano, tall in forte, sinking into strong ictus, up with a breath.
    sink = (0.045 * np.clip((0.40 - calm) / 0.40, 0, 1) + 0.016 * (1 - phrase) + 0.018 * loud * pulse
            + 0.008 * drift[:, 0] + 0.05 * bow / BOW * 0.4)
    curves.pelvis[:, 0], curves.pelvis[:, 2] = feet.place[:, 0], feet.place[:, 1]
    curves.pelvis[:, 1] = STANDING - knees * sink - 0.05 * np.abs(feet.share - 0.5) + 0.012 * breath
    curves.ball, curves.foot_yaw, curves.foot_pitch = feet.ball, feet.yaw, feet.pitch
    ahead = np.stack([np.sin(feet.heading), np.cos(feet.heading)], 1)
    curves.pelvis[:, [0, 2]] -= (0.030 * knees * sink / 0.05)[:, None] * ahead
    # Who plays: a look is shared by hips, trunk, neck and head.
    look = gaze[:, 1] - 0.5 * feet.heading
    hips = smooth(0.30 * style.turning * look + 0.02 * drift[:, 1], 5)
    lean = (style.lean * (loud - 0.4 + 0.8 * phrase) - 0.07 * breath + 0.02 * drift[:, 2] + 0.25 * bow
            + 0.8 * knees * sink)
    roll = 0.10 * (feet.share - 0.5) + 0.03 * drift[:, 3]
    tilt = rotvec(np.stack([0.30 * np.clip(lean, -0.1, 0.3), np.zeros(frames), 0.06 * (0.5 - feet.share)], -1))
    curves.pelvis_rotation = yaw(feet.heading + hips) @ tilt
    aside = smooth(right[:, 0] + 0.16, 2)
    curves.spine[:, 0] = 1.15 * lean + 0.03 * loud * pulse
    curves.spine[:, 1] = (0.70 * style.turning * look + 0.06 * drift[:, 4] + 0.40 * aside
                          - 0.20 * smooth(left[:, 0] - 0.25, 4))
    curves.spine[:, 2] = -roll + 0.18 * smooth(left[:, 1] - right[:, 1], 4) * 0.5
    rest = look * (1 - 0.85 * style.turning)
    curves.neck[:, 0] = 0.12 - 0.45 * lean + 0.5 * gaze[:, 0] + 0.5 * bow
    curves.neck[:, 1], curves.neck[:, 2] = 0.5 * rest + 0.04 * drift[:, 5], 0.5 * roll
    nod = 0.07 * pulse * loud
    curves.head[:, 0] = 0.08 - 0.6 * lean + 0.5 * gaze[:, 0] + 0.5 * bow + nod + 0.05 * drift[:, 6]
    curves.head[:, 1], curves.head[:, 2] = 0.75 * rest + 0.08 * drift[:, 7], 0.6 * roll + 0.06 * drift[:, 8]
    raised = np.stack([left[:, 1], right[:, 1]], 1)
    lift = np.clip((raised - 1.30) * 0.6, 0, 0.30) + 0.09 * breath[:, None]
    curves.collar[..., 2] = lift * np.array([1.0, -1.0])
    noise = smooth_noise(rng, frames, 6, 0.7) * style.tremor
    noise[:, 1] *= 0.3
    body = np.stack([feet.place[:, 0], np.zeros(frames), feet.place[:, 1]], -1)
    turned = yaw(0.85 * feet.heading)
    low = np.clip((1.0 - raised) / 0.1, 0, 1)                     # a hanging arm goes with the shoulders
    drop = np.stack([np.zeros(frames), smooth(curves.pelvis[:, 1] - STANDING, 2), np.zeros(frames)], -1)
    curves.wrists = np.stack([apply(turned, left + noise[:, 3:]) + body + (0.4 + 0.6 * low[:, :1]) * drop,
                              apply(turned, right + noise[:, :3]) + body], 1)
    curves.wrists[:, 1] += 0.25 * np.sin(lean)[:, None] * apply(turned, np.array([0.0, 0.0, 1.0]))
    curves.arms = np.zeros((frames, 2, 4))
    # Elbows hang, and go down where the hand goes up; the flick of the wrist follows the height.
    curves.arms[:, :, 3] = -3.0 * np.clip(raised - 1.3, 0, 0.5)
    curves.hand[:, 1, 2] = -style.wrist * (np.clip(height, -0.2, 1.2) - 0.45)
    curves.hand[:, 0] = left_turn + 0.06 * drift[:, 9:10]
    return curves
