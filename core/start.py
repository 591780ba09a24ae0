"""A fresh process's first seconds: threads that wait without spinning, heavy imports without the garbage collector."""
import gc
import importlib
import os
import sys


def quiet_threads():
    """Tell OpenMP, before torch loads it, that threads which wait for each other sleep.

    By default they spin, and where another program wants the cores (a Blender that draws or renders) each of the
    hundreds of short meetings in one network call then lasts a time slice: measured on two busy cores, 50 times slower.
    A value that the user has set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


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
