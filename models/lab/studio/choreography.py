"""What the dancer dances: habits, 8-count phrases, the body's clock and the steps of a phrase."""
from dataclasses import dataclass

import numpy as np
from scipy.special import erf

from models.lab.studio.body import SIDE
from models.lab.studio.dancer_feet import Step

PHRASE = 8
STOP_SECONDS = 0.075      # half width of the moment in which a body stops on a count


@dataclass(frozen=True)
class Dancer:
    """One dancer's habits, drawn once per piece."""

    late: float             # s behind the beat, 0..0.08
    size: float             # of arms, steps and torso
    depth: float            # of the bounce
    snap: float             # of arrivals
    mirror: bool
    wander: float           # m
    jitter: float           # rad, how much repeats differ
    stance: float           # factor
    nod: float
    stop: float             # how decisively this dancer stops on counts, a factor


@dataclass(frozen=True)
class Phrase:
    """An 8-count: first count (beats from the plan's first beat), what is danced, how strongly."""

    first: int
    steps: tuple
    arms: tuple
    torso: tuple
    mirror: bool
    rate: float             # counts per beat: 1, 0.5 half-time, 2 double-time
    energy: float
    kind: str               # groove, break, idle, ...
    turn: float             # rad over counts 4..8
    freeze: bool
    floor: object = None    # a `floor_work.FloorFigure` danced instead


def draw_dancer(rng):
    """A dancer's habits."""
    u = rng.uniform
    return Dancer(late=float(0.08 * u() ** 2 if rng.random() < 0.7 else 0.0), size=u(0.72, 1.15), depth=u(0.65, 1.35),
                  snap=u(0.9, 1.15), mirror=bool(rng.random() < 0.5), wander=u(0.08, 0.40), jitter=u(0.02, 0.09),
                  stance=u(0.85, 1.15), nod=u(0.3, 1.4), stop=u(0.4, 1.2))


def choreograph(plan, genre, rng):
    """The plan's phrases: figures repeat twice (mirrored the second time) before they change."""
    ones = np.flatnonzero(plan.positions == 1)
    first = int(ones[0]) if len(ones) else 0
    first += 4 * int(rng.integers(2)) - PHRASE
    phrases, kept = [], None
    while first < len(plan.times):
        middle = int(np.clip(first + 3, 0, len(plan.times) - 1))
        section = plan.section_at(middle)
        energy = float(np.mean(plan.dynamics[max(first, 0):max(first, 0) + PHRASE])) if first < len(plan.times) else 0.5
        if kept is None or rng.random() < 0.55:
            kept = [pick(rng, genre.steps), pick(rng, genre.arms), pick(rng, genre.torso), bool(rng.random() < 0.5)]
            mirror = kept[3]
        else:
            mirror = not phrases[-1].mirror
            if rng.random() < 0.3:
                kept[1] = pick(rng, genre.arms)
        rate = 1.0
        if plan.bpm > 135 and rng.random() < 0.5:
            rate = 0.5
        elif plan.bpm < 85 and section.kind == "build" and rng.random() < 0.5:
            rate = 2.0
        elif rng.random() < 0.06:
            rate = 0.5
        turn = 0.0
        if section.kind not in ("idle", "intro") and rng.random() < 0.12 + 1.2 * genre.turn and rate == 1.0:
            turn = float(rng.choice([-1, 1])) * 2 * np.pi
        freeze = bool(rng.random() < genre.freeze * (0.6 + 0.8 * energy)) and section.kind != "idle"
        floor = None
        if genre.floor and section.kind not in ("idle", "intro") and rng.random() < genre.floor_chance * (0.5 + energy):
            floor, rate, turn, freeze = pick(rng, genre.floor), 1.0, 0.0, False
        steps, arms = (floor.steps, floor.arms) if floor else kept[:2]
        phrases.append(Phrase(first, steps, arms, kept[2], mirror, rate, energy, section.kind, turn,
                              freeze and not turn, floor))
        first += PHRASE
    return phrases


def pick(rng, items):
    return items[int(rng.integers(len(items)))]


class Clock:
    """Counts (beats, fractional, from the plan's first beat) <-> seconds of the body, `late` behind the music."""

    def __init__(self, plan, late):
        times = np.asarray(plan.times) + late
        first, last = times[1] - times[0], times[-1] - times[-2]
        before, after = 18, 18
        self.counts = np.arange(-before, len(times) + after)
        self.times = np.concatenate([times[0] - first * np.arange(before, 0, -1), times,
                                     times[-1] + last * np.arange(1, after + 1)])

    def seconds(self, count):
        return np.interp(count, self.counts, self.times)

    def count(self, seconds):
        return np.interp(seconds, self.times, self.counts)

    def groove(self, seconds, hold):
        """Body time of each of `seconds` (T,): it brakes just before a count, nearly rests there, and then makes up for
        it.

        hold(counts): 0..1, how much of its speed the body loses on each count. Whatever follows body time (weight,
        trunk, arms) is slowest together, on the count, and is where it was before on counts and half counts.
        """
        count = self.count(seconds)
        nearest = np.round(count)
        away = count - nearest
        depth = hold(nearest) + (hold(nearest + np.sign(away)) - hold(nearest)) * np.abs(away)
        beat = self.seconds(nearest + 0.5) - self.seconds(nearest - 0.5)
        width = np.clip(STOP_SECONDS / beat, 0.10, 0.20)                # of the stop, in beats
        lost = depth * width * np.sqrt(np.pi) / 2
        bent = away - lost * erf(away / width)
        return self.seconds(nearest + bent * 0.5 / (0.5 - lost * erf(0.5 / width)))


def amount(phrase):
    """How strongly a phrase is danced, about 0.1 .. 1.2."""
    base = 0.45 + 0.65 * phrase.energy
    return base * {"idle": 0.25, "intro": 0.6, "break": 0.75, "build": 1.1}.get(phrase.kind, 1.0)


def steps_of(phrase, genre, dancer, clock, rng):
    """The foot events of a phrase, `dancer_feet.Step`s in seconds."""
    if phrase.kind == "idle":
        return []
    events, flip = [], (-1.0 if phrase.mirror else 1.0)
    length = 0.70 + 0.50 * min(1.1, amount(phrase)) * dancer.size
    repeats = 2 if phrase.rate == 2.0 else 1
    stance = genre.stance * dancer.stance
    lift, spread = genre.lift * dancer.size, 0.01
    if phrase.floor:                                        # what hands and feet stand on is measured out
        length, lift, spread = 1.0, 0.10, 0.0
    for repeat in range(repeats):
        for count, foot, kind, x, z, *height in phrase.steps:
            beat = (count + PHRASE * repeat) / phrase.rate
            if beat >= PHRASE or (phrase.freeze and beat > 6.01) or (phrase.turn and beat >= 4):
                continue
            side = foot if flip > 0 else 1 - foot
            home = SIDE[side] * stance
            place = home + (flip * x - home) * length
            seconds = clock.seconds(phrase.first + beat)
            gap = seconds - clock.seconds(phrase.first + beat - 1)
            swing = float(np.clip(1.2 * genre.swing * gap / min(phrase.rate, 1.0), 0.25, min(0.6, 1.3 * genre.move)))
            events.append(Step(seconds, side, kind, place, z * length + rng.normal(0, 1) * spread, swing, lift,
                               *height))
    if not phrase.floor:
        events += _patter(events, phrase, genre, stance, lift, clock, rng)
    if phrase.turn:
        order = (0, 1) if phrase.turn > 0 else (1, 0)
        for number, beat in enumerate((4, 5, 6, 7, 8)):
            side = order[number % 2]
            seconds = clock.seconds(phrase.first + beat - (0.0 if beat < 8 else 0.02))
            gap = clock.seconds(phrase.first + beat) - clock.seconds(phrase.first + beat - 1)
            events.append(Step(seconds, side, "s", SIDE[side] * max(stance, 0.15), 0.0,
                               float(np.clip(0.7 * gap, 0.2, 0.6)), 0.06))
    return events


def _patter(events, phrase, genre, stance, lift, clock, rng):
    """Small steps in between on counts nobody steps on: the foot that has stood longer marks the time, or takes the
    weight back. People hardly ever leave both feet where they are for a bar."""
    last = 4 if phrase.turn else 6 if phrase.freeze else PHRASE
    where = {side: (SIDE[side] * stance, 0.0) for side in (0, 1)}
    since, out = {0: -1.0, 1: -1.0}, []
    beat = (clock.seconds(phrase.first + PHRASE) - clock.seconds(phrase.first)) / PHRASE
    taken = sorted((event.time, event.foot, event.x, event.z, event.kind) for event in events)
    lifted = set()
    for count in np.arange(0.0, last - 0.1, 0.5 if beat > 0.48 else 1.0):
        seconds = clock.seconds(phrase.first + count)
        while taken and taken[0][0] < seconds + 0.45 * beat:
            time, foot, x, z, kind = taken.pop(0)
            where[foot], since[foot] = (x, z), max(time, since[foot])
            (lifted.add if kind == "k" else lifted.discard)(foot)
        chance = genre.patter * (1.0 if count % 1 == 0 else 0.4)
        if lifted or max(since.values()) > seconds - 0.42 * beat or rng.random() > chance:
            continue
        side = 0 if since[0] < since[1] else 1
        x, z = where[side]
        kind = "s" if rng.random() < 0.5 else "t"
        drift = rng.normal(0, 0.10 if kind == "s" else 0.20, 2)
        x = SIDE[side] * np.clip(SIDE[side] * (x + drift[0]), 0.06, 0.45)
        out.append(Step(seconds, side, kind, float(x), float(z + drift[1]), float(np.clip(0.85 * beat, 0.25, 0.5)),
                        max(0.8 * lift, 0.07)))
        since[side], where[side] = seconds, (x, z)
    return out
