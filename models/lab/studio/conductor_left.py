"""The conductor's free hand and gaze: shapes, sustains, rolls on, turns pages, mirrors, cues and cuts off, and hangs at
times."""
import numpy as np

from models.lab.studio.ik import interpolate_keys, quintic, smooth
from models.lab.studio.seating import PITCH, look_at

HANGING = np.array([0.27, 0.88, 0.08])
READY = np.array([0.21, 1.11, 0.29])
MIRRORED = np.array([-1.0, 1.0, 1.0])
# How the free hand spends the bars that no cue asks for: mode -> chance. Hanging is held to `HANG_SHARE` of the piece.
MODES = {"hang": 0.24, "ready": 0.14, "mirror": 0.12, "sustain": 0.14, "shape": 0.20, "roll": 0.10, "page": 0.06}
HANG_SHARE = 0.26
SPELL = (2.2, 6.0)              # s a mode lasts


def modes(plan, style, rng):
    """One mode a stroke, changed on bars; hanging and mirroring within their shares of the piece."""
    count, names = len(plan.times), list(MODES)
    period = float(np.median(np.diff(plan.times)))
    spent, out, pages, previous = {"hang": 0, "mirror": 0}, [], 0, None
    limits = {"hang": HANG_SHARE, "mirror": style.mirror}
    while len(out) < count:
        bars = max(1, round(float(rng.uniform(*SPELL)) / (period * plan.metre)))
        length = bars * plan.metre
        if not out:
            length -= int(plan.positions[0]) - 1
        length = max(1, min(length, count - len(out)))
        chance = np.array([MODES[name] for name in names])
        for name, limit in limits.items():
            if spent[name] + length > limit * count:
                chance[names.index(name)] = 0.0
        if previous in names:
            chance[names.index(previous)] *= 0.3
        if pages >= 2 or length * period < 2.0:
            chance[names.index("page")] = 0.0
        ahead = plan.dynamics[len(out):len(out) + length]
        if ahead[-1] - ahead[0] > 0.05:
            chance[names.index("sustain")] += 0.25
            chance[names.index("shape")] += 0.25
        mode = str(rng.choice(names, p=chance / chance.sum()))
        pages += mode == "page"
        if mode in spent:
            spent[mode] += length
        out, previous = out + [mode] * length, mode
    return out[:count]


def left_hand(plan, style, rng, t, right):
    """Wrist path (T,3), wrist rotation vector (T,3) and gaze (T,2: pitch, yaw) of a plan of strokes."""
    beats = plan.times - style.lead
    count = len(beats)
    mode = modes(plan, style, rng)
    path, hand, weight, down = np.zeros((len(t), 3)), np.zeros((len(t), 3)), np.zeros((len(t), 1)), np.zeros(len(t))
    edges = [0] + [k for k in range(1, count) if mode[k] != mode[k - 1]] + [count]
    loud = np.interp(t, beats, plan.dynamics)
    phase = np.interp(t, beats, np.arange(count) + plan.positions[0] - 1) / plan.metre
    for first, last in zip(edges[:-1], edges[1:]):
        start = beats[first] if first else t[0] - 9.0
        stop = beats[last] if last < count else t[-1] + 9.0
        ease = 0.35
        share = (quintic((t - start + ease) / (2 * ease)) * quintic((stop + ease - t) / (2 * ease)))[:, None]
        place, palm, look = _spell(mode[first], rng, t, start, stop, loud, phase, right)
        path, hand, weight = path + share * place, hand + share * palm, weight + share
        down = down + share[:, 0] * look
    path, hand = path / np.maximum(weight, 1e-6), hand / np.maximum(weight, 1e-6)
    gaze = interpolate_keys(t, beats[::plan.metre], _glances(plan, rng, len(beats[::plan.metre])), dwell=0.6)
    gaze[:, 0] += down
    for cue in plan.cues:
        if not 0 < cue.beat < count or cue.yaw is None:
            continue
        at = beats[cue.beat]
        before = float(np.clip(at - beats[cue.beat - 1], 0.3, 1.0))
        look, pitch_yaw = look_at(at, before, t), np.array([PITCH[cue.group] if cue.kind != "look" else 0.0, cue.yaw])
        gaze += look[:, None] * (pitch_yaw - gaze)
        if cue.kind == "look" or rng.random() < 0.25 and cue.kind != "cutoff":      # some cues are the eyes' alone
            continue
        stays = 0.6 * before
        if cue.kind == "fermata" and cue.beat + 1 < count:                # palm up until the next stroke is prepared
            stays = max(stays, beats[cue.beat + 1] - at - 0.9 * before)
        share = quintic((t - at + 1.5 * before) / (0.7 * before)) * quintic((at + stays + 0.8 * before - t)
                                                                            / (0.8 * before))
        share = share[:, None]
        gesture, turn = _gesture(cue, t, at, before, pitch_yaw[1])
        path = path * (1 - share) + share * gesture
        hand = hand * (1 - share) + share * turn
    # The hands do not cross: the free one keeps to its side of the other.
    room = right[:, 0] + 0.25
    path[:, 0] = room + 0.05 * np.logaddexp(0, (path[:, 0] - room) / 0.05)
    return smooth(path, 2), smooth(hand, 1), smooth(gaze, 2)


def _spell(mode, rng, t, start, stop, loud, phase, right):
    """(path (T,3), wrist turn (T,3), how far the eyes go down (T,)) of one spell of a mode; sizes differ from spell to
    spell."""
    still, wide = np.zeros_like(t), float(rng.uniform(0.7, 1.3))
    sympathy = 0.10 * (right[:, 1] - 1.2)                                  # a free hand still moves with the other
    offset = rng.normal(0, 0.02, 3)
    if mode == "hang":
        return HANGING + offset + np.stack([still, 0.15 * sympathy, still], 1), np.zeros((len(t), 3)), still
    if mode == "mirror":
        return right * MIRRORED, np.zeros((len(t), 3)), still
    if mode == "sustain":
        place = np.stack([0.26 + 0.04 * np.sin(np.pi * phase), 1.06 + 0.34 * loud + 0.03 * np.sin(2 * np.pi * phase),
                          0.35 + 0.05 * loud], 1)
        return place + offset, np.tile([-1.1, 0.0, 0.1], (len(t), 1)), still            # palm up
    if mode == "shape":                            # slow arcs over two bars: opening and rising with the line
        arc, rise = np.sin(np.pi * phase + float(rng.uniform(0, 6.28))), np.gradient(smooth(loud, 10)) * 30
        place = np.stack([0.30 + 0.10 * wide * arc, 1.08 + 0.30 * loud + 0.07 * wide * np.cos(np.pi * phase),
                          0.36 + 0.06 * wide * arc ** 2], 1)
        return place + offset, np.stack([-0.5 * np.tanh(6 * rise) - 0.2 * arc, 0.2 * arc, 0.25 * arc], 1), still
    if mode == "roll":                             # the music is kept going: a circle a bar, forward at the top
        angle = 2 * np.pi * phase
        place = np.stack([0.27 + 0.02 * np.sin(angle), 1.17 + 0.09 * wide * np.cos(angle),
                          0.36 + 0.09 * wide * np.sin(angle)], 1)
        return place + offset, np.stack([-0.4 * np.cos(angle), still, 0.3 * np.sin(angle)], 1), still
    if mode == "page":                             # from the right leaf of the score to the left one, the eyes with it
        turn = (start + stop) / 2
        u = quintic((t - turn + 0.55) / 1.1)
        near = (quintic((t - turn + 1.2) / 0.6) * quintic((turn + 1.2 - t) / 0.6))
        place = np.stack([-0.02 + 0.32 * u, 1.02 + 0.16 * np.sin(np.pi * u), 0.42 + 0.03 * np.sin(np.pi * u)], 1)
        place = near[:, None] * place + (1 - near[:, None]) * (READY + offset)
        return place, np.stack([still, still, 0.5 * near * (1 - 2 * u)], 1), 0.4 * near
    place = READY + offset + np.stack([still, 1.5 * sympathy, 0.3 * sympathy], 1)
    return place, np.stack([-0.3 * sympathy, still, still], 1), still


def _glances(plan, rng, bars):
    """A look a bar: to who has the melody, over the players, or down into the score."""
    lead = np.array([[0.0, section.yaw] for section in plan.sections])
    glance = np.stack([rng.normal(0, 0.05, bars), rng.normal(0, 0.20, bars)], 1)
    for bar in range(bars):
        section = plan.section_at(min(bar * plan.metre, len(plan.times) - 1))
        if rng.random() < 0.65:
            glance[bar] = 0.3 * glance[bar] + 0.85 * lead[plan.sections.index(section)]
    glance[rng.random(bars) < 0.15] += [0.30, 0.0]
    return glance


def _gesture(cue, t, at, before, yaw):
    """Path (T,3) and wrist turn of one cue, entry, accent, fermata or cut-off around its ictus `at`."""
    u = (t - at) / before
    rise = quintic(u + 1.2) * (1 - quintic((u + 0.45) / 0.45))
    rise = rise + 0.25 * quintic(u / 0.4) * (1 - quintic((u - 0.5) / 0.6))
    x = 0.26 + 0.12 * np.clip(yaw, -0.8, 0.8)
    if cue.kind == "cutoff":
        phase = np.clip(u + 1, 0, 1)
        turn = 2 * np.pi * quintic(phase)
        path = np.stack([x + 0.09 * np.sin(turn), 1.30 + 0.10 * (1 - np.cos(turn)) * (1 - 0.5 * phase)
                         - 0.08 * quintic(u + 1),
                         0.38 + 0.0 * u], 1)
        return path, np.array([0.0, 0.0, -0.5]) * quintic(u + 1)[:, None]
    if cue.kind == "fermata":
        path = np.stack([x + 0 * u, 1.32 + 0 * u, 0.40 + 0 * u], 1)
        return path, np.tile([-1.0, 0.0, 0.1], (len(t), 1))
    height = 0.26 if cue.kind == "entry" else 0.34
    path = np.stack([x + 0 * u, 1.16 + height * rise, 0.34 + 0.10 * (1 - rise)], 1)
    return path, np.array([0.0, 0.0, 0.35])[None] * (rise - 0.3)[:, None]
