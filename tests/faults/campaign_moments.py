"""What a user does while a job runs, at each of its steps: it goes on or ends in a sentence, and nothing stays."""
import itertools
import os
import shutil
import uuid
from pathlib import Path

import numpy as np

from tests.faults import Outcome, is_sentence

ONLY = os.environ.get("BATON_FAULTS_ONLY", "")                  # jobs or events whose name has this
WHAT = "saving, loading, undo, deleting and other acts of the user at each step of a job: a sentence, no trace"
STEPS = 3000                                                    # of a job after the event: more is a hang


def run(seed, trials, folder):
    """`trials` pairs of step and event, drawn by `seed`, from all jobs in equal parts."""
    import bpy

    from baton import blender_addon
    from baton.blender_addon.scene import blending, draft, rig_sampling
    from tests.faults.campaign_apply import Counted
    blender_addon.register()
    bpy.context.preferences.edit.undo_steps = 32
    bpy.context.preferences.filepaths.save_version = 0
    uuid.uuid4 = Counted()
    rig_sampling.SLICE_SECONDS, draft.SLICE_SECONDS, blending.SLICE_SECONDS = 1e-4, 0.0, 0.0
    names = [name for name in JOBS if ONLY in name] or list(JOBS)
    left = trials
    for number, name in enumerate(names):
        share = left // (len(names) - number)
        left -= share
        yield from Moments(name, folder).trials(share, seed)


class Moments:
    """One job with its answer, driven step by step in copies of the process."""

    def __init__(self, name, folder):
        import bpy

        from tests.faults.forked import Files, apart
        self.name, self.folder = name, Path(folder) / name.replace(" ", "_")
        self.folder.mkdir(parents=True)
        uuid.uuid4.number = itertools.count()
        self.make, self.answer = JOBS[name](self.folder)
        self.files = Files([self.folder, bpy.app.tempdir], Path(folder) / "aside")
        job, self.count = apart(self._undisturbed, self.files)
        assert job[0] == "done", f"{name} does not work undisturbed: {job[1]}"

    def _start(self):
        from baton.blender_addon.worker import manager as jobs
        jobs.Manager._start_worker = lambda manager: None
        jobs.Manager._submit = lambda manager, job: self._answered(manager, job)
        job = self.make()
        jobs.manager.start(job)
        return jobs.manager, job

    def _answered(self, manager, job):
        """The worker's part, in this process: its files lie in the job's folder, its answer is looked at at once."""
        from baton.blender_addon.worker import replies
        if job.starts == 0:                                     # as if it worked for a poll
            job.starts = 1
            return
        manager._done(job, replies.checked(job.kind, self.answer(job.folder), job.folder))

    def _undisturbed(self):
        manager, job = self._start()
        count = 0
        while not job.over and count < STEPS:
            manager.poll()
            count += 1
        return (job.state, job.message), count

    def trials(self, number, seed):
        """`number` outcomes. Each begins anew: what is read lies in files that are open."""
        from tests.faults.forked import apart
        from tests.faults.moment_more import EVENTS
        draw = np.random.default_rng([seed, len(self.name)])
        events = [name for name in EVENTS if ONLY in name] or list(EVENTS)
        # Each event as often as the others, at steps of its own; the last steps, where the result is written, oftener.
        for index in range(number):
            late = draw.random() < 0.4
            step = int(draw.integers(max(0, self.count - 12), self.count) if late else draw.integers(0, self.count))
            event = events[index % len(events)]
            try:
                yield apart(lambda step=step, event=event: self._trial(step, event), self.files)
            except RuntimeError as error:
                yield Outcome(f"{self.name}, step {step} of {self.count}: {event}", False, "crash", str(error))

    def _trial(self, step, event):
        manager, job = self._start()
        for _ in range(step):
            manager.poll()
        trial = f"{self.name}, step {step} of {self.count} ({job.state}): {event}"
        return Outcome(trial, *self._meanwhile(manager, job, event))

    def _meanwhile(self, manager, job, event):
        """(ok, kind, detail) of a job during which `event` happens."""
        import traceback

        from tests.faults.moment_more import EVENTS
        from tests.faults.scene_state import difference, state
        try:
            EVENTS[event](self.folder)
        except (AttributeError, KeyError, TypeError, StopIteration, RuntimeError) as error:
            return True, "not possible", f"{type(error).__name__}: {error}"[:160]
        try:
            begun, count = state(), 0
            while not job.over and count < STEPS:
                manager.poll()
                count += 1
        except Exception:  # noqa: BLE001  what the manager lets out ends the timer
            return False, "raised", " | ".join(traceback.format_exc().strip().splitlines()[-3:])[:300]
        if not job.over:
            return False, "hang", f"still {job.state}"
        return self._ended(job, event, difference(_but_drafts(begun), _but_drafts(state())))

    def _ended(self, job, event, changed):
        changed = [] if event.startswith("handler") else changed  # that is its own doing, after the event
        import bpy
        if job.state != "done" and (not is_sentence(job.message) or "a fault of its own" in job.message):
            from baton.blender_addon.worker.job import faults
            last = faults[-1].strip().splitlines()[-3:] if faults else [job.message]
            return False, "python message", " | ".join(last)[:300]
        if job.folder.exists():
            return False, "left behind", f"the job's folder: {[path.name for path in job.folder.iterdir()][:5]}"
        trace = self._traces()
        if trace:
            return False, "left behind", trace
        if job.state != "done" and changed:
            return False, "half done", "; ".join(changed[:3])[:300]
        saved = self.folder / "meanwhile.blend"
        if saved.is_file():
            bpy.ops.wm.open_mainfile(filepath=str(saved))
            trace = self._traces()
            if trace:
                return False, "saved", trace
        return True, job.state, job.message[:120]

    def _traces(self):
        """What of Baton's working lies in the file or its folder, in words; "" for nothing."""
        import bpy
        found = [scene.name for scene in bpy.data.scenes if scene.name in ("Baton Decode", "Baton Probe")]
        found += [action.name for action in bpy.data.actions if "(being written)" in action.name]
        found += [take.name for scene in bpy.data.scenes for take in scene.baton.takes if take.name.startswith("Room ")]
        found += [thing.name for thing in bpy.data.objects if thing.type == "MESH" and thing.hide_viewport]
        found += [str(path) for path in self.folder.rglob("*.part")]
        return ", ".join(found)


def _but_drafts(found):
    """Drafts come and go between the steps, and so does where Blender looks; the steps of undo are the user's."""
    drafts = {name for name in found["actions"] if "(being written)" in name}
    found["actions"] = {name: value for name, value in found["actions"].items() if name not in drafts}
    found["datablocks"]["actions"] = {name: value for name, value in found["datablocks"]["actions"].items()
                                      if name not in drafts}
    return found


# --- jobs: (what makes the job, what gives its answer once its files lie in a folder) --------------------------------

def _prepared(folder, slow=True):
    from tests.faults.apply_scenes import base
    scene, rig = base(folder)
    import bpy
    mesh = bpy.data.objects.new("Body", bpy.data.meshes.new("Body"))
    scene.collection.objects.link(mesh)
    mesh.modifiers.new("Armature", "ARMATURE").object = rig
    if slow:
        rig.pose.bones["head"].constraints.new("LIMIT_ROTATION")
    bpy.ops.ed.undo_push(message="with a body")
    return scene, rig


def _music(folder):
    import bpy

    from tests.blender import scenes
    from tests.blender.stand_ins import row, to_sound
    scene, rig = _prepared(folder)
    scene.baton.music_ldm.range, scene.frame_end = "SCENE", 60
    scene.baton.music_ldm.variations = 2

    def answer(place):
        for number in (1, 2):
            scenes.write_wav(place / f"take_{number}.wav", 2.0)
        return {"takes": [row("take_1.wav", 1), row("take_2.wav", 2)], "seconds": 2.0, "wall": 1.0, "device": "cpu"}
    return lambda: to_sound(bpy.context, bpy.data.objects["Dancer"]).job(), answer


def _conducting(folder):
    import bpy

    from baton.blender_addon.scene import strips
    from tests.blender.stand_ins import channels, row, to_motion
    scene, _ = _prepared(folder)
    scene.baton.conductor.blend_seconds = 0.3

    def answer(place):
        channels(place, "one.npz")
        return {"takes": [row("one.npz", 1)], "seconds": 2.0, "wall": 1.0, "device": "cpu"}

    def make():
        place = bpy.context.scene
        return to_motion(bpy.context, bpy.data.objects["Dancer"], place, strips.find(place, "Piece")).job()
    return make, answer


def _decoded(folder):
    """The strip plays a file that only Blender reads."""
    from baton.core.contract import sound_files
    found = _conducting(folder)
    sound_files.worker_reads = lambda path: False
    return found


def _both(folder):
    import bpy

    from baton.blender_addon.flows.to_both import ToBoth
    from baton.core.contract import systems
    from tests.blender import scenes
    from tests.blender.stand_ins import channels, row
    scene, _ = _prepared(folder)
    system = next(system for system in systems.systems().values() if system.direction.name == "to_both")
    getattr(scene.baton, system.name).duration = 4.0

    def answer(place):
        scenes.write_wav(place / "take.wav", 4.0)
        channels(place, "channels.npz", seconds=4.0)
        return {"takes": [{**row("take.wav", 1), "channels": "channels.npz"}], "seconds": 4.0, "wall": 1.0,
                "device": "cpu"}
    return lambda: ToBoth(bpy.context, system, bpy.data.objects["Dancer"]).job(), answer


def _range(folder):
    """A range of a take that stands there."""
    import bpy

    from baton.blender_addon.flows import ranges
    from baton.blender_addon.scene import strips
    from tests.blender.stand_ins import channels, row, to_motion
    from tests.faults.apply_scenes import conducting
    conducting(folder)[1]()
    shutil.rmtree(folder / "job")
    scene = bpy.context.scene
    scene.baton.edit_range, scene.baton.edit_start, scene.baton.edit_end = "CUSTOM", 10, 30

    def answer(place):
        channels(place, "one.npz")
        return {"takes": [row("one.npz", 3)], "seconds": 2.0, "wall": 1.0, "device": "cpu"}

    def make():
        place = bpy.context.scene
        request = ranges.request(place, place.baton.takes[-1])
        return to_motion(bpy.context, bpy.data.objects["Dancer"], place, strips.find(place, "Piece"), request).job()
    return make, answer


JOBS = {"music": _music, "conducting": _conducting, "both": _both, "range": _range, "decoded": _decoded}
