"""An exception at every call in turn while a result is written or a button acts: all of it is done, or nothing is."""
import itertools
import os
import pickle
import re
import shutil
import uuid
from pathlib import Path

import numpy as np

ONLY = os.environ.get("BATON_FAULTS_ONLY", "")                  # scenarios whose name has this
WHAT = "an exception at any call while a result is written or Keep, Remove and other buttons act: whole or not at all"


def run(seed, trials, folder):
    """`trials` faults. First each line of code that calls something, at its first, middle and last call, in each
    scenario; then each whole stack of such lines, in the same way; then all calls. What trials do not suffice for is
    drawn by `seed`, each scenario at least once."""
    import bpy

    from baton import blender_addon
    from baton.blender_addon.scene import blending, snapshot
    from tests.faults.apply_buttons import SCENARIOS
    blender_addon.register()
    if os.environ.get("BATON_FAULTS_WITHOUT") == "restore":     # to see that the campaign would notice
        take = snapshot.take
        snapshot.take = lambda rigs=(): _only_before_a_fault(take(rigs))
    bpy.context.preferences.edit.undo_steps = 32
    uuid.uuid4 = Counted()
    blending.SLICE_SECONDS = float("inf")                       # each slice counts ids: as many in every run
    try:
        names = [name for name in SCENARIOS if ONLY in name]
        left = trials
        for number, name in enumerate(names):
            scenario = Scenario(name, SCENARIOS[name], folder)
            spots = chosen(scenario.levels, left // (len(names) - number), seed)
            left -= len(spots)
            yield from scenario.trials(spots, seed)
    finally:
        blender_addon.unregister()


def _only_before_a_fault(restore):
    from tests.faults.injector import Injector
    return lambda: None if Injector.fired else restore()


def chosen(levels, trials, seed):
    """Sorted numbers of the calls that fail: whole levels as far as trials reach, of the next one a draw."""
    found, draw = set(), np.random.default_rng(seed)
    for level in levels:
        fresh = sorted(set(level) - found)
        room = max(1, trials) - len(found)
        found |= set(fresh if len(fresh) <= room else draw.choice(fresh, room, replace=False).tolist())
    return sorted(found)


def ends(numbers):
    """First, middle and last of each list of numbers."""
    return {row[at] for row in numbers for at in (0, len(row) // 2, -1)}


class Scenario:
    """One act: which calls it makes, how the file is before and after it, and trials that break it off."""

    def __init__(self, name, make, folder):
        from tests.faults.forked import Files, apart
        from tests.faults.scene_state import state
        self.name, self.folder = name, Path(folder) / name.replace(" ", "_")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        uuid.uuid4.number = itertools.count()
        self.gate, self.act, *more = make(self.folder)
        self.before = state([self.folder])
        import bpy
        of_the_job = self.folder.with_name(f"{self.folder.name} of the job")
        self.files = Files([self.folder, of_the_job, bpy.app.tempdir], Path(folder) / "aside")
        (told, sentence), calls, sites, stacks, self.after = apart(self._undisturbed, self.files)
        assert told == "done", f"{name} does not work undisturbed: {sentence}"
        # Of several acts one may fail and leave the others.
        self.halves = [apart(lambda one=one: self._half(one), self.files) for one in (more[0] if more else ())]
        self.levels = ends(sites.values()), ends(stacks.values()), range(1, calls + 1)

    def _undisturbed(self):
        ended, injector, after = self._once(None, True)
        return ended, injector.calls, injector.sites, injector.stacks, after

    def _half(self, act):
        from tests.faults.scene_state import state
        uuid.uuid4.number = itertools.count(100)
        act()
        return state([self.folder])

    def _once(self, choose, look=False):
        from tests.faults.injector import Injector
        from tests.faults.scene_state import state
        uuid.uuid4.number = itertools.count(100)
        with Injector(self.gate, choose, look) as injector:
            ended = self.act()
        return ended, injector, state([self.folder])

    def trials(self, spots, seed):
        """An `Outcome` for each call of `spots` that fails. The act runs once, and a copy of it fails at each."""
        from tests.faults.forked import apart
        outcomes, left = apart(lambda: self._copies(set(spots), seed), self.files, 0)
        for at in left:
            outcomes += apart(lambda at=at: self._copies({at}, seed, alone=True), self.files)[0]
        return outcomes

    def _copies(self, spots, seed, alone=False):
        """([outcomes], [calls at which a file was open: those take a run of their own]). alone: no more copies."""
        from tests.faults import Outcome
        from tests.faults.forked import copy, how
        outcomes, left, mine = [], [], []
        answer = self.files.aside.with_name("outcome")

        def choose(at):
            if at not in spots:
                return None
            if not alone:
                if self.files.open_ones():
                    left.append(at)
                    return None
                self.files.note()
                answer.unlink(missing_ok=True)
                child = copy()
                if child:
                    _, status = os.waitpid(child, 0)
                    self.files.put_back()
                    outcomes.append(pickle.loads(answer.read_bytes()) if answer.exists() else Outcome(
                        f"{self.name}, call {at}", False, "crash", how(status)))
                    return None
            mine.append(at)
            return self._fault(at, seed)
        try:
            ended, injector, now = self._once(choose)
        except Exception as error:  # noqa: BLE001  what an act lets out, its user would see
            if not mine:
                raise
            found = Outcome(f"{self.name}, call {mine[0]}", False, "raised", f"{type(error).__name__}: {error}"[:200])
        else:
            found = self._outcome(ended, f"{self.name}, call {mine[0]} ({injector.where})", now) if mine else None
        if mine and not alone:
            answer.write_bytes(pickle.dumps(found))
            os._exit(0)
        return outcomes + ([found] if alone and found else []), left

    def _fault(self, at, seed):
        from tests.faults.injector import FAULTS
        # Where the disk is in trouble the first save packs the sounds instead, which is another good end.
        return FAULTS[0 if self.name == "first save" else (at + seed) % len(FAULTS)]

    def _outcome(self, ended, trial, now):
        from tests.faults import Outcome, is_sentence
        from tests.faults.scene_state import difference
        told, sentence = ended
        undone, done = difference(self.before, now), difference(self.after, now)
        if not is_sentence(sentence):
            return Outcome(trial, False, "python message", sentence[:200])
        if not undone and not difference(self.before, self.after):
            return Outcome(trial, True, "refused" if told == "failed" else "read", sentence[:120])
        if any(not _but_ids(difference(half, now)) for half in self.halves):
            return Outcome(trial, told == "failed", "one of them", sentence[:120])
        if not undone:
            return Outcome(trial, told == "failed", "undone" if told == "failed" else "told done", sentence[:120])
        if not done:
            return Outcome(trial, told == "done", "whole" if told == "done" else "told failed", sentence[:120])
        return Outcome(trial, False, "half done", f"{len(undone)} differences, {'; '.join(undone[:3])}"[:300])


def _but_ids(differences):
    """Ids are counted on, so that those of the second act differ where the first made none."""
    return [line for line in differences if len(set(re.sub("[0-9a-f]{32}", "", line).partition(": ")[2].split(" -> "))
                                                ) > 1]


class Counted:
    """Numbers instead of chance, so that two runs can be compared."""

    number = itertools.count()

    def __call__(self):
        return uuid.UUID(int=next(self.number))
