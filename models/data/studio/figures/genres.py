"""Ten street-dance genres (AIST Dance DB names) as numbers and small pattern languages.

Steps: `count foot kind x z` separated by `|`; counts 0..8 inside an 8-count; foot L or R; kind s (step with weight),
t (tap), k (kick: stays in the air until the next event of that foot); x left +, z forward, metres, in the dancer's
own frame. Arms: `count left right` pose names, mirrored at will. Torso: `count pitch yaw roll` degrees.
"""
from dataclasses import dataclass

import numpy as np


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
    lean: float = 0.04
    head_up: float = 0.0
    hand: float = 0.25


def _parse_steps(text):
    events = []
    for part in text.split("|"):
        count, foot, kind, x, z = part.split()
        events.append((float(count), "LR".index(foot), kind, float(x), float(z)))
    return tuple(events)


def _parse_arms(text):
    return tuple((float(c), left, right) for c, left, right in (part.split() for part in text.split("|")))


def _parse_torso(text):
    rows = [[float(v) for v in part.split()] for part in text.split("|")]
    return np.array([row[0] for row in rows]), np.radians(np.array([row[1:] for row in rows]))


def _genre(steps, arms, torso, **numbers):
    return Genre(tuple(map(_parse_steps, steps)), tuple(map(_parse_arms, arms)), tuple(map(_parse_torso, torso)), **numbers)


STILL = "0 0 0 0 | 4 0 0 0"
SIDE_TOUCH = "0 R s -.38 0 | 1 L t -.14 .05 | 2 L s .38 0 | 3 R t .14 .05 | 4 R s -.38 0 | 5 L t -.14 .05 | 6 L s .38 0 | 7 R t .14 .05"
WALKS = "0 R s -.12 .30 | 1 L s .12 .55 | 2 R s -.12 .75 | 3 L s .15 .72 | 4 R s -.14 .45 | 5 L s .14 .2 | 6 R s -.15 0 | 7 L s .15 0"
MARCH = "0 R s -.15 0 | 1 L s .15 0 | 2 R s -.15 0 | 3 L s .15 0 | 4 R s -.15 0 | 5 L s .15 0 | 6 R s -.15 0 | 7 L s .15 0"

GENRE_FIGURES = {
    "break": _genre(
        ("0 R s .14 .34 | 1 R s -.16 0 | 2 L s -.14 .34 | 3 L s .16 0 | 4 R s .14 .34 | 5 R s -.16 0 | 6 L s -.14 .34 | 7 L s .16 0",
         "0 R k .05 .45 | 1 R s -.2 0 | 2 L k -.05 .45 | 3 L s .2 0 | 4 R s .18 .30 | 4.5 L s .3 0 | 5 R s -.2 0 | 6 L s -.18 .3 | 6.5 R s -.3 0 | 7 L s .2 0",
         "0 R s -.45 .05 | 1 R s -.15 0 | 2 L s .45 .05 | 3 L s .15 0 | 4 R s .15 -.25 | 5 R s -.2 0 | 6 L s -.15 -.25 | 7 L s .2 0"),
        ("0 cross cross | 1 side_low side_low | 2 cross cross | 3 side_low side_low | 4 cross cross | 5 side side | 6 cross cross | 7 bent_w bent_w",
         "0 bent front_low | 1 bent_w back_low | 2 front_low bent | 3 back_low bent_w | 4 belly diag | 5 bent bent | 6 diag belly | 7 bent bent",
         "0 swing_f swing_b | 1 bent bent | 2 swing_b swing_f | 3 bent bent | 4 chest side | 5 bent_w bent_w | 6 side chest | 7 bent_w bent_w"),
        ("0 22 12 -6 | 1 12 0 0 | 2 22 -12 6 | 3 12 0 0 | 4 26 14 -8 | 5 14 0 0 | 6 24 -14 8 | 7 12 0 0",
         "0 16 18 0 | 2 20 -18 0 | 4 18 18 -8 | 6 20 -18 8"),
        bounce=0.07, stance=0.18, crouch=0.11, sway=0.02, jack=0.05, dwell=0.15, sharpness=1.2, lift=0.10, swing=0.55,
        turn=0.12, freeze=0.50, freeze_drop=0.36, lean=0.14),
    "pop": _genre(
        ("0 R s -.22 0 | 4 L s .22 0", "0 L s .20 .16 | 2 R s -.20 0 | 4 R s -.20 .16 | 6 L s .20 0",
         "0 R t -.30 .18 | 2 R s -.18 0 | 4 L t .30 .18 | 6 L s .18 0"),
        ("0 robot_f hang | 1 goal_up hang | 2 goal_up robot_f | 3 goal_down goal_up | 4 goal_down goal_down | 5 goal_up goal_down | 6 robot_f robot_f | 7 hang robot_u",
         "0 side side | 1 wave_hi side | 2 wave_lo wave_hi | 3 side wave_lo | 4 goal_down goal_up | 5 goal_up goal_down | 6 chest chest | 7 robot_f robot_f",
         "0 robot_f robot_f | 1 front robot_f | 2 front front | 3 goal_up goal_up | 4 goal_down goal_up | 5 goal_up goal_down | 6 hang side | 7 side hang",
         "0 hang goal_down | 2 goal_up goal_down | 3 robot_u robot_f | 4 goal_down hang | 6 goal_down goal_up | 7 robot_f robot_u"),
        ("0 0 20 0 | 1 0 -20 0 | 2 0 0 14 | 3 0 0 -14 | 4 10 20 0 | 5 -6 0 0 | 6 0 -25 0 | 7 0 0 0",
         "0 0 0 12 | 2 0 0 -12 | 3 0 24 0 | 4 8 0 0 | 5 -8 0 0 | 6 0 -24 0"),
        bounce=0.012, crouch=0.04, sway=0.015, roll=0.02, pop=0.16, accents=(1, 3, 5, 7), dwell=0.60, sharpness=1.0, ring=0.10,
        swing=0.4, lift=0.05, nod=0.03, turn=0.08, freeze=0.30, freeze_drop=0.02, hand=0.7, free_heel=0.1),
    "lock": _genre(
        ("0 R s -.34 .05 | 1 R s -.2 0 | 2 L s .34 .05 | 3 L s .2 0 | 4 R k -.15 .48 | 5 R s -.2 0 | 6 L s .26 .12 | 7 L s .2 0",
         "0 L s .22 .2 | 1 R s -.22 .2 | 2 L s .2 0 | 3 R s -.2 0 | 4 L k .15 .48 | 5 L s .2 0 | 6 R k -.15 .48 | 7 R s -.2 0",
         "0 R s -.26 0 | 1 L s .26 0 | 3 R t -.3 .15 | 4 R s -.2 0 | 5 L t .3 .15 | 6 L s .2 0"),
        ("0 bent point_up | 1 goal_down goal_down | 2 point_up bent | 3 goal_down goal_down | 4 roll roll_lo | 4.5 roll_lo roll | 5 roll roll_lo | 5.5 roll_lo roll | 6 point_dn hip | 7 goal_down goal_down",
         "0 roll roll_lo | 0.5 roll_lo roll | 1 goal_down goal_down | 2 roll_lo roll | 2.5 roll roll_lo | 3 goal_down goal_down | 4 side point_x | 5 goal_down goal_down | 6 point_x side | 7 goal_down goal_down",
         "0 hip point_up | 1 hip point_dn | 2 point_up hip | 3 point_dn hip | 4 up up | 5 goal_down goal_down | 6 diag diag | 7 goal_down goal_down"),
        ("0 -6 -14 0 | 1 24 0 0 | 2 -6 14 0 | 3 24 0 0 | 4 6 0 0 | 5 26 0 0 | 6 0 12 0 | 7 24 0 0",
         "0 4 10 -6 | 1 22 0 0 | 3 22 0 0 | 4 -8 12 0 | 5 22 0 0 | 6 -8 -12 0 | 7 22 0 0"),
        bounce=0.045, crouch=0.05, sway=0.025, dwell=0.45, sharpness=1.0, ring=0.06, accents=(1, 3, 5, 7), swing=0.45, lift=0.10,
        nod=0.10, turn=0.10, freeze=0.30, freeze_drop=0.12, head_up=0.05, hand=0.4),
    "middle-hip-hop": _genre(
        (SIDE_TOUCH, "0 R s -.3 .12 | 2 L s .3 .12 | 4 R s -.3 -.1 | 6 L s .3 -.1",
         "0 R s -.2 .22 | 1 R s -.2 0 | 2 L s .2 .22 | 3 L s .2 0 | 4 R s -.4 0 | 5 L s .05 0 | 6 L s .4 0 | 7 R s -.05 0",
         "0 R s -.22 0 | 4 L s .22 0"),
        ("0 bent bent_w | 1 bent_w bent | 2 bent bent_w | 3 bent_w bent | 4 bent bent_w | 5 bent_w bent | 6 bent bent_w | 7 bent_w bent",
         "0 swing_f bent | 1 bent swing_f | 2 swing_f bent | 3 bent swing_f | 4 chest bent | 5 bent_w bent | 6 bent chest | 7 bent bent_w",
         "0 belly bent_w | 1 side_low bent | 2 bent_w belly | 3 bent side_low | 4 belly belly | 5 diag_low diag_low | 6 belly belly | 7 bent_w bent_w",
         "0 guard bent | 1 jab_low bent | 2 bent guard | 3 bent jab_low | 4 head bent | 5 bent bent | 6 bent head | 7 bent bent"),
        ("0 20 10 6 | 1 10 0 0 | 2 20 -10 -6 | 3 10 0 0 | 4 20 10 6 | 5 10 0 0 | 6 20 -10 -6 | 7 10 0 0",
         "0 14 0 12 | 1 14 0 -12 | 2 14 0 12 | 3 14 0 -12 | 4 22 10 0 | 5 6 0 0 | 6 22 -10 0 | 7 6 0 0"),
        bounce=0.085, crouch=0.09, stance=0.19, sway=0.04, roll=0.07, jack=0.07, dwell=0.1, sharpness=1.1, nod=0.24, turn=0.06,
        freeze=0.10, lean=0.12, swing=0.55),
    "la-hip-hop": _genre(
        ("0 R s -.3 0 | 1.5 L t -.1 .1 | 2 L s .3 .1 | 4 L s .15 .3 | 5.5 R s -.15 .3 | 6 R s -.2 0 | 7 L s .2 0",
         "0 L s .25 .2 | 2 R s -.3 0 | 3.5 R t .1 .2 | 4 R s -.35 0 | 6 L s .15 0 | 7.5 R s -.2 .05",
         "0 R s .1 .25 | 2 R s -.3 0 | 4 L s -.1 .25 | 5.5 L s .35 0 | 6 R s -.25 0"),
        ("0 chest head | 1 bent bent | 1.5 side bent | 2 side chest | 3.5 head chest | 4 front hip | 5.5 chest chest | 6 diag_low point_x | 7 bent bent",
         "0 goal_up hip | 1.5 head hip | 2 cross hip | 3.5 cross side | 4 hang side | 5.5 guard guard | 6 up hip | 7 chest bent",
         "0 front front | 1 chest chest | 1.5 side_low side_low | 2 side_low side_low | 3.5 head chest | 4 chest head | 5.5 diag hip | 6 hip point_dn | 7 bent bent_w"),
        ("0 8 20 -8 | 1.5 -4 -16 6 | 2 -4 -16 6 | 3.5 14 10 -10 | 4 0 24 0 | 5.5 18 0 10 | 6 0 -20 0 | 7 6 0 0",
         "0 16 0 0 | 1.5 -8 0 12 | 2 -8 0 12 | 3.5 10 22 0 | 5.5 10 -22 0 | 6 -6 0 -10 | 7.5 10 0 0"),
        bounce=0.040, bounce_rate=0.5, crouch=0.06, stance=0.18, sway=0.045, roll=0.10, pop=0.10, accents=(2, 6), dwell=0.40,
        sharpness=1.1, ring=0.04, nod=0.08, turn=0.18, freeze=0.22, freeze_drop=0.10, swing=0.5, hand=0.4),
    "house": _genre(
        ("0 R s -.12 .22 | .5 L s .2 0 | 1 R s -.2 0 | 2 L s .12 .22 | 2.5 R s -.2 0 | 3 L s .2 0 | 4 R s -.12 .22 | 4.5 L s .2 0 | 5 R s -.2 0 | 6 L s .12 .22 | 6.5 R s -.2 0 | 7 L s .2 0",
         "0 R s -.36 0 | .5 L s -.2 -.15 | 1 R s -.5 0 | 1.5 L s -.1 0 | 2 L s .36 0 | 2.5 R s .2 -.15 | 3 L s .5 0 | 3.5 R s .1 0 | 4 R s -.3 0 | 5 L s .3 0 | 6 R s -.2 .15 | 6.5 L s .2 0 | 7 R s -.2 0",
         "0 R k -.05 .34 | .5 R s -.2 -.1 | 1 L s .2 0 | 2 L k .05 .34 | 2.5 L s .2 -.1 | 3 R s -.2 0 | 4 R s .1 .2 | 4.5 L s .25 0 | 5 R s -.25 0 | 6 L s -.1 .2 | 6.5 R s -.25 0 | 7 L s .25 0"),
        ("0 bent bent | 1 swing_f bent_w | 2 bent bent | 3 bent_w swing_f | 4 bent bent | 5 swing_f bent_w | 6 bent bent | 7 bent_w swing_f",
         "0 diag_low belly | 1 bent bent | 2 belly diag_low | 3 bent bent | 4 side_low side_low | 5 bent bent | 6 side_low side_low | 7 bent bent",
         "0 bent_w bent_w | 1 guard guard | 2 bent_w bent_w | 3 guard guard | 4 side side | 5 bent bent | 6 diag diag | 7 bent bent"),
        ("0 14 0 0 | 1 14 8 0 | 2 14 0 0 | 3 14 -8 0 | 4 14 0 0 | 5 14 8 0 | 6 14 0 0 | 7 14 -8 0", "0 10 12 0 | 2 10 -12 0 | 4 10 12 0 | 6 10 -12 0"),
        bounce=0.050, crouch=0.09, stance=0.17, sway=0.015, jack=0.20, dwell=0.05, sharpness=1.0, nod=0.12, turn=0.15, freeze=0.03,
        lift=0.06, swing=0.42, lean=0.08),
    "waack": _genre(
        ("0 R s -.3 0 | 1 L s -.05 0 | 2 L s .3 0 | 3 R s .05 0 | 4 R s -.12 .3 | 5 L s .12 .3 | 6 R s -.15 0 | 7 L s .15 0",
         "0 L s .12 .3 | 2 L s .2 0 | 4 R s -.12 .3 | 6 R s -.2 0", WALKS),
        ("0 point_up hip | .5 nape hip | 1 side hip | 1.5 cross hip | 2 side_up hip | 2.5 shoulder hip | 3 side hip | 4 hip point_up | 4.5 hip nape | 5 hip side | 5.5 hip cross | 6 hip side_up | 6.5 hip shoulder | 7 hip side",
         "0 up up | .5 nape nape | 1 side side | 1.5 cross cross | 2 side_up side_up | 2.5 shoulder shoulder | 3 side side | 3.5 cross cross | 4 up side | 5 up side | 5.5 nape shoulder | 6 side side_up | 6.5 shoulder nape | 7 side_low up",
         "0 side_up side_low | .5 shoulder shoulder | 1 side_low side_up | 1.5 shoulder shoulder | 2 side_up side_low | 2.5 nape cross | 3 side up | 4 overhead point_up | 5 head hip | 5.5 cross cross | 6 side side | 6.5 nape nape | 7 up up"),
        ("0 -10 14 -12 | 1 0 0 0 | 2 -6 -14 12 | 3 0 0 0 | 4 -12 18 -12 | 5 0 0 0 | 6 -4 -14 10 | 7 0 0 0", "0 -12 0 14 | 2 0 12 -10 | 4 -12 0 -14 | 6 0 -12 10"),
        bounce=0.018, bounce_up=True, crouch=0.02, stance=0.12, sway=0.055, roll=0.13, dwell=0.05, sharpness=0.9, accents=(0, 4),
        nod=0.06, turn=0.18, freeze=0.25, freeze_drop=0.02, lift=0.06, head_up=0.12, free_heel=0.6, hand=0.8, lean=-0.03),
    "krump": _genre(
        ("0 R s -.40 .08 | 2 L s .40 .08 | 4 R s -.36 .12 | 6 L s .36 .12",
         "0 R s -.30 .25 | 1 L s .32 0 | 2 R s -.32 0 | 4 L s .30 .25 | 5 R s -.32 0 | 6 L s .32 0",
         "0 L s .45 0 | 2 R s -.45 .1 | 4 L s .30 .2 | 6 R s -.30 0"),
        ("0 stab guard | 1 fist_up fist_up | 2 guard stab | 3 fist_up fist_up | 4 jab guard | 5 guard jab | 6 stab stab | 7 fist_up fist_up",
         "0 guard guard | 1 jab guard | 1.5 guard guard | 2 guard jab | 3 side side | 4 cross cross | 5 side_up side_up | 6 stab guard | 7 bent_w fist_up",
         "0 stab stab | 1 goal_up goal_up | 2 cross cross | 3 side_up side_up | 4 guard fist_up | 4.5 guard jab | 5 fist_up guard | 5.5 jab guard | 6 stab stab | 7 goal_up goal_up"),
        ("0 34 14 0 | 1 -10 0 0 | 2 34 -14 0 | 3 -10 0 0 | 4 26 20 0 | 5 -10 -20 0 | 6 36 0 0 | 7 -12 0 0",
         "0 30 0 10 | 1 -8 0 0 | 2 30 0 -10 | 3 -8 0 0 | 4 24 0 10 | 5 -12 0 -10 | 6 32 0 0 | 7 -8 0 0"),
        bounce=0.10, crouch=0.15, stance=0.30, sway=0.03, pop=0.30, accents=(1, 3, 5, 7), dwell=0.35, sharpness=1.4, ring=0.05,
        lift=0.22, swing=0.75, nod=0.14, turn=0.04, freeze=0.15, freeze_drop=0.15, lean=0.10, hand=0.5),
    "street-jazz": _genre(
        (WALKS, "0 R s -.35 0 | 1 L s .05 -.1 | 2 R s -.3 .05 | 3 L t .3 .1 | 4 L s .35 0 | 5 R s -.05 -.1 | 6 L s .3 .05 | 7 R t -.3 .1",
         "0 L s -.1 .3 | 1 R s -.35 0 | 2 L s .2 0 | 3 R k -.3 .5 | 4 R s -.15 -.15 | 5 L s .2 0 | 6 R s -.25 .1 | 7 L s .2 0"),
        ("0 first hip | 1 front hip | 2 side_up hip | 3 side_up hip | 4 overhead second | 5 chest chest | 6 diag diag_low | 7 hip hip",
         "0 chest chest | 1 side side | 2 overhead overhead | 3 side_up diag_low | 4 hip head | 5 hip front | 6 point_x side_low | 7 bent_w bent_w",
         "0 swing_f swing_b | 1 swing_b swing_f | 2 swing_f swing_b | 3 diag side | 4 up hip | 5 head hip | 6 side diag_low | 7 chest hip"),
        ("0 0 16 -8 | 2 -8 -16 8 | 3 -8 -16 8 | 4 6 0 14 | 5 16 0 0 | 6 -6 22 0 | 7 0 0 0", "0 8 0 0 | 1 -6 0 0 | 2 -12 0 10 | 3 0 -20 0 | 4 0 20 -10 | 6 10 -18 0 | 7 0 0 0"),
        bounce=0.025, crouch=0.04, stance=0.13, sway=0.065, roll=0.14, dwell=0.25, sharpness=1.15, nod=0.05, turn=0.35, freeze=0.18,
        freeze_drop=0.05, lift=0.09, swing=0.65, head_up=0.05, free_heel=0.5, hand=0.3),
    "ballet-jazz": _genre(
        ("0 R s -.18 0 | 2 L k .72 .05 | 4 L s .10 .02 | 5 R s -.10 .02 | 6 L s .10 .02 | 7 R s -.12 0",
         "0 R s -.40 0 | 2 L k .10 -.62 | 4 L s .12 .1 | 5 R s -.1 0 | 6 R s -.3 .05 | 7 L s -.05 -.05",
         "0 L s .12 .25 | 1 R s -.1 .4 | 2 L k .12 .95 | 4 L s .12 .3 | 5 R s -.12 .1 | 6 L s .15 0 | 7 R s -.12 0"),
        ("0 first first | 2 second second | 3 second overhead | 4 overhead overhead | 5 overhead overhead | 6 first first | 7 second second",
         "0 first second | 2 overhead side_up | 4 first first | 5 overhead overhead | 6 second second | 7 diag second",
         "0 second second | 1 first first | 2 front_up side | 4 first first | 6 overhead second | 7 second second"),
        ("0 4 0 0 | 2 -4 0 -14 | 4 0 0 0 | 6 -12 0 8 | 7 0 0 0", "0 6 10 0 | 2 10 -8 0 | 4 -6 0 0 | 6 -10 0 -14 | 7 0 0 0"),
        bounce=0.055, bounce_rate=0.25, crouch=0.01, stance=0.09, sway=0.02, roll=0.03, dwell=0.0, sharpness=0.85, accents=(0, 4), nod=0.02,
        turn=0.55, freeze=0.10, freeze_drop=-0.02, lift=0.10, swing=0.9, head_up=0.08, free_heel=0.9, hand=0.15, lean=-0.04),
}
