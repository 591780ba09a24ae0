"""Many trials from one moment: a process that is copied goes on twice, and what the copies do to files is undone.

A scene is built once, an act runs once, and at each call that is to fail a copy of the process fails there instead.
"""
import os
import pickle
import shutil
import signal
from pathlib import Path

LONGEST_S = 120                                                 # of a copy; it shares the processor with others


class Files:
    """Folders as they stand, to be put back after a copy has written into them."""

    def __init__(self, folders, aside):
        """aside: a folder for the copies of files; none of `folders` may lie above it."""
        self.folders, self.aside, self._seen = [Path(folder) for folder in folders], Path(aside), None
        self._kept = self.aside

    def note(self):
        """How they stand now; costs little where nothing has changed since the last time."""
        seen = self._look()
        if seen != self._seen:
            self._kept = self.aside.with_name(f"{self.aside.name} of {os.getpid()}")    # a copy notes for itself
            shutil.rmtree(self._kept, ignore_errors=True)
            for number, folder in enumerate(self.folders):
                if folder.is_dir():
                    shutil.copytree(folder, self._kept / str(number), symlinks=True)
            self._seen = seen

    def put_back(self):
        """As they stood at the last `note`."""
        if self._look() == self._seen:
            return
        for number, folder in enumerate(self.folders):
            shutil.rmtree(folder, ignore_errors=True)
            if (self._kept / str(number)).is_dir():
                shutil.copytree(self._kept / str(number), folder, symlinks=True)
        self._seen = self._look()

    def open_ones(self):
        """Whether this process has a file of theirs open: a copy would share its place in it."""
        for number in os.listdir("/proc/self/fd"):
            try:
                path = os.readlink(f"/proc/self/fd/{number}")
            except OSError:
                continue
            if any(path.startswith(f"{folder}{os.sep}") for folder in self.folders):
                return True
        return False

    def _look(self):
        found = {}
        for folder in self.folders:
            for place, names, files in os.walk(folder):
                for name in (*names, *files):
                    path = os.path.join(place, name)
                    state = os.lstat(path)
                    found[path] = (state.st_mode, state.st_ino, state.st_size if name in files else 0,
                                   state.st_mtime_ns if name in files else 0)
        return found


def apart(function, files, seconds=LONGEST_S):
    """function() in a copy of this process; what it returns, and `files` as before. Raises RuntimeError where the copy
    fell or hung."""
    files.note()
    answer = files.aside.with_name(f"{files.aside.name}.answer")
    answer.unlink(missing_ok=True)
    child = copy(seconds)
    if child == 0:
        try:
            found = function()
            answer.write_bytes(pickle.dumps(found))
        finally:
            os._exit(0 if answer.exists() else 1)
    _, status = os.waitpid(child, 0)
    files.put_back()
    if not answer.exists():
        raise RuntimeError(f"the copy ended with {how(status)}")
    return pickle.loads(answer.read_bytes())


def copy(seconds=LONGEST_S):
    """0 in a copy of this process, which is ended after so long; its number in the process itself."""
    child = os.fork()
    if child == 0:
        signal.alarm(seconds)
    return child


def how(status):
    """A word for how a process ended, from `os.waitpid`."""
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"status {os.WEXITSTATUS(status)}"
