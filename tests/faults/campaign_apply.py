"""An exception at every call in turn while a result is written or a button acts: all of it is done, or nothing is."""
import itertools
import os
import shutil
import uuid
from pathlib import Path

import numpy as np

ONLY = os.environ.get("BATON_FAULTS_ONLY", "")                  # scenarios whose name has this
WHAT = "an exception at any call while a result is written or Keep, Remove and other buttons act: whole or not at all"


def run(seed, trials, folder):
    """`trials` faults, spread over the scenarios by their numbers of calls and drawn by `seed`; all of them where there
    are fewer calls than trials."""
    import bpy

    from baton import blender_addon
    from baton.blender_addon.scene import snapshot
    from tests.faults.apply_scenes import SCENARIOS
    blender_addon.register()
    if os.environ.get("BATON_FAULTS_WITHOUT") == "restore":     # to see that the campaign would notice
        take = snapshot.take
        snapshot.take = lambda rigs=(): _only_before_a_fault(take(rigs))
    bpy.context.preferences.edit.undo_steps = 32
    uuid.uuid4 = Counted()
    try:
        planned = {name: Scenario(name, make, folder, trials >= 500) for name, make in SCENARIOS.items()
                   if ONLY in name}
        chosen = plan({name: scenario.calls for name, scenario in planned.items()}, seed, trials)
        return [outcome for name, spots in chosen.items() for outcome in planned[name].trials(spots, seed)]
    finally:
        blender_addon.unregister()


def _only_before_a_fault(restore):
    from tests.faults.injector import Injector
    return lambda: None if Injector.fired else restore()


def plan(calls, seed, trials):
    """{scenario: [which calls fail]}: every call where trials suffice, else a draw without repetition, every scenario
    at least once."""
    spots = [(name, at) for name, count in calls.items() for at in range(1, count + 1)]
    draw = np.random.default_rng(seed)
    if trials < len(spots):
        first = [(name, int(draw.integers(1, count + 1))) for name, count in calls.items()][:trials]
        rest = [spot for spot in spots if spot not in set(first)]
        taken = draw.choice(len(rest), trials - len(first), replace=False) if trials > len(first) else ()
        spots = first + [rest[index] for index in sorted(taken)]
    chosen = {}
    for name, at in spots:
        chosen.setdefault(name, []).append(at)
    return chosen


class Scenario:
    """One act: how many calls it makes, how the file is before and after it, and trials that break it off."""

    def __init__(self, name, make, folder, twice=True):
        """twice: see that an undisturbed run ends alike the second time, without which nothing can be compared."""
        self.name, self.make, self.folder = name, make, Path(folder) / name.replace(" ", "_")
        self._build()
        ended, self.calls, self.after, _ = self._once(None)
        assert ended[0] == "done", f"{name} does not work undisturbed: {ended}"
        self._stale = True                                      # another scenario is built next
        if not twice:
            return
        self._build()
        ended, calls, after, _ = self._once(None)
        from tests.faults.scene_state import difference
        other = _but_inputs(difference(self.after, after))
        assert not other, f"{name} ends otherwise the second time: {other}"
        self._stale = True

    def _build(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        uuid.uuid4.number = itertools.count()
        self.gate, self.act = self.make(self.folder)
        from tests.faults.scene_state import state
        self.before, self._stale = state([self.folder]), False

    def _once(self, at, fault=None):
        from tests.faults.injector import Injected, Injector
        from tests.faults.scene_state import state
        uuid.uuid4.number = itertools.count(100)
        with Injector(self.gate, at, fault or Injected) as injector:
            ended = self.act()
        return ended, injector.calls, state([self.folder]), injector.where

    def trials(self, spots, seed):
        """An `Outcome` for each call of `spots` that fails."""
        from tests.faults import Outcome, is_sentence
        from tests.faults.injector import FAULTS
        from tests.faults.scene_state import difference
        for at in spots:
            if self._stale:
                self._build()
            # Where the disk is in trouble the first save packs the sounds instead, which is another good end.
            fault = FAULTS[0 if self.name == "first save" else (at + seed) % len(FAULTS)]
            (told, sentence), _, now, where = self._once(at, fault)
            trial = f"{self.name}, call {at} ({where})"
            undone, done = difference(self.before, now), _but_inputs(difference(self.after, now))
            self._stale = bool(undone)
            if not is_sentence(sentence):
                yield Outcome(trial, False, "python message", sentence[:200])
            elif not undone:
                yield Outcome(trial, told == "failed", "undone" if told == "failed" else "told done", sentence[:120])
            elif not done:
                yield Outcome(trial, told == "done", "whole" if told == "done" else "told failed", sentence[:120])
            else:
                yield Outcome(trial, False, "half done", f"{len(undone)} differences, {'; '.join(undone[:3])}"[:300])


def _but_inputs(differences):
    """Requests tell when the files that a take was made from were written, which differs from run to run."""
    return [line for line in differences if "/request: " not in line]


class Counted:
    """Numbers instead of chance, so that two runs can be compared."""

    number = itertools.count()

    def __call__(self):
        return uuid.UUID(int=next(self.number))
