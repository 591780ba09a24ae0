"""A fresh process's first seconds: threads that wait without spinning, heavy imports without the garbage collector."""
import gc
import importlib
import os
import sys

SPINS = 10_000              # of a waiting thread of GNU OpenMP, some tenths of a millisecond


def quiet_threads():
    """Tell OpenMP, before torch loads it, that threads which wait for each other soon sleep.

    By default they spin for long, and where another program wants the cores (a Blender that draws or renders) each of
    the hundreds of short meetings in one network call then lasts a time slice: measured on two busy cores, 50 times
    slower. Sleeping at once costs an idle machine half as much time again, since most meetings are shorter than a
    sleep. So they spin about as long as a meeting lasts: as fast as spinning where cores are idle, and a third slower
    than sleeping where two other programs want both. A value that the user has set stays.
    """
    if "OMP_WAIT_POLICY" in os.environ:
        return
    os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))        # Linux
    os.environ.setdefault("KMP_BLOCKTIME", "1")                # Windows and macOS, milliseconds


def import_all(names, stop=lambda: False):
    """Import modules in order until stop() says so. What they create lives as long as the process: the collector
    neither walks it while it grows (a seventh of the time of importing torch) nor ever again."""
    names = [name for name in names if name not in sys.modules]
    if not names:
        return                                                 # nothing new: a job's own garbage must not be frozen
    enabled = gc.isenabled()
    gc.disable()
    try:
        for name in names:
            if stop():
                return
            importlib.import_module(name)
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
