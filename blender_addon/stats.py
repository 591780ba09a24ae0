"""How long Baton's own timer, draw and handler callbacks keep Blender waiting; read by `build.py bench`."""
import functools
import time
from collections import deque

callbacks = deque(maxlen=20000)  # seconds inside callbacks
stalls = deque(maxlen=200)  # (name, seconds): the permitted ones, sampling a rig and writing a result
_stalled = 0.0


def timed(function):
    """Decorator for callbacks; the time of permitted stalls inside is not counted twice."""
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        global _stalled
        before, start = _stalled, time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            callbacks.append(time.perf_counter() - start - (_stalled - before))
    return wrapper


def timed_draw(function):
    """`timed` for a panel's draw: Blender counts the arguments, so they must be named."""
    inner = timed(function)

    def draw(self, context):
        return inner(self, context)
    return draw


class stall:
    """`with stall("write"):` marks a permitted stall."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self._start = time.perf_counter()

    def __exit__(self, *exc):
        global _stalled
        seconds = time.perf_counter() - self._start
        _stalled += seconds
        stalls.append((self.name, seconds))
        return False


def percentile(share):
    """Seconds below which `share` (0..1) of the callbacks lie; 0 without any."""
    if not callbacks:
        return 0.0
    ordered = sorted(callbacks)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
