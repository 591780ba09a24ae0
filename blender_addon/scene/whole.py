"""Whole or not at all: what happens in `with whole(...)` is done altogether, or the file is as before.

What is deleted cannot be put back, so deletions wait until everything else has been done (`later`); from then on the
only way is forward. Files made are noted (`place`, `write_beside`) and go again, too.
"""
import os
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import bpy

from ...core.contract import files
from . import snapshot, undo

TRIES = 3
MOST_RECIPE = 4 << 20           # bytes

_present = None                                                 # the outermost block that is under way


class Block:
    """What was noted since the outermost `with whole()` began. sealed: something was deleted, so there is no way back;
    done: all of it has been done."""

    def __init__(self):
        self.deletions, self.files, self.folders = [], [], []
        self.sealed = self.done = False

    def finish(self, step):
        """All deletions in their order, then the undo step. Once something was deleted, what fails is tried again, and
        the others are done whatever happens; what fails for good is raised at the end."""
        tasks = [*self.deletions, *([partial(undo.push, step)] if step else [])]
        self.sealed = len(self.deletions) > 0
        failures, lasting = 0, None
        while tasks:
            try:
                tasks[0]()
                failures = 0
                del tasks[0]
            except Exception as error:
                failures += 1
                if not self.sealed:
                    raise
                if failures == TRIES:
                    failures, lasting = 0, error
                    del tasks[0]
        self.done = True
        if lasting is not None:
            raise lasting

    def remove_files(self):
        for path in self.files:
            path.unlink(missing_ok=True)
        for folder in reversed(self.folders):
            try:
                folder.rmdir()
            except OSError:
                pass                                            # somebody has put something into it meanwhile


@contextmanager
def whole(rigs=(), step=None, alone=False):
    """Do what is inside whole or not at all; gives the `Block`. rigs: armature objects that it may touch, besides those
    that have takes; step: make it an undo step of this name. Inside another such block it is a part of that one; alone:
    it is put back by itself there, too."""
    global _present
    above = _present
    if above is not None and not alone:
        yield above
        return
    things = {thing for thing in (*rigs, *_rigs_of_takes()) if isinstance(thing, bpy.types.Object)}
    restore, block = snapshot.take([thing for thing in things if thing.type == "ARMATURE"]), Block()
    try:
        _present = block
        with undo.in_window():
            yield block
            block.finish(step)
    except BaseException:
        _present = above
        if not block.sealed and not block.done:
            for task in (restore, block.remove_files):
                try:
                    task()
                except Exception:  # noqa: BLE001  it begins again: each part looks first what is there
                    task()
        raise
    finally:
        _present = above


def _rigs_of_takes():
    return {take.rig for scene in bpy.data.scenes for take in scene.baton.takes if take.rig is not None}


def later(deletion):
    """Delete something once all else has been done. deletion() may be called again after it has failed, so it looks
    first whether the thing is still there."""
    if _present is None:
        deletion()
    else:
        _present.deletions.append(deletion)


def place(source, folder, name, suffixes=(".wav", ".json"), move=False):
    """`core.contract.files.place`, noted: it goes again when the block fails.
    move: instead of copying. Raises OSError."""
    block = _present or Block()
    _note_folders(block, Path(folder))
    path = None
    try:
        path = files.claim(folder, name, suffixes)
        block.files.append(path)
        if move:
            os.replace(source, path)
        else:
            files.copy(source, path)
    except BaseException:
        if path is not None:
            path.unlink(missing_ok=True)
        raise
    return path


def write_beside(path, text):
    """A new text file, noted like `place`; its name must have been claimed with that of the file beside it."""
    block = _present or Block()
    block.files.append(Path(path))
    files.write_text(path, text)


def copy_beside(source, path):
    """The recipe that lies at `source` as a new file, noted like `write_beside`; nothing where there is none, or a link
    that could lead anywhere, or what no recipe is as large as. Raises OSError."""
    if source.is_symlink() or not source.is_file() or source.stat().st_size > MOST_RECIPE:
        return
    block = _present or Block()
    block.files.append(Path(path))
    files.copy(source, path)


def _note_folders(block, folder):
    missing = []
    while not folder.exists() and folder != folder.parent:
        missing.append(folder)
        folder = folder.parent
    block.folders += [each for each in reversed(missing) if each not in block.folders]
