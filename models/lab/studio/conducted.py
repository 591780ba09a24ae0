"""What a studio conductor makes of a plan before an arm moves: how many strokes a bar, and which beats get one.

`conducting_plan` draws pieces in every metre and at every tempo that each beat pattern is used for.
"""
from dataclasses import replace

import numpy as np

from core.rhythm.beats import Beats
from models.conductor.beat_pattern import NAMES, choose, strokes
from models.lab.studio.plan import make_plan

# What is drawn for the conductor's corpus: metre -> (share, slowest, fastest beats a minute).
CELLS = {2: (0.2, 50, 190), 3: (0.25, 50, 215), 4: (0.28, 50, 190), 6: (0.17, 70, 215), 9: (0.10, 70, 200)}
STROKES_A_MINUTE = (34.0, 126.0)        # what an arm is asked to show when a pattern is not the usual one
PATTERNS_STYLE = "patterns"             # how build.py and a shard's meta name the pieces of `conducting_plan`
UNUSUAL = 0.18                          # share of the pieces that are not beaten as most conductors would


def conducting_plan(seed, duration=24.0):
    """A plan of the conductor's corpus, from `seed` alone: metre and tempo drawn so that every pattern is met."""
    rng = np.random.default_rng([seed, *b"cell"])
    metres = list(CELLS)
    metre = int(rng.choice(metres, p=[CELLS[m][0] for m in metres]))
    _, low, high = CELLS[metre]
    return make_plan("conducting", seed, metre=metre, bpm=float(np.exp(rng.uniform(np.log(low), np.log(high)))),
                     duration=duration, fermatas=True)


def pattern_of(plan, variant=0):
    """Strokes a bar of a plan: mostly what `choose` says at a tempo a little off, now and then another that an arm can
    show.

    variant: another conductor of the same piece. A plan may fix it by `extra["strokes"]`.
    """
    if "strokes" in plan.extra:
        return int(plan.extra["strokes"])
    rng = np.random.default_rng([plan.seed, variant, *b"pattern"])
    tempo = 60.0 / float(np.median(np.diff(plan.times)))
    usual = choose(plan.metre, tempo * float(np.exp(rng.normal(0, 0.05))))
    fits = [n for n in NAMES.values() if plan.metre % n == 0 or n % plan.metre == 0]
    low, high = STROKES_A_MINUTE
    others = [n for n in fits if n != usual and low <= tempo * n / plan.metre <= high]
    return int(rng.choice(others)) if others and rng.random() < UNUSUAL else usual


def stroke_plan(plan, count):
    """The plan as the arm sees it: its beats are the strokes, `count` a bar; sections and cues keep their instants."""
    if count == plan.metre:
        return plan
    kept = strokes(Beats(plan.times, plan.positions, plan.metre), count)
    at = np.interp(kept.times, plan.times, np.arange(len(plan.times)))

    def place(beat):
        return int(np.clip(np.searchsorted(at, beat + 1e-6, side="right") - 1, 0, len(at) - 1))
    sections = []
    for section in plan.sections:
        first, last = place(section.first), place(section.last) if section.last < len(plan.times) else len(at)
        if last > first:
            sections.append(replace(section, first=first if sections else 0, last=last))
    sections[-1] = replace(sections[-1], last=len(at))
    cues = tuple(replace(cue, beat=place(cue.beat)) for cue in plan.cues
                 if cue.kind != "accent" or np.abs(at - cue.beat).min() < 1e-6)
    return replace(plan, times=kept.times, positions=kept.positions, metre=count, bpm=plan.bpm * count / plan.metre,
                   dynamics=np.interp(at, np.arange(len(plan.times)), plan.dynamics),
                   articulation=np.interp(at, np.arange(len(plan.times)), plan.articulation),
                   sections=tuple(sections), cues=cues)
