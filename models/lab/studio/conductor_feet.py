"""Where the conductor stands: a stance that opens by small steps towards who plays, and the weight between the feet.

A foot on the floor does not move at all; it is put down on a stroke. Angles in radians, +x the conductor's left.
"""
from dataclasses import dataclass

import numpy as np

from models.lab.studio.body import BALL_HEIGHT, SIDE, apply, yaw
from models.lab.studio.ik import quintic, smooth, smooth_noise

BALL_AHEAD = 0.10               # m, ball of the foot before the ankle
SWING = (0.36, 0.56)            # s a small step takes
APART = 0.90                    # s between the two feet of a change of stance, at least


@dataclass(frozen=True)
class Stance:
    """A way to stand: heading (rad), middle between the ankles (x, z) m, half width m, how far the left foot is ahead
    (m)."""

    heading: float
    middle: tuple
    width: float
    ahead: float

    def ball(self, foot):
        """(3,) the ball of a foot on the floor."""
        place = np.array([SIDE[foot] * self.width, 0.0, BALL_AHEAD + SIDE[foot] * self.ahead / 2])
        place = apply(yaw(np.array(self.heading)), place)
        return np.array([self.middle[0] + place[0], BALL_HEIGHT, self.middle[1] + place[2]])


@dataclass
class Feet:
    """Per frame: ball (T,2,3), yaw and pitch of the feet (T,2), weight on the left (T,), pelvis place (T,2), heading
    (T,)."""

    ball: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray
    share: np.ndarray
    place: np.ndarray
    heading: np.ndarray


def stances(plan, style, rng, strokes):
    """[(seconds, Stance)]: the first stance, and every change: to a section that enters, back, or a shift on the
    spot."""
    home = Stance(float(rng.normal(0, 0.05)), (0.0, 0.0), style.stance, float(rng.normal(0, 0.04)))
    changes, last = [(-1e9, home)], strokes[0] - 1.0
    seats = {cue.beat: cue.yaw for cue in plan.cues if cue.kind in ("entry", "accent") and cue.yaw is not None}
    starts = {section.first for section in plan.sections}
    for beat in range(1, len(strokes) - 2):
        wait = strokes[beat] - last
        wish = 0.9 if beat in seats else 0.6 if beat in starts else 0.0
        drift = (strokes[beat] - strokes[beat - 1]) / 16.0             # a shift on the spot every quarter of a minute
        if wait < 2.6 or rng.random() > style.mobility * (wish + drift):
            continue
        now = changes[-1][1]
        if beat in seats:
            heading = 0.55 * seats[beat] + float(rng.normal(0, 0.06))
        else:
            heading = float(rng.normal(0, 0.12)) if abs(now.heading) > 0.15 or rng.random() < 0.5 else now.heading
        loud = float(plan.dynamics[min(beat, len(plan.dynamics) - 1)])
        middle = (float(np.clip(rng.normal(0, 0.05), -0.12, 0.12)),
                  float(np.clip(0.10 * (loud - 0.45) + rng.normal(0, 0.03), -0.1, 0.1)))
        width = float(np.clip(style.stance * rng.uniform(0.85, 1.25), 0.08, 0.17))
        changes.append((float(strokes[beat]), Stance(heading, middle, width, float(rng.normal(0, 0.05)))))
        last = strokes[beat]
    return changes


def steps_of(changes, strokes, rng):
    """[(arrival s, foot, Stance)]: the foot on the side turned to goes first, the other follows on a later stroke or
    stays."""
    steps = []
    for number, (time, stance) in enumerate(changes[1:], 1):
        before = changes[number - 1][1]
        turn = stance.heading - before.heading
        first = 0 if (turn if abs(turn) > 0.04 else stance.middle[0] - before.middle[0]) > 0 else 1
        steps.append((time, first, stance))
        later = strokes[(strokes > time + APART) & (strokes < time + 2.2)]
        arrival = float(later[0]) if len(later) else time + 1.1
        if abs(turn) > 0.18 or rng.random() < 0.6:
            steps.append((arrival, 1 - first, stance))
    return sorted(steps, key=lambda step: step[0])


def _clear(goal, other, foot, heading, least=0.17):
    """A foot's goal (3,) moved outwards until it is `least` metres to its side of the other foot (3,)."""
    out = SIDE[foot] * apply(yaw(np.array(heading)), np.array([1.0, 0.0, 0.0]))
    return goal + out * max(0.0, least - float((goal - other) @ out))


def stand(plan, style, rng, t):
    """`Feet` of a plan (of strokes) at seconds t (T,)."""
    strokes = plan.times - style.lead
    changes = stances(plan, style, rng, strokes)
    steps = steps_of(changes, strokes, rng)
    frames, first = len(t), changes[0][1]
    ball = np.stack([np.tile(first.ball(foot), (frames, 1)) for foot in (0, 1)], 1)
    turn = np.tile(first.heading + SIDE * style.turn_out, (frames, 1))
    pitch, forced, target, free_at = np.zeros((frames, 2)), np.zeros(frames), np.zeros(frames), -1e9
    for arrival, foot, stance in steps:
        start = max(arrival - float(rng.uniform(*SWING)), free_at + 0.05)
        if arrival - start < 0.25 or start < t[0] + 0.3 or arrival > t[-1] - 0.2:
            continue
        free_at = arrival
        u = (t - start) / (arrival - start)
        goal, goal_turn = stance.ball(foot), stance.heading + SIDE[foot] * style.turn_out
        goal = _clear(goal, ball[-1, 1 - foot], foot, stance.heading)
        across = quintic((u - 0.20) / 0.62)
        way = np.linalg.norm(goal - ball[-1, foot])
        lift = (0.060 + 0.08 * min(way, 0.3)) * quintic(u / 0.36) * quintic((1 - u) / 0.32)
        ball[:, foot] += across[:, None] * (goal - ball[-1, foot])
        ball[:, foot, 1] += lift
        turn[:, foot] += across * (goal_turn - turn[-1, foot])
        pitch[:, foot] += 0.45 * np.sin(np.pi * np.clip(u / 0.85, 0, 1)) * np.clip(way / 0.1, 0.3, 1)
        # the weight goes to the other before
        loaded = quintic((t - start + 0.5) / 0.5) * quintic((arrival + 0.6 - t) / 0.6)
        target, forced = target + 6 * loaded * (foot == 1), forced + 6 * loaded
    sway = smooth_noise(rng, frames, 1, 3.2)[:, 0]
    bars = np.interp(t, strokes,
                     np.arange(len(strokes)) / (plan.metre * max(2.0, 6.0 / (plan.metre * np.diff(strokes).mean()))))
    share = 0.5 + 0.5 * np.tanh(style.sway * (0.9 * sway + 0.8 * np.sin(2 * np.pi * bars + rng.uniform(0, 6.28))))
    share = smooth((share + target) / (1 + forced), 3)
    light = np.clip(np.stack([0.22 - share, share - 0.78], 1) / 0.22, 0, 1)  # the heel of the free leg comes up
    pitch = pitch + style.heel * smooth(light, 4) * (1 - np.clip(pitch / 0.1, 0, 1))
    ankles = ball[..., [0, 2]] - BALL_AHEAD * np.stack([np.sin(turn), np.cos(turn)], -1)
    lean = 0.5 + 0.62 * (share - 0.5)
    place = lean[:, None] * ankles[:, 0] + (1 - lean[:, None]) * ankles[:, 1]
    return Feet(ball, turn, smooth(pitch, 1), share, smooth(place, 5), smooth(turn.mean(1), 6))
