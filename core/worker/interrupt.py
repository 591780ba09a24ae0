"""Cancel in the midst of Python code: `Cancelled` is raised in the thread of the job, where that does no harm.

A sampling step asks for itself. Reading half an hour of sound, finding its beats or retargeting are loops of many
modules; instead of asking in each of them, a thread looks where the job is and lets it stop there. Native code is not
interrupted, and neither are imports, files that are being replaced, calls that a card records or the worker itself.
"""
import ctypes
import sys
import threading

from core.contract import ROOT
from core.errors import Cancelled

PATIENCE_SECONDS = 0.2          # given to code that asks for itself
AGAIN_SECONDS = 0.05
WHOLE = ("/contract/files.py", "/layers/recording.py")         # neither in them nor in what they call
OURS = tuple(str(ROOT / room) + sep for room in ("core", "models") for sep in ("/", "\\"))
NEVER = ("/contract/files.py", "/worker/server.py", "/worker/interrupt.py", "/worker/protocol.py",
         "/worker/progress.py", "/worker/jobs.py")


class Interrupt:
    """Of one job. `stop` is asked for once at most; after `end`, which the job's thread calls in a loop that catches
    Cancelled, nothing is raised any more."""

    def __init__(self, thread: int | None = None):
        self._thread = threading.get_ident() if thread is None else thread
        self._over, self._lock = threading.Event(), threading.Lock()

    def stop(self):
        """Begin to look for a place to stop, on a thread of its own."""
        threading.Thread(target=self._watch, name="baton-interrupt", daemon=True).start()

    def end(self):
        """The job is over: nothing is raised any more, and what was about to be raised is not."""
        with self._lock:
            self._over.set()
            _raise(self._thread, None)

    def _watch(self):
        pause = PATIENCE_SECONDS
        while not self._over.wait(pause):
            pause = AGAIN_SECONDS
            with self._lock:
                if not self._over.is_set() and harmless(sys._current_frames().get(self._thread)):
                    _raise(self._thread, ctypes.py_object(Cancelled))


def _raise(thread, what):
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), what)


def harmless(frame) -> bool:
    """Whether what runs in a frame may be left: code of Baton's own,
    with no import and no replacing of files above it."""
    if frame is None or not _ours(frame.f_code.co_filename):
        return False
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith("<frozen importlib") or name.replace("\\", "/").endswith(WHOLE):
            return False
        frame = frame.f_back
    return True


def _ours(name):
    return name.startswith(OURS) and not name.replace("\\", "/").endswith(NEVER)
