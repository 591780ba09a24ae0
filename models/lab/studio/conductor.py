"""The studio's conductor from a plan: the beating hand (beat-pattern theory); free hand, feet and body in the modules
beside.

The ictus is the lowest point of a stroke and the speed peak comes shortly before it; strokes are joined by cubic
Hermite curves with horizontal tangents and quintic timing, one parameter from uniform to accented (after arXiv
2604.10356). Body axes: +x the conductor's left, +y up, +z towards the orchestra.
"""
from dataclasses import dataclass

import numpy as np

from core.body.kinematics import FPS
from models.lab.studio import conductor_body, conductor_feet, conductor_left
from models.lab.studio.body import solve
from models.lab.studio.conducted import pattern_of, stroke_plan
from models.lab.studio.ik import quintic
from models.lab.studio.seating import seated

# Ictus of each beat: (left of centre in pattern widths, above the plane in stroke sizes); share of the full stroke.
PATTERNS = {
    1: (((0.0, 0.0),), (1.0,)),
    2: (((0.0, 0.0), (-0.25, 0.10)), (1.0, 0.75)),
    3: (((0.0, 0.0), (-1.0, 0.08), (-0.15, 0.15)), (1.0, 0.70, 0.75)),
    4: (((0.0, 0.0), (0.9, 0.06), (-1.0, 0.08), (-0.1, 0.16)), (1.0, 0.65, 0.78, 0.75)),
    6: (((0.0, 0.0), (0.45, 0.05), (0.9, 0.06), (-0.6, 0.08), (-1.1, 0.10), (-0.15, 0.16)),
        (1.0, 0.45, 0.50, 0.80, 0.45, 0.65)),
    9: (((0.0, 0.0), (0.25, 0.05), (0.4, 0.06), (-0.8, 0.08), (-1.0, 0.08), (-1.15, 0.10), (-0.45, 0.12), (-0.25, 0.14),
         (-0.1, 0.18)), (1.0, 0.42, 0.48, 0.72, 0.40, 0.45, 0.74, 0.42, 0.62)),
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
    sway: float                # 0..1, how far the weight goes from foot to foot
    tremor: float              # m
    loop: float                # lateral roundness
    steady: float              # how much effort shrinks in steady passages
    tilt: float                # rad, the plane rises to the right
    stance: float              # m, half the distance between the feet
    turn_out: float            # rad of each foot
    mobility: float            # 0..1, how readily a section or a cue is met by a step
    heel: float                # rad, the heel of the free leg
    knees: float               # 0..1, how much knees and hips go with phrase and beat
    turning: float             # 0..1, how much of a look the trunk takes


def draw_style(rng, bpm):
    """A conductor; the lead follows the tempo (0-40 ms fast, 60-150 ms moderate, to 250 ms slow), constant in a
    piece."""
    low, high = (0.0, 0.04) if bpm > 120 else (0.06, 0.15) if bpm >= 76 else (0.10, 0.25)
    u = rng.uniform
    return Style(lead=u(low, high), plane=u(1.05, 1.20), size=u(), width=u(0.35, 0.75), depth=u(0.24, 0.36),
                 rebound=u(), dwell=u(0.15, 0.30), peak=u(0.06, 0.12), accented=u(0.45, 1.0), wrist=u(0.1, 0.5),
                 mirror=float(rng.choice([0.0, u(0, 0.2), u(0.15, 0.33)])), lean=u(0.05, 0.15), sway=u(0.35, 1.1),
                 tremor=u(0.001, 0.005), loop=u(0.3, 1.0), steady=u(0.0, 0.22), tilt=u(-0.05, 0.12),
                 stance=u(0.095, 0.14), turn_out=u(0.10, 0.28), mobility=u(0.25, 1.0), heel=u(0.0, 0.22),
                 knees=u(0.3, 1.0), turning=u(0.3, 0.7))


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
    starts = {section.first for section in plan.sections} | {cue.beat for cue in plan.cues if cue.kind != "look"}
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
    """Which gaps between ictus are held under a fermata, (B-1,) booleans, and what share of each its usual beat would
    be."""
    beats = [cue.beat for cue in plan.cues if cue.kind == "fermata"]
    held = np.isin(index[:-1], beats)
    around = np.minimum(np.roll(gap, 1), np.roll(gap, -1))
    return held, np.where(held, np.clip(around / gap, 0.3, 1.0), 1.0)


FASTEST_HAND = 2.80                     # m/s of the wrist; its flick adds up to a third at the finger tips
HIGHEST_WRIST = 1.60                    # m: above it the elbow would come up to the shoulder


@dataclass
class Strokes:
    """What is drawn of the beating hand, one a stroke: seconds, place in the bar, drop (m), its share, wrist places
    (m)."""

    times: np.ndarray
    positions: np.ndarray
    size: np.ndarray
    share: np.ndarray
    articulation: np.ndarray
    dynamics: np.ndarray
    place: np.ndarray
    noise: np.ndarray
    held: np.ndarray
    usual: np.ndarray


def draw_strokes(plan, style, rng):
    """The `Strokes` of a plan, none faster than an arm should show."""
    times, positions, dynamics, articulation, index = extend(plan, style.lead)
    size, share = stroke_sizes(plan, style, rng, positions, dynamics, index)
    place = np.array(PATTERNS[plan.metre][0])[positions - 1]
    noise = rng.normal(0, 1, (len(size), 3)) * [0.008, 0.006, 0.008]
    held, usual = holds(plan, index, np.diff(times))
    strokes = Strokes(times, positions, size, share, articulation, dynamics, place, noise, held, usual)
    dense = np.arange(times[0], times[-1], 1 / 120)
    into = np.clip(np.searchsorted(times, dense[:-1], side="right"), 1, len(times) - 1)
    for _ in range(4):
        speed = np.linalg.norm(np.diff(stroke_path(strokes, style, dense)[0], axis=0), axis=1) * 120
        fastest = np.zeros(len(times))
        np.maximum.at(fastest, into, speed)
        bar = np.cumsum(positions == 1)                       # a bar keeps its proportions: it shrinks as a whole
        by_bar = np.zeros(bar.max() + 1)
        np.maximum.at(by_bar, bar, np.maximum(fastest, np.append(fastest[1:], 0.0)))
        strokes.size = strokes.size * np.minimum(1.0, 0.97 * FASTEST_HAND / np.maximum(by_bar, 1e-3))[bar]
    return strokes


def right_hand(plan, style, rng, t):
    """Wrist path (T,3) of the beating hand, its height above the ictus plane in stroke sizes (T,), and ictus times."""
    strokes = draw_strokes(plan, style, rng)
    return *stroke_path(strokes, style, t), strokes.times


def smoothstep(u):
    """0 to 1 with horizontal tangents."""
    return u * u * (3 - 2 * u)


def fallen(v, power, accented):
    """Share of the way down after a share v of the falling time: late by `power`, from uniform to accented timing."""
    late = v ** power
    return (1 - accented) * late + accented * quintic(late)


def blunted(power, accented, mean_speed):
    """`power` and `accented` (B,) of each fall, less sharp where its peak would be faster than `FASTEST_HAND`.

    mean_speed (B,) m/s: the sharper the timing, the higher the peak above it, from 1.5 to some 4 times.
    """
    v, shares = np.linspace(0, 1, 49)[:, None, None], np.linspace(1, 0, 9)[:, None]
    powers, accents = 1 + (power - 1) * shares, accented * shares
    peak = np.diff(smoothstep(fallen(v, powers, accents)), axis=0).max(0) * 48            # (9, B)
    fits = peak * mean_speed <= 0.95 * FASTEST_HAND
    chosen = np.where(fits.any(0), fits.argmax(0), len(shares) - 1)
    index = np.arange(len(power))
    return powers[chosen, index], accents[chosen, index]


def stroke_path(strokes, style, t):
    """(wrist path (T,3) in metres, height above the ictus plane in stroke sizes (T,)) at seconds t (T,)."""
    times, positions, articulation, held, size = (strokes.times, strokes.positions, strokes.articulation, strokes.held,
                                                  strokes.size)
    width = np.clip(size * style.width, 0.03, 0.24)
    side, up = strokes.place[:, 0], strokes.place[:, 1]
    ictus = strokes.noise + np.stack([
        -0.16 + side * width, style.plane + up * size - 0.25 * np.clip(size - 0.3, 0, 1) - style.tilt * side * width,
        style.depth + 0.04 * strokes.dynamics], 1)
    down = size * strokes.share                                       # the drop into each ictus
    low, high = 0.50 - 0.30 * articulation, 0.65 - 0.35 * articulation
    bounce = (low + (high - low) * style.rebound) * down              # and the rebound out of it
    top_y = ictus[1:, 1] + down[1:]
    top_y = top_y - 0.8 * 0.04 * np.logaddexp(0, (top_y - HIGHEST_WRIST) / 0.04)
    rebound_y = np.minimum(ictus[:-1, 1] + bounce[:-1], top_y - 0.01)
    art = np.minimum(articulation[:-1], 1.0)
    gap = np.diff(times)
    drop_time = np.clip(0.46 - 0.10 * art, 0.22 / gap, 0.5)           # share of the beat spent falling
    drop_time = np.minimum(drop_time, np.maximum(0.75 / gap, 0.30))   # a slow stroke waits at the top
    rise_end = 1 - drop_time
    bounce_end = np.clip(0.40 - 0.16 * art, 0.12, rise_end - 0.05)
    still = np.minimum(bounce_end + style.dwell * art, rise_end - np.clip(0.20 / gap, 0.02, 0.75 * rise_end))
    # Under a fermata the hand rises a little, stays, and prepares the next stroke in its usual time.
    usual = strokes.usual
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
    accented = np.clip(style.accented * (0.55 + 0.6 * articulation[:-1]), 0, 1)
    power, accented = blunted(power, accented, (top_y - ictus[1:, 1]) / (drop_time * gap))
    s = fallen(v, power[k], accented[k])
    fall = top_y[k] + (ictus[k + 1, 1] - top_y[k]) * smoothstep(s)
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
    loop = np.minimum(0.05, 0.25 * size[np.minimum(k + 1, len(size) - 1)])
    flat[:, 0] -= loop * style.loop * arch * (positions[np.minimum(k + 1, len(positions) - 1)] == 1)
    flat[:, 1] -= 0.10 * np.clip(y - 1.45, 0, 0.4) - 0.02 * arch
    path = np.stack([flat[:, 0], y, flat[:, 1]], 1)
    height = np.clip((y - style.plane) / np.maximum(size[k + 1], 0.08), -0.3, 1.3)
    return path, height


def perform(plan, style, rng):
    """Motion of `plan` (its beats are strokes) by a conductor of `style`."""
    t = np.arange(int(round(plan.duration * FPS))) / FPS
    right, height, _ = right_hand(plan, style, rng, t)
    left, left_hand, gaze = conductor_left.left_hand(plan, style, rng, t, right)
    feet = conductor_feet.stand(plan, style, rng, t)
    times, _, dynamics, _, _ = extend(plan, style.lead)
    loud = np.interp(t, times, dynamics)
    return solve(conductor_body.curves_of(plan, style, rng, t, loud, height, (left, right), left_hand, gaze, feet))


def conduct(plan, variant=0):
    """(Motion, lead): the conductor of a plan of kind "conducting"; the ictus comes `lead` seconds before its sound.

    Which beats get a stroke: `conducted.pattern_of(plan, variant)`. variant: another conductor of the same piece.
    """
    rng = np.random.default_rng([plan.seed, *b"conductor", *([variant] if variant else [])])
    shown = stroke_plan(seated(plan), pattern_of(plan, variant))
    style = draw_style(rng, shown.bpm)
    return perform(shown, style, rng), float(style.lead)


__all__ = ["PATTERNS", "Style", "conduct", "draw_style", "right_hand", "stroke_path"]
