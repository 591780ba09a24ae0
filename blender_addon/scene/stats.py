"""How long Baton's own timer, draw and handler callbacks keep Blender waiting; read by `build.py bench`."""
import functools
import time
from collections import deque

callbacks = deque(maxlen=20000)  # seconds inside callbacks
callbacks_cpu = deque(maxlen=20000)  # of them, seconds of processor time: free of other programs' load
slowest = {}  # {callback: most seconds of processor time in one call}
stalls = deque(maxlen=200)  # (name, seconds): the permitted ones, sampling a rig and writing a result
_stalled = _stalled_cpu = 0.0


def timed(function):
    """Decorator for callbacks; the time of permitted stalls inside is not counted twice."""
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        before, before_cpu = _stalled, _stalled_cpu
        start, start_cpu = time.perf_counter(), time.thread_time()
        try:
            return function(*args, **kwargs)
        finally:
            callbacks.append(time.perf_counter() - start - (_stalled - before))
            seconds = time.thread_time() - start_cpu - (_stalled_cpu - before_cpu)
            callbacks_cpu.append(seconds)
            slowest[function.__qualname__] = max(seconds, slowest.get(function.__qualname__, 0.0))
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
        self._start, self._start_cpu = time.perf_counter(), time.thread_time()

    def __exit__(self, *exc):
        global _stalled, _stalled_cpu
        _stalled_cpu += time.thread_time() - self._start_cpu
        seconds = time.perf_counter() - self._start
        _stalled += seconds
        stalls.append((self.name, seconds))
        return False


def percentile(share, values=callbacks):
    """Seconds below which `share` (0..1) of the callbacks lie; 0 without any."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
