"""Which beats a passage has: one steady grid, a grid that drifts, or beat by beat; and on which metrical level.

*Auto* holds three explanations of the activations against each other: `steady.straight` (one tempo), `steady.drifting`
(slow drift and sections) and `beat_decoder.decode` (every beat on its own). The last always explains most, as it may
follow every doubt of the network: the less sure the network is, the more of the explanation may be lost to a steady
grid before the beats are followed one by one.
"""
import dataclasses
from functools import cached_property

import numpy as np

from core.contract import COMPOUND
from core.errors import BadInput
from core.rhythm import steady
from core.rhythm.bars import find_bars, groups_of
from core.rhythm.beats import Beats
from core.rhythm.decoder import apply_level, check_activations, decode, given_beats
from core.rhythm.decoder_config import CONFIG, MUSIC
from core.rhythm.limbs import vouched
from core.rhythm.steady import Evidence, Section, drifting, pieced, straight

MODES = ("auto", "steady", "follow", "fixed", "markers")
FIXED_WIDTH = 0.03              # a given tempo is refined within this share of it ...
TYPED_BPM = 0.5                 # ... and where no beat is clear within what a whole number of BPM leaves open
# No beat, no bluff: agreements of the one tempo, the drifting one and the free path, of which one at least must be
# reached. Whoever moves or speaks without a beat has one by chance in a short passage, and the longer it lasts the less
# of it: {seconds: agreements}, linear between. docs/results.md has the histograms of both sides. "traveller": a body
# that carries its weight about, which speakers do not and dancers do; "resting": one whose hips and legs are still.
PULSE = {"body": {6.0: (0.06, 0.08, 0.15), 12.0: (0.25, 0.25, 0.60), 30.0: (0.25, 0.36, 0.60)},
         "traveller": {6.0: (0.06, 0.08, 0.15)},
         "resting": {6.0: (0.40, 0.42, 0.50), 12.0: (0.35, 0.38, 0.60), 30.0: (0.33, 0.38, 0.60)},
         "music": {6.0: (0.27, 0.28, 0.36), 12.0: (0.22, 0.28, 0.36), 20.0: (0.18, 0.29, 0.36)}}
# Share of the free path's explanation that a grid must reach, over how sure the free path is (mean agreement, 0..1).
SURE = (0.30, 0.50, 0.80, 0.95)
STRAIGHT = {"body": (0.40, 0.42, 0.82, 0.98), "music": (0.50, 0.60, 0.84, 0.98)}
DRIFTING = (0.70, 0.80, 0.95, 0.99)
# A body on which even beats followed one by one agree less than this is not followed: they would tell the doubts of the
# network (20 s of salsa 26: 0.28, from 126 to 226 a minute). The best grid is taken, which music can be made to. Six
# conductors of the studio, three of them rhapsodic, have 0.57 to 0.97.
UNSURE = {"body": 0.30}
# One tempo is not enough where drift explains so much more of the activations' length (a share, over the same scale). A
# dancer strays from the song and comes back to it; an ensemble's tempo is what it plays.
DRIFT_GAIN = {"body": (0.15, 0.14, 0.14, 0.04), "music": (0.05, 0.05, 0.05, 0.02)}
# Dances to songs cut together: sections of one tempo each are taken where they explain so much more than one tempo
# does. Chosen on captured dances of training, spliced and drowned in others' activations: F1 0.74 instead of 0.59 where
# there is a cut, 0.84 instead of 0.85 where there is none.
CUT_GAIN = {"body": 0.10}
# An ensemble plays its beats a little beside any smooth tempo. Of 44 rendered validation scores 23 are read with a
# drifting grid: F1 0.609, leaned 0.619, intervals spread by 4.7 and 5.4 % (the written ones: 6.6); each beat moved for
# itself 0.621 and 7.9 %. Of the game tracks six: 0.685 and 0.699.
LEANING = ("music",)
LEAN_REACH = 0.3                        # of a beat, how far
LEAN = np.array([1, 2, 3, 2, 1]) / 9    # shares of the neighbours in how far a beat is moved
OWN_VOICE = 0.30                        # agreement from which one tempo of the network stands against the limbs'
LEVEL_SHARE = 0.75                      # of the limbs' regularity, for another level to be as good
LIMBS_BPM = (60.0, 200.0)               # the limbs are asked between these
SAME_LEVEL = float(np.log2(1.8))        # octaves: sections' tempi further apart are one tempo read at two levels


def pulse(part, seconds):
    """The agreements (one tempo, drifting, free) below which all three a passage of so many seconds has no beat."""
    rows = PULSE[part]
    return tuple(float(np.interp(seconds, list(rows), values)) for values in zip(*rows.values()))


def check_mode(mode, bpm=None):
    """The mode, "auto" for None. Raises BadInput on an unknown one, and on "fixed" without a tempo."""
    if mode is None:
        return "auto"
    if mode not in MODES:
        raise BadInput(f"The tempo mode {mode!r} is unknown; choose {', '.join(MODES)}.")
    if mode == "fixed" and bpm is None:
        raise BadInput("A fixed tempo needs its beats per minute; give the tempo too.")
    return mode


class Explained:
    """What explains activations (T, 2) or (T, 4) where nothing of the tempo is known; each is made once, when it is
    asked for: `evidence`, the best `one` tempo, the `drifting` grid (either may be None), the `free` path."""

    def __init__(self, activations, fps, part, limbs=None):
        self.activations, self.fps, self.part, self.limbs = np.asarray(activations), fps, part, limbs
        self.config = MUSIC if part == "music" else CONFIG

    @cached_property
    def evidence(self):
        """`steady.Evidence`."""
        return Evidence(self.activations, self.fps, steady.BODY if self.part == "body" else steady.MUSIC)

    @cached_property
    def one(self):
        """The grid of one tempo."""
        return straight(self.evidence)

    @cached_property
    def drifting(self):
        """The grid whose tempo creeps."""
        return drifting(self.evidence)

    @cached_property
    def free(self):
        """`Beats` followed one by one."""
        return decode(self.activations, self.fps, config=self.config)

    @cached_property
    def agreements(self):
        """Mean agreement (0..1) of `one`, `drifting` and `free`: what `pulse` is held against."""
        grids = self.one, self.drifting, self.evidence.of_beats(self.free.times)
        return tuple(0.0 if grid is None else grid.agreement for grid in grids)


def find(activations, fps, *, part, mode="auto", bpm=None, metre=None, beats=None, level="normal", usual=None,
         start=0.0, bars=None, doubtful=False, asked=None, explained=None, limbs=None):
    """`Beats` of a passage, with `extra["tempo"]`: what was chosen and how strong it is.

    activations: (T, 2) or (T, 4) of `beat_decoder.decode`, at fps. part: "body" or "music". mode: one of MODES. bpm: a
    tempo to stay near (auto, steady, follow: within 10 %) or to keep (fixed). usual: (low, high) BPM in which the beat
    is to lie: a grid beyond is read at half or double time when that lies nearer. beats, metre, level, start, bars: as
    `decode`. doubtful: beats are wanted however weak they are. asked: key of PULSE, part when None. explained:
    `Explained` of these activations, where there is one already. limbs: `core.rhythm.limbs.Limbs` of a body.
    extra["tempo"]: {"mode", "chosen": steady, drifting, follow, fixed, markers or none, "bpm", "strength",
    "sections": [[start, bpm], ...]}.
    Raises BadInput on bad values.
    """
    mode, config = check_mode(mode, bpm), MUSIC if part == "music" else CONFIG
    activations = check_activations(activations, fps, bpm, metre, level)
    if mode == "markers" and beats is None:
        raise BadInput("Beats from markers need markers; set them or choose another tempo mode.")
    if beats is not None:
        found = given_beats(beats, activations, fps, metre, level, start, bars, config)
        return _told(found, mode, "markers", found.confidence, ())
    explained = explained or Explained(activations, fps, part, limbs)
    grid, chosen, free = _choose(explained, mode, bpm, doubtful, asked)
    if grid is None and free is None:
        return _told(Beats([], [], metre or 4, 0.0), mode, "none", 0.0, ())
    if grid is None:
        times, strength, sections = free.times, free.confidence, ()
    else:
        grid = one_level(grid)
        times, strength = grid.beats(), grid.strength
        if chosen == "drifting" and part in LEANING:
            times = leaned(times, decode(activations, fps, config=config, guide=times).times)
        sections = tuple((section.start, section.bpm) for section in grid.sections)
    as_found = times
    usual = (bpm * (1 - FIXED_WIDTH), bpm * (1 + FIXED_WIDTH)) if mode == "fixed" else usual
    if usual is not None:
        odd = None
        if bars is not None and mode != "fixed":
            def odd(times):
                counts = find_bars(activations, fps, times, metre, bars, config)[1]
                return counts % 2 == 1 or counts in COMPOUND
        times = to_usual(times, activations, fps, usual, odd)
    positions, counts = find_bars(activations, fps, times, metre, bars, config)
    groups = groups_of(bars(times)[0], positions, counts) if bars is not None and len(times) else None
    extra = {} if groups is None else {"groups": groups}
    found = Beats(times + start, positions, counts, float(np.clip(strength, 0, 1)), extra)
    found = apply_level(found, level, metre)
    factor = _factor(as_found, found.times)
    return _told(found, mode, chosen, strength, [(start + at, factor * tempo) for at, tempo in sections])


def _factor(times, level):
    """By what beats at another `level` are more than those at `times`: 0.5, 1, 2 ..."""
    if len(times) < 2 or len(level) < 2:
        return 1.0
    return float(2.0 ** np.round(np.log2(np.median(np.diff(times)) / np.median(np.diff(level)))))


def agreements(activations, fps, part):
    """Those of `Explained`."""
    return Explained(activations, fps, part).agreements


def drifting_beats(activations, fps, part):
    """Times (B,) of the best drifting grid, whatever its strength; none where the passage is too short."""
    grid = Explained(activations, fps, part).drifting
    return np.zeros(0) if grid is None else one_level(grid).beats()


def _limits(mode, bpm):
    """Options of the estimators: the tempi among which they look."""
    if bpm is None:
        return {}
    width = FIXED_WIDTH if mode == "fixed" else CONFIG.hint_width
    return {"low": bpm * (1 - width), "high": bpm * (1 + width), "centre": bpm, "width": 0.1}


def _choose(explained, mode, bpm, doubtful=False, asked=None):
    """(grid or None, its name, free `Beats` or None)."""
    evidence, part, limits = explained.evidence, explained.part, _limits(mode, bpm)

    def followed():
        return explained.free if bpm is None else decode(explained.activations, explained.fps, bpm=bpm,
                                                         config=explained.config)
    if mode == "follow":
        return None, "follow", followed()
    one = straight(evidence, **limits) if limits else explained.one
    if mode == "fixed" and one is not None:
        # The network may hear the given tempo at another level, where its phase is.
        others = [straight(evidence, **_limits(mode, bpm * factor)) for factor in (2.0, 0.5)]
        one = max([one, *filter(None, others)], key=lambda grid: grid.strength * (1.2 if grid is one else 1.0))
        off = min(abs(one.bpm * level - bpm) for level in (0.5, 1.0, 2.0))
        if off > TYPED_BPM and one.agreement < pulse(asked or part, evidence.duration)[0]:
            one = evidence.one_at(bpm)
    if one is None:
        free = followed()
        return None, "follow", free if len(free) else None
    if mode == "fixed":
        return one, "fixed", None
    many = (drifting(evidence, **limits) if limits else explained.drifting) or one
    pieces = pieced(evidence, **limits) if part in CUT_GAIN else None
    if pieces is not None and pieces.strength - one.strength >= CUT_GAIN[part]:
        one = pieces
    gain = many.strength - one.strength
    if mode == "steady":
        return (one, "steady", None) if gain < DRIFT_GAIN[part][0] else (many, "drifting", None)
    # No path explains more than the mean length of the predicted phase: where one tempo is enough for that, look no
    # further.
    most = float(np.abs(evidence.raw).mean())
    least = pulse(asked or part, evidence.duration)
    enough = one.agreement >= max(least[0], np.interp(most, SURE, STRAIGHT[part]) * most)
    settled = enough and gain < np.interp(most, SURE, DRIFT_GAIN[part])
    if explained.limbs is not None and not (settled and one.agreement >= OWN_VOICE):
        moved = by_limbs(evidence, explained.limbs, limits.get("low"), limits.get("high"))
        if moved is not None:
            return moved, "steady", None
    if settled:
        return one, "steady", None
    free = followed()
    sure = evidence.of_beats(free.times).agreement
    weak = all(found < wanted for found, wanted in zip((one.agreement, many.agreement, sure), least))
    if bpm is None and weak and not doubtful:
        return None, "none", None
    if sure <= 0.0:
        return one, "steady", None
    enough = one.agreement >= np.interp(sure, SURE, STRAIGHT[part]) * sure
    if enough and gain < np.interp(sure, SURE, DRIFT_GAIN[part]):
        return one, "steady", None
    if many.agreement >= np.interp(sure, SURE, DRIFTING) * sure:
        return many, "drifting", None
    if bpm is None and sure < UNSURE.get(part, 0.0):
        return one, "steady", None
    return None, "follow", free


def by_limbs(evidence, limbs, low=None, high=None):
    """The `Grid` of the one tempo for which the limbs vouch, its phase by the activations; None where they do not.

    limbs: `core.rhythm.limbs.Limbs` of the same passage. The tempo stays as they have it: where the network is unsure,
    its phase would pull a steady song off its grid. Of its levels the one that the activations bear out is taken.
    """
    low, high = max(low or 0.0, LIMBS_BPM[0]), min(high or np.inf, LIMBS_BPM[1])
    if low >= high:
        return None
    bpm, height = limbs.best(low, high)
    if not vouched(height, evidence.duration):
        return None
    levels = [bpm * factor for factor in (1.0, 2.0, 0.5) if low <= bpm * factor <= high]
    heard = evidence.at_two_levels()
    return max((heard.one_at(level) for level in levels if limbs.at(level) >= LEVEL_SHARE * height),
               key=lambda grid: grid.strength)


def leaned(times, heard):
    """Times (B,) of a grid moved towards the beats `heard` (H,) one by one, in step with their neighbours."""
    if len(times) < 3 or len(heard) < 2:
        return times
    right = np.clip(np.searchsorted(heard, times), 1, len(heard) - 1)
    before, after = heard[right - 1], heard[right]
    away = np.where(np.abs(after - times) < np.abs(before - times), after, before) - times
    near = np.flatnonzero(np.abs(away) < LEAN_REACH * np.gradient(times))
    if len(near) < 3:
        return times
    away = np.interp(np.arange(len(times)), near, away[near])
    moved = times + np.convolve(np.pad(away, len(LEAN) // 2, mode="edge"), LEAN, "valid")
    return np.maximum.accumulate(moved + np.arange(len(moved)) * 1e-6)


def one_level(grid):
    """The grid with sections at half or double the tempo of its longest one brought to that level: a piece has one."""
    if len(grid.sections) < 2:
        return grid
    sections = []
    for section in grid.sections:
        octaves = np.log2(section.bpm / grid.bpm)
        factor = 0.5 if octaves > SAME_LEVEL else 2.0 if octaves < -SAME_LEVEL else 1.0
        sections.append(Section(section.knots, section.turns * factor))
    return dataclasses.replace(grid, sections=tuple(sections))


# A range of tempi has soft ends: within 8 % of them what was heard is kept, for halving a piece with rubato costs more
# than a tempo a little beyond what is usual.
EDGE = np.log2(1.08)


def to_usual(times, activations, fps, usual, odd=None):
    """Times (B,) at half or double time when that is nearer to the range `usual` (low, high) in BPM.

    odd: whether times (B,) make bars of an odd number or of threes, or None. Such bars are not halved: every second
    beat of a fast three is a cross-rhythm, no slower beat; it can be beaten in one.
    """
    if len(times) < 3:
        return times
    bpm = 60.0 / np.median(np.diff(times))

    def beyond(value):
        over = max(np.log2(usual[0] / value), np.log2(value / usual[1]), 0.0)
        return over if over > EDGE else 0.0
    factor = min((1.0, 0.5, 2.0), key=lambda f: round(beyond(bpm * f), 6))      # the first of equals: as it was found
    if factor == 2.0:
        return np.sort(np.concatenate([times, (times[1:] + times[:-1]) / 2]))
    if factor == 0.5 and odd is not None and odd(times):
        return times
    if factor == 0.5:
        frames = np.clip(np.round(times * fps).astype(int), 0, len(activations) - 1)
        weight = activations[frames, 0] + activations[frames, 1]
        return times[int(weight[1::2].mean() > weight[0::2].mean())::2]
    return times


def _told(beats, mode, chosen, strength, sections):
    """The beats with the account of their tempo."""
    account = {"mode": mode, "chosen": chosen, "bpm": round(beats.tempo_bpm, 2), "strength": round(float(strength), 3),
               "sections": [[round(float(at), 3), round(float(tempo), 2)] for at, tempo in sections]}
    return Beats(beats.times, beats.positions, beats.metre, beats.confidence, {**beats.extra, "tempo": account})
