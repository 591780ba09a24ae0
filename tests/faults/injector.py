"""Raises at the n-th call that Baton makes: of its own functions and, from within them, of Python's and Blender's.

The gate is the function inside which calls count, such as the one that applies a result. After one fault the injector
is off, so that what puts things back runs undisturbed.
"""
import errno
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WITHIN = (str(ROOT / "blender_addon") + os.sep, str(ROOT / "core" / "contract") + os.sep)


class Injected(Exception):
    """A fault that nobody foresaw."""


FAULTS = (Injected, lambda text: OSError(errno.ENOSPC, text), KeyError, MemoryError, RuntimeError)


def _in_update(frame):
    """Inside an update function of a property: what it raises Blender prints and passes over, so it is no fault of the
    act."""
    while frame is not None and frame.f_code.co_filename.startswith(WITHIN):
        if frame.f_code.co_filename.endswith("properties.py"):
            return True
        frame = frame.f_back
    return False


class Injector:
    """`with Injector(gate, at, fault)`: the `at`-th call (from 1) inside a function named `gate` raises `fault(text)`;
    with `at` None they are only counted. gate: names of such functions. Afterwards `calls` tells how many there were,
    `where` what was hit."""

    fired = False

    def __init__(self, gate, at=None, fault=Injected):
        self.gate, self.at, self.fault = gate, at, fault
        self.calls, self.where, self._frame = 0, "", None

    def __enter__(self):
        Injector.fired = False
        sys.setprofile(self._event)
        return self

    def __exit__(self, *exc):
        sys.setprofile(None)
        Injector.fired = False
        return False

    def _event(self, frame, event, argument):
        code = frame.f_code
        if self._frame is None:
            if event == "call" and code.co_name in self.gate and code.co_filename.startswith(WITHIN):
                self._frame = frame
            return
        if event == "return" and frame is self._frame:
            self._frame = None
            return
        if event not in ("call", "c_call") or not code.co_filename.startswith(WITHIN):
            return
        if _in_update(frame):
            return
        self.calls += 1
        if self.calls != self.at:
            return
        sys.setprofile(None)
        Injector.fired = True
        name = code.co_name if event == "call" else f"{code.co_name} > {getattr(argument, '__name__', argument)}"
        self.where = f"{Path(code.co_filename).stem}.{name}:{frame.f_lineno}"
        raise self.fault(f"injected at {self.where}")
