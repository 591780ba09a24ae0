"""Where the players of the studio's orchestra sit, who plays when, and where a conductor of the piece should look.

A player sits where the mix puts its sound, so who plays can be heard from the same side. `focus` is what the
conductor's network is told of it.
"""
from dataclasses import replace

import numpy as np

from core.body.kinematics import FPS
from models.conductor.focus import CUE, LEAD, focus_channels
from models.lab.studio.composer_orchestra import played
from models.lab.studio.ik import quintic, smooth
from models.lab.studio.orchestra import ORCHESTRA
from models.lab.studio.plan import Cue

YAW_OF_PAN = 1.1                # rad to the left for a sound that is wholly left
PITCH = {"strings": 0.10, "winds": -0.05, "brass": -0.10, "timpani": -0.12}     # rad down, seen from the podium
SAME_BEAT = 1e-3                # beats
REST = 2.0                      # s after which who plays comes in
TOGETHER, SOUNDING, APART = 0.15, 0.5, 1.5      # s: of one entry, in which its share is told, between two of them
SHARE = 0.2                     # of what sounds: a softer entry is not looked to
NEAR = 0.2                      # s from its beat


def yaw_of(instrument):
    """rad to the conductor's left."""
    return -YAW_OF_PAN * ORCHESTRA[instrument][6]


def entries(parts):
    """[(seconds, yaw, share)]: where players come in whom nobody heard for `REST`, together where they do so together,
    and their share of what sounds then.

    parts: [(yaw, gain, [(onset, duration, pitch, velocity), ...])], seconds.
    """
    begun, spans = [], []
    for yaw, gain, notes in parts:
        end = 0.0
        for onset, duration, _, velocity in sorted(notes):
            if onset - end >= REST and onset > REST:
                begun.append((onset, yaw, gain * velocity))
            end = max(end, onset + duration)
            spans.append((onset, onset + duration, gain * velocity))
    spans, begun, found = np.array(spans).reshape(-1, 3), sorted(begun), []
    while begun:
        together = [entry for entry in begun if entry[0] - begun[0][0] <= TOGETHER]
        begun = begun[len(together):]
        start, loud = together[0][0], sum(entry[2] for entry in together)
        sounding = (spans[:, 0] < start + SOUNDING) & (spans[:, 1] > start)
        share = loud / max(float(spans[sounding, 2].sum()), 1e-6)
        if share >= SHARE and (not found or start - found[-1][0] >= APART):
            found.append((start, sum(entry[1] * entry[2] for entry in together) / loud, min(share, 1.0)))
    return found


def seated(plan):
    """The conducting plan with the yaw of each cue and of each section's melody, and a look to everyone else who comes
    in after a rest.

    An entry is of the strongest instrument of its group that begins on the beat and rested before, a cut-off of the one
    that sounded before; all accent and hold, so that an accent and a fermata are the melody's, as is an entry of those
    who played on.
    """
    if any(section.yaw is not None for section in plan.sections):
        return plan
    notes, leads = played(plan)
    sections = tuple(replace(section, yaw=yaw_of(leads[number]) if number in leads else 0.0)
                     for number, section in enumerate(plan.sections))
    plan = replace(plan, sections=sections)
    cues = []
    for cue in plan.cues:
        yaw = _yaw(cue, notes, plan) if cue.kind in ("entry", "cutoff") else None
        cues.append(replace(cue, yaw=plan.section_at(cue.beat).yaw if yaw is None and cue.kind != "cutoff" else yaw))
    count, asked = len(plan.times), [plan.times[cue.beat] for cue in cues if cue.beat < len(plan.times)]
    parts = [(yaw_of(name), ORCHESTRA[name][5], [note for note, _ in line]) for name, line in notes.items()]
    for start, yaw, _ in entries(parts):
        beat = int(round(float(np.interp(start, plan.times, np.arange(count)))))
        if 0 < beat < count and abs(plan.times[beat] - start) < NEAR and all(abs(start - at) >= APART for at in asked):
            cues.append(Cue(beat, "look", yaw=float(yaw)))
    return replace(plan, cues=tuple(sorted(cues, key=lambda cue: cue.beat)))


def _yaw(cue, notes, plan):
    """Yaw of the strongest instrument of the cue's group that comes in or stops there, None where none does."""
    strength = {}
    for name in (name for name, row in ORCHESTRA.items() if row[0] == cue.group):
        before = any(cue.beat - plan.metre <= place < cue.beat - SAME_BEAT for _, place in notes[name])
        now = [note for note, place in notes[name] if abs(place - cue.beat) < SAME_BEAT]
        if cue.kind == "entry" and now and not before:
            strength[name] = max(note.velocity for note in now) * ORCHESTRA[name][5]
        elif cue.kind == "cutoff" and before:
            strength[name] = ORCHESTRA[name][5]
    return yaw_of(max(strength, key=strength.get)) if strength else None


def look_at(at, before, t):
    """(T,) 0..1: how far a conductor looks to a cue at second `at` that is prepared for `before` seconds."""
    return quintic((t - at + 1.6 * before) / before) * quintic((at + 1.3 * before - t) / before)


def focus(plan, frames, lead=0.0):
    """(frames, 3) float32 of `models.conductor.focus`: who plays, on a clock that is `lead` seconds early.

    plan: seated; its beats may be the strokes (`stroke_plan`).
    """
    beats = plan.times - lead
    starts = [0.0, *(beats[min(section.first, len(beats) - 1)] for section in plan.sections[1:])]
    looks = [(beats[cue.beat], float(np.clip(beats[cue.beat] - beats[cue.beat - 1], 0.3, 1.0)), cue.yaw)
             for cue in plan.cues if cue.yaw is not None and 0 < cue.beat < len(beats)]
    return focus_of(list(zip(starts, (section.yaw for section in plan.sections))), looks, frames)


def focus_of(melody, looks, frames):
    """(frames, 3) float32 of `models.conductor.focus`. melody: [(seconds, yaw)] of who has it from then on; looks:
    [(seconds, seconds of preparation, yaw)]."""
    t = np.arange(frames) / FPS
    starts, yaws = np.array(melody).T
    yaw = smooth(yaws[np.clip(np.searchsorted(starts, t, side="right") - 1, 0, None)], 4)
    weight = np.full(frames, LEAD)
    for at, before, side in looks:
        look = look_at(at, before, t)
        yaw, weight = yaw + look * (side - yaw), weight + look * (CUE - weight)
    return focus_channels(yaw, weight)
