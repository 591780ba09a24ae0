"""The conductor's left hand and gaze: rests, mirrors, sustains, cues and cuts off (each prepared a beat ahead)."""
import numpy as np

from models.data.studio.ik import interpolate_keys, quintic, smooth

# Where the sections of the orchestra sit, seen from the podium: (pitch down +, yaw to the left +) radians.
SEATS = {"strings": (0.10, 0.55), "winds": (-0.05, 0.0), "brass": (-0.10, -0.40), "timpani": (-0.12, 0.25)}
REST = np.array([0.20, 1.02, 0.24])
MIRRORED = np.array([-1.0, 1.0, 1.0])


def modes(plan, style, rng):
    """One mode per bar: rest, mirror (at most a third of the time), sustain."""
    bars = max(1, int(np.ceil(len(plan.times) / plan.metre)) + 1)
    out, spent = [], 0
    rising = [_slope(plan, bar) for bar in range(bars)]
    bar = 0
    while bar < bars:
        length = int(rng.integers(1, 4))
        if np.mean(rising[bar:bar + length]) > 0.02 or rng.random() < 0.15:
            mode = "sustain"
        elif style.mirror > 0 and spent + length <= style.mirror * bars + 0.5 and rng.random() < 0.5:
            mode, spent = "mirror", spent + length
        else:
            mode = "rest"
        out += [mode] * length
        bar += length
    return out[:bars]


def _slope(plan, bar):
    first = min(bar * plan.metre, len(plan.dynamics) - 1)
    last = min(first + plan.metre, len(plan.dynamics) - 1)
    return plan.dynamics[last] - plan.dynamics[first]


def left_hand(plan, style, rng, t, right):
    """Wrist path (T,3), wrist rotation vector (T,3) and gaze (T,2: pitch, yaw) of a plan."""
    beats = plan.times - style.lead
    count = len(beats)
    mode = modes(plan, style, rng)
    bar_of = (np.arange(count) + plan.positions[0] - 1) // plan.metre
    mode = [mode[min(b, len(mode) - 1)] for b in bar_of]
    rest = REST + rng.normal(0, 0.02, 3) + (np.array([0.04, -0.20, -0.16]) if rng.random() < 0.3 else 0)
    wander = rng.normal(0, 0.015, (count, 3))
    palm = np.zeros((count, 3))
    target = np.tile(rest, (count, 1)) + wander
    mirror = np.zeros(count)
    sustain_x = rng.uniform(0.22, 0.32)
    for k in range(count):
        if mode[k] == "mirror":
            mirror[k] = 1.0
        elif mode[k] == "sustain":
            target[k] = [sustain_x, 1.08 + 0.38 * plan.dynamics[k], 0.36 + 0.05 * plan.dynamics[k]]
            target[k] += wander[k]
            palm[k] = [-1.1, 0.0, 0.1]                       # palm up
    mirror_t = interpolate_keys(t, beats, mirror, dwell=0.2)
    path = interpolate_keys(t, beats, target, dwell=0.1)
    hand = interpolate_keys(t, beats, palm, dwell=0.1)
    gaze = np.zeros((len(t), 2))
    gaze += interpolate_keys(t, beats[::plan.metre], _glances(rng, len(beats[::plan.metre])), dwell=0.6)
    path = path * (1 - mirror_t[:, None]) + mirror_t[:, None] * (right * MIRRORED)
    for cue in plan.cues:
        if not 0 < cue.beat < count:
            continue
        at = beats[cue.beat]
        before = max(at - beats[cue.beat - 1], 0.25)
        look = quintic((t - at + 1.6 * before) / before) * quintic((at + 1.3 * before - t) / before)
        pitch_yaw = np.array(SEATS[cue.group])
        gaze += look[:, None] * (pitch_yaw - gaze)
        if rng.random() < 0.25 and cue.kind != "cutoff":      # some cues are given by the eyes alone
            continue
        stays = 0.6 * before
        if cue.kind == "fermata" and cue.beat + 1 < count:                # palm up until the next stroke is prepared
            stays = max(stays, beats[cue.beat + 1] - at - 0.9 * before)
        share = quintic((t - at + 1.5 * before) / (0.7 * before)) * quintic((at + stays + 0.8 * before - t) / (0.8 * before))
        share = share[:, None]
        gesture, turn = _gesture(cue, t, at, before, pitch_yaw[1])
        path = path * (1 - share) + share * gesture
        hand = hand * (1 - share) + share * turn
    return smooth(path, 1), hand, smooth(gaze, 2)


def _glances(rng, bars):
    """Now and then the eyes wander over the players, or into the score."""
    pick = rng.random(bars)
    glance = np.stack([rng.normal(0, 0.04, bars), rng.normal(0, 0.18, bars)], 1)
    glance[pick < 0.15] += [0.28, 0.0]
    return glance


def _gesture(cue, t, at, before, yaw):
    """Path (T,3) and wrist turn of one cue, entry, accent, fermata or cut-off around its ictus `at`."""
    u = (t - at) / before
    rise = quintic(u + 1.2) * (1 - quintic((u + 0.45) / 0.45)) + 0.25 * quintic(u / 0.4) * (1 - quintic((u - 0.5) / 0.6))
    x = 0.26 + 0.12 * np.clip(yaw, -0.8, 0.8)
    if cue.kind == "cutoff":
        phase = np.clip(u + 1, 0, 1)
        turn = 2 * np.pi * quintic(phase)
        path = np.stack([x + 0.09 * np.sin(turn), 1.30 + 0.10 * (1 - np.cos(turn)) * (1 - 0.5 * phase) - 0.08 * quintic(u + 1),
                         0.38 + 0.0 * u], 1)
        return path, np.array([0.0, 0.0, -0.5]) * quintic(u + 1)[:, None]
    if cue.kind == "fermata":
        path = np.stack([x + 0 * u, 1.32 + 0 * u, 0.40 + 0 * u], 1)
        return path, np.tile([-1.0, 0.0, 0.1], (len(t), 1))
    height = 0.26 if cue.kind == "entry" else 0.34
    path = np.stack([x + 0 * u, 1.16 + height * rise, 0.34 + 0.10 * (1 - rise)], 1)
    return path, np.array([0.0, 0.0, 0.35])[None] * (rise - 0.3)[:, None]
