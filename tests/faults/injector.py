"""Raises at the n-th call that Baton makes: of its own functions and, from within them, of Python's and Blender's.

The gate is the function inside which calls count, such as the one that applies a result. After one fault the injector
is off, so that what puts things back runs undisturbed.
"""
import errno
import inspect
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


def _resumed(frame):
    """A generator that goes on: a fault raised there would end it past its own `finally`, as nothing real does."""
    code = frame.f_code
    return bool(code.co_flags & inspect.CO_GENERATOR) and frame.f_lineno != code.co_firstlineno


class Injector:
    """`with Injector(gate, choose)`: before each call inside a function named in `gate`, `choose(number)`, from 1,
    gives the fault to raise there, or None; after one fault no more is raised. choose None: calls are only counted.

    Afterwards `calls` tells how many there were, `where` what was hit, and, with `look`, `sites` {the line that calls
    and what it calls: numbers of its calls} and `stacks`, the same for each whole stack up to the gate.
    """

    fired = False

    def __init__(self, gate, choose=None, look=False):
        self.gate, self.choose, self.look = gate, choose, look
        self.calls, self.where, self._frame, self.sites, self.stacks = 0, "", None, {}, {}

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
        if _in_update(frame) or event == "call" and _resumed(frame):
            return
        self.calls += 1
        name = code.co_name if event == "call" else f"{code.co_name} > {getattr(argument, '__name__', argument)}"
        if self.look:
            stack = (name, *self._lines(frame))
            self.sites.setdefault(stack[:2], []).append(self.calls)
            self.stacks.setdefault(stack, []).append(self.calls)
        fault = self.choose(self.calls) if self.choose is not None else None
        if fault is None:
            return
        sys.setprofile(None)
        Injector.fired = True
        self.where = f"{Path(code.co_filename).stem}.{name}:{frame.f_lineno}"
        raise fault(f"injected at {self.where}")

    def _lines(self, frame):
        while frame is not None and frame is not self._frame.f_back:
            yield f"{frame.f_code.co_filename}:{frame.f_lineno}"
            frame = frame.f_back
