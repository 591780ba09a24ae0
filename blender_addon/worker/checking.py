"""The worker's answer looked at on a thread: a long one would hold Blender up."""
import threading
import traceback

from . import replies
from .client import WorkerError


class Checking:
    """`replies.checked` of one answer, on its way."""

    def __init__(self, kind, result, folder):
        self._found = None
        self._thread = threading.Thread(target=self._look, args=(kind, result, folder), name="baton-check", daemon=True)
        self._thread.start()

    def taken(self, timeout=0.0):
        """The checked result, None while it is still looked at, or a str:
        the trace of Baton's own fault. Raises WorkerError."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            return None
        if isinstance(self._found, WorkerError):
            raise self._found
        return self._found

    def _look(self, kind, result, folder):
        try:
            self._found = replies.checked(kind, result, folder)
        except WorkerError as error:
            self._found = error
        except Exception:  # noqa: BLE001  told as Baton's own fault, on the main thread
            self._found = traceback.format_exc()
