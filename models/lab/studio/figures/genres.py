"""Ten street-dance genres (AIST Dance DB names) as numbers and small pattern languages.

The languages are described at the head of genres.toml.
"""
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.lab.studio.floor_work import FloorFigure


@dataclass(frozen=True)
class Genre:
    """How a genre moves; lengths in metres, angles in radians, rates per beat."""

    steps: tuple
    arms: tuple
    torso: tuple
    bounce: float = 0.05            # depth of the bounce
    bounce_rate: float = 1.0        # bounces per beat
    bounce_up: bool = False         # highest instead of lowest on the beat
    stance: float = 0.15            # half distance of the feet
    crouch: float = 0.06            # knees always bent by this much
    sway: float = 0.03              # hips to the side, a period of two beats
    roll: float = 0.06              # pelvis roll with the sway
    jack: float = 0.0               # chest rocks forward with each beat
    pop: float = 0.0                # chest pops on the accent counts
    accents: tuple = (1, 3, 5, 7)   # counts (0..7) of pops and hits
    stop: float = 0.8               # how decisively the whole body stops on a count, 0 not at all .. 1
    stop_between: float = 0.8       # the same on counts without an accent, as a share
    move: float = 0.45              # s that a move of arms or trunk takes at most
    dwell: float = 0.25             # share of a move spent still first
    sharpness: float = 1.3          # later, faster arrivals
    ring: float = 0.0               # overshoot after an arrival
    lift: float = 0.08              # swing height of a step
    swing: float = 0.5              # beats a step takes
    nod: float = 0.10
    turn: float = 0.10              # chance of a turn in a phrase
    freeze: float = 0.10            # chance of a freeze on counts 6-7
    freeze_drop: float = 0.10
    free_heel: float = 0.30
    turn_out: float = 0.20          # of feet and knees
    lean: float = 0.04
    head_up: float = 0.0
    hand: float = 0.25
    alive: float = 1.0              # how much captured texture lies under the figures
    people: tuple = (4, 2, 3, 1)    # whose: weights of salsa, Indian, break and modern dancers
    roam: float = 0.55              # rad, turns of the body with the steps
    patter: float = 0.9             # chance that a foot left standing for long steps in between
    floor: tuple = ()               # `FloorFigure`s
    floor_chance: float = 0.0       # of floor work in a phrase


def _parse_steps(text):
    events = []
    for part in text.split("|"):
        count, foot, kind, *place = part.split()
        events.append((float(count), "LR".index(foot), kind, *map(float, place)))
    return tuple(events)


def _parse_arms(text):
    return tuple((float(c), left, right) for c, left, right in (part.split() for part in text.split("|")))


def _parse_torso(text):
    rows = [[float(v) for v in part.split()] for part in text.split("|")]
    return np.array([row[0] for row in rows]), np.radians(np.array([row[1:] for row in rows]))


def _parse_body(text):
    rows = []
    for part in text.split("|"):
        count, *numbers = part.split()
        if numbers == ["stand"]:
            rows.append((float(count), None))
            continue
        height, x, z, *angles = map(float, numbers)
        rows.append((float(count), (height, x, z, *np.radians(angles))))
    return tuple(rows)


def _parse_floor(table):
    hands = tuple((float(c), float(until), "LR".index(hand), float(x), float(z))
                  for c, until, hand, x, z in (part.split() for part in table["hands"].split("|")))
    return FloorFigure(_parse_steps(table["steps"]), _parse_arms(table["arms"]), _parse_body(table["body"]), hands)


def _genre(table):
    numbers = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()
               if key not in ("steps", "arms", "torso", "floor")}
    return Genre(steps=tuple(map(_parse_steps, table["steps"])), arms=tuple(map(_parse_arms, table["arms"])),
                 torso=tuple(map(_parse_torso, table["torso"])), floor=tuple(map(_parse_floor, table.get("floor", ()))),
                 **numbers)


GENRE_FIGURES = {slug: _genre(table) for slug, table in
                 tomllib.loads(Path(__file__).with_name("genres.toml").read_text(encoding="utf-8")).items()}
