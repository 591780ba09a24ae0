"""Folders that are full, closed, gone or files, while a job begins, reads, writes its result or a take is kept."""
import errno
import os
import resource
import shutil
import uuid
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.faults import Outcome, is_sentence

WHAT = "full, closed, gone or blocked folders: one sentence that names the folder, nothing half done, the sound kept"
ERRORS = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.ENOENT, errno.EIO, errno.EDQUOT, errno.EMFILE)
# What of the operating system writes; each may fail at any of its calls.
CALLS = ((os, "open"), (os, "replace"), (os, "mkdir"), (shutil, "copyfile"))


def run(seed, trials, folder):
    """Every condition on every act in turn, each with errors and places drawn by `seed`."""
    import bpy

    from baton import blender_addon
    from tests.faults.campaign_apply import Counted
    blender_addon.register()
    bpy.context.preferences.edit.undo_steps = 32
    uuid.uuid4 = Counted()
    draw, outcomes = np.random.default_rng(seed), []
    kinds = [(act, condition) for act in ACTS for condition in CONDITIONS]
    try:
        for number in range(trials):
            act, condition = kinds[(number + seed) % len(kinds)]
            outcomes.append(trial(act, condition, draw, Path(folder) / f"trial {number}"))
            shutil.rmtree(Path(folder) / f"trial {number}", ignore_errors=True)
    finally:
        blender_addon.unregister()
    return outcomes


def trial(act, condition, draw, folder):
    """One act under one condition."""
    from baton.blender_addon.worker import manager as jobs
    from tests.faults.scene_state import difference, state
    folder.mkdir(parents=True)
    jobs.manager.drop_unplaced()
    do, target, role = ACTS[act](folder)
    before = state([folder])
    with CONDITIONS[condition](target, draw) as name:
        blocked = state([folder])["files"]
        told, sentence = do()
    now = state([folder])
    name = f"{act}, {name or condition}"
    before["files"] = blocked
    changed = difference(before, now)
    if told == "done":
        good = condition == "a call fails"                      # it may have been one that is not made, or made again
        return Outcome(name, good, "whole" if good else "told done", sentence)
    if not is_sentence(sentence) or "a fault of its own" in sentence:
        return Outcome(name, False, "python message", sentence[:200])
    if role not in sentence:
        return Outcome(name, False, "no role", sentence[:200])
    if changed:
        return Outcome(name, False, "half done", "; ".join(changed[:3])[:300])
    if jobs.manager.unplaced is None:
        return Outcome(name, act not in ("music", "both"), "refused", sentence[:200])
    return save_elsewhere(name, folder)


def save_elsewhere(name, folder):
    """The sound was made: Save Take As must bring it into the scene after all."""
    import bpy
    (folder / "elsewhere").mkdir(exist_ok=True)
    try:
        bpy.ops.baton.save_take_as(filepath=str(folder / "elsewhere" / "mine.wav"))
    except RuntimeError as error:
        return Outcome(name, False, "not saved", str(error)[:200])
    take = bpy.context.scene.baton.takes[-1]
    placed = Path(take.path).parent == folder / "elsewhere" and Path(take.path).is_file() and len(take.strip) > 0
    return Outcome(name, placed, "saved elsewhere" if placed else "not saved", take.path)


# --- acts: (what to do, the folder that is struck, the word for it) -------------------------------------------------

def _music(folder):
    from tests.faults.apply_scenes import music
    return music(folder)[1], folder / "baton", "folder for sounds"


def _both(folder):
    from tests.faults.apply_scenes import both
    return both(folder)[1], folder / "baton", "folder for sounds"


def _keep(folder):
    from tests.faults.apply_buttons import keep_sound
    return keep_sound(folder)[1], folder / "baton", "folder for sounds"


def _bones(folder):
    import bpy

    from tests.faults.apply_scenes import base, button
    base(folder)
    bpy.ops.baton.detect_bones()
    return button(bpy.ops.baton.save_bones, filepath=str(folder / "maps" / "map.json")), folder / "maps", "bone map"


def _begin(folder):
    """A job begins in Blender's temporary folder, which is the one struck, and reads the rig there."""
    import bpy

    from baton.blender_addon.errors import UserError
    from baton.blender_addon.worker import job_folder
    from baton.blender_addon.worker import manager as jobs
    from tests.blender.stand_ins import to_sound
    from tests.faults.apply_scenes import base
    scene, rig = base(folder)
    scene.baton.music_ldm.range = "SCENE"
    scene.frame_end = 60
    job = to_sound(bpy.context, rig).job()

    def do():
        before, job_folder.session = job_folder.session, lambda: folder / "temp"
        try:
            job.folder = job_folder.make("trial")
            jobs.manager.job, jobs.manager._steps = job, job.prepare(job.folder)
            while job.state == "preparing" and jobs.manager.job is job:
                jobs.manager.poll()
        except UserError as error:
            return "failed", str(error)
        finally:
            job_folder.session = before
            jobs.manager.job, jobs.manager._steps = None, None
            job_folder.clear(job.folder)
        return ("done", "read") if job.state == "waiting" else (job.state, job.message)
    (folder / "temp").mkdir()
    return do, folder / "temp", "temporary folder"


ACTS = {"music": _music, "both": _both, "keep": _keep, "save bones": _bones, "begin": _begin}


# --- conditions ------------------------------------------------------------------------------------------------------

@contextmanager
def _file_in_the_way(target, draw):
    shutil.rmtree(target, ignore_errors=True)
    target.write_bytes(b"mine")
    yield "a file lies there"
    assert target.read_bytes() == b"mine", "the user's file was touched"


@contextmanager
def _dangling_link(target, draw):
    shutil.rmtree(target, ignore_errors=True)
    target.symlink_to(target.parent / "nowhere" / "at all")
    yield "a link to nowhere lies there"
    assert target.is_symlink()


@contextmanager
def _closed(target, draw):
    """A folder in which nobody can make a file, whoever runs this."""
    shutil.rmtree(target, ignore_errors=True)
    target.symlink_to("/proc/self/fdinfo")
    yield "a closed folder"


@contextmanager
def _small_files(target, draw):
    """Writing stops in the middle: the system's own limit on the size of files, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(draw.integers(1, 400)), before[1]))
    try:
        yield "writing stops half way"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def _a_call_fails(target, draw):
    """The n-th call that writes below the folder fails, for one of many reasons."""
    number, at = int(draw.choice(ERRORS)), int(draw.integers(1, 8))
    originals, count = [(module, name, getattr(module, name)) for module, name in CALLS], [0]

    reading = os.open

    def broken(original):
        def call(*args, **kwargs):
            if any(str(arg).startswith(str(target)) for arg in args if isinstance(arg, (str, Path))):
                count[0] += 1
                if count[0] >= at and not (original is reading and not args[1] & os.O_CREAT):
                    raise OSError(number, os.strerror(number), str(args[0]))
            return original(*args, **kwargs)
        return call
    for module, name, original in originals:
        setattr(module, name, broken(original))
    try:
        yield f"call {at} fails with {errno.errorcode[number]}"
    finally:
        for module, name, original in originals:
            setattr(module, name, original)


CONDITIONS = {"a file in the way": _file_in_the_way, "a dangling link": _dangling_link, "closed": _closed,
              "no room": _small_files, "a call fails": _a_call_fails}
