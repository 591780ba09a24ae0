"""Where the dancer's feet are: step events on counts become planted balls of the feet and swings between them."""
from dataclasses import dataclass, replace

import numpy as np

from models.lab.studio.body import BALL_HEIGHT, SIDE
from models.lab.studio.ik import interpolate_keys, quintic, smooth


@dataclass(frozen=True)
class Step:
    """A foot arrives: time (s), foot 0 left / 1 right, kind s, t or k, place (x, z) in the dancer's frame (m)."""

    time: float
    foot: int
    kind: str
    x: float
    z: float
    swing: float            # s the move takes
    lift: float             # m
    height: float | None = None   # m above the floor where a kick ends; None: by its distance


NEAREST, FARTHEST = 0.22, 0.80      # m between the feet when one lands
KICK = 0.74                 # m, likewise of a foot that stays in the air: the hips stay over the other
LEG_REACH = 0.50            # m on the floor between the pelvis and a foot that stands
LEFT_BEHIND = 0.36          # m from where a foot would stand at ease


def kept_near(steps, counts, facing, centre, stance, free):
    """The steps with those that would split the legs pulled in, and with catching steps where a turn or the dancer's
    way leaves a foot behind. counts: times (s) at which a catching step may land; free(time): False on the floor, where
    hands and feet are measured out."""
    home = {foot: (SIDE[foot] * max(stance, 0.13), 0.0) for foot in (0, 1)}
    events = [(step.time, 0, step) for step in steps] + [(time, 1, None) for time in counts]
    place, moved, lifted, out = {}, {0: -1e9, 1: -1e9}, {0: False, 1: False}, []
    ahead = sorted(step.time for step in steps)
    events.sort(key=lambda event: event[:2])
    moments = np.array([event[0] for event in events])
    for (time, _, step), angle, middle in zip(events, facing(moments), centre(moments)):
        here = {foot: _world(np.array(home[foot]), angle, middle) for foot in (0, 1)}
        place = place or dict(here)
        if step is None:
            foot = max((0, 1), key=lambda f: np.linalg.norm(place[f] - here[f]))
            coming = ahead[min(int(np.searchsorted(ahead, time - 1e-6)), len(ahead) - 1)] if ahead else np.inf
            near = np.linalg.norm(place[foot] - here[foot]) < LEFT_BEHIND
            busy = any(lifted.values()) or time - max(moved.values()) < 0.30 or 0 <= coming - time < 0.45
            if near or busy or not free(time):
                continue
            step = Step(time, foot, "s", *home[foot], 0.40, 0.07)
        elif free(time):
            goal, other = _world(np.array([step.x, step.z]), angle, middle), place[1 - step.foot]
            apart = np.linalg.norm(goal - other)
            across = _local(other, angle, middle)
            beside = SIDE[step.foot] * (step.x - across[0])
            wanted = 0.20 if abs(step.z - across[1]) < 0.30 else -0.08  # legs cross only well before each other
            if beside < wanted:
                step = replace(step, x=float(step.x + SIDE[step.foot] * (wanted - beside)))
                goal = _world(np.array([step.x, step.z]), angle, middle)
                apart = np.linalg.norm(goal - other)
            near, far = (0.0, KICK) if step.kind == "k" else (NEAREST, FARTHEST)
            if not near <= apart <= far:
                goal = other + (goal - other) * np.clip(apart, near, far) / max(apart, 0.02)
                step = replace(step, **dict(zip("xz", _local(goal, angle, middle))))
        place[step.foot] = _world(np.array([step.x, step.z]), angle, middle)
        if free(time):                                                   # a foot leaves when the other has landed
            step = replace(step, swing=float(min(step.swing, max(0.20, time - moved[1 - step.foot] - 0.02))))
        moved[step.foot], lifted[step.foot] = time, step.kind == "k"
        out.append(step)
    return out


def place_feet(steps, t, body_time, facing, centre, stance, free_heel, turn_out=0.2):
    """Balls of the feet (T,2,3), yaw and pitch (T,2), weight on the left foot (T,) 0..1, and the pelvis' place (T,2).

    t, body_time (T,): seconds of each frame; feet land on time, the weight follows the body's own clock
    (`Clock.groove`).
    facing, centre: functions of time (s) giving the dancer's yaw (rad) and place (x, z). A foot on the floor does not
    move at all; its yaw may follow a turning body, about the ball.
    """
    frames = len(t)
    ball = np.zeros((frames, 2, 3))
    yaw, pitch, air = np.zeros((frames, 2)), np.zeros((frames, 2)), np.zeros((frames, 2))
    loaded = np.zeros((frames, 2))
    dt = (t[-1] - t[0]) / (frames - 1)
    landings = []                        # (time, foot, kind, goal)
    for foot in (0, 1):
        out = SIDE[foot] * turn_out
        at = _world(np.array([SIDE[foot] * stance, 0.10]), facing(t[0]), centre(t[0]))
        here, height, turned = at, 0.0, float(facing(t[0])) + out
        mine = sorted((s for s in steps if s.foot == foot), key=lambda s: s.time)
        landing = np.array([s.time for s in mine])
        faces, middles = (facing(landing), centre(landing)) if mine else ((), ())
        first, previous = 0, -1e9
        for step, face, middle in zip(mine, faces, middles):
            start = max(step.time - step.swing, previous + 0.03)
            if step.time - start < 0.10 or step.time < t[0]:
                continue
            a, b = np.searchsorted(t, [start, step.time])
            ball[first:a, foot] = [here[0], BALL_HEIGHT + height, here[1]]
            yaw[first:a, foot], air[first:a, foot] = turned, height > 0.02
            goal = _world(np.array([step.x, step.z + 0.10]), face, middle)
            goal_height = 0.0
            if step.kind == "k":
                goal_height = min(0.62, 0.25 + 0.6 * np.hypot(step.x - SIDE[foot] * stance, step.z))
                goal_height = goal_height if step.height is None else step.height
            goal_turned = turned + _wrapped(float(face) + out - turned)
            u = np.clip((t[a:b] - start) / (step.time - start), 0, 1)
            # while off the floor, to a crisp landing
            across = quintic(np.clip((u - 0.15) / 0.78, 0, 1) ** 1.6)[:, None]
            path = here + (goal - here) * across
            ball[a:b, foot, 0], ball[a:b, foot, 2] = path[:, 0], path[:, 1]
            arc = step.lift * quintic(u / 0.36) * quintic((1 - u) / 0.28) * (1.0 if step.kind != "k" else 0.3)
            rise = quintic(u / 0.9) if goal_height >= height else quintic((u - 0.05) / 0.95)
            ball[a:b, foot, 1] = BALL_HEIGHT + height + (goal_height - height) * rise + arc
            yaw[a:b, foot] = turned + (goal_turned - turned) * quintic(u)
            pitch[a:b, foot] = 0.55 * np.sin(np.pi * np.clip(u / 0.8, 0, 1)) * min(1.0, step.lift / 0.08) * 0.7
            air[a:b, foot] = 1.0
            landings.append((step.time, foot, step.kind, goal))
            here, height, turned, previous, first = goal, goal_height, goal_turned, step.time, b
            loaded[b:, foot] = {"s": 1.0, "t": 0.25, "k": 0.0}[step.kind]
        ball[first:, foot] = [here[0], BALL_HEIGHT + height, here[1]]
        yaw[first:, foot], air[first:, foot] = turned, height > 0.02
        if not mine:
            loaded[:, foot] = 1.0
    # A swinging foot goes round the other, more so the higher it is.
    apart = ball[:, 0, 0:3:2] - ball[:, 1, 0:3:2]
    distance = np.linalg.norm(apart, axis=1, keepdims=True)
    push = apart / np.maximum(distance, 1e-3) * np.maximum(0.23 - distance, 0)
    for foot in (0, 1):
        raised = quintic((ball[:, foot, 1:2] - BALL_HEIGHT - 0.008) / 0.04)
        ball[:, foot, 0:3:2] += SIDE[foot] * smooth(push * raised, 4) * raised
    loaded = np.where(loaded.sum(1, keepdims=True) == 0, 1.0, loaded) * (1 - air)
    both_up = loaded.sum(1) < 1e-6
    loaded[both_up] = 0.5
    share = loaded[:, 0] / np.maximum(loaded.sum(1), 1e-6)
    width = max(1, int(round(0.16 / dt)))
    share = smooth(share, width)
    follow = facing(t)[:, None] + SIDE * turn_out                # a planted foot follows a turn beyond 40 degrees
    gap = follow - yaw
    extra = np.sign(gap) * np.maximum(np.abs(gap) - 0.7, 0)
    yaw = yaw + extra
    pitch = pitch + np.clip(np.abs(extra) * 0.8, 0, 0.35)
    free = np.stack([1 - share, share], 1)
    pitch = pitch + free_heel * np.clip(free - 0.5, 0, 0.5) * 2 * (1 - air)
    return ball, smooth(yaw, 2), smooth(pitch, 3), share, _over_the_feet(landings, ball, t, body_time)


def _over_the_feet(landings, ball, t, body_time):
    """Where the pelvis goes, (T,2): it arrives over the standing foot as the step lands, and rests there for a
    moment."""
    times, places = [t[0] - 1.0], [ball[0][:, 0:3:2].mean(0)]
    for time, foot, kind, goal in sorted(landings, key=lambda landing: landing[0]):
        if time < times[-1] + 0.05:
            continue
        other = ball[min(int(np.searchsorted(t, time)), len(t) - 1), 1 - foot, 0:3:2]
        over = {"s": 0.66, "t": 0.12, "k": 0.07}[kind]
        apart = max(float(np.linalg.norm(goal - other)), 1e-6)
        if kind != "k":  # no further from either foot than a leg reaches
            over = np.clip(over, min(1 - LEG_REACH / apart, 0.5), max(LEG_REACH / apart, 0.5))
        times.append(time)
        places.append(other + (goal - other) * over)
    span = np.diff(times)
    rest = np.clip(1 - 0.65 / np.maximum(span, 1e-6), 0.03, 1)          # a shift of weight takes 0.65 s at most
    return interpolate_keys(body_time, np.array(times), np.array(places), dwell=rest)


def _world(local, angle, centre):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([c * local[0] + s * local[1], -s * local[0] + c * local[1]]) + centre


def _local(place, angle, centre):
    c, s = np.cos(angle), np.sin(angle)
    x, z = place - centre
    return np.array([c * x - s * z, s * x + c * z])


def _wrapped(angle):
    return (angle + np.pi) % (2 * np.pi) - np.pi
