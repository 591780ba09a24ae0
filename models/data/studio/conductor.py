"""The studio's conductor: both arms, torso, head, gaze and breath from a plan (beat-pattern theory).

The ictus is the lowest point of a stroke and the speed peak comes shortly before it; strokes are joined by cubic
Hermite curves with horizontal tangents and quintic timing, one parameter from uniform to accented (after arXiv
2604.10356). Body axes: +x the conductor's left, +y up, +z towards the orchestra.
"""
from dataclasses import dataclass

import numpy as np

from core.kinematics import FPS
from models.data.studio import conductor_left
from models.data.studio.body import Curves, rotvec, solve
from models.data.studio.ik import quintic, smooth, smooth_noise

# Ictus of each beat: (left of centre in pattern widths, above the plane in stroke sizes); share of the full stroke.
PATTERNS = {
    2: (((0.0, 0.0), (-0.25, 0.10)), (1.0, 0.75)),
    3: (((0.0, 0.0), (-1.0, 0.08), (-0.15, 0.15)), (1.0, 0.70, 0.75)),
    4: (((0.0, 0.0), (0.9, 0.06), (-1.0, 0.08), (-0.1, 0.16)), (1.0, 0.65, 0.78, 0.75)),
    6: (((0.0, 0.0), (0.45, 0.05), (0.9, 0.06), (-0.6, 0.08), (-1.1, 0.10), (-0.15, 0.16)),
        (1.0, 0.45, 0.50, 0.80, 0.45, 0.65)),
}
# Vertical stroke in metres at a dynamic (0..1): the smallest and the widest conductor (p, mf, f of the corpus page).
STROKE = ((0.0, 0.2, 0.5, 0.85, 1.0), (0.07, 0.10, 0.25, 0.45, 0.50), (0.15, 0.20, 0.40, 0.64, 0.70))


@dataclass(frozen=True)
class Style:
    """One conductor's habits, drawn once per piece."""

    lead: float                # s, motion before sound
    plane: float               # m above the floor
    size: float                # 0 small .. 1 wide, within the range of each dynamic
    width: float               # pattern width / stroke size
    depth: float               # m, wrists before the body
    rebound: float             # 0..1 inside the range of the articulation
    dwell: float               # share of the beat, full staccato
    peak: float                # s between speed peak and ictus
    accented: float            # 0 uniform .. 1 accented timing
    wrist: float               # rad of wrist flick at full stroke
    mirror: float              # share of time the left hand mirrors
    lean: float                # rad
    sway: float                # m
    tremor: float              # m
    loop: float                # lateral roundness
    steady: float              # how much effort shrinks in steady passages
    tilt: float                # rad, the plane rises to the right


def draw_style(rng, bpm):
    """A conductor; the lead follows the tempo (0-40 ms fast, 60-150 ms moderate, to 250 ms slow), constant in a piece."""
    low, high = (0.0, 0.04) if bpm > 120 else (0.06, 0.15) if bpm >= 76 else (0.10, 0.25)
    u = rng.uniform
    return Style(lead=u(low, high), plane=u(1.05, 1.20), size=u(), width=u(0.35, 0.75), depth=u(0.24, 0.36), rebound=u(),
                 dwell=u(0.15, 0.30), peak=u(0.06, 0.12), accented=u(0.45, 1.0), wrist=u(0.1, 0.6),
                 mirror=float(rng.choice([0.0, u(0, 0.2), u(0.15, 0.33)])), lean=u(0.03, 0.13), sway=u(0.0, 0.035),
                 tremor=u(0.001, 0.005), loop=u(0.3, 1.0), steady=u(0.0, 0.22), tilt=u(-0.05, 0.12))


def extend(plan, lead, before=2, after=3):
    """Ictus times, positions, dynamics, articulation and plan indices, a few beats past both ends of the clip."""
    first, last = plan.times[1] - plan.times[0], plan.times[-1] - plan.times[-2]
    times = np.concatenate([plan.times[0] - first * np.arange(before, 0, -1), plan.times,
                            plan.times[-1] + last * np.arange(1, after + 1)]) - lead
    index = np.arange(-before, len(plan.times) + after)
    inside = np.clip(index, 0, len(plan.times) - 1)
    positions = (plan.positions[inside] - 1 + index - inside) % plan.metre + 1
    return times, positions, plan.dynamics[inside], plan.articulation[inside], index


def stroke_sizes(plan, style, rng, positions, dynamics, index):
    """Vertical stroke into each ictus, metres: dynamics, place in the bar, accents, effort at changes, variation."""
    grid, small, wide = STROKE
    size = np.interp(dynamics, grid, small) * (1 - style.size) + np.interp(dynamics, grid, wide) * style.size
    share = np.array(PATTERNS[plan.metre][1])[positions - 1]
    bar = np.cumsum(positions == 1)
    variation = np.exp(rng.normal(0, 0.07, bar.max() + 1))[bar] * np.exp(rng.normal(0, 0.04, len(bar)))
    change = np.zeros(len(index))
    starts = {section.first for section in plan.sections} | {cue.beat for cue in plan.cues}
    for k, beat in enumerate(index):
        change[k] = 1.0 if beat in starts else (change[k - 1] * 0.9 if k else 0.6)
    moved = np.abs(np.gradient(dynamics)) * plan.metre
    effort = 1 - style.steady * (1 - np.clip(np.maximum(change, 4 * moved), 0, 1))
    for cue in plan.cues:
        at = cue.beat - index[0]
        if cue.kind in ("accent", "entry") and 0 < at < len(effort):
            effort[at] *= 1.25 if cue.kind == "accent" else 1.12
            effort[at - 1] *= 1.10                                   # prepared one beat ahead
    return np.clip(size * variation * effort, 0.06, 0.72), share


def holds(plan, index, gap):
    """Which gaps between ictus are held under a fermata, (B-1,) booleans, and what share of each its usual beat would be."""
    beats = [cue.beat for cue in plan.cues if cue.kind == "fermata"]
    held = np.isin(index[:-1], beats)
    around = np.minimum(np.roll(gap, 1), np.roll(gap, -1))
    return held, np.where(held, np.clip(around / gap, 0.3, 1.0), 1.0)


def right_hand(plan, style, rng, t):
    """Wrist path (T,3) of the beating hand, its height above the ictus plane in stroke sizes (T,), and ictus times."""
    times, positions, dynamics, articulation, index = extend(plan, style.lead)
    size, share = stroke_sizes(plan, style, rng, positions, dynamics, index)
    place = np.array(PATTERNS[plan.metre][0])[positions - 1]
    width = np.clip(size * style.width, 0.05, 0.30)
    ictus = np.stack([-0.16 + place[:, 0] * width + rng.normal(0, 0.008, len(size)),
                      style.plane + place[:, 1] * size - 0.10 * np.clip(size - 0.4, 0, 1) - style.tilt * place[:, 0] * width
                      + rng.normal(0, 0.006, len(size)),
                      style.depth + 0.04 * dynamics + rng.normal(0, 0.008, len(size))], 1)
    down = size * share                                               # the drop into each ictus
    low, high = 0.50 - 0.30 * articulation, 0.65 - 0.35 * articulation
    bounce = (low + (high - low) * style.rebound) * down              # and the rebound out of it
    top_y = ictus[1:, 1] + down[1:]
    rebound_y = np.minimum(ictus[:-1, 1] + bounce[:-1], top_y - 0.01)
    art = np.minimum(articulation[:-1], 1.0)
    gap = np.diff(times)
    drop_time = np.clip(0.46 - 0.10 * art, 0.22 / gap, 0.5)           # share of the beat spent falling
    rise_end = 1 - drop_time
    bounce_end = np.clip(0.40 - 0.16 * art, 0.12, rise_end - 0.05)
    still = np.minimum(bounce_end + style.dwell * art, rise_end - 0.02)
    held, usual = holds(plan, index, gap)
    # Under a fermata the hand rises a little, stays, and prepares the next stroke in its usual time.
    drop_time = np.where(held, np.minimum(drop_time, 0.46 * usual), drop_time)
    rise_end = 1 - drop_time
    bounce_end = np.where(held, 0.50 * usual, bounce_end)
    still = np.where(held, np.maximum(rise_end - 0.45 * usual, bounce_end), still)
    rebound_y = np.where(held, np.minimum(ictus[:-1, 1] + 0.5 * down[:-1], top_y - 0.02), rebound_y)
    # Quintic timing u**power has its speed peak at 0.5**(1/power): placed `style.peak` seconds before the ictus.
    late = np.clip(1 - style.peak / (drop_time * gap), 0.5, 0.85)
    power = np.log(0.5) / np.log(late)

    k = np.clip(np.searchsorted(times, t, side="right") - 1, 0, len(gap) - 1)
    u = np.clip((t - times[k]) / gap[k], 0, 1)
    falling = u >= rise_end[k]
    # Rise: legato is one arc to the top, staccato a short rebound, a dwell, then the preparation.
    smooth_rise = quintic(u / rise_end[k])
    bounced = quintic(u / bounce_end[k])
    prepared = quintic((u - still[k]) / (rise_end[k] - still[k]))
    stepped = (rebound_y[k] - ictus[k, 1]) * bounced + (top_y[k] - rebound_y[k]) * prepared
    weight = np.where(held[k], 1.0, np.clip(articulation[k] * 1.4, 0, 1))
    rise = ictus[k, 1] + (1 - weight) * (top_y[k] - ictus[k, 1]) * smooth_rise + weight * stepped
    v = np.clip((u - rise_end[k]) / drop_time[k], 0, 1)
    accented = np.clip(style.accented * (0.55 + 0.6 * articulation[k]), 0, 1)
    s = (1 - accented) * v ** power[k] + accented * quintic(v ** power[k])
    fall = top_y[k] + (ictus[k + 1, 1] - top_y[k]) * s * s * (3 - 2 * s)
    y = np.where(falling, fall, rise)
    # Sideways: Hermite between ictus points with horizontal tangents at both.
    w = np.where(held[k], rise_end[k] * (0.3 * bounced + 0.7 * prepared), u)
    w = np.where(falling, rise_end[k] + (1 - rise_end[k]) * (0.5 * v + 0.5 * s), w)
    span = np.gradient(ictus[:, [0, 2]], axis=0) * (style.loop * (1 - 0.6 * articulation))[:, None]
    h00, h10 = 2 * w ** 3 - 3 * w ** 2 + 1, w ** 3 - 2 * w ** 2 + w
    h01, h11 = 3 * w ** 2 - 2 * w ** 3, w ** 3 - w ** 2
    flat = (h00[:, None] * ictus[k][:, [0, 2]] + h10[:, None] * span[k]
            + h01[:, None] * ictus[k + 1][:, [0, 2]] + h11[:, None] * span[k + 1])
    # Upstrokes swing outwards so that the path is a loop, not a line.
    arch = np.sin(np.pi * np.clip(w, 0, 1)) ** 2
    flat[:, 0] -= 0.05 * style.loop * arch * (positions[np.minimum(k + 1, len(positions) - 1)] == 1)
    flat[:, 1] -= 0.10 * np.clip(y - 1.45, 0, 0.4) - 0.02 * arch
    path = np.stack([flat[:, 0], y, flat[:, 1]], 1)
    height = np.clip((y - style.plane) / np.maximum(size[k + 1], 0.08), -0.3, 1.3)
    return path, height, times


def perform(plan, style, rng):
    """Motion of `plan` by a conductor of `style`."""
    frames = int(round(plan.duration * FPS))
    t = np.arange(frames) / FPS
    right, height, ictus_times = right_hand(plan, style, rng, t)
    left, left_hand, gaze = conductor_left.left_hand(plan, style, rng, t, right)
    times, positions, dynamics, _, index = extend(plan, style.lead)
    loud = np.interp(t, times, dynamics)
    curves = Curves.standing(frames, width=0.12)
    drift = smooth_noise(rng, frames, 8, 2.5)
    # Phrases lean the trunk; loudness opens it; breath lifts it before starts.
    starts = np.array([s.first for s in plan.sections if 0 < s.first < len(plan.times)], int)
    breath = np.zeros(frames)
    for beat in np.concatenate([[0], starts]):
        gap = plan.times[min(beat + 1, len(plan.times) - 1)] - plan.times[beat]
        gap = max(gap, 0.3)
        at = plan.times[beat] - style.lead
        breath += quintic((t - at + 1.3 * gap) / gap) * quintic((at + 0.7 * gap - t) / gap)
    bars = np.interp(t, times, np.arange(len(times)) / (plan.metre * 4))
    phrase = np.sin(2 * np.pi * bars + rng.uniform(0, 6.28))
    beat_pulse = smooth(0.012 * (1 - np.clip(height, 0, 1)), 1)
    lean = style.lean * (0.7 * (loud - 0.4) + 0.5 * phrase) - 0.07 * breath + 0.015 * drift[:, 0]
    curves.spine[:, 0] = lean + beat_pulse
    curves.spine[:, 1] = 0.45 * gaze[:, 1] + 0.03 * drift[:, 1] + 0.10 * (right[:, 0] + 0.16)
    curves.spine[:, 2] = 0.03 * drift[:, 2]
    curves.neck[:, 0] = 0.10 - 0.3 * lean + 0.5 * gaze[:, 0]
    curves.neck[:, 1] = 0.3 * gaze[:, 1]
    curves.head[:, 0] = 0.08 - 0.5 * lean + 0.5 * gaze[:, 0] + 0.05 * (1 - np.clip(height, 0, 1)) * loud + 0.02 * drift[:, 3]
    curves.head[:, 1] = 0.45 * gaze[:, 1] + 0.05 * drift[:, 4]
    shift = style.sway * (phrase + 0.5 * drift[:, 5])
    curves.pelvis[:, 0] = shift
    curves.pelvis[:, 1] = 0.935 - 0.5 * np.abs(shift) + 0.004 * breath
    curves.pelvis[:, 2] = 0.012 * drift[:, 6] + 0.01 * loud
    curves.pelvis_rotation = rotvec(np.stack([0.2 * np.clip(lean, -0.1, 0.2), 0.15 * gaze[:, 1], 0.3 * shift], -1))
    raised = np.stack([left[:, 1], right[:, 1]], 1)
    lift = np.clip((raised - 1.30) * 0.7, 0, 0.35) + 0.09 * breath[:, None]
    curves.collar[..., 2] = lift * np.array([1.0, -1.0])
    noise = smooth_noise(rng, frames, 6, 0.7) * style.tremor
    body = np.stack([curves.pelvis[:, 0], np.zeros(frames), curves.pelvis[:, 2]], -1)
    noise[:, 1] *= 0.3
    curves.wrists = np.stack([left + noise[:, 3:] + body, right + noise[:, :3] + body], 1)
    curves.wrists[:, 1, 2] += 0.3 * np.sin(lean)
    curves.arms = np.zeros((frames, 2, 4))
    # Elbows a little out; the flick of the wrist follows the height, so the lowest point stays the lowest.
    curves.arms[:, :, 3] = 0.35 + 0.3 * np.clip(raised - 1.2, -0.2, 0.5)
    curves.hand[:, 1, 2] = -style.wrist * (np.clip(height, -0.2, 1.2) - 0.45)
    curves.hand[:, 0] = left_hand
    return solve(curves)


def conduct(plan):
    """(Motion, lead): the conductor of a plan of kind "conducting"; the ictus comes `lead` seconds before its sound."""
    rng = np.random.default_rng([plan.seed, *b"conductor"])
    style = draw_style(rng, plan.bpm)
    return perform(plan, style, rng), float(style.lead)


__all__ = ["PATTERNS", "Style", "conduct", "draw_style", "right_hand"]
