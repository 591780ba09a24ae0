"""Several Blenders at once on one //baton/, one extension folder, one set-up: nobody loses what is his."""
import hashlib
import json
import os
import random
import shutil
import time
from functools import partial
from pathlib import Path

from tests.faults import Outcome, is_sentence

WHAT = "three Blenders at once place, keep, save, sweep and set up in the same folders: nobody loses what is his"
MANY, ACTS_EACH, LONGEST_S = 3, 5, 60


def run(seed, trials, folder):
    """`trials` times three processes with acts drawn by `seed`, step by step together; an outcome for each time."""
    from baton import blender_addon
    blender_addon.register()
    try:
        for number in range(trials):
            place = Path(folder) / str(number)
            (place / "project").mkdir(parents=True)
            yield _trial(place, f"pairs {seed} {number}")
            shutil.rmtree(place, ignore_errors=True)
    finally:
        blender_addon.unregister()


def _trial(place, seed):
    from tests.faults.forked import copy, how
    children = {}
    together = random.Random(seed).choices((None, *ACTS), k=ACTS_EACH)  # what all do at once; None: each his own
    for who in range(MANY):
        child = copy(LONGEST_S)
        if child == 0:
            try:
                told = Blender(place, who, random.Random(f"{seed} {who}")).live(together)
            except Exception as error:  # noqa: BLE001  what it lets out is an outcome
                told = {"faults": [f"{type(error).__name__}: {error}"], "acts": [], "takes": {}}
            (place / f"told {who}").write_text(json.dumps(told))
            os._exit(0)
        children[child] = who
    ends = [how(os.waitpid(child, 0)[1]) for child in children]
    if any(not (place / f"told {who}").is_file() for who in range(MANY)):
        return Outcome(seed, False, "hang or crash", ", ".join(ends))
    told = [json.loads((place / f"told {who}").read_text()) for who in range(MANY)]
    return _judged(place, seed, told)


def _judged(place, seed, told):
    trial = "; ".join(" ".join(one["acts"]) for one in told)
    faults = [fault for one in told for fault in one["faults"]]
    if faults:
        return Outcome(seed, False, "python message" if not is_sentence(faults[0]) else "refused", faults[0][:300])
    paths = [path for one in told for path in one["takes"]]
    if len(set(paths)) < len(paths):
        return Outcome(seed, False, "one file for two", f"{trial}: {sorted(paths)}"[:300])
    for one in told:
        for path, digest in one["takes"].items():
            if not Path(path).is_file() or hashlib.sha256(Path(path).read_bytes()).hexdigest() != digest:
                return Outcome(seed, False, "lost", f"{path}: {trial}"[:300])
    left = [path.name for path in (place / "project").rglob("*.part")]
    if left:
        return Outcome(seed, False, "left behind", ", ".join(left))
    table = place / "project" / "maps" / "map.json"
    if table.exists():
        try:
            json.loads(table.read_text())
        except ValueError as error:
            return Outcome(seed, False, "half a file", str(error))
    return Outcome(trial, True, "whole")


class Blender:
    """One of them: its own file in the project that all share."""

    def __init__(self, place, who, rng):
        self.place, self.who, self.rng = place, who, rng
        self.faults, self.takes, self.acts, self.held = [], {}, [], []

    def live(self, together):
        import bpy

        from tests.faults.apply_scenes import base
        own = self.place / f"own {self.who}"
        own.mkdir()
        self.scene, self.rig = base(own)
        bpy.ops.wm.save_as_mainfile(filepath=str(self.place / "project" / f"{self.who}.blend"))
        self.scene, self.rig = bpy.context.scene, bpy.data.objects["Dancer"]
        bpy.ops.baton.detect_bones()
        self._dawdle()
        for number, name in enumerate(together):
            name = name or self.rng.choice(list(ACTS))
            self.acts.append(name)
            self._meet(number)
            ACTS[name](self, own / f"act {number}")
        self._look()
        return {"faults": self.faults, "acts": self.acts, "takes": self.takes}

    def _dawdle(self):
        """Before each call that changes a folder it may be overtaken: what is looked at and then done shows."""
        from baton.core.contract import files
        for module, name in ((files, "create"), (os, "replace"), (os, "rename"), (os, "mkdir"), (os, "unlink")):
            setattr(module, name, partial(self._late, getattr(module, name)))

    def _late(self, real, *args, **more):
        time.sleep(self.rng.choice((0.0, 0.001, 0.01, 0.03)))
        return real(*args, **more)

    def _meet(self, number):
        """Wait until all have come so far: then they collide."""
        (self.place / f"{number} {self.who}").touch()
        end = time.monotonic() + 10.0
        while time.monotonic() < end and not all((self.place / f"{number} {who}").exists() for who in range(MANY)):
            time.sleep(0.0005)

    def _look(self):
        """What is its own is there, and what it holds."""
        import bpy
        self.takes = {path: digest for path, digest in self.takes.items()
                      if any(bpy.path.abspath(take.path) == path for take in bpy.context.scene.baton.takes)}
        self.faults += [f"somebody took {path} away" for path in self.held if not path.exists()]

    def press(self, operator, **arguments):
        try:
            operator(**arguments)
        except RuntimeError as error:
            self.faults.append(str(error))

    def music(self, folder):
        import bpy

        from tests.blender import scenes
        from tests.blender.stand_ins import prepare, row, to_sound
        from tests.faults.apply_scenes import through_the_manager
        self.scene.baton.music_ldm.range, self.scene.frame_end = "SCENE", 30
        folder.mkdir()
        job = prepare(to_sound(bpy.context, self.rig).job(), folder / "job")
        made = scenes.write_wav(folder / "job" / "take_1.wav", 1.0, bpm=60 + self.rng.random() * 100)
        digest = hashlib.sha256(made.read_bytes()).hexdigest()
        told, sentence = through_the_manager(job, {"takes": [row("take_1.wav", 1)]}, folder)()
        if told != "done":
            self.faults.append(sentence)
        else:
            self.takes[bpy.path.abspath(self.scene.baton.takes[-1].path)] = digest

    def keep(self, folder):
        import bpy
        if len(self.scene.baton.takes):
            self.press(bpy.ops.baton.keep_take, name=self.scene.baton.takes[-1].name)

    def remove(self, folder):
        """Its last take and the file: those of others stay."""
        import bpy
        takes = [take for take in self.scene.baton.takes if not take.kept]
        if takes:
            self.press(bpy.ops.baton.remove_take, name=takes[-1].name)
            self.press(bpy.ops.baton.delete_unused)

    def save(self, folder):
        import bpy
        self.press(bpy.ops.wm.save_mainfile)
        self.scene, self.rig = bpy.context.scene, bpy.data.objects["Dancer"]

    def bones(self, folder):
        import bpy
        self.press(bpy.ops.baton.save_bones, filepath=str(self.place / "project" / "maps" / "map.json"))
        self.press(bpy.ops.baton.load_bones, filepath=str(self.place / "project" / "maps" / "map.json"))

    def job(self, folder):
        """A job's folder in the temporary folder that all share, and a sweep as at the start."""
        from baton.blender_addon.worker import job_folder
        shared = self.place / "temp"
        shared.mkdir(exist_ok=True)
        kept, job_folder.session = job_folder.session, lambda: shared
        try:
            self.held.append(job_folder.make(f"job{self.rng.randint(1, 2)}"))
            job_folder.sweep([shared])
        finally:
            job_folder.session = kept

    def log(self, folder):
        """A worker's log in the extension's folder, and older ones deleted as when a worker starts."""
        from baton.core.contract.holding import held_from_birth, unlink_unless_held
        shared = self.place / "logs"
        shared.mkdir(exist_ok=True)
        path = shared / f"worker-{time.time_ns():x}-{self.who}.log"
        self.logs = [*getattr(self, "logs", ()), held_from_birth(path, 0o600)]
        self.held.append(path)
        for old in shared.glob("worker-*.log"):
            unlink_unless_held(old)

    def set_up(self, folder):
        """One of them sets up the runtime; the others are told."""
        from baton.blender_addon.worker import runtime
        setup = runtime.RuntimeSetup(self.place / "runtime", self.place / "lock")

        def make():
            with open(setup.folder / "inside", "x"):
                time.sleep(0.05)
            (setup.folder / "inside").unlink()
        setup._make = make
        setup._run()
        if not setup.done and "Another Blender is setting up" not in setup.error:
            self.faults.append(setup.error or setup.lines[-1])


ACTS = {name: getattr(Blender, name) for name in ("music", "keep", "remove", "save", "bones", "job", "log", "set_up")}
